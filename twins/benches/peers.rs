//! Stubs here beside the same stubs in `WireMock` and Mountebank, in one run, with one client: 1, 100 and 500 of them, on
//! paths of their own or on one path told apart by a JSON path into the body. Each is asked in its turn; journals are on.
//!
//! `WIREMOCK_JAR` is the standalone jar of `WireMock` (the npm package `wiremock` has it in `build/`, Java is needed),
//! `MOUNTEBANK` its program `mb`. What is missing is said and left out. Figures are ratios to ours: machines differ.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "its result")]

mod load;

use std::{
    env, fs,
    net::TcpListener,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use futures::future::join_all;
use load::{CONNECTIONS, Kept, Server};
use serde_json::{Value, json};

const COUNTS: [usize; 3] = [1, 100, 500];
const WARM_UP: usize = 20_000; // requests: compilers that work while the program runs need them
const WARM_UP_WITHIN: Duration = Duration::from_secs(30);
const MEASURED: Duration = Duration::from_secs(4);

/// What tells the stubs apart.
#[derive(Clone, Copy)]
enum By {
    Path,
    Body,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Path => "paths of their own",
            Self::Body => "one path, JSON path into the body",
        }
    }

    fn request(self, n: usize) -> Vec<u8> {
        let head = "host: stubs\r\naccept: */*\r\nuser-agent: peers\r\n";
        match self {
            Self::Path => format!("GET /orders/{n} HTTP/1.1\r\n{head}\r\n").into_bytes(),
            Self::Body => {
                let body =
                    json!({"order": {"id": format!("order-{n}"), "lines": [{"sku": "a", "count": 2}]}}).to_string();
                let head = format!("{head}content-type: application/json\r\ncontent-length: {}\r\n", body.len());
                format!("POST /orders HTTP/1.1\r\n{head}\r\n{body}").into_bytes()
            }
        }
    }
}

/// The same for every program.
fn answer(n: usize) -> String {
    json!({"id": format!("order-{n}"), "state": "paid"}).to_string()
}

fn of_twins(by: By, count: usize, folder: &Path) -> Server {
    let stub = |n: usize| {
        let answer = json!({"headers": {"content-type": "application/json"}, "text": answer(n), "literal": true});
        match by {
            By::Path => json!({"method": "GET", "path": format!("/orders/{n}"), "answer": answer}),
            By::Body => json!({
                "method": "POST", "path": "/orders", "answer": answer,
                "body": [{"json_path": "$.order.id", "is": format!("order-{n}")}],
            }),
        }
    };
    let file = folder.join("stubs.twin.yaml");
    fs::write(&file, json!({"twin": "stubs", "stubs": (0..count).map(stub).collect::<Vec<_>>()}).to_string()).unwrap();
    Server::twins(&[file.to_str().unwrap()])
}

async fn of_wiremock(jar: &str, by: By, count: usize, folder: &Path) -> Server {
    let stub = |n: usize| {
        let response = json!({"status": 200, "headers": {"Content-Type": "application/json"}, "body": answer(n)});
        match by {
            By::Path => json!({"request": {"method": "GET", "urlPath": format!("/orders/{n}")}, "response": response}),
            By::Body => {
                let of_body = json!({"matchesJsonPath": {"expression": "$.order.id", "equalTo": format!("order-{n}")}});
                json!({
                    "request": {"method": "POST", "urlPath": "/orders", "bodyPatterns": [of_body]},
                    "response": response,
                })
            }
        }
    };
    write_json(&folder.join("mappings"), "all.json", &json!({"mappings": (0..count).map(stub).collect::<Vec<_>>()}));
    let port = free_port();
    let mut command = Command::new("java");
    command.args(["-jar", jar, "--port", &port.to_string(), "--root-dir", folder.to_str().unwrap()]);
    command.args(["--use-chunked-encoding", "never", "--disable-banner", "--max-request-journal-entries", "10000"]);
    Server::other(command, port, &by.request(0)).await
}

async fn of_mountebank(program: &str, by: By, count: usize, folder: &Path) -> Server {
    let stub = |n: usize| {
        let body = answer(n);
        // It closes connections and sends chunks unless told otherwise.
        let headers =
            json!({"Content-Type": "application/json", "Connection": "keep-alive", "Content-Length": body.len()});
        let predicates = match by {
            By::Path => json!([{"equals": {"method": "GET", "path": format!("/orders/{n}")}}]),
            By::Body => json!([
                {"equals": {"method": "POST", "path": "/orders"}},
                {"equals": {"body": format!("order-{n}")}, "jsonpath": {"selector": "$.order.id"}},
            ]),
        };
        json!({"predicates": predicates, "responses": [{"is": {"statusCode": 200, "headers": headers, "body": body}}]})
    };
    let port = free_port();
    let stubs: Vec<_> = (0..count).map(stub).collect();
    let imposter = json!({"port": port, "protocol": "http", "recordRequests": true, "stubs": stubs});
    write_json(folder, "imposters.json", &json!({"imposters": [imposter]}));
    let mut command = Command::new(program);
    let file = folder.join("imposters.json");
    command.args(["start", "--port", &free_port().to_string(), "--configfile", file.to_str().unwrap()]);
    command.args(["--nologfile", "--loglevel", "error", "--localOnly"]).current_dir(folder);
    Server::other(command, port, &by.request(0)).await
}

fn write_json(folder: &Path, name: &str, value: &Value) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), value.to_string()).unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Asks for each stub in turn until so many answers came or the time is over; gives how many came.
async fn drive(base: &str, requests: &[Vec<u8>], answers_max: usize, time: Duration) -> usize {
    let until = Instant::now() + time;
    let connections = (0..CONNECTIONS).map(|first| async move {
        let mut kept = Kept::open(base).await.unwrap();
        let (mut answers, mut next) = (0, first % requests.len());
        while answers < answers_max / CONNECTIONS && Instant::now() < until {
            assert_eq!(kept.send(&requests[next]).await.unwrap(), 200);
            (answers, next) = (answers + 1, (next + 1) % requests.len());
        }
        answers
    });
    join_all(connections).await.into_iter().sum()
}

struct Figures {
    cpu_us: f64,
    per_second: f64,
    ready_ms: f64,
    resident_mb: f64,
}

async fn measure(server: Server, by: By, count: usize) -> Figures {
    let requests: Vec<_> = (0..count).map(|n| by.request(n)).collect();
    drive(&server.bases[0], &requests, WARM_UP, WARM_UP_WITHIN).await;
    let (cpu, begun) = (server.cpu(), Instant::now());
    let answers = drive(&server.bases[0], &requests, usize::MAX, MEASURED).await as f64;
    Figures {
        cpu_us: (server.cpu() - cpu).as_secs_f64() * 1e6 / answers,
        per_second: answers / begun.elapsed().as_secs_f64(),
        ready_ms: server.ready_after.as_secs_f64() * 1e3,
        resident_mb: server.resident_mb(),
    }
}

fn show(program: &str, it: &Figures, ours: &Figures) {
    println!(
        "  {program:<11} {:>9.1} us CPU/request ({:.1} x)   {:>8.0} requests/s ({:.3} x)   ready {:>6.0} ms ({:.0} x)   {:>6.1} MB ({:.1} x)",
        it.cpu_us,
        it.cpu_us / ours.cpu_us,
        it.per_second,
        it.per_second / ours.per_second,
        it.ready_ms,
        it.ready_ms / ours.ready_ms,
        it.resident_mb,
        it.resident_mb / ours.resident_mb,
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let given = |name: &str| env::var(name).map_err(|_| println!("{name} is not set: left out")).ok();
    let (wiremock, mountebank) = (given("WIREMOCK_JAR"), given("MOUNTEBANK"));
    for (by, count) in [By::Path, By::Body].into_iter().flat_map(|by| COUNTS.map(|count| (by, count))) {
        println!("{count} stubs: {}", by.name());
        let folder = tempfile::tempdir().unwrap();
        let ours = measure(of_twins(by, count, folder.path()), by, count).await;
        show("twins", &ours, &ours);
        if let Some(jar) = &wiremock {
            let theirs = measure(of_wiremock(jar, by, count, folder.path()).await, by, count).await;
            show("WireMock", &theirs, &ours);
        }
        if let Some(program) = &mountebank {
            let theirs = measure(of_mountebank(program, by, count, folder.path()).await, by, count).await;
            show("Mountebank", &theirs, &ours);
        }
    }
}
