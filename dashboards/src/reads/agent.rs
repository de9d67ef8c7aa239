//! What an agent said and did in one action: the fold behind `/runs/{id}/agent/{action}`.

use model::{
    budget::Spend,
    event::{
        Body, Event,
        agent::{Block, CommandExited, CommandPrinted, CommandStarted, SessionEnded, SessionStarted, ToolReturned},
    },
    id::{ActionId, SessionId},
};
use serde::Serialize;
use serde_json::Value;

/// The agent of an action: ours, or somebody else's command.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "agent")]
pub enum AgentSession {
    Conversation(Conversation),
    Command(OutsideCommand),
}

#[derive(Clone, Debug, Serialize)]
pub struct Conversation {
    pub started: SessionStarted,
    pub entries: Vec<Entry>,
    pub ended: Option<SessionEnded>,
    /// Of the replies so far.
    pub spent: Spend,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "entry")]
pub enum Entry {
    /// A text that the model received.
    Told {
        origin: model::event::agent::Origin,
        text: String,
    },
    Reply(Reply),
    /// A request that gave no reply.
    Failed {
        turn: u32,
        attempt: u32,
        message: String,
    },
}

#[derive(Clone, Debug, Serialize)]
pub struct Reply {
    pub turn: u32,
    pub thoughts: Vec<String>,
    pub texts: Vec<String>,
    pub calls: Vec<Call>,
    pub spent: Spend,
    pub duration_ms: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Call {
    pub call: String,
    pub name: String,
    pub arguments: Value,
    /// `None` while it runs, or where the worker died in the middle.
    pub returned: Option<ToolReturned>,
}

#[derive(Clone, Debug, Serialize)]
pub struct OutsideCommand {
    pub started: CommandStarted,
    pub printed: Vec<CommandPrinted>,
    pub exited: Option<CommandExited>,
}

impl AgentSession {
    /// Folds what `events` tell about `action`. `None` where no agent took part in it.
    pub fn from_events(events: &[Event], action: &ActionId) -> Option<Self> {
        let mut found = None;
        for event in events {
            match (&event.body, &mut found) {
                (Body::SessionStarted(started), _) if started.action == *action => {
                    found = Some(Self::Conversation(Conversation::new(started.clone())));
                }
                (Body::CommandStarted(started), _) if started.action == *action => {
                    let command = OutsideCommand { started: started.clone(), printed: Vec::new(), exited: None };
                    found = Some(Self::Command(command));
                }
                (body, Some(Self::Conversation(conversation))) => conversation.apply(body),
                (body, Some(Self::Command(command))) => command.apply(body),
                (_, None) => {}
            }
        }
        found
    }
}

impl OutsideCommand {
    fn apply(&mut self, body: &Body) {
        if let Body::CommandPrinted(printed) = body
            && printed.action == self.started.action
        {
            self.printed.push(printed.clone());
        }
        if let Body::CommandExited(exited) = body
            && exited.action == self.started.action
        {
            self.exited = Some(exited.clone());
        }
    }
}

impl Conversation {
    fn new(started: SessionStarted) -> Self {
        Self { started, entries: Vec::new(), ended: None, spent: Spend::default() }
    }

    fn is_mine(&self, session: &SessionId) -> bool {
        *session == self.started.session
    }

    fn apply(&mut self, body: &Body) {
        if let Body::SessionTold(told) = body
            && self.is_mine(&told.session)
        {
            self.entries.push(Entry::Told { origin: told.origin, text: told.text.clone() });
        }
        if let Body::TurnReplied(replied) = body
            && self.is_mine(&replied.session)
        {
            self.spent += replied.spent;
            let mut reply = Reply {
                turn: replied.turn,
                thoughts: Vec::new(),
                texts: Vec::new(),
                calls: Vec::new(),
                spent: replied.spent,
                duration_ms: replied.duration_ms,
            };
            replied.blocks.iter().cloned().for_each(|block| reply.add(block));
            self.entries.push(Entry::Reply(reply));
        }
        if let Body::TurnFailed(failed) = body
            && self.is_mine(&failed.session)
        {
            let (turn, attempt, message) = (failed.turn, failed.attempt, failed.message.clone());
            self.entries.push(Entry::Failed { turn, attempt, message });
        }
        if let Body::ToolReturned(returned) = body
            && self.is_mine(&returned.session)
        {
            self.answer(returned);
        }
        if let Body::SessionEnded(ended) = body
            && self.is_mine(&ended.session)
        {
            self.ended = Some(ended.clone());
        }
    }

    fn answer(&mut self, returned: &ToolReturned) {
        let calls = self.entries.iter_mut().rev().filter_map(|entry| match entry {
            Entry::Reply(reply) if reply.turn == returned.turn => Some(&mut reply.calls),
            Entry::Reply(_) | Entry::Told { .. } | Entry::Failed { .. } => None,
        });
        if let Some(call) = calls.flatten().find(|call| call.call == returned.call) {
            call.returned = Some(returned.clone());
        }
    }
}

impl Reply {
    fn add(&mut self, block: Block) {
        match block {
            Block::Text { text } => self.texts.push(text),
            Block::Thinking { text, .. } => self.thoughts.push(text),
            Block::ToolCall { call, name, arguments } => {
                self.calls.push(Call { call, name, arguments, returned: None });
            }
        }
    }
}
