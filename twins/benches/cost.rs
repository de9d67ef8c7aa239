//! What a request costs the server, in microseconds of CPU, with the journal on: the binary in a process of its own,
//! a load generator on kept connections here. Also the time to be ready, and resident memory before and after.
//!
//! CPU per request is steadier than requests per second on a machine that does other things too.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "its result")]

mod load;

use std::time::Instant;

use futures::future::join_all;
use load::{CONNECTIONS, Kept, Server};

const WARM_UP: usize = 2_000;
const REQUESTS: usize = 40_000;
const BEST_OF: usize = 3;

fn request(line: &str, key: &str, body: &str) -> Vec<u8> {
    let kind = "application/x-www-form-urlencoded";
    let headers = format!("host: twin\r\nauthorization: Bearer {key}\r\naccept: */*\r\nuser-agent: cost\r\n");
    format!("{line} HTTP/1.1\r\n{headers}content-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

async fn drive(base: &str, request: &[u8], requests: usize) {
    let each = requests / CONNECTIONS;
    join_all((0..CONNECTIONS).map(|_| async {
        let mut kept = Kept::open(base).await.unwrap();
        for _ in 0..each {
            assert_eq!(kept.send(request).await.unwrap(), 200);
        }
    }))
    .await;
}

async fn measure(name: &str, twin: &str, request: &[u8]) {
    let mut best = f64::INFINITY;
    let (mut rate, mut resident) = (0.0_f64, 0.0_f64);
    for _ in 0..BEST_OF {
        let server = Server::twins(&[twin]);
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
    let server = Server::twins(&["stripe", "slack", "anthropic", "sendgrid"]);
    let fastest = (0..5).map(|_| Server::twins(&["stripe", "slack"]).ready_after).min().unwrap();
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
