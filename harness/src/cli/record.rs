//! `harness record`: a proxy that writes what it hears as a scenario.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
};

use clap::Args;
use harness::{
    capture_proxy::{Recorder, written},
    report::plural,
};
use reqwest::Url;
use tokio::signal::unix::{SignalKind, signal};

use super::{Failed, runtime, say, server};

#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    /// What is recorded: where requests are passed on to
    #[arg(long, value_name = "URL", value_parser = server)]
    target: Url,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The scenario file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it is there already
    #[arg(long)]
    force: bool,
    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn record(arguments: &RecordArgs) -> Result<u8, Failed> {
    if arguments.out.exists() && !arguments.force {
        let message = format!("{} is there already\nhint: pass --force to replace it", arguments.out.display());
        return Err(Failed::Use(message));
    }
    let recorder = Recorder::new(arguments.target.clone()).map_err(io::Error::other)?;
    runtime()?.block_on(async {
        let refused = |error| {
            Failed::Use(format!("cannot listen at {}: {error}; name another address with --listen", arguments.listen))
        };
        let listener = tokio::net::TcpListener::bind(arguments.listen).await.map_err(refused)?;
        let mut terminate = signal(SignalKind::terminate())?;
        let address = listener.local_addr()?;
        writeln!(io::stderr(), "recording http://{address} → {}; ^C ends it", arguments.target)?;
        let stop = async move {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        };
        recorder.serve(listener, stop).await.map_err(Failed::Machine)
    })?;
    let exchanges = recorder.exchanges();
    let name = arguments.out.file_stem().unwrap_or_default().to_string_lossy();
    let target = arguments.target.origin().ascii_serialization(); // without a password
    let Some(text) = written(&name, &target, &exchanges) else {
        return Err(Failed::Use(
            "nothing was recorded, so nothing was written\nhint: send requests to the address above".to_owned(),
        ));
    };
    std::fs::write(&arguments.out, text)?;
    let (out, requests) = (&arguments.out, exchanges.len());
    if arguments.json {
        say(&serde_json::json!({ "written": out, "requests": requests }).to_string())?;
    } else {
        say(&format!("{}: {}", out.display(), plural(requests, "request")))?;
    }
    Ok(0)
}
