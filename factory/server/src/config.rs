//! Where things are and which keys there are: the only place of the binary that reads the environment.

use std::{env, path::PathBuf};

use controller::model_access::Provider;

/// Everything the command line and the environment say about this machine.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// `FACTORY_HOME`; else `/var/lib/factory` for root, `$XDG_DATA_HOME/factory` or `~/.local/share/factory` for others.
    pub(crate) home: PathBuf,
    /// `DATABASE_URL`: a Postgres to use instead of the private one.
    pub(crate) database_url: Option<String>,
    /// `FACTORY_TOOLS_DIR`: a prefix with programs that `bin/factory` unpacked without root.
    pub(crate) tools: Option<PathBuf>,
    /// `FACTORY_PG_BIN`: the folder of `initdb` and `postgres`.
    pub(crate) postgres_bin: Option<PathBuf>,
    /// `PATH`, as the sandbox gets it where the tools prefix adds to it.
    pub(crate) path: String,
}

impl Config {
    pub(crate) fn from_environment() -> Self {
        let path_of = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            home: path_of("FACTORY_HOME").unwrap_or_else(default_home),
            database_url: env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()),
            tools: path_of("FACTORY_TOOLS_DIR"),
            postgres_bin: path_of("FACTORY_PG_BIN"),
            path: env::var("PATH").unwrap_or_default(),
        }
    }
}

fn default_home() -> PathBuf {
    // Root's home is closed to the uids that the database and the sandboxes run under.
    if rustix::process::geteuid().is_root() && env::var_os("XDG_DATA_HOME").is_none() {
        return PathBuf::from("/var/lib/factory");
    }
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/".into())).join(".local/share");
    env::var_os("XDG_DATA_HOME").map_or_else(home, PathBuf::from).join("factory")
}

/// The first provider whose key is set; `None` means that a script has to play the model.
pub(crate) fn provider(model: Option<&str>) -> Option<Provider> {
    let key = |name: &str| env::var(name).ok().filter(|key| !key.is_empty());
    let keyed = [
        ("ANTHROPIC_API_KEY", "anthropic", "ANTHROPIC_BASE_URL"),
        ("OPENAI_API_KEY", "openai", "OPENAI_BASE_URL"),
        ("GEMINI_API_KEY", "gemini", "GEMINI_BASE_URL"),
    ];
    let with_key = keyed.into_iter().find_map(|(name, provider, base_url)| {
        key(name).map(|key| Provider {
            name: provider.to_owned(),
            key: Some(key),
            base_url: env::var(base_url).ok().filter(|url| !url.is_empty()),
            model: model.map(str::to_owned),
        })
    });
    let ollama = || {
        key("OLLAMA_BASE_URL").map(|url| Provider {
            name: "ollama".to_owned(),
            key: None,
            base_url: Some(url),
            model: model.map(str::to_owned),
        })
    };
    with_key.or_else(ollama)
}
