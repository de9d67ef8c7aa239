//! `wait` for something, `budget`, and the order of calls: on real twins and real files.

use std::io::Write as _;

use axum::{Router, routing::get};
use harness::{SubjectConfig, TrialRecord, Verdict};

use crate::kit::{config, failure, python, python_trial, refused, trial};

/// Commands that call twins. The script lives as long as the file.
struct Caller(tempfile::NamedTempFile);

impl Caller {
    fn new() -> Self {
        let mut script = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
        script.write_all(b"script: kit\nmodel: twin-1\nusage: { input_tokens_per_char: 1, output_tokens_per_char: 2 }\nturns:\n  - turn: hello\n    when: {}\n    say: hello\n").unwrap();
        Self(script)
    }

    fn subject(&self) -> SubjectConfig {
        let twins = format!(
            "stripe: {{ account: {{ secret_key: sk_test_kit }} }}, sendgrid: {{ api_key: sk_test_kit }}, anthropic: {{ script: {} }}",
            self.0.path().display()
        );
        config(&format!(
            "subject: caller\ntwins: {{ {twins} }}\nprices: {{ twin-1: {{ input_usd: 1000, output_usd: 10000 }} }}\n"
        ))
    }

    async fn trial(&self, steps: &str) -> TrialRecord {
        let call = |twin: &str, path: &str| format!("\"{{{{ twins.{twin}.url }}}}{path}\"");
        let message = |stream: bool| {
            let body = serde_json::json!({ "model": "twin-1", "max_tokens": 10, "stream": stream, "messages": [{ "role": "user", "content": "hi" }] });
            format!("{}, {}", call("anthropic", "/v1/messages"), serde_json::json!(body.to_string()))
        };
        let mail = serde_json::json!({ "personalizations": [{ "to": [{ "email": "a@example.com" }] }], "from": { "email": "b@example.com" }, "subject": "s", "content": [{ "type": "text/plain", "value": "v" }] });
        let steps = steps
            .replace("CHARGE", &format!("{}, 'amount=100&currency=eur'", call("stripe", "/v1/payment_intents")))
            .replace("MAIL", &format!("{}, {}", call("sendgrid", "/v3/mail/send"), serde_json::json!(mail.to_string())))
            .replace("STREAM", &message(true))
            .replace("ASK", &message(false))
            .replace("CALL", "python3, caller.py");
        python_trial(self.subject(), &steps).await
    }
}

fn last(record: &TrialRecord) -> Vec<String> {
    record.steps.last().unwrap().mismatches.clone()
}

#[tokio::test]
async fn the_order_of_calls_can_be_asserted_over_twins() {
    let caller = Caller::new();
    let look = |order: &str| {
        format!(
            "steps:\n  - exec: {{ argv: [CALL, CHARGE, CHARGE, MAIL] }}\n  - twin: stripe\n    expect: {{ order: {order} }}\n"
        )
    };
    let right = caller.trial(&look("[payment_intents.create, sendgrid/mail.send]")).await;
    assert_eq!(right.verdict, Verdict::Satisfied, "{:#?}", right.failure);
    let wrong = caller.trial(&look("[sendgrid/mail.send, payment_intents.create]")).await;
    assert_eq!(
        last(&wrong),
        [
            "order of calls of stripe: expected sendgrid/mail.send, payment_intents.create, got payment_intents.create, sendgrid/mail.send"
        ]
    );
    let missing = caller.trial(&look("[payment_intents.create, refunds.create]")).await;
    assert_eq!(last(&missing).len(), 1);
    let again = "steps:\n  - exec: { argv: [CALL, MAIL, CHARGE, MAIL] }\n  - twin: stripe\n    expect: { order: [payment_intents.create, sendgrid/mail.send] }\n";
    assert_eq!(caller.trial(again).await.verdict, Verdict::Unsatisfied, "a mail before the charge is no order");
}

#[test]
fn an_order_of_what_does_not_exist_is_refused() {
    let order = |rest: &str| refused(&format!("steps: [{{ twin: stripe, {rest} }}]"));
    assert!(order("expect: { order: [payments.make] }").contains("has no operation `payments.make`"));
    assert!(order("expect: { order: [paypal/pay] }").contains("there is no twin `paypal`"));
    assert!(order("expect: { order: [refunds.create, refunds.create] }").contains("repeats in a row count once"));
    assert!(
        order("calls: { operation: refunds.create }, expect: { order: [refunds.create] }")
            .contains("`order` names operations itself")
    );
}

#[tokio::test]
async fn what_a_trial_used_is_held_against_its_budget() {
    let caller = Caller::new();
    let used = "steps:\n  - exec: { argv: [CALL, ASK, STREAM, CHARGE] }\n  - budget: { time: 5m, requests: 0, twin_calls: 3, tokens: 1000, usd: 5 }\n";
    let record = caller.trial(used).await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
    let used = &record.steps[1].evidence["used"];
    let tokens = used["tokens"].as_u64().unwrap();
    assert!(tokens > 20, "two answers of `hello` cost 10 tokens each, and the questions more: {used}");
    assert_eq!(used["tokens_by_model"]["twin-1"], tokens);
    assert!(used["cost_usd"].as_f64().unwrap() > 0.2, "{used}");

    let over = "steps:\n  - exec: { argv: [CALL, ASK, CHARGE] }\n  - budget: { time: 0ms, twin_calls: 1, tokens: 1, usd: 0.000001 }\n";
    let names: Vec<_> =
        last(&caller.trial(over).await).iter().map(|text| text.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["time", "twin calls", "tokens", "cost"]);
}

#[tokio::test]
async fn a_price_of_the_step_goes_first_and_none_is_guessed() {
    let caller = Caller::new();
    let own = "steps:\n  - exec: { argv: [CALL, ASK] }\n  - budget: { usd: 0, prices: { twin-1: { input_usd: 0, output_usd: 0 } } }\n";
    assert_eq!(caller.trial(own).await.verdict, Verdict::Satisfied);
    let ask = "\"{{ twins.anthropic.url }}/v1/messages\"";
    let subject = format!("subject: caller\ntwins: {{ anthropic: {{ script: {} }} }}\n", caller.0.path().display());
    let body = r#"'{"model": "twin-1", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}'"#;
    let steps =
        format!("steps:\n  - exec: {{ argv: [python3, caller.py, {ask}, {body}] }}\n  - budget: {{ usd: 1 }}\n");
    let record = python_trial(config(&subject), &steps).await;
    assert_eq!(record.verdict, Verdict::Infra);
    assert!(record.failure.unwrap().message.contains("the price of `twin-1` is not known"));
}

#[tokio::test]
async fn requests_to_the_subject_are_counted() {
    let app = || Router::new().route("/", get(|| async { "hi" }));
    let steps = |most| {
        format!(
            "steps: [{{ http: {{ get: / }} }}, {{ http: {{ get: / }}, expect: {{ status: 200 }} }}, {{ budget: {{ requests: {most} }} }}]"
        )
    };
    assert_eq!(trial(app(), &steps(2)).await.verdict, Verdict::Satisfied);
    assert_eq!(failure(app(), &steps(1)).await, "requests: expected at most 1, got 2");
}

#[test]
fn a_budget_that_limits_nothing_is_refused() {
    assert!(refused("steps: [{ budget: {} }]").contains("the budget limits nothing"));
    assert!(refused("steps: [{ budget: { usd: -1 } }]").contains("0 or more"));
    assert!(refused("steps: [{ budget: { tokens: 1, coffee: 2 } }]").contains("unknown field `coffee`"));
}

#[tokio::test]
async fn a_wait_ends_when_its_sign_is_there() {
    let record = python_trial(
        python("talks"),
        r#"
steps:
  - wait: { http: /health, within: 20s }
  - wait: { log: "ledger opened at .*note", within: 20s }
  - wait: { port: "{{ subject.port }}", within: 20s }
  - wait: { until: "{{ live.requests == 0 and live.elapsed_ms >= 0 and 'ledger' in live.log }}", within: 20s }
  - http: { post: /, json: { a: 1 } }
  - wait: { file: "{{ data_dir }}/note.json", within: 20s, every: 1ms }
  - http: { get: /crash }
    retry: { until_pass_within: 1ms, every: 1ms }
    expect: { status: 599 }
"#,
    )
    .await;
    assert_eq!(record.steps.len(), 7, "{:#?}", record.failure);
    assert!(record.steps[..6].iter().all(|step| step.mismatches.is_empty()), "{:#?}", record.steps);
    let ended =
        python_trial(python("talks"), "steps: [{ exec: { argv: ['true'] } }, { wait: { ended: true, within: 30ms } }]")
            .await;
    assert_eq!(last(&ended), ["wait: expected the subject to end within 30ms, got it runs"]);
}

#[tokio::test]
async fn a_sign_that_does_not_come_fails_the_step() {
    // A server of this process: how fast another one starts and answers says nothing here.
    let subject = || Router::new().route("/", get(|| async { "hi" }));
    for (sign, said) in [
        ("http: /none, within: 1s", "`GET /none` to answer 2xx within 1s, got status 404"),
        ("log: never, within: 30ms", "the log to match `never` within 30ms, got no such line"),
        ("port: 1, within: 30ms", "port 1 within 30ms, got Connection refused"),
        ("file: none.txt, within: 30ms", "the file none.txt within 30ms, got nothing there"),
        ("file: /etc/passwd, within: 30ms", "got it is outside of the subject's tree"),
        (
            "until: '{{ live.requests > 99 }}', within: 30ms",
            "`{{ live.requests > 99 }}` within 30ms, got false, with live = {",
        ),
    ] {
        let record = trial(subject(), &format!("steps: [{{ wait: {{ {sign} }} }}]")).await;
        assert_eq!(record.verdict, Verdict::Unsatisfied);
        assert!(last(&record)[0].contains(said), "{:?}", last(&record));
    }
    let hangs = Router::new().route("/", get(std::future::pending::<String>));
    let message = failure(hangs, "steps: [{ wait: { http: /, within: 50ms } }]").await;
    assert_eq!(message, "wait: expected `GET /` to answer 2xx within 50ms, got no answer");
}

#[tokio::test]
async fn a_condition_that_is_none_is_the_authors() {
    let record = python_trial(python(""), "steps: [{ wait: { until: '{{ live.requests }}', within: 1s } }]").await;
    assert!(record.failure.unwrap().message.contains("a condition is true or false; this is 0"));
}

#[test]
fn a_wait_without_an_end_is_refused() {
    let wait = |rest: &str| {
        refused(&format!("steps: [{{ wait: {{ {rest} }} }}, {{ exec: {{ argv: [a] }}, expect: {{ exit: 0 }} }}]"))
    };
    assert!(wait("port: 1").contains("how long to wait at most is not said"));
    assert!(wait("port: 1, within: 61s").contains("at most 1m"));
    assert!(wait("for: 61s").contains("at most 1m"));
    assert!(wait("").contains("one of for, until, port"));
    assert!(wait("for: 1s, port: 1").contains("one of for, until, port"));
    assert!(wait("ended: false, within: 1s").contains("`ended: true`"));
    assert!(wait("for: 1s, within: 2s").contains("belong to a wait for something"));
    assert!(wait("until: 'yes', within: 1s").contains("the condition never changes"));
    assert!(wait("http: x, within: 1s").contains("relative to the subject"));
    assert!(wait("log: '[', within: 1s").contains("no regular expression"));
    assert!(
        refused("steps: [{ exec: { argv: ['{{ live.requests }}'] }, expect: { exit: 0 } }]")
            .contains("nothing defines `live`")
    );
}

/// One forbidden call, and then so much that the twin does not keep it.
#[tokio::test]
async fn calls_that_are_not_known_any_more_are_no_proof() {
    let caller = Caller::new();
    let flood = "import sys, urllib.request\nfor n in range(4):\n  try: urllib.request.urlopen(sys.argv[1], b'x' * 20_000_000)\n  except OSError: pass\n";
    let calls = |then: &str| {
        let flood = serde_json::json!(flood);
        format!(
            "steps:\n  - exec: {{ argv: [CALL, ASK] }}\n  - exec: {{ argv: [python3, -c, {flood}, \"{{{{ twins.anthropic.url }}}}/v1/messages\"], timeout: 60s }}\n  - {then}\n"
        )
    };
    for then in [
        "{ twin: anthropic, calls: { where: { $.response.status: 200 } }, expect: { count: 0 } }",
        "{ twin: anthropic, expect: { order: [messages.create] } }",
        "{ wait: { until: '{{ live.calls.anthropic == 4 }}', within: 1s } }",
        "{ budget: { twin_calls: 4 } }",
    ] {
        let record = caller.trial(&calls(then)).await;
        assert_eq!(record.verdict, Verdict::Unsatisfied, "{then}: {:#?}", record.steps);
        assert!(
            last(&record)[0].starts_with("calls of the twins: expected no more than the twins keep"),
            "{record:#?}"
        );
        assert_eq!(record.twin_calls, 5);
    }
}
