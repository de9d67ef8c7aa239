//! Wrong input is told with its place and a way out, before anything is spent: no database is started, no run made.

use std::fs;

use e2e_tests::factory::Workplace;
use model::event::Body;
use serde_json::Value;

use super::{SPEC, Said, finished, said};

const VISIBLE: &str = "scenarios/greeting/greets-by-name.yaml";
const HOLDOUT: &str = "holdout/greeting/longest-name.yaml";

/// What `factory run` says of the example after `change`; nothing may have been begun.
#[track_caller]
fn refused(change: impl FnOnce(&Workplace)) -> String {
    let place = Workplace::init();
    change(&place);
    told(&place, said(&place, &["run", SPEC]))
}

#[track_caller]
fn told(place: &Workplace, said: Said) -> String {
    assert_eq!((said.status, said.out.as_str()), (2, ""), "{}", said.err);
    let begun: Vec<_> = fs::read_dir(place.home()).expect("the home").flatten().collect();
    assert!(begun.is_empty(), "something was begun: {begun:?}");
    said.err
}

#[test]
fn a_yaml_error_in_a_spec() {
    insta::assert_snapshot!(refused(|place| place.edit(SPEC, "title: A", "title: \"A")), @r"
    error: specs/greeting.md:5:1: invalid indentation in multiline quoted scalar
       |
     5 | requirements:                     # one testable sentence each; scenarios name them
       | ^
    ");
}

#[test]
fn an_unknown_field_in_a_spec() {
    insta::assert_snapshot!(refused(|place| place.edit(SPEC, "confidence: 0.95", "confidense: 0.95")), @r"
    error: specs/greeting.md:14:3: unknown field `confidense`
        |
     14 |   confidense: 0.95
        |   ^^^^^^^^^^
      hint: did you mean `confidence`?
    ");
}

#[test]
fn a_requirement_id_that_is_none() {
    insta::assert_snapshot!(refused(|place| place.edit(SPEC, "  R3: A name", "  X3: A name")), @r"
    error: specs/greeting.md:8:7: `X3` cannot name a requirement
       |
     8 |   X3: A name longer than 100 characters is answered with 422 and an `error`.
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      hint: use R1, R2, R3 …
    ");
}

#[test]
fn a_path_that_leaves_the_repository() {
    insta::assert_snapshot!(refused(|place| place.edit(SPEC, "holdout: holdout/greeting", "holdout: ../secrets  ")), @r"
    error: specs/greeting.md:11:10: the path leaves the repository
        |
     11 | holdout: ../secrets           # the agent never sees these
        |          ^^^^^^^^^^
      hint: write it relative to the repository's root
    ");
}

#[test]
fn a_spec_that_is_not_there() {
    let place = Workplace::init();
    insta::assert_snapshot!(told(&place, said(&place, &["run", "specs/missing.md"])), @"error: specs/missing.md: there is no such file");
}

#[test]
fn a_folder_outside_of_any_repository() {
    let place = Workplace::init();
    fs::remove_dir_all(place.repository().join(".git")).expect("ours");
    insta::assert_snapshot!(told(&place, said(&place, &["run", SPEC])), @"error: `specs` is not inside a git repository: run `git init` and commit once");
}

#[test]
fn a_budget_that_is_no_amount() {
    let place = Workplace::init();
    insta::assert_snapshot!(told(&place, said(&place, &["run", SPEC, "--budget-usd", "NaN"])), @"error: --budget-usd NaN: a budget is a number of US dollars from 0 up");
}

#[test]
fn a_scenario_with_a_mistake() {
    insta::assert_snapshot!(refused(|place| place.edit(VISIBLE, "status: 200", "status: two hundred")), @r#"
    error: scenarios/greeting/greets-by-name.yaml:9:15: "two hundred" is no status; write 201, "2xx", or a list of them [bad-format]
       |
     9 |       status: two hundred
       |               ^^^^^^^^^^^
    "#);
}

#[test]
fn a_scenario_with_an_unknown_twin() {
    let step = "steps:\n  - { twin: paypall, calls: { operation: charges.create }, expect: { count: 0 } }\n";
    insta::assert_snapshot!(refused(|place| place.edit(VISIBLE, "steps:\n", step)), @r"
    error: scenarios/greeting/greets-by-name.yaml:7:13: there is no twin `paypall` [unknown-twin]
       |
     7 |   - { twin: paypall, calls: { operation: charges.create }, expect: { count: 0 } }
       |             ^^^^^^^
      hint: there are anthropic, github, oidc, okta, openai, resend, s3, scim, sendgrid, slack, smtp, stripe; one of your own is named by its path
    ");
}

#[test]
fn a_scenario_with_a_twin_that_the_subject_is_not_given() {
    let step = "steps:\n  - { twin: stripe, calls: { operation: refunds.create }, expect: { count: 0 } }\n";
    insta::assert_snapshot!(refused(|place| place.edit(VISIBLE, "steps:\n", step)), @r"
    error: scenarios/greeting/greets-by-name.yaml:7:5: the subject is given no twin `stripe` [undeclared-twin]
       |
     7 |   - { twin: stripe, calls: { operation: refunds.create }, expect: { count: 0 } }
       |     ^
      hint: add it under `twins:` in ./harness.yaml
    ");
}

#[test]
fn a_twin_that_no_one_has_made() {
    let change = |place: &Workplace| {
        let harness = place.read("harness.yaml");
        place.write("harness.yaml", &format!("{harness}twins: {{ paypall: {{}} }}\n"));
    };
    insta::assert_snapshot!(refused(change), @r"
    error: ./harness.yaml:8:10: unknown twin `paypall`; there are anthropic, github, oidc, okta, openai, resend, s3, scim, sendgrid, slack, smtp, stripe
       |
     8 | twins: { paypall: {} }
       |          ^^^^^^^
    ");
}

#[test]
fn an_operation_that_the_twin_does_not_have() {
    let change = |place: &Workplace| {
        let harness = place.read("harness.yaml");
        place.write("harness.yaml", &format!("{harness}twins: {{ stripe: {{}} }}\n"));
        let step = "steps:\n  - { twin: stripe, calls: { operation: refunds.creat }, expect: { count: 0 } }\n";
        place.edit(VISIBLE, "steps:\n", step);
    };
    insta::assert_snapshot!(refused(change), @r"
    error: scenarios/greeting/greets-by-name.yaml:7:41: the twin `stripe` has no operation `refunds.creat` [unknown-operation]
       |
     7 |   - { twin: stripe, calls: { operation: refunds.creat }, expect: { count: 0 } }
       |                                         ^^^^^^^^^^^^^
      hint: it has refunds.create, refunds.list, refunds.retrieve, refunds.update, refunds.cancel
    ");
}

#[test]
fn a_scenario_that_names_no_requirement_of_the_spec() {
    insta::assert_snapshot!(refused(|place| place.edit(VISIBLE, "[R1]", "[R1, R9]")), @r"
    error: scenarios/greeting/greets-by-name.yaml:4:20: the spec has no requirement `R9` [unknown-requirement]
       |
     4 | requirements: [R1, R9]
       |                    ^^
      hint: it has R1, R2, R3
    ");
}

#[test]
fn two_scenarios_of_one_name() {
    insta::assert_snapshot!(refused(|place| place.write("scenarios/greeting/other.yaml", &place.read(VISIBLE))), @r"
    error: scenarios/greeting/other.yaml:2:11: the scenario `greets-by-name` stands also in scenarios/greeting/greets-by-name.yaml [duplicate-scenario]
       |
     2 | scenario: greets-by-name
       |           ^^^^^^^^^^^^^^
      hint: give it its own name
    ");
}

#[test]
fn a_folder_without_scenarios() {
    let change = |place: &Workplace| {
        let folder = place.repository().join("scenarios/greeting");
        for file in fs::read_dir(folder).expect("scenarios").flatten() {
            fs::remove_file(file.path()).expect("ours");
        }
    };
    insta::assert_snapshot!(refused(change), @r"
    error: scenarios/greeting: there is no scenario here [empty-suite]
      hint: write one into a `.yaml` file; `harness schema` gives the format to editors
    ");
}

#[test]
fn a_folder_of_holdouts_that_is_not_there() {
    let change = |place: &Workplace| fs::remove_dir_all(place.repository().join("holdout")).expect("ours");
    insta::assert_snapshot!(refused(change), @r"
    error: specs/greeting.md:11:1: there is no folder `holdout/greeting`
        |
     11 | holdout: holdout/greeting         # the agent never sees these
        | ^
      hint: make it and put scenarios into it (the agent never sees them), or name the right one; `factory init` writes examples
    ");
}

#[test]
fn a_holdout_without_a_canary() {
    insta::assert_snapshot!(refused(|place| place.edit(HOLDOUT, "canary: 91be04d7-greeting-holdout-5c2277af\n", "")), @r"
    error: holdout/greeting/longest-name.yaml:1:11: a holdout needs a canary [missing-canary]
       |
     1 | scenario: longest-name
       |           ^^^^^^^^^^^^
      hint: add `canary:` with a random UUID
    ");
}

#[test]
fn a_script_with_a_mistake() {
    insta::assert_snapshot!(refused(|place| place.edit("specs/greeting/script.yaml", "say: The service stands.", "sya: x")), @r"
    error: specs/greeting/script.yaml:19:5: unknown field `sya`
        |
     19 |     sya: x
        |     ^^^
      hint: did you mean `say`?
    ");
}

#[test]
fn a_spec_without_a_script_and_no_key() {
    insta::assert_snapshot!(refused(|place| place.edit(SPEC, "  script: specs/greeting/script.yaml\n", "")), @r"
    error: specs/greeting.md:1:1: there is no model: no key is set and the spec names no script
       |
     1 | ---
       | ^
      hint: set ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY or OLLAMA_BASE_URL, or pass --agent 'command …'
    ");
}

/// Everything that is wrong in both folders is told at once, not one mistake a run.
#[test]
fn several_mistakes_in_several_files_are_told_together() {
    let text = refused(|place| {
        place.edit(VISIBLE, "[R1]", "[R9]");
        place.edit(HOLDOUT, "[R3]", "[R8]");
    });
    assert!(text.contains(VISIBLE) && text.contains(HOLDOUT), "{text}");
}

/// Issue 2, "Bad input": such a scenario would count as evidence for anything. A person must mend it.
#[test]
fn a_scenario_that_a_nop_passes_needs_a_person() {
    let place = Workplace::init();
    let step = "steps:\n  - { exec: { argv: [\"true\"] }, expect: { exit: 0 } }\n";
    place.write(
        "scenarios/greeting/proves-nothing.yaml",
        &format!("scenario: proves-nothing\ntitle: x\nrequirements: [R1]\n{step}"),
    );
    let ended = place.ended(&["run", SPEC]);
    ended.expect_status(4);
    let findings = ended.all(|body| match body {
        Body::ControlProved(proved) if !proved.sound => Some((proved.scenario.as_str(), proved.finding.as_deref())),
        _ => None,
    });
    insta::assert_debug_snapshot!(findings, @r#"
    [
        (
            "proves-nothing",
            Some(
                "it is satisfied by a subject that answers everything with 200 and {}: assert what the software must have done",
            ),
        ),
    ]
    "#);
    insta::assert_snapshot!(ended.said("reason").as_str().expect("a reason"), @"Some scenarios pass without any software, so they prove nothing. Mend them, then answer `again`.");
    let built = ended.events.iter().any(|event| event.body.kind() == "tree.hydrated");
    assert!(!built, "nothing is built for scenarios that prove nothing");
    place.assert_nothing_runs();
}

/// The machine lacks something: that is nobody's failed trial, and the run says which program is missing.
#[test]
fn an_interpreter_that_is_not_there_is_infrastructure() {
    let place = Workplace::init();
    place.edit("harness.yaml", "[python3, app.py]", "[no-such-program, app.py]");
    place.commit("another interpreter");
    let ended = place.ended(&["run", SPEC]);
    ended.expect_status(5);
    // Both suites find out at the same time.
    let (_suite, reason) = ended.said("reason").as_str().and_then(|reason| reason.split_once(": ")).expect("a reason");
    insta::assert_snapshot!(reason, @"no trial could be run: cannot start `no-such-program`: start a command: cannot run `no-such-program`: No such file or directory (os error 2); install it, or name another program in harness.yaml");
    let unsatisfied = ended.all(|body| match body {
        Body::TrialFinished(trial) if trial.verdict != model::event::grade::TrialVerdict::Infra => Some(trial),
        _ => None,
    });
    assert!(unsatisfied.is_empty(), "{unsatisfied:?}");
    place.assert_nothing_runs();
}

/// The tests' factory has no certificate authorities, so no connection is tried.
#[test]
fn a_provider_without_certificate_authorities() {
    let place = Workplace::init();
    let mut command = place.factory(["run", SPEC, "--json"]);
    let done = command.env("ANTHROPIC_API_KEY", "sk-none").output().expect("runs");
    assert_eq!(done.status.code(), Some(5));
    let out = String::from_utf8(done.stdout).expect("UTF-8");
    let summary: Value = serde_json::from_str(out.lines().last().expect("a summary")).expect("JSON");
    insta::assert_snapshot!(summary["reason"].as_str().expect("a reason"), @"build: set up the HTTP client for models: unexpected error: No CA certificates were loaded from the system; install ca-certificates, or set SSL_CERT_FILE to a file of trusted certificates");
    place.assert_nothing_runs();
}

#[test]
fn a_port_in_use() {
    let place = Workplace::init();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("bound").to_string();
    let said = said(&place, &["up", "--listen", &address]);
    assert_eq!((said.status, said.out.as_str()), (5, ""), "{said:?}");
    insta::assert_snapshot!(said.err.replace(&address, "[address]"), @r"
    error: cannot listen on [address]: is another `factory up` there? choose a port with --listen 127.0.0.1:0
      caused by: Address already in use (os error 98)
    ");
    place.assert_nothing_runs();
}

#[test]
fn an_address_that_others_could_reach() {
    let place = Workplace::init();
    insta::assert_snapshot!(told(&place, said(&place, &["up", "--listen", "0.0.0.0:0"])), @"error: 0.0.0.0:0 is not a loopback address; put a proxy with accounts in front of a loopback one");
}

#[test]
fn a_home_that_cannot_be_written() {
    let place = Workplace::init();
    let mut command = place.factory(["run", SPEC]);
    command.env("FACTORY_HOME", place.repository().join("harness.yaml/home"));
    let said = finished(&place, command);
    assert_eq!(said.status, 5);
    insta::assert_snapshot!(said.err, @r"
    error: cannot use `[repository]/harness.yaml/home`; set FACTORY_HOME to a folder that can be written
      caused by: Not a directory (os error 20)
    ");
}

#[test]
fn json_output_stays_json_where_a_run_is_refused() {
    let place = Workplace::init();
    place.edit(SPEC, "confidence: 0.95", "confidense: 0.95");
    let said = said(&place, &["run", SPEC, "--json"]);
    assert_eq!(said.status, 2);
    assert!(said.out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", said.out);
}
