//! A panel: several independent draws of one question, and the majority.

use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{Ask, Criterion, Evidence, Flaw, Vote};

/// How many votes are asked for. Always odd, so that a full panel cannot tie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panel {
    votes: u8,
}

impl Panel {
    pub const VOTES_DEFAULT: u8 = 3;
    pub const VOTES_MAX: u8 = 15; // beyond it the judge's own bias dominates its noise

    /// `None` where `votes` is even or not within 1 to [`Self::VOTES_MAX`].
    pub fn new(votes: u8) -> Option<Self> {
        (votes % 2 == 1 && votes <= Self::VOTES_MAX).then_some(Self { votes })
    }
}

impl Default for Panel {
    fn default() -> Self {
        Self { votes: Self::VOTES_DEFAULT }
    }
}

/// What a panel found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    pub criterion: String,
    pub pass: bool,
    /// The share of votes that agree with the verdict, 0.5 to 1.
    pub confidence: f64,
    pub votes: Vec<Vote>,
}

/// Too few judges answered for a majority either way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{missing} of {asked} judges gave no answer ({reason}), and the others do not settle it")]
pub struct Unanswered {
    pub missing: usize,
    pub asked: usize,
    pub reason: String,
}

/// Asks the whole panel at once and counts.
///
/// # Errors
/// [`Unanswered`] where the missing votes could turn the result. An answer that cannot be read is a vote against.
pub async fn judge(
    criterion: &Criterion,
    evidence: &Evidence,
    panel: Panel,
    ask: &dyn Ask,
) -> Result<Verdict, Unanswered> {
    let answers = join_all((0..panel.votes).map(|draw| ask.ask(criterion.prompt(evidence, draw)))).await;
    let votes = answers.into_iter().map(|answer| match answer {
        Ok(text) => Vote::read(&text, evidence),
        Err(error) => Vote::flawed(Flaw::NotAnswered, error.reason),
    });
    verdict_of(&criterion.id, votes.collect())
}

/// Counts votes: a pass needs more than half of all that were asked for. Pure.
///
/// # Errors
/// [`Unanswered`] where the votes that were not given could turn the result.
pub fn verdict_of(criterion: &str, votes: Vec<Vote>) -> Result<Verdict, Unanswered> {
    let passes = votes.iter().filter(|vote| vote.pass).count();
    let mut unanswered = votes.iter().filter(|vote| vote.flaw == Some(Flaw::NotAnswered));
    let missing = unanswered.clone().count();
    let is_majority = |count: usize| count * 2 > votes.len();
    if is_majority(passes) != is_majority(passes + missing) || missing == votes.len() {
        let reason = unanswered.next().map_or_else(String::new, |vote| vote.reason.clone());
        return Err(Unanswered { missing, asked: votes.len(), reason });
    }
    let pass = is_majority(passes);
    let agreeing = if pass { passes } else { votes.len() - passes };
    let confidence = f64::from(u32::try_from(agreeing).unwrap_or(u32::MAX)) / votes.len() as f64;
    Ok(Verdict { criterion: criterion.to_owned(), pass, confidence, votes })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::{Panel, Verdict, judge, verdict_of};
    use crate::{Ask, AskError, Criterion, Evidence, Flaw, Prompt, Unanswered, Vote};

    const PASS: &str = r#"{"pass": true, "reason": "ok", "quote": "Dear Ann"}"#;
    const FAIL: &str = r#"{"pass": false, "reason": "no", "quote": ""}"#;

    /// Answers by draw; `None` is an asker that fails.
    struct Scripted(Mutex<Vec<Option<&'static str>>>);

    #[async_trait]
    impl Ask for Scripted {
        async fn ask(&self, prompt: Prompt) -> Result<String, AskError> {
            let answer = self.0.lock().unwrap()[usize::from(prompt.draw)];
            answer.map(str::to_owned).ok_or_else(|| AskError::new("overloaded"))
        }
    }

    async fn ask(answers: &[Option<&'static str>]) -> Result<Verdict, Unanswered> {
        let criterion = Criterion { id: "greets".into(), question: "The mail greets".into(), pass_when: None };
        let panel = Panel::new(u8::try_from(answers.len()).unwrap()).unwrap();
        judge(&criterion, &Evidence::new().with("mail", "Dear Ann"), panel, &Scripted(Mutex::new(answers.to_vec())))
            .await
    }

    #[tokio::test]
    async fn the_majority_decides() {
        let verdict = ask(&[Some(PASS), Some(FAIL), Some(PASS)]).await.unwrap();
        assert!(verdict.pass);
        assert!((verdict.confidence - 2.0 / 3.0).abs() < 1e-12);
        assert!(!ask(&[Some(PASS), Some(FAIL), Some("hm")]).await.unwrap().pass, "an unreadable answer is no pass");
    }

    #[tokio::test]
    async fn a_missing_vote_matters_only_where_it_could_turn_the_result() {
        assert!(ask(&[Some(PASS), Some(PASS), None]).await.unwrap().pass);
        assert!(!ask(&[Some(FAIL), Some(FAIL), None]).await.unwrap().pass);
        let error = ask(&[Some(PASS), Some(FAIL), None]).await.unwrap_err();
        assert_eq!((error.missing, error.asked, error.reason.as_str()), (1, 3, "overloaded"));
        assert!(ask(&[None]).await.is_err());
    }

    #[test]
    fn a_tie_is_no_pass_and_no_votes_are_no_verdict() {
        let vote = |pass| Vote { pass, reason: String::new(), quote: String::new(), flaw: None };
        assert!(!verdict_of("c", vec![vote(true), vote(false)]).unwrap().pass);
        assert!(verdict_of("c", vec![]).is_err());
    }

    #[test]
    fn a_panel_is_odd() {
        assert!([0, 2, 4, 17].into_iter().all(|votes| Panel::new(votes).is_none()));
        assert!(Panel::new(15).is_some());
    }

    #[test]
    fn verdicts_keep_their_wire_form() {
        let verdict = verdict_of("greets", vec![Vote::flawed(Flaw::Unreadable, "r")]).unwrap();
        insta::assert_snapshot!(serde_json::to_string(&verdict).unwrap(), @r#"{"criterion":"greets","pass":false,"confidence":1.0,"votes":[{"pass":false,"reason":"r","quote":"","flaw":"unreadable"}]}"#);
    }
}
