//! Which requests a rule hits: windows and quotas of virtual time; and answers that are behind the times.

use jiff::SignedDuration;
use serde_json::json;
use twins::Space;

use super::{CREATE, rule, shop};
use crate::support::{Stripe, answer, header, post_json, space};

fn later(space: &Space, ms: i64) {
    space.advance_to(space.now() + SignedDuration::from_millis(ms)).unwrap();
}

async fn statuses(stripe: &Stripe, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(stripe.pay("pm_card_visa").send().await.unwrap().status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn a_rule_holds_in_its_window_of_virtual_time_only() {
    let (space, stripe) = shop();
    let window = json!({"operation": CREATE, "kind": "status", "from_ms": 2, "until_ms": 4});
    space.fault("stripe", rule(window)).unwrap();
    assert_eq!(statuses(&stripe, 5).await, [200, 500, 500, 200, 200]);
    assert_eq!(space.faults("stripe").unwrap()[0].matched, 2);
}

#[tokio::test]
async fn a_quota_limits_each_window_and_says_when_the_next_begins() {
    let (space, stripe) = shop();
    let quota = json!({"operation": "*", "kind": "quota", "limit": 2, "window_ms": 10_000});
    space.fault("stripe", rule(quota)).unwrap();
    assert_eq!(statuses(&stripe, 2).await, [200, 200]);
    let limited = stripe.pay("pm_card_visa").send().await.unwrap();
    assert_eq!((limited.status().as_u16(), header(&limited, "retry-after")), (429, "10".to_owned()));
    later(&space, 6_500);
    let limited = stripe.pay("pm_card_visa").send().await.unwrap();
    assert_eq!(header(&limited, "retry-after"), "4");
    later(&space, 4_000);
    assert_eq!(statuses(&stripe, 3).await, [200, 200, 429]);
}

#[tokio::test]
async fn a_stale_read_does_not_know_of_the_latest_calls() {
    let (space, stripe) = shop();
    let list = |query: &str| answer(stripe.get(&format!("/v1/payment_intents{query}")));
    let stale = json!({"operation": "payment_intents.list", "kind": "stale_read", "lag_calls": 1});
    space.fault("stripe", rule(stale)).unwrap();
    answer(stripe.pay("pm_card_visa")).await;
    assert_eq!(list("").await.1["data"], json!([]));
    assert_eq!(list("").await.1["data"].as_array().unwrap().len(), 1);
    answer(stripe.pay("pm_card_visa")).await;
    assert_eq!(list("").await.1["data"].as_array().unwrap().len(), 1);
    space.clear_faults("stripe").unwrap();
    assert_eq!(list("").await.1["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_stale_read_can_be_behind_by_virtual_time() {
    let (space, stripe) = shop();
    space.fault("stripe", rule(json!({"kind": "stale_read", "lag_ms": 5_000}))).unwrap();
    let charges = || async { answer(stripe.get("/v1/charges")).await.1["data"].as_array().unwrap().len() };
    answer(stripe.pay("pm_card_visa")).await;
    later(&space, 3_000);
    answer(stripe.pay("pm_card_visa")).await;
    assert_eq!(charges().await, 0);
    later(&space, 3_000);
    assert_eq!(charges().await, 1);
    later(&space, 3_000);
    assert_eq!(charges().await, 2);
    // Payments are no reads: `*` leaves them alone.
    assert_eq!(space.state("stripe").unwrap()["charges"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_stale_answer_draws_no_ids_and_leaves_no_trace() {
    let ids = |stale: bool| async move {
        let space = space();
        let slack = space.serve("slack", json!({})).unwrap();
        let read = || post_json(&slack, "/api/conversations.list", "xoxb-twin", &json!({}));
        if stale {
            let rule = rule(json!({"operation": "conversations.list", "kind": "stale_read", "lag_calls": 3}));
            space.fault("slack", rule).unwrap();
        }
        read().send().await.unwrap();
        let post = post_json(&slack, "/api/chat.postMessage", "xoxb-twin", &json!({"channel": "general", "text": "x"}));
        answer(post).await.1["ts"].clone()
    };
    assert_eq!(ids(true).await, ids(false).await);
}

#[tokio::test]
async fn a_call_names_the_rule_that_hit_it() {
    let (space, stripe) = shop();
    for (operation, kind) in [("charges.list", "status"), (CREATE, "rate_limit")] {
        space.fault("stripe", rule(json!({"operation": operation, "kind": kind}))).unwrap();
    }
    statuses(&stripe, 1).await;
    let call = &space.calls("stripe", None)[0];
    assert_eq!((call.rule, call.fault.map(|fault| json!(fault))), (Some(2), Some(json!("rate_limit"))));
}
