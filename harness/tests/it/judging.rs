//! `judge` steps: a panel's verdict, and what happens without one.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{Router, routing::get};
use harness::{Outcome, Verdict};
use judges::{Ask, AskError, Prompt};

use crate::kit::{InProcess, Ran, in_process, plan, report_judged, scenario, suite};

const STEPS: &str = r#"
steps:
  - http: { get: / }
    expect: { status: 200 }
    capture: { mail: { regex: "(?s)(.*)" } }
  - judge: { criterion: The mail greets the buyer, evidence: { mail: "{{ mail }}" } }
"#;

/// Passes what holds "Dear"; `Err` for one that is out of order.
struct Greeter(Result<(), AskError>);

#[async_trait]
impl Ask for Greeter {
    async fn ask(&self, prompt: Prompt) -> Result<String, AskError> {
        self.0.clone()?;
        let pass = prompt.user.contains("Dear");
        Ok(format!(r#"{{"pass": {pass}, "reason": "a salutation is looked for", "quote": "Ann"}}"#))
    }
}

async fn judged(mail: &'static str, ask: Option<Greeter>, rest: &str) -> Ran {
    let app = Router::new().route("/", get(move || async move { mail }));
    let ask = ask.map(|ask| Arc::new(ask) as Arc<dyn Ask>);
    let plan = plan(suite(vec![scenario("a", rest)]), in_process());
    report_judged(plan, &InProcess(app), ask).await
}

#[tokio::test]
async fn the_panel_decides() {
    let report = judged("Dear Ann", Some(Greeter(Ok(()))), STEPS).await;
    assert_eq!(report.outcome, Outcome::Satisfied);
    assert_eq!(report.records[0].judge[0].votes.len(), 3);
    let report = judged("Ann!", Some(Greeter(Ok(()))), STEPS).await;
    assert_eq!(report.outcome, Outcome::Unsatisfied);
    let message = &report.records[0].failure.as_ref().unwrap().message;
    assert!(message.starts_with("judge: expected The mail greets the buyer, got 3 of 3 votes against it"), "{message}");
}

#[tokio::test]
async fn without_an_answer_a_trial_is_neither_passed_nor_failed() {
    for ask in [None, Some(Greeter(Err(AskError::new("overloaded"))))] {
        let report = judged("Dear Ann", ask, STEPS).await;
        assert_eq!((report.records[0].verdict, report.count().valid), (Verdict::Unjudged, 0));
        assert_eq!((report.outcome, report.exit_code(), report.invalid.len()), (Outcome::Infra, 5, 1));
    }
}

#[tokio::test]
async fn a_rule_that_fails_after_an_unanswered_judge_still_counts() {
    let rest = format!("{STEPS}  - http: {{ get: / }}\n    expect: {{ status: 500 }}\n");
    let report = judged("Dear Ann", None, &rest).await;
    assert_eq!(report.records[0].verdict, Verdict::Unsatisfied);
}

/// Keeps what it is asked, and passes everything.
#[derive(Default)]
struct Listener(Mutex<String>);

#[async_trait]
impl Ask for Listener {
    async fn ask(&self, prompt: Prompt) -> Result<String, AskError> {
        self.0.lock().unwrap().push_str(&format!("{prompt:?}"));
        Ok(r#"{"pass": true, "reason": "it is fine", "quote": "Dear Ann"}"#.to_owned())
    }
}

#[tokio::test]
async fn a_judge_is_told_no_secret() {
    let rest = "vars: { token: none }\nsteps:\n  - judge: { criterion: 'No {{ token }} is told', evidence: { mail: 'Dear Ann, {{ token | upper }} {{ token }}' } }\n";
    let mut plan = plan(suite(vec![scenario("a", rest)]), in_process());
    plan.vars.insert("token".to_owned(), "sesame-93".into());
    plan.secrets.insert("token".to_owned());
    let listener = Arc::new(Listener::default());
    let report = report_judged(plan, &InProcess(Router::new()), Some(listener.clone())).await;
    assert_eq!(report.outcome, Outcome::Satisfied, "{:?}", report.records);
    let asked = listener.0.lock().unwrap().clone();
    assert!(asked.contains("Dear Ann, [redacted] [redacted]") && asked.contains("No [redacted] is told"), "{asked}");
    assert!(!asked.to_lowercase().contains("sesame"), "{asked}");
}
