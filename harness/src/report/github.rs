//! GitHub Actions: workflow commands that annotate the scenario files, and the summary of a job in Markdown.

use std::fmt::Write as _;

use super::{Outcome, Report, ScenarioReport, TrialFailure, ctrf, status::Status, words};
use crate::scenario::Kind;

const SUMMARY_FAILURES_MAX: usize = 20; // a summary holds 1 MiB, and a reader far less
const SUMMARY_SKIPPED_MAX: usize = 20; // of those that a file says not to run
const MESSAGE_BYTES_MAX: usize = 4 * 1024; // of one failure; an annotation shows no more

/// One line for each scenario that is not as it should be, as workflow commands.
pub fn annotations(report: &Report) -> String {
    if report.suite == Kind::Holdout {
        return sealed(report);
    }
    let mut out = String::new();
    for (scenario, status, invalid) in report.cases() {
        let level = match status {
            Status::Failed => "error",
            Status::Error => "warning",
            Status::Passed if !scenario.failures.is_empty() => "warning",
            Status::Passed | Status::Skipped => continue,
        };
        let first = scenario.failures.first();
        let message = first
            .map(|failed| format!("{}\n{}", words::place(failed), failed.failure.message))
            .or_else(|| invalid.first().map(|trial| trial.reason.clone()))
            .unwrap_or_default();
        let title = format!("{} {}: {}", words::flake(scenario), scenario.scenario, words::count(scenario.count));
        let place = place(scenario, first);
        let message = data(crate::expect::cut(message, MESSAGE_BYTES_MAX).trim_end());
        out.push_str(&format!("::{level} {place}title={}::{message}\n", property(&title)));
    }
    if let Some(leaked) = words::leaked(report) {
        out.push_str(&format!("::warning title=leaked::{}\n", data(&leaked)));
    }
    for skipped in &report.skipped {
        let title = property(&format!("skipped {}", skipped.scenario));
        out.push_str(&format!(
            "::notice title={title}::{}\n",
            data(&crate::expect::cut(skipped.reason.clone(), MESSAGE_BYTES_MAX))
        ));
    }
    out
}

/// A repository's checks are for everybody who builds in it, so of holdouts they tell nothing but the outcome.
fn sealed(report: &Report) -> String {
    let level = match report.outcome {
        Outcome::Satisfied => "notice",
        Outcome::Unsatisfied => "error",
        Outcome::Infra => "warning",
    };
    format!("::{level} title=holdouts::{}\n", words::outcome(report.outcome))
}

/// The step that failed, which may stand in another file than the scenario.
fn place(scenario: &ScenarioReport, failed: Option<&TrialFailure>) -> String {
    let at = failed.map_or("", |failed| failed.place.as_str());
    let file = at.rsplitn(3, ':').nth(2).unwrap_or(&scenario.file);
    match (file, ctrf::line(at)) {
        ("", _) => String::new(),
        (file, None) => format!("file={},", property(file)),
        (file, Some(line)) => format!("file={},line={line},", property(file)),
    }
}

/// The escapes of a workflow command's text.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Those of its properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The summary of a job: a headline, the table of scenarios, the first failures.
pub fn markdown(report: &Report) -> String {
    if report.suite == Kind::Holdout {
        let (subject, word) = (text(&report.subject), words::outcome(report.outcome));
        return format!("## {subject}: holdouts {word}\n\nWhat they hold is not told where builders read.\n");
    }
    let sign = match report.outcome {
        Outcome::Satisfied => "✅",
        Outcome::Unsatisfied => "❌",
        Outcome::Infra => "⚠️",
    };
    let (subject, word) = (text(&report.subject), words::outcome(report.outcome));
    let mut out = format!("## {sign} {subject}: {word}\n\n");
    let mut add = |line: &str| writeln!(out, "{line}").expect("a String takes every write");
    add(&format!("{}, {}, seed {}\n", words::counts(report), words::duration(report.duration_ms), report.seed));
    for sentence in [words::conclusion(report), words::passes(report), words::leaked(report)].into_iter().flatten() {
        add(&format!("{}\n", text(&sentence)));
    }
    add("| | Scenario | Requirements | Satisfied | Interval | Slowest |\n|---|---|---|---:|---|---:|");
    report.scenarios.iter().for_each(|scenario| add(&row(report, scenario)));
    report.skipped.iter().take(SUMMARY_SKIPPED_MAX).for_each(|skipped| {
        add(&format!("| ⏭️ skipped | {}: {} | | | | |", text(&skipped.scenario), text(&skipped.reason)));
    });
    if report.skipped.len() > SUMMARY_SKIPPED_MAX {
        add(&format!("\n{} more scenarios are skipped.", report.skipped.len() - SUMMARY_SKIPPED_MAX));
    }
    let failed: Vec<_> = report.scenarios.iter().filter(|scenario| !scenario.failures.is_empty()).collect();
    failed.iter().take(SUMMARY_FAILURES_MAX).for_each(|scenario| add(&details(scenario)));
    if failed.len() > SUMMARY_FAILURES_MAX {
        add(&format!("\n{} more scenarios failed.", failed.len() - SUMMARY_FAILURES_MAX));
    }
    out
}

fn row(report: &Report, scenario: &ScenarioReport) -> String {
    let sign = match Status::of(report, scenario) {
        Status::Passed => "✅",
        Status::Failed => "❌",
        Status::Error => "⚠️",
        Status::Skipped => "⏭️",
    };
    let count = scenario.count;
    format!(
        "| {sign} {} | {} | {} | {} / {} | {} | {} |",
        words::flake(scenario),
        text(&scenario.scenario),
        text(&scenario.requirements.join(", ")),
        count.satisfied,
        count.valid,
        words::interval(scenario.interval),
        words::duration(scenario.slowest_ms),
    )
}

fn details(scenario: &ScenarioReport) -> String {
    let Some(failed) = scenario.failures.first() else { return String::new() };
    let message = crate::expect::cut(failed.failure.message.clone(), MESSAGE_BYTES_MAX);
    let (name, at) = (text(&scenario.scenario), text(&words::place(failed)));
    format!("\n<details><summary>{name}: {at}</summary>\n\n{}\n\n</details>", fenced(&message))
}

/// Text within Markdown: nothing in it is markup, a mention or the end of a table's cell.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in words::printable(text).chars() {
        match c {
            '\n' | '\t' => out.push(' '),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            '|' => out.push_str("&#124;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '!' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// A code block whose fence is longer than any within it.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", words::printable(text))
}

#[cfg(test)]
mod tests {
    use super::{annotations, fenced, markdown, text};
    use crate::report::samples;

    #[test]
    fn what_failed_is_annotated_where_it_is_written() {
        insta::assert_snapshot!(annotations(&samples::report()), @r#"
        ::error file=scenarios/bad.yaml,line=4,title=failed bad%3A 0 of 2 trials satisfied::trial 1, step 2 "GET /orders"%0Astatus: expected 200, got 402%0Ajson $.a: expected "<b>", got nothing there
        ::error file=scenarios/flaky.yaml,line=4,title=flaky flaky%3A 1 of 2 trials satisfied::trial 2, step 2 "GET /orders"%0Astatus: expected 200, got 402%0Ajson $.a: expected "<b>", got nothing there
        ::warning file=scenarios/broken.yaml,title=unknown broken%3A 0 of 0 trials satisfied::status: expected 200, got 402%0Ajson $.a: expected "<b>", got nothing there
        "#);
        assert_eq!(annotations(&samples::good()), "");
    }

    #[test]
    fn what_a_file_says_not_to_run_is_told_with_its_reason() {
        let report = samples::with_skipped();
        assert_eq!(annotations(&report), "::notice title=skipped later::not <built> yet\n");
        let summary = markdown(&report);
        assert!(summary.contains("| ⏭️ skipped | later: not &lt;built&gt; yet | | | | |\n"), "{summary}");
        let reason = "no | table\n::error::x".to_owned();
        let mut many = report;
        many.skipped = vec![crate::scenario::Skipped { scenario: "a".to_owned(), reason }; 30];
        let summary = markdown(&many);
        assert_eq!(summary.matches("a: no &#124; table ::error::x |").count(), 20);
        assert!(summary.ends_with("\n10 more scenarios are skipped.\n"), "{summary}");
        assert!(annotations(&many).lines().all(|line| line.starts_with("::notice ")));
    }

    #[test]
    fn a_subject_gives_no_commands() {
        let mut report = samples::report();
        report.scenarios[1].failures[0].failure.message = "100%\r\n::add-mask::x\n::error file=a,line=1::y".to_owned();
        report.scenarios[1].scenario = "a::b,line=9".to_owned();
        let all = annotations(&report);
        assert_eq!(all.lines().count(), 3);
        assert!(
            all.contains("title=failed a%3A%3Ab%2Cline=9%3A 0 of 2") && all.contains("100%25%0D%0A::add-mask"),
            "{all}"
        );
    }

    #[test]
    fn a_summary_is_a_table_with_the_first_failures() {
        insta::assert_snapshot!(markdown(&samples::report()), @r#"
        ## ❌ shop: not satisfied

        3 of 6 trials, 4 scenarios, 1 flaky, 2 trials not counted, 5.12 s, seed 7

        satisfaction 0.500 \[0.118, 0.882\], at least 0.153 with 95 % confidence, target 0.800; more trials at this rate would not reach it

        | | Scenario | Requirements | Satisfied | Interval | Slowest |
        |---|---|---|---:|---|---:|
        | ✅ passed | good | R1 | 2 / 2 | [0.342, 1.000] | 1.25 s |
        | ❌ failed | bad | R1 | 0 / 2 | [0.000, 0.658] | 1.25 s |
        | ❌ flaky | flaky | R1 | 1 / 2 | [0.095, 0.905] | 1.25 s |
        | ⚠️ unknown | broken | R1 | 0 / 0 | [0.000, 1.000] | 1.25 s |

        <details><summary>bad: trial 1, step 2 "GET /orders"</summary>

        ```text
        status: expected 200, got 402
        json $.a: expected "<b>", got nothing there
        ```

        </details>

        <details><summary>flaky: trial 2, step 2 "GET /orders"</summary>

        ```text
        status: expected 200, got 402
        json $.a: expected "<b>", got nothing there
        ```

        </details>
        "#);
    }

    #[test]
    fn of_holdouts_only_the_outcome_is_told() {
        let mut report = samples::report();
        report.suite = crate::Kind::Holdout;
        assert_eq!(annotations(&report), "::error title=holdouts::not satisfied\n");
        let summary = markdown(&report);
        assert!(!summary.contains("bad") && !summary.contains("402") && !summary.contains("of 6"), "{summary}");
    }

    #[test]
    fn text_is_no_markup() {
        assert_eq!(text("a|b\n<img>@team [x](y)"), "a&#124;b &lt;img&gt;&#64;team \\[x\\](y)");
        assert_eq!(fenced("a ```` b"), "`````text\na ```` b\n`````");
    }
}
