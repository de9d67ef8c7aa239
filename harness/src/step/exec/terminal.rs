//! `pty` and `type` of an `exec` step: the terminal as a file writes it.

use std::{num::NonZeroU16, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    expect::{Mismatch, compile_regex, cut},
    scenario::{LintCode, Lower},
    subject::{Sign, Terminal, TerminalOutput, Turn},
    text::{Period, Placed, RenderError, Scope, Text},
};

const COLUMNS: NonZeroU16 = NonZeroU16::new(80).expect("not 0");
const ROWS: NonZeroU16 = NonZeroU16::new(24).expect("not 0");
const SIDE_MAX: u16 = 500; // far beyond any screen; a screen is kept in memory
const WITHIN: Duration = Duration::from_secs(5);
const WITHIN_MAX: Duration = Duration::from_mins(10);
const SCREEN_SHOWN_BYTES_MAX: usize = 2 * 1024; // 80 × 24 characters

/// The size of a terminal.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PtyFile {
    /// Default 80, at most 500.
    #[serde(default)]
    columns: Option<Placed<NonZeroU16>>,
    /// Default 24, at most 500.
    #[serde(default)]
    rows: Option<Placed<NonZeroU16>>,
}

/// Waits for `expect`, `matches` or `screen`, then types `send`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TurnFile {
    /// A text in what was printed since the turn before.
    #[serde(default)]
    expect: Option<Text>,
    /// A regular expression that matches what was printed since the turn before.
    #[serde(default)]
    matches: Option<Text>,
    /// A text on the screen as it is now.
    #[serde(default)]
    screen: Option<Text>,
    /// As from the keyboard: `\r` is Enter, `\u0003` Ctrl-C, `\u0004` the end of the input.
    #[serde(default)]
    send: Option<Text>,
    /// For the sign. Default 5s, at most 10m.
    #[serde(default)]
    within: Option<Placed<Period>>,
}

/// A terminal whose texts are still templates.
#[derive(Debug)]
pub(super) struct TerminalPlan {
    columns: NonZeroU16,
    rows: NonZeroU16,
    turns: Vec<TurnFile>,
}

pub(super) fn lower(pty: Option<PtyFile>, turns: Vec<Placed<TurnFile>>, lower: &mut Lower<'_>) -> Option<TerminalPlan> {
    let Some(pty) = pty else {
        if let Some(first) = turns.first() {
            let hint = "add `pty: {}`; without a terminal, give the input as `stdin`";
            lower.refuse_with(LintCode::StepKind, first.place, "`type` needs a terminal", hint);
        }
        return None;
    };
    for turn in &turns {
        lower.period(turn.within.as_ref(), WITHIN, WITHIN_MAX);
        let signs = [&turn.expect, &turn.matches, &turn.screen];
        if signs.iter().filter(|sign| sign.is_some()).count() > 1 {
            lower.refuse(LintCode::StepKind, turn.place, "a turn waits for one of expect, matches and screen");
        }
        if signs.iter().all(|sign| sign.is_none()) && turn.send.is_none() {
            lower.refuse(LintCode::StepKind, turn.place, "a turn waits for something, sends something, or both");
        }
        if let Some(pattern) = turn.matches.as_ref().filter(|pattern| !pattern.contains("{{")) {
            compile_regex(pattern).map(drop).unwrap_or_else(|reason| {
                lower.refuse(LintCode::BadExpectation, pattern.place, reason);
            });
        }
    }
    let mut side = |side: Option<Placed<NonZeroU16>>, default| {
        let Some(side) = side else { return default };
        if side.get() > SIDE_MAX {
            lower.refuse(LintCode::BadLimit, side.place, format!("at most {SIDE_MAX} is allowed here"));
        }
        side.value
    };
    let (columns, rows) = (side(pty.columns, COLUMNS), side(pty.rows, ROWS));
    Some(TerminalPlan { columns, rows, turns: turns.into_iter().map(|turn| turn.value).collect() })
}

impl TerminalPlan {
    pub(super) fn terminal(&self, scope: &Scope) -> Result<Terminal, RenderError> {
        let dialogue = self.turns.iter().map(|turn| turn.turn(scope)).collect::<Result<_, _>>()?;
        Ok(Terminal { columns: self.columns, rows: self.rows, dialogue })
    }
}

impl TurnFile {
    fn turn(&self, scope: &Scope) -> Result<Turn, RenderError> {
        let filled = |text: &Option<Text>| text.as_ref().map(|text| scope.text(text)).transpose();
        let mut sign = filled(&self.expect)?.map(Sign::Text);
        if let Some(text) = filled(&self.screen)? {
            sign = Some(Sign::Screen(text));
        }
        if let Some(pattern) = &self.matches {
            let compiled = compile_regex(&scope.text(pattern)?);
            let regex = compiled.map_err(|message| RenderError { place: pattern.place, message })?;
            sign = Some(Sign::Pattern(regex));
        }
        let within = self.within.as_ref().map_or(WITHIN, |within| within.0);
        Ok(Turn { sign, send: filled(&self.send)?.unwrap_or_default(), within })
    }
}

/// The turn whose sign did not come.
pub(super) fn unanswered(terminal: &Terminal, left: &TerminalOutput) -> Option<Mismatch> {
    let number = left.unanswered?;
    let turn = terminal.dialogue.get(number - 1)?;
    let sign = turn.sign.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let expected = format!("{sign} within {}", Period(turn.within));
    let screen = match left.screen.trim_end() {
        "" => "an empty screen".to_owned(),
        screen => format!("the screen:\n{}", cut(screen.to_owned(), SCREEN_SHOWN_BYTES_MAX)),
    };
    Some(Mismatch::new(format!("turn {number}"), expected, screen))
}
