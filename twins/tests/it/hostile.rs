//! Every operation of every twin, asked what no client asks: a request is answered or refused, in the service's own
//! words, and nothing panics. A panic ends the connection, which fails the request here.

use reqwest::{Client, Method, redirect::Policy};
use serde_json::{Map, Value, json};
use twins::{RouteInfo, Served, Space};

use crate::{
    smtp::talk::babble,
    support::{Dice, client, space},
};

const ROUNDS: usize = 6; // of each operation

/// How each twin is opened, with a credential that it takes.
fn twins() -> Vec<(&'static str, Value, Option<&'static str>)> {
    let users = json!([{"login": "ada", "tokens": [{"token": "ghp_ada"}]}]);
    let repositories = json!([{"full_name": "ada/box", "files": {"a.txt": "a\n"}}]);
    let buckets = json!([{"name": "box", "versioning": true, "acl": "public-read-write", "objects": {"box": "text"}}]);
    let known = |name: &str| match name {
        "anthropic" => (json!({}), Some("Bearer sk-ant-twin")),
        "github" => (json!({"users": users, "repositories": repositories}), Some("Bearer ghp_ada")),
        "oidc" => (json!({}), Some("Basic dHdpbjp0d2luLXNlY3JldA==")),
        "okta" => (json!({}), Some("SSWS 00twin")),
        "openai" => (json!({}), Some("Bearer sk-twin")),
        "resend" => (json!({}), Some("Bearer re_twin")),
        "s3" => (json!({"buckets": buckets}), None),
        "scim" => (json!({}), Some("Bearer scim-twin")),
        "sendgrid" => (json!({}), Some("Bearer SG.twin")),
        "slack" => (json!({}), Some("Bearer xoxb-twin")),
        "smtp" => (json!({}), None),
        "stripe" => (json!({}), Some("Bearer sk_test_twin")),
        other => panic!("{other}: name its configuration here, and a credential that it takes"),
    };
    let open = |name| {
        let (config, credential) = known(name);
        (name, config, credential)
    };
    twins::catalogue().into_iter().map(|twin| open(twin.name)).collect()
}

/// Names that one twin or another reads.
const NAMES: [&str; 105] = [
    "Operations",
    "after",
    "amount",
    "assignees",
    "attributes",
    "auto_advance",
    "base",
    "blocks",
    "body",
    "branch",
    "capture_method",
    "channel",
    "channels",
    "client_id",
    "code",
    "code_verifier",
    "color",
    "confirm",
    "content",
    "count",
    "credentials",
    "cursor",
    "customer",
    "cwd",
    "delimiter",
    "description",
    "device_code",
    "displayName",
    "due_date",
    "email",
    "emails",
    "encoding",
    "events",
    "excludedAttributes",
    "expand",
    "expires_at",
    "file",
    "files",
    "filter",
    "from",
    "grant_type",
    "groupIds",
    "head",
    "html",
    "id",
    "input",
    "interval",
    "items",
    "key",
    "label",
    "labels",
    "limit",
    "line_items",
    "login",
    "marker",
    "max-keys",
    "max_tokens",
    "members",
    "messages",
    "metadata",
    "mode",
    "model",
    "name",
    "newPassword",
    "oldPassword",
    "op",
    "page",
    "partNumber",
    "password",
    "path",
    "payment_method",
    "per_page",
    "personalizations",
    "position",
    "prefix",
    "price",
    "price_data",
    "profile",
    "q",
    "query",
    "recurring",
    "redirect_uri",
    "ref",
    "refresh_token",
    "scheduled_at",
    "schemas",
    "scope",
    "search",
    "sessionToken",
    "settings",
    "sha",
    "signOnMode",
    "sortBy",
    "startIndex",
    "starting_after",
    "status",
    "stream",
    "subject",
    "to",
    "tools",
    "trial_end",
    "userName",
    "user_code",
    "username",
    "value",
];

/// What such a name may hold.
fn value(dice: &mut Dice, depth: usize) -> Value {
    match dice.below(if depth == 0 { 15 } else { 18 }) {
        0 => Value::Null,
        1 => json!(-1),
        2 => json!(i64::MIN),
        3 => json!(u64::MAX),
        4 => json!(1e308),
        5 => json!(0.1),
        6 => json!(true),
        7 => json!(""),
        8 => json!(" \u{0}é\u{202e}\u{1f600}"),
        9 => json!("x".repeat(5_000)),
        10 => json!("9999999999999999999999999"),
        11 => json!("usd"),
        12 => json!("2026-02-30T25:61:00Z"),
        13 => json!("../../%2e%2e/\"'<&>{{7*7}}"),
        14 => json!(dice.below(100)),
        15 => json!({}),
        16 => (0..dice.below(4)).map(|_| value(dice, depth - 1)).collect(),
        _ => Value::Object(fields(dice, depth - 1)),
    }
}

fn fields(dice: &mut Dice, depth: usize) -> Map<String, Value> {
    (0..dice.below(9)).map(|_| (NAMES[dice.below(NAMES.len())].to_owned(), value(dice, depth))).collect()
}

/// `a[b][0]=c`, as forms nest.
fn form(fields: &Map<String, Value>) -> String {
    fn write(form: &mut url::form_urlencoded::Serializer<'_, String>, name: &str, value: &Value) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| write(form, &format!("{name}[{key}]"), value)),
            Value::Array(items) => items.iter().for_each(|value| write(form, &format!("{name}[]"), value)),
            Value::String(text) => drop(form.append_pair(name, text)),
            other => drop(form.append_pair(name, &other.to_string())),
        }
    }
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    fields.iter().for_each(|(name, value)| write(&mut form, name, value));
    form.finish()
}

/// Bodies of services whose wire is neither JSON nor a form.
const BODIES: [(&str, &str); 9] = [
    ("application/xml", "<Delete><Object><Key>box</Key></Object><Quiet>true</Quiet></Delete>"),
    ("application/xml", "<CompleteMultipartUpload><Part><PartNumber>99999999999</PartNumber><ETag>&#0;</ETag></Part>"),
    ("application/xml", "<!DOCTYPE a [<!ENTITY b \"cc\">]><Tagging><TagSet><Tag>&b;</Tag></TagSet></Tagging>"),
    (
        "application/x-git-upload-pack-request",
        "0011command=fetch0001000fno-progress0032want 0000000000000000000000000000000000000000\n0000",
    ),
    (
        "application/x-git-receive-pack-request",
        "00820000000000000000000000000000000000000000 e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 refs/heads/x\0 report-status0000PACK\0\0\0\u{2}\0\0\0\u{1}",
    ),
    ("application/x-git-receive-pack-request", "ffff"),
    (
        "multipart/form-data; boundary=x",
        "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"\"\r\n\r\n\r\n--x\r\ncontent",
    ),
    ("application/json", "{\"messages\": [[[[[["),
    ("text/plain", "x"),
];

struct Attack {
    client: Client,
    served: Served,
    credential: Option<&'static str>,
    ids: Vec<String>,
    dice: Dice,
    /// How many requests were not refused.
    taken: u32,
}

impl Attack {
    async fn ask(&mut self, route: &RouteInfo) {
        let method = if route.method == "*" { "POST" } else { route.method };
        let path = self.path(route.path);
        let fields = fields(&mut self.dice, 3);
        let query = if self.dice.below(2) == 0 { String::new() } else { format!("?{}", form(&fields)) };
        let url = format!("{}{path}{query}", self.served.base_url);
        let mut request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), &url);
        if let Some(credential) = self.credential {
            request = request.header("authorization", credential);
        }
        let (kind, body) = match self.dice.below(4) {
            0 => ("application/x-www-form-urlencoded", form(&fields)),
            1 => {
                let (kind, body) = BODIES[self.dice.below(BODIES.len())];
                (kind, body.to_owned())
            }
            _ => ("application/json", value_of(&mut self.dice, fields).to_string()),
        };
        if !matches!(method, "GET" | "HEAD") {
            request = request.header("content-type", kind).body(body.clone());
        }
        let asked = format!("{method} {url} {kind} {body}");
        let response = request.send().await.unwrap_or_else(|error| panic!("{asked}: {error:?}"));
        let status = response.status().as_u16();
        self.taken += u32::from(status < 400);
        assert!(status < 500 || status == 501, "{asked}: {status}");
        let body = response.bytes().await.unwrap_or_else(|error| panic!("{asked}: {error:?}"));
        if let Ok(answer) = serde_json::from_slice(&body) {
            self.remember(&answer);
        }
    }

    /// Mostly with what is there.
    fn path(&mut self, template: &str) -> String {
        let mut path = String::new();
        for (number, part) in template.split('{').enumerate() {
            let fixed = if number == 0 { part } else { part.split_once('}').unwrap().1 };
            if number > 0 {
                path.push_str(&match self.dice.below(8) {
                    0 => "%00%ff%2e%2e".to_owned(),
                    1 => "99999999999999999999".to_owned(),
                    2 => "%F0%9F%98%80".to_owned(),
                    _ => self.ids[self.dice.below(self.ids.len())].clone(),
                });
            }
            path.push_str(fixed);
        }
        path
    }

    /// Ids are the plain texts that answers show.
    fn remember(&mut self, answer: &Value) {
        match answer {
            Value::Object(map) => map.iter().for_each(|(name, value)| match value {
                Value::String(text) if matches!(name.as_str(), "id" | "name" | "login" | "sha" | "ts") => {
                    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-');
                    if !text.is_empty() && text.len() < 100 && text.chars().all(plain) {
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

/// Usually an object, as every service wants one.
fn value_of(dice: &mut Dice, fields: Map<String, Value>) -> Value {
    if dice.below(8) == 0 { value(dice, 3) } else { Value::Object(fields) }
}

async fn attack(space: &Space, twin: &'static str, config: Value, credential: Option<&'static str>) {
    client(); // chooses the cryptography of the clients here
    let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let served = space.serve(twin, config).unwrap();
    if served.base_url.starts_with("smtp:") {
        let seen = babble(&served.base_url, &mut Dice(7), ROUNDS * 50).await;
        let broken = seen.iter().find(|answer| !answer.ends_with("\r\n"));
        assert_eq!(broken, None, "a conversation broke off");
        return;
    }
    let ids = ["box", "ada", "main", "a.txt", "1", "gpt-5", "general"].map(str::to_owned).to_vec();
    let mut attack = Attack { client, served, credential, ids, dice: Dice(7), taken: 0 };
    let routes = twins::catalogue().into_iter().find(|info| info.name == twin).unwrap().routes;
    for round in 0..ROUNDS {
        // Backwards too: each operation meets what those after it left behind.
        for at in 0..routes.len() {
            let at = if round % 2 == 0 { at } else { routes.len() - 1 - at };
            attack.ask(&routes[at]).await;
        }
    }
    assert!(attack.taken > 0, "{twin} refused all: is its credential wrong?");
}

#[tokio::test]
async fn nothing_that_is_sent_panics_a_twin() {
    let space = space();
    for (twin, config, credential) in twins() {
        attack(&space, twin, config, credential).await;
    }
}
