//! TAP 14 (<https://testanything.org/tap-version-14-specification.html>): one test point per scenario, its statistics and
//! failures in a YAML block.

use serde_json::{Value as Json, json};

use super::{Invalid, Report, ScenarioReport, status::Status, words};

/// The whole report.
pub fn tap(report: &Report) -> String {
    let mut out = format!("TAP version 14\n1..{}\n", report.scenarios.len() + report.skipped.len());
    if let Some(leaked) = words::leaked(report) {
        out.push_str(&format!("# {leaked}\n"));
    }
    for (n, (scenario, status, invalid)) in report.cases().enumerate() {
        let word = match status {
            Status::Passed | Status::Skipped => "ok",
            Status::Failed | Status::Error => "not ok",
        };
        let skip = if status == Status::Skipped { " # SKIP the run ended before it" } else { "" };
        out.push_str(&format!("{word} {} - {}{skip}\n", n + 1, described(&scenario.scenario)));
        block(&mut out, scenario, &invalid);
    }
    for (n, skipped) in report.skipped.iter().enumerate() {
        let number = report.scenarios.len() + n + 1;
        let [name, reason] = [&skipped.scenario, &skipped.reason].map(|text| described(text));
        out.push_str(&format!("ok {number} - {name} # SKIP {reason}\n"));
    }
    out
}

/// Values are JSON, which is YAML: one line each, whatever they hold.
fn block(out: &mut String, scenario: &ScenarioReport, invalid: &[&Invalid]) {
    let failures = scenario.failures.iter().map(|failed| {
        json!({ "at": words::place(failed), "place": failed.place, "seed": failed.seed, "message": failed.failure.message })
    });
    let uncounted = invalid.iter().map(|trial| json!({ "trial": trial.trial, "reason": trial.reason }));
    let fields = [
        ("title", json!(scenario.title)),
        ("satisfied", json!(scenario.count.satisfied)),
        ("valid", json!(scenario.count.valid)),
        ("interval", json!([rounded(scenario.interval.lower), rounded(scenario.interval.upper)])),
        ("duration_ms", json!(scenario.duration_ms)),
        ("failures", Json::Array(failures.collect())),
        ("not_counted", Json::Array(uncounted.collect())),
    ];
    out.push_str("  ---\n");
    for (name, value) in fields.iter().filter(|(_, value)| value.as_array().is_none_or(|list| !list.is_empty())) {
        out.push_str(&format!("  {name}: {value}\n"));
    }
    out.push_str("  ...\n");
}

fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

/// A description stands on one line, and a `#` in it begins no directive.
fn described(text: &str) -> String {
    text.replace('\\', "\\\\").replace('#', "\\#").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::{described, tap};
    use crate::report::samples;

    #[test]
    fn a_scenario_is_a_test_point() {
        insta::assert_snapshot!(tap(&samples::report()), @r#"
        TAP version 14
        1..4
        ok 1 - good
          ---
          title: "The good one"
          satisfied: 2
          valid: 2
          interval: [0.3424,1.0]
          duration_ms: 2500
          ...
        not ok 2 - bad
          ---
          title: "The bad one"
          satisfied: 0
          valid: 2
          interval: [0.0,0.6576]
          duration_ms: 2500
          failures: [{"at":"trial 1, step 2 \"GET /orders\"","place":"scenarios/bad.yaml:4:3","seed":7,"message":"status: expected 200, got 402\njson $.a: expected \"<b>\", got nothing there"},{"at":"trial 2, step 2 \"GET /orders\"","place":"scenarios/bad.yaml:4:3","seed":7,"message":"status: expected 200, got 402\njson $.a: expected \"<b>\", got nothing there"}]
          ...
        not ok 3 - flaky
          ---
          title: "The flaky one"
          satisfied: 1
          valid: 2
          interval: [0.0945,0.9055]
          duration_ms: 2500
          failures: [{"at":"trial 2, step 2 \"GET /orders\"","place":"scenarios/flaky.yaml:4:3","seed":7,"message":"status: expected 200, got 402\njson $.a: expected \"<b>\", got nothing there"}]
          ...
        not ok 4 - broken
          ---
          title: "The broken one"
          satisfied: 0
          valid: 0
          interval: [0.0,1.0]
          duration_ms: 2500
          not_counted: [{"trial":1,"reason":"status: expected 200, got 402\njson $.a: expected \"<b>\", got nothing there"},{"trial":2,"reason":"status: expected 200, got 402\njson $.a: expected \"<b>\", got nothing there"}]
          ...
        "#);
    }

    #[test]
    fn a_name_is_no_directive() {
        assert_eq!(described("a # SKIP\nnot ok \\"), "a \\# SKIP not ok \\\\");
    }

    /// Perl's own parser counts as we do, and finds nothing wrong. It reads version 13, of which 14 is a superset.
    #[test]
    fn another_parser_agrees() {
        const READ: &str = "import { Parser } from 'tap-parser'; import { readFileSync } from 'node:fs';
            const p = new Parser({ strict: true }); p.end(readFileSync(0, 'utf8'));
            console.log(JSON.stringify([p.planEnd, p.pass, p.fail, p.skip, p.failures.filter((f) => f.tapError).length]))";
        let mut report = samples::report();
        report.scenarios[3].executed = 0;
        report.invalid.clear();
        report.scenarios[1].failures[0].failure.message = "x\n...\nok 9 - forged\n1..7".to_owned();
        assert_eq!(samples::through_node(READ, &tap(&report)).trim(), "[4,2,2,1,0]");
    }
}
