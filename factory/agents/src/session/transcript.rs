//! A session's state as a fold over its events, and what must happen next. Pure.

use model::{
    budget::Spend,
    event::{
        Body,
        agent::{Block, FileChange, Origin, SessionEnded, Stop, ToolReturned, TurnReplied},
    },
    id::SessionId,
};
use serde_json::Value;

use super::repetition::Repetition;
use crate::conversation::{CallResult, Message, text_of};

/// Invariant: changed by [`Transcript::apply`] only, so that a resumed session equals the live one.
#[derive(Debug)]
pub(super) struct Transcript {
    session: SessionId,
    system: Option<String>,
    told_task: bool,
    history: Vec<Message>,
    /// Calls of the last reply that are not all answered.
    round: Option<Round>,
    last_reply: LastReply,
    last_origin: Origin,
    turns_replied: u32,
    /// The turn that was started and is not answered.
    open_turn: Option<OpenTurn>,
    spent: Spend,
    elapsed_ms: u64,
    repetition: Repetition,
    ended: Option<SessionEnded>,
}

#[derive(Debug)]
pub(super) struct LastReply {
    pub stop: Stop,
    pub text: String,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct OpenTurn {
    pub turn: u32,
    pub failures: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Round {
    pub turn: u32,
    pub calls: Vec<Call>,
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub id: String,
    pub name: String,
    pub arguments: Value,
    pub state: CallState,
}

#[derive(Clone, Debug)]
pub(super) enum CallState {
    Waiting,
    /// It was begun; whether it took effect only its change can tell.
    Called(Option<FileChange>),
    Returned(CallResult),
}

pub(super) enum Step<'a> {
    Start,
    TellTask,
    CallTools,
    Ask,
    /// The last reply has no tool calls.
    Settle,
    Ended(&'a SessionEnded),
}

impl Transcript {
    pub(super) fn new(session: SessionId) -> Self {
        Self {
            session,
            system: None,
            told_task: false,
            history: Vec::new(),
            round: None,
            last_reply: LastReply { stop: Stop::Other, text: String::new() },
            last_origin: Origin::Task,
            turns_replied: 0,
            open_turn: None,
            spent: Spend::default(),
            elapsed_ms: 0,
            repetition: Repetition::default(),
            ended: None,
        }
    }

    pub(super) fn next(&self) -> Step<'_> {
        if let Some(ended) = &self.ended {
            return Step::Ended(ended);
        }
        if self.system.is_none() {
            return Step::Start;
        }
        if !self.told_task {
            return Step::TellTask;
        }
        if self.round.is_some() {
            return Step::CallTools;
        }
        match self.history.last() {
            Some(Message::Assistant(_)) => Step::Settle,
            Some(Message::User(_) | Message::Results(_)) | None => Step::Ask,
        }
    }

    pub(super) fn apply(&mut self, event: &Body) {
        match event {
            Body::SessionStarted(started) if started.session == self.session => {
                self.system = Some(started.system.clone());
            }
            Body::SessionTold(told) if told.session == self.session => {
                self.told_task = true;
                self.last_origin = told.origin;
                if told.origin == Origin::Warning {
                    self.repetition.clear();
                }
                self.history.push(Message::User(told.text.clone()));
            }
            Body::TurnStarted(started) if started.session == self.session => {
                self.open_turn = Some(OpenTurn { turn: started.turn, failures: 0 });
            }
            Body::TurnFailed(failed) if failed.session == self.session => {
                self.open_turn = Some(OpenTurn { turn: failed.turn, failures: failed.attempt });
            }
            Body::TurnReplied(replied) if replied.session == self.session => self.reply(replied),
            Body::ToolCalled(called) if called.session == self.session => {
                if let Some(call) = self.call(&called.call) {
                    call.state = CallState::Called(called.change.clone());
                }
            }
            Body::ToolReturned(returned) if returned.session == self.session => self.answer(returned),
            Body::SessionEnded(ended) if ended.session == self.session => self.ended = Some(ended.clone()),
            // Of other sessions, and of everything else in the run.
            _ => {}
        }
    }

    fn reply(&mut self, replied: &TurnReplied) {
        self.open_turn = None;
        self.turns_replied += 1;
        self.spent += replied.spent;
        self.elapsed_ms = self.elapsed_ms.saturating_add(replied.duration_ms);
        self.last_reply = LastReply { stop: replied.stop, text: text_of(&replied.blocks) };
        let calls: Vec<Call> = replied.blocks.iter().filter_map(Call::of).collect();
        // What a refusing model calls is not run.
        if !calls.is_empty() && replied.stop != Stop::Refusal {
            for call in &calls {
                self.repetition.push(&call.name, &call.arguments);
            }
            self.round = Some(Round { turn: replied.turn, calls });
        }
        self.history.push(Message::Assistant(replied.blocks.clone()));
    }

    fn answer(&mut self, returned: &ToolReturned) {
        self.elapsed_ms = self.elapsed_ms.saturating_add(returned.duration_ms);
        let Some(call) = self.call(&returned.call) else { return };
        call.state = CallState::Returned(CallResult {
            call: call.id.clone(),
            name: call.name.clone(),
            ok: returned.ok,
            text: returned.shown.as_ref().unwrap_or(&returned.output).clone(),
        });
        let results = self.round.as_ref().and_then(Round::results);
        if let Some(results) = results {
            self.round = None;
            self.history.push(Message::Results(results));
        }
    }

    fn call(&mut self, id: &str) -> Option<&mut Call> {
        self.round.as_mut()?.calls.iter_mut().find(|call| call.id == id)
    }

    pub(super) fn system(&self) -> &str {
        self.system.as_deref().unwrap_or_default()
    }

    pub(super) fn history(&self) -> &[Message] {
        &self.history
    }

    pub(super) fn round(&self) -> Option<&Round> {
        self.round.as_ref()
    }

    pub(super) fn last_reply(&self) -> &LastReply {
        &self.last_reply
    }

    /// The turn now asked was asked for by a warning.
    pub(super) fn was_warned(&self) -> bool {
        self.last_origin == Origin::Warning && matches!(self.history.iter().rev().nth(1), Some(Message::User(_)))
    }

    pub(super) fn open_turn(&self) -> Option<OpenTurn> {
        self.open_turn
    }

    /// Turns that the model answered.
    pub(super) fn turns(&self) -> u32 {
        self.turns_replied
    }

    pub(super) fn spent(&self) -> &Spend {
        &self.spent
    }

    pub(super) fn elapsed_ms(&self) -> u64 {
        self.elapsed_ms
    }

    pub(super) fn repeats_itself(&self) -> bool {
        self.repetition.found()
    }
}

impl Round {
    /// In call order; `None` while one is missing.
    fn results(&self) -> Option<Vec<CallResult>> {
        let result = |call: &Call| match &call.state {
            CallState::Returned(result) => Some(result.clone()),
            CallState::Waiting | CallState::Called(_) => None,
        };
        self.calls.iter().map(result).collect()
    }
}

impl Call {
    fn of(block: &Block) -> Option<Self> {
        match block {
            Block::ToolCall { call, name, arguments } => Some(Self {
                id: call.clone(),
                name: name.clone(),
                arguments: arguments.clone(),
                state: CallState::Waiting,
            }),
            Block::Text { .. } | Block::Thinking { .. } => None,
        }
    }
}
