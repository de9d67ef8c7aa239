//! Slack as its official SDKs see it.

use std::sync::Arc;

use serde_json::json;

use crate::{
    sdk::{Evidence, run},
    support::space,
};

#[tokio::test(flavor = "multi_thread")]
async fn official_sdks_drive_slack() {
    let space = Arc::new(space());
    let served = space.serve("slack", json!({"channels": ["general"]})).unwrap();
    let mut seen = Evidence::default();
    run(&space, &served, "python/slack_basics.py", "slack_sdk 3.47.0", &mut seen).await;
    run(&space, &served, "node/slack_basics.mjs", "@slack/web-api 8.2.0", &mut seen).await;
    seen.check("slack", &[]);
}
