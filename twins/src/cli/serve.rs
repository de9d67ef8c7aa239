use std::{
    io::{IsTerminal, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use twins::{Engine, EngineOptions, Served, Space, definition::is_path};

use super::{config::Config, say};

#[derive(clap::Args)]
pub(super) struct Options {
    /// Which twins: `stripe`, `stripe=4010` for a port of your choice, or `./my.twin.yaml` for one of your own.
    #[arg(required = true, value_name = "TWIN[=PORT]")]
    twins: Vec<String>,
    /// The root of all randomness; the same seed and requests give the same bytes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the virtual clock starts (RFC 3339); now, where left out.
    #[arg(long)]
    start_at: Option<Timestamp>,
    /// The script that the LLM twins play.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Configuration by twin: a file (YAML or JSON), or JSON itself: `{"stripe": {"account": {"secret_key": "sk_test_1"}}}`.
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,
    /// Port of the admin API; any, where left out.
    #[arg(long, default_value_t = 0)]
    admin_port: u16,
    /// Where webhooks with a path instead of a URL go.
    #[arg(long, value_name = "URL")]
    webhook_base: Option<String>,
    /// Isolated state by the value of this header, or below `/__space/NAME/`.
    #[arg(long, value_name = "HEADER", num_args = 0..=1, require_equals = true, default_missing_value = "x-twin-space")]
    space_header: Option<String>,
    /// One JSON line per twin; the default where the output is no terminal.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<()> {
    // Listen for the end before anybody is told that the twins are there.
    let mut terminated = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot wait for an interrupt")?;
    let start_at = options.start_at.unwrap_or_else(Timestamp::now);
    let space = Engine::new(EngineOptions { seed: options.seed, start_at }).space("serve", 0);
    let mut config = Config::read(options.config.as_deref(), options.script.as_deref(), &options.twins)?;
    if let Some(header) = &options.space_header {
        space.name_spaces(header)?;
    }
    let admin = twins::serve_admin(&space, options.admin_port)?;
    for wanted in &options.twins {
        let served = open(&space, wanted, &mut config)?;
        if let Some(base) = &options.webhook_base {
            space.set_webhook_base(&served.name, base)?;
        }
        announce(&served, &admin, options.json)?;
    }
    config.nothing_left()?;
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    space.close().await;
    Ok(())
}

fn open(space: &Space, wanted: &str, config: &mut Config) -> Result<Served> {
    let (name, port) = match wanted.split_once('=') {
        Some((name, port)) => match port.parse() {
            Ok(port) => (name, port),
            Err(_) => bail!("`{port}` is no port; write {name}=4010, or just {name} for a free one"),
        },
        None => (wanted, 0),
    };
    // The configuration knows a definition by the name of its twin.
    let key = if is_path(name) { twins::definition::info(Path::new(name))?.name } else { name };
    let served = space.serve_on(name, config.take(key), port);
    served.map_err(|error| config.located(key, error))
}

fn announce(served: &Served, admin: &str, as_json: bool) -> Result<()> {
    let mut out = stdout();
    let admin_url = format!("{admin}/{}", served.name);
    if as_json || !out.is_terminal() {
        let line =
            json!({"name": served.name, "base_url": served.base_url, "port": served.port, "admin_url": admin_url});
        return say(&mut out, &line.to_string());
    }
    say(&mut out, &format!("{:<10} {}   admin {admin_url}", served.name, served.base_url))
}
