//! One trial: a fresh space of twins, a fresh subject, the steps in their order, and one record at the end.
//!
//! Whatever happens ends in a record: nothing here returns an error. Start at [`Trial::run`].

mod reset;
mod seat;

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use tokio::time::timeout_at;

pub(crate) use seat::Seats;

use crate::{
    expect::Mismatch,
    record::{Failure, Phase, StepRecord, StepVerdict, TrialId, TrialRecord, Verdict, bounded},
    run::Observer,
    scenario::{Kind, Scenario, Scene},
    step::{Actor, Halt, Outcome, Session, Stage, SubjectSlot, http::CookieJar, secrets::Secrets},
    subject::{SubjectConfig, tail},
    text::{Random, RenderError, Scope},
};
use seat::Seat;

const TEARDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// What one trial needs.
pub(crate) struct Trial<'a> {
    pub(crate) suite: Kind,
    pub(crate) scenario: &'a Scenario,
    pub(crate) subject: &'a SubjectConfig,
    pub(crate) root: &'a Path,
    /// Given to the run; they stand in for the scenario's own.
    pub(crate) vars: &'a BTreeMap<String, serde_json::Value>,
    pub(crate) seats: &'a Seats,
    pub(crate) actor: Actor<'a>,
    pub(crate) observer: &'a dyn Observer,
    /// Of the run.
    pub(crate) seed: u64,
    /// From 1.
    pub(crate) number: u32,
    pub(crate) attempt: u32,
}

/// What is written down while a trial runs.
#[derive(Default)]
struct Notes {
    steps: Vec<StepRecord>,
    judgements: Vec<judges::Verdict>,
    failure: Option<Failure>,
    unjudged: Option<Failure>,
    infra: Option<Failure>,
}

impl Trial<'_> {
    pub(crate) async fn run(&self) -> TrialRecord {
        let started = Instant::now();
        let mut notes = Notes::default();
        let key = self.key();
        let seed = self.derived_seed();
        let mut record = self.record(seed);
        match self.prepare(&key, seed) {
            Ok((seat, scope)) => self.play(seat, scope, &mut notes, &mut record).await,
            Err(reason) => notes.infra = Some(before_steps("prepare the trial", reason)),
        }
        record.duration_ms = millis(started.elapsed());
        notes.settle(record)
    }

    /// The record of a trial of a subject that could not be built.
    pub(crate) fn unbuilt(&self, failure: Failure) -> TrialRecord {
        Notes { failure: Some(failure), ..Notes::default() }.settle(self.record(self.derived_seed()))
    }

    /// Equal seeds, scenarios and numbers give equal trials.
    fn key(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("harness 2026 trial seed");
        hasher.update(&self.seed.to_le_bytes()).update(&self.number.to_le_bytes());
        hasher.update(self.scenario.slug.as_bytes());
        *hasher.finalize().as_bytes()
    }

    fn derived_seed(&self) -> u64 {
        u64::from_le_bytes(self.key()[..8].try_into().expect("8 of 32 bytes"))
    }

    fn record(&self, seed: u64) -> TrialRecord {
        TrialRecord {
            suite: self.suite,
            scenario: self.scenario.slug.clone(),
            requirements: self.scenario.requirements.clone(),
            theme: self.scenario.theme.clone(),
            trial: self.number,
            attempt: self.attempt,
            seed,
            verdict: Verdict::Infra,
            failure: None,
            duration_ms: 0,
            steps: Vec::new(),
            judge: Vec::new(),
            twin_calls: 0,
            subject_log: String::new(),
            leaked: Vec::new(),
        }
    }

    /// Everything before the subject starts. What fails here is not the subject's fault.
    fn prepare(&self, key: &[u8; 32], seed: u64) -> Result<(Seat, Scope), String> {
        let mut scope = Scope::default();
        let random = Random::new(key);
        scope.set("uid", random.token());
        scope.set("random", minijinja::Value::from_object(random));
        scope.set("trial", self.number);
        let seat = match self.seats.take() {
            Some(seat) => {
                seat.renew();
                seat.tell(&mut scope);
                seat
            }
            None => self.new_seat(&mut scope, seed)?,
        };
        Ok((seat, scope))
    }

    fn in_config(&self, error: &RenderError) -> String {
        self.subject.source.diagnostic(error.place, &error.message).to_string()
    }

    async fn play(&self, mut seat: Seat, scope: Scope, notes: &mut Notes, record: &mut TrialRecord) {
        let mut stage = Stage {
            scope,
            cookies: CookieJar::default(),
            secrets: Secrets::default(),
            subject: SubjectSlot::new(self.actor, &self.subject.ready, std::mem::take(&mut seat.subject)),
            world: &seat.world,
            actor: self.actor,
            room: &seat.room,
            session: Session::start(),
            prices: &self.subject.prices,
            scenario: &self.scenario.slug,
            allowed_origins: &self.subject.origins,
        };
        if self.start(&mut stage, notes).await {
            self.story(&mut stage, notes).await;
        }
        let secrets = std::mem::take(&mut stage.secrets);
        notes.hide(&secrets);
        seat.subject = stage.subject.into_subject();
        let ended = seat.subject.exit();
        record.twin_calls = seat.world.call_count() as u64;
        // A subject that was not as it should be is not met by another trial.
        let is_kept = self.subject.reuse && notes.is_clean() && ended.is_none() && seat.subject.is_running();
        if is_kept {
            self.seats.give(seat);
            return;
        }
        seat.subject.close().await;
        if notes.is_over() {
            notes.mention(ended);
            record.subject_log = tail(&seat.room.log);
            secrets.hide_text(&mut record.subject_log);
        }
        record.leaked = seat.subject.take_leaks().processes;
        seat.close().await;
    }

    /// Starts the subject and defines the variables. `false` ends the trial.
    async fn start(&self, stage: &mut Stage<'_>, notes: &mut Notes) -> bool {
        let started = async {
            self.bring_up(stage).await?;
            self.vars.iter().for_each(|(name, value)| stage.scope.set_json(name, value));
            let own = self.scenario.vars.iter().filter(|(name, _)| !self.vars.contains_key(&name.value));
            for (name, node) in own {
                let value = stage.scope.node(node)?;
                stage.scope.set_json(name, &value);
            }
            Ok(())
        };
        match started.await {
            Ok(()) => true,
            Err(halt) => {
                notes.halt(halt, Phase::Steps, 0, "start the subject", self.scenario);
                false
            }
        }
    }

    /// A subject that runs already is reset; where that fails, and where none runs, one is started.
    async fn bring_up(&self, stage: &mut Stage<'_>) -> Result<(), Halt> {
        let reset = self.subject.reset.as_ref();
        if stage.subject.is_running() && reset::perform(reset, stage).await.is_ok() {
            return self.introduce(stage);
        }
        stage.subject.launch().await?;
        self.introduce(stage)?;
        stage.subject.wait_ready().await?;
        if self.subject.is_one_for_all() {
            reset::perform(reset, stage).await.map_err(Halt::Infra)?;
        }
        Ok(())
    }

    /// Tells the twins and the templates where the subject is.
    fn introduce(&self, stage: &mut Stage<'_>) -> Result<(), Halt> {
        if let Some(base) = stage.subject.base_url().cloned() {
            stage.world.aim_webhooks(&base).map_err(Halt::Infra)?;
            let url = base.as_str().trim_end_matches('/');
            stage.scope.set_json("subject", &serde_json::json!({ "url": url, "port": base.port() }));
        }
        Ok(())
    }

    async fn story(&self, stage: &mut Stage<'_>, notes: &mut Notes) {
        let deadline = tokio::time::Instant::now() + self.scenario.timeout;
        stage.session = Session::start();
        for (phase, scenes) in [(Phase::Setup, &self.scenario.setup), (Phase::Steps, &self.scenario.steps)] {
            for (n, scene) in scenes.iter().enumerate() {
                self.scene(stage, notes, phase, n + 1, scene, deadline).await;
                if notes.is_over() {
                    break;
                }
            }
            if notes.is_over() {
                break;
            }
        }
        let deadline = tokio::time::Instant::now() + TEARDOWN_TIMEOUT;
        let mut after = Notes::default();
        for (n, scene) in self.scenario.teardown.iter().enumerate() {
            self.scene(stage, &mut after, Phase::Teardown, n + 1, scene, deadline).await;
        }
        // Tidying up says nothing about the story; what failed there stands in its records.
        notes.steps.append(&mut after.steps);
    }

    async fn scene(
        &self,
        stage: &mut Stage<'_>,
        notes: &mut Notes,
        phase: Phase,
        n: usize,
        scene: &Scene,
        deadline: tokio::time::Instant,
    ) {
        let started = Instant::now();
        let mut attempts = 0;
        let ended = timeout_at(deadline, tried(scene, stage, &mut attempts)).await.unwrap_or_else(|_| {
            let limit = format!("the trial to end within {}", crate::text::Period(self.scenario.timeout));
            Err(Halt::Failed(Mismatch::new("time", limit, "it still ran")))
        });
        let mut record = StepRecord {
            phase,
            step: n,
            name: scene.name.clone(),
            kind: scene.step.kind().to_owned(),
            place: self.scenario.source.diagnostic(scene.place, "").location().trim_start_matches("./").to_owned(),
            verdict: StepVerdict::Passed,
            duration_ms: 0,
            attempts,
            mismatches: Vec::new(),
            evidence: serde_json::Value::Null,
        };
        match ended {
            Ok(outcome) => notes.outcome(outcome, &mut record, stage),
            Err(halt) => {
                let failure = notes.halt(halt, phase, n, &scene.name, self.scenario);
                record.verdict = failure;
                record.mismatches.extend(notes.last_message());
            }
        }
        record.duration_ms = millis(started.elapsed());
        stage.secrets.hide_step(&mut record);
        self.observer.step_finished(&self.id(), &record).await;
        notes.steps.push(record);
    }

    pub(crate) fn id(&self) -> TrialId {
        TrialId { suite: self.suite, scenario: self.scenario.slug.clone(), trial: self.number }
    }
}

/// Runs a step, again and again where it has a `retry`, until its expectations hold.
async fn tried(scene: &Scene, stage: &mut Stage<'_>, attempts: &mut u32) -> Result<Outcome, Halt> {
    let started = Instant::now();
    loop {
        *attempts += 1;
        let ended = scene.step.run(stage).await;
        let is_fine = matches!(&ended, Ok(outcome) if outcome.mismatches.is_empty());
        let Some(retry) = scene.retry.filter(|_| !is_fine) else { return ended };
        if started.elapsed() + retry.pause() > stage.actor.patience.grant(retry.until_pass_within.0) {
            return ended;
        }
        tokio::time::sleep(retry.pause()).await;
    }
}

impl Notes {
    /// Whether further steps would run on sand.
    fn is_over(&self) -> bool {
        self.failure.is_some() || self.infra.is_some()
    }

    /// Whether nothing went wrong so far.
    fn is_clean(&self) -> bool {
        !self.is_over() && self.unjudged.is_none()
    }

    fn outcome(&mut self, outcome: Outcome, record: &mut StepRecord, stage: &mut Stage<'_>) {
        let Outcome { mismatches, mut evidence, captured, secrets, judgement, unjudged } = outcome;
        secrets.iter().for_each(|value| stage.secrets.learn(value));
        // Before it is cut: half of a secret is not recognised any more.
        stage.secrets.hide(&mut evidence);
        record.evidence = bounded(evidence);
        record.mismatches = mismatches.iter().map(Mismatch::message).collect();
        captured.iter().for_each(|(name, value)| stage.scope.set_json(name, value));
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

    fn halt(&mut self, halt: Halt, phase: Phase, step: usize, name: &str, scenario: &Scenario) -> StepVerdict {
        match halt {
            Halt::Failed(mismatch) => self.fail(failure(&mismatch, &[mismatch.message()], step, name), phase),
            Halt::Template(error) => {
                let message = scenario.source.diagnostic(error.place, error.message).to_string();
                self.fail(Failure { step, ..before_steps(name, message) }, phase)
            }
            Halt::Infra(reason) => {
                self.infra = Some(Failure { step, ..before_steps(name, reason) });
                StepVerdict::Infra
            }
        }
    }

    /// A failure in the set-up is not the subject's.
    fn fail(&mut self, failure: Failure, phase: Phase) -> StepVerdict {
        match phase {
            Phase::Setup => {
                self.infra = Some(failure);
                StepVerdict::Infra
            }
            Phase::Steps | Phase::Teardown => {
                self.failure = Some(failure);
                StepVerdict::Failed
            }
        }
    }

    /// A story that met a dead subject says so.
    fn mention(&mut self, ended: Option<String>) {
        if let Some((exit, failure)) = ended.zip(self.failure.as_mut()) {
            failure.message.push_str(&format!("\nthe subject has ended by itself with {exit}"));
        }
    }

    /// Values that became secret later are removed from what was written before.
    fn hide(&mut self, secrets: &Secrets) {
        self.steps.iter_mut().for_each(|step| secrets.hide_step(step));
        for vote in self.judgements.iter_mut().flat_map(|verdict| &mut verdict.votes) {
            secrets.hide_text(&mut vote.reason);
            secrets.hide_text(&mut vote.quote);
        }
        for failure in [&mut self.failure, &mut self.unjudged, &mut self.infra].into_iter().flatten() {
            secrets.hide_text(&mut failure.message);
            failure.expected.iter_mut().chain(&mut failure.observed).for_each(|text| secrets.hide_text(text));
        }
    }

    fn last_message(&self) -> Option<String> {
        self.infra.as_ref().or(self.failure.as_ref()).map(|failure| failure.message.clone())
    }

    /// Rules go before judges: what a rule refused is unsatisfied, whoever did not answer.
    fn settle(self, mut record: TrialRecord) -> TrialRecord {
        (record.verdict, record.failure) = match (self.infra, self.failure, self.unjudged) {
            (Some(infra), _, _) => (Verdict::Infra, Some(infra)),
            (None, Some(failure), _) => (Verdict::Unsatisfied, Some(failure)),
            (None, None, Some(unjudged)) => (Verdict::Unjudged, Some(unjudged)),
            (None, None, None) => (Verdict::Satisfied, None),
        };
        record.steps = self.steps;
        record.judge = self.judgements;
        record
    }
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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
