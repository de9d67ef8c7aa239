//! Everything around the loop: outside agents, wrong input, the commands that set up and inspect, the live pages, the
//! shipped example's own soundness, other databases. The loop itself is in `checkout`, `feedback`, `leaks`, `crashes`.

mod agents;
mod bad_input;
mod commands;
mod database;
mod disk;
mod example;
mod gc;
mod page;
mod workers;

use std::process::Command;

use e2e_tests::factory::Workplace;

const SPEC: &str = "specs/greeting.md";

/// What a command said, with this machine's paths taken out.
#[derive(Debug)]
struct Said {
    status: i32,
    out: String,
    err: String,
}

fn said(place: &Workplace, arguments: &[&str]) -> Said {
    finished(place, place.factory(arguments))
}

fn finished(place: &Workplace, mut command: Command) -> Said {
    let done = command.output().expect("the binary can be started");
    let text = |bytes: Vec<u8>| redacted(place, &String::from_utf8_lossy(&bytes));
    let status = done.status.code().unwrap_or_else(|| panic!("ended by a signal: {}", done.status));
    Said { status, out: text(done.stdout), err: text(done.stderr) }
}

fn redacted(place: &Workplace, text: &str) -> String {
    let path = |path: std::path::PathBuf| path.to_str().expect("UTF-8").to_owned();
    text.replace(&path(place.repository()), "[repository]").replace(&path(place.home()), "[home]")
}
