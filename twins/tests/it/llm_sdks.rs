//! The LLM twins as their official SDKs see them.

use std::{path::PathBuf, sync::Arc};

use serde_json::json;

use crate::{
    sdk::{Evidence, run},
    support::space,
};

/// The script that all drivers talk to.
fn script() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/llm.yaml"))
}

#[tokio::test(flavor = "multi_thread")]
async fn official_sdks_drive_openai() {
    let space = Arc::new(space());
    let served = space.serve("openai", json!({"script": script()})).unwrap();
    let mut seen = Evidence::default();
    for flow in ["chat", "responses", "stores", "errors"] {
        run(&space, &served, &format!("python/openai_{flow}.py"), "openai-python 3.51.0", &mut seen).await;
        run(&space, &served, &format!("node/openai_{flow}.mjs"), "openai-node 7.55.0", &mut seen).await;
    }
    seen.check("openai", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn official_sdks_drive_anthropic() {
    let space = Arc::new(space());
    let served = space.serve("anthropic", json!({"script": script()})).unwrap();
    let mut seen = Evidence::default();
    for flow in ["messages", "batches", "errors"] {
        run(&space, &served, &format!("python/anthropic_{flow}.py"), "anthropic-python 2.10.0", &mut seen).await;
        run(&space, &served, &format!("node/anthropic_{flow}.mjs"), "anthropic-node 1.11.0", &mut seen).await;
    }
    seen.check("anthropic", &[]);
}
