//! What a run may spend and what it has spent.

use serde::{Deserialize, Serialize};

/// The most a run may spend. `None` is no limit of that kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Millionths of a US dollar.
    pub cost_usd_micros: Option<u64>,
    /// Input and output tokens together.
    pub tokens: Option<u64>,
    pub wall_time_ms: Option<u64>,
    /// Visits of the building node.
    pub iterations: Option<u32>,
}

/// What was spent. Adds up over actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    pub cost_usd_micros: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Requests to models.
    pub model_calls: u64,
}

impl std::ops::AddAssign for Spend {
    fn add_assign(&mut self, more: Self) {
        self.cost_usd_micros = self.cost_usd_micros.saturating_add(more.cost_usd_micros);
        self.input_tokens = self.input_tokens.saturating_add(more.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(more.output_tokens);
        self.model_calls = self.model_calls.saturating_add(more.model_calls);
    }
}

/// `$1.25`; below a cent `$0.0004`, since a turn often costs less.
#[expect(clippy::cast_precision_loss, reason = "exact up to nine billion dollars")]
pub fn usd(micros: u64) -> String {
    let dollars = micros as f64 / 1e6;
    if micros == 0 || micros >= 10_000 { format!("${dollars:.2}") } else { format!("${dollars:.4}") }
}

impl Spend {
    pub fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

/// A limit that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    Cost,
    Tokens,
    WallTime,
    Iterations,
}

impl Limit {
    pub fn words(self) -> &'static str {
        match self {
            Self::Cost => "the cost budget is used up",
            Self::Tokens => "the token budget is used up",
            Self::WallTime => "the wall time is used up",
            Self::Iterations => "the iterations are used up",
        }
    }
}

impl Budget {
    /// The first limit that `spend` and `elapsed_ms` have reached. Iterations are the flow's to count.
    pub fn reached(&self, spend: &Spend, elapsed_ms: u64) -> Option<Limit> {
        let over = |limit: Option<u64>, used: u64| limit.is_some_and(|most| used >= most);
        [
            (Limit::Cost, over(self.cost_usd_micros, spend.cost_usd_micros)),
            (Limit::Tokens, over(self.tokens, spend.tokens())),
            (Limit::WallTime, over(self.wall_time_ms, elapsed_ms)),
        ]
        .into_iter()
        .find_map(|(limit, reached)| reached.then_some(limit))
    }

    /// What is left after `spend`; unlimited kinds stay unlimited.
    #[must_use]
    pub fn less(&self, spend: &Spend, elapsed_ms: u64) -> Self {
        Self {
            cost_usd_micros: self.cost_usd_micros.map(|most| most.saturating_sub(spend.cost_usd_micros)),
            tokens: self.tokens.map(|most| most.saturating_sub(spend.tokens())),
            wall_time_ms: self.wall_time_ms.map(|most| most.saturating_sub(elapsed_ms)),
            iterations: self.iterations,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_told_to_the_cent_and_less_than_a_cent_in_full() {
        assert_eq!([usd(0), usd(420), usd(1_250_000)], ["$0.00", "$0.0004", "$1.25"]);
    }
}
