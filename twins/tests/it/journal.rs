//! Questions about what was called: found, counted, awaited, in order, nearly; and the journal as a file.

use std::time::Duration;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use twins::{CallQuery, Served, Space};

use crate::support::{Stripe, answer, client, post_json, serve_stripe, space};

struct World {
    space: Space,
    stripe: Stripe,
    slack: Served,
}

impl World {
    fn open() -> Self {
        let space = space();
        let (stripe, slack) = (serve_stripe(&space), space.serve("slack", Value::Null).unwrap());
        Self { space, stripe, slack }
    }

    fn tell(&self, text: &str) -> RequestBuilder {
        post_json(&self.slack, "/api/chat.postMessage", "xoxb-twin", &json!({"channel": "general", "text": text}))
    }

    /// A payment, a message about it, a payment that is declined.
    async fn trade(&self) {
        answer(self.stripe.pay("pm_card_visa")).await;
        answer(self.tell("sold")).await;
        answer(self.stripe.pay("pm_card_chargeDeclined")).await;
    }
}

fn query(value: Value) -> CallQuery {
    serde_json::from_value(value).unwrap()
}

fn seqs(world: &World, value: Value) -> Vec<u64> {
    world.space.find(&query(value)).unwrap().iter().map(|call| call.seq).collect()
}

#[tokio::test]
async fn calls_are_found_over_all_twins_by_what_was_asked_and_answered() {
    let world = World::open();
    world.trade().await;
    assert_eq!(seqs(&world, json!({})), [1, 2, 3]);
    assert_eq!(seqs(&world, json!({"twin": "stripe"})), [1, 3]);
    assert_eq!(seqs(&world, json!({"operation": "chat.postMessage"})), [2]);
    assert_eq!(seqs(&world, json!({"status": 402})), [3]);
    assert_eq!(seqs(&world, json!({"after_seq": 2})), [3]);
    assert_eq!(seqs(&world, json!({"where": {"$.request.form.amount": 2400, "$.response.status": 200}})), [1]);
    assert_eq!(world.space.count(&query(json!({"where": {"$.response.json.ok": true}}))).unwrap(), 1);
    assert_eq!(seqs(&world, json!({"fault": "hang"})), [0_u64; 0]);
}

#[tokio::test]
async fn a_question_about_what_does_not_exist_is_refused() {
    let world = World::open();
    let refused = |value| world.space.find(&query(value)).unwrap_err().to_string();
    assert!(refused(json!({"twin": "stirpe"})).contains("not served"));
    assert!(refused(json!({"twin": "stripe", "operation": "refunds.creat"})).contains("no operation `refunds.creat`"));
    assert!(refused(json!({"where": {"request": 1}})).contains("no JSON path"));
    assert!(serde_json::from_value::<CallQuery>(json!({"twn": "stripe"})).is_err());
}

#[tokio::test]
async fn a_wait_ends_with_the_last_call_that_it_needs() {
    let world = World::open();
    let wanted = query(json!({"twin": "stripe", "status": 200}));
    let waiting = world.space.wait_for(&wanted, 2, Duration::from_secs(20));
    let paying = async {
        for card in ["pm_card_visa", "pm_card_chargeDeclined", "pm_card_visa"] {
            answer(world.stripe.pay(card)).await;
        }
    };
    let (found, ()) = tokio::join!(waiting, paying);
    assert_eq!(found.unwrap().iter().map(|call| call.seq).collect::<Vec<_>>(), [1, 3]);
}

#[tokio::test]
async fn a_wait_in_vain_says_what_came_nearest() {
    let world = World::open();
    world.trade().await;
    let wanted = query(json!({"twin": "stripe", "where": {"$.request.form.amount": 100}}));
    let error = world.space.wait_for(&wanted, 1, Duration::from_millis(1)).await.unwrap_err().to_string();
    assert!(error.starts_with("0 of 1 calls"), "{error}");
    assert!(
        error.contains("call 3 (stripe payment_intents.create); $.request.form.amount is \"2400\", not 100"),
        "{error}"
    );
}

#[tokio::test]
async fn near_misses_are_the_calls_with_the_fewest_differences() {
    let world = World::open();
    world.trade().await;
    let asked = query(json!({"twin": "slack", "status": 200, "where": {"$.request.json.text": "refunded"}}));
    let misses = world.space.near_misses(&asked, 2).unwrap();
    assert_eq!(misses.iter().map(|miss| miss.seq).collect::<Vec<_>>(), [2, 1]);
    let differences = serde_json::to_value(&misses[0].differences).unwrap();
    assert_eq!(differences, json!([{"field": "$.request.json.text", "expected": "refunded", "found": "sold"}]));
}

#[tokio::test]
async fn order_holds_across_services_or_names_the_step_that_is_missing() {
    let world = World::open();
    world.trade().await;
    let order = |steps: Value| {
        let steps: Vec<CallQuery> = serde_json::from_value(steps).unwrap();
        let order = world.space.in_order(&steps).unwrap();
        (order.found, order.missing)
    };
    assert_eq!(order(json!([{"twin": "stripe"}, {"twin": "slack"}, {"status": 402}])), (vec![1, 2, 3], None));
    assert_eq!(order(json!([{"twin": "stripe"}, {"status": 402}])), (vec![1, 3], None));
    assert_eq!(order(json!([{"twin": "slack"}, {"twin": "slack"}])), (vec![2], Some(1)));
    assert_eq!(order(json!([{"status": 402}, {"twin": "slack"}])), (vec![3], Some(1)));
}

#[tokio::test]
async fn rules_that_never_fired_and_fields_that_nobody_read_are_named() {
    let world = World::open();
    for (operation, kind) in [("refunds.create", "hang"), ("payment_intents.create", "latency")] {
        let rule = json!({"operation": operation, "kind": kind, "first": 1});
        world.space.fault("stripe", serde_json::from_value(rule).unwrap()).unwrap();
    }
    world.trade().await;
    let unfired = serde_json::to_value(world.space.unfired_faults()).unwrap();
    assert_eq!(unfired["stripe"].as_array().unwrap().len(), 1);
    assert_eq!(unfired["stripe"][0]["rule"]["operation"], "refunds.create");
    assert_eq!(serde_json::to_value(world.space.unread_fields()).unwrap(), json!({}));
    let odd = json!({"channel": "general", "text": "x", "parse": "full"});
    answer(post_json(&world.slack, "/api/chat.postMessage", "xoxb-twin", &odd)).await;
    let unread = serde_json::to_value(world.space.unread_fields()).unwrap();
    assert_eq!(unread, json!({"slack": {"chat.postMessage": ["parse"]}}));
}

#[tokio::test]
async fn an_export_proves_itself_and_ends_where_the_journal_does() {
    let world = World::open();
    world.trade().await;
    let text = world.space.export_jsonl(0, usize::MAX);
    let proof = twins::verify_journal(text.as_bytes()).unwrap();
    assert_eq!((proof.calls, proof.head), (3, world.space.journal_head()));
    assert!(!text.contains("sk_test_shop"), "credentials are shortened");
    let page = world.space.export_jsonl(1, 1);
    assert_eq!((page.lines().count(), twins::verify_journal(page.as_bytes()).unwrap().first_seq), (1, 2));
    let changed = text.replacen("2400", "2401", 1);
    assert!(twins::verify_journal(changed.as_bytes()).unwrap_err().to_string().starts_with("line 1: call 1"));
}

/// What the HAR 1.2 specification demands of an object: each name with the kind of its value.
fn demand(object: &Value, members: &[(&str, &str)]) {
    for (name, kind) in members {
        let value = &object[name];
        let fits = match *kind {
            "text" => value.is_string(),
            "number" => value.is_number(),
            "list" => value.is_array(),
            "pairs" => {
                let pairs = value.as_array().unwrap();
                pairs.iter().all(|pair| pair["name"].is_string() && pair["value"].is_string())
            }
            _ => value.is_object(),
        };
        assert!(fits, "{name} must be {kind}: {object}");
    }
}

#[tokio::test]
async fn a_har_export_has_what_the_format_demands() {
    let world = World::open();
    let hang = json!({"operation": "charges.list", "kind": "reset"});
    world.space.fault("stripe", serde_json::from_value(hang).unwrap()).unwrap();
    world.trade().await;
    world.stripe.get("/v1/charges?limit=2").send().await.unwrap_err();
    let har = world.space.export_har(0, usize::MAX);
    demand(&har["log"], &[("version", "text"), ("creator", "object"), ("entries", "list")]);
    demand(&har["log"]["creator"], &[("name", "text"), ("version", "text")]);
    let entries = har["log"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 4);
    for entry in entries {
        demand(entry, &[("startedDateTime", "text"), ("time", "number"), ("request", "object")]);
        demand(entry, &[("response", "object"), ("cache", "object"), ("timings", "object")]);
        demand(&entry["timings"], &[("send", "number"), ("wait", "number"), ("receive", "number")]);
        let common = [("httpVersion", "text"), ("headersSize", "number"), ("bodySize", "number"), ("cookies", "list")];
        for part in ["request", "response"] {
            demand(&entry[part], &common);
            demand(&entry[part], &[("headers", "pairs")]);
        }
        demand(&entry["request"], &[("method", "text"), ("url", "text"), ("queryString", "pairs")]);
        demand(&entry["response"], &[("status", "number"), ("statusText", "text"), ("redirectURL", "text")]);
        demand(&entry["response"]["content"], &[("size", "number"), ("mimeType", "text")]);
        assert!(entry["startedDateTime"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        assert!(reqwest::Url::parse(entry["request"]["url"].as_str().unwrap()).is_ok());
    }
    demand(&entries[0]["request"]["postData"], &[("mimeType", "text"), ("params", "list"), ("text", "text")]);
    assert_eq!(entries[3]["request"]["queryString"], json!([{"name": "limit", "value": "2"}]));
    assert_eq!((&entries[3]["response"]["status"], &entries[3]["_fault"]), (&json!(0), &json!("reset")));
}

#[tokio::test]
async fn the_admin_api_answers_the_same_questions() {
    let world = World::open();
    let admin = twins::serve_admin(&world.space, 0).unwrap();
    let ask = |path: &str, body: Value| answer(client().post(format!("{admin}/journal/{path}")).json(&body));
    let get = |path: &str| client().get(format!("{admin}/journal{path}")).send();
    world.trade().await;
    assert_eq!(ask("find", json!({"status": 402})).await.1[0]["seq"], 3);
    assert_eq!(ask("count", json!({"twin": "stripe"})).await.1, json!({"count": 2}));
    assert_eq!(ask("order", json!([{"twin": "slack"}, {"twin": "slack"}])).await.1["missing"], 1);
    assert_eq!(ask("near-misses", json!({"status": 500})).await.1.as_array().unwrap().len(), 3);
    assert_eq!(ask("wait", json!({"query": {"status": 402}})).await.1.as_array().unwrap().len(), 1);
    let (status, body) = ask("wait", json!({"query": {"status": 500}, "within_ms": 1})).await;
    assert_eq!((status, body["error"].as_str().unwrap().contains("0 of 1 calls")), (408, true));
    assert_eq!(ask("find", json!({"twin": "stripe", "operation": "x"})).await.0, 400);
    let exported = get("/export?after=1").await.unwrap().text().await.unwrap();
    assert_eq!(twins::verify_journal(exported.as_bytes()).unwrap().calls, 2);
    let har: Value = get("/export?format=har&limit=1").await.unwrap().json().await.unwrap();
    assert_eq!(har["log"]["entries"].as_array().unwrap().len(), 1);
    assert_eq!(get("/unfired").await.unwrap().json::<Value>().await.unwrap(), json!({}));
    let head: Value = get("").await.unwrap().json().await.unwrap();
    assert_eq!(head["head"], world.space.journal_head());
}
