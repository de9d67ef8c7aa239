//! The report for people: one line per scenario that needs attention, the first difference in full, one summary.

use std::fmt::Write as _;

use super::{Outcome, Report, ScenarioReport, TrialFailure};
use crate::{record::Verdict, run::Gate, stats::Flake};

/// Whether to use colour. Meaning never depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Colour,
}

impl Paint {
    fn dye(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    fn good(self, text: &str) -> String {
        self.dye("32", text)
    }

    fn bad(self, text: &str) -> String {
        self.dye("31", text)
    }

    fn odd(self, text: &str) -> String {
        self.dye("33", text)
    }
}

/// The whole report. Scenarios that pass take no line.
pub fn terminal(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    for scenario in report.scenarios.iter().filter(|scenario| scenario.flake != Flake::StablePass) {
        line(&mut out, &heading(scenario, paint));
        if let Some(first) = scenario.failures.first() {
            line(&mut out, &failure_text(first));
            line_of_log(&mut out, &first.subject_log);
        }
    }
    for ((scenario, verdict, reason), trials) in &invalid(report) {
        let what = if *verdict == Verdict::Unjudged { "not judged" } else { "not counted" };
        line(&mut out, &format!("{} {scenario}, trial {}:", paint.odd(what), trials.join(", ")));
        line(&mut out, &format!("{}\n", indented(reason)));
    }
    line(&mut out, &summary(report, paint));
    out
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

/// The failure of one trial, indented, with every expectation that did not hold.
fn failure_text(failed: &TrialFailure) -> String {
    let failure = &failed.failure;
    let place = match failure.step {
        0 => failure.name.clone(),
        step => format!("step {step} \"{}\"", failure.name),
    };
    format!("  trial {}, {place}:\n{}\n", failed.trial, indented(&failure.message))
}

/// The last lines of the log, unless the failure itself ended with them.
fn line_of_log(out: &mut String, log: &str) {
    const LINES_MAX: usize = 12; // a traceback's end; the record holds more
    let lines: Vec<_> = log.trim_end().lines().collect();
    let last = lines[lines.len().saturating_sub(LINES_MAX)..].join("\n");
    if !last.is_empty() && !out.contains(&indented(&last)) {
        line(out, &format!("  the end of the subject's log:\n{}\n", indented(&last)));
    }
}

/// Text of a subject or an agent as a person may see it: what would steer the terminal (an escape sequence can rewrite
/// what stands above it), or turn the direction of reading, is replaced by a visible sign.
pub fn printable(text: &str) -> String {
    let sign = |c: char| match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).expect("each control character has a picture"),
        '\x7f'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        _ => c,
    };
    text.chars().map(sign).collect()
}

fn indented(text: &str) -> String {
    let text = printable(text);
    text.lines().map(|text| format!("    {text}")).collect::<Vec<_>>().join("\n")
}

fn heading(scenario: &ScenarioReport, paint: Paint) -> String {
    let count = scenario.count;
    let word = match scenario.flake {
        Flake::Unknown => paint.odd("unknown"),
        Flake::StablePass => paint.good("passed"),
        Flake::StableFail => paint.bad("failed"),
        Flake::Flaky => paint.bad("flaky"),
    };
    let ids = scenario.requirements.join(", ");
    let ids = if ids.is_empty() { ids } else { format!(" ({ids})") };
    format!("{word} {}{ids}: {} of {} trials satisfied", scenario.scenario, count.satisfied, count.valid)
}

fn summary(report: &Report, paint: Paint) -> String {
    let count = report.count();
    let word = match report.outcome {
        Outcome::Satisfied => paint.good("satisfied"),
        Outcome::Unsatisfied => paint.bad("not satisfied"),
        Outcome::Infra => paint.odd("nothing can be concluded"),
    };
    let mut text = format!("{word}: {} of {} trials", count.satisfied, count.valid);
    if report.executed < report.planned {
        write!(text, " ({} of {} planned were run)", report.executed, report.planned)
            .expect("a String takes every write");
    }
    if let (Some(satisfaction), Some(bound)) = (report.satisfaction, report.lower_bound) {
        let confidence = report.gate.confidence() * 100.0;
        write!(text, ", satisfaction {satisfaction:.3}, at least {bound:.3} with {confidence:.0} % confidence")
            .expect("a String takes every write");
    }
    if let Gate::LowerBound { target, .. } = report.gate {
        let more = match report.trials_needed {
            Some(0) => String::new(),
            Some(more) => format!("; {more} more trials at this rate would settle it"),
            None => "; more trials at this rate would not reach it".to_owned(),
        };
        write!(text, ", target {target:.3}{more}").expect("a String takes every write");
    }
    let seconds = format!("{}.{:02}", report.duration_ms / 1000, report.duration_ms % 1000 / 10);
    format!("{text}, {} scenarios, {seconds} s, seed {}", report.scenarios.len(), report.seed)
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{Paint, printable, terminal};
    use crate::report::samples;

    #[test]
    fn only_what_needs_attention_takes_lines() {
        insta::assert_snapshot!(terminal(&samples::report(), Paint::Plain), @r#"
        failed bad (R1): 0 of 2 trials satisfied
          trial 1, step 2 "GET /orders":
            status: expected 200, got 402
            json $.a: expected "<b>", got nothing there

        flaky flaky (R1): 1 of 2 trials satisfied
          trial 2, step 2 "GET /orders":
            status: expected 200, got 402
            json $.a: expected "<b>", got nothing there

        unknown broken (R1): 0 of 0 trials satisfied
        not counted broken, trial 1, 2:
            status: expected 200, got 402
            json $.a: expected "<b>", got nothing there

        not satisfied: 3 of 6 trials, satisfaction 0.500, at least 0.113 with 95 % confidence, target 0.800; more trials at this rate would not reach it, 4 scenarios, 5.12 s, seed 7
        "#);
    }

    #[test]
    fn a_subject_cannot_steer_the_terminal() {
        let text = "\u{1b}]0;satisfied\u{7} \u{9b}2J\r\u{202e}x\n\tüß 李";
        assert_eq!(printable(text), "␛]0;satisfied␇ \u{fffd}2J␍\u{fffd}x\n\tüß 李");
        let mut report = samples::report();
        for failed in report.scenarios.iter_mut().flat_map(|scenario| &mut scenario.failures) {
            failed.subject_log = "\u{1b}[2Jall passed".to_owned();
            failed.failure.message.push('\u{1b}');
        }
        assert!(!terminal(&report, Paint::Plain).contains('\u{1b}'));
    }

    #[test]
    fn colour_adds_nothing_to_the_words() {
        let coloured = terminal(&samples::report(), Paint::Colour);
        let codes = regex::Regex::new("\u{1b}\\[[0-9]+m").unwrap();
        assert_ne!(coloured, codes.replace_all(&coloured, ""));
        assert_eq!(codes.replace_all(&coloured, ""), terminal(&samples::report(), Paint::Plain));
    }
}
