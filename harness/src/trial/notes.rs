//! What is written down while a trial runs, and the verdict that follows from it.

use located::Source;
use serde_json::{Value as Json, json};

use crate::{
    expect::{Mismatch, cut},
    record::{Failure, Phase, StepRecord, StepVerdict, TRIAL_EVIDENCE_BYTES_MAX, TrialRecord, Verdict, bounded},
    step::{Halt, Outcome, Patience, secrets::Secrets},
};

const FAILED_EVIDENCE_BYTES_MORE: usize = 1024 * 1024; // of steps that failed, where others had all that there is
const MESSAGES_MAX: usize = 100; // of one step; who mends these sees the rest
const MESSAGES_BYTES: std::ops::RangeInclusive<usize> = 1024..=64 * 1024; // of one step together

/// The steps so far, and the first thing of each sort that went wrong.
#[derive(Default)]
pub(super) struct Notes {
    patience: Patience,
    pub(super) steps: Vec<StepRecord>,
    judgements: Vec<judges::Verdict>,
    failure: Option<Failure>,
    unjudged: Option<Failure>,
    infra: Option<Failure>,
    /// Of all steps so far, with their mismatches.
    evidence_bytes: usize,
    /// Whether a step of the story ran that can fail for what the subject did.
    pub(super) has_asserted: bool,
}

impl Notes {
    pub(super) fn with(patience: Patience) -> Self {
        Self { patience, ..Self::default() }
    }

    pub(super) fn failed(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::default() }
    }

    /// Whether further steps would run on sand.
    pub(super) fn is_over(&self) -> bool {
        self.failure.is_some() || self.infra.is_some()
    }

    /// Whether nothing went wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        !self.is_over() && self.unjudged.is_none()
    }

    /// Before or around the steps; not the subject's fault.
    pub(super) fn could_not(&mut self, what: &str, reason: String) {
        self.infra = Some(before_steps(what, reason));
    }

    /// For what comes after a story, whatever that came to: nothing went wrong yet, and what it may hold goes on.
    pub(super) fn afterwards(&self) -> Self {
        Self { evidence_bytes: self.evidence_bytes, ..Self::with(self.patience) }
    }

    /// Takes over what a step found into its record.
    pub(super) fn outcome(&mut self, outcome: Outcome, record: &mut StepRecord, secrets: &mut Secrets) {
        let Outcome { mismatches, mut evidence, captured: _, secrets: learnt, judgement, unjudged } = outcome;
        learnt.iter().for_each(|value| secrets.learn(value));
        // Before it is cut: half of a secret is not recognised any more.
        secrets.hide(&mut evidence);
        record.evidence = self.afford(evidence, !mismatches.is_empty());
        record.mismatches = self.messages(&mismatches);
        self.judgements.extend(judgement);
        if let Some(reason) = unjudged {
            record.verdict = StepVerdict::Unjudged;
            let first = || Failure { step: record.step, ..before_steps(&record.name, reason) };
            self.unjudged.get_or_insert_with(first);
        }
        if let Some(first) = mismatches.first() {
            record.verdict = self.fail(failure(first, &record.mismatches, record.step, &record.name), record.phase);
        }
    }

    /// The evidence, as long as the trial may hold more. What passed is left out first: what failed is looked at.
    fn afford(&mut self, evidence: Json, is_failed: bool) -> Json {
        let (evidence, bytes) = bounded(evidence);
        let more = if is_failed { FAILED_EVIDENCE_BYTES_MORE } else { 0 };
        if self.evidence_bytes + bytes > TRIAL_EVIDENCE_BYTES_MAX + more {
            return json!({ "left_out": format!("{bytes} bytes of evidence") });
        }
        self.evidence_bytes += bytes;
        evidence
    }

    /// The first of them in words, as many as may be held.
    fn messages(&mut self, mismatches: &[Mismatch]) -> Vec<String> {
        let left = TRIAL_EVIDENCE_BYTES_MAX.saturating_sub(self.evidence_bytes);
        let most = left.clamp(*MESSAGES_BYTES.start(), *MESSAGES_BYTES.end());
        let mut bytes = 0;
        let all = mismatches.iter().take(MESSAGES_MAX).map(|mismatch| cut(mismatch.message(), most));
        let mut told: Vec<_> = all
            .take_while(|message| {
                let is_first = bytes == 0;
                bytes += message.len();
                is_first || bytes <= most
            })
            .collect();
        self.evidence_bytes += told.iter().map(String::len).sum::<usize>();
        let untold = mismatches.len() - told.len();
        told.extend((untold > 0).then(|| format!("… and {untold} more")));
        told
    }

    /// Takes over why a step ended without an outcome. `source` is the file that it is written in.
    pub(super) fn halt(&mut self, halt: Halt, record: &mut StepRecord, source: &Source) {
        let (step, name) = (record.step, record.name.as_str());
        let plain = |message: String| Failure { step, ..before_steps(name, message) };
        let (failure, is_infra) = match halt {
            Halt::Failed(mismatch) => (failure(&mismatch, &[mismatch.message()], step, name), false),
            Halt::Template(error) => {
                let message = source.diagnostic(error.place, error.message).to_string();
                // Of a control, the value may be one that its set-up could not give.
                (plain(message), self.patience == Patience::None)
            }
            Halt::Infra(reason) => (plain(reason), true),
        };
        record.mismatches.push(failure.message.clone());
        record.verdict = if is_infra { self.invalid(failure, record.phase) } else { self.fail(failure, record.phase) };
    }

    /// A failure in the set-up is not the subject's.
    fn fail(&mut self, failure: Failure, phase: Phase) -> StepVerdict {
        if phase == Phase::Setup {
            return self.invalid(failure, phase);
        }
        self.failure = Some(failure);
        StepVerdict::Failed
    }

    /// On a control no set-up works: that shows nothing, and the story must be red by itself.
    fn invalid(&mut self, failure: Failure, phase: Phase) -> StepVerdict {
        if phase != Phase::Setup || self.patience == Patience::Real {
            self.infra = Some(failure);
        }
        StepVerdict::Infra
    }

    /// Values that became secret later are removed from what was written before.
    pub(super) fn hide(&mut self, secrets: &Secrets) {
        self.steps.iter_mut().for_each(|step| secrets.hide_step(step));
        for vote in self.judgements.iter_mut().flat_map(|verdict| &mut verdict.votes) {
            secrets.hide_text(&mut vote.reason);
            secrets.hide_text(&mut vote.quote);
        }
        for failure in [&mut self.failure, &mut self.unjudged, &mut self.infra].into_iter().flatten() {
            secrets.hide_text(&mut failure.name);
            secrets.hide_text(&mut failure.message);
            failure.expected.iter_mut().chain(&mut failure.observed).for_each(|text| secrets.hide_text(text));
        }
    }

    /// A story that met a dead subject says so.
    pub(super) fn mention(&mut self, ended: Option<String>) {
        if let Some((exit, failure)) = ended.zip(self.failure.as_mut()) {
            failure.message.push_str(&format!("\nthe subject has ended by itself with {exit}"));
        }
    }

    /// Rules go before judges: what a rule refused is unsatisfied, whoever did not answer.
    pub(super) fn settle(self, mut record: TrialRecord) -> TrialRecord {
        (record.verdict, record.failure) = match (self.infra, self.failure, self.unjudged) {
            (Some(infra), _, _) => (Verdict::Infra, Some(infra)),
            (None, Some(failure), _) => (Verdict::Unsatisfied, Some(failure)),
            (None, None, Some(unjudged)) => (Verdict::Unjudged, Some(unjudged)),
            (None, None, None) if self.has_asserted => (Verdict::Satisfied, None),
            (None, None, None) => (Verdict::Unsatisfied, Some(nothing_asserted())),
        };
        record.steps = self.steps;
        record.judge = self.judgements;
        record
    }
}

/// A story whose conditions left out everything that could fail has shown nothing.
fn nothing_asserted() -> Failure {
    let message = "no step that asserts anything was done: the `if` of each was false".to_owned();
    before_steps("the story", message)
}

fn failure(first: &Mismatch, all: &[String], step: usize, name: &str) -> Failure {
    let message = cut(all.join("\n"), *MESSAGES_BYTES.end());
    Failure {
        step,
        name: name.to_owned(),
        message,
        expected: Some(first.expected.clone()),
        observed: Some(first.observed.clone()),
    }
}

fn before_steps(name: &str, message: String) -> Failure {
    let message = cut(message, *MESSAGES_BYTES.end());
    Failure { step: 0, name: name.to_owned(), message, expected: None, observed: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{MESSAGES_BYTES, MESSAGES_MAX, Notes};
    use crate::{
        expect::Mismatch,
        record::{Phase, StepRecord, TRIAL_EVIDENCE_BYTES_MAX},
        step::{Outcome, secrets::Secrets},
    };

    fn noted(notes: &mut Notes, outcome: Outcome) -> StepRecord {
        let mut record = StepRecord::new(Phase::Steps, 1, "a".to_owned(), "http");
        notes.outcome(outcome, &mut record, &mut Secrets::default());
        record
    }

    #[test]
    fn a_trial_holds_so_much_evidence_and_what_failed_still_has_some() {
        let large = || json!(vec!["x".repeat(15_000); 8]);
        let mut notes = Notes::default();
        let passed = || Outcome { evidence: large(), ..Outcome::default() };
        let records: Vec<_> = (0..1_000).map(|_| noted(&mut notes, passed())).collect();
        let held: usize = records.iter().map(|record| record.evidence.to_string().len()).sum();
        assert!(held < TRIAL_EVIDENCE_BYTES_MAX + 100_000, "{held}");
        assert_eq!(records[0].evidence, large());
        assert_eq!(records[999].evidence, json!({ "left_out": "120025 bytes of evidence" }));
        let mut after = notes.afterwards();
        for notes in [&mut notes, &mut after] {
            let mismatches = vec![Mismatch::new("a", "b", "c")];
            assert_eq!(noted(notes, Outcome { mismatches, evidence: large(), ..Outcome::default() }).evidence, large());
            assert_eq!(noted(notes, passed()).evidence, records[999].evidence);
        }
    }

    #[test]
    fn a_step_tells_so_many_mismatches_and_how_many_more() {
        let mismatch = |bytes: usize| Mismatch::new("a", "b", "x".repeat(bytes));
        let many = vec![mismatch(1); 1_000];
        let record = noted(&mut Notes::default(), Outcome { mismatches: many, ..Outcome::default() });
        assert_eq!(record.mismatches.len(), MESSAGES_MAX + 1);
        assert_eq!(record.mismatches[MESSAGES_MAX], "… and 900 more");
        let mut notes = Notes::default();
        let wide = vec![mismatch(10_000_000); 50];
        let record = noted(&mut notes, Outcome { mismatches: wide, ..Outcome::default() });
        let bytes: usize = record.mismatches.iter().map(String::len).sum();
        assert!(bytes < MESSAGES_BYTES.end() + 100, "{bytes}");
        assert!(notes.failure.unwrap().message.len() < MESSAGES_BYTES.end() + 100);
    }
}
