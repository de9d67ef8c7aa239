//! Puts the parts together: database, sandboxes, and what the controller needs to know of this machine.

use std::{sync::Arc, thread};

use anyhow::Context as _;
use controller::{Factory, model_access::Provider};
use sandbox::Sandboxes;
use store::Store;

use crate::config::Config;

/// Opens everything that performing a run needs.
pub(crate) async fn factory(config: &Config, provider: Option<Provider>) -> anyhow::Result<Arc<Factory>> {
    std::fs::create_dir_all(&config.home)
        .with_context(|| format!("cannot use `{}`; set FACTORY_HOME to a folder that can be written", config.home.display()))?;
    let sandboxes = Sandboxes::new(sandbox::Options::new(config.home.join("sandboxes")))?;
    if let Some(reason) = sandboxes.probe().unavailable {
        anyhow::bail!("this machine cannot isolate a builder: {reason}\nhint: `factory doctor` says what to change");
    }
    sandboxes.reap()?;
    let store = store(config).await?;
    let jobs = thread::available_parallelism().map_or(2, usize::from) * 2;
    Ok(Arc::new(Factory {
        store,
        sandboxes,
        home: config.home.clone(),
        provider,
        tools: config.tools.iter().cloned().collect(),
        path: config.path.clone(),
        jobs,
        worker: format!("pid-{}", std::process::id()),
    }))
}

/// Opens the database alone: for commands that only read.
pub(crate) async fn store(config: &Config) -> anyhow::Result<Store> {
    let mut options = store::Options::new(config.home.clone());
    options.database_url.clone_from(&config.database_url);
    options.bin_dirs.extend(config.postgres_bin.clone());
    options.bin_dirs.extend(config.tools.iter().map(|tools| tools.join("usr/lib/postgresql")));
    Ok(Store::open(&options).await?)
}

/// The last user of the private database stops it; that takes a moment, and is waited for.
pub(crate) async fn close(factory: Arc<Factory>) {
    factory.store.clone().close().await;
}
