//! `JUnit` XML, as CI systems read it: one test case per scenario, its trials in properties, a flake as
//! `flakyFailure`, an invalid trial as an error.

use std::fmt::Write as _;

use super::{Invalid, Report, ScenarioReport, TrialFailure};
use crate::stats::Flake;

/// The whole report as one XML document.
pub fn junit(report: &Report) -> String {
    let of = |flake: Flake| report.scenarios.iter().filter(|scenario| scenario.flake == flake).count();
    let (failures, errors) = (of(Flake::StableFail) + of(Flake::Flaky), of(Flake::Unknown));
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let head = format!(
        "<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{}\">\n",
        escaped(&report.subject),
        report.scenarios.len(),
        seconds(report.duration_ms),
    );
    xml.push_str(&head);
    for scenario in &report.scenarios {
        let invalid = report.invalid.iter().filter(|invalid| invalid.scenario == scenario.scenario);
        case(&mut xml, scenario, invalid);
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn case<'a>(xml: &mut String, scenario: &ScenarioReport, invalid: impl Iterator<Item = &'a Invalid>) {
    let name = escaped(&scenario.scenario);
    let time = seconds(scenario.duration_ms);
    let mut line = |text: String| writeln!(xml, "{text}").expect("a String takes every write");
    line(format!("    <testcase name=\"{name}\" classname=\"{}\" time=\"{time}\">", escaped(&scenario.title)));
    line("      <properties>".to_owned());
    let properties = [
        ("satisfied", scenario.count.satisfied.to_string()),
        ("valid", scenario.count.valid.to_string()),
        ("interval_lower", format!("{:.4}", scenario.interval.lower)),
        ("interval_upper", format!("{:.4}", scenario.interval.upper)),
        ("requirements", scenario.requirements.join(" ")),
    ];
    for (name, value) in properties {
        line(format!("        <property name=\"{name}\" value=\"{}\"/>", escaped(&value)));
    }
    line("      </properties>".to_owned());
    let failed_tag = if scenario.flake == Flake::Flaky { "flakyFailure" } else { "failure" };
    if scenario.flake == Flake::Flaky {
        // Readers without a notion of flakes must not see green.
        let count = scenario.count;
        line(format!("      <failure message=\"flaky: {} of {} trials\"/>", count.satisfied, count.valid));
    }
    for TrialFailure { trial, failure, .. } in &scenario.failures {
        let message = format!("trial {trial}, step {} {}", failure.step, failure.name);
        line(format!(
            "      <{failed_tag} message=\"{}\">{}</{failed_tag}>",
            escaped(&message),
            escaped(&failure.message)
        ));
    }
    for Invalid { trial, reason, .. } in invalid {
        line(format!("      <error message=\"trial {trial}\">{}</error>", escaped(reason)));
    }
    line("    </testcase>".to_owned());
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// XML text: markup is escaped, and what XML 1.0 cannot hold is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::junit;
    use crate::report::samples;

    #[test]
    fn a_run_is_a_suite_of_cases() {
        insta::assert_snapshot!(junit(&samples::report()), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="shop" tests="4" failures="2" errors="1" time="5.120">
            <testcase name="good" classname="The good one" time="2.500">
              <properties>
                <property name="satisfied" value="2"/>
                <property name="valid" value="2"/>
                <property name="interval_lower" value="0.3424"/>
                <property name="interval_upper" value="1.0000"/>
                <property name="requirements" value="R1"/>
              </properties>
            </testcase>
            <testcase name="bad" classname="The bad one" time="2.500">
              <properties>
                <property name="satisfied" value="0"/>
                <property name="valid" value="2"/>
                <property name="interval_lower" value="0.0000"/>
                <property name="interval_upper" value="0.6576"/>
                <property name="requirements" value="R1"/>
              </properties>
              <failure message="trial 1, step 2 GET /orders">status: expected 200, got 402
        json $.a: expected &quot;&lt;b&gt;&quot;, got nothing there</failure>
              <failure message="trial 2, step 2 GET /orders">status: expected 200, got 402
        json $.a: expected &quot;&lt;b&gt;&quot;, got nothing there</failure>
            </testcase>
            <testcase name="flaky" classname="The flaky one" time="2.500">
              <properties>
                <property name="satisfied" value="1"/>
                <property name="valid" value="2"/>
                <property name="interval_lower" value="0.0945"/>
                <property name="interval_upper" value="0.9055"/>
                <property name="requirements" value="R1"/>
              </properties>
              <failure message="flaky: 1 of 2 trials"/>
              <flakyFailure message="trial 2, step 2 GET /orders">status: expected 200, got 402
        json $.a: expected &quot;&lt;b&gt;&quot;, got nothing there</flakyFailure>
            </testcase>
            <testcase name="broken" classname="The broken one" time="2.500">
              <properties>
                <property name="satisfied" value="0"/>
                <property name="valid" value="0"/>
                <property name="interval_lower" value="0.0000"/>
                <property name="interval_upper" value="1.0000"/>
                <property name="requirements" value="R1"/>
              </properties>
              <error message="trial 1">status: expected 200, got 402
        json $.a: expected &quot;&lt;b&gt;&quot;, got nothing there</error>
              <error message="trial 2">status: expected 200, got 402
        json $.a: expected &quot;&lt;b&gt;&quot;, got nothing there</error>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
