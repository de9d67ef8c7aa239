//! The command that sends a recorded request again.

use serde_json::{Map, Value as Json};
use url::Url;

use crate::report::words::shell_word as quoted;

/// Made by curl itself, or true of the first connection only.
const OWN_HEADERS: [&str; 4] = ["host", "content-length", "connection", "transfer-encoding"];

/// The command, one option a line; `None` where the evidence is of no request.
pub(super) fn command(request: &Json) -> Option<String> {
    let method = request["method"].as_str()?;
    let mut words = vec![match method {
        "HEAD" => "curl --head".to_owned(),
        "GET" => "curl -i".to_owned(),
        _ => format!("curl -i -X {}", quoted(method)),
    }];
    words[0].push_str(&format!(" {}", quoted(&url(request)?)));
    let body = Body::of(request);
    for (name, value) in entries(&request["headers"]) {
        let name = name.to_ascii_lowercase();
        let is_multipart = name == "content-type" && matches!(body, Body::Parts(_));
        match name.as_str() {
            "accept-encoding" => words.push("--compressed".to_owned()),
            _ if OWN_HEADERS.contains(&name.as_str()) || is_multipart => {}
            _ => words.push(format!("-H {}", quoted(&format!("{name}: {value}")))),
        }
    }
    words.extend(options(&request["options"], request));
    let before = body.add_to(&mut words);
    Some(format!("{before}{}", words.join(" \\\n  ")))
}

/// What of the way to send was not as usual.
fn options(options: &Json, request: &Json) -> Vec<String> {
    let is_https = request["url"].as_str().is_some_and(|url| url.starts_with("https:"));
    let text = |name: &str| options[name].as_str();
    let version = match text("http_version") {
        Some("1.0") => Some("--http1.0"),
        Some("1.1") => Some("--http1.1"),
        Some(_) if is_https => Some("--http2"),
        Some(_) => Some("--http2-prior-knowledge"),
        None => None,
    };
    let mut words: Vec<String> = version.map(str::to_owned).into_iter().collect();
    if options["insecure"] == true {
        words.push("--insecure".to_owned());
    }
    if let Some(max) = options["redirects"].as_u64() {
        words.push(format!("--location --max-redirs {max}"));
    }
    let valued = [
        ("ca", "--cacert"),
        ("cert", "--cert"),
        ("key", "--key"),
        ("proxy", "--proxy"),
        ("unix_socket", "--unix-socket"),
    ];
    words.extend(valued.iter().filter_map(|(name, flag)| text(name).map(|value| format!("{flag} {}", quoted(value)))));
    let names = options["resolve"].as_array().into_iter().flatten().filter_map(Json::as_str);
    words.extend(names.map(|name| format!("--resolve {}", quoted(name))));
    words
}

enum Body {
    None,
    Text(String),
    Base64(String),
    /// A file where the harness ran.
    File(String),
    Parts(Vec<Json>),
}

impl Body {
    fn of(request: &Json) -> Self {
        let body = &request["body"];
        match (request["body_kind"].as_str().unwrap_or(""), body) {
            (_, Json::Null) => Self::None,
            ("multipart", Json::Array(parts)) => Self::Parts(parts.clone()),
            ("bytes", Json::String(text)) => Self::Base64(text.clone()),
            ("file", body) => Self::File(body["file"].as_str().unwrap_or_default().to_owned()),
            ("form", body) => Self::Text(form(body)),
            (_, Json::String(text)) => Self::Text(text.clone()),
            (_, body) => Self::Text(body.to_string()),
        }
    }

    /// What must stand before the command.
    fn add_to(&self, words: &mut Vec<String>) -> String {
        match self {
            Self::None => {}
            Self::Text(text) => words.push(format!("--data-raw {}", quoted(text))),
            Self::Base64(text) => {
                words.push("--data-binary @-".to_owned());
                return format!("printf %s {} | base64 -d | ", quoted(text));
            }
            Self::File(path) => words.push(format!("--data-binary {}", quoted(&format!("@{path}")))),
            Self::Parts(parts) => words.extend(parts.iter().map(part)),
        }
        String::new()
    }
}

fn part(part: &Json) -> String {
    let text = |name: &str| part[name].as_str().unwrap_or_default();
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut word = match part["content"]["file"].as_str() {
        Some(path) => format!("{}=@\"{}\"", text("name"), escaped(path)),
        None => format!("{}=\"{}\"", text("name"), escaped(text("content"))),
    };
    for (key, name) in [("filename", "filename"), ("content_type", "type")] {
        if !text(key).is_empty() {
            word.push_str(&format!(";{name}={}", text(key)));
        }
    }
    format!("-F {}", quoted(&word))
}

/// Pairs as a list or as a map.
fn form(body: &Json) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in entries(body) {
        form.append_pair(&name, &value);
    }
    form.finish()
}

/// The whole URL or, in a record without one, a place for its beginning.
fn url(request: &Json) -> Option<String> {
    let path = request["path"].as_str();
    let known = request["url"].as_str().map(str::to_owned);
    let url = known.or_else(|| path.map(|path| format!("http://localhost{path}")))?;
    let query: Vec<_> = entries(&request["query"]).collect();
    match Url::parse(&url) {
        Ok(mut url) if !query.is_empty() && url.query().is_none() => {
            url.query_pairs_mut().extend_pairs(query);
            Some(url.into())
        }
        _ => Some(url),
    }
}

/// Names with their values, one by one: `{a: b}`, `{a: [b, c]}` and `[[a, b]]`.
pub(super) fn entries(value: &Json) -> impl Iterator<Item = (String, String)> {
    let listed = |entries: &Map<String, Json>| -> Vec<_> {
        let all = entries.iter().flat_map(|(name, value)| match value {
            Json::Array(values) => values.iter().map(|value| (name.clone(), plain(value))).collect(),
            value => vec![(name.clone(), plain(value))],
        });
        all.collect()
    };
    let pairs = match value {
        Json::Object(entries) => listed(entries),
        Json::Array(pairs) => pairs.iter().map(|pair| (plain(&pair[0]), plain(&pair[1]))).collect(),
        _ => Vec::new(),
    };
    pairs.into_iter()
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::command;
    use crate::report::samples;

    /// What a shell makes of the command, with a `curl` that tells its arguments.
    fn arguments(request: &serde_json::Value) -> Vec<String> {
        let script = format!("curl() {{ printf '%s\\0' \"$@\"; }}\n{}\n", command(request).unwrap());
        let told = samples::piped("sh", &["-s"], &script);
        told.split_terminator('\0').map(str::to_owned).collect()
    }

    #[test]
    fn a_request_is_sent_again_as_it_was() {
        let request = json!({
            "method": "POST", "url": "http://127.0.0.1:8080/orders", "query": { "q": ["a b", "ü&x"] },
            "headers": { "Host": "x", "X-A": ["one", "two"], "content-type": "application/json", "accept-encoding": "gzip" },
            "body": { "sku": "mug", "n": 2 }, "body_kind": "json",
        });
        assert_eq!(
            command(&request).unwrap(),
            "curl -i -X POST 'http://127.0.0.1:8080/orders?q=a+b&q=%C3%BC%26x' \\\n  -H 'x-a: one' \\\n  -H 'x-a: two' \\\n  \
             -H 'content-type: application/json' \\\n  --compressed \\\n  --data-raw '{\"sku\":\"mug\",\"n\":2}'"
        );
    }

    #[test]
    fn bodies_of_all_kinds_are_sent() {
        let of = |kind: &str, body: serde_json::Value| {
            arguments(&json!({ "method": "PUT", "path": "/x", "body": body, "body_kind": kind }))[4..].to_vec()
        };
        assert_eq!(of("form", json!([["a", "b c"], ["d", "&"]])), ["--data-raw", "a=b+c&d=%26"]);
        assert_eq!(of("text", json!("hello")), ["--data-raw", "hello"]);
        assert_eq!(of("bytes", json!("AAE=")), ["--data-binary", "@-"]);
        let photo = json!([{ "name": "photo", "content": "a\"b", "filename": "x.png", "content_type": "image/png" }]);
        assert_eq!(of("multipart", photo), ["-F", "photo=\"a\\\"b\";filename=x.png;type=image/png"]);
    }

    #[test]
    fn files_are_named_and_what_was_not_as_usual_is_an_option() {
        let request = json!({
            "method": "PUT", "url": "https://127.0.0.1:8443/x", "body": { "file": "data/a b.png", "bytes": 4 }, "body_kind": "file",
            "options": { "http_version": "2", "insecure": true, "redirects": 3, "ca": "ca.pem", "resolve": ["a:1:::1"] },
        });
        let wanted = "--http2 --insecure --location --max-redirs 3 --cacert ca.pem --resolve a:1:::1 --data-binary @data/a b.png";
        assert_eq!(arguments(&request)[4..].join(" "), wanted);
        let parts = json!([{ "name": "p", "content": { "file": "a.png", "bytes": 1 } }]);
        let request = json!({ "method": "POST", "path": "/", "body": parts, "body_kind": "multipart" });
        assert_eq!(arguments(&request)[4..], ["-F", "p=@\"a.png\""]);
    }

    #[test]
    fn a_subject_cannot_break_out_of_the_quotes() {
        let evil = "'; touch /tmp/x; '$(id)`id`\\\n\"!*";
        let request = json!({ "method": evil, "path": "/", "headers": { "x": evil }, "body": evil });
        let told = arguments(&request);
        assert_eq!((told[2].as_str(), told[7].as_str()), (evil, evil));
        assert_eq!(told[5], format!("x: {evil}"));
    }

    #[test]
    fn what_is_no_request_has_no_command() {
        assert_eq!(command(&json!({ "twin": "stripe" })), None);
        assert_eq!(command(&serde_json::Value::Null), None);
    }
}
