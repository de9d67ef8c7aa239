//! Slack beyond what its SDKs see: what the app is sent, refusals over the wire, time, and determinism.

mod app;
mod methods;
mod sdks;

use serde_json::{Value, json};
use twins::{Served, Space};

use crate::support::{answer, post_json, space};

/// A workspace with its twin.
struct Workspace {
    space: Space,
    served: Served,
}

impl Workspace {
    fn open(config: Value) -> Self {
        let space = space();
        let served = space.serve("slack", config).unwrap();
        Self { space, served }
    }

    async fn call_as(&self, token: &str, method: &str, arguments: Value) -> (u16, Value) {
        answer(post_json(&self.served, &format!("/api/{method}"), token, &arguments)).await
    }

    /// As the bot; the service nearly always says 200.
    async fn call(&self, method: &str, arguments: Value) -> Value {
        let (status, body) = self.call_as("xoxb-twin", method, arguments).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    async fn error(&self, method: &str, arguments: Value) -> String {
        self.call(method, arguments).await["error"].as_str().unwrap_or("none").to_owned()
    }

    async fn general(&self) -> String {
        let channels = self.call("conversations.list", json!({})).await;
        channels["channels"][0]["id"].as_str().unwrap().to_owned()
    }

    fn act(&self, action: Value) -> Value {
        self.space.act("slack", action).unwrap()
    }
}
