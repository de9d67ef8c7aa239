//! Which requests: the request pattern of a mapping.

use serde_json::{Map, Value as Json, json};

use super::One;

impl One<'_> {
    pub(super) fn request(&mut self, request: &Json, stub: &mut Map<String, Json>) {
        for (field, value) in request.as_object().into_iter().flatten() {
            let ours = match field.as_str() {
                "method" => ("method", value.clone()),
                "url" => ("url", value.clone()),
                "urlPath" => ("path_matches", json!(regex::escape(value.as_str().unwrap_or_default()))),
                "urlPathTemplate" => ("path", value.clone()),
                "urlPattern" => ("url_matches", value.clone()),
                "urlPathPattern" => ("path_matches", value.clone()),
                "headers" => ("headers", self.conditions(value)),
                "queryParameters" => ("query", self.conditions(value)),
                "cookies" => ("cookies", self.conditions(value)),
                "formParameters" => ("form", self.conditions(value)),
                "basicAuthCredentials" | "basicAuth" => {
                    self.basic(value, stub);
                    continue;
                }
                "bodyPatterns" => {
                    let patterns = value.as_array().into_iter().flatten();
                    ("body", patterns.map(|pattern| self.condition(pattern)).collect())
                }
                _ => {
                    self.note(field, "has no counterpart");
                    continue;
                }
            };
            match (ours.0, stub.get_mut(ours.0)) {
                ("headers", Some(Json::Object(known))) => known.extend(ours.1.as_object().cloned().unwrap_or_default()),
                _ => {
                    stub.insert(ours.0.to_owned(), ours.1);
                }
            }
        }
        // A literal path is found faster than a pattern.
        if let Some(path) = request["urlPath"].as_str().filter(|path| !path.contains(['{', '}'])) {
            stub.remove("path_matches");
            stub.insert("path".to_owned(), json!(path));
        }
    }

    fn basic(&mut self, value: &Json, stub: &mut Map<String, Json>) {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let text = |field: &str| value[field].as_str().unwrap_or_default();
        let encoded = STANDARD.encode(format!("{}:{}", text("username"), text("password")));
        let headers = stub.entry("headers").or_insert_with(|| json!({}));
        headers["authorization"] = json!(format!("Basic {encoded}"));
    }

    fn conditions(&mut self, all: &Json) -> Json {
        let one = |(name, condition): (&String, &Json)| (name.clone(), self.condition(condition));
        Json::Object(all.as_object().into_iter().flatten().map(one).collect())
    }

    fn condition(&mut self, condition: &Json) -> Json {
        let mut ours = Map::new();
        for (field, value) in condition.as_object().into_iter().flatten() {
            let list = |one: &mut Self| -> Json {
                value.as_array().into_iter().flatten().map(|inner| one.condition(inner)).collect()
            };
            let (name, value) = match field.as_str() {
                "equalTo" if condition["caseInsensitive"] == true => ("equals_ignoring_case", value.clone()),
                "equalTo" => ("equals", value.clone()),
                "contains" => ("contains", value.clone()),
                "doesNotContain" => ("lacks", value.clone()),
                "matches" => ("matches", value.clone()),
                "doesNotMatch" => ("matches_not", value.clone()),
                "absent" => ("absent", value.clone()),
                "equalToJson" => ("json", parsed(value)),
                "ignoreArrayOrder" => ("any_order", value.clone()),
                "ignoreExtraElements" => ("extra_fields", value.clone()),
                "equalToXml" if condition.as_object().is_some_and(|map| map.len() == 1) => ("xml", value.clone()),
                "matchesJsonPath" => {
                    self.json_path(value, &mut ours);
                    continue;
                }
                "and" => ("all_of", list(self)),
                "or" => ("any_of", list(self)),
                "not" => ("not", self.condition(value)),
                "caseInsensitive" => continue,
                _ => {
                    self.note(field, "has no counterpart");
                    continue;
                }
            };
            ours.insert(name.to_owned(), value);
        }
        ours.into()
    }

    fn json_path(&mut self, value: &Json, ours: &mut Map<String, Json>) {
        let path = value.as_str().or_else(|| value["expression"].as_str()).unwrap_or_default();
        let path = path.trim().to_owned();
        if let Err(error) = serde_json_path::JsonPath::parse(&path) {
            self.note("matchesJsonPath", &format!("`{path}` is no path of RFC 9535: {error}").replace('\n', " "));
        }
        ours.insert("json_path".to_owned(), json!(path));
        if let Json::Object(map) = value {
            let rest: Map<_, _> =
                map.iter().filter(|(name, _)| *name != "expression").map(|(k, v)| (k.clone(), v.clone())).collect();
            if !rest.is_empty() {
                ours.insert("is".to_owned(), self.condition(&rest.into()));
            }
        }
    }
}

/// Their JSON is often written as a text.
fn parsed(value: &Json) -> Json {
    let text = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    text.unwrap_or_else(|| value.clone())
}
