//! The gate: every twin of the catalogue, driven by a generated log of requests, answers byte for byte the same in
//! another process and after going back, and the journal's chain ends the same.
//!
//! The log is made from the twin's own table: any operation, parameters from ids that earlier answers showed, fields
//! from a small vocabulary. Much of it is refused, as it should be; refusals are answers too.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use reqwest::{Client, Method};
use serde_json::{Map, Value, json};
use twins::RouteInfo;

use crate::{
    smtp::talk::babble,
    support::{Dice, answer, client},
};

const CALLS: usize = 60; // per twin, and again after going back
const HOST: &str = "twin.test"; // links echo it, and ports differ from process to process

/// What opens each twin as it is configured by default. A twin that is not here is driven as a stranger.
const CREDENTIALS: [(&str, &str); 9] = [
    ("anthropic", "Bearer sk-ant-twin"),
    ("oidc", "Basic dHdpbjp0d2luLXNlY3JldA=="),
    ("okta", "SSWS 00twin"),
    ("openai", "Bearer sk-twin"),
    ("resend", "Bearer re_twin"),
    ("scim", "Bearer scim-twin"),
    ("sendgrid", "Bearer SG.twin"),
    ("slack", "Bearer xoxb-twin"),
    ("stripe", "Bearer sk_test_twin"),
];

/// Fields that mean something to one twin or another.
const FIELDS: [(&str, &str); 16] = [
    ("amount", "2400"),
    ("currency", "usd"),
    ("confirm", "true"),
    ("payment_method", "pm_card_visa"),
    ("email", "a@example.com"),
    ("name", "alpha"),
    ("title", "A title"),
    ("body", "Some text"),
    ("channel", "general"),
    ("text", "hello"),
    ("limit", "2"),
    ("content", "aGVsbG8="),
    ("message", "change"),
    ("model", "claude-sonnet-4-6"),
    ("userName", "ada"),
    ("description", "d"),
];

/// A process that serves every twin.
struct Process {
    child: Child,
    /// Name and base URL.
    twins: Vec<(String, String)>,
    admin: String,
}

impl Process {
    fn start() -> Self {
        let names: Vec<_> = twins::catalogue().iter().map(|twin| twin.name).collect();
        let mut child = Command::new(env!("CARGO_BIN_EXE_twins"))
            .arg("serve")
            .args(&names)
            .args(["--seed", "11", "--start-at", "2026-11-20T12:00:00Z", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().take(names.len());
        let served: Vec<Value> = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let twins = served.iter().map(|served| (text(&served["name"]), text(&served["base_url"]))).collect();
        let admin = text(&served[0]["admin_url"]).rsplit_once('/').unwrap().0.to_owned();
        Self { child, twins, admin }
    }

    async fn head(&self) -> Value {
        answer(client().get(format!("{}/journal", self.admin))).await.1["head"].clone()
    }

    async fn tell(&self, path: &str, body: Value) {
        let status = client().post(format!("{}{path}", self.admin)).json(&body).send().await.unwrap().status();
        assert!(status.is_success(), "{path}: {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One twin's log, made while it is played.
struct Driver {
    client: Client,
    twin: String,
    base: String,
    routes: Vec<RouteInfo>,
    dice: Dice,
    ids: Vec<String>,
}

impl Driver {
    fn of(twin: &str, base: &str) -> Self {
        let info = twins::catalogue().into_iter().find(|info| info.name == twin).unwrap();
        let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let (twin, base) = (twin.to_owned(), base.to_owned());
        Self { client, twin, base, routes: info.routes, dice: Dice(7), ids: vec!["x1".to_owned()] }
    }

    /// Everything that reaches a client.
    async fn call(&mut self) -> String {
        let route = self.routes[self.dice.below(self.routes.len())];
        let method = if route.method == "*" { "POST" } else { route.method };
        let path = self.path(route.path);
        let mut request =
            self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), self.base.clone() + &path);
        request = request.header("host", HOST);
        if let Some((_, credential)) = CREDENTIALS.iter().find(|(twin, _)| *twin == self.twin) {
            request = request.header("authorization", *credential);
        }
        let fields = self.fields();
        request = match (method, self.dice.below(2)) {
            ("GET" | "HEAD" | "DELETE", _) => request.query(&fields),
            (_, 0) => request.form(&fields),
            _ => request
                .json(&fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect::<Map<_, _>>()),
        };
        let response = request.send().await.unwrap();
        let head = format!("{method} {path} {} {:?}", response.status(), response.headers());
        let body = response.bytes().await.unwrap();
        if let Ok(value) = serde_json::from_slice::<Value>(&body) {
            self.remember(&value);
        }
        format!("{head}\n{}", String::from_utf8_lossy(&body))
    }

    fn path(&mut self, template: &str) -> String {
        let mut path = String::new();
        for (number, part) in template.split('{').enumerate() {
            let fixed = if number == 0 {
                part
            } else {
                let id = self.dice.below(self.ids.len());
                path.push_str(&self.ids[id]);
                part.split_once('}').unwrap().1
            };
            path.push_str(fixed);
        }
        path
    }

    /// None half of the time: some services refuse every field that they do not know.
    fn fields(&mut self) -> Vec<(&'static str, &'static str)> {
        if self.dice.below(2) == 0 {
            return Vec::new();
        }
        FIELDS.into_iter().filter(|_| self.dice.below(3) == 0).collect()
    }

    /// Ids are the plain texts that answers show.
    fn remember(&mut self, value: &Value) {
        match value {
            Value::Object(map) => map.iter().for_each(|(name, value)| match value {
                Value::String(text) if matches!(name.as_str(), "id" | "name" | "login" | "sha") => {
                    if text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') && !text.is_empty() {
                        self.ids.push(text.clone());
                    }
                }
                other => self.remember(other),
            }),
            Value::Array(items) => items.iter().for_each(|item| self.remember(item)),
            _ => {}
        }
    }
}

/// The log of every twin, one after the other, as one order over all of them decides the clock.
async fn play(process: &Process) -> Vec<String> {
    let mut seen = Vec::new();
    for (twin, base) in &process.twins {
        if base.starts_with("smtp:") {
            seen.extend(babble(base, &mut Dice(7), CALLS).await);
            continue;
        }
        let mut driver = Driver::of(twin, base);
        for _ in 0..CALLS {
            seen.push(format!("{twin} {}", driver.call().await));
        }
    }
    seen
}

#[tokio::test]
async fn every_twin_answers_the_same_bytes_in_another_process_and_after_going_back() {
    client(); // chooses the cryptography of the clients here
    let (one, two) = (Process::start(), Process::start());
    let first = play(&one).await;
    assert_eq!(play(&two).await, first);
    assert_eq!(one.head().await, two.head().await);
    for (twin, _) in CREDENTIALS {
        let well = first.iter().filter(|seen| seen.starts_with(twin) && seen.contains(" 200 OK "));
        assert!(twin == "sendgrid" || well.count() > 0, "the log never does anything in {twin}");
    }
    one.tell("/spaces", json!({"name": "before", "from": null})).await;
    let (again, head) = (play(&one).await, one.head().await);
    one.tell("/restore", json!({"from": "before"})).await;
    assert_eq!(play(&one).await, again);
    assert_eq!(one.head().await, head);
    assert_ne!(again, first, "the second log goes on where the first ended");
}
