//! One round of tool calls: calls that only read run together, calls that change something alone and in order.

use std::time::Instant;

use futures::{StreamExt, stream};
use model::event::agent::{FileChange, ToolCalled, ToolReturned};

use super::{
    Session, SessionError,
    control::Halt,
    transcript::{Call, CallState},
};
use crate::{
    journal::Journal,
    millis,
    tools::{
        CallOutcome, Effect,
        change::{self, Progress},
    },
};

const CONCURRENT_CALLS_MAX: usize = 8; // searches are bound by disk and cores, not by waiting

const INTERRUPTED: &str = "interrupted: its effect is unknown, check before repeating";
const STOPPED: &str = "stopped: the session is at its end; its effect is unknown";

impl Session {
    /// Answers every call of the round. What was begun before a crash and may have changed something is not repeated.
    pub(super) async fn call_tools(&mut self, journal: &dyn Journal, halt: &Halt<'_>) -> Result<(), SessionError> {
        let Some(round) = self.transcript.round() else { return Ok(()) };
        let turn = round.turn;
        let open: Vec<Call> =
            round.calls.iter().filter(|call| !matches!(call.state, CallState::Returned(_))).cloned().collect();
        for batch in batches(open, |call| self.config.toolbox.effect(&call.name)) {
            self.call_together(journal, halt, turn, batch).await?;
        }
        Ok(())
    }

    async fn call_together(
        &mut self,
        journal: &dyn Journal,
        halt: &Halt<'_>,
        turn: u32,
        batch: Vec<Call>,
    ) -> Result<(), SessionError> {
        let mut runnable = Vec::with_capacity(batch.len());
        for call in batch {
            match (&call.state, self.config.toolbox.effect(&call.name)) {
                (CallState::Called(change), Effect::Mutating) => match self.interrupted(change.as_ref()).await {
                    Some(outcome) => self.returned(journal, turn, &call, outcome, 0).await?,
                    None => runnable.push(call),
                },
                (CallState::Called(_), Effect::ReadOnly | Effect::Repeatable) => runnable.push(call),
                (CallState::Waiting | CallState::Returned(_), _) => {
                    let change = self.config.toolbox.change(&call.name, &call.arguments, &*self.environment).await;
                    self.record(journal, called(self, turn, &call, change)).await?;
                    runnable.push(call);
                }
            }
        }
        let (toolbox, environment) = (self.config.toolbox.clone(), self.environment.clone());
        let mut outcomes = stream::iter(runnable)
            .map(|call| async {
                let started = Instant::now();
                let outcome = tokio::select! {
                    biased;
                    () = halt.halted() => CallOutcome::failed(STOPPED),
                    outcome = toolbox.call(&call.name, call.arguments.clone(), &*environment) => outcome,
                };
                (call, outcome, millis(started.elapsed()))
            })
            .buffer_unordered(CONCURRENT_CALLS_MAX);
        while let Some((call, outcome, duration_ms)) = outcomes.next().await {
            self.returned(journal, turn, &call, outcome, duration_ms).await?;
        }
        Ok(())
    }

    /// What came of a call that a crash interrupted; `None` where nothing did, and it can be made again.
    async fn interrupted(&self, change: Option<&FileChange>) -> Option<CallOutcome> {
        let Some(change) = change else { return Some(CallOutcome::failed(INTERRUPTED)) };
        match change::progress(change, &*self.environment).await {
            Progress::Untouched => None,
            Progress::Done => {
                Some(CallOutcome::done(format!("changed `{}`, then the session was interrupted", change.path)))
            }
            Progress::Unknown => Some(CallOutcome::failed(INTERRUPTED)),
        }
    }

    async fn returned(
        &mut self,
        journal: &dyn Journal,
        turn: u32,
        call: &Call,
        outcome: CallOutcome,
        duration_ms: u64,
    ) -> Result<(), SessionError> {
        let returned = ToolReturned {
            session: self.config.session.clone(),
            turn,
            call: call.id.clone(),
            ok: outcome.ok,
            output: outcome.output,
            shown: outcome.shown,
            duration_ms,
        };
        self.record(journal, returned).await
    }
}

fn called(session: &Session, turn: u32, call: &Call, change: Option<FileChange>) -> ToolCalled {
    ToolCalled {
        session: session.config.session.clone(),
        turn,
        call: call.id.clone(),
        name: call.name.clone(),
        arguments: call.arguments.clone(),
        change,
    }
}

/// Neighbours that only read stay together; each other call is alone, so that a read sees the write before it.
fn batches(calls: Vec<Call>, effect: impl Fn(&Call) -> Effect) -> Vec<Vec<Call>> {
    let mut batches: Vec<(Effect, Vec<Call>)> = Vec::new();
    for call in calls {
        let effect = effect(&call);
        match batches.last_mut() {
            Some((Effect::ReadOnly, batch)) if effect == Effect::ReadOnly => batch.push(call),
            _ => batches.push((effect, vec![call])),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}
