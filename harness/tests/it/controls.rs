//! Controls: a scenario that a subject passes which does nothing right is unsound.

use harness::{
    Verdict,
    controls::{Control, Soundness, prove},
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
        .filter(|result| result.soundness() == Soundness::Unsound)
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

/// What the set-up demands is not what the story shows.
#[tokio::test]
async fn a_story_must_be_red_by_itself_whatever_its_set_up_comes_to() {
    tls();
    let set_up = "setup: [{ http: { post: /shops }, expect: { status: 201 }, capture: { id: $.id } }]";
    let with = |slug: &str, story: &str| scenario(slug, &format!("{set_up}\nsteps: [{story}]"));
    let suite = suite(vec![
        with("vacuous", "{ http: { get: / }, expect: { status: 200 } }"),
        with("vacuous-by-id", "{ http: { get: '/shops/{{ id }}' }, expect: { status: 200, json: {} } }"),
        with("strict", "{ http: { get: '/shops/{{ id }}' }, expect: { json: { id: '{{ id }}' } } }"),
        with("needs-a-list", "{ http: { get: '/shops/{{ id.first.name }}' }, expect: { status: 200 } }"),
        scenario(
            "no-database",
            "steps: [{ sql: { postgres: 'postgres://127.0.0.1:1/a', query: select 1 }, expect: { rows: 1 } }]",
        ),
    ]);
    let results = prove(&suite, &in_process(), 2).await.unwrap();
    let of = |slug: &str| -> Vec<_> {
        results.iter().filter(|result| result.scenario == slug).map(|result| result.soundness()).collect()
    };
    assert_eq!(of("vacuous"), [Soundness::Sound, Soundness::Unsound], "{results:#?}");
    assert_eq!(of("vacuous-by-id"), [Soundness::Sound, Soundness::Unsound]);
    assert_eq!(of("strict"), [Soundness::Sound, Soundness::Sound]);
    assert_eq!(of("needs-a-list"), [Soundness::Unproven, Soundness::Unproven]);
    assert_eq!(of("no-database"), [Soundness::Unproven, Soundness::Unproven]);
}
