//! The GitHub twin: what official SDKs see, what `git` sees, and what only exact requests show.

mod errors;
mod git;
mod hooks;
mod limits;
mod replay;
mod sdks;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use twins::{Served, Space};

use crate::support::{answer, client, space};

const TOKEN: &str = "ghp_octocat";

/// A shop of the organization `acme` with two people; `hubot` may only read.
fn config() -> Value {
    json!({
        "users": [
            {"login": "octocat", "name": "The Octocat", "email": "octocat@example.com", "tokens": [{"token": TOKEN}]},
            {"login": "hubot", "tokens": [{"token": "ghp_hubot"}, {"token": "ghp_narrow", "scopes": []},
                {"token": "ghp_old", "expires_at": "2026-11-20T12:00:00Z"}]},
        ],
        "organizations": [{"login": "acme", "members": ["octocat"]}],
        "repositories": [
            {"full_name": "acme/shop", "files": {"README.md": "# Shop\n", "src/lib.rs": "one\ntwo\nthree\n"},
                "issues": [{"title": "The cart forgets", "labels": ["bug"]}]},
            {"full_name": "acme/secret", "private": true, "files": {"a": "b\n"}},
        ],
    })
}

struct GitHub {
    space: Space,
    served: Served,
}

impl GitHub {
    fn open() -> Self {
        Self::with(config())
    }

    fn with(config: Value) -> Self {
        let space = space();
        let served = space.serve("github", config).unwrap();
        Self { space, served }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        client().request(method, format!("{}{path}", self.served.base_url)).header("user-agent", "test")
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).bearer_auth(TOKEN)
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        answer(self.request(method, path).bearer_auth(TOKEN).json(&body)).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, body).await
    }

    async fn put(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::PUT, path, body).await
    }

    async fn read(&self, path: &str) -> (u16, Value) {
        answer(self.get(path)).await
    }
}
