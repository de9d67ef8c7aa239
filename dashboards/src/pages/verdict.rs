//! How a run's phase is shown: a tone, a glyph that differs without colour, words, and whether a person is needed.

use model::verdict::Verdict;
use serde::Serialize;

use crate::reads::{Phase, RunRow};

/// Invariant: no two badges share a glyph, so that colour never carries the meaning alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Badge {
    /// A class of the style sheet: `good`, `bad`, `warn`, `busy` or `quiet`.
    pub tone: &'static str,
    pub glyph: &'static str,
    pub words: &'static str,
}

const fn badge(tone: &'static str, glyph: &'static str, words: &'static str) -> Badge {
    Badge { tone, glyph, words }
}

pub(crate) const NEVER_RUN: Badge = badge("quiet", "○", "never run");

pub(crate) fn of(phase: &Phase) -> Badge {
    match phase {
        Phase::Active => badge("busy", "●", "running"),
        Phase::Parked(_) => badge("warn", "?", "waits for you"),
        Phase::Finished { verdict, .. } => match verdict {
            Verdict::Satisfied => badge("good", "✓", verdict.words()),
            Verdict::NotSatisfied => badge("bad", "✕", verdict.words()),
            Verdict::BudgetExhausted => badge("warn", "$", verdict.words()),
            Verdict::NeedsPerson => badge("warn", "⚑", verdict.words()),
            Verdict::Infrastructure => badge("warn", "!", verdict.words()),
            Verdict::Cancelled => badge("quiet", "■", verdict.words()),
        },
    }
}

/// Why a person should look at a run, in one sentence; `None` where nobody needs to.
pub(crate) fn need(row: &RunRow) -> Option<String> {
    match &row.phase {
        Phase::Parked(parked) => Some(parked.question.clone()),
        Phase::Finished { verdict, reason } => match verdict {
            Verdict::Satisfied | Verdict::Cancelled if row.incidents == 0 => None,
            Verdict::Satisfied | Verdict::Cancelled => Some(incidents(row.incidents)),
            Verdict::NotSatisfied | Verdict::BudgetExhausted | Verdict::NeedsPerson | Verdict::Infrastructure => {
                Some(reason.clone())
            }
        },
        Phase::Active if row.incidents > 0 => Some(incidents(row.incidents)),
        Phase::Active => None,
    }
}

fn incidents(count: u32) -> String {
    match count {
        1 => "One incident was opened.".to_owned(),
        count => format!("{count} incidents were opened."),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_badges_share_a_glyph() {
        let verdicts = [
            Verdict::Satisfied,
            Verdict::NotSatisfied,
            Verdict::BudgetExhausted,
            Verdict::NeedsPerson,
            Verdict::Infrastructure,
            Verdict::Cancelled,
        ];
        let finished = verdicts.map(|verdict| of(&Phase::Finished { verdict, reason: String::new() }).glyph);
        let all: Vec<_> = finished.into_iter().chain([NEVER_RUN.glyph, of(&Phase::Active).glyph, "?"]).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
    }
}
