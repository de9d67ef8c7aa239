//! Scenarios from `OpenAPI` descriptions, Postman collections and recorded traffic, run against servers that do what
//! was described and servers that do not.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Path as UrlPath, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use harness::{
    Kind, Suite, Verdict,
    capture_proxy::{Recorder, written},
    import::{Imported, PostmanOptions, openapi, postman},
};
use located::Source;
use serde_json::{Value, json};

use crate::kit::{InProcess, in_process, plan, report, tls};

/// What is wrong with a shop.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    CountIsText,
    AcceptsAnything,
    KeepsTheDeleted,
    RenamesItems,
}

#[derive(Clone)]
struct Shop {
    flaw: Flaw,
    orders: Arc<Mutex<BTreeMap<u64, Value>>>,
    last: Arc<AtomicU64>,
}

fn shop(flaw: Flaw) -> Router {
    // Ids that no other run repeats.
    let first = u64::from(std::process::id()) * 1_000 + u64::from(rand::random::<u16>());
    let shop = Shop { flaw, orders: Arc::default(), last: Arc::new(AtomicU64::new(first)) };
    Router::new()
        .route("/v1/orders", get(list).post(create))
        .route("/v1/orders/{id}", get(read).delete(delete))
        .route("/v1/orders/{id}/notes", post(note))
        .route("/v1/login", post(login))
        .with_state(shop)
}

async fn list(State(shop): State<Shop>) -> Json<Vec<Value>> {
    Json(shop.orders.lock().unwrap().values().cloned().collect())
}

async fn create(State(shop): State<Shop>, Json(mut order): Json<Value>) -> Response {
    let is_complete = order["item"].is_string() && order["count"].is_i64();
    if !is_complete && shop.flaw != Flaw::AcceptsAnything {
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": "incomplete" }))).into_response();
    }
    let id = shop.last.fetch_add(1, Ordering::SeqCst);
    order["id"] = id.into();
    order["created_at"] = "2026-11-20T10:00:00Z".into();
    if shop.flaw == Flaw::CountIsText {
        order["count"] = order["count"].to_string().into();
    }
    if shop.flaw == Flaw::RenamesItems {
        order["item"] = "cup".into();
    }
    shop.orders.lock().unwrap().insert(id, order.clone());
    (StatusCode::CREATED, Json(order)).into_response()
}

async fn read(State(shop): State<Shop>, UrlPath(id): UrlPath<u64>) -> Response {
    match shop.orders.lock().unwrap().get(&id) {
        Some(order) => Json(order.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn delete(State(shop): State<Shop>, UrlPath(id): UrlPath<u64>) -> StatusCode {
    let mut orders = shop.orders.lock().unwrap();
    match shop.flaw {
        Flaw::KeepsTheDeleted if orders.contains_key(&id) => StatusCode::NO_CONTENT,
        _ => orders.remove(&id).map_or(StatusCode::NOT_FOUND, |_| StatusCode::NO_CONTENT),
    }
}

async fn note(UrlPath(_): UrlPath<u64>, Json(note): Json<Value>) -> Response {
    match note["text"].as_str() {
        Some(_) => (StatusCode::CREATED, Json(note)).into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn login(headers: HeaderMap, Json(who): Json<Value>) -> Response {
    let is_known = who == json!({ "user": "ann", "password": "s3cret-word" });
    match is_known && headers.contains_key("x-api-key") {
        true => Json(json!({ "token": format!("tok_{:032x}", rand::random::<u128>()), "user": "ann" })).into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

/// The files in a folder, loaded as `harness run` does.
fn load(imported: &Imported, folder: &Path) -> Suite {
    for file in &imported.files {
        let path = folder.join(&file.name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.text).unwrap();
    }
    Suite::load(&[folder.to_owned()], Kind::Visible).unwrap_or_else(|error| panic!("{error}"))
}

/// The scenarios that are not satisfied.
async fn failed(suite: &Suite, flaw: Flaw) -> Vec<String> {
    let ran = report(plan(suite.clone(), in_process()), &InProcess(shop(flaw))).await;
    let failed = ran.records.iter().filter(|record| record.verdict != Verdict::Satisfied);
    failed.map(|record| format!("{}: {:?}", record.scenario, record.failure)).collect()
}

fn described() -> Imported {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openapi/shop.yaml");
    let source = Source::new("shop.yaml", std::fs::read_to_string(path).unwrap());
    openapi(&source).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn scenarios_of_a_description_are_green_on_a_service_that_fits_it() {
    let (imported, folder) = (described(), tempfile::tempdir().unwrap());
    assert_eq!(imported.todos(), 0, "{:?}", imported.notes);
    let suite = load(&imported, folder.path());
    let mut names: Vec<_> = suite.scenarios.iter().map(|scenario| scenario.slug.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "add-note",
            "add-note-without-text",
            "create-order",
            "create-order-without-count",
            "create-order-without-item",
            "delete-order",
            "delete-order-is-gone",
            "delete-order-of-nothing",
            "get-order",
            "get-order-of-nothing",
            "list-orders",
        ]
    );
    assert_eq!(failed(&suite, Flaw::None).await, Vec::<String>::new());
}

#[tokio::test]
async fn scenarios_of_a_description_are_red_on_a_service_that_breaks_it() {
    let folder = tempfile::tempdir().unwrap();
    let suite = load(&described(), folder.path());
    for (flaw, red, green) in [
        (Flaw::CountIsText, "create-order:", "delete-order:"),
        (Flaw::AcceptsAnything, "create-order-without-item:", "create-order:"),
        (Flaw::KeepsTheDeleted, "delete-order-is-gone:", "delete-order:"),
    ] {
        let failed = failed(&suite, flaw).await;
        let is_red = |scenario: &str| failed.iter().any(|failed| failed.starts_with(scenario));
        assert!(is_red(red) && !is_red(green), "{flaw:?}: {failed:#?}");
    }
}

#[test]
fn a_description_is_written_as_a_person_would() {
    let imported = described();
    let file = imported.files.iter().find(|file| file.name == "delete-order-is-gone.yaml").unwrap();
    insta::assert_snapshot!(file.text);
    let wrong = openapi(&Source::new("a.yaml", "swagger: '2.0'\n")).unwrap_err().to_string();
    assert!(wrong.contains("a.yaml:1:1: `openapi: 3.0.x` or `3.1.x` is missing"), "{wrong}");
}

#[test]
fn credentials_and_unknown_ids_are_told_and_lint_accepts_the_rest() {
    let document = json!({ "openapi": "3.1.0", "paths": { "/things/{name}": { "get": {
        "operationId": "getThing", "security": [{ "key": [] }],
        "parameters": [{ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }],
        "responses": { "200": { "description": "" }, "401": { "description": "" } } } } },
        "components": { "securitySchemes": { "key": { "type": "apiKey", "in": "header", "name": "X-Key" } } } });
    let imported = openapi(&Source::new("a.json", document.to_string())).unwrap();
    assert_eq!(imported.todos(), 3, "{:?}", imported.notes);
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(load(&imported, folder.path()).scenarios.len(), 2);
    let text = &imported.files[0].text;
    assert!(
        text.contains("headers: { X-Key: \"{{ key }}\" }") && text.contains("# TODO `key` is a credential"),
        "{text}"
    );
}

const COLLECTION: &str = r##"{
	"info": { "name": "Shop", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json" },
	"variable": [{ "key": "base", "value": "http://localhost:8080/v1" }, { "key": "count", "value": "2" }],
	"item": [
		{ "name": "Orders", "item": [
			{ "name": "Create", "request": { "method": "POST", "url": { "raw": "{{base}}/orders" },
				"header": [{ "key": "X-Off", "value": "1", "disabled": true }],
				"body": { "mode": "raw", "raw": "{\n\t\"item\": \"{{$randomWord}}-mug\", \"count\": {{count}}\n}", "options": { "raw": { "language": "json" } } } },
				"event": [{ "listen": "test", "script": { "exec": [
					"pm.test('made', () => pm.response.to.have.status(201));",
					"const order = pm.response.json();",
					"pm.test('body', function () {",
					"  pm.expect(order.count).to.eql(2);",
					"  pm.expect(order.item).to.include('mug');",
					"});",
					"pm.environment.set('id', order.id);",
					"tv4.validate(order, schema);" ] } },
					{ "listen": "prerequest", "script": { "exec": "pm.globals.set('now', Date.now())" } }] },
			{ "name": "Read", "request": { "method": "GET", "url": { "raw": "{{base}}/orders/:order?x=1", "query": [{ "key": "x", "value": "1" }],
				"variable": [{ "key": "order", "value": "{{id}}" }] } },
				"event": [{ "listen": "test", "script": { "exec": ["pm.test('same', () => { pm.expect(pm.response.json().id).to.eql(pm.environment.get('id')); });"] } }] }
		] },
		{ "name": "List", "request": "{{base}}/orders" }
	]
}"##;

#[tokio::test]
async fn a_collection_runs_as_its_checks_say() {
    let source = Source::new("shop.json", COLLECTION);
    let imported = postman(&source, &PostmanOptions::default()).unwrap_or_else(|error| panic!("{error}"));
    let notes: Vec<_> = imported.notes.iter().map(|note| note.diagnostic.message.clone()).collect();
    assert_eq!(
        notes,
        [
            "a prerequest script is not run: pm.globals.set('now', Date.now())",
            "this check is not understood: tv4.validate(order, schema);"
        ]
    );
    insta::assert_snapshot!(imported.files[0].text);
    let folder = tempfile::tempdir().unwrap();
    let suite = load(&imported, folder.path());
    assert_eq!(failed(&suite, Flaw::None).await, Vec::<String>::new());
    let broken = failed(&suite, Flaw::CountIsText).await;
    assert!(broken.len() == 1 && broken[0].contains("$.count"), "{broken:?}");
}

/// What an importer could drop or twist without anybody noticing.
const TRICKY: &str = r##"{
	"info": { "name": "Tricky", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json" },
	"variable": [{ "key": "base", "value": "http://localhost:8080" }, { "key": "a-b", "value": "1" }, { "key": "a_b", "value": "2" },
		{ "key": "pass", "value": "hunter22", "type": "secret" }],
	"protocolProfileBehavior": { "strictSSL": false },
	"item": [
		{ "name": "Upload", "request": { "method": "POST", "url": { "protocol": "http", "host": ["localhost"], "port": "8080", "path": ["up", ":id", ":idx"],
			"variable": [{ "key": "id", "value": "7" }, { "key": "idx", "value": "8" }] },
			"body": { "mode": "formdata", "formdata": [
				{ "key": "tag", "value": "x" }, { "key": "tag", "value": "y" },
				{ "key": "photo", "type": "file", "src": ["a.png", "b.png"] } ] } },
			"event": [{ "listen": "test", "script": { "exec": [
				"pm.response.to.have.status(201);",
				"pm.response.to.be.success;",
				"pm.expect(pm.response.json()).to.deep.include({ a: 1 });" ] } }] },
		{ "name": "Ask", "request": { "method": "GET", "url": "{{base}}/ask?a={{a-b}}&b={{a_b}}&at={{$isoTimestamp}}&c={{$randomColor}}",
			"header": [{ "key": "X-Pass", "value": "{{pass}}" }],
			"body": { "mode": "raw", "raw": "never sent" } },
			"protocolProfileBehavior": { "followRedirects": false, "tlsCipherSelection": ["x"] },
			"event": [{ "listen": "test", "script": { "exec": "pm.response.to.have.status(302);\npm.expect(odd()).to.be.true;" } }] },
		{ "name": "Query", "request": { "method": "POST", "url": "{{base}}/graphql", "proxy": { "host": "p" },
			"body": { "mode": "graphql", "graphql": { "query": "{ a }", "variables": { "n": 1 }, "operationName": "Q" } } } },
		{ "name": "Odd", "request": { "method": "POST", "url": "{{base}}/odd", "body": { "mode": "binary" }, "auth": { "type": "oauth2",
			"oauth2": [{ "key": "accessToken", "value": "t" }, { "key": "addTokenTo", "value": "queryParams" }] } },
			"event": [{ "listen": "test", "script": { "src": "checks.js" } }] },
		{ "name": "Nothing" }
	]
}"##;

#[test]
fn nothing_of_a_collection_is_dropped_or_twisted_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    ["a.png", "b.png"].iter().for_each(|name| std::fs::write(folder.path().join(name), name).unwrap());
    let options = PostmanOptions { root: folder.path().to_owned(), ..PostmanOptions::default() };
    let imported = postman(&Source::new("t.json", TRICKY), &options).unwrap_or_else(|error| panic!("{error}"));
    let told = imported.notes.iter().map(|note| {
        let diagnostic = &note.diagnostic;
        format!("{} {}", diagnostic.location(), diagnostic.message)
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
    insta::assert_snapshot!(imported.files[0].text);
    assert!(!imported.files[0].text.contains("hunter22"));
    let target = tempfile::tempdir().unwrap();
    std::fs::create_dir(target.path().join("files")).unwrap();
    for (from, name) in &imported.files[0].copies {
        std::fs::copy(from, target.path().join(name)).unwrap();
    }
    assert_eq!(load(&imported, target.path()).scenarios.len(), 1);
}

#[test]
fn what_is_no_collection_is_refused() {
    let error = |text: &str| postman(&Source::new("a.json", text), &PostmanOptions::default()).unwrap_err().to_string();
    assert!(error("{").contains("a.json:1:1"), "{}", error("{"));
    assert!(error(r#"{"info": {"name": "a", "schema": "v1.0.0"}}"#).contains("no collection of version 2.1"));
}

/// A session through the recorder: what was written.
async fn recorded() -> String {
    tls();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, shop(Flaw::None)).await.unwrap() });
    let proxy = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", proxy.local_addr().unwrap());
    let recorder = Recorder::new(target.parse().unwrap()).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let listening = recorder.clone();
    let proxying = tokio::spawn(async move {
        let until = async move {
            stopped.await.ok();
        };
        listening.serve(proxy, until).await.unwrap();
    });
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let who = json!({ "user": "ann", "password": "s3cret-word" });
    let login = client.post(format!("{base}/login")).header("x-api-key", "k3y-of-ann").json(&who).send().await.unwrap();
    let token = login.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned();
    let create = client.post(format!("{base}/orders")).bearer_auth(&token).json(&json!({ "item": "mug", "count": 2 }));
    let order = create.send().await.unwrap().json::<Value>().await.unwrap();
    let url = format!("{base}/orders/{}", order["id"]);
    let read = client.get(&url).bearer_auth(&token).send().await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(read, order, "the proxy passes bodies on as they are");
    assert_eq!(client.delete(&url).send().await.unwrap().status(), 204);
    assert_eq!(client.get(&url).send().await.unwrap().status(), 404);
    stop.send(()).unwrap();
    proxying.await.unwrap();
    server.abort();
    let text = written("buys", "http://shop", &recorder.exchanges()).unwrap();
    assert!(!text.contains("s3cret-word") && !text.contains("k3y-of-ann") && !text.contains(&token), "{text}");
    text
}

#[tokio::test]
async fn a_recorded_session_is_green_on_a_fresh_server_and_red_on_a_broken_one() {
    let text = recorded().await;
    for part in [
        "order: $.id",
        "/v1/orders/{{ order }}",
        "token: { jsonpath: $.token, redact: true }",
        "Bearer {{ token }}",
        "{ path: $.created_at, type: string }",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let given = text.replace("password: \"\"", "password: s3cret-word").replace("x_api_key: \"\"", "x_api_key: any");
    let suite = Suite::from_sources(vec![Source::new("buys.yaml", given)], Kind::Visible)
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(failed(&suite, Flaw::None).await, Vec::<String>::new(), "{text}");
    for flaw in [Flaw::RenamesItems, Flaw::KeepsTheDeleted, Flaw::CountIsText] {
        assert_eq!(failed(&suite, flaw).await.len(), 1, "{flaw:?}");
    }
}
