//! Talks with one command on a pseudo-terminal: shows what it prints on a [`Display`], types the dialogue's turns.
//!
//! One loop reads, writes and waits, so that a command that floods, or never reads, holds nothing up.

use std::{io, path::Path, time::Duration};

use async_trait::async_trait;
use pty_process::{OwnedReadPty, OwnedWritePty, Size};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{Instant, sleep_until, timeout},
};

use super::{
    ExecOutput, ExecRequest, Exit, LaunchError, Leaks, Terminal, TerminalOutput,
    leaks::Nursery,
    process::{DRAIN, Group, refused},
    terminal::Display,
};

pub(super) const TERM: &str = "xterm-256color"; // what most people's terminals call themselves

/// Starts `command` as the leader of a session of its own, whose terminal this is.
pub(super) fn open(
    command: pty_process::Command,
    terminal: &Terminal,
    argv: &[String],
    tmp_dir: &Path,
    nursery: &Nursery,
) -> Result<(Group, OwnedReadPty, OwnedWritePty), LaunchError> {
    let program = argv.first().cloned().unwrap_or_default();
    let here =
        |error: pty_process::Error| LaunchError::Machine { program: "a terminal".into(), reason: error.to_string() };
    let (pty, pts) = pty_process::open().map_err(here)?;
    pty.resize(Size::new(terminal.rows.get(), terminal.columns.get())).map_err(here)?;
    let child = command.spawn(pts).map_err(|error| match error {
        pty_process::Error::Io(error) => refused(program, &error),
        other => refused(program, &io::Error::other(other)),
    })?;
    let (reader, writer) = pty.into_split();
    Ok((Group::of(child, tmp_dir, nursery), reader, writer))
}

/// TERM, unless the scenario says otherwise.
pub(super) fn dress(command: pty_process::Command) -> pty_process::Command {
    command.env("TERM", TERM)
}

/// The command behind a terminal.
#[async_trait]
pub(super) trait Behind: Send {
    /// Returns when it has ended. Cancel safe.
    async fn ended(&mut self) -> Exit;

    /// Kills it, and whatever it left behind.
    async fn kill(&mut self);
}

/// A command that runs on a terminal.
pub(super) struct Session<C, R, W> {
    command: C,
    reader: R,
    writer: W,
}

/// How far the dialogue is.
struct Progress<'a> {
    terminal: &'a Terminal,
    /// Turns whose sign came.
    turn: usize,
    turn_since: Instant,
    /// Up to here the text was looked at.
    seen: usize,
    typed: Vec<u8>,
}

/// Why the loop ended.
enum End {
    Exited(Exit),
    TimedOut,
    Unanswered,
}

impl<C: Behind, R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Session<C, R, W> {
    pub(super) fn new(command: C, reader: R, writer: W) -> Self {
        Self { command, reader, writer }
    }

    /// Holds the dialogue and waits for the command's end.
    pub(super) async fn run(mut self, request: &ExecRequest, terminal: &Terminal) -> TerminalOutput {
        let started = Instant::now();
        let mut display = Display::new(terminal, request.output_bytes_max);
        let mut progress = Progress { terminal, turn: 0, turn_since: started, seen: 0, typed: request.stdin.clone() };
        let end = self.converse(&mut display, &mut progress, started + request.timeout).await;
        // Whatever it left in its group holds the terminal open, and has no business after its end.
        self.command.kill().await;
        timeout(DRAIN, self.drain(&mut display)).await.ok();
        let screen = display.screen();
        if let End::Exited(_) = end {
            // The last words may hold the last sign.
            progress.listen(&display);
        }
        let unanswered = (progress.turn < terminal.dialogue.len()).then_some(progress.turn + 1);
        let exit = match end {
            End::Exited(exit) => exit,
            End::TimedOut | End::Unanswered => Exit::TimedOut,
        };
        let (text, truncated) = display.into_text();
        let (stdout, stderr, duration) = (text.into_bytes(), Vec::new(), started.elapsed());
        let output = ExecOutput { exit, stdout, stderr, truncated, duration, leaks: Leaks::default() };
        TerminalOutput { output, screen, unanswered }
    }

    async fn converse(&mut self, display: &mut Display, progress: &mut Progress<'_>, deadline: Instant) -> End {
        let mut buffer = vec![0; 16 * 1024];
        let mut is_open = true;
        progress.listen(display);
        loop {
            let turn_deadline = progress.deadline().unwrap_or(deadline).min(deadline);
            tokio::select! {
                read = self.reader.read(&mut buffer), if is_open => match read {
                    Ok(bytes @ 1..) => {
                        display.show(&buffer[..bytes]);
                        progress.listen(display);
                    }
                    // Linux says EIO where nobody holds the terminal any more.
                    Ok(_) | Err(_) => is_open = false,
                },
                written = self.writer.write(&progress.typed), if is_open && !progress.typed.is_empty() => match written {
                    Ok(bytes) => progress.have_typed(bytes),
                    Err(_) => progress.typed.clear(),
                },
                exit = self.command.ended() => return End::Exited(exit),
                () = sleep_until(turn_deadline) => {
                    let turn = progress.turn;
                    // What has been printed counts, also where this loop comes to it late.
                    if let Ok(Ok(bytes @ 1..)) = timeout(Duration::ZERO, self.reader.read(&mut buffer)).await {
                        display.show(&buffer[..bytes]);
                        progress.listen(display);
                    }
                    if turn_deadline == deadline {
                        return End::TimedOut;
                    }
                    if turn == progress.turn {
                        return End::Unanswered;
                    }
                }
            }
        }
    }

    async fn drain(&mut self, display: &mut Display) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(bytes @ 1..) = self.reader.read(&mut buffer).await {
            display.show(&buffer[..bytes]);
        }
    }
}

impl Progress<'_> {
    /// Types all turns whose signs are there.
    fn listen(&mut self, display: &Display) {
        while let Some(turn) = self.terminal.dialogue.get(self.turn) {
            let found = turn.sign.as_ref().map_or(Some(self.seen), |sign| display.find(sign, self.seen));
            let Some(end) = found else { return };
            self.typed.extend_from_slice(turn.send.as_bytes());
            (self.seen, self.turn, self.turn_since) = (end, self.turn + 1, Instant::now());
        }
    }

    /// The command's time for the next sign begins when it can read what comes before.
    fn have_typed(&mut self, bytes: usize) {
        self.typed.drain(..bytes);
        self.turn_since = Instant::now();
    }

    fn deadline(&self) -> Option<Instant> {
        let within: Duration = self.terminal.dialogue.get(self.turn)?.within;
        Some(self.turn_since + within)
    }
}
