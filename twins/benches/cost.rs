//! What a request costs the server, in microseconds of CPU, with the journal on: the binary in a process of its own,
//! a load generator on kept connections here. Also the time to be ready, and resident memory before and after.
//!
//! CPU per request is steadier than requests per second on a machine that does other things too.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "its result")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const CONNECTIONS: usize = 16;
const WARM_UP: usize = 2_000;
const REQUESTS: usize = 40_000;
const TICKS_PER_SECOND: u64 = 100; // of /proc, on every Linux of today
const BEST_OF: usize = 3;

struct Server {
    child: Child,
    ready_after: Duration,
    bases: Vec<String>,
}

impl Server {
    fn start(twins: &[&str]) -> Self {
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

    /// Of all threads, since the start.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
    }

    fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A client that does as little as a client can.
struct Kept {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Kept {
    async fn open(base: &str) -> Self {
        let stream = TcpStream::connect(base).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, received: Vec::with_capacity(64 * 1024) }
    }

    async fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).await.unwrap();
        self.received.clear();
        let mut expected = usize::MAX;
        while self.received.len() < expected {
            assert_ne!(self.stream.read_buf(&mut self.received).await.unwrap(), 0, "the server has gone");
            if expected == usize::MAX
                && let Some(end) = find(&self.received, b"\r\n\r\n")
            {
                let head = std::str::from_utf8(&self.received[..end]).unwrap();
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                expected = end + 4 + length.parse::<usize>().unwrap();
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn request(line: &str, key: &str, body: &str) -> Vec<u8> {
    let kind = "application/x-www-form-urlencoded";
    let headers = format!("host: twin\r\nauthorization: Bearer {key}\r\naccept: */*\r\nuser-agent: cost\r\n");
    format!("{line} HTTP/1.1\r\n{headers}content-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

async fn drive(base: &str, request: &[u8], requests: usize) {
    let each = requests / CONNECTIONS;
    join_all((0..CONNECTIONS).map(|_| async {
        let mut kept = Kept::open(base).await;
        for _ in 0..each {
            kept.send(request).await;
        }
    }))
    .await;
}

async fn measure(name: &str, twin: &str, request: &[u8]) {
    let mut best = f64::INFINITY;
    let (mut rate, mut resident) = (0.0_f64, 0.0_f64);
    for _ in 0..BEST_OF {
        let server = Server::start(&[twin]);
        drive(&server.bases[0], request, WARM_UP).await;
        let (cpu, begun) = (server.cpu(), Instant::now());
        drive(&server.bases[0], request, REQUESTS).await;
        rate = rate.max(REQUESTS as f64 / begun.elapsed().as_secs_f64());
        best = best.min((server.cpu() - cpu).as_secs_f64() * 1e6 / REQUESTS as f64);
        resident = server.resident_mb();
    }
    println!("{name:<36} {best:>8.1} us CPU/request   {rate:>9.0} requests/s   {resident:>5.1} MB after");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = Server::start(&["stripe", "slack", "anthropic", "sendgrid"]);
    let fastest = (0..5).map(|_| Server::start(&["stripe", "slack"]).ready_after).min().unwrap();
    println!("ready after {:.1} ms, resident {:.1} MB", fastest.as_secs_f64() * 1e3, server.resident_mb());
    drop(server);
    let constant = request("POST /api/auth.test", "xoxb-twin", "");
    measure("slack: a constant answer", "slack", &constant).await;
    let read = request("GET /v1/payment_intents?limit=1", "sk_test_twin", "");
    measure("stripe: an empty list", "stripe", &read).await;
    let form = "amount=2400&currency=usd&confirm=true&payment_method=pm_card_visa";
    let charge = request("POST /v1/payment_intents", "sk_test_twin", form);
    measure("stripe: a charge", "stripe", &charge).await;
}
