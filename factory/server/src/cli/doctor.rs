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
        disk(config),
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

/// What one run of a small service takes: the database, a toolchain's output in a workspace, and a few trees.
const DISK_BYTES_MIN: u64 = 1_000_000_000;

fn disk(config: &Config) -> Check {
    // A home that cannot be made is the check before this one.
    let free = rustix::fs::statvfs(&config.home).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
    disk_of(free.map_err(|errno| errno.to_string()))
}

fn disk_of(free_bytes: Result<u64, String>) -> Check {
    let ok = free_bytes.as_ref().is_ok_and(|free| *free >= DISK_BYTES_MIN);
    let found = free_bytes.map(|free| format!("{:.1} GB free in the home", free as f64 / 1e9));
    Check {
        name: "disk",
        ok,
        needed: true,
        found: found.unwrap_or_else(|error| error),
        mend: (!ok).then(|| "factory gc --keep 1   (or set FACTORY_HOME to a larger disk: 1 GB is needed)".to_owned()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_for_a_run_is_missing_something() {
        let (full, roomy) = (disk_of(Ok(DISK_BYTES_MIN - 1)), disk_of(Ok(DISK_BYTES_MIN)));
        assert_eq!((full.ok, full.needed, full.found.as_str()), (false, true, "1.0 GB free in the home"));
        assert!(full.mend.is_some_and(|mend| mend.starts_with("factory gc")));
        assert!(roomy.ok && roomy.mend.is_none());
        assert!(!disk_of(Err("no such file".to_owned())).ok);
    }
}
