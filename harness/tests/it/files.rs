//! Files that are wrong: all of it at once, each with its place, its line and a hint.

use std::collections::BTreeSet;

use harness::{Kind, LintContext, Suite};

use crate::kit::{refusal, refused, scenario, suite};

const GREEN: &str = "steps: [{ http: { get: / }, expect: { status: 200 } }]";

#[test]
fn everything_that_is_wrong_in_all_files_is_said_at_once() {
    let sources = vec![
        scenario("a", "weight: 0\nsteps:\n  - twin: stripee\n  - http: { get: orders }\n"),
        scenario(
            "b",
            "steps:\n  - twin: stripe\n    calls: { operation: payment_intents.confirmm }\n    expect: { count: 1, status: 200 }\n",
        ),
        scenario("c", "steps:\n  - http: { get: / }\n    expects: {}\n"),
    ];
    insta::assert_snapshot!(refusal(sources), @r"
    a.yaml:1:11: nothing is asserted [no-assertion]
       |
     1 | scenario: a
       |           ^
      hint: give at least one step an `expect:`; a scenario that cannot fail shows nothing

    a.yaml:3:9: a weight is from 0.01 to 100 [bad-limit]
       |
     3 | weight: 0
       |         ^

    a.yaml:5:11: there is no twin `stripee` [unknown-twin]
       |
     5 |   - twin: stripee
       |           ^^^^^^^
      hint: there are anthropic, github, oidc, okta, openai, resend, s3, scim, sendgrid, slack, smtp, stripe; one of your own is named by its path

    a.yaml:6:18: the path is relative to the subject [bad-path]
       |
     6 |   - http: { get: orders }
       |                  ^^^^^^
      hint: start it with `/`; an absolute URL starts with `http://` or `https://`

    b.yaml:5:25: the twin `stripe` has no operation `payment_intents.confirmm` [unknown-operation]
       |
     5 |     calls: { operation: payment_intents.confirmm }
       |                         ^^^^^^^^^^^^^^^^^^^^^^^^
      hint: it has payment_intents.create, payment_intents.list, payment_intents.search, payment_intents.retrieve, payment_intents.update, payment_intents.confirm, payment_intents.capture, payment_intents.cancel, payment_intents.increment_authorization

    b.yaml:6:33: a `twin` step has no `status` to expect [bad-expectation]
       |
     6 |     expect: { count: 1, status: 200 }
       |                                 ^^^
      hint: it has count, jsonpath, checks, order, state

    c.yaml:5:5: unknown field `expects` [bad-format]
       |
     5 |     expects: {}
       |     ^^^^^^^
      hint: did you mean `expect`?
    ");
}

#[test]
fn every_code_has_a_file_that_shows_it() {
    for (code, rest) in [
        ("bad-capture", "steps: [{ wait: { for: 1s }, capture: { a: $.a } }]"),
        ("bad-expectation", "steps: [{ http: { get: / }, expect: { exit: 0 } }]"),
        ("bad-expectation", "steps: [{ judge: { criterion: a, evidence: {} } }]"),
        ("bad-limit", "steps: [{ wait: { for: 61s } }]"),
        ("bad-limit", "timeout: 11m\nsteps: []"),
        ("bad-limit", "steps: [{ judge: { criterion: a, evidence: { a: b }, votes: 2 } }]"),
        ("bad-limit", "steps: [{ http: { get: / }, retry: { until_pass_within: 2m } }]"),
        ("bad-path", "steps: [{ http: { get: 'ftp://a/' } }]"),
        ("bad-path", "steps: [{ exec: { argv: [ls], cwd: ../.. } }]"),
        ("bad-path", "steps: [{ twin: stripe, calls: { where: { 'a[': 1 } } }]"),
        ("no-assertion", "steps: [{ http: { get: / } }]"),
        ("no-assertion", "steps: []"),
        ("reserved-name", "vars: { random: 1 }\nsteps: []"),
        ("reserved-name", "steps: [{ http: { get: / }, capture: { a-b: $.a } }]"),
        ("step-kind", "steps: [{ name: nothing }]"),
        ("step-kind", "steps: [{ http: { get: / }, wait: { for: 1s } }]"),
        ("step-kind", "steps: [{ http: { get: /, post: / } }]"),
        ("step-kind", "steps: [{ http: { post: /, json: 1, text: a } }]"),
        ("step-kind", "steps: [{ fault: stripe }]"),
        ("step-kind", "steps: [{ http: { get: / }, calls: {} }]"),
        ("unknown-fault", "steps: [{ fault: stripe, rule: { operation: charges.list, kind: explode } }]"),
        ("unknown-operation", "steps: [{ fault: stripe, rule: { operation: charges.lisst, kind: hang } }]"),
        ("unknown-operation", "steps: [{ act: stripe, do: { dance: {} } }]"),
        ("unknown-twin", "steps: [{ act: strip, do: { hold_webhooks: {} } }]"),
        ("unknown-variable", "steps: [{ http: { get: '/{{ id }}' }, capture: { id: $.id } }]"),
        ("unknown-variable", "vars: { a: '{{ b }}', b: 1 }\nsteps: []"),
        ("unknown-variable", "steps: [{ http: { get: '/{{ id' } }]"),
    ] {
        let error = refused(rest);
        assert!(error.contains(&format!("[{code}]")), "{code} for {rest}:\n{error}");
    }
}

#[test]
fn slugs_are_unique_and_plain() {
    let twice =
        refusal(vec![scenario("a", GREEN), located::Source::new("z.yaml", format!("scenario: a\ntitle: a\n{GREEN}"))]);
    insta::assert_snapshot!(twice, @r"
    z.yaml:1:11: the scenario `a` stands also in a.yaml [duplicate-scenario]
       |
     1 | scenario: a
       |           ^
      hint: give it its own name
    ");
    assert!(refusal(vec![scenario("A b", GREEN)]).to_string().contains("[bad-slug]"));
}

#[test]
fn a_capture_is_known_only_after_its_step() {
    let rest =
        "steps: [{ http: { get: / }, capture: { id: $.id } }, { http: { get: '/{{ id }}' }, expect: { status: 200 } }]";
    assert_eq!(suite(vec![scenario("a", rest)]).scenarios.len(), 1);
}

#[test]
fn a_holdout_needs_a_canary_and_a_theme() {
    let canary = "canary: 4f8de1c7-4f0f-4c7c-9f6e-0d3a3d0a6f11\n";
    let holdout = |sources| Suite::from_sources(sources, Kind::Holdout);
    let error = holdout(vec![scenario("a", GREEN)]).unwrap_err().to_string();
    assert!(error.contains("[missing-canary]") && error.contains("[missing-theme]"), "{error}");
    let short = holdout(vec![scenario("a", &format!("theme: t\ncanary: short\n{GREEN}"))]).unwrap_err().to_string();
    assert!(short.contains("at least 16 characters"), "{short}");
    let files = |slug: &str| scenario(slug, &format!("theme: retries\n{canary}{GREEN}"));
    assert!(holdout(vec![files("a")]).is_ok());
    assert!(holdout(vec![files("a"), files("b")]).unwrap_err().to_string().contains("[duplicate-canary]"));
}

#[test]
fn requirements_must_stand_in_the_spec() {
    let suite = suite(vec![scenario("a", &format!("requirements: [R1, R9]\n{GREEN}"))]);
    let known: BTreeSet<String> = ["R1".to_owned(), "R2".to_owned()].into();
    let error = suite.lint(LintContext { requirements: Some(&known), subject: None }).unwrap_err();
    insta::assert_snapshot!(error, @r"
    a.yaml:3:20: the spec has no requirement `R9` [unknown-requirement]
       |
     3 | requirements: [R1, R9]
       |                    ^^
      hint: it has R1, R2
    ");
}

#[test]
fn folders_are_read_whole_and_an_empty_one_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    let load = || Suite::load(std::slice::from_ref(&folder), Kind::Visible);
    assert!(load().unwrap_err().to_string().contains("[empty-suite]"));
    std::fs::create_dir_all(folder.join("deep/er")).unwrap();
    std::os::unix::fs::symlink(&folder, folder.join("deep/loop")).unwrap();
    std::fs::write(folder.join("deep/er/b.yml"), scenario("b", GREEN).text()).unwrap();
    std::fs::write(folder.join("a.yaml"), scenario("a", GREEN).text()).unwrap();
    std::fs::write(folder.join("notes.md"), "no scenario").unwrap();
    let slugs: Vec<_> = load().unwrap().scenarios.iter().map(|scenario| scenario.slug.clone()).collect();
    assert_eq!(slugs, ["a", "b"]);
    std::fs::write(folder.join("c.yaml"), b"scenario: \xff").unwrap();
    assert!(load().unwrap_err().to_string().contains("not valid UTF-8"));
    let missing = Suite::load(&[folder.join("none.yaml")], Kind::Visible).unwrap_err().to_string();
    assert!(missing.contains("there is no such file"), "{missing}");
}

#[test]
fn an_alias_bomb_is_refused() {
    let bomb = "vars:\n  a: &a [x,x,x,x,x,x,x,x,x]\n  b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n  c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n  \
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n  e: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nsteps: []\n";
    insta::assert_snapshot!(refused(bomb), @r"
    a.yaml:8:19: up to here the document has more than 50000 parts, where an alias counts as all that it stands for [bad-format]
       |
     8 |   e: [*d,*d,*d,*d,*d,*d,*d,*d,*d]
       |                   ^^
    ");
}

#[test]
fn odd_documents_are_refused_in_words() {
    let twice = "title: b\nsteps: []\n";
    let deep = format!("vars: {{ a: {} }}\nsteps: []\n", "[".repeat(10_000));
    let tabs = "steps:\n\t- http: { get: / }\n";
    for (rest, words) in [
        (twice, "stands twice"),
        (deep.as_str(), "[bad-format]"),
        (tabs, "tab"),
        ("steps: [", "[bad-format]"),
        ("--- \nscenario: b\n", "[bad-format]"),
    ] {
        let error = refused(rest);
        assert!(error.contains(words) && error.starts_with("a.yaml:"), "{words}: {error}");
    }
    let big = located::Source::new("big.yaml", "# x\n".repeat(2 * 1024 * 1024));
    assert!(refusal(vec![big]).to_string().contains("at most 4194304 are read"));
}

#[test]
fn line_ends_and_a_byte_order_mark_change_nothing() {
    let text = scenario("a", GREEN).text().to_owned();
    for written in [
        text.replace('\n', "\r\n"),
        format!("\u{feff}{text}"),
        format!("# yaml-language-server: $schema=s.json\n{text}"),
    ] {
        let read = suite(vec![located::Source::new("a.yaml", written.as_str())]);
        assert_eq!(read.scenarios[0].slug, "a", "{written:?}");
    }
}

#[test]
fn a_huge_file_and_a_binary_one_are_not_read_as_scenarios() {
    let dir = tempfile::tempdir().unwrap();
    let load = |name: &str| Suite::load(&[dir.path().join(name)], Kind::Visible).unwrap_err().to_string();
    std::fs::File::create(dir.path().join("huge.yaml")).unwrap().set_len(100 * 1024 * 1024).unwrap();
    assert!(load("huge.yaml").contains("nobody wrote it by hand"), "{}", load("huge.yaml"));
    std::fs::write(dir.path().join("binary.yaml"), [0, 159, 146, 150]).unwrap();
    assert!(load("binary.yaml").contains("not valid UTF-8"));
}

#[test]
fn the_schema_knows_every_field_of_the_format() {
    let schema = harness::schemas();
    let validator = jsonschema::validator_for(&schema["scenario"]).unwrap();
    let valid = serde_json::json!({
        "scenario": "a", "title": "a", "weight": 2, "timeout": "5s", "vars": { "n": 1 },
        "steps": [
            { "http": { "get": "/", "timeout": "5s" }, "expect": { "status": ["2xx", 404], "headers": { "a": { "contains": "b" } },
              "jsonpath": [{ "path": "$.a", "gt": 1 }], "body": "x" }, "capture": { "a": "$.a", "b": { "header": "etag" } },
              "retry": { "until_pass_within": "3s" } },
            { "twin": "stripe", "calls": { "operation": "charges.list", "within": "1s" }, "expect": { "count": { "gte": 1 } } },
            { "restart": { "signal": "kill" } }, { "wait": { "for": "1s" } },
            { "judge": { "criterion": "c", "evidence": { "a": 1 } } },
        ],
    });
    let errors: Vec<_> = validator.iter_errors(&valid).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    for wrong in [
        serde_json::json!({ "scenario": "a", "title": "a", "steps": [{ "htp": {} }] }),
        serde_json::json!({ "scenario": "a", "title": "a", "steps": [], "timeout": 5 }),
        serde_json::json!({ "scenario": "a", "title": "a", "steps": [{ "http": { "get": "/" }, "expect": { "status": "ok" } }] }),
    ] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
    assert!(jsonschema::validator_for(&schema["harness"]).is_ok());
}
