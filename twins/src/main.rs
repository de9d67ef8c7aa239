//! `twins`: serves digital twins for any product, in any language.

use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};
use twins::{Engine, EngineOptions, Served, Space};

#[derive(Parser)]
#[command(name = "twins", version, about = "Digital twins of outside services, on loopback, deterministic")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves twins until interrupted.
    Serve(Serve),
    /// Lists the twins with their operations.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Checks a script of the LLM twin without playing it.
    Check { script: PathBuf },
}

#[derive(clap::Args)]
struct Serve {
    /// Which twins: `stripe`, or `stripe=4010` for a port of your choice.
    #[arg(required = true, value_name = "TWIN[=PORT]")]
    twins: Vec<String>,
    /// The root of all randomness; the same seed and requests give the same bytes.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the virtual clock starts (RFC 3339); now, where left out.
    #[arg(long)]
    start_at: Option<Timestamp>,
    /// The script that the LLM twin plays.
    #[arg(long)]
    script: Option<PathBuf>,
    /// Configuration by twin, as JSON: `{"stripe": {"account": {"secret_key": "sk_test_1"}}}`.
    #[arg(long)]
    config: Option<String>,
    /// Port of the admin API; any, where left out.
    #[arg(long, default_value_t = 0)]
    admin_port: u16,
    /// Where webhooks with a path instead of a URL go.
    #[arg(long, value_name = "URL")]
    webhook_base: Option<String>,
    /// One JSON line per twin; the default where the output is no terminal.
    #[arg(long)]
    json: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut std::io::stderr(), &format!("error: {error:#}")).ok();
            ExitCode::from(2)
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    match cli.command {
        Command::Serve(options) => serve(options).await,
        Command::List { json } => list(json),
        Command::Check { script } => {
            twins::script::check(&script)?;
            say(&mut std::io::stdout(), "the script is fine")
        }
    }
}

async fn serve(options: Serve) -> Result<()> {
    let start_at = options.start_at.unwrap_or_else(Timestamp::now);
    let space = Arc::new(Engine::new(EngineOptions { seed: options.seed, start_at }).space("serve", 0));
    let mut config = configuration(&options)?;
    let admin = twins::serve_admin(&space, options.admin_port)?;
    for wanted in &options.twins {
        let served = open(&space, wanted, &mut config)?;
        if let Some(base) = &options.webhook_base {
            space.set_webhook_base(&served.name, base)?;
        }
        announce(&served, &admin, options.json)?;
    }
    if let Some(left) = config.keys().next() {
        bail!("the configuration names `{left}`, which is not served; add it to the command or take it out");
    }
    tokio::signal::ctrl_c().await.context("cannot wait for an interrupt")?;
    space.close().await;
    Ok(())
}

fn open(space: &Space, wanted: &str, config: &mut serde_json::Map<String, Value>) -> Result<Served> {
    let (name, port) = match wanted.split_once('=') {
        Some((name, port)) => (name, port.parse().with_context(|| format!("`{port}` is no port"))?),
        None => (wanted, 0),
    };
    Ok(space.serve_on(name, config.remove(name).unwrap_or_default(), port)?)
}

fn configuration(options: &Serve) -> Result<serde_json::Map<String, Value>> {
    let text = options.config.as_deref().unwrap_or("{}");
    let mut config: serde_json::Map<String, Value> =
        serde_json::from_str(text).context("--config is no JSON object by twin")?;
    if let Some(script) = &options.script {
        let anthropic = config.entry("anthropic").or_insert_with(|| json!({}));
        anthropic["script"] = json!(script);
    }
    Ok(config)
}

fn announce(served: &Served, admin: &str, as_json: bool) -> Result<()> {
    let mut out = std::io::stdout();
    let admin_url = format!("{admin}/{}", served.name);
    if as_json || !out.is_terminal() {
        let line =
            json!({"name": served.name, "base_url": served.base_url, "port": served.port, "admin_url": admin_url});
        return say(&mut out, &line.to_string());
    }
    say(&mut out, &format!("{:<10} {}   admin {admin_url}", served.name, served.base_url))
}

fn list(as_json: bool) -> Result<()> {
    let mut out = std::io::stdout();
    if as_json {
        return say(&mut out, &serde_json::to_string_pretty(&twins::catalogue())?);
    }
    for twin in twins::catalogue() {
        say(&mut out, &format!("{} ({})", twin.name, twin.api_version))?;
        for operation in twin.operations {
            say(&mut out, &format!("  {operation}"))?;
        }
    }
    Ok(())
}

fn say(out: &mut impl Write, line: &str) -> Result<()> {
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
