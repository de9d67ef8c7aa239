//! Steps that talk to twins: faults, calls, state, actions.

use std::sync::Arc;

use async_trait::async_trait;
use axum::{Router, extract::State, http::StatusCode, routing::post};
use harness::{ExecOutput, ExecRequest, LaunchError, LaunchRequest, Launcher, Running, SubjectConfig, Verdict};

use crate::kit::{InProcess, config, plan, report, scenario, suite};

fn subject() -> SubjectConfig {
    config(
        "subject: shop\nstart: { argv: [shop], env: { STRIPE: \"{{ twins.stripe.url }}\" } }\nready: { tcp: true }\n\
         twins: { stripe: { account: { secret_key: sk_test_kit }, webhooks: [{ to: /hook, secret: whsec_kit, events: ['*'] }] } }\n",
    )
}

/// A shop that charges at the Stripe twin whose address it is launched with.
struct Shop;

#[derive(Clone)]
struct Stripe(Arc<str>);

async fn pay(State(stripe): State<Stripe>, amount: String) -> Result<String, (StatusCode, String)> {
    let form = [("amount", amount.as_str()), ("currency", "eur")];
    let request = reqwest::Client::new().post(format!("{}/v1/payment_intents", stripe.0)).form(&form);
    let gone = |error: reqwest::Error| (StatusCode::BAD_GATEWAY, error.to_string());
    let answer = request.header("authorization", "Bearer sk_test_kit").send().await.map_err(gone)?;
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
    let body = answer.text().await.map_err(gone)?;
    if status.is_success() { Ok(body) } else { Err((status, body)) }
}

#[async_trait]
impl Launcher for Shop {
    async fn launch(&self, request: LaunchRequest) -> Result<Box<dyn Running>, LaunchError> {
        let port: u16 = request.env["STRIPE"].rsplit(':').next().unwrap().parse().unwrap();
        assert_eq!(request.egress, [port], "the subject may reach its twins");
        let app = Router::new()
            .route("/pay", post(pay))
            .route("/hook", post(|| async { "" }))
            .with_state(Stripe(request.env["STRIPE"].as_str().into()));
        InProcess(app).launch(request).await
    }

    async fn exec(&self, _: ExecRequest) -> Result<ExecOutput, LaunchError> {
        unreachable!("no scenario here runs commands")
    }
}

async fn trial(rest: &str) -> harness::TrialRecord {
    report(plan(suite(vec![scenario("a", rest)]), subject()), &Shop).await.records.remove(0)
}

#[tokio::test]
async fn calls_state_and_captures_of_a_twin_can_be_asserted() {
    let record = trial(
        r#"
vars: { amount: "{{ random.int(100, 999) }}" }
steps:
  - http: { post: /pay, text: "{{ amount }}" }
    expect: { status: 200 }
    capture: { pi: $.id }
  - twin: stripe
    calls: { operation: payment_intents.create, where: { "$.request.form.amount": "{{ amount }}" } }
    expect: { count: 1, jsonpath: [{ path: "$[0].response.json.id", equals: "{{ pi }}" }], state: [{ path: "$.payment_intents", exists: true }] }
    capture: { same: "$[0].response.json.id" }
  - twin: stripe
    calls: { operation: payment_intents.create, where: { "$.response.json.id": "{{ same }}" } }
    expect: { count: { gte: 1, lte: 1 } }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
    assert_eq!(record.twin_calls, 1);
}

#[tokio::test]
async fn a_wrong_count_says_what_was_there() {
    let steps = "steps: [{ http: { post: /pay, text: '100' } }, { twin: stripe, calls: { operation: payment_intents.create, where: { $.request.form.amount: 200 } }, expect: { count: 1 } }]";
    let message = trial(steps).await.failure.unwrap().message;
    assert_eq!(
        message,
        "calls of stripe payment_intents.create where $.request.form.amount = 200: expected 1, got 0 (of 1 without the condition)"
    );
}

#[tokio::test]
async fn a_fault_hits_as_often_as_it_says() {
    let record = trial(
        r#"
steps:
  - fault: stripe
    rule: { operation: payment_intents.create, first: 1, kind: status, status: 503 }
  - http: { post: /pay, text: "100" }
    expect: { status: 503 }
  - http: { post: /pay, text: "100" }
    expect: { status: 200 }
  - twin: stripe
    calls: { operation: payment_intents.create }
    expect: { count: 2, jsonpath: [{ path: "$[0].fault", equals: status }, { path: "$[1].fault", equals: null }] }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
}

#[tokio::test]
async fn within_waits_for_calls_and_actions_reach_the_subject() {
    let record = trial(
        r#"
steps:
  - act: stripe
    do: { hold_webhooks: {} }
  - http: { post: /pay, text: "100" }
    expect: { status: 200 }
  - act: stripe
    do: { release_webhooks: {} }
  - twin: stripe
    calls: { within: 20s }
    expect: { state: [{ path: "$.webhooks.attempts[*].outcome", contains: "200" }] }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:?}", record.failure);
}

#[tokio::test]
async fn a_fault_rule_that_the_twin_refuses_is_not_the_subjects_fault() {
    let rest = "steps: [{ fault: stripe, rule: { operation: payment_intents.create, kind: hang, first: '{{ 0 }}' } }, { http: { post: /pay }, expect: { status: 200 } }]";
    let record = trial(rest).await;
    assert_eq!((record.verdict, record.attempt), (Verdict::Infra, 2));
}
