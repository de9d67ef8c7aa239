//! What is answered: the response of a mapping, with Handlebars as our templates.

use serde_json::{Map, Value as Json, json};

use super::One;

/// What simple helpers are called here.
const SIMPLE: [(&str, &str); 8] = [
    ("now", "now.iso"),
    ("request.url", "request.url"),
    ("request.path", "request.path"),
    ("request.method", "request.method"),
    ("request.body", "request.text"),
    ("request.requestLine.method", "request.method"),
    ("request.requestLine.path", "request.path"),
    ("randomValue type='UUID'", "uuid()"),
];

impl One<'_> {
    pub(super) fn answer(&mut self, response: &Json) -> Json {
        let templated =
            response["transformers"].as_array().is_some_and(|all| all.contains(&json!("response-template")));
        let mut answer = Map::new();
        for (field, value) in response.as_object().into_iter().flatten() {
            let (name, value) = match field.as_str() {
                "status" => ("status", value.clone()),
                "headers" => ("headers", self.headers(value, templated)),
                "body" => ("text", self.text(value.as_str().unwrap_or_default(), templated)),
                "jsonBody" => ("body", self.texts(value, templated)),
                "base64Body" => ("base64", value.clone()),
                "bodyFileName" => {
                    let text = self.file(value.as_str().unwrap_or_default());
                    ("text", self.text(&text, templated))
                }
                "fixedDelayMilliseconds" => ("delay", json!({ "ms": value })),
                "delayDistribution" => {
                    let drawn = self.delay(value);
                    ("delay", drawn)
                }
                "chunkedDribbleDelay" => {
                    ("dribble", json!({"pieces": value["numberOfChunks"], "over_ms": value["totalDuration"]}))
                }
                "fault" => match fault(value.as_str().unwrap_or_default()) {
                    Some(ours) => ("fault", json!(ours)),
                    None => {
                        self.note(field, "is no fault that this engine knows");
                        continue;
                    }
                },
                "transformers" | "statusMessage" => continue,
                "proxyBaseUrl" => {
                    self.note(field, "a twin never reaches a real service; record it instead");
                    continue;
                }
                _ => {
                    self.note(field, "has no counterpart");
                    continue;
                }
            };
            answer.insert(name.to_owned(), value);
        }
        if !templated {
            answer.insert("literal".to_owned(), json!(true));
        }
        answer.into()
    }

    fn headers(&mut self, headers: &Json, templated: bool) -> Json {
        let mut ours = Map::new();
        for (name, value) in headers.as_object().into_iter().flatten() {
            match value {
                Json::String(text) => ours.insert(name.clone(), self.text(text, templated)),
                Json::Array(items) if items.len() == 1 => ours.insert(name.clone(), items[0].clone()),
                other if other.is_array() => {
                    self.note(name, "a header is sent once");
                    continue;
                }
                other => ours.insert(name.clone(), json!(other.to_string())),
            };
        }
        ours.into()
    }

    fn delay(&mut self, value: &Json) -> Json {
        match value["type"].as_str() {
            Some("lognormal") => json!({"log_normal": {"median_ms": value["median"], "sigma": value["sigma"]}}),
            Some("uniform") => json!({"uniform": {"lower_ms": value["lower"], "upper_ms": value["upper"]}}),
            _ => {
                self.note("delayDistribution", "only lognormal and uniform are known");
                json!({ "ms": 0 })
            }
        }
    }

    fn file(&mut self, name: &str) -> String {
        let inside = std::path::Path::new(name).components().all(|it| matches!(it, std::path::Component::Normal(_)));
        let read = std::fs::read_to_string(self.folder.join("__files").join(name));
        match read {
            Ok(text) if inside => text,
            Ok(_) => {
                self.note("bodyFileName", "leads out of `__files`");
                String::new()
            }
            Err(error) => {
                self.note("bodyFileName", &format!("cannot read `{name}` as text: {error}"));
                String::new()
            }
        }
    }

    fn texts(&mut self, value: &Json, templated: bool) -> Json {
        match value {
            Json::String(text) => self.text(text, templated),
            Json::Array(items) => items.iter().map(|item| self.texts(item, templated)).collect(),
            Json::Object(map) => {
                Json::Object(map.iter().map(|(name, value)| (name.clone(), self.texts(value, templated))).collect())
            }
            other => other.clone(),
        }
    }

    /// A text with its helpers in our words.
    fn text(&mut self, text: &str, templated: bool) -> Json {
        if !templated {
            return json!(text);
        }
        let (mut ours, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let triple = after.starts_with('{');
            let after = after.strip_prefix('{').unwrap_or(after);
            let Some((helper, after)) = after.split_once("}}") else { break };
            ours.push_str(before);
            match expression(helper.trim()) {
                Some(expression) => ours.push_str(&format!("{{{{ {expression} }}}}")),
                None => self.note_helper(helper.trim()),
            }
            rest = if triple { after.strip_prefix('}').unwrap_or(after) } else { after };
        }
        ours.push_str(rest);
        json!(ours)
    }

    fn note_helper(&mut self, helper: &str) {
        self.note("transformers", &format!("the helper `{helper}` is not known"));
    }
}

/// One helper of Handlebars as an expression.
fn expression(helper: &str) -> Option<String> {
    if let Some((_, ours)) = SIMPLE.iter().find(|(theirs, _)| *theirs == helper.replace('"', "'")) {
        return Some((*ours).to_owned());
    }
    if let Some(path) = helper.strip_prefix("jsonPath request.body ") {
        return Some(format!("json_path(request.body, {})", json!(path.trim().trim_matches(['\'', '"']))));
    }
    let name = |text: &str| {
        let text = text.trim_matches(['[', ']', '\'']);
        let sound = text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
        (sound && !text.is_empty()).then(|| text.to_owned())
    };
    let (of, rest) = helper.strip_prefix("request.")?.split_once('.')?;
    match of {
        "query" => name(rest).map(|name| format!("request.query['{name}']")),
        "headers" => name(rest).map(|name| format!("request.headers['{}']", name.to_lowercase())),
        "cookies" => name(rest).map(|name| format!("request.cookies['{name}']")),
        "pathSegments" | "path" => {
            let inner = name(rest)?;
            Some(
                inner
                    .parse::<usize>()
                    .map_or_else(|_| format!("params['{inner}']"), |at| format!("request.segments[{at}]")),
            )
        }
        _ => None,
    }
}

fn fault(name: &str) -> Option<&'static str> {
    match name {
        "CONNECTION_RESET_BY_PEER" => Some("reset"),
        "EMPTY_RESPONSE" => Some("empty"),
        "RANDOM_DATA_THEN_CLOSE" => Some("garbage"),
        "MALFORMED_RESPONSE_CHUNK" => Some("malformed_chunk"),
        _ => None,
    }
}
