//! `factory doctor`: what is present, what is missing, and the command that mends it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::Args;
use sandbox::Sandboxes;
use serde::Serialize;

use crate::{config, config::Config, wiring};

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// A JSON array of checks.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    /// Without it a run does not work; otherwise only something less.
    needed: bool,
    found: String,
    /// What to type.
    mend: Option<String>,
}

/// 0 where everything that is needed is there, else 5.
pub(crate) async fn doctor(config: &Config, arguments: &DoctorArguments) -> anyhow::Result<u8> {
    let checks = vec![
        home(config),
        database(config).await,
        isolation(config),
        program(config, "git"),
        program(config, "python3"),
        model(),
    ];
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer(&mut out, &checks)?;
        writeln!(out)?;
    } else {
        for check in &checks {
            let sign = match (check.ok, check.needed) {
                (true, _) => '✓',
                (false, true) => '✗',
                (false, false) => '·',
            };
            writeln!(out, "{sign} {:<10} {}", check.name, check.found)?;
            if let Some(mend) = &check.mend {
                writeln!(out, "             → {mend}")?;
            }
        }
    }
    let broken = checks.iter().any(|check| check.needed && !check.ok);
    Ok(if broken { crate::exit::INFRASTRUCTURE } else { 0 })
}

fn home(config: &Config) -> Check {
    let made = std::fs::create_dir_all(&config.home).and_then(|()| tempfile::tempfile_in(&config.home).map(drop));
    let place = config.home.display();
    Check {
        name: "home",
        ok: made.is_ok(),
        needed: true,
        found: made.as_ref().map_or_else(|error| format!("{place}: {error}"), |()| place.to_string()),
        mend: made.is_err().then(|| "export FACTORY_HOME=/a/folder/that/you/may/write".to_owned()),
    }
}

async fn database(config: &Config) -> Check {
    let opened = wiring::store(config).await;
    let kind = if config.database_url.is_some() { "DATABASE_URL" } else { "private cluster" };
    let check = match &opened {
        Ok(_) => Check { name: "database", ok: true, needed: true, found: format!("Postgres, {kind}"), mend: None },
        Err(error) => Check {
            name: "database",
            ok: false,
            needed: true,
            found: format!("{kind}: {error:#}"),
            mend: Some("apt-get install postgresql   (or set DATABASE_URL, or FACTORY_PG_BIN)".to_owned()),
        },
    };
    if let Ok(store) = opened {
        store.close().await;
    }
    check
}

fn isolation(config: &Config) -> Check {
    let probe = Sandboxes::new(sandbox::Options::new(config.home.join("sandboxes"))).map(|sandboxes| sandboxes.probe());
    let (ok, found) = match probe {
        Ok(probe) => match probe.unavailable {
            None => {
                let uids =
                    if probe.separate_uids { "a host uid for each sandbox" } else { "all sandboxes under your uid" };
                (true, format!("namespaces; {uids}; limits by {}", probe.limits))
            }
            Some(reason) => (false, reason),
        },
        Err(error) => (false, error.to_string()),
    };
    let mend = (!ok).then(|| {
        "sysctl -w kernel.unprivileged_userns_clone=1   (or run as root; see docs/guides/install.md)".to_owned()
    });
    Check { name: "isolation", ok, needed: true, found, mend }
}

fn program(config: &Config, name: &'static str) -> Check {
    let found = find(&config.path, name);
    Check {
        name,
        ok: found.is_some(),
        needed: false,
        mend: found.is_none().then(|| format!("apt-get install {name}   (the shipped example needs it)")),
        found: found.map_or_else(|| "not on PATH".to_owned(), |path| path.display().to_string()),
    }
}

fn find(path: &str, name: &str) -> Option<PathBuf> {
    path.split(':').map(|folder| Path::new(folder).join(name)).find(|candidate| candidate.is_file())
}

fn model() -> Check {
    let provider = config::provider(None);
    let mend = "export ANTHROPIC_API_KEY=…   (or OPENAI_API_KEY, GEMINI_API_KEY, OLLAMA_BASE_URL)".to_owned();
    Check {
        name: "model",
        ok: provider.is_some(),
        needed: false,
        found: provider.as_ref().map_or_else(
            || "no key: a spec's script plays the model".to_owned(),
            |provider| format!("{}, key set", provider.name),
        ),
        mend: provider.is_none().then_some(mend),
    }
}
