//! Phrases that several renderers share, so that all of them say the same.

use super::{Outcome, Report, ScenarioReport, TrialFailure};
use crate::{
    run::Gate,
    stats::{Count, Flake, Interval},
};

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

pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Satisfied => "satisfied",
        Outcome::Unsatisfied => "not satisfied",
        Outcome::Infra => "nothing can be concluded",
    }
}

/// A scenario in one word. One that was never tried is not unknown for want of luck.
pub(super) fn flake(scenario: &ScenarioReport) -> &'static str {
    match scenario.flake {
        Flake::Unknown if scenario.executed == 0 => "not run",
        Flake::Unknown => "unknown",
        Flake::StablePass => "passed",
        Flake::StableFail => "failed",
        Flake::Flaky => "flaky",
    }
}

pub(super) fn count(count: Count) -> String {
    format!("{} of {} trials satisfied", count.satisfied, count.valid)
}

pub(super) fn interval(interval: Interval) -> String {
    format!("[{:.3}, {:.3}]", interval.lower, interval.upper)
}

/// `trial 2, step 3 "GET /orders"`.
pub(super) fn place(failed: &TrialFailure) -> String {
    let TrialFailure { trial, failure, .. } = failed;
    match failure.step {
        0 => format!("trial {trial}, {}", failure.name),
        step => format!("trial {trial}, step {step} \"{}\"", failure.name),
    }
}

/// One word for a POSIX shell, whatever it holds; a NUL cannot be in an argument at all.
pub(super) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}

/// A duration as people read it.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{:02} s", ms / 1000, ms % 1000 / 10),
        _ => format!("{} min {:02} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// `3 trials left processes behind, which were killed: setsid, sleep (5 in all)`.
pub(super) fn leaked(report: &Report) -> Option<String> {
    let leaked = &report.leaked;
    let names: Vec<_> = leaked.names.iter().map(|name| printable(name).replace(['\n', '\t'], " ")).collect();
    let trials = super::plural(leaked.trials as usize, "trial");
    let text = format!(
        "{trials} left processes behind, which were killed: {} ({} in all)",
        names.join(", "),
        leaked.processes
    );
    (leaked.trials > 0).then_some(text)
}

/// What was run, in one sentence without an end.
pub(super) fn counts(report: &Report) -> String {
    let count = report.count();
    let mut text = format!("{} of {} trials", count.satisfied, count.valid);
    if report.executed < report.planned {
        text.push_str(&format!(" ({} of {} planned were run)", report.executed, report.planned));
    }
    text.push_str(&format!(", {}", plural(report.scenarios.len(), "scenario")));
    if !report.skipped.is_empty() {
        text.push_str(&format!(", {} skipped", report.skipped.len()));
    }
    let flaky = report.scenarios.iter().filter(|scenario| scenario.flake == Flake::Flaky).count();
    if flaky > 0 {
        text.push_str(&format!(", {flaky} flaky"));
    }
    if report.invalid_count() > 0 {
        text.push_str(&format!(", {} not counted", plural(report.invalid_count() as usize, "trial")));
    }
    text
}

/// Why nothing can be concluded, and the way out.
pub(super) fn missing(report: &Report) -> Option<String> {
    let is_open = report.outcome == Outcome::Infra;
    is_open.then(|| {
        let why = match report.executed == report.planned {
            true => "every planned trial must be valid",
            false => "every planned trial must be run and be valid",
        };
        format!("{why}; mend what keeps one from it, or allow a share of them to be lost: --allow-invalid 0.1")
    })
}

/// What may be concluded. `None` where no trial was valid.
pub(super) fn conclusion(report: &Report) -> Option<String> {
    let (satisfaction, interval, bound) = (report.satisfaction?, interval(report.interval?), bound(report)?);
    let mut text = format!("satisfaction {satisfaction:.3} {interval}, {bound}");
    if let Gate::LowerBound { target, .. } = report.gate {
        text.push_str(&format!(", target {target:.3}"));
        match report.trials_needed {
            Some(0) => {}
            Some(more) => {
                let each = if report.scenarios.len() == 1 { "" } else { " of each scenario" };
                text.push_str(&format!("; {}{each} at this rate would settle it", plural(more as usize, "more trial")));
            }
            None => text.push_str("; more trials at this rate would not reach it"),
        }
    }
    Some(text)
}

/// `at least 0.883 with 95 % confidence`.
pub(super) fn bound(report: &Report) -> Option<String> {
    let (bound, confidence) = (report.lower_bound?, report.gate.confidence() * 100.0);
    Some(format!("at least {bound:.3} with {confidence:.0} % confidence"))
}

/// `pass@3 0.900, pass^3 0.700`, for the largest number of tries that is known. `None` where all is one.
pub(super) fn passes(report: &Report) -> Option<String> {
    let passes = report.passes.last().filter(|passes| passes.all < 1.0)?;
    let k = passes.k;
    Some(format!("pass@{k} {:.3} (one of {k} tries), pass^{k} {:.3} (all {k})", passes.at_least_one, passes.all))
}

/// `1 scenario`, `2 scenarios`.
pub fn plural(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::{duration, printable};
    use crate::report::{Leaked, Paint, annotations, ctrf, junit, markdown, samples, tap, terminal};

    #[test]
    fn what_steers_a_terminal_is_made_visible() {
        let text = "\u{1b}]0;satisfied\u{7} \u{9b}2J\r\u{202e}x\n\tüß 李";
        assert_eq!(printable(text), "␛]0;satisfied␇ \u{fffd}2J␍\u{fffd}x\n\tüß 李");
    }

    #[test]
    fn durations_have_the_unit_that_fits() {
        let words = [0, 999, 1_000, 59_999, 60_000, 3_725_000].map(duration);
        assert_eq!(words, ["0 ms", "999 ms", "1.00 s", "59.99 s", "1 min 00 s", "62 min 05 s"]);
    }

    #[test]
    fn processes_that_outlived_their_trials_are_told_in_every_format() {
        let mut report = samples::report();
        assert_eq!(super::leaked(&report), None);
        let names = vec!["setsid".to_owned(), "sl\neep".to_owned()];
        report.leaked = Leaked { trials: 3, processes: 7, names };
        let told = "3 trials left processes behind, which were killed: setsid, sl eep (7 in all)";
        for text in [
            terminal(&report, Paint::Plain),
            junit(&report),
            tap(&report),
            ctrf(&report).to_string(),
            annotations(&report),
            markdown(&report),
        ] {
            assert!(text.contains(told), "{text}");
        }
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["leaked"]["processes"], 7);
    }
}
