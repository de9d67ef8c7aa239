//! The identity provider: what official libraries see, and what only exact requests show.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use twins::{Engine, EngineOptions, Served, Space};

use crate::{
    sdk::{Evidence, run},
    support::{answer, client, header, space},
};

const BACK: &str = "http://localhost:9/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"; // of RFC 7636

fn config() -> Value {
    json!({
        "users": [
            {"login": "ada", "sub": "ada-1", "name": "Ada Lovelace", "email": "ada@example.com", "groups": ["admins"]},
            {"login": "bob", "email": "bob@example.com", "password": "hunter2"},
        ],
        "clients": [
            {"client_id": "web", "client_secret": "web-secret", "redirect_uris": [BACK]},
            {"client_id": "spa"},
            {"client_id": "trusted", "client_secret": "t", "password_grant": true, "scopes": ["openid"]},
        ],
    })
}

struct Oidc {
    space: Space,
    served: Served,
}

impl Oidc {
    fn open() -> Self {
        Self::with(config())
    }

    fn with(config: Value) -> Self {
        let space = space();
        let served = space.serve("oidc", config).unwrap();
        Self { space, served }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.served.base_url)
    }

    /// The answer of the authorize endpoint, which is not followed.
    async fn authorize(&self, query: &str) -> Response {
        client();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        client.get(self.at(&format!("/authorize?{query}"))).send().await.unwrap()
    }

    /// Where the person is sent back to.
    async fn back(&self, query: &str) -> String {
        let response = self.authorize(query).await;
        assert_eq!(response.status().as_u16(), 302);
        header(&response, "location")
    }

    async fn code(&self) -> String {
        let query = format!(
            "response_type=code&client_id=spa&redirect_uri={BACK}&scope=openid+offline_access&code_challenge={CHALLENGE}&\
             code_challenge_method=S256&nonce=n&state=s"
        );
        let back = self.back(&query).await;
        back.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned()
    }

    fn ask(&self, form: &[(&str, &str)]) -> RequestBuilder {
        client().post(self.at("/token")).form(form)
    }

    async fn exchange(&self, code: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "spa"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ];
        answer(self.ask(&form)).await
    }

    async fn userinfo(&self, token: &Value) -> u16 {
        let request = client().get(self.at("/userinfo")).bearer_auth(token.as_str().unwrap());
        request.send().await.unwrap().status().as_u16()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn official_libraries_drive_oidc() {
    // The libraries compare times with the clock on the wall.
    let engine = Engine::new(EngineOptions { seed: 7, start_at: Timestamp::now() });
    let space = Arc::new(engine.space("test", 1));
    let served = space.serve("oidc", config()).unwrap();
    let mut seen = Evidence::default();
    run(&space, &served, "python/oidc_sessions.py", "Authlib 1.9.8", &mut seen).await;
    run(&space, &served, "node/oidc_sessions.mjs", "openid-client 6.8.9", &mut seen).await;
    let space = Arc::new(engine.space("rsa", 1));
    let served = space.serve("oidc", json!({"signing": "RS256", "clients": [{"client_id": "tv"}]})).unwrap();
    run(&space, &served, "python/oidc_devices.py", "Authlib 1.9.8", &mut seen).await;
    run(&space, &served, "node/oidc_devices.mjs", "openid-client 6.8.9", &mut seen).await;
    let by_hand = "a person fills in the form; tests in Rust do";
    seen.check("oidc", &[("sign_in", by_hand), ("device_sign_in", by_hand)]);
}

#[tokio::test]
async fn tokens_end_on_the_virtual_clock() {
    let oidc = Oidc::open();
    let late = oidc.code().await;
    let (_, tokens) = oidc.exchange(&oidc.code().await).await;
    assert_eq!((tokens["expires_in"].as_u64(), oidc.userinfo(&tokens["access_token"]).await), (Some(3_600), 200));
    oidc.space.advance_to(oidc.space.now() + 61.seconds()).unwrap();
    assert_eq!(oidc.exchange(&late).await.1["error"], "invalid_grant");
    oidc.space.advance_to(oidc.space.now() + 1.hour()).unwrap();
    assert_eq!(oidc.userinfo(&tokens["access_token"]).await, 401);
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "spa"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let (status, new) = answer(oidc.ask(&refresh)).await;
    assert_eq!((status, oidc.userinfo(&new["access_token"]).await), (200, 200));
    oidc.space.advance_to(oidc.space.now() + (31 * 24).hours()).unwrap();
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", "spa"),
        ("refresh_token", new["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(answer(oidc.ask(&refresh)).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_the_clients() {
    let oidc = Oidc::open();
    for (query, code) in [
        (format!("client_id=web&response_type=code&redirect_uri={BACK}/evil"), "invalid_request"),
        ("client_id=web&response_type=code".to_owned(), "invalid_request"),
        (format!("client_id=other&response_type=code&redirect_uri={BACK}"), "unauthorized_client"),
        ("client_id=spa&response_type=code&redirect_uri=x%0D%0Ay".to_owned(), "invalid_request"),
    ] {
        let response = oidc.authorize(&query).await;
        assert_eq!(response.status().as_u16(), 400, "{query}");
        assert_eq!(response.json::<Value>().await.unwrap()["error"], code, "{query}");
    }
}

#[tokio::test]
async fn what_is_wrong_otherwise_goes_back_with_the_state() {
    let oidc = Oidc::open();
    let begin = format!("redirect_uri={BACK}&state=s+1");
    for (query, code) in [
        ("client_id=web&response_type=token", "unsupported_response_type"),
        ("client_id=spa&response_type=code", "invalid_request"),
        ("client_id=trusted&response_type=code&scope=other", "invalid_scope"),
        ("client_id=web&response_type=code&login_hint=nobody", "access_denied"),
        ("client_id=web&response_type=code&login_hint=nobody&prompt=none", "login_required"),
    ] {
        let back = oidc.back(&format!("{query}&{begin}")).await;
        assert!(back.starts_with(&format!("{BACK}?error={code}&")) && back.contains("&state=s+1&iss="), "{back}");
    }
}

#[tokio::test]
async fn a_person_signs_in_by_the_form() {
    let mut config = config();
    config["sign_in"] = json!("form");
    let oidc = Oidc::with(config);
    let query = format!("response_type=code&client_id=web&redirect_uri={BACK}&state=%22%3E&login_hint=bob");
    let page = oidc.authorize(&query).await;
    assert_eq!((page.status().as_u16(), header(&page, "content-type").as_str()), (200, "text/html; charset=utf-8"));
    assert!(page.text().await.unwrap().contains("name=\"state\" value=\"&quot;&gt;\""));
    let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for (password, decision, status, wanted) in
        [("wrong", "", 401, ""), ("hunter2", "", 302, "?code="), ("", "deny", 302, "?error=access_denied")]
    {
        let form = [
            ("response_type", "code"),
            ("client_id", "web"),
            ("redirect_uri", BACK),
            ("username", "bob"),
            ("password", password),
            ("decision", decision),
        ];
        let response = browser.post(oidc.at("/authorize")).form(&form).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert!(header(&response, "location").contains(wanted));
    }
    let silent = oidc.back(&format!("{query}&prompt=none")).await;
    assert!(silent.contains("error=login_required"), "{silent}");
}

#[tokio::test]
async fn refusals_have_their_challenges() {
    let oidc = Oidc::open();
    let bare = client().get(oidc.at("/userinfo")).send().await.unwrap();
    assert_eq!((bare.status().as_u16(), header(&bare, "www-authenticate").as_str()), (401, "Bearer realm=\"oidc\""));
    let junk = client().get(oidc.at("/userinfo")).bearer_auth("junk").send().await.unwrap();
    assert!(header(&junk, "www-authenticate").contains("error=\"invalid_token\""));
    let stranger = oidc.ask(&[("grant_type", "client_credentials"), ("client_id", "web"), ("client_secret", "no")]);
    let stranger = stranger.send().await.unwrap();
    assert_eq!(
        (stranger.status().as_u16(), header(&stranger, "www-authenticate").as_str()),
        (401, "Basic realm=\"oidc\"")
    );
    for (form, code) in [
        (vec![("client_id", "spa"), ("grant_type", "client_credentials")], "unauthorized_client"),
        (vec![("client_id", "spa"), ("grant_type", "password")], "unauthorized_client"),
        (vec![("client_id", "spa"), ("grant_type", "other")], "unsupported_grant_type"),
        (vec![("client_id", "spa")], "invalid_request"),
        (vec![("client_id", "spa"), ("grant_type", "authorization_code"), ("code", "x")], "invalid_grant"),
    ] {
        let (status, body) = answer(oidc.ask(&form)).await;
        assert_eq!((status, body["error"].as_str()), (400, Some(code)));
    }
    let (status, body) = answer(client().post(oidc.at("/token")).json(&json!({"client_id": "spa"}))).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_request")));
    let (status, body) = answer(client().get(oidc.at("/moon"))).await;
    assert_eq!((status, body["error"].as_str()), (501, Some("not_implemented")));
}

/// Answers without the port.
async fn story(oidc: &Oidc) -> Vec<String> {
    let mut seen = vec![oidc.code().await];
    seen.push(oidc.exchange(&seen[0].clone()).await.1.to_string());
    seen.push(answer(client().get(oidc.at("/jwks"))).await.1.to_string());
    seen
}

#[tokio::test]
async fn the_same_seed_gives_the_same_keys_codes_and_tokens() {
    let oidc = Oidc::open();
    let before = oidc.space.snapshot();
    let first = story(&oidc).await;
    oidc.space.restore(&before);
    assert_eq!(story(&oidc).await, first);
    let other = Oidc::open();
    assert_eq!(story(&other).await[2], first[2]);
}

#[tokio::test]
async fn a_test_ends_sign_ins_and_changes_keys() {
    let oidc = Oidc::open();
    let (_, tokens) = oidc.exchange(&oidc.code().await).await;
    assert_eq!(oidc.space.act("oidc", json!({"revoke_user": {"user": "ada"}})).unwrap()["revoked"], 2);
    assert_eq!(oidc.userinfo(&tokens["access_token"]).await, 401);
    assert!(oidc.space.act("oidc", json!({"revoke_user": {"user": "eve"}})).is_err());
    let kid = oidc.space.act("oidc", json!("rotate_keys")).unwrap()["kid"].clone();
    let (_, keys) = answer(client().get(oidc.at("/jwks"))).await;
    assert_eq!((keys["keys"].as_array().map(Vec::len), &keys["keys"][1]["kid"]), (Some(2), &kid));
    let state = oidc.space.state("oidc").unwrap();
    assert_eq!((&state["tokens"][0]["kind"], &state["tokens"][0]["status"]), (&json!("code"), &json!("used")));
}

#[tokio::test]
async fn a_forged_hint_ends_nobodys_tokens() {
    let oidc = Oidc::open();
    let (_, tokens) = oidc.exchange(&oidc.code().await).await;
    let real = tokens["id_token"].as_str().unwrap();
    let forged = format!("{}x", &real[..real.len() - 1]);
    for (hint, status) in [(forged.as_str(), 200), (real, 401)] {
        let logout = client().get(oidc.at("/logout")).query(&[("id_token_hint", hint)]);
        assert_eq!(logout.send().await.unwrap().status().as_u16(), 200);
        assert_eq!(oidc.userinfo(&tokens["access_token"]).await, status);
    }
}

impl Oidc {
    async fn begin_device(&self) -> Value {
        let form = [("client_id", "spa"), ("scope", "openid")];
        answer(client().post(self.at("/device_authorization")).form(&form)).await.1
    }

    async fn poll(&self, device: &Value) -> Value {
        let code = device["device_code"].as_str().unwrap();
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        answer(self.ask(&[("grant_type", grant), ("client_id", "spa"), ("device_code", code)])).await.1
    }
}

#[tokio::test]
async fn a_person_activates_a_device_on_its_page() {
    let mut config = config();
    config["sign_in"] = json!("form");
    let oidc = Oidc::with(config);
    let device = oidc.begin_device().await;
    let complete = device["verification_uri_complete"].as_str().unwrap();
    let page = client().get(complete).send().await.unwrap().text().await.unwrap();
    assert!(page.contains(&format!("name=\"user_code\" value=\"{}\"", device["user_code"].as_str().unwrap())));
    let code = device["user_code"].as_str().unwrap();
    let send = |code: &str, password: &str, decision: &str| {
        let form = [("user_code", code), ("username", "bob"), ("password", password), ("decision", decision)];
        client().post(oidc.at("/device")).form(&form).send()
    };
    assert_eq!(send(code, "wrong", "").await.unwrap().status(), 401);
    assert_eq!(send("\">", "hunter2", "").await.unwrap().status(), 401);
    assert_eq!(oidc.poll(&device).await["error"], "authorization_pending");
    assert_eq!(send(code, "hunter2", "").await.unwrap().status(), 200);
    assert!(oidc.poll(&device).await["id_token"].is_string());
    assert_eq!(oidc.poll(&device).await["error"], "invalid_grant");
    let other = oidc.begin_device().await;
    send(other["user_code"].as_str().unwrap(), "", "deny").await.unwrap();
    assert_eq!(oidc.poll(&other).await["error"], "access_denied");
    let shown = oidc.space.state("oidc").unwrap();
    let statuses = [&shown["device_codes"][0]["status"], &shown["device_codes"][1]["status"]];
    assert_eq!(statuses, ["used", "denied"]);
}

#[tokio::test]
async fn the_code_of_a_device_is_no_one_elses() {
    let oidc = Oidc::open();
    let device = oidc.begin_device().await;
    oidc.space.act("oidc", json!("approve_device")).unwrap();
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let code = device["device_code"].as_str().unwrap();
    let stolen = [("grant_type", grant), ("client_id", "web"), ("client_secret", "web-secret"), ("device_code", code)];
    assert_eq!(answer(oidc.ask(&stolen)).await.1["error"], "invalid_grant");
    assert!(oidc.poll(&device).await["access_token"].is_string());
    let again = oidc.space.act("oidc", json!("approve_device")).unwrap_err().to_string();
    assert!(again.contains("no device waits with this code"), "{again}");
    let form = [("client_id", "trusted"), ("client_secret", "t"), ("scope", "other")];
    let (status, body) = answer(client().post(oidc.at("/device_authorization")).form(&form)).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_scope")));
}

#[tokio::test]
async fn tokens_signed_with_rs256_are_the_same_bytes_again() {
    let mut config = config();
    config["signing"] = json!("RS256");
    let oidc = Oidc::with(config.clone());
    let first = story(&oidc).await;
    let keys: Value = serde_json::from_str(&first[2]).unwrap();
    assert_eq!((&keys["keys"][0]["alg"], &keys["keys"][0]["e"]), (&json!("RS256"), &json!("AQAB")));
    let (_, tokens) = oidc.exchange(&oidc.code().await).await;
    let hint = tokens["id_token"].as_str().unwrap();
    client().get(oidc.at("/logout")).query(&[("id_token_hint", hint)]).send().await.unwrap();
    assert_eq!(oidc.userinfo(&tokens["access_token"]).await, 401, "the twin knows its own signature");
    assert_eq!(story(&Oidc::with(config)).await[2], first[2]);
}
