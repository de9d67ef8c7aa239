//! A definition from an API description behaves as the description says.

use located::Source;
use serde_json::json;
use twins::{Served, Space};

use super::{declared, fixture};
use crate::support::{answer, client};

fn pets() -> (Space, Served, String) {
    let path = fixture("pets.openapi.yaml");
    let source = Source::new("pets.openapi.yaml", std::fs::read_to_string(path).unwrap());
    let imported = twins::import::openapi(&source).unwrap();
    let (space, served) = declared(&imported.definition);
    (space, served, imported.definition)
}

fn ask(served: &Served, method: &str, path: &str) -> reqwest::RequestBuilder {
    let request = client().request(method.parse().unwrap(), format!("{}/v2{path}", served.base_url));
    request.bearer_auth("twin_key")
}

#[tokio::test]
async fn collections_and_items_are_stateful() {
    let (_space, served, text) = pets();
    let (status, made) = answer(ask(&served, "POST", "/pets").json(&json!({"name": "Rex", "kind": "dog"}))).await;
    assert_eq!((status, &made), (201, &json!({"id": 2, "name": "Rex", "kind": "dog", "registered": true})), "{text}");
    let (_, list) = answer(ask(&served, "GET", "/pets?kind=dog")).await;
    assert_eq!(list["pets"], json!([made]));
    let patch = ask(&served, "PATCH", "/pets/2").json(&json!({"name": "Max"}));
    assert_eq!(answer(patch).await.1["name"], "Max");
    assert_eq!(ask(&served, "DELETE", "/pets/2").send().await.unwrap().status(), 204);
    let (status, error) = answer(ask(&served, "GET", "/pets/2")).await;
    assert_eq!((status, &error["code"]), (404, &json!("not_found")));
    assert!(error["message"].as_str().unwrap().contains("no `2`"));
}

#[tokio::test]
async fn rows_below_another_one_belong_to_it() {
    let (_space, served, _) = pets();
    let visit = |pet: u32| ask(&served, "POST", &format!("/pets/{pet}/visits")).json(&json!({"note": "x"}));
    let (status, made) = answer(visit(7)).await;
    assert_eq!((status, made["petId"].as_str(), made["id"].as_str().map(str::len)), (201, Some("7"), Some(36)));
    answer(visit(8)).await;
    assert_eq!(answer(ask(&served, "GET", "/pets/7/visits")).await.1, json!([made]));
}

#[tokio::test]
async fn input_is_checked_and_credentials_are_asked_for() {
    let (_space, served, _) = pets();
    for wrong in
        [json!({}), json!({"name": "x"}), json!({"name": "Rex", "weight": 0}), json!({"name": "Rex", "kind": "eel"})]
    {
        let (status, error) = answer(ask(&served, "POST", "/pets").json(&wrong)).await;
        assert_eq!((status, &error["code"]), (422, &json!("invalid")), "{wrong}");
    }
    assert_eq!(answer(ask(&served, "POST", "/pets").json(&json!({"name": "Rex", "weight": null}))).await.0, 201);
    assert_eq!(answer(ask(&served, "GET", "/pets?limit=0")).await.0, 422);
    assert_eq!(answer(client().get(format!("{}/v2/pets", served.base_url))).await.0, 401);
}

#[tokio::test]
async fn what_cannot_be_stateful_answers_with_its_example() {
    let (_space, served, text) = pets();
    let open = client().get(format!("{}/v2/status", served.base_url));
    assert_eq!(answer(open).await, (200, json!({"up": true, "since": "2026-01-02T03:04:05Z", "load": 1})));
    assert_eq!(answer(ask(&served, "GET", "/reports/may.csv")).await.1, json!({"rows": 3}));
    assert!(text.contains("# Not carried over: state of GET /v2/reports/{name}.csv"), "{text}");
}

#[test]
fn the_same_document_gives_the_same_definition_and_what_is_none_is_refused() {
    assert_eq!(tokio::runtime::Runtime::new().unwrap().block_on(async { pets().2 }), {
        tokio::runtime::Runtime::new().unwrap().block_on(async { pets().2 })
    });
    let refused = |text: &str| twins::import::openapi(&Source::new("a.yaml", text)).unwrap_err().to_string();
    assert!(refused("swagger: '2.0'").contains("swagger2openapi"));
    assert!(refused("{").starts_with("a.yaml:1:1: this is no JSON"));
}
