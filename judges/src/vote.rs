//! One judge's answer, read sceptically: a vote passes only if it says so, and shows words that really stand there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Evidence;

/// Only the last part of a longer answer is read.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024; // the form asked for needs 1 KiB

/// One vote as it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vote {
    pub pass: bool,
    pub reason: String,
    pub quote: String,
    /// Why a vote that may have said "pass" does not count as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flaw: Option<Flaw>,
}

/// What makes a vote worthless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// The answer holds no JSON object of the form asked for.
    Unreadable,
    /// The quote does not stand in the evidence.
    QuoteNotFound,
    /// The asker failed; nothing was answered.
    NotAnswered,
}

#[derive(Deserialize)]
struct Answer {
    pass: bool,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    quote: String,
}

impl Vote {
    /// Reads an answer. The last JSON object in it is the vote, so that a model may think aloud before it decides.
    pub(crate) fn read(answer: &str, evidence: &Evidence) -> Self {
        let start = answer.ceil_char_boundary(answer.len().saturating_sub(ANSWER_BYTES_MAX));
        let Some(Answer { pass, reason, quote }) =
            last_object(&answer[start..]).and_then(|object| serde_json::from_value(object).ok())
        else {
            return Self::flawed(Flaw::Unreadable, "the answer holds no readable verdict");
        };
        let flaw = (pass && !evidence.contains(&quote)).then_some(Flaw::QuoteNotFound);
        Self { pass: pass && flaw.is_none(), reason, quote, flaw }
    }

    pub(crate) fn flawed(flaw: Flaw, reason: impl Into<String>) -> Self {
        Self { pass: false, reason: reason.into(), quote: String::new(), flaw: Some(flaw) }
    }
}

/// The last outermost JSON object in a text.
fn last_object(text: &str) -> Option<Value> {
    let mut last = None;
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|found| at + found) {
        let mut values = serde_json::Deserializer::from_str(&text[open..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(object)) => {
                at = open + values.byte_offset();
                last = Some(object);
            }
            Some(Err(_)) | None => at = open + 1,
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_BYTES_MAX, Flaw, Vote};
    use crate::Evidence;

    fn read(answer: &str) -> Vote {
        Vote::read(answer, &Evidence::new().with("mail", "Dear Ann, you paid 24.00 EUR"))
    }

    #[test]
    fn the_last_object_wins() {
        let vote = read(
            r#"First {"pass": true, "reason": "a", "quote": "Dear Ann"}; no: {"pass": false, "reason": "no total {x}"}"#,
        );
        assert_eq!((vote.pass, vote.reason.as_str(), vote.flaw), (false, "no total {x}", None));
    }

    #[test]
    fn a_pass_needs_a_quote_that_stands_in_the_evidence() {
        assert!(read(r#"{"pass": true, "reason": "ok", "quote": "paid 24.00"}"#).pass);
        let invented = read(r#"{"pass": true, "reason": "ok", "quote": "paid 42.00"}"#);
        assert_eq!((invented.pass, invented.flaw), (false, Some(Flaw::QuoteNotFound)));
        assert_eq!(read(r#"{"pass": true, "reason": "ok"}"#).flaw, Some(Flaw::QuoteNotFound));
    }

    #[test]
    fn an_unreadable_answer_is_a_failed_vote() {
        for answer in
            ["", "PASS", r#"{"pass": "yes"}"#, r#"{"pass": true"#, "[1]", r#"{"pass":true,"quote":"Dear"} {}"#]
        {
            assert_eq!((read(answer).pass, read(answer).flaw), (false, Some(Flaw::Unreadable)), "{answer}");
        }
    }

    #[test]
    fn a_huge_answer_is_read_from_its_end() {
        let noise = "{\"a\":[".repeat(ANSWER_BYTES_MAX);
        assert!(read(&format!("{noise} {{\"pass\": true, \"reason\": \"ok\", \"quote\": \"Dear Ann\"}}")).pass);
    }
}
