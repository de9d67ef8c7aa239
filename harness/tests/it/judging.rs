//! `judge` steps: a panel's verdict, and what happens without one.

use std::sync::Arc;

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
