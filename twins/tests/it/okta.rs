//! Okta: what its official SDKs see, and what only exact requests show.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use twins::{Engine, EngineOptions, Served, Space};

use crate::{
    sdk::{Evidence, run},
    support::{answer, client, header, space},
};

struct Okta {
    space: Space,
    served: Served,
}

impl Okta {
    fn open() -> Self {
        Self::with(json!({}))
    }

    fn with(config: Value) -> Self {
        let space = space();
        let served = space.serve("okta", config).unwrap();
        Self { space, served }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = client().request(method, format!("{}{path}", self.served.base_url));
        request.header("authorization", "SSWS 00twin").header("host", "acme.okta.test")
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.request(Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    async fn add(&self, login: &str) -> Value {
        let profile = json!({"login": login, "email": login, "firstName": "A", "lastName": "B"});
        let (status, user) = self.post("/api/v1/users", json!({"profile": profile})).await;
        assert_eq!(status, 200, "{user}");
        user
    }
}

/// What no SDK drives.
const UNDRIVEN: &[(&str, &str)] = &[
    ("oauth.sign_in", "a person fills in the form; tests in Rust do"),
    ("oauth.device_sign_in", "a person fills in the form; tests in Rust do"),
];

#[tokio::test(flavor = "multi_thread")]
async fn official_sdks_drive_okta() {
    // The SDKs compare times with the clock on the wall.
    let engine = Engine::new(EngineOptions { seed: 7, start_at: Timestamp::now() });
    let signer = space();
    let signer_url = signer.serve("oidc", json!({"signing": "RS256"})).unwrap().base_url;
    let (_, keys) = answer(client().get(format!("{signer_url}/jwks"))).await;
    let mut seen = Evidence::default();
    for (script, sdk) in [
        ("python/okta_directory.py", "okta 3.4.6"),
        ("python/okta_oauth.py", "okta 3.4.6"),
        ("node/okta_directory.mjs", "@okta/okta-sdk-nodejs 8.1.0"),
    ] {
        let space = Arc::new(engine.space(script, 1));
        let mut public = keys["keys"][0].clone();
        public.as_object_mut().unwrap().remove("kid");
        let service = json!({"client_id": "service", "jwks": {"keys": [public]}});
        let served = space.serve("okta", json!({"clients": [service]})).unwrap();
        run(&space, &served, script, sdk, &mut seen).await;
    }
    seen.check("okta", UNDRIVEN);
}

fn said(body: &Value) -> (&str, &str) {
    (body["errorCode"].as_str().unwrap(), body["errorSummary"].as_str().unwrap())
}

#[tokio::test]
async fn refusals_have_a_code_a_sentence_and_an_id() {
    let okta = Okta::open();
    let (status, body) = okta.get("/api/v1/users/nobody").await;
    assert_eq!(status, 404);
    assert_eq!(said(&body), ("E0000007", "Not found: Resource not found: nobody (User)"));
    let id = body["errorId"].as_str().unwrap();
    assert_eq!((id.len(), &id[..3], &body["errorLink"]), (25, "oae", &json!("E0000007")));
    assert_eq!(body["errorCauses"], json!([]));
    let at = |path: &str| format!("{}{path}", okta.served.base_url);
    let (status, body) = answer(client().get(at("/api/v1/users"))).await;
    assert_eq!((status, said(&body)), (403, ("E0000005", "Invalid session")));
    for credentials in ["SSWS nobody", "Bearer nobody", "Basic eDp5", "SSWS", "é"] {
        let (status, body) = answer(client().get(at("/api/v1/users")).header("authorization", credentials)).await;
        assert_eq!((status, said(&body)), (401, ("E0000011", "Invalid token provided")), "{credentials}");
    }
    let (status, body) = okta.get("/api/v1/zones").await;
    assert_eq!((status, said(&body).0), (501, "E0000060"));
    assert!(said(&body).1.ends_with("the okta twin does not implement GET /api/v1/zones"));
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused() {
    let okta = Okta::open();
    for (kind, body) in [("application/json", "{\"profile\":"), ("application/json", "[]"), ("text/plain", "x")] {
        let request = okta.request(Method::POST, "/api/v1/users").header("content-type", kind).body(body);
        let (status, body) = answer(request).await;
        assert_eq!((status, said(&body)), (400, ("E0000003", "The request body was not well-formed.")));
    }
    let large = okta.request(Method::POST, "/api/v1/users").body(vec![b' '; 1024 * 1024 + 1]);
    assert_eq!(answer(large).await.0, 413);
    let (status, body) = okta.post("/api/v1/users", json!({"profile": {"login": "x", "email": "x@y"}})).await;
    assert_eq!((status, said(&body)), (400, ("E0000001", "Api validation failed: firstName")));
    let causes: Vec<_> = body["errorCauses"].as_array().unwrap().iter().map(|cause| &cause["errorSummary"]).collect();
    assert_eq!(causes[2], "login: Username must be in the form of an email address");
}

#[tokio::test]
async fn lists_come_in_pages_with_links() {
    let okta = Okta::open();
    for number in 0..4 {
        okta.add(&format!("u{number}@example.com")).await;
    }
    let links = |response: &reqwest::Response| -> Vec<String> {
        response.headers().get_all("link").iter().map(|link| link.to_str().unwrap().to_owned()).collect()
    };
    let first =
        okta.request(Method::GET, "/api/v1/users?limit=2&search=profile.login+sw+%22u%22").send().await.unwrap();
    let found = links(&first);
    let base = "<http://acme.okta.test/api/v1/users?";
    assert_eq!(found[0], format!("{base}limit=2&search=profile.login+sw+%22u%22>; rel=\"self\""));
    let page: Value = first.json().await.unwrap();
    let last = page[1]["id"].as_str().unwrap();
    assert_eq!(found[1], format!("{base}search=profile.login+sw+%22u%22&after={last}&limit=2>; rel=\"next\""));
    let path = format!("/api/v1/users?after={last}&limit=2&search=profile.login+sw+%22u%22");
    let second = okta.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(links(&second).len(), 1);
    assert_eq!(second.json::<Value>().await.unwrap()[1]["profile"]["login"], "u3@example.com");
    for wrong in ["limit=0", "limit=x", "after=00unobody"] {
        let (status, body) = okta.get(&format!("/api/v1/users?{wrong}")).await;
        assert_eq!((status, said(&body).0), (400, "E0000001"), "{wrong}");
    }
}

#[tokio::test]
async fn calls_are_counted_by_the_minute_and_by_resource() {
    let okta = Okta::with(json!({"rate_limit": 2}));
    let call = |path: &'static str| okta.request(Method::GET, path).send();
    let first = call("/api/v1/users").await.unwrap();
    let seen = ["x-rate-limit-limit", "x-rate-limit-remaining"].map(|name| header(&first, name));
    assert_eq!((seen, header(&first, "x-okta-request-id").len()), (["2".to_owned(), "1".to_owned()], 24));
    call("/api/v1/users/me").await.unwrap();
    let third = call("/api/v1/users").await.unwrap();
    assert_eq!((third.status().as_u16(), header(&third, "x-rate-limit-remaining").as_str()), (429, "0"));
    let reset = header(&third, "x-rate-limit-reset").parse::<i64>().unwrap();
    assert_eq!(reset - okta.space.now().as_second(), 60);
    let body: Value = third.json().await.unwrap();
    assert_eq!(said(&body), ("E0000047", "API call exceeded rate limit due to too many requests."));
    assert_eq!(call("/api/v1/groups").await.unwrap().status(), 200, "each resource has its own");
    okta.space.advance_to(okta.space.now() + 61.seconds()).unwrap();
    assert_eq!(call("/api/v1/users").await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_user_moves_only_along_the_lifecycle() {
    let okta = Okta::open();
    let user = okta.add("grace@example.com").await;
    let own = format!("/api/v1/users/{}", user["id"].as_str().unwrap());
    assert_eq!((&user["status"], &user["credentials"]["password"]), (&json!("PROVISIONED"), &json!(null)));
    let step = async |verb: &str| okta.post(&format!("{own}/{verb}"), json!({})).await;
    let status = async || okta.get(&own).await.1["status"].as_str().unwrap().to_owned();
    assert_eq!(step("lifecycle/suspend").await.1["errorSummary"], "Api validation failed: suspendUser");
    assert_eq!(step("lifecycle/activate").await.1["errorCode"], "E0000038");
    let password = json!({"credentials": {"password": {"value": "Passw0rd!"}}});
    assert_eq!(okta.post(&own, password).await.1["status"], "ACTIVE");
    assert_eq!(step("credentials/forgot_password?sendEmail=false").await.0, 200);
    assert_eq!((status().await, step("lifecycle/reactivate").await.0), ("RECOVERY".to_owned(), 200));
    let temporary = step("lifecycle/expire_password_with_temp_password").await.1["tempPassword"].clone();
    let change = json!({"oldPassword": {"value": temporary}, "newPassword": {"value": "Passw0rd?"}});
    assert_eq!(okta.post(&format!("{own}/credentials/change_password"), change).await.0, 200);
    assert_eq!((step("lifecycle/suspend").await.0, status().await), (200, "SUSPENDED".to_owned()));
    assert_eq!(step("lifecycle/reset_password").await.1["errorCode"], "E0000038");
    let whole = okta.get(&own).await.1;
    assert!(
        whole["_links"]["unsuspend"]["href"].as_str().unwrap().starts_with("http://acme.okta.test/api/v1/users/00u")
    );
    for (status, wanted) in [(204, Some("DEPROVISIONED")), (204, None)] {
        let deleted = okta.request(Method::DELETE, &own).send().await.unwrap();
        assert_eq!((deleted.status().as_u16(), okta.get(&own).await.1["status"].as_str()), (status, wanted));
    }
    assert_eq!(okta.add("grace@example.com").await["status"], "PROVISIONED", "the login is free again");
}

#[tokio::test]
async fn ten_wrong_passwords_lock_a_user_out() {
    let okta = Okta::open();
    let sign_in = async |password: &str| {
        okta.post("/api/v1/authn", json!({"username": "ada@example.com", "password": password})).await
    };
    for _ in 0..10 {
        let (status, body) = sign_in("wrong").await;
        assert_eq!((status, said(&body)), (401, ("E0000004", "Authentication failed")));
    }
    assert_eq!(sign_in("Passw0rd!").await.0, 401);
    assert_eq!(okta.get("/api/v1/users/ada").await.1["status"], "LOCKED_OUT");
    okta.post("/api/v1/users/ada/lifecycle/unlock", json!({})).await;
    let (_, signed_in) = sign_in("Passw0rd!").await;
    let token = json!({"sessionToken": signed_in["sessionToken"]});
    let (_, session) = okta.post("/api/v1/sessions", token.clone()).await;
    assert_eq!(okta.post("/api/v1/sessions", token).await.0, 401, "a token counts once");
    let own = format!("/api/v1/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(okta.get(&own).await.1["login"], "ada@example.com");
    okta.space.advance_to(okta.space.now() + 2.hours()).unwrap();
    assert_eq!(okta.get(&own).await.0, 404);
}

#[tokio::test]
async fn tokens_end_on_the_virtual_clock() {
    let expiring = json!({"token": "00old", "expires_at": "2026-11-20T13:00:00Z"});
    let service = json!({"client_id": "s", "client_secret": "s"});
    let okta = Okta::with(json!({"api_tokens": [expiring], "clients": [service]}));
    let at = |path: &str| format!("{}{path}", okta.served.base_url);
    let form = [("grant_type", "client_credentials"), ("scope", "okta.users.manage")];
    let asked = client().post(at("/oauth2/v1/token")).basic_auth("s", Some("s")).form(&form);
    let bearer = format!("Bearer {}", answer(asked).await.1["access_token"].as_str().unwrap());
    for (credentials, challenge) in [("SSWS 00old", ""), (bearer.as_str(), "error=\"invalid_token\"")] {
        let before = okta.space.snapshot();
        let call = |path: &str| client().get(at(path)).header("authorization", credentials).send();
        assert_eq!(call("/api/v1/users").await.unwrap().status(), 200);
        okta.space.advance_to("2026-11-20T13:00:01Z".parse().unwrap()).unwrap();
        let refused = call("/api/v1/users").await.unwrap();
        assert!(refused.status() == 401 && header(&refused, "www-authenticate").contains(challenge));
        okta.space.restore(&before);
    }
    let refused = client().get(at("/api/v1/apps")).header("authorization", &bearer).send().await.unwrap();
    let challenge = header(&refused, "www-authenticate");
    assert!(refused.status() == 403 && challenge.contains("scope=\"okta.apps.read\""), "{challenge}");
}

#[tokio::test]
async fn a_person_signs_in_at_the_page_of_the_organization() {
    let service = json!({"client_id": "web", "client_secret": "s", "redirect_uris": ["http://localhost:9/back"]});
    let okta = Okta::with(json!({"sign_in": "form", "clients": [service]}));
    client(); // chooses the cryptography of the browser too
    let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let form = [
        ("response_type", "code"),
        ("client_id", "web"),
        ("redirect_uri", "http://localhost:9/back"),
        ("scope", "openid"),
        ("username", "ada@example.com"),
        ("password", "Passw0rd!"),
    ];
    let sign_in = async || {
        let url = format!("{}/oauth2/default/v1/authorize", okta.served.base_url);
        browser.post(url).form(&form).send().await.unwrap().status().as_u16()
    };
    assert_eq!(sign_in().await, 302);
    okta.post("/api/v1/users/ada/lifecycle/suspend", json!({})).await;
    assert_eq!(sign_in().await, 401, "whoever is suspended cannot sign in");
    let device = [("client_id", "web"), ("client_secret", "s"), ("scope", "openid")];
    let url = format!("{}/oauth2/default/v1/device/authorize", okta.served.base_url);
    let (_, device) = answer(client().post(url).form(&device)).await;
    let code = device["user_code"].as_str().unwrap();
    let form = [("user_code", code), ("username", "ada@example.com"), ("password", "Passw0rd!")];
    let activate = async || {
        let url = format!("{}/activate", okta.served.base_url);
        browser.post(url).form(&form).send().await.unwrap().status().as_u16()
    };
    assert_eq!(activate().await, 401);
    okta.post("/api/v1/users/ada/lifecycle/unsuspend", json!({})).await;
    assert_eq!(activate().await, 200);
}

/// Answers with their headers.
async fn story(okta: &Okta) -> Vec<String> {
    let user = okta.add("grace@example.com").await["id"].as_str().unwrap().to_owned();
    let (_, group) = okta.post("/api/v1/groups", json!({"profile": {"name": "G"}})).await;
    let group = group["id"].as_str().unwrap();
    let app = json!({"label": "Shop", "signOnMode": "OPENID_CONNECT"});
    let mut seen = Vec::new();
    for (method, path, body) in [
        (Method::PUT, format!("/api/v1/groups/{group}/users/{user}"), json!(null)),
        (Method::POST, "/api/v1/apps".to_owned(), app),
        (Method::POST, format!("/api/v1/users/{user}/lifecycle/reset_password?sendEmail=false"), json!(null)),
        (Method::GET, "/api/v1/users?search=status+pr".to_owned(), json!(null)),
        (Method::GET, "/oauth2/default/v1/keys".to_owned(), json!(null)),
        (Method::GET, "/api/v1/users/none".to_owned(), json!(null)),
    ] {
        let request = okta.request(method, &path);
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        seen.push(format!("{:?} {:?}", response.headers().clone(), response.text().await.unwrap()));
    }
    seen
}

#[tokio::test]
async fn the_same_requests_give_the_same_bytes() {
    let okta = Okta::open();
    let before = okta.space.snapshot();
    let first = story(&okta).await;
    okta.space.restore(&before);
    assert_eq!(story(&okta).await, first);
    assert_eq!(story(&Okta::open()).await, first);
    let state = okta.space.state("okta").unwrap();
    let members = state["groups"][1]["members"].as_array().map(Vec::len);
    assert_eq!((members, &state["users"][1]["status"]), (Some(1), &json!("RECOVERY")));
}

#[tokio::test]
async fn faults_read_like_okta() {
    let okta = Okta::open();
    let mut seen = Vec::new();
    for rule in [
        json!({"kind": "status", "status": 503, "first": 1}),
        json!({"kind": "status", "status": 500, "first": 1}),
        json!({"kind": "auth_expired", "first": 1}),
        json!({"kind": "rate_limit", "first": 1, "retry_after_s": 7}),
    ] {
        okta.space.fault("okta", serde_json::from_value(rule).unwrap()).unwrap();
        let (status, body) = okta.get("/api/v1/users").await;
        seen.push((status, body["errorCode"].as_str().unwrap().to_owned()));
    }
    let seen: Vec<_> = seen.iter().map(|(status, code)| (*status, code.as_str())).collect();
    assert_eq!(seen, [(503, "E0000010"), (500, "E0000009"), (401, "E0000011"), (429, "E0000047")]);
}

#[tokio::test]
async fn configurations_that_do_not_fit_are_refused() {
    for (config, wanted) in [
        (json!({"users": [{"login": "a@b"}, {"login": "A@b"}]}), "a login of its own"),
        (json!({"groups": [{"name": "G", "members": ["nobody"]}]}), "there is no user `nobody` for `G`"),
        (json!({"groups": [{"name": "G"}, {"name": "G"}]}), "`G` is there twice"),
        (json!({"api_tokens": [{"token": "t", "user": "nobody"}]}), "there is no user `nobody`"),
        (json!({"signing": "HS256"}), "unknown variant `HS256`"),
        (json!({"surprise": 1}), "unknown field `surprise`"),
    ] {
        let refused = space().serve("okta", config).unwrap_err().to_string();
        assert!(refused.contains(wanted), "{refused}");
    }
    let okta = Okta::with(
        json!({"users": [{"login": "a@b", "status": "SUSPENDED"}], "groups": [{"name": "G", "members": ["a@b"]}]}),
    );
    assert_eq!(okta.get("/api/v1/users/a@b").await.1["status"], "SUSPENDED");
}

#[tokio::test]
async fn an_application_is_a_client_while_it_is_on() {
    let okta = Okta::open();
    let application = |id: &str| json!({"label": "Shop", "signOnMode": "OPENID_CONNECT", "credentials": {"oauthClient": {"client_id": id}}});
    let (_, made) = okta.post("/api/v1/apps", application("one")).await;
    let secret = made["credentials"]["oauthClient"]["client_secret"].as_str().unwrap();
    let own = format!("/api/v1/apps/{}", made["id"].as_str().unwrap());
    let token = async |id: &str| {
        let request = client().post(format!("{}/oauth2/default/v1/token", okta.served.base_url));
        let form = [("grant_type", "client_credentials"), ("scope", "custom")];
        request.basic_auth(id, Some(secret)).form(&form).send().await.unwrap().status().as_u16()
    };
    assert_eq!((token("one").await, token("two").await), (200, 401));
    answer(okta.request(Method::PUT, &own).json(&application("two"))).await;
    assert_eq!((token("one").await, token("two").await), (401, 200), "the old name is no client any more");
    okta.post(&format!("{own}/lifecycle/deactivate"), json!({})).await;
    assert_eq!(token("two").await, 401);
    okta.post(&format!("{own}/lifecycle/activate"), json!({})).await;
    assert_eq!(token("two").await, 200);
}
