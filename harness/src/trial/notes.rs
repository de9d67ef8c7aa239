//! What is written down while a trial runs, and the verdict that follows from it.

use located::Source;

use crate::{
    expect::Mismatch,
    record::{Failure, Phase, StepRecord, StepVerdict, TrialRecord, Verdict, bounded},
    step::{Halt, Outcome, Patience, secrets::Secrets},
};

/// The steps so far, and the first thing of each sort that went wrong.
#[derive(Default)]
pub(super) struct Notes {
    patience: Patience,
    pub(super) steps: Vec<StepRecord>,
    judgements: Vec<judges::Verdict>,
    failure: Option<Failure>,
    unjudged: Option<Failure>,
    infra: Option<Failure>,
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

    pub(super) fn prepared_badly(&mut self, reason: String) {
        self.infra = Some(before_steps("prepare the trial", reason));
    }

    /// Takes over what a step found into its record.
    pub(super) fn outcome(&mut self, outcome: Outcome, record: &mut StepRecord, secrets: &mut Secrets) {
        let Outcome { mismatches, mut evidence, captured: _, secrets: learnt, judgement, unjudged } = outcome;
        learnt.iter().for_each(|value| secrets.learn(value));
        // Before it is cut: half of a secret is not recognised any more.
        secrets.hide(&mut evidence);
        record.evidence = bounded(evidence);
        record.mismatches = mismatches.iter().map(Mismatch::message).collect();
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
    let message = all.join("\n");
    Failure {
        step,
        name: name.to_owned(),
        message,
        expected: Some(first.expected.clone()),
        observed: Some(first.observed.clone()),
    }
}

fn before_steps(name: &str, message: String) -> Failure {
    Failure { step: 0, name: name.to_owned(), message, expected: None, observed: None }
}
