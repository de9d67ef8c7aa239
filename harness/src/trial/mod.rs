//! One trial: a fresh space of twins, a fresh subject, the steps in their order, and one record at the end.
//!
//! Whatever happens ends in a record: nothing here returns an error. Start at [`Trial::run`].

mod logs;
mod notes;
mod play;
mod reset;
mod seat;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use located::Source;

pub(crate) use logs::Logs;
pub(crate) use seat::Seats;

use self::{
    notes::Notes,
    play::{Player, folder_of},
    seat::Seat,
};
use crate::{
    record::{Failure, Phase, StepRecord, TrialId, TrialRecord, Verdict},
    run::Observer,
    scenario::{Kind, Scenario, Variant},
    step::{Actor, Halt, Outcome, Session, Stage, SubjectSlot, http::CookieJar, secrets::Secrets},
    subject::{SubjectConfig, tail},
    text::{Random, RenderError, Scope},
};

const TEARDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// What one trial needs.
pub(crate) struct Trial<'a> {
    pub(crate) suite: Kind,
    pub(crate) scenario: &'a Scenario,
    pub(crate) subject: &'a SubjectConfig,
    pub(crate) root: &'a Path,
    /// Given to the run; they stand in for the scenario's own.
    pub(crate) vars: &'a BTreeMap<String, serde_json::Value>,
    /// Names of `vars` whose values no record may hold.
    pub(crate) secrets: &'a BTreeSet<String>,
    pub(crate) logs: Option<&'a Logs>,
    pub(crate) seats: &'a Seats,
    pub(crate) actor: Actor<'a>,
    pub(crate) observer: &'a dyn Observer,
    /// Of the run.
    pub(crate) seed: u64,
    /// From 1.
    pub(crate) number: u32,
    pub(crate) attempt: u32,
}

/// One telling of the story: a variant's trial has two.
#[derive(Clone, Copy)]
struct Telling<'a> {
    variant: Option<&'a Variant>,
    /// Stands before the names of its steps.
    prefix: &'static str,
}

impl Trial<'_> {
    pub(crate) async fn run(&self) -> TrialRecord {
        let started = Instant::now();
        let mut notes = Notes::with(self.actor.patience);
        let mut record = self.record(self.derived_seed());
        match &self.scenario.variant {
            None => drop(self.tell(Telling { variant: None, prefix: "" }, &mut notes, &mut record).await),
            Some(variant) => self.compare(variant, &mut notes, &mut record).await,
        }
        record.duration_ms = millis(started.elapsed());
        notes.settle(record)
    }

    /// Tells the story as it is written, then the variant, and judges how their ends relate.
    async fn compare(&self, variant: &Variant, notes: &mut Notes, record: &mut TrialRecord) {
        let base = self.tell(Telling { variant: None, prefix: "base › " }, notes, record).await;
        let Some(base) = base.filter(|_| !notes.is_over()) else { return };
        let telling = Telling { variant: Some(variant), prefix: "" };
        let end = self.tell(telling, notes, record).await;
        let Some(mut end) = end.filter(|_| !notes.is_over()) else { return };
        let position = self.scenario.story.steps.len() + 1;
        let mut step = StepRecord::new(Phase::Steps, position, "relations".to_owned(), "relation");
        notes.has_asserted = true;
        match variant.judge(&base.scope, &end.scope) {
            Ok(mismatches) => {
                let evidence = serde_json::json!({ "base": base.scope.defined(), "variant": end.scope.defined() });
                let outcome = Outcome { mismatches, evidence, ..Outcome::default() };
                notes.outcome(outcome, &mut step, &mut end.secrets);
            }
            Err(error) => notes.halt(error.into(), &mut step, &self.scenario.source),
        }
        for secrets in [&base.secrets, &end.secrets] {
            secrets.hide_step(&mut step);
            notes.hide(secrets);
        }
        self.observer.step_finished(&self.id(), &step).await;
        notes.steps.push(step);
    }

    /// From fresh folders to a dead subject. Gives what is known at the end.
    async fn tell(&self, telling: Telling<'_>, notes: &mut Notes, record: &mut TrialRecord) -> Option<End> {
        match self.prepare(&self.key(), record.seed) {
            Ok((seat, scope)) => Some(self.play(seat, scope, telling, notes, record).await),
            Err(reason) => {
                notes.could_not("prepare the trial", reason);
                None
            }
        }
    }

    /// The record of a trial of a subject that could not be built.
    pub(crate) fn unbuilt(&self, failure: Failure) -> TrialRecord {
        Notes::failed(failure).settle(self.record(self.derived_seed()))
    }

    /// The record of a trial in which the harness itself failed.
    pub(crate) fn broken(&self, reason: &str) -> TrialRecord {
        let mut notes = Notes::default();
        notes.could_not("run the trial", format!("the harness itself failed: {reason}; please report it"));
        notes.settle(self.record(self.derived_seed()))
    }

    /// Equal seeds, scenarios and numbers give equal trials.
    fn key(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("harness 2026 trial seed");
        hasher.update(&self.seed.to_le_bytes()).update(&self.number.to_le_bytes());
        hasher.update(self.scenario.base.as_bytes());
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
        scope.give("uid", random.token());
        scope.give("random", minijinja::Value::from_object(random));
        scope.give("trial", self.number);
        scope.give("case", self.scenario.case.as_deref().unwrap_or_default());
        let seat = match self.seats.take() {
            Some(seat) => {
                seat.renew(self.subject)?;
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

    async fn play(
        &self,
        mut seat: Seat,
        scope: Scope,
        telling: Telling<'_>,
        notes: &mut Notes,
        record: &mut TrialRecord,
    ) -> End {
        let mut stage = Stage {
            scope,
            cookies: CookieJar::default(),
            secrets: self.secrets(),
            subject: SubjectSlot::new(self.actor, &self.subject.ready, std::mem::take(&mut seat.subject)),
            world: &seat.world,
            actor: self.actor,
            room: &seat.room,
            session: Session::start(),
            prices: &self.subject.prices,
            scenario: &self.scenario.slug,
            allowed_origins: &self.subject.origins,
        };
        if self.start(&mut stage, telling, notes).await {
            self.story(&mut stage, telling, notes).await;
        }
        let Stage { scope, subject, mut secrets, .. } = stage;
        scope.take_made().iter().for_each(|made| secrets.learn(made));
        notes.hide(&secrets);
        seat.subject = subject.into_subject();
        let ended = seat.subject.exit();
        record.twin_calls += seat.world.call_count();
        // A subject that was not as it should be is not met by another trial.
        let is_kept = self.subject.goes_on() && notes.is_clean() && ended.is_none() && seat.subject.is_running();
        if is_kept {
            record.leaked.extend(seat.subject.take_leaks().processes);
            self.seats.give(seat);
            return End { scope, secrets };
        }
        seat.subject.close().await;
        if let Some(logs) = self.logs.filter(|_| !notes.is_clean()) {
            let again = if self.attempt > 1 { format!("-again-{}", self.attempt) } else { String::new() };
            logs.keep(&format!("{}-{}{again}", self.scenario.slug, self.number), &seat.room.log, &secrets);
        }
        if notes.is_over() {
            notes.mention(ended);
            record.subject_log = tail(&seat.room.log);
            secrets.hide_text(&mut record.subject_log);
        }
        record.leaked.extend(seat.subject.take_leaks().processes);
        seat.close().await;
        End { scope, secrets }
    }

    /// Starts the subject and defines the variables. `false` ends the trial.
    async fn start(&self, stage: &mut Stage<'_>, telling: Telling<'_>, notes: &mut Notes) -> bool {
        let started = match self.bring_up(stage).await {
            Ok(()) => self.define(&mut stage.scope, telling),
            Err(halt) => Err((halt, &self.scenario.source)),
        };
        let Err((halt, source)) = started else { return true };
        let mut record = StepRecord::new(Phase::Steps, 0, "start the subject".to_owned(), "start");
        notes.halt(halt, &mut record, source);
        false
    }

    fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        self.vars.iter().filter(|(name, _)| self.secrets.contains(*name)).for_each(|(_, value)| secrets.learn(value));
        secrets
    }

    /// Evaluates the variables. An error comes with the file that it is in.
    fn define(&self, scope: &mut Scope, telling: Telling<'_>) -> Result<(), (Halt, &Source)> {
        let own = &self.scenario.source;
        scope.stand_in(folder_of(own));
        for (name, value) in self.vars {
            if self.secrets.contains(name) {
                scope.seal(name);
            }
            scope.set_json(name, value);
            telling.change(name, scope).map_err(|error| (error.into(), own))?;
        }
        let rest = self.scenario.variables.iter().filter(|variable| !self.vars.contains_key(&variable.name.value));
        for variable in rest {
            scope.stand_in(folder_of(&variable.source));
            let value = scope.node(&variable.value).map_err(|error| (error.into(), &variable.source))?;
            scope.set_json(&variable.name, &value);
            telling.change(&variable.name, scope).map_err(|error| (error.into(), own))?;
        }
        Ok(())
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
            stage.scope.give_json("subject", &serde_json::json!({ "url": url, "port": base.port() }));
        }
        Ok(())
    }

    async fn story(&self, stage: &mut Stage<'_>, telling: Telling<'_>, notes: &mut Notes) {
        let (id, story) = (self.id(), &self.scenario.story);
        let deadline = tokio::time::Instant::now() + self.scenario.timeout;
        stage.session = Session::start();
        let setup = Player {
            observer: self.observer,
            id: &id,
            phase: Phase::Setup,
            deadline,
            timeout: self.scenario.timeout,
            prefix: telling.prefix,
            variant: None,
        };
        setup.phase(story.setup(), stage, notes).await;
        if !notes.is_over() {
            let steps = Player { phase: Phase::Steps, variant: telling.variant, ..setup };
            steps.phase(story.steps.iter(), stage, notes).await;
        }
        // Tidying up says nothing about the story; what failed there stands in its records.
        let mut after = notes.afterwards();
        let deadline = tokio::time::Instant::now() + TEARDOWN_TIMEOUT;
        let teardown = Player { phase: Phase::Teardown, deadline, timeout: TEARDOWN_TIMEOUT, ..setup };
        teardown.phase(story.teardown(), stage, &mut after).await;
        notes.steps.append(&mut after.steps);
    }

    pub(crate) fn id(&self) -> TrialId {
        TrialId { suite: self.suite, scenario: self.scenario.slug.clone(), trial: self.number }
    }
}

/// What is known at the end of a story.
struct End {
    scope: Scope,
    secrets: Secrets,
}

impl Telling<'_> {
    /// Gives a variable the variant's value, which may use the one that it has.
    fn change(&self, name: &str, scope: &mut Scope) -> Result<(), RenderError> {
        let changed = |variant: &'_ Variant| variant.vars.iter().find(|(changed, _)| changed.as_str() == name).cloned();
        if let Some((_, node)) = self.variant.and_then(changed) {
            let value = scope.node(&node)?;
            scope.set_json(name, &value);
        }
        Ok(())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
