//! Slack as its official SDKs see it.

use std::sync::Arc;

use serde_json::json;

use crate::{
    sdk::{Evidence, run},
    support::space,
};

const PYTHON: &str = "slack_sdk 3.47.0";
const NODE: &str = "@slack/web-api 8.2.0";

/// What the SDKs have no method for.
const UNDRIVEN: [(&str, &str); 2] = [
    ("oauth.v2.authorize", "a page for people's browsers; tested over HTTP"),
    ("response_url", "an address for the app's own client; tested over HTTP"),
];

#[tokio::test(flavor = "multi_thread")]
async fn official_sdks_drive_slack() {
    let mut seen = Evidence::default();
    for (script, sdk) in [
        ("python/slack_basics.py", PYTHON),
        ("python/slack_channels.py", PYTHON),
        ("python/slack_files.py", PYTHON),
        ("node/slack_basics.mjs", NODE),
        ("node/slack_workspace.mjs", NODE),
    ] {
        let space = Arc::new(space());
        let config = json!({
            "channels": ["general"],
            "tokens": {"xoxp-ann": {"user": "ann"}, "xoxb-reader": {"scopes": ["channels:read"]}},
            "app": {"codes": ["let-me-in"]},
            "interactions": {"to": "/slack/interactions", "secret": "shh"},
        });
        let served = space.serve("slack", config).unwrap();
        run(&space, &served, script, sdk, &mut seen).await;
    }
    seen.check("slack", &UNDRIVEN);
}
