//! What both measurements need: a server in a process of its own, its CPU time and memory, and a client that does as
//! little as a client can.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) const CONNECTIONS: usize = 16;
const READY_WITHIN: Duration = Duration::from_secs(120); // a virtual machine on a busy computer
const LOOK_EVERY: Duration = Duration::from_millis(2);
const TICKS_PER_SECOND: u64 = 100; // of /proc, on every Linux of today

pub(crate) struct Server {
    child: Child,
    pub(crate) ready_after: Duration,
    /// `host:port`
    pub(crate) bases: Vec<String>,
}

impl Server {
    pub(crate) fn twins(twins: &[&str]) -> Self {
        let begun = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_twins"));
        command.arg("serve").args(twins).args(["--json", "--seed", "7"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(twins.len());
        let served: Vec<Value> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        let ready_after = begun.elapsed();
        let bases = served.iter().map(|served| served["base_url"].as_str().unwrap()[7..].to_owned()).collect();
        Self { child, ready_after, bases }
    }

    /// Another program that will listen on `port`; ready once it answers `probe` with 200.
    #[allow(dead_code, reason = "one of the two benchmarks has no other programs")]
    pub(crate) async fn other(mut command: Command, port: u16, probe: &[u8]) -> Self {
        let begun = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let base = format!("127.0.0.1:{port}");
        while !answers(&base, probe).await {
            assert!(begun.elapsed() < READY_WITHIN, "{command:?} does not answer");
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Self { child, ready_after: begun.elapsed(), bases: vec![base] }
    }

    /// Of all threads, since the start.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
    }

    pub(crate) fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
    }
}

async fn answers(base: &str, probe: &[u8]) -> bool {
    let Ok(mut kept) = Kept::open(base).await else { return false };
    kept.send(probe).await.is_ok_and(|status| status == 200)
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One connection that stays.
pub(crate) struct Kept {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Kept {
    pub(crate) async fn open(base: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(base).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and takes its whole answer, whose status it gives.
    pub(crate) async fn send(&mut self, request: &[u8]) -> std::io::Result<u16> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let (mut expected, mut status) = (usize::MAX, 0);
        while self.received.len() < expected {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if expected == usize::MAX
                && let Some(end) = find(&self.received, b"\r\n\r\n")
            {
                let head = std::str::from_utf8(&self.received[..end]).unwrap();
                status = head[9..12].parse().unwrap();
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
                });
                expected = end + 4 + length.unwrap_or_else(|| panic!("no length in {head}"));
            }
        }
        Ok(status)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
