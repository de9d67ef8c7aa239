//! The report for people at a terminal: what needs attention with its first difference in full, then one summary.
//! Scenarios that pass take no line.

use super::{Outcome, Paint, Report, ScenarioReport, TrialFailure, diff, words};
use crate::{record::Verdict, stats::Flake};

const NAMES_IN_FILTER_MAX: usize = 6; // a longer pattern is worse than running the failed ones
const SLOW_MS: u64 = 1_000; // below it nobody waits
const SLOWEST_SHOWN: usize = 3;
/// Before every line of what a subject wrote: no line of it can pass for one of ours, or for a CI system's command.
const GUTTER: &str = "  │ ";

/// The whole report.
pub fn terminal(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    for scenario in report.scenarios.iter().filter(|scenario| needs_attention(scenario)) {
        line(&mut out, &heading(scenario, paint));
        if let Some(first) = scenario.failures.first() {
            failure(&mut out, first, paint);
        }
    }
    for ((scenario, verdict, reason), trials) in &invalid(report) {
        let what = if *verdict == Verdict::Unjudged { "not judged" } else { "not counted" };
        line(&mut out, &format!("{} {scenario}, trial {}:", paint.odd(what), trials.join(", ")));
        line(&mut out, &format!("{}\n", quoted(reason)));
    }
    for skipped in &report.skipped {
        let reason = super::printable(&skipped.reason);
        line(&mut out, &format!("{} {}: {reason}", paint.odd("skipped"), skipped.scenario));
    }
    if let Some(leaked) = words::leaked(report) {
        line(&mut out, &format!("{} {leaked}", paint.odd("leaked")));
    }
    summary(&mut out, report, paint);
    out
}

/// One that was not run because the run stopped early is told by the counts.
fn needs_attention(scenario: &ScenarioReport) -> bool {
    scenario.executed > 0 && (scenario.flake != Flake::StablePass || scenario.has_invalid())
}

type Reason<'a> = (&'a str, Verdict, &'a str);

/// Trials that are not counted, those with one reason together, in the order of their first.
fn invalid(report: &Report) -> Vec<(Reason<'_>, Vec<String>)> {
    let mut groups: Vec<(Reason<'_>, Vec<String>)> = Vec::new();
    for invalid in &report.invalid {
        let reason = (invalid.scenario.as_str(), invalid.verdict, invalid.reason.as_str());
        let trial = invalid.trial.to_string();
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, trials)) => trials.push(trial),
            None => groups.push((reason, vec![trial])),
        }
    }
    groups
}

fn heading(scenario: &ScenarioReport, paint: Paint) -> String {
    let word = words::flake(scenario);
    let word = match scenario.flake {
        Flake::Unknown => paint.odd(word),
        Flake::StablePass => paint.good(word),
        Flake::StableFail | Flake::Flaky => paint.bad(word),
    };
    let ids = scenario.requirements.join(", ");
    let ids = if ids.is_empty() { ids } else { format!(" ({ids})") };
    format!("{word} {}{ids}: {}", scenario.scenario, words::count(scenario.count))
}

/// One trial's failure: where, every expectation that did not hold, the first difference in full, the log's end.
fn failure(out: &mut String, failed: &TrialFailure, paint: Paint) {
    let at = if failed.place.is_empty() { String::new() } else { format!(", {}", paint.faint(&failed.place)) };
    line(out, &format!("  {}{at}:", words::place(failed)));
    line(out, &quoted(&failed.failure.message));
    if !failed.sent.is_empty() {
        line(out, &format!("  sent: {}", words::printable(&failed.sent).replace('\n', "␊")));
    }
    if let (Some(expected), Some(observed)) = (&failed.failure.expected, &failed.failure.observed) {
        difference(out, expected, observed, paint);
    }
    log_end(out, &failed.subject_log);
    out.push('\n');
}

fn difference(out: &mut String, expected: &str, observed: &str, paint: Paint) {
    let lines = diff::diff(expected, observed);
    if !lines.is_empty() {
        line(out, &format!("  {} and {}:", paint.bad("- expected"), paint.good("+ observed")));
    }
    for diff::Line { side, text } in lines {
        let text = words::printable(&format!("{}{text}", side.sign()));
        let text = match side {
            diff::Side::Both | diff::Side::Gap => paint.faint(&text),
            diff::Side::Expected => paint.bad(&text),
            diff::Side::Observed => paint.good(&text),
        };
        line(out, &format!("{GUTTER}{text}"));
    }
}

/// The last lines of the log, unless the failure itself ended with them.
fn log_end(out: &mut String, log: &str) {
    const LINES_MAX: usize = 12; // a traceback's end; the record holds more
    let lines: Vec<_> = log.trim_end().lines().collect();
    let last = lines[lines.len().saturating_sub(LINES_MAX)..].join("\n");
    if !last.is_empty() && !out.contains(&quoted(&last)) {
        line(out, &format!("  the end of the subject's log:\n{}", quoted(&last)));
    }
}

fn summary(out: &mut String, report: &Report, paint: Paint) {
    let word = words::outcome(report.outcome);
    let word = match report.outcome {
        Outcome::Satisfied => paint.good(word),
        Outcome::Unsatisfied => paint.bad(word),
        Outcome::Infra => paint.odd(word),
    };
    let (counts, took) = (words::counts(report), words::duration(report.duration_ms));
    // All is well: one line.
    if report.outcome == Outcome::Satisfied && !report.scenarios.iter().any(needs_attention) {
        let bound = words::bound(report).map_or_else(String::new, |bound| format!(", {bound}"));
        return line(out, &format!("{word}: {counts}{bound}, {took}, seed {}", report.seed));
    }
    line(out, &format!("{word}: {counts}, {took}, seed {}", report.seed));
    for sentence in
        [words::missing(report), words::conclusion(report), words::passes(report), slowest(report), again(report)]
    {
        sentence.iter().for_each(|sentence| line(out, &format!("  {sentence}")));
    }
}

/// The scenarios whose slowest trial a person had to wait for.
fn slowest(report: &Report) -> Option<String> {
    let mut slow: Vec<_> = report.scenarios.iter().filter(|scenario| scenario.slowest_ms >= SLOW_MS).collect();
    slow.sort_by_key(|scenario| std::cmp::Reverse(scenario.slowest_ms));
    slow.truncate(SLOWEST_SHOWN);
    let named = |scenario: &&ScenarioReport| format!("{} {}", scenario.scenario, words::duration(scenario.slowest_ms));
    let named: Vec<_> = slow.iter().map(named).collect();
    (!named.is_empty()).then(|| format!("slowest: {}", named.join(", ")))
}

/// The command that runs only what failed, with the same random values.
fn again(report: &Report) -> Option<String> {
    let failed = report.scenarios.iter().filter(|scenario| needs_attention(scenario));
    let names: Vec<_> = failed.map(|scenario| regex::escape(&scenario.scenario).replace("\\-", "-")).collect();
    let which = match names.as_slice() {
        [] => return None,
        [one] => format!("--filter '^{one}$'"),
        some if some.len() <= NAMES_IN_FILTER_MAX => format!("--filter '^({})$'", some.join("|")),
        _ => "--last-failed".to_owned(),
    };
    let arguments = report.arguments.iter().map(|word| format!("{} ", words::shell_word(&words::printable(word))));
    let arguments: String = arguments.collect();
    Some(format!("again: harness run {arguments}{which} --seed {} --trials {}", report.seed, trials(report)))
}

/// Of each scenario, as planned.
fn trials(report: &Report) -> usize {
    report.planned as usize / report.scenarios.len().max(1)
}

fn quoted(text: &str) -> String {
    let text = words::printable(text);
    text.lines().map(|text| format!("{GUTTER}{text}")).collect::<Vec<_>>().join("\n")
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{Paint, terminal};
    use crate::report::samples;

    #[test]
    fn only_what_needs_attention_takes_lines() {
        insta::assert_snapshot!(terminal(&samples::report(), Paint::Plain), @r#"
        failed bad (R1): 0 of 2 trials satisfied
          trial 1, step 2 "GET /orders", scenarios/bad.yaml:4:3:
          │ status: expected 200, got 402
          │ json $.a: expected "<b>", got nothing there

        flaky flaky (R1): 1 of 2 trials satisfied
          trial 2, step 2 "GET /orders", scenarios/flaky.yaml:4:3:
          │ status: expected 200, got 402
          │ json $.a: expected "<b>", got nothing there

        unknown broken (R1): 0 of 0 trials satisfied
        not counted broken, trial 1, 2:
          │ status: expected 200, got 402
          │ json $.a: expected "<b>", got nothing there

        not satisfied: 3 of 6 trials, 4 scenarios, 1 flaky, 2 trials not counted, 5.12 s, seed 7
          satisfaction 0.500 [0.118, 0.882], at least 0.153 with 95 % confidence, target 0.800; more trials at this rate would not reach it
          slowest: good 1.25 s, bad 1.25 s, flaky 1.25 s
          again: harness run --filter '^(bad|flaky|broken)$' --seed 7 --trials 2
        "#);
    }

    #[test]
    fn what_the_command_was_given_stands_in_the_line_that_runs_it_again() {
        let arguments = ["my scenarios/a.yaml", "--target", "http://127.0.0.1:1", "--var", "user=…"];
        let mut report = samples::report();
        report.arguments = arguments.map(str::to_owned).into();
        let text = terminal(&report, Paint::Plain);
        let line = "again: harness run 'my scenarios/a.yaml' --target http://127.0.0.1:1 --var 'user=…' --filter '^(bad|flaky|broken)$' --seed 7 --trials 2\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn when_all_is_well_there_is_little_to_say() {
        let text = terminal(&samples::good(), Paint::Plain);
        let line = "satisfied: 4 of 4 trials, 2 scenarios, at least 0.473 with 95 % confidence, 420 ms, seed 7\n";
        assert_eq!(text, line);
    }

    #[test]
    fn long_values_are_shown_as_a_difference() {
        let mut report = samples::good();
        let mut failed = samples::report().scenarios[1].clone();
        failed.failures[0].failure.expected = Some(r#"{"id": 1, "lines": [{"sku": "mug", "quantity": 2}]}"#.to_owned());
        failed.failures[0].failure.observed = Some(r#"{"id": 1, "lines": [{"sku": "cup", "quantity": 2}]}"#.to_owned());
        report.scenarios = vec![failed];
        let text = terminal(&report, Paint::Plain);
        assert!(text.contains("  │ -       \"sku\": \"mug\",\n  │ +       \"sku\": \"cup\",\n"), "{text}");
    }

    #[test]
    fn a_subject_cannot_steer_the_terminal_or_a_ci_system() {
        let mut report = samples::report();
        for failed in report.scenarios.iter_mut().flat_map(|scenario| &mut scenario.failures) {
            failed.subject_log = "\u{1b}[2Jall passed\n::stop-commands::x".to_owned();
            failed.failure.message.push_str("\u{1b}\n::error::x");
        }
        let text = terminal(&report, Paint::Plain);
        assert!(!text.contains('\u{1b}') && text.contains("::error::x") && text.contains("::stop-commands::x"));
        assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
    }

    #[test]
    fn colour_adds_nothing_to_the_words() {
        let coloured = terminal(&samples::report(), Paint::Colour);
        let codes = regex::Regex::new("\u{1b}\\[[0-9]+m").unwrap();
        assert_ne!(coloured, codes.replace_all(&coloured, ""));
        assert_eq!(codes.replace_all(&coloured, ""), terminal(&samples::report(), Paint::Plain));
    }
}
