//! One turn: a request to the model, asked again where that may help.

use std::time::{Duration, Instant};

use model::event::agent::{EndReason, TurnFailed, TurnReplied, TurnStarted};

use super::{Session, SessionError, control::Halt};
use crate::{
    journal::Journal,
    millis,
    provider::{Backoff, Delta, Reply, TurnFailure, TurnRequest},
};

impl Session {
    pub(super) async fn ask(&mut self, journal: &dyn Journal, halt: &Halt<'_>) -> Result<(), SessionError> {
        let session = self.config.session.clone();
        let turn = match self.transcript.open_turn() {
            // A killed worker asked already; no reply is known, so it is asked again.
            Some(open) => open.turn,
            None => {
                let turn = self.transcript.turns() + 1;
                self.record(journal, TurnStarted { session: session.clone(), turn }).await?;
                turn
            }
        };
        let mut backoff = Backoff::new(self.service.config());
        loop {
            let started = Instant::now();
            let outcome = tokio::select! {
                biased;
                () = halt.halted() => return Ok(()),
                outcome = self.request(journal) => outcome,
            };
            let failure = match outcome {
                Ok(reply) => return self.replied(journal, turn, reply, started.elapsed()).await,
                Err(failure) => failure,
            };
            if failure.delivered {
                journal.live(Delta::Voided);
            }
            let attempt = self.transcript.open_turn().map_or(0, |open| open.failures) + 1;
            let message = failure.message.clone();
            let retryable = failure.retryable;
            self.record(journal, TurnFailed { session: session.clone(), turn, attempt, retryable, message }).await?;
            let Some(wait) = backoff.after(&failure) else {
                return self.end(journal, EndReason::ProviderFailed, failure.message).await;
            };
            tokio::select! {
                biased;
                () = halt.halted() => return Ok(()),
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn request(&self, journal: &dyn Journal) -> Result<Reply, TurnFailure> {
        let tools = self.config.toolbox.definitions();
        let request =
            TurnRequest { system: self.transcript.system(), history: self.transcript.history(), tools: &tools };
        self.service.turn(request, &mut |delta| journal.live(delta)).await
    }

    async fn replied(
        &mut self,
        journal: &dyn Journal,
        turn: u32,
        reply: Reply,
        duration: Duration,
    ) -> Result<(), SessionError> {
        let replied = TurnReplied {
            session: self.config.session.clone(),
            turn,
            blocks: reply.blocks,
            stop: reply.stop,
            spent: reply.spent,
            duration_ms: millis(duration),
        };
        self.record(journal, replied).await
    }
}
