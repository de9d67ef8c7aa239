use std::{
    io::{IsTerminal, stdout},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use twins::{Authority, Engine, EngineOptions, Served, Space, definition::is_path};

use super::{config::Config, say};

#[derive(clap::Args)]
pub(super) struct Options {
    /// Which twins: `stripe`, `stripe=4010` for a port of your choice, or `./my.twin.yaml` for one of your own.
    #[arg(required = true, value_name = "TWIN[=PORT]")]
    twins: Vec<String>,
    /// Speak TLS, with certificates for whatever host a client asks for.
    #[arg(long, requires = "ca_dir")]
    tls: bool,
    /// For `--tls`: where the local certificate authority is kept; made there where there is none.
    #[arg(long, value_name = "DIR", requires = "tls")]
    ca_dir: Option<PathBuf>,
    #[command(flatten)]
    world: World,
}

/// What twins live in, however they are reached.
#[derive(clap::Args)]
pub(super) struct World {
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
    /// JSON lines; the default where the output is no terminal.
    #[arg(long)]
    pub(super) json: bool,
}

impl World {
    /// The space for these twins, their configuration, and the address of the admin API.
    pub(super) fn space(&self, twins: &[String]) -> Result<(Space, Config, String)> {
        let start_at = self.start_at.unwrap_or_else(Timestamp::now);
        let space = Engine::new(EngineOptions { seed: self.seed, start_at }).space("serve", 0);
        let config = Config::read(self.config.as_deref(), self.script.as_deref(), twins)?;
        if let Some(header) = &self.space_header {
            space.name_spaces(header)?;
        }
        let admin = twins::serve_admin(&space, self.admin_port)?;
        Ok((space, config, admin))
    }

    /// What a twin needs that is served.
    pub(super) fn ready(&self, space: &Space, served: &Served) -> Result<()> {
        if let Some(base) = &self.webhook_base {
            space.set_webhook_base(&served.name, base)?;
        }
        Ok(())
    }
}

/// Listens for the end from now on: nobody is told that the twins are there before.
pub(super) fn until_ended() -> Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot wait for an interrupt")?;
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
    })
}

pub(super) async fn run(options: Options) -> Result<()> {
    let ended = until_ended()?;
    let (space, mut config, admin) = options.world.space(&options.twins)?;
    if let Some(folder) = &options.ca_dir {
        space.secure(Authority::open(folder)?);
    }
    for wanted in &options.twins {
        let served = open(&space, wanted, &mut config)?;
        options.world.ready(&space, &served)?;
        announce(&served, &admin, options.world.json)?;
    }
    config.nothing_left()?;
    ended.await;
    space.close().await;
    Ok(())
}

pub(super) fn open(space: &Space, wanted: &str, config: &mut Config) -> Result<Served> {
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
