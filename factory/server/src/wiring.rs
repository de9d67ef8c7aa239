//! Puts the parts together: database, sandboxes, and what the controller needs to know of this machine.

use std::{sync::Arc, thread};

use anyhow::Context as _;
use controller::{Factory, model_access::Provider};
use sandbox::Sandboxes;
use store::Store;

use crate::config::Config;

/// Opens everything that performing a run needs.
pub(crate) async fn factory(config: &Config, provider: Option<Provider>) -> anyhow::Result<Arc<Factory>> {
    std::fs::create_dir_all(&config.home).with_context(|| {
        format!("cannot use `{}`; set FACTORY_HOME to a folder that can be written", config.home.display())
    })?;
    let sandboxes = Sandboxes::new(sandbox::Options::new(config.home.join("sandboxes")))?;
    if let Some(reason) = sandboxes.probe().unavailable {
        anyhow::bail!("this machine cannot isolate a builder: {reason}\nhint: `factory doctor` says what to change");
    }
    sandboxes.reap()?;
    let store = store(config).await?;
    // Trials wait more than they compute.
    let jobs = thread::available_parallelism().map_or(2, usize::from) * 4;
    Ok(Arc::new(Factory {
        store,
        sandboxes,
        home: config.home.clone(),
        provider,
        tools: config.tools.iter().cloned().collect(),
        path: config.path.clone(),
        jobs,
        worker: controller::identity::own(),
    }))
}

/// Opens the database alone: for commands that only read.
pub(crate) async fn store(config: &Config) -> anyhow::Result<Store> {
    let options = store::Options {
        database_url: config.database_url.clone().map(store::DatabaseUrl),
        bin_dirs: config.postgres_bin.iter().cloned().collect(),
        tools_dir: config.tools.clone(),
        search_path: Some(config.path.clone().into()),
        ..store::Options::at(&config.home)
    };
    Ok(Store::open(&options).await?)
}

/// The last user of the private database stops it; that takes a moment, and is waited for.
pub(crate) async fn close(factory: Arc<Factory>) {
    factory.store.clone().close().await;
}
