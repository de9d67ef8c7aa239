//! Stubs of a declared twin.

use serde_json::json;

use super::{declared, get, parcels, post};
use crate::support::{answer, client, header};

#[tokio::test]
async fn a_stub_matches_answers_and_moves_its_scenario() {
    let (space, served) = parcels();
    let (_, price) = answer(post(&served, "/v1/prices/eu%20west", &json!({"weight": 3}))).await;
    assert_eq!(price, json!({"zone": "eu west", "cents": 21}));
    assert_eq!(answer(post(&served, "/v1/prices/eu", &json!({"weight": "x"}))).await.0, 501);
    let door = async || get(&served, "/door").send().await.unwrap().text().await.unwrap();
    assert_eq!((door().await, door().await, door().await), ("closed".into(), "open".into(), "open".into()));
    assert_eq!(space.state("parcels").unwrap()["scenarios"]["door"], "open");
    assert_eq!(space.calls("parcels", Some("stub.door-open")).len(), 2);
    space.reset();
    assert_eq!(door().await, "closed");
}

#[tokio::test]
async fn a_state_is_never_served_twice() {
    let (_space, served) = parcels();
    for _ in 0..20 {
        let client = client();
        let calls = (0..24).map(|_| {
            let request = client.get(format!("{}/door", served.base_url));
            async move { request.send().await.unwrap().text().await.unwrap() }
        });
        let texts = futures::future::join_all(calls).await;
        assert_eq!(texts.iter().filter(|text| *text == "closed").count(), 1);
        _space.reset();
    }
}

#[tokio::test]
async fn priority_and_then_age_decide() {
    let (_space, served) = declared(
        "twin: it\nstubs:\n\
         - { path: /a, answer: { text: first } }\n\
         - { path: /a, answer: { text: second } }\n\
         - { path_matches: '/a|/b', priority: 9, answer: { text: fallback } }\n\
         - { path: /a, query: { q: '1' }, priority: 1, answer: { text: urgent } }\n",
    );
    let text = async |path: &str| get(&served, path).send().await.unwrap().text().await.unwrap();
    assert_eq!(text("/a").await, "second");
    assert_eq!(text("/a?q=1").await, "urgent");
    assert_eq!(text("/b").await, "fallback");
}

#[tokio::test]
async fn stubs_break_the_wire_and_take_their_time() {
    let (_space, served) = declared(
        "twin: it\nstubs:\n\
         - { path: /reset, answer: { fault: reset } }\n\
         - { path: /empty, answer: { fault: empty } }\n\
         - { path: /late, answer: { text: ok, delay: { uniform: { lower_ms: 1, upper_ms: 3 } } } }\n\
         - { path: /drip, answer: { text: 'a long text', dribble: { pieces: 4, over_ms: 8 } } }\n\
         - { path: /raw, answer: { base64: AAEC, headers: { Content-Type: application/x-raw } } }\n",
    );
    assert!(get(&served, "/reset").send().await.is_err());
    assert!(get(&served, "/empty").send().await.is_err());
    assert_eq!(get(&served, "/late").send().await.unwrap().text().await.unwrap(), "ok");
    assert_eq!(get(&served, "/drip").send().await.unwrap().text().await.unwrap(), "a long text");
    let raw = get(&served, "/raw").send().await.unwrap();
    assert_eq!(header(&raw, "content-type"), "application/x-raw");
    assert_eq!(raw.bytes().await.unwrap().as_ref(), [0, 1, 2]);
}
