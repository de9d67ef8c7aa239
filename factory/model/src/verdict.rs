//! How runs and suites end.

use serde::{Deserialize, Serialize};

/// How a run ended. The command line maps each to an exit status of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Satisfaction was shown, and held over fresh trials.
    Satisfied,
    /// The loop ended without it.
    NotSatisfied,
    /// A budget ended first.
    BudgetExhausted,
    /// Only a person can go on.
    NeedsPerson,
    /// The factory's own surroundings failed; says nothing about the software.
    Infrastructure,
    /// A person stopped it.
    Cancelled,
}

impl Verdict {
    pub fn words(self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::NotSatisfied => "not satisfied",
            Self::BudgetExhausted => "budget exhausted",
            Self::NeedsPerson => "needs a person",
            Self::Infrastructure => "infrastructure failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Whether the builder may see a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suite {
    Visible,
    Holdout,
}

impl Suite {
    pub fn words(self) -> &'static str {
        match self {
            Self::Visible => "visible",
            Self::Holdout => "holdout",
        }
    }
}

/// What a suite's trials say, with the interval. Computed by the harness; the formulas stand there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    pub scenarios: u32,
    pub trials: u32,
    pub satisfied: u32,
    /// Weighted mean of the scenarios' satisfied fractions, 0 to 1.
    pub satisfaction: f64,
    /// One-sided lower confidence bound of `satisfaction`.
    pub lower_bound: f64,
    pub confidence: f64,
    /// Trials that infrastructure spoiled; in no other count.
    pub infra: u32,
}
