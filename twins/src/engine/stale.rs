//! Older states of a twin, for answers that do not know yet of what just happened. Kept only while a rule asks for
//! them: what happened before the rule was armed is known to it.

use std::collections::VecDeque;

use crate::{engine::fault::FaultRule, twin::AnyTwin};

pub(crate) const CALLS_MAX: usize = 1_000; // states kept; one costs what a clone of the twin costs

/// States before each of the latest calls, oldest first.
#[derive(Default)]
pub(crate) struct History(VecDeque<(u64, Box<dyn AnyTwin>)>);

impl History {
    /// Keeps the state as it is before the call that happens at `elapsed_ms`.
    pub(crate) fn keep(&mut self, elapsed_ms: u64, twin: &dyn AnyTwin) {
        self.0.push_back((elapsed_ms, twin.boxed()));
        if self.0.len() > CALLS_MAX + 1 {
            self.0.pop_front();
        }
    }

    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// The state that a stale answer comes from; the oldest one where none is as old.
    pub(crate) fn behind(&self, rule: &FaultRule) -> Option<Box<dyn AnyTwin>> {
        let (now, _) = self.0.back()?;
        let index = match (rule.lag_calls, rule.lag_ms) {
            (Some(calls), _) => (self.0.len() - 1).saturating_sub(calls as usize),
            // What happened later than that is not known yet: the state before the first such call.
            (None, lag) => {
                let known_until = now.checked_sub(lag.unwrap_or_default());
                self.0.iter().position(|(at, _)| known_until.is_none_or(|until| *at > until))?
            }
        };
        self.0.get(index).map(|(_, twin)| twin.boxed())
    }
}

impl Clone for History {
    fn clone(&self) -> Self {
        Self(self.0.iter().map(|(at, twin)| (*at, twin.boxed())).collect())
    }
}
