//! Noticing that an agent goes in circles.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::Value;

const WINDOW: usize = 10;
const PATTERN_LENGTH_MAX: usize = 3;

/// The last calls, by what they ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Repetition(VecDeque<u64>);

impl Repetition {
    pub(super) fn push(&mut self, name: &str, arguments: &Value) {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        arguments.to_string().hash(&mut hasher);
        if self.0.len() == WINDOW {
            self.0.pop_front();
        }
        self.0.push_back(hasher.finish());
    }

    /// The whole window is one pattern of 1, 2 or 3 calls, over and over.
    pub(super) fn found(&self) -> bool {
        let calls = &self.0;
        let repeats = |length: usize| (length..WINDOW).all(|at| calls[at] == calls[at - length]);
        calls.len() == WINDOW && (1..=PATTERN_LENGTH_MAX).any(repeats)
    }

    /// After a warning the model gets a fresh chance.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(calls: &str) -> Repetition {
        let mut repetition = Repetition::default();
        for call in calls.chars() {
            repetition.push("shell", &json!({"command": call}));
        }
        repetition
    }

    #[test]
    fn patterns_of_one_to_three_calls_are_found() {
        for calls in ["aaaaaaaaaa", "ababababab", "abcabcabca", "xyzaaaaaaaaaa"] {
            assert!(of(calls).found(), "{calls}");
        }
    }

    #[test]
    fn shorter_or_longer_patterns_are_not() {
        for calls in ["aaaaaaaaa", "abcdabcdab", "aaaaaaaaab", "abababacab"] {
            assert!(!of(calls).found(), "{calls}");
        }
    }
}
