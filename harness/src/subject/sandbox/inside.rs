//! The first process inside a sandbox: the harness once more, started by `bwrap`. It runs one command, leads ports
//! through the wall and buries what dies. When it ends, the kernel kills whatever else is inside.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsFd,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus, kill_process_group, set_dumpable_behavior, wait,
};
use tokio::{
    io::copy,
    net::{TcpListener, UnixListener, UnixStream, unix::pipe},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::channel::{CHANNEL, FOLDER, Mouth, Order, Size, Wish, Word, channel, inward, outward};
use crate::subject::{
    Exit,
    process::{DRAIN, program_path},
    relay::{Door, Target, relay},
};

const LOOK_EVERY_MIN: Duration = Duration::from_millis(1); // a fast subject must not wait for us
const LOOK_EVERY_MAX: Duration = Duration::from_millis(20);
const WORDS_MAX: usize = 64; // more than the ports of any subject
const LISTENING: &str = "0A"; // a state in the kernel's tables of sockets

/// The work of `harness inside-sandbox`, which nobody but a sandbox starts.
///
/// # Errors
/// Where it is not in a sandbox, or the harness outside is gone.
pub fn inside_sandbox() -> io::Result<()> {
    // What runs here under the same user must not look into this process, nor take its place.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve())?;
    // Threads that wait for others to die do not hold it up.
    runtime.shutdown_background();
    Ok(())
}

async fn serve() -> io::Result<()> {
    let (mut ear, mut mouth) = channel(UnixStream::connect(in_folder(CHANNEL)).await?);
    let Some(Wish::Run(order)) = ear.hear().await else { return Ok(()) };
    for port in &order.outward {
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).await?;
        tokio::spawn(relay(Door::Tcp(door), Target::Unix(in_folder(&outward(*port)))));
    }
    let mut running = match start(&order) {
        Ok(running) => running,
        Err(error) => return mouth.say(&Word::Refused(error.raw_os_error().unwrap_or_default())).await,
    };
    mouth.say(&Word::Started).await?;
    let (tell, mut told) = mpsc::channel(WORDS_MAX);
    for port in order.inward {
        tokio::spawn(lead_inward(port, tell.clone()));
    }
    loop {
        tokio::select! {
            exit = &mut running.exit => return running.bury(exit.unwrap_or(Exit::Signal(0)), &mut mouth).await,
            Some(word) = told.recv() => mouth.say(&word).await?,
            wish = ear.hear::<Wish>() => match wish {
                Some(Wish::Terminate) => drop(kill_process_group(running.group, Signal::TERM)),
                Some(Wish::Run(_)) => {}
                // Nobody is there any more who could want anything.
                None => return Ok(()),
            },
        }
    }
}

fn in_folder(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

/// The command.
struct Running {
    group: Pid,
    exit: oneshot::Receiver<Exit>,
    /// Shows what a terminal shows.
    terminal: Option<Terminal>,
}

struct Terminal {
    showing: JoinHandle<()>,
    /// Never waited for by its own means: [`bury_all`] does it.
    _child: tokio::process::Child,
}

impl Running {
    async fn bury(self, exit: Exit, mouth: &mut Mouth) -> io::Result<()> {
        if let Some(Terminal { showing, .. }) = self.terminal {
            timeout(DRAIN, showing).await.ok();
        }
        mouth.say(&Word::Ended(exit)).await
    }
}

fn start(order: &Order) -> io::Result<Running> {
    let (program, arguments) = order.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let program = program_path(program, &order.cwd);
    if let Some(size) = order.terminal {
        return start_on_terminal(&program, arguments, order, size);
    }
    let mut command = std::process::Command::new(program);
    command.args(arguments).env_clear().envs(&order.env).current_dir(&order.cwd).process_group(0);
    let group = Pid::from_child(&command.spawn()?);
    Ok(Running { group, exit: bury_all(group), terminal: None })
}

/// The terminal is made here, so that signals from its keyboard reach the command and nothing else.
fn start_on_terminal(program: &Path, arguments: &[String], order: &Order, size: Size) -> io::Result<Running> {
    let (pty, pts) = pty_process::open().map_err(io::Error::other)?;
    pty.resize(pty_process::Size::new(size.rows, size.columns)).map_err(io::Error::other)?;
    let command = pty_process::Command::new(program).args(arguments).env_clear().envs(&order.env);
    let child = command.current_dir(&order.cwd).spawn(pts).map_err(|error| match error {
        pty_process::Error::Io(error) => error,
        other => io::Error::other(other),
    })?;
    let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)).ok_or(io::ErrorKind::NotFound)?;
    let (mut shown, mut keyboard) = pty.into_split();
    let mut typed = pipe::Receiver::from_owned_fd(io::stdin().as_fd().try_clone_to_owned()?)?;
    let mut screen = pipe::Sender::from_owned_fd(io::stdout().as_fd().try_clone_to_owned()?)?;
    tokio::spawn(async move { copy(&mut typed, &mut keyboard).await });
    // Linux says EIO where nobody holds the terminal any more.
    let showing = tokio::spawn(async move { drop(copy(&mut shown, &mut screen).await) });
    Ok(Running { group, exit: bury_all(group), terminal: Some(Terminal { showing, _child: child }) })
}

/// Collects every process that dies, since orphans become children of the first process; tells how `child` ended.
fn bury_all(child: Pid) -> oneshot::Receiver<Exit> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut tell = Some(tell);
        loop {
            match wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) if pid == child => drop(tell.take().map(|tell| tell.send(exit_of(status)))),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return, // nobody is left
            }
        }
    });
    told
}

fn exit_of(status: WaitStatus) -> Exit {
    status.exit_status().map_or_else(|| Exit::Signal(status.terminating_signal().unwrap_or_default()), Exit::Code)
}

/// Opens the way to a port when the command listens there. Until then, connections are refused outside, as they should be.
async fn lead_inward(port: u16, tell: mpsc::Sender<Word>) {
    let mut pause = LOOK_EVERY_MIN;
    while !is_listened_at(port) {
        sleep(pause).await;
        pause = (pause * 2).min(LOOK_EVERY_MAX);
    }
    let Ok(door) = UnixListener::bind(in_folder(&inward(port))) else { return };
    tell.send(Word::Listens(port)).await.ok();
    relay(Door::Unix(door), Target::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))).await;
}

/// Looked up in the kernel's tables: a connection would be one that the subject notices.
fn is_listened_at(port: u16) -> bool {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables.iter().any(|table| fs::read_to_string(table).is_ok_and(|table| has_listener(&table, port)))
}

/// Lines are `0: 0100007F:4E20 00000000:0000 0A …`: a number, the local address, the remote one, the state.
fn has_listener(table: &str, port: u16) -> bool {
    let local_port = format!(":{port:04X}");
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        fields.next().is_some_and(|local| local.ends_with(&local_port)) && fields.nth(1) == Some(LISTENING)
    })
}

#[cfg(test)]
mod tests {
    use super::has_listener;

    #[test]
    fn a_connection_from_a_port_is_no_listener_at_it() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n   \
                     0: 0100007F:4E20 0100007F:1F90 01 00000000:00000000\n   \
                     1: 0100007F:4E21 00000000:0000 0A 00000000:00000000\n";
        assert!(!has_listener(table, 0x4E20));
        assert!(has_listener(table, 0x4E21));
        assert!(!has_listener(table, 0x4E22));
    }
}
