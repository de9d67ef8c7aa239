//! Controls: a scenario that a subject passes which does nothing right is unsound.

use harness::{
    Verdict,
    controls::{Control, prove},
};

use crate::kit::{in_process, scenario, suite, tls};

#[tokio::test]
async fn an_unsound_scenario_is_caught_by_the_control_that_it_lets_pass() {
    tls();
    let suite = suite(vec![
        scenario("sound", "steps: [{ http: { post: /orders }, expect: { status: 201 } }]"),
        scenario(
            "believes-200",
            "steps: [{ http: { get: / }, expect: { status: 200, json: {} } }, { restart: {} }, { http: { get: / }, expect: { status: 200 } }]",
        ),
        scenario("believes-silence", "steps: [{ exec: { argv: [list] }, expect: { stdout: '' } }]"),
        scenario("believes-ok", "steps: [{ exec: { argv: [list] }, expect: { stdout: { contains: ok } } }]"),
        scenario("only-judged", "steps: [{ judge: { criterion: It is good, evidence: { a: b } } }]"),
    ]);
    let results = prove(&suite, &in_process(), 2).await.unwrap();
    let mut unsound: Vec<_> = results
        .iter()
        .filter(|result| result.is_unsound())
        .map(|result| (result.scenario.as_str(), result.control))
        .collect();
    unsound.sort_by_key(|(scenario, control)| (*scenario, *control == Control::Stub));
    assert_eq!(
        unsound,
        [
            ("believes-200", Control::Stub),
            ("believes-ok", Control::Stub),
            ("believes-silence", Control::Nop),
            ("only-judged", Control::Nop),
            ("only-judged", Control::Stub),
        ]
    );
    assert_eq!(results.len(), 10);
}

#[tokio::test]
async fn a_control_is_not_waited_for() {
    tls();
    let rest = "timeout: 2m\nsteps: [{ wait: { for: 60s } }, { http: { get: / }, expect: { status: 500 }, retry: { until_pass_within: 60s } }]";
    let proving = async { prove(&suite(vec![scenario("patient", rest)]), &in_process(), 1).await };
    let results = tokio::time::timeout(std::time::Duration::from_secs(30), proving).await.expect("it waits").unwrap();
    assert!(results.iter().all(|result| result.verdict == Verdict::Unsatisfied), "{results:?}");
}
