//! SCIM: what its client library and conformance checks see, and what only exact requests show.

use std::sync::Arc;

use jiff::ToSpan;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use twins::{Served, Space};

use crate::{
    sdk::{Evidence, run},
    support::{answer, client, header, space},
};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

struct Scim {
    space: Space,
    served: Served,
}

impl Scim {
    fn open() -> Self {
        Self::with(json!({}))
    }

    fn with(config: Value) -> Self {
        let space = space();
        let served = space.serve("scim", config).unwrap();
        Self { space, served }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = client().request(method, format!("{}{path}", self.served.base_url));
        request.bearer_auth("scim-twin").header("host", "scim.test")
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(method, path).header("content-type", "application/scim+json");
        answer(request.body(body.to_string())).await
    }

    async fn add(&self, name: &str) -> Value {
        self.send(Method::POST, "/Users", json!({"schemas": [USER], "userName": name})).await.1
    }
}

/// What no client drives.
const UNDRIVEN: &[(&str, &str)] = &[];

#[tokio::test(flavor = "multi_thread")]
async fn client_libraries_drive_scim() {
    let mut seen = Evidence::default();
    for (script, sdk) in
        [("python/scim_provisioning.py", "scim2-client 0.13.2"), ("python/scim_conformance.py", "scim2-tester 0.5.2")]
    {
        let space = Arc::new(space());
        let served = space.serve("scim", json!({})).unwrap();
        run(&space, &served, script, sdk, &mut seen).await;
    }
    seen.check("scim", UNDRIVEN);
}

#[tokio::test]
async fn a_user_reads_as_the_standard_writes_it() {
    let scim = Scim::open();
    let body = json!({"schemas": [USER], "USERNAME": "ada", "id": "mine", "Emails": [{"VALUE": "a@b", "Type": "work"}],
        "password": "secret", "colour": "red", "nickName": null, "active": "True"});
    let response = scim.request(Method::POST, "/scim/v2/Users").json(&body).send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(header(&response, "content-type"), "application/scim+json");
    let (location, tag) = (header(&response, "location"), header(&response, "etag"));
    let user: Value = response.json().await.unwrap();
    let id = user["id"].as_str().unwrap();
    assert_eq!(location, format!("http://scim.test/scim/v2/Users/{id}"));
    let meta = json!({"resourceType": "User", "created": "2026-11-20T12:00:00.001Z",
        "lastModified": "2026-11-20T12:00:00.001Z", "location": location, "version": tag});
    let emails = json!([{"type": "work", "value": "a@b"}]);
    let wanted =
        json!({"schemas": [USER], "id": id, "userName": "ada", "active": true, "emails": emails, "meta": meta});
    assert_eq!(user, wanted);
    let (_, at_the_root) = scim.get(&format!("/Users/{id}")).await;
    assert_eq!(at_the_root["meta"]["location"], format!("http://scim.test/Users/{id}"));
}

#[tokio::test]
async fn refusals_say_what_kind_they_are() {
    let scim = Scim::open();
    let own = format!("/Users/{}", scim.add("ada").await["id"].as_str().unwrap());
    let group = json!({"schemas": [GROUP], "displayName": "G", "members": [{"value": "x"}]});
    let user = |more: Value| {
        let mut user = json!({"schemas": [USER], "userName": "x"});
        user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        user
    };
    let two = json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]});
    for (method, path, body, status, kind) in [
        (Method::POST, "/Users", user(json!({"userName": "ADA"})), 409, json!("uniqueness")),
        (Method::POST, "/Users", json!({"schemas": [USER]}), 400, json!("invalidValue")),
        (Method::POST, "/Users", json!({"userName": "x"}), 400, json!("invalidSyntax")),
        (Method::POST, "/Users", json!([]), 400, json!("invalidSyntax")),
        (Method::POST, "/Users", user(json!({"userName": 7})), 400, json!("invalidValue")),
        (Method::POST, "/Users", user(json!({"name": "y"})), 400, json!("invalidValue")),
        (Method::POST, "/Users", user(two), 400, json!("invalidValue")),
        (Method::POST, "/Groups", group, 400, json!("invalidValue")),
        (Method::PUT, "/Users/nobody", user(json!({})), 404, json!(null)),
        (Method::PATCH, &own, json!({"schemas": [PATCH], "Operations": []}), 400, json!("invalidSyntax")),
        (Method::PATCH, &own, json!({"Operations": [{"op": "remove", "path": "title"}]}), 400, json!("invalidSyntax")),
        (Method::POST, "/Users/.search", json!({"filter": "id pr"}), 400, json!("invalidSyntax")),
        (Method::POST, "/Bulk", json!({}), 501, json!(null)),
        (Method::POST, "/Me", json!({}), 501, json!(null)),
        (Method::DELETE, "/Schemas", json!({}), 405, json!(null)),
        (Method::POST, "/Moons", json!({}), 501, json!(null)),
    ] {
        let (seen, said) = scim.send(method, path, body.clone()).await;
        assert_eq!((seen, &said["scimType"]), (status, &kind), "{path} {body} {said}");
        assert_eq!(said["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!(said["status"], status.to_string());
    }
    for (query, kind) in [
        ("filter=userName", "invalidFilter"),
        ("count=x", "invalidValue"),
        ("sortBy=1", "invalidPath"),
        ("attributes=a,1", "invalidPath"),
    ] {
        let (status, said) = scim.get(&format!("/Users?{query}")).await;
        assert_eq!((status, &said["scimType"]), (400, &json!(kind)), "{query}");
    }
    assert_eq!(scim.get("/Schemas?filter=id+pr").await.0, 403);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let scim = Scim::open();
    let post = |kind: &str, body: Vec<u8>| {
        answer(scim.request(Method::POST, "/Users").header("content-type", kind).body(body))
    };
    assert_eq!(post("application/json", b"{\"".to_vec()).await.1["scimType"], "invalidSyntax");
    assert_eq!(post("text/plain", b"userName".to_vec()).await.0, 415);
    assert_eq!(post("application/scim+json", vec![b' '; 4 * 1024 * 1024 + 1]).await.0, 413);
}

#[tokio::test]
async fn only_tokens_that_count_open_the_door() {
    let scim = Scim::with(json!({"tokens": {"old": "2026-11-20T13:00:00Z"}}));
    let call = |token: &'static str| client().get(format!("{}/Users", scim.served.base_url)).bearer_auth(token).send();
    assert_eq!(call("old").await.unwrap().status(), 200);
    scim.space.advance_to(scim.space.now() + 1.hour()).unwrap();
    for token in ["old", "nobody"] {
        let refused = call(token).await.unwrap();
        assert_eq!(refused.status(), 401);
        assert_eq!(header(&refused, "www-authenticate"), "Bearer realm=\"scim\", error=\"invalid_token\"");
    }
    let bare = |path: &str| client().get(format!("{}{path}", scim.served.base_url)).send();
    assert_eq!(header(&bare("/Users").await.unwrap(), "www-authenticate"), "Bearer realm=\"scim\"");
    assert_eq!(bare("/ServiceProviderConfig").await.unwrap().status(), 200, "everyone may know what it can do");
}

#[tokio::test]
async fn what_one_has_not_seen_one_cannot_change() {
    let scim = Scim::open();
    let own = format!("/Users/{}", scim.add("ada").await["id"].as_str().unwrap());
    let patch = async |tag: &str, title: &str| {
        let body = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": title}]});
        let request = scim.request(Method::PATCH, &own).header("if-match", tag).json(&body);
        request.send().await.unwrap()
    };
    let changed = patch("\"0\", W/\"1\"", "A").await;
    assert_eq!((changed.status().as_u16(), header(&changed, "etag").as_str()), (200, "W/\"2\""));
    assert_eq!(patch("W/\"1\"", "B").await.status(), 412);
    assert_eq!(header(&patch("*", "A").await, "etag"), "W/\"2\"", "what changes nothing is no change");
    let read = async |tag: &str| {
        scim.request(Method::GET, &own).header("if-none-match", tag).send().await.unwrap().status().as_u16()
    };
    assert_eq!((read("W/\"2\"").await, read("W/\"1\"").await), (304, 200));
    let late = scim.request(Method::DELETE, &own).header("if-match", "W/\"1\"").send().await.unwrap();
    assert_eq!(late.status(), 412);
    assert_eq!(scim.request(Method::DELETE, &own).send().await.unwrap().status(), 204);
}

#[tokio::test]
async fn lists_come_in_pages_of_what_is_asked_for() {
    let scim = Scim::with(json!({"results_max": 3, "users": [
        {"userName": "d", "emails": [{"value": "z@x"}, {"value": "a@x", "primary": true}]},
        {"userName": "c", "emails": [{"value": "b@x", "type": "work"}]},
        {"userName": "b"}, {"userName": "a"},
    ]}));
    for (query, total, begin, wanted) in [
        ("", 4, 1, "dcb"),
        ("?count=100", 4, 1, "dcb"),
        ("?startIndex=3&count=1", 4, 3, "b"),
        ("?startIndex=-1&count=2", 4, 1, "dc"),
        ("?startIndex=9", 4, 9, ""),
        ("?count=0", 4, 1, ""),
        ("?sortBy=username", 4, 1, "abc"),
        ("?sortBy=emails&count=2", 4, 1, "dc"),
        ("?sortBy=userName&sortOrder=descending", 4, 1, "dcb"),
        ("?filter=emails.value+co+%22x%22", 2, 1, "dc"),
    ] {
        let (_, page) = scim.get(&format!("/Users{query}")).await;
        let names = page["Resources"].as_array().unwrap().iter().map(|user| user["userName"].as_str().unwrap());
        let seen = (page["totalResults"].as_u64(), page["startIndex"].as_u64(), names.collect::<String>());
        assert_eq!(seen, (Some(total), Some(begin), wanted.to_owned()), "{query}");
        assert_eq!(page["itemsPerPage"], wanted.len());
    }
    let (_, cut) = scim.get("/Users?count=1&attributes=EMAILS.value,meta.version").await;
    let mut user = cut["Resources"][0].clone();
    user["id"].take();
    let emails = json!([{"value": "z@x"}, {"value": "a@x"}]);
    assert_eq!(user, json!({"schemas": [USER], "id": null, "emails": emails, "meta": {"version": "W/\"1\""}}));
    let (_, cut) = scim.get("/Users?count=1&excludedAttributes=id,emails.primary,meta").await;
    let user = &cut["Resources"][0];
    assert!(user["id"].is_string() && user["meta"].is_null(), "{user}");
    assert_eq!(user["emails"][1], json!({"value": "a@x"}));
}

#[tokio::test]
async fn what_a_service_cannot_do_it_says_and_refuses() {
    let scim = Scim::with(json!({"supported": {"patch": false, "filter": false, "sort": false, "etag": false},
        "users": [{"userName": "b", "id": "u1"}, {"userName": "a", "id": "u2"}]}));
    let (_, config) = scim.get("/ServiceProviderConfig").await;
    for name in ["patch", "filter", "sort", "etag", "bulk", "changePassword"] {
        assert_eq!(config[name]["supported"], false, "{name}");
    }
    assert_eq!(scim.send(Method::PATCH, "/Users/u1", json!({})).await.0, 501);
    assert_eq!(scim.get("/Users?filter=id+pr").await.0, 501);
    assert_eq!(scim.get("/Users?sortBy=userName").await.1["Resources"][0]["userName"], "b");
    let one = scim.request(Method::GET, "/Users/u1").header("if-none-match", "*").send().await.unwrap();
    assert_eq!((one.status().as_u16(), header(&one, "etag").as_str()), (200, ""));
}

#[tokio::test]
async fn members_follow_the_users_that_they_are() {
    let scim = Scim::with(json!({"users": [{"userName": "ada", "id": "u1"}, {"userName": "bob", "id": "u2"}],
        "groups": [{"displayName": "Inner", "members": ["ada"], "id": "g1"},
            {"displayName": "Outer", "members": ["Inner", "bob"], "id": "g2"}]}));
    let (_, outer) = scim.get("/Groups/g2").await;
    let inner = json!({"value": "g1", "$ref": "http://scim.test/Groups/g1", "type": "Group", "display": "Inner"});
    assert_eq!(outer["members"][0], inner);
    assert_eq!(scim.get("/Users/u1").await.1["groups"][0]["value"], "g1");
    scim.request(Method::DELETE, "/Users/u2").send().await.unwrap();
    let (_, after) = scim.get("/Groups/g2").await;
    assert_eq!((after["members"].as_array().map(Vec::len), &after["meta"]["version"]), (Some(1), &json!("W/\"2\"")));
    let itself =
        json!({"schemas": [PATCH], "Operations": [{"op": "add", "path": "members", "value": [{"value": "g2"}]}]});
    assert_eq!(scim.send(Method::PATCH, "/Groups/g2", itself).await.1["scimType"], "invalidValue");
}

/// Answers with their headers.
async fn story(scim: &Scim) -> Vec<String> {
    let mut seen = Vec::new();
    for (method, path, body) in [
        (Method::POST, "/Users", json!({"schemas": [USER], "userName": "ada"})),
        (Method::POST, "/Users", json!({"schemas": [USER], "userName": "ada"})),
        (Method::GET, "/Users?filter=userName+pr", json!(null)),
        (Method::GET, "/Schemas", json!(null)),
    ] {
        let request = scim.request(method, path);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        seen.push(format!("{:?} {:?}", response.headers().clone(), response.text().await.unwrap()));
    }
    seen
}

#[tokio::test]
async fn the_same_requests_give_the_same_bytes() {
    let scim = Scim::open();
    let before = scim.space.snapshot();
    let first = story(&scim).await;
    scim.space.restore(&before);
    assert_eq!(story(&scim).await, first);
    assert_eq!(story(&Scim::open()).await, first);
    assert_eq!(scim.space.state("scim").unwrap()["users"][0]["userName"], "ada");
}

#[tokio::test]
async fn faults_read_like_the_standard() {
    let scim = Scim::open();
    for (rule, status, retry_after) in [
        (json!({"kind": "status", "status": 503, "first": 1}), 503, ""),
        (json!({"kind": "auth_expired", "first": 1}), 401, ""),
        (json!({"kind": "rate_limit", "first": 1, "retry_after_s": 7}), 429, "7"),
    ] {
        scim.space.fault("scim", serde_json::from_value(rule).unwrap()).unwrap();
        let response = scim.request(Method::GET, "/Users").send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "retry-after").as_str()), (status, retry_after));
        assert_eq!(response.json::<Value>().await.unwrap()["status"], status.to_string());
    }
}

#[tokio::test]
async fn configurations_that_do_not_fit_are_refused() {
    let twice = json!([{"userName": "x", "id": "1"}, {"userName": "y", "id": "1"}]);
    for (config, wanted) in [
        (json!({"users": [{"displayName": "x"}]}), "`users[0]`: Attribute userName is required."),
        (json!({"users": [{"userName": "x"}, {"userName": "X"}]}), "`users[1]`: One or more"),
        (json!({"users": twice}), "there are two with the id `1`"),
        (json!({"groups": [{"displayName": "G", "members": ["nobody"]}]}), "there is nobody called `nobody`"),
        (json!({"supported": {"bulk": true}}), "unknown field `bulk`"),
    ] {
        let refused = space().serve("scim", config).unwrap_err().to_string();
        assert!(refused.contains(wanted), "{refused}");
    }
}
