//! The language of scenario files: fragments, loops, conditions, tables, shared folders, retries.

use axum::{
    Json, Router,
    http::{StatusCode, Uri},
    routing::any,
};
use harness::report::{Paint, junit, tap, terminal};
use harness::{Given, Kind, StepVerdict, Suite, TrialRecord, Verdict};
use located::Source;
use serde_json::json;

use crate::kit::{InProcess, in_process, plan, refusal, report, scenario, suite, trial};

/// Answers with the path and query that it was sent.
fn mirror() -> Router {
    Router::new().fallback(any(|uri: Uri| async move { Json(json!({ "path": uri.path(), "query": uri.query() })) }))
}

fn source(name: &str, text: &str) -> Source {
    Source::new(name, text)
}

fn names(record: &TrialRecord) -> Vec<&str> {
    record.steps.iter().map(|step| step.name.as_str()).collect()
}

async fn records(sources: Vec<Source>) -> Vec<TrialRecord> {
    let mut report = report(plan(suite(sources), in_process()), &InProcess(mirror())).await;
    report.records.sort_by(|a, b| a.scenario.cmp(&b.scenario));
    report.records
}

const LOGIN: &str = "steps_of: log in\narguments: [user, { role: guest }]\nsteps:\n  - http: { get: '/login/{{ user }}', query: { role: '{{ role }}' } }\n    expect: { status: 200 }\n    capture: { token: $.path, role_seen: $.query }\nreturns: [token, role_seen]\n";

#[tokio::test]
async fn a_fragment_takes_arguments_and_gives_values_back() {
    let told = records(vec![
        source("s/steps/login.yaml", LOGIN),
        source(
            "s/a.yaml",
            r#"
scenario: a
title: a
vars: { who: ann }
steps:
  - use: steps/login.yaml
    with: { user: "{{ who }}" }
    capture: { ann: $.token, role: $.role_seen }
  - name: as admin
    use: ./steps/../steps/login.yaml
    with: { user: bob, role: admin }
    capture: { bob: $.token }
  - http: { get: "{{ ann }}", query: { q: "{{ bob }} {{ role }}" } }
    expect: { json: { path: /login/ann, query: "q=%2Flogin%2Fbob+role%3Dguest" } }
"#,
        ),
    ])
    .await;
    assert_eq!(told[0].verdict, Verdict::Satisfied, "{:#?}", told[0].failure);
    assert_eq!(
        names(&told[0]),
        ["log in › GET /login/{{ user }}", "as admin › GET /login/{{ user }}", "GET {{ ann }}"]
    );
    assert_eq!(told[0].steps[1].place, "s/steps/login.yaml:4:5");
    assert_eq!(told[0].steps.iter().map(|step| step.step).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn calls_of_fragments_are_checked_without_running() {
    let refused = |steps: &str| {
        refusal(vec![
            source("steps/login.yaml", LOGIN),
            source("a.yaml", &format!("scenario: a\ntitle: a\nsteps:\n  - {steps}\n")),
        ])
        .to_string()
    };
    insta::assert_snapshot!(refused("{ use: steps/login.yaml, with: { usr: ann }, capture: { t: $.tokn } }"), @r"
    a.yaml:4:5: `log in` needs the argument `user` [missing-argument]
       |
     4 |   - { use: steps/login.yaml, with: { usr: ann }, capture: { t: $.tokn } }
       |     ^
      hint: give it under `with:`

    a.yaml:4:38: `log in` takes no argument `usr` [unknown-argument]
       |
     4 |   - { use: steps/login.yaml, with: { usr: ann }, capture: { t: $.tokn } }
       |                                      ^^^
      hint: did you mean `user`? it takes user, role

    a.yaml:4:64: `log in` returns no such value [bad-capture]
       |
     4 |   - { use: steps/login.yaml, with: { usr: ann }, capture: { t: $.tokn } }
       |                                                                ^^^^^^
      hint: write `$.` and a name; it returns token, role_seen
    ");
    for (steps, message) in [
        ("{ use: steps/none.yaml }", "a.yaml:4:12: `steps/none.yaml`: there is no such file"),
        ("{ use: /steps/login.yaml }", "is no path to a fragment [bad-path]"),
        ("{ use: steps/login.yaml, with: { user: '{{ nobody }}' } }", "nothing defines `nobody`"),
        ("{ use: steps/login.yaml, with: { user: a }, expect: { status: 200 } }", "a step with `use` has no `expect`"),
        ("{ http: { get: / }, with: { a: 1 }, expect: { status: 200 } }", "`with` belongs to a `use` step"),
        ("{ use: steps/login.yaml, http: { get: / } }", "a step with `use` has no `http`"),
    ] {
        let error = refused(steps);
        assert!(error.contains(message), "{steps}\n{error}");
    }
}

#[test]
fn what_is_wrong_in_a_fragment_is_shown_there_and_once() {
    let broken = "steps_of: x\narguments: [a]\nsteps:\n  - http: { get: '/{{ b }}' }\nreturns: [c]\n";
    let user = |slug: &str| {
        source(
            &format!("{slug}.yaml"),
            &format!(
                "scenario: {slug}\ntitle: a\nsteps: [{{ use: x.yaml, with: {{ a: 1 }} }}, {{ http: {{ get: / }}, expect: {{ status: 200 }} }}]"
            ),
        )
    };
    insta::assert_snapshot!(refusal(vec![user("a"), user("b"), source("x.yaml", broken)]), @r"
    x.yaml:4:18: nothing defines `b` before this place [unknown-variable]
       |
     4 |   - http: { get: '/{{ b }}' }
       |                  ^^^^^^^^^^
      hint: this place knows a, case, data_dir, ports, random, subject, trial, twins, uid

    x.yaml:5:11: nothing here captures `c` [bad-fragment]
       |
     5 | returns: [c]
       |           ^
    ");
}

#[test]
fn a_fragment_cannot_use_itself() {
    let fragment = |name: &str, other: &str| source(name, &format!("steps_of: {name}\nsteps: [{{ use: {other} }}]\n"));
    let error = refusal(vec![
        source("a.yaml", "scenario: a\ntitle: a\nsteps: [{ use: x.yaml }]\n"),
        fragment("x.yaml", "y.yaml"),
        fragment("y.yaml", "x.yaml"),
    ])
    .to_string();
    assert!(
        error.contains("y.yaml:2:16: a fragment cannot use itself: x.yaml → y.yaml → x.yaml [recursive-use]"),
        "{error}"
    );
}

#[tokio::test]
async fn a_step_is_done_for_each_element() {
    let record = trial(
        mirror(),
        r#"
vars: { item: kept, list: [x, y] }
steps:
  - name: add
    for_each: { item: [mug, { sku: tea }] }
    http: { get: "/{{ index }}", query: { q: "{{ item.sku if item is mapping else item }}" } }
    expect: { json: { query: "q={{ item.sku if item is mapping else item }}", path: "/{{ index }}" } }
  - name: again
    for_each: { one: "{{ list }}" }
    if: "{{ one != 'x' }}"
    http: { get: "/{{ one }}{{ item }}" }
    expect: { json: { path: /ykept } }
"#,
    )
    .await;
    assert_eq!(record.failure, None);
    assert_eq!(names(&record), ["add [0]", "add [1]", "again [0]", "again [1]"]);
    assert_eq!(record.steps[2].verdict, StepVerdict::Skipped);
}

#[tokio::test]
async fn a_loop_over_nothing_is_no_pass() {
    for (list, words) in [("[]", "at least one element, got none"), ("7", "a list, got 7")] {
        let steps = format!(
            "vars: {{ list: {list} }}\nsteps:\n  - for_each: {{ a: '{{{{ list }}}}' }}\n    http: {{ get: / }}\n    expect: {{ status: 200 }}\n"
        );
        let record = trial(mirror(), &steps).await;
        assert_eq!(record.verdict, Verdict::Unsatisfied);
        let message = record.failure.unwrap().message;
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn a_story_whose_conditions_leave_out_all_assertions_is_no_pass() {
    let record = trial(mirror(), "steps: [{ if: '{{ 1 == 2 }}', http: { get: / }, expect: { status: 200 } }]").await;
    assert_eq!(record.verdict, Verdict::Unsatisfied);
    assert!(record.failure.unwrap().message.contains("the `if` of each was false"));
    let odd = trial(mirror(), "steps: [{ if: '{{ 1 }}', http: { get: / }, expect: { status: 200 } }]").await;
    assert!(odd.failure.unwrap().message.contains("an `if` is true or false, not 1"));
}

#[tokio::test]
async fn a_table_gives_a_scenario_per_row() {
    let table = r#"
tags: [smoke]
vars: { amount: 100, total: "{{ amount * 2 }}" }
cases:
  - { case: visa, card: pm_visa, amount: 5, status: 200 }
  - { case: amex, card: pm_amex, amount: 7, status: 2xx, tags: [slow] }
  - { case: later, card: pm_none, amount: 9, status: 402, skip: "not supported yet" }
steps:
  - http: { get: "/{{ card }}/{{ total }}/{{ case }}" }
    expect: { status: "{{ status }}", json: { path: "/{{ card }}/{{ amount * 2 }}/{{ case }}" } }
"#;
    let suite = suite(vec![scenario("pays", table)]);
    assert_eq!(suite.skipped[0].scenario, "pays[later]");
    assert_eq!(suite.scenarios[1].tags, ["smoke", "slow"]);
    let ran = report(plan(suite, in_process()), &InProcess(mirror())).await;
    for text in [terminal(&ran.report, Paint::Plain), tap(&ran.report), junit(&ran.report)] {
        assert!(text.contains("pays[later]") && text.contains("not supported yet"), "a skip is loud: {text}");
    }
    let records = ran.records;
    let paths: Vec<_> = records
        .iter()
        .map(|record| {
            (record.scenario.as_str(), record.steps[0].evidence["request"]["path"].as_str().unwrap(), record.verdict)
        })
        .collect();
    assert!(paths.contains(&("pays[visa]", "/pm_visa/10/visa", Verdict::Satisfied)), "{paths:?}");
    assert!(paths.contains(&("pays[amex]", "/pm_amex/14/amex", Verdict::Satisfied)), "{paths:?}");
    assert_eq!(paths.len(), 2);
}

#[tokio::test]
async fn folders_share_variables_tags_and_steps() {
    let outer = "tags: [all]\nvars: { region: eu, host: outer }\nsetup: [{ name: outer, http: { get: '/setup/{{ region }}' }, capture: { token: $.path } }]\nteardown: [{ name: outer ends, http: { get: '/end{{ token }}' } }]\n";
    let inner = "tags: [shop]\ntimeout: 9s\nvars: { host: '{{ region }}-inner' }\nsetup: [{ name: inner, http: { get: '{{ token }}' } }]\nteardown: [{ name: inner ends, http: { get: / } }]\n";
    let a = "scenario: a\ntitle: a\nsetup: [{ name: own, http: { get: / } }]\nsteps: [{ name: step, http: { get: '/{{ host }}{{ token }}' }, expect: { json: { path: /eu-inner/setup/eu } } }]\nteardown: [{ name: own ends, http: { get: / } }]\n";
    let b = "scenario: b\ntitle: b\nvars: { region: us }\nsteps: [{ http: { get: '/{{ host }}{{ region }}' }, expect: { json: { path: /outerus } } }]\n";
    let sources = vec![
        source("s/_suite.yaml", outer),
        source("s/shop/_suite.yaml", inner),
        source("s/shop/a.yaml", a),
        source("s/b.yaml", b),
    ];
    let suite = suite(sources.clone());
    let of = |slug: &str| suite.scenarios.iter().find(|scenario| scenario.slug == slug).unwrap();
    assert_eq!(
        (of("a").tags.as_slice(), of("a").timeout.as_secs()),
        (["all".to_owned(), "shop".to_owned()].as_slice(), 9)
    );
    assert_eq!((of("b").tags.as_slice(), of("b").timeout.as_secs()), (["all".to_owned()].as_slice(), 30));
    let told = records(sources).await;
    assert_eq!(told[0].failure, None);
    assert_eq!(names(&told[0]), ["outer", "inner", "own", "step", "own ends", "inner ends", "outer ends"]);
    assert_eq!(told[1].failure, None);
}

#[test]
fn files_of_a_suite_can_be_copied_and_are_the_same_suite() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    for (path, text) in [
        ("scenarios/_suite.yaml", "vars: { v: 1 }\n"),
        (
            "scenarios/shop/a.yaml",
            "scenario: a\ntitle: a\ncases: [{ case: x }, { case: y }]\nsteps: [{ use: ../../steps/s.yaml, with: { user: '{{ v }}' } }]\n",
        ),
        ("steps/s.yaml", LOGIN),
        ("steps/unused.yaml", LOGIN),
        ("harness.yaml", "subject: a\n"),
    ] {
        std::fs::create_dir_all(from.join(path).parent().unwrap()).unwrap();
        std::fs::write(from.join(path), text).unwrap();
    }
    let slugs = |suite: &Suite| suite.scenarios.iter().map(|scenario| scenario.slug.clone()).collect::<Vec<_>>();
    let first = Suite::load(&[from.join("scenarios/shop")], Kind::Visible).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(slugs(&first), ["a[x]", "a[y]"]);
    let files = first.files().unwrap();
    let mut copied: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
    copied.sort();
    assert_eq!(copied, ["scenarios/_suite.yaml", "scenarios/shop/a.yaml", "steps/s.yaml"]);
    for file in files {
        let path = to.join(file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, file.content).unwrap();
    }
    assert_eq!(slugs(&Suite::load(&[to], Kind::Visible).unwrap()), ["a[x]", "a[y]"]);
}

#[tokio::test]
async fn values_from_outside_win() {
    let dir = tempfile::tempdir().unwrap();
    let text = "scenario: a\ntitle: a\nvars: { user: ann, greeting: 'hi-{{ user }}' }\nsteps: [{ http: { get: '/{{ greeting }}/{{ extra }}' }, expect: { json: { path: /hi-bob/3 } } }]\n";
    std::fs::write(dir.path().join("a.yaml"), text).unwrap();
    let load = |given: &[&str]| {
        let given: Vec<_> = given.iter().map(|name| (*name).to_owned()).collect();
        Suite::load_given(&[dir.path().to_owned()], Kind::Visible, Given { values: &given, subject: None })
    };
    assert!(load(&[]).unwrap_err().to_string().contains("nothing defines `extra`"));
    let mut plan = plan(load(&["user", "extra"]).unwrap(), in_process());
    plan.vars = [("user".to_owned(), json!("bob")), ("extra".to_owned(), json!(3))].into();
    let report = report(plan, &InProcess(mirror())).await;
    assert_eq!(report.records[0].failure, None);
}

/// Answers 503 to the first two requests of a path, then as its path says.
fn shaky() -> Router {
    let seen = std::sync::Mutex::new(std::collections::HashMap::<String, u32>::new());
    let seen = std::sync::Arc::new(seen);
    Router::new().fallback(any(move |uri: Uri| {
        let seen = std::sync::Arc::clone(&seen);
        async move {
            let mut seen = seen.lock().unwrap();
            let count = seen.entry(uri.path().to_owned()).or_default();
            *count += 1;
            match uri.path() {
                "/bad" => StatusCode::BAD_REQUEST,
                "/down" => StatusCode::SERVICE_UNAVAILABLE,
                _ if *count <= 2 => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::OK,
            }
        }
    }))
}

#[tokio::test]
async fn a_retry_ends_by_count_and_by_condition() {
    for (path, retry, attempts, verdict) in [
        ("/", "{ times: 3, every: 1ms }", 3, Verdict::Satisfied),
        ("/", "{ times: 2, every: 1ms }", 2, Verdict::Unsatisfied),
        ("/down", "{ times: 4, every: 1ms, if: '{{ status >= 500 }}' }", 4, Verdict::Unsatisfied),
        ("/bad", "{ times: 4, every: 1ms, if: '{{ status >= 500 }}' }", 1, Verdict::Unsatisfied),
        (
            "/",
            "{ until_pass_within: 50s, every: 1ms, if: '{{ result.response.status == 503 and attempt < 9 }}' }",
            3,
            Verdict::Satisfied,
        ),
        ("/down", "{ until_pass_within: 50s, times: 2, every: 1ms }", 2, Verdict::Unsatisfied),
    ] {
        let steps = format!("steps: [{{ http: {{ get: {path} }}, expect: {{ status: 200 }}, retry: {retry} }}]");
        let record = trial(shaky(), &steps).await;
        assert_eq!(
            (record.steps[0].attempts, record.verdict),
            (attempts, verdict),
            "{path} {retry}: {:?}",
            record.failure
        );
    }
}

/// A price of what the path names; `discounts` says from how many items on one is free.
fn prices(order_matters: bool) -> Router {
    Router::new().fallback(any(move |uri: Uri| async move {
        let items: Vec<u64> = uri.path().trim_start_matches('/').split(',').filter_map(|n| n.parse().ok()).collect();
        let total: u64 = items.iter().sum();
        let total = if order_matters && items.first() < items.last() { total - 1 } else { total };
        Json(json!({ "total": total, "items": items }))
    }))
}

const BASKET: &str = r#"
vars: { items: [30, 20, 10], path: "{{ items | join(',') }}" }
steps:
  - name: price
    http: { get: "/{{ path }}" }
    expect: { status: 200 }
    capture: { total: $.total, lines: $.items, id: "$.items[0]" }
variants:
  - variant: reversed
    vars: { items: "{{ items | reverse | list }}" }
    relations: [{ same: total }, { permutation: lines }, { different: id }]
  - variant: bigger
    tags: [slow]
    vars: { items: "{{ items + [5] }}" }
    relations:
      - greater: total
      - superset: [lines]
      - holds: "{{ variant.total == base.total + 5 }}"
  - variant: again
    repeat: { step: price, times: 3 }
    relations: [{ same: [total, lines] }]
"#;

#[tokio::test]
async fn variants_relate_to_their_base() {
    let suite = suite(vec![scenario("price", BASKET)]);
    let slugs: Vec<_> = suite.scenarios.iter().map(|scenario| scenario.slug.as_str()).collect();
    assert_eq!(slugs, ["price", "price~reversed", "price~bigger", "price~again"]);
    assert_eq!(suite.scenarios[2].tags, ["slow"]);
    let records = report(plan(suite, in_process()), &InProcess(prices(false))).await.records;
    for record in &records {
        assert_eq!(record.failure, None, "{}", record.scenario);
    }
    let of = |slug: &str| records.iter().find(|record| record.scenario == slug).unwrap();
    assert_eq!(names(of("price~again")), ["base › price", "price", "price", "price", "relations"]);
    assert_eq!(of("price").seed, of("price~again").seed, "both stories have the same random values");
}

#[tokio::test]
async fn a_relation_that_does_not_hold_fails_the_variant_alone() {
    let records =
        report(plan(suite(vec![scenario("price", BASKET)]), in_process()), &InProcess(prices(true))).await.records;
    let of = |slug: &str| records.iter().find(|record| record.scenario == slug).unwrap();
    assert_eq!(of("price").verdict, Verdict::Satisfied);
    assert_eq!(of("price~reversed").verdict, Verdict::Unsatisfied);
    assert_eq!(
        of("price~reversed").failure.as_ref().unwrap().message,
        "`total` of the variant: expected the same as in the base story, 60, got 59"
    );
}

#[tokio::test]
async fn a_base_that_fails_fails_the_variant() {
    let rest = "steps: [{ http: { get: / }, expect: { status: 500 }, capture: { total: $.total } }]\nvariants: [{ variant: v, relations: [{ same: total }] }]";
    let records = report(plan(suite(vec![scenario("a", rest)]), in_process()), &InProcess(prices(false))).await.records;
    for record in &records {
        assert_eq!(record.verdict, Verdict::Unsatisfied, "{}", record.scenario);
    }
}

#[test]
fn variants_are_checked_without_running() {
    let refused = |variant: &str| {
        let rest = format!(
            "vars: {{ n: 1 }}\nsteps: [{{ name: one, http: {{ get: / }}, expect: {{ status: 200 }}, capture: {{ total: $.a }} }}]\nvariants: [{variant}]"
        );
        refusal(vec![scenario("a", &rest)]).to_string()
    };
    for (variant, message) in [
        ("{ variant: v, relations: [] }", "needs a relation"),
        ("{ variant: V, relations: [{ same: total }] }", "a variant's name has"),
        ("{ variant: v, vars: { m: 1 }, relations: [{ same: total }] }", "no variable `m` to change"),
        ("{ variant: v, relations: [{ same: totl }] }", "did you mean `total`?"),
        ("{ variant: v, relations: [{ equal: total }] }", "unknown"),
        ("{ variant: v, omit: two, relations: [{ same: total }] }", "no step is called `two`"),
        ("{ variant: v, repeat: { step: one, times: 1 }, relations: [{ same: total }] }", "2 to 100 times"),
        ("{ variant: v, vars: { n: '{{ nobody }}' }, relations: [{ same: total }] }", "nothing defines `nobody`"),
    ] {
        let error = refused(variant);
        assert!(error.contains(message), "{variant}\n{error}");
    }
}
