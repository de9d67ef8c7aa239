//! One conversation of an agent with a model, driven to its end.
//!
//! A session's state is a fold over its own events ([`transcript::Transcript`]), live and after a crash alike; the loop
//! below only asks the transcript what comes next, does it, and records what came of it. So a session that was killed
//! anywhere goes on from its events alone, and no call that finished is made twice.

mod control;
mod repetition;
mod rounds;
mod transcript;
mod turns;

use std::sync::Arc;

use model::{
    budget::Budget,
    event::{
        Body,
        agent::{EndReason, Origin, SessionEnded, SessionStarted, SessionTold, Stop},
    },
    id::{ActionId, SessionId},
};

use self::{
    control::Halt,
    transcript::{Step, Transcript},
};
use crate::{
    environment::Environment,
    journal::{Journal, JournalError},
    profile::Profile,
    provider::RigService,
    tools::Toolbox,
};

pub use control::{Control, ControlFull};

const TURNS_MAX: u32 = 200; // a task that long has lost its way
const CUT_WARNING: &str = "Your last reply was cut at the output limit. Go on from there, in smaller steps.";
const EMPTY_WARNING: &str = "Your last reply was empty. Go on with the task, or say in words that it is done.";
const LOOP_WARNING: &str = "You have repeated the same tool calls with the same arguments. Their results will not change. \
    Look at what they told you and try something else.";

/// What a session is started with.
#[derive(Clone)]
pub struct SessionConfig {
    pub session: SessionId,
    pub action: ActionId,
    pub profile: Profile,
    pub toolbox: Toolbox,
    /// Appended to the system prompt, such as the persona of the agent.
    pub context: String,
    /// Where a script plays the model: its name, for the record.
    pub script: Option<String>,
    pub turns_max: u32,
    /// What the whole session may spend, with what its events show already included.
    pub budget: Budget,
}

impl SessionConfig {
    /// With the profile's own tools, 200 turns and no other limit.
    pub fn new(session: SessionId, action: ActionId, profile: Profile) -> Self {
        Self {
            session,
            action,
            profile,
            toolbox: profile.toolbox(),
            context: String::new(),
            script: None,
            turns_max: TURNS_MAX,
            budget: Budget::default(),
        }
    }
}

pub struct Session {
    config: SessionConfig,
    service: Arc<RigService>,
    environment: Arc<dyn Environment>,
    task: String,
    transcript: Transcript,
}

/// The session could not go on; its events stand, and it can be resumed from them.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Session {
    pub fn start(
        config: SessionConfig,
        service: Arc<RigService>,
        environment: Arc<dyn Environment>,
        task: impl Into<String>,
    ) -> Self {
        let transcript = Transcript::new(config.session.clone());
        Self { config, service, environment, task: task.into(), transcript }
    }

    /// The session as `events` left it; those of other sessions are passed over. With no event it is a new one.
    pub fn resume<'a>(
        config: SessionConfig,
        service: Arc<RigService>,
        environment: Arc<dyn Environment>,
        task: impl Into<String>,
        events: impl IntoIterator<Item = &'a Body>,
    ) -> Self {
        let mut session = Self::start(config, service, environment, task);
        for event in events {
            session.transcript.apply(event);
        }
        session
    }

    /// The session that an action began, so that a later worker resumes it.
    pub fn begun_by<'a>(action: &ActionId, events: impl IntoIterator<Item = &'a Body>) -> Option<SessionId> {
        let begun = |body: &Body| match body {
            Body::SessionStarted(started) if started.action == *action => Some(started.session.clone()),
            _ => None,
        };
        events.into_iter().filter_map(begun).last()
    }

    /// Runs to the end. Whatever the model, the tools or the provider do, that is an ending, not an error.
    ///
    /// # Cancel safety
    /// Dropping the future kills running tools; the session can be resumed from its events.
    pub async fn run(mut self, journal: &dyn Journal, control: &Control) -> Result<SessionEnded, SessionError> {
        let halt = Halt::new(control, self.config.budget.wall_time_ms, self.transcript.elapsed_ms());
        loop {
            match self.transcript.next() {
                Step::Start => self.begin(journal).await?,
                Step::TellTask => self.tell(journal, Origin::Task, self.task.clone()).await?,
                Step::CallTools => self.call_tools(journal, &halt).await?,
                Step::Ask => self.ask_or_end(journal, control, &halt).await?,
                Step::Settle => self.settle(journal, control).await?,
                Step::Ended(ended) => return Ok(ended.clone()),
            }
        }
    }

    async fn begin(&mut self, journal: &dyn Journal) -> Result<(), SessionError> {
        let provider = self.service.config();
        let (provider, model) = (provider.provider.as_str().to_owned(), provider.model.clone());
        let system = self.config.profile.system_prompt(&*self.environment, &self.config.context).await;
        let started = SessionStarted {
            session: self.config.session.clone(),
            action: self.config.action.clone(),
            profile: self.config.profile.name.to_owned(),
            provider,
            model,
            script: self.config.script.clone(),
            system,
        };
        self.record(journal, started).await
    }

    /// Before each request: what a person wants said, and whether another turn may be paid for.
    async fn ask_or_end(
        &mut self,
        journal: &dyn Journal,
        control: &Control,
        halt: &Halt<'_>,
    ) -> Result<(), SessionError> {
        if let Some(reason) = self.limit(halt) {
            return self.end(journal, reason, String::new()).await;
        }
        if self.transcript.repeats_itself() {
            self.tell(journal, Origin::Warning, LOOP_WARNING.to_owned()).await?;
        }
        while let Some(text) = control.next_steer() {
            self.tell(journal, Origin::Steer, text).await?;
        }
        self.ask(journal, halt).await
    }

    fn limit(&self, halt: &Halt<'_>) -> Option<EndReason> {
        if let Some(reason) = halt.reason() {
            return Some(reason);
        }
        if self.config.budget.reached(self.transcript.spent(), halt.elapsed_ms()).is_some() {
            return Some(EndReason::Budget);
        }
        (self.transcript.turns() >= self.config.turns_max).then_some(EndReason::TurnLimit)
    }

    /// After a reply without tool calls: is that the end? What is answered counts, also when a limit was reached meanwhile.
    async fn settle(&mut self, journal: &dyn Journal, control: &Control) -> Result<(), SessionError> {
        let reply = self.transcript.last_reply();
        let (stop, empty, text) = (reply.stop, reply.text.trim().is_empty(), reply.text.clone());
        if stop == Stop::Refusal {
            return self.end(journal, EndReason::Refused, text).await;
        }
        if let Some(text) = control.next_steer() {
            return self.tell(journal, Origin::Steer, text).await;
        }
        if stop == Stop::MaxTokens {
            return self.tell(journal, Origin::Warning, CUT_WARNING.to_owned()).await;
        }
        if empty && !self.transcript.was_warned() {
            return self.tell(journal, Origin::Warning, EMPTY_WARNING.to_owned()).await;
        }
        match control.next_follow_up() {
            Some(text) => self.tell(journal, Origin::FollowUp, text).await,
            None => self.end(journal, EndReason::Completed, text).await,
        }
    }

    async fn tell(&mut self, journal: &dyn Journal, origin: Origin, text: String) -> Result<(), SessionError> {
        let session = self.config.session.clone();
        self.record(journal, SessionTold { session, origin, text }).await
    }

    async fn end(&mut self, journal: &dyn Journal, reason: EndReason, message: String) -> Result<(), SessionError> {
        let message = if message.is_empty() { self.transcript.last_reply().text.clone() } else { message };
        let ended = SessionEnded {
            session: self.config.session.clone(),
            reason,
            turns: self.transcript.turns(),
            spent: *self.transcript.spent(),
            message,
        };
        self.record(journal, ended).await
    }

    /// The one place where the session changes: first durable, then believed.
    async fn record(&mut self, journal: &dyn Journal, body: impl Into<Body>) -> Result<(), SessionError> {
        let body = body.into();
        journal.record(body.clone()).await?;
        self.transcript.apply(&body);
        Ok(())
    }
}
