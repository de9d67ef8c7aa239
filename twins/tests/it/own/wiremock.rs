//! Stub mappings of `WireMock`, imported and served.

use std::path::Path;

use serde_json::{Value, json};

use super::{declared, get, post};
use crate::support::{answer, header};

fn imported(files: &[(&str, Value)]) -> twins::import::Imported {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = value.as_str().map_or_else(|| serde_json::to_string_pretty(value).unwrap(), str::to_owned);
        std::fs::write(path, text).unwrap();
    }
    twins::import::wiremock(folder.path()).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn mappings_match_answer_and_change_state() {
    let order = json!({
        "request": {"method": "POST", "urlPath": "/orders", "headers": {"X-Shop": {"matches": "[a-z]+"}},
            "queryParameters": {"v": {"equalTo": "2"}},
            "bodyPatterns": [{"equalToJson": "{\"a\": [1, 2]}", "ignoreArrayOrder": true, "ignoreExtraElements": true}]},
        "response": {"status": 201, "headers": {"Location": "/orders/{{request.query.v}}"},
            "jsonBody": {"who": "{{request.headers.X-Shop}}", "first": "{{jsonPath request.body '$.b'}}"},
            "transformers": ["response-template"]}});
    let others = json!({"mappings": [
        {"scenarioName": "s", "requiredScenarioState": "Started", "newScenarioState": "done",
         "request": {"method": "GET", "url": "/state?x=1"}, "response": {"body": "{{one}}"}},
        {"scenarioName": "s", "requiredScenarioState": "done",
         "request": {"method": "GET", "url": "/state?x=1"}, "response": {"body": "two"}},
        {"priority": 10, "request": {"method": "ANY", "urlPattern": "/state.*"}, "response": {"status": 418}},
        {"request": {"urlPathTemplate": "/pets/{id}"},
         "response": {"body": "pet {{request.path.id}}", "transformers": ["response-template"], "fixedDelayMilliseconds": 1}},
        {"request": {"urlPath": "/file"}, "response": {"bodyFileName": "f.txt"}},
        {"request": {"urlPath": "/broken"}, "response": {"fault": "EMPTY_RESPONSE"}}]});
    let imported = imported(&[
        ("mappings/order.json", order),
        ("mappings/all.json", others),
        ("__files/f.txt", json!("from a file")),
    ]);
    assert_eq!(imported.notes, Vec::<String>::new(), "{}", imported.definition);
    let (_space, served) = declared(&imported.definition);
    let order = || post(&served, "/orders?v=2", &json!({"a": [2, 1], "b": 7})).header("x-shop", "abc");
    let response = order().send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "location")), (201, "/orders/2".to_owned()));
    assert_eq!(response.json::<Value>().await.unwrap(), json!({"who": "abc", "first": 7}));
    assert_eq!(answer(post(&served, "/orders?v=2", &json!({"a": [3]})).header("x-shop", "abc")).await.0, 501);
    let text = async |path: &str| get(&served, path).send().await.unwrap().text().await.unwrap();
    assert_eq!((text("/state?x=1").await, text("/state?x=1").await), ("{{one}}".to_owned(), "two".to_owned()));
    assert_eq!(get(&served, "/state?x=2").send().await.unwrap().status(), 418);
    assert_eq!(text("/pets/7").await, "pet 7");
    assert_eq!(text("/file").await, "from a file");
    assert!(get(&served, "/broken").send().await.is_err());
}

#[test]
fn what_has_no_counterpart_is_named_with_its_line_and_its_stub_left_out() {
    let mapping = "{\n  \"request\": {\n    \"opaque\": {}, \"url\": \"/a\"},\n  \"response\": {\"proxyBaseUrl\": \"http://real\"}}";
    let imported = imported(&[("m.json", json!(mapping))]);
    let notes = imported.notes.join("\n");
    assert!(notes.contains("m.json:3: `opaque`: has no counterpart"), "{notes}");
    assert!(notes.contains("`proxyBaseUrl`: a twin never reaches a real service"), "{notes}");
    assert!(!imported.definition.contains("\"/a\""), "{}", imported.definition);
}

#[test]
fn broken_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.json"), "{\n  oops }").unwrap();
    assert!(twins::import::wiremock(folder.path()).unwrap_err().to_string().contains("a.json:2:3: this is no JSON"));
    assert!(twins::import::wiremock(Path::new("/nowhere")).is_err());
}
