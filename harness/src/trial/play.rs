//! Plays the scenes of a story: conditions, loops, fragments, tries. Every step that is done, or left out, becomes a
//! record; nothing here returns an error. Start at [`Player::phase`].

use std::{
    path::Path,
    time::{Duration, Instant},
};

use located::Source;
use serde_json::{Value as Json, json};
use tokio::time::timeout_at;

use super::{millis, notes::Notes};
use crate::{
    expect::{Mismatch, shown},
    record::{Phase, StepRecord, StepVerdict, TrialId},
    run::Observer,
    scenario::{Act, INDEX, Retry, Scene, Use, Variant},
    step::{Halt, Outcome, Patience, Stage, Step},
    text::{Node, Period, RenderError, Scope},
};

const STEPS_MAX: usize = 10_000; // of one trial; loops over fragments of loops end here

/// Plays one phase of one trial.
pub(super) struct Player<'a> {
    pub(super) observer: &'a dyn Observer,
    pub(super) id: &'a TrialId,
    pub(super) phase: Phase,
    pub(super) deadline: tokio::time::Instant,
    /// Of the whole trial, for the message when it is over.
    pub(super) timeout: Duration,
    /// Stands before the names of all steps.
    pub(super) prefix: &'a str,
    pub(super) variant: Option<&'a Variant>,
}

/// Where a scene stands: its position in the phase, and what its names begin with.
#[derive(Clone)]
struct At {
    step: usize,
    prefix: String,
}

impl Player<'_> {
    /// Plays scenes until the end, or until further ones would run on sand.
    pub(super) async fn phase(&self, scenes: impl Iterator<Item = &Scene>, stage: &mut Stage<'_>, notes: &mut Notes) {
        for (n, scene) in scenes.enumerate() {
            let at = At { step: n + 1, prefix: self.prefix.to_owned() };
            for _ in 0..self.variant.map_or(1, |variant| variant.times(&scene.name)) {
                self.scene(scene, &at, stage, notes).await;
                if self.stops(notes) {
                    return;
                }
            }
        }
    }

    /// Whether further scenes would run on sand. Tidying up goes on whatever failed, but not without end.
    fn stops(&self, notes: &Notes) -> bool {
        notes.steps.len() > STEPS_MAX || notes.is_over() && self.phase != Phase::Teardown
    }

    /// Once, or once per element.
    async fn scene(&self, scene: &Scene, at: &At, stage: &mut Stage<'_>, notes: &mut Notes) {
        stage.scope.stand_in(folder_of(&scene.source));
        let Some((name, list)) = &scene.each else { return self.once(scene, &scene.name, at, stage, notes).await };
        let elements = match elements(list, &stage.scope) {
            Ok(elements) => elements,
            Err(halt) => return self.note(scene, &scene.name, at, Err(halt), stage, notes).await,
        };
        let hidden = [name.as_str(), INDEX].map(|name| (name, stage.scope.take(name)));
        for (index, element) in elements.iter().enumerate() {
            stage.scope.set_json(name, element);
            stage.scope.set(INDEX, index);
            self.once(scene, &format!("{} [{index}]", scene.name), at, stage, notes).await;
            if self.stops(notes) {
                break;
            }
        }
        for (name, value) in hidden {
            stage.scope.take(name);
            value.into_iter().for_each(|value| stage.scope.set(name, value));
        }
    }

    async fn once(&self, scene: &Scene, name: &str, at: &At, stage: &mut Stage<'_>, notes: &mut Notes) {
        if notes.steps.len() == STEPS_MAX {
            let surplus = Mismatch::new("steps", format!("at most {STEPS_MAX} in a trial"), "more");
            return self.note(scene, name, at, Err(Halt::Failed(surplus)), stage, notes).await;
        }
        match scene.condition.as_ref().map_or(Ok(true), |condition| truth(condition, &stage.scope)) {
            Ok(true) => {}
            Ok(false) => return self.left_out(scene, name, at, notes).await,
            Err(error) => return self.note(scene, name, at, Err(error.into()), stage, notes).await,
        }
        match &scene.act {
            Act::Step(step) => self.step(scene, step.as_ref(), name, at, stage, notes).await,
            Act::Use(used) => Box::pin(self.fragment(scene, used, name, at, stage, notes)).await,
        }
    }

    async fn step(
        &self,
        scene: &Scene,
        step: &dyn Step,
        name: &str,
        at: &At,
        stage: &mut Stage<'_>,
        notes: &mut Notes,
    ) {
        let started = Instant::now();
        let mut attempts = 0;
        let trying = tried(step, scene.retry.as_ref(), stage, &mut attempts);
        let ended = match timeout_at(self.deadline, trying).await {
            Ok(ended) => ended,
            Err(_) => {
                let limit = format!("the trial to end within {}", Period(self.timeout));
                Err(Halt::Failed(Mismatch::new("time", limit, "it still ran")))
            }
        };
        notes.has_asserted |= self.phase == Phase::Steps && step.asserts();
        let mut record = self.record(scene, name, at);
        record.attempts = attempts;
        self.settle(ended, record, scene, started, stage, notes).await;
    }

    /// The fragment's steps, in a scope of their own.
    async fn fragment(&self, scene: &Scene, used: &Use, name: &str, at: &At, stage: &mut Stage<'_>, notes: &mut Notes) {
        let mut inner = match arguments(used, &stage.scope) {
            Ok(inner) => inner,
            Err(halt) => return self.note(scene, name, at, Err(halt), stage, notes).await,
        };
        std::mem::swap(&mut stage.scope, &mut inner);
        let below = At { step: at.step, prefix: format!("{}{name} › ", at.prefix) };
        for scene in &used.fragment.scenes {
            self.scene(scene, &below, stage, notes).await;
            if self.stops(notes) {
                break;
            }
        }
        std::mem::swap(&mut stage.scope, &mut inner);
        if self.stops(notes) {
            return;
        }
        for (captured, returned) in &used.captures {
            match inner.get(returned) {
                Some(value) => stage.scope.set_json(captured, &value),
                None => {
                    let subject = format!("capture `{captured}`");
                    let missing = Mismatch::new(subject, format!("`{returned}` from the fragment"), "nothing there");
                    return self.note(scene, name, at, Err(Halt::Failed(missing)), stage, notes).await;
                }
            }
        }
    }

    async fn left_out(&self, scene: &Scene, name: &str, at: &At, notes: &mut Notes) {
        let mut record = self.record(scene, name, at);
        record.verdict = StepVerdict::Skipped;
        self.observer.step_finished(self.id, &record).await;
        notes.steps.push(record);
    }

    /// A record of something that ended before a step began.
    async fn note(
        &self,
        scene: &Scene,
        name: &str,
        at: &At,
        ended: Result<Outcome, Halt>,
        stage: &mut Stage<'_>,
        notes: &mut Notes,
    ) {
        let record = self.record(scene, name, at);
        self.settle(ended, record, scene, Instant::now(), stage, notes).await;
    }

    async fn settle(
        &self,
        ended: Result<Outcome, Halt>,
        mut record: StepRecord,
        scene: &Scene,
        started: Instant,
        stage: &mut Stage<'_>,
        notes: &mut Notes,
    ) {
        stage.learn_made();
        match ended {
            Ok(outcome) => {
                outcome.captured.iter().for_each(|(name, value)| stage.scope.set_json(name, value));
                outcome.sealed().for_each(|name| stage.scope.seal(name));
                notes.outcome(outcome, &mut record, &mut stage.secrets);
            }
            Err(halt) => notes.halt(halt, &mut record, &scene.source),
        }
        if self.phase == Phase::Setup && stage.actor.patience == Patience::None {
            stand_in(&scene.captures, &mut stage.scope);
        }
        record.duration_ms = millis(started.elapsed());
        stage.secrets.hide_step(&mut record);
        self.observer.step_finished(self.id, &record).await;
        notes.steps.push(record);
    }

    fn record(&self, scene: &Scene, name: &str, at: &At) -> StepRecord {
        let kind = match &scene.act {
            Act::Step(step) => step.kind(),
            Act::Use(_) => "use",
        };
        let mut record = StepRecord::new(self.phase, at.step, format!("{}{name}", at.prefix), kind);
        record.place = scene.source.diagnostic(scene.place, "").location().trim_start_matches("./").to_owned();
        record
    }
}

/// What a control's set-up cannot capture; a number fits in a path, a text, and a sum.
fn stand_in(captures: &[String], scope: &mut Scope) {
    for name in captures {
        if scope.get(name).is_none() {
            scope.set(name, 1);
        }
    }
}

pub(super) fn folder_of(source: &Source) -> &Path {
    Path::new(source.name()).parent().unwrap_or_else(|| Path::new(""))
}

/// What a `for_each` goes through. Nothing at all is a failure: a loop without a turn would assert nothing.
fn elements(list: &Node, scope: &Scope) -> Result<Vec<Json>, Halt> {
    let failed = |expected: String, got: String| Halt::Failed(Mismatch::new("for_each", expected, got));
    match scope.node(list)? {
        Json::Array(items) if items.is_empty() => Err(failed("at least one element".to_owned(), "none".to_owned())),
        Json::Array(items) if items.len() > Scene::EACH_MAX => {
            Err(failed(format!("at most {} elements", Scene::EACH_MAX), items.len().to_string()))
        }
        Json::Array(items) => Ok(items),
        other => Err(failed("a list".to_owned(), shown(&other))),
    }
}

fn truth(condition: &Node, scope: &Scope) -> Result<bool, RenderError> {
    match scope.node(condition)? {
        Json::Bool(truth) => Ok(truth),
        other => {
            let message = format!("an `if` is true or false, not {}", shown(&other));
            Err(RenderError { place: condition.place, message })
        }
    }
}

/// The fragment's scope: what the trial gives, and its arguments.
fn arguments(used: &Use, outer: &Scope) -> Result<Scope, Halt> {
    let mut inner = outer.fresh();
    inner.stand_in(folder_of(&used.fragment.source));
    for argument in &used.fragment.arguments {
        let given = used.with.iter().find(|(name, _)| name.value == argument.name.value);
        let value = match (given, &argument.default) {
            (Some((_, node)), _) => outer.node(node)?,
            (None, Some(default)) => default_of(default, &inner, used)?,
            (None, None) => continue, // refused when the file was read
        };
        inner.set_json(&argument.name, &value);
    }
    Ok(inner)
}

/// A default stands in the fragment's file, so an error in it points there.
fn default_of(default: &Node, inner: &Scope, used: &Use) -> Result<Json, Halt> {
    inner.node(default).map_err(|error| {
        let place = used.fragment.source.diagnostic(error.place, error.message);
        Halt::Failed(Mismatch::new("argument", "a value", place.to_string()))
    })
}

/// Runs a step, again and again where it has a `retry`, until its expectations hold.
async fn tried(
    step: &dyn Step,
    retry: Option<&Retry>,
    stage: &mut Stage<'_>,
    attempts: &mut u32,
) -> Result<Outcome, Halt> {
    let started = Instant::now();
    loop {
        *attempts += 1;
        let ended = step.run(stage).await;
        let is_fine = matches!(&ended, Ok(outcome) if outcome.mismatches.is_empty());
        let Some(retry) = retry.filter(|_| !is_fine) else { return ended };
        let spent = started.elapsed() + retry.pause();
        if !has_turn_left(retry, *attempts, spent, stage.actor.patience) {
            return ended;
        }
        if let Some(condition) = &retry.condition
            && !truth(condition, &seen(&ended, *attempts, &stage.scope))?
        {
            return ended;
        }
        tokio::time::sleep(retry.pause()).await;
    }
}

fn has_turn_left(retry: &Retry, attempts: u32, spent: Duration, patience: Patience) -> bool {
    let in_time = retry.until_pass_within.is_none_or(|within| spent <= patience.grant(within.0));
    let in_count = retry.times.is_none_or(|times| attempts < times && patience == Patience::Real);
    in_time && in_count
}

/// What the `if` of a retry sees.
fn seen(ended: &Result<Outcome, Halt>, attempts: u32, scope: &Scope) -> Scope {
    let mut scope = scope.clone();
    let result = ended.as_ref().map_or_else(|_| json!({}), |outcome| outcome.evidence.clone());
    let status = result.pointer("/response/status").cloned().unwrap_or_else(|| 0.into());
    scope.set_json("status", &status);
    scope.set_json("exit", result.get("exit").unwrap_or(&Json::Null));
    scope.set_json("result", &result);
    scope.set("attempt", attempts);
    scope
}
