//! Whole runs: seeds, resumption, early stops, records that must be durable.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use harness::{
    ExecOutput, ExecRequest, Flake, Gate, LaunchError, LaunchRequest, Launcher, LintContext, Outcome, Plan, RunError,
    Running, StopEarly, TrialRecord, Verdict, run,
};
use located::Source;
use serde_json::json;

use crate::kit::{InProcess, Noted, config, in_process, plan, report, scenario, suite, tls};

const GREEN: &str =
    "steps: [{ http: { get: /, query: { q: '{{ random.hex(16) }}{{ uid }}' } }, expect: { status: 200 } }]";
const RED: &str = "steps: [{ http: { get: / }, expect: { status: 500 } }]";

fn app() -> InProcess {
    InProcess(Router::new().route("/", get(|| async { "ok" })))
}

fn queries(records: &[TrialRecord]) -> Vec<String> {
    records.iter().map(|record| record.steps[0].evidence["request"]["query"]["q"].to_string()).collect()
}

#[tokio::test]
async fn equal_seeds_give_equal_trials() {
    let queries = async |seed| {
        let mut plan = plan(suite(vec![scenario("a", GREEN), scenario("b", GREEN)]), in_process());
        (plan.seed, plan.trials) = (seed, 2);
        queries(&report(plan, &app()).await.records)
    };
    let first = queries(7).await;
    assert_eq!(first, queries(7).await);
    assert_ne!(first, queries(8).await);
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 4, "scenarios and trials differ: {first:?}");
}

#[tokio::test]
async fn finished_trials_are_not_run_again() {
    let make = || {
        let mut plan = plan(suite(vec![scenario("a", GREEN), scenario("b", RED)]), in_process());
        plan.trials = 3;
        plan
    };
    let whole = report(make(), &app()).await;
    let mut done = whole.records[..4].to_vec();
    done.push(whole.records[0].clone());
    done.push(TrialRecord { scenario: "gone".into(), ..whole.records[0].clone() });
    let resumed = harness::Plan { done: done.into(), ..make() };
    let noted = Noted::default();
    tls();
    let report = run(resumed, &app(), None, &noted).await.unwrap();
    let started = noted.lines.lock().unwrap().iter().filter(|line| line.starts_with("started")).count();
    assert_eq!((started, report.executed), (2, 6));
    assert_eq!((report.satisfaction, report.scenarios.len()), (whole.satisfaction, 2));
}

#[tokio::test]
async fn a_hopeless_run_stops_when_asked_to() {
    for (stop_early, all) in [(StopEarly::WhenHopeless, false), (StopEarly::Never, true)] {
        let mut plan = plan(suite(vec![scenario("a", RED)]), in_process());
        (plan.trials, plan.jobs, plan.stop_early) = (50, 1, stop_early);
        let report = report(plan, &app()).await;
        assert_eq!(report.executed == 50, all, "{} were run", report.executed);
        assert_eq!((report.planned, report.outcome), (50, Outcome::Unsatisfied));
    }
}

#[tokio::test]
async fn a_bound_asks_for_enough_trials() {
    let with = async |trials| {
        let mut plan = plan(suite(vec![scenario("a", GREEN)]), in_process());
        plan.gate = Gate::LowerBound { target: 0.8, confidence: 0.95 };
        plan.trials = trials;
        report(plan, &app()).await
    };
    let short = with(13).await;
    assert_eq!((short.outcome, short.trials_needed, short.exit_code()), (Outcome::Unsatisfied, Some(1), 1));
    let enough = with(14).await;
    assert_eq!((enough.outcome, enough.trials_needed, enough.exit_code()), (Outcome::Satisfied, Some(0), 0));
}

#[tokio::test]
async fn a_record_that_cannot_be_kept_ends_the_run() {
    tls();
    let mut plan = plan(suite(vec![scenario("a", GREEN)]), in_process());
    (plan.trials, plan.jobs) = (50, 1);
    let noted = Noted { refuse: Some(2), ..Noted::default() };
    let error = run(plan, &app(), None, &noted).await.unwrap_err();
    assert!(matches!(&error, RunError::Observer(_)), "{error}");
    let finished = noted.lines.lock().unwrap().iter().filter(|line| line.starts_with("finished")).count();
    assert_eq!(finished, 2);
}

#[tokio::test]
async fn events_of_a_trial_come_in_order() {
    tls();
    let noted = Noted::default();
    run(plan(suite(vec![scenario("a", RED)]), in_process()), &app(), None, &noted).await.unwrap();
    assert_eq!(*noted.lines.lock().unwrap(), ["started a 1", "step a GET /", "finished a 1"]);
}

#[tokio::test]
async fn a_failing_set_up_is_invalid_and_tried_once_more() {
    let rest = "setup: [{ http: { get: / }, expect: { status: 500 } }]\nsteps: [{ http: { get: / }, expect: { status: 200 } }]\nteardown: [{ http: { get: / } }]";
    let report = report(plan(suite(vec![scenario("a", rest)]), in_process()), &app()).await;
    let record = &report.records[0];
    assert_eq!((record.verdict, record.attempt), (Verdict::Infra, 2));
    assert_eq!((report.outcome, report.exit_code(), report.scenarios[0].flake), (Outcome::Infra, 5, Flake::Unknown));
    let phases: Vec<_> = record.steps.iter().map(|step| serde_json::to_value(step.phase).unwrap()).collect();
    assert_eq!(phases, [json!("setup"), json!("teardown")], "tidying up happens all the same");
}

#[tokio::test]
async fn a_failing_teardown_changes_no_verdict() {
    let rest = format!("{GREEN}\nteardown: [{{ http: {{ get: / }}, expect: {{ status: 500 }} }}]");
    let report = report(plan(suite(vec![scenario("a", &rest)]), in_process()), &app()).await;
    assert_eq!(report.records[0].verdict, Verdict::Satisfied);
    assert_eq!(report.records[0].steps[1].mismatches.len(), 1);
}

#[tokio::test]
async fn an_empty_plan_is_an_error() {
    tls();
    let mut empty = plan(suite(vec![scenario("a", GREEN)]), in_process());
    empty.suite.scenarios.clear();
    assert!(matches!(run(empty, &app(), None, &Noted::default()).await, Err(RunError::Empty { .. })));
}

#[tokio::test]
async fn a_suite_must_fit_its_subject() {
    let suite = suite(vec![scenario("a", "steps: [{ twin: stripe, expect: { count: 0 } }, { http: { get: / } }]")]);
    let subject = config("subject: tool\n");
    let error = suite.lint(LintContext { requirements: None, subject: Some(&subject) }).unwrap_err().to_string();
    assert!(error.contains("[undeclared-twin]") && error.contains("[no-subject]"), "{error}");
    tls();
    let refused = run(plan(suite, subject), &app(), None, &Noted::default()).await;
    assert!(matches!(refused, Err(RunError::Lint(_))));
}

#[tokio::test]
async fn records_keep_their_wire_form() {
    let report = report(plan(suite(vec![scenario("a", RED)]), in_process()), &app()).await;
    let record = &report.records[0];
    let text = serde_json::to_string(record).unwrap();
    assert_eq!(&serde_json::from_str::<TrialRecord>(&text).unwrap(), record);
    let mut value = serde_json::to_value(record).unwrap();
    value["steps"][0]["evidence"] = json!("…");
    for pointer in ["/duration_ms", "/steps/0/duration_ms"] {
        *value.pointer_mut(pointer).unwrap() = json!(0);
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap(), @r#"
    {
      "suite": "visible",
      "scenario": "a",
      "requirements": [],
      "theme": null,
      "trial": 1,
      "attempt": 1,
      "seed": 6862736904672595216,
      "verdict": "unsatisfied",
      "failure": {
        "step": 1,
        "name": "GET /",
        "message": "status: expected 500, got 200, body: ok",
        "expected": "500",
        "observed": "200, body: ok"
      },
      "duration_ms": 0,
      "steps": [
        {
          "phase": "steps",
          "step": 1,
          "name": "GET /",
          "kind": "http",
          "place": "a.yaml:3:9",
          "verdict": "failed",
          "duration_ms": 0,
          "attempts": 1,
          "mismatches": [
            "status: expected 500, got 200, body: ok"
          ],
          "evidence": "…"
        }
      ],
      "judge": [],
      "twin_calls": 0
    }
    "#);
}

/// As many at once as it is given jobs: two that wait for each other meet, and where there is one job nobody comes.
#[tokio::test]
async fn trials_overlap_as_far_as_there_are_jobs() {
    const STORY: &str = "steps: [{ http: { get: /, timeout: 40s }, expect: { status: 200 } }]";
    let (meeting, inside, most) = (Arc::new(tokio::sync::Barrier::new(2)), AtomicUsize::new(0), AtomicUsize::new(0));
    let counts = Arc::new((inside, most));
    let shared = Arc::clone(&counts);
    let meet = move |jobs: usize| {
        let (meeting, counts) = (Arc::clone(&meeting), Arc::clone(&shared));
        get(move || async move {
            let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
            counts.1.fetch_max(now, Ordering::SeqCst);
            let met = jobs == 1 || tokio::time::timeout(Duration::from_secs(30), meeting.wait()).await.is_ok();
            counts.0.fetch_sub(1, Ordering::SeqCst);
            if met { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
        })
    };
    for jobs in [1, 2] {
        let mut plan = plan(suite(vec![scenario("a", STORY)]), in_process());
        (plan.trials, plan.jobs) = (4, jobs);
        let report = report(plan, &InProcess(Router::new().route("/", meet(jobs)))).await;
        assert_eq!(report.count().satisfied, 4, "{jobs} jobs");
        assert_eq!(counts.1.load(Ordering::SeqCst), jobs);
    }
}

/// A bug of ours ends its trial: not the run, and never as a pass.
#[tokio::test]
async fn a_panic_is_contained_and_is_no_verdict() {
    struct Panics(AtomicUsize, InProcess);

    #[async_trait::async_trait]
    impl Launcher for Panics {
        async fn launch(&self, request: LaunchRequest) -> Result<Box<dyn Running>, LaunchError> {
            assert!(self.0.fetch_add(1, Ordering::Relaxed) > 1, "index {} out of bounds", 7);
            self.1.launch(request).await
        }

        async fn exec(&self, request: ExecRequest) -> Result<ExecOutput, LaunchError> {
            self.1.exec(request).await
        }
    }

    let plan = Plan { jobs: 1, ..plan(suite(vec![scenario("a", GREEN), scenario("b", GREEN)]), in_process()) };
    let report = report(plan, &Panics(AtomicUsize::new(0), app())).await;
    let [a, b] = &report.records[..] else { panic!("{:?}", report.records) };
    assert_eq!((a.verdict, a.attempt, b.verdict), (Verdict::Infra, 2, Verdict::Satisfied));
    let told = &a.failure.as_ref().unwrap().message;
    assert_eq!(told, "the harness itself failed: index 7 out of bounds; please report it");
    assert_eq!(report.exit_code(), 5);
}

/// One step of a tidy-up that fails does not keep the others from it.
#[tokio::test]
async fn tidying_up_goes_on_inside_of_loops_and_fragments() {
    let steps = "steps: [{ http: { get: / }, expect: { status: 200 } }]";
    let each = "  - { for_each: { path: [/a, /b] }, http: { get: '{{ path }}' }, expect: { status: 500 } }";
    let sources = vec![
        scenario(
            "a",
            &format!(
                "{steps}\nteardown:\n  - {{ http: {{ get: / }}, expect: {{ status: 500 }} }}\n{each}\n  - {{ use: tidy.yaml }}\n"
            ),
        ),
        Source::new(
            "tidy.yaml",
            "steps_of: tidy\nsteps:\n  - { http: { get: /c }, expect: { status: 500 } }\n  - { http: { get: /d } }\n",
        ),
    ];
    let report = report(plan(suite(sources), in_process()), &app()).await;
    assert_eq!(report.records[0].verdict, Verdict::Satisfied);
    let done: Vec<_> = report.records[0].steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(done.len(), 6, "{done:?}");
}
