//! The admin API of `WireMock` on a declared twin's own port.

use reqwest::Method;
use serde_json::{Value, json};
use twins::{Served, Space};

use super::{declared, get, parcels};
use crate::support::{answer, client};

const DEFINITION: &str =
    "twin: it\nadmin: wiremock\nstubs:\n- { stub: first, path: /first, answer: { text: of the file } }\n";

fn served() -> (Space, Served) {
    declared(DEFINITION)
}

async fn admin(served: &Served, method: &str, path: &str, body: Value) -> (u16, Value) {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = client().request(method, format!("{}/__admin{path}", served.base_url));
    answer(if body.is_null() { request } else { request.json(&body) }).await
}

async fn text(served: &Served, path: &str) -> String {
    get(served, path).send().await.unwrap().text().await.unwrap()
}

fn mapping(path: &str, body: &str) -> Value {
    json!({"request": {"method": "GET", "urlPath": path}, "response": {"status": 200, "body": body}})
}

#[tokio::test]
async fn mappings_are_made_read_changed_and_taken_away() {
    let (_space, served) = served();
    let (status, made) = admin(&served, "POST", "/mappings", mapping("/a", "one")).await;
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!((status, made["uuid"].as_str(), id.len()), (201, Some(id.as_str()), 36));
    assert_eq!(text(&served, "/a").await, "one");
    let at = format!("/mappings/{id}");
    assert_eq!(admin(&served, "GET", &at, Value::Null).await, (200, made));
    assert_eq!(admin(&served, "PUT", &at, mapping("/a", "two")).await.0, 200);
    assert_eq!(text(&served, "/a").await, "two");
    let (_, all) = admin(&served, "GET", "/mappings", Value::Null).await;
    assert_eq!((&all["meta"]["total"], &all["mappings"][1]["request"]["urlPath"]), (&json!(2), &json!("/first")));
    let (_, unmatched) = admin(&served, "GET", "/mappings/unmatched", Value::Null).await;
    assert_eq!((&unmatched["meta"]["total"], &unmatched["mappings"][0]["name"]), (&json!(1), &json!("stub.first")));
    assert_eq!(admin(&served, "DELETE", &at, Value::Null).await.0, 200);
    assert_eq!(admin(&served, "GET", &at, Value::Null).await.0, 404);
    assert_eq!(get(&served, "/a").send().await.unwrap().status(), 501);
    admin(&served, "DELETE", "/mappings", Value::Null).await;
    assert_eq!(get(&served, "/first").send().await.unwrap().status(), 501);
    admin(&served, "POST", "/mappings/reset", Value::Null).await;
    assert_eq!(text(&served, "/first").await, "of the file");
}

#[tokio::test]
async fn an_import_keeps_or_replaces_what_is_there() {
    let (_space, served) = served();
    let named = |body: &str| {
        let mut mapping = mapping("/a", body);
        mapping["id"] = json!("a");
        mapping
    };
    let import = |body: &str, options: Value| json!({"mappings": [named(body)], "importOptions": options});
    admin(&served, "POST", "/mappings/import", import("one", json!({}))).await;
    admin(&served, "POST", "/mappings/import", import("two", json!({"duplicatePolicy": "IGNORE"}))).await;
    assert_eq!((text(&served, "/a").await, text(&served, "/first").await), ("one".into(), "of the file".into()));
    admin(&served, "POST", "/mappings/import", import("two", json!({"deleteAllNotInImport": true}))).await;
    assert_eq!(text(&served, "/a").await, "two");
    assert_eq!(get(&served, "/first").send().await.unwrap().status(), 501);
}

#[tokio::test]
async fn requests_are_counted_found_forgotten_and_explained() {
    let (space, served) = served();
    admin(&served, "POST", "/mappings", mapping("/a", "one")).await;
    text(&served, "/a?q=1").await;
    text(&served, "/a?q=2").await;
    get(&served, "/b").send().await.unwrap();
    assert_eq!(space.calls("it", None).len(), 3, "what is asked of the admin API is no call");
    let pattern = json!({"method": "GET", "urlPath": "/a", "queryParameters": {"q": {"equalTo": "2"}}});
    assert_eq!(admin(&served, "POST", "/requests/count", pattern.clone()).await.1["count"], 1);
    let (_, found) = admin(&served, "POST", "/requests/find", pattern.clone()).await;
    assert_eq!((&found["requests"][0]["url"], &found["requests"][1]), (&json!("/a?q=2"), &Value::Null));
    let (_, all) = admin(&served, "GET", "/requests?limit=2", Value::Null).await;
    assert_eq!((&all["meta"]["total"], &all["requests"][0]["wasMatched"]), (&json!(3), &json!(false)));
    let id = all["requests"][1]["id"].as_str().unwrap();
    let (status, one) = admin(&served, "GET", &format!("/requests/{id}"), Value::Null).await;
    assert_eq!((status, &one["response"]["body"], &one["wasMatched"]), (200, &json!("one"), &json!(true)));
    let (_, unmatched) = admin(&served, "GET", "/requests/unmatched", Value::Null).await;
    assert_eq!((unmatched["requests"].as_array().unwrap().len(), &unmatched["requests"][0]["url"]), (1, &json!("/b")));
    let (_, near) = admin(&served, "GET", "/requests/unmatched/near-misses", Value::Null).await;
    let nearest = &near["nearMisses"][0];
    assert_eq!(nearest["stubMapping"]["request"]["urlPath"], "/a");
    assert_eq!(nearest["matchResult"]["distance"], 0.5);
    admin(&served, "POST", "/requests/remove", pattern.clone()).await;
    assert_eq!(admin(&served, "POST", "/requests/count", pattern).await.1["count"], 0);
    admin(&served, "DELETE", "/requests", Value::Null).await;
    assert_eq!(admin(&served, "GET", "/requests", Value::Null).await.1["meta"]["total"], 0);
    assert_eq!(space.calls("it", None).len(), 3, "the journal itself forgets nothing");
    text(&served, "/a").await;
    assert_eq!(admin(&served, "GET", "/requests", Value::Null).await.1["meta"]["total"], 1);
}

#[tokio::test]
async fn scenarios_are_shown_set_and_reset() {
    let (_space, served) = served();
    let mut open = mapping("/door", "open");
    (open["scenarioName"], open["requiredScenarioState"]) = (json!("door"), json!("unlocked"));
    admin(&served, "POST", "/mappings", open).await;
    assert_eq!(get(&served, "/door").send().await.unwrap().status(), 501);
    let set = admin(&served, "PUT", "/scenarios/door/state", json!({"state": "unlocked"})).await;
    assert_eq!((set.0, text(&served, "/door").await.as_str()), (200, "open"));
    let (_, all) = admin(&served, "GET", "/scenarios", Value::Null).await;
    assert_eq!(all["scenarios"][0]["state"], "unlocked");
    assert_eq!(admin(&served, "PUT", "/scenarios/window/state", json!({"state": "x"})).await.0, 404);
    admin(&served, "POST", "/scenarios/reset", Value::Null).await;
    assert_eq!(get(&served, "/door").send().await.unwrap().status(), 501);
    admin(&served, "POST", "/reset", Value::Null).await;
    assert_eq!(admin(&served, "GET", "/scenarios", Value::Null).await.1, json!({"scenarios": []}));
}

#[tokio::test]
async fn settings_health_and_what_there_is_not() {
    let (space, served) = served();
    assert_eq!(admin(&served, "GET", "/health", Value::Null).await.1["status"], "healthy");
    assert_eq!(admin(&served, "POST", "/settings", json!({"fixedDelay": 3})).await.0, 200);
    assert_eq!(admin(&served, "GET", "/settings", Value::Null).await.1, json!({"settings": {"fixedDelay": 3}}));
    assert_eq!(text(&served, "/first").await, "of the file");
    space.reset();
    assert_eq!(admin(&served, "GET", "/settings", Value::Null).await.1, json!({"settings": {"fixedDelay": null}}));
    assert_eq!(admin(&served, "POST", "/settings", json!({"fixedDelay": "long"})).await.0, 422);
    let (status, told) = admin(&served, "POST", "/recordings/start", json!({})).await;
    assert_eq!((status, told["errors"][0]["title"].as_str().unwrap().contains("/recordings/start")), (501, true));
    let proxied = json!({"request": {}, "response": {"proxyBaseUrl": "http://real"}});
    let (status, told) = admin(&served, "POST", "/mappings", proxied).await;
    assert_eq!((status, told["errors"][0]["title"].as_str().unwrap().contains("proxyBaseUrl")), (422, true));
    let (status, _) = answer(client().post(format!("{}/__admin/mappings", served.base_url)).body("{")).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_twin_that_does_not_ask_for_it_has_no_admin_api_on_its_port() {
    let (space, served) = parcels();
    assert_eq!(get(&served, "/__admin/mappings").send().await.unwrap().status(), 501);
    assert_eq!(space.calls("parcels", None).len(), 1);
}
