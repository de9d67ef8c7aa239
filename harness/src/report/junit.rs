//! `JUnit` XML, as CI systems read it: one test case per scenario, its statistics in properties. Elements and their order
//! are those of Maven Surefire's schema: trials after the first failed one are `rerunFailure`, failed trials of a
//! scenario that also passed are `flakyFailure`, and trials that are not counted are errors.

use super::{Invalid, Report, ScenarioReport, TrialFailure, status::Status, words};
use crate::stats::Flake;

/// The whole report as one XML document.
pub fn junit(report: &Report) -> String {
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\"",
        report.scenarios.len() + report.skipped.len(),
        report.having(Status::Failed),
        report.having(Status::Error),
        report.having(Status::Skipped) + report.skipped.len(),
        seconds(report.duration_ms),
    );
    let started = report.started_at.map_or_else(String::new, |at| format!(" timestamp=\"{at:.0}\""));
    let name = escaped(&report.subject);
    let mut xml = Xml(String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    xml.line(0, &format!("<testsuites {counts}>"));
    xml.line(1, &format!("<testsuite name=\"{name}\" {counts}{started}>"));
    if let Some(leaked) = words::leaked(report) {
        let property = format!("<property name=\"leaked\" value=\"{}\"/>", escaped(&leaked));
        xml.line(2, &format!("<properties>{property}</properties>"));
    }
    for (scenario, status, invalid) in report.cases() {
        xml.case(&report.subject, scenario, status, &invalid);
    }
    for skipped in &report.skipped {
        let [name, reason] = [&skipped.scenario, &skipped.reason].map(|text| escaped(text));
        xml.line(2, &format!("<testcase name=\"{name}\"><skipped message=\"{reason}\"/></testcase>"));
    }
    xml.line(1, "</testsuite>");
    xml.line(0, "</testsuites>");
    xml.0
}

struct Xml(String);

impl Xml {
    fn line(&mut self, depth: usize, text: &str) {
        self.0.push_str(&"  ".repeat(depth));
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn case(&mut self, subject: &str, scenario: &ScenarioReport, status: Status, invalid: &[&Invalid]) {
        let [name, class, file] = [&scenario.scenario, subject, &scenario.file].map(escaped);
        let time = seconds(scenario.duration_ms);
        self.line(2, &format!("<testcase name=\"{name}\" classname=\"{class}\" file=\"{file}\" time=\"{time}\">"));
        self.properties(scenario);
        match status {
            Status::Skipped => self.line(3, "<skipped message=\"the run ended before it\"/>"),
            Status::Failed if scenario.flake == Flake::Flaky => {
                let message = format!("flaky: {}", words::count(scenario.count));
                self.line(3, &format!("<failure message=\"{message}\" type=\"flaky\"/>"));
            }
            Status::Passed | Status::Failed | Status::Error => {}
        }
        for (n, failed) in scenario.failures.iter().enumerate() {
            let tag = match (scenario.flake, n) {
                (Flake::Flaky, _) => "flakyFailure",
                (_, 0) => "failure",
                _ => "rerunFailure",
            };
            self.failure(tag, failed);
        }
        for (n, trial) in invalid.iter().enumerate() {
            let tag = match (status, n) {
                (Status::Error, 0) => "error",
                (Status::Error, _) => "rerunError",
                _ => "flakyError",
            };
            self.problem(tag, &format!("trial {} is not counted", trial.trial), "invalid", &trial.reason);
        }
        if let Some(log) = scenario.failures.first().map(|failed| &failed.subject_log).filter(|log| !log.is_empty()) {
            self.line(3, &format!("<system-err>{}</system-err>", escaped(log)));
        }
        self.line(2, "</testcase>");
    }

    fn properties(&mut self, scenario: &ScenarioReport) {
        let mut properties = vec![
            ("title", scenario.title.clone()),
            ("requirements", scenario.requirements.join(" ")),
            ("trials", scenario.executed.to_string()),
            ("valid", scenario.count.valid.to_string()),
            ("satisfied", scenario.count.satisfied.to_string()),
            ("interval_lower", format!("{:.4}", scenario.interval.lower)),
            ("interval_upper", format!("{:.4}", scenario.interval.upper)),
        ];
        if let Some(exact) = scenario.exact_interval {
            properties.push(("exact_interval_lower", format!("{:.4}", exact.lower)));
            properties.push(("exact_interval_upper", format!("{:.4}", exact.upper)));
        }
        self.line(3, "<properties>");
        for (name, value) in properties {
            self.line(4, &format!("<property name=\"{name}\" value=\"{}\"/>", escaped(&value)));
        }
        self.line(3, "</properties>");
    }

    fn failure(&mut self, tag: &str, failed: &TrialFailure) {
        let text = match failed.place.as_str() {
            "" => failed.failure.message.clone(),
            place => format!("{}\n  at {place}", failed.failure.message),
        };
        self.problem(tag, &words::place(failed), "expectation", &text);
    }

    /// Surefire's own kinds hold their text in a stack trace, those of plain `JUnit` hold it directly.
    fn problem(&mut self, tag: &str, message: &str, kind: &str, text: &str) {
        let (message, text) = (escaped(message), escaped(text));
        let text = match tag {
            "failure" | "error" => text,
            _ => format!("<stackTrace>{text}</stackTrace>"),
        };
        self.line(3, &format!("<{tag} message=\"{message}\" type=\"{kind}\">{text}</{tag}>"));
    }
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
    use crate::report::{Outcome, samples};

    #[test]
    fn a_run_is_a_suite_of_cases() {
        insta::assert_snapshot!(junit(&samples::report()), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="4" failures="2" errors="1" skipped="0" time="5.120">
          <testsuite name="shop" tests="4" failures="2" errors="1" skipped="0" time="5.120" timestamp="2026-01-02T03:04:05Z">
            <testcase name="good" classname="shop" file="scenarios/good.yaml" time="2.500">
              <properties>
                <property name="title" value="The good one"/>
                <property name="requirements" value="R1"/>
                <property name="trials" value="2"/>
                <property name="valid" value="2"/>
                <property name="satisfied" value="2"/>
                <property name="interval_lower" value="0.3424"/>
                <property name="interval_upper" value="1.0000"/>
                <property name="exact_interval_lower" value="0.1581"/>
                <property name="exact_interval_upper" value="1.0000"/>
              </properties>
            </testcase>
            <testcase name="bad" classname="shop" file="scenarios/bad.yaml" time="2.500">
              <properties>
                <property name="title" value="The bad one"/>
                <property name="requirements" value="R1"/>
                <property name="trials" value="2"/>
                <property name="valid" value="2"/>
                <property name="satisfied" value="0"/>
                <property name="interval_lower" value="0.0000"/>
                <property name="interval_upper" value="0.6576"/>
                <property name="exact_interval_lower" value="0.0000"/>
                <property name="exact_interval_upper" value="0.8419"/>
              </properties>
              <failure message="trial 1, step 2 &quot;GET /orders&quot;" type="expectation">status: expected 200, got 402
        json $.a: expected &quot;&lt;b&gt;&quot;, got nothing there
          at scenarios/bad.yaml:4:3</failure>
              <rerunFailure message="trial 2, step 2 &quot;GET /orders&quot;" type="expectation"><stackTrace>status: expected 200, got 402
        json $.a: expected &quot;&lt;b&gt;&quot;, got nothing there
          at scenarios/bad.yaml:4:3</stackTrace></rerunFailure>
            </testcase>
            <testcase name="flaky" classname="shop" file="scenarios/flaky.yaml" time="2.500">
              <properties>
                <property name="title" value="The flaky one"/>
                <property name="requirements" value="R1"/>
                <property name="trials" value="2"/>
                <property name="valid" value="2"/>
                <property name="satisfied" value="1"/>
                <property name="interval_lower" value="0.0945"/>
                <property name="interval_upper" value="0.9055"/>
                <property name="exact_interval_lower" value="0.0126"/>
                <property name="exact_interval_upper" value="0.9874"/>
              </properties>
              <failure message="flaky: 1 of 2 trials satisfied" type="flaky"/>
              <flakyFailure message="trial 2, step 2 &quot;GET /orders&quot;" type="expectation"><stackTrace>status: expected 200, got 402
        json $.a: expected &quot;&lt;b&gt;&quot;, got nothing there
          at scenarios/flaky.yaml:4:3</stackTrace></flakyFailure>
            </testcase>
            <testcase name="broken" classname="shop" file="scenarios/broken.yaml" time="2.500">
              <properties>
                <property name="title" value="The broken one"/>
                <property name="requirements" value="R1"/>
                <property name="trials" value="2"/>
                <property name="valid" value="0"/>
                <property name="satisfied" value="0"/>
                <property name="interval_lower" value="0.0000"/>
                <property name="interval_upper" value="1.0000"/>
              </properties>
              <error message="trial 1 is not counted" type="invalid">status: expected 200, got 402
        json $.a: expected &quot;&lt;b&gt;&quot;, got nothing there</error>
              <rerunError message="trial 2 is not counted" type="invalid"><stackTrace>status: expected 200, got 402
        json $.a: expected &quot;&lt;b&gt;&quot;, got nothing there</stackTrace></rerunError>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }

    #[test]
    fn a_satisfied_run_shows_no_red_for_a_flake() {
        let mut report = samples::report();
        report.outcome = Outcome::Satisfied;
        report.scenarios.retain(|scenario| scenario.scenario == "flaky");
        let xml = junit(&report);
        assert!(xml.contains("failures=\"0\"") && xml.contains("<flakyFailure ") && !xml.contains("<failure"), "{xml}");
    }

    #[test]
    fn what_was_not_run_is_skipped() {
        let mut report = samples::report();
        report.scenarios[3].executed = 0;
        report.invalid.clear();
        let xml = junit(&report);
        assert!(xml.contains("errors=\"0\" skipped=\"1\"") && xml.contains("<skipped "), "{xml}");
    }

    /// Read back by another parser.
    #[test]
    fn a_hostile_subject_cannot_break_the_document() {
        const READ: &str = "import sys, xml.etree.ElementTree as t; \
            print([f.text for f in t.parse(sys.stdin).iter('failure')][0], end='')";
        let mut report = samples::report();
        report.scenarios[1].failures[0].failure.message = "\u{0}\u{1b}[2J]]></failure><!-- \u{ffff}ü".to_owned();
        let read = samples::piped("python3", &["-c", READ], &junit(&report));
        assert_eq!(read, "\u{fffd}\u{fffd}[2J]]></failure><!-- \u{fffd}ü\n  at scenarios/bad.yaml:4:3");
    }
}
