//! One client's conversation: reads what it says, asks the space, and keeps what belongs to this connection: who greeted,
//! who signed in, the envelope. What is allowed is the twin's to say.

use std::sync::Arc;

use axum::body::Bytes;
use serde_json::{Value, json};

use super::{auth, command::Command, config::Config, content::Content, replies::is_last};
use crate::{
    engine::core::Transport,
    http::{Cut, Reply, Request},
    wire::{Line, Read, Said},
};

const COMMAND_BYTES_MAX: usize = 2_048; // the rest of a longer line is thrown away
const ERRORS_MAX: u32 = 20; // then the client is sent away
const CHUNK_BYTES_MAX: u64 = 1 << 40; // of BDAT; what is above the limit of a message is read and thrown away
const SPACE: &str = ".twin-space"; // `EHLO NAME.twin-space` names a space

pub(super) struct Session {
    line: Line,
    config: Arc<Config>,
    /// Counts the conversations of a space.
    number: String,
    /// Whom the client says it is, and how.
    helo: Option<(String, &'static str)>,
    user: Option<String>,
    from: Option<String>,
    recipients: Vec<String>,
    /// Of BDAT, so far. None: larger than allowed.
    chunks: Option<Vec<u8>>,
    errors: u32,
    /// A rule breaks the connection behind so many bytes of the message.
    cut_at: Option<usize>,
}

/// The conversation is over.
pub(super) struct Over;

type Step = Result<(), Over>;

impl Session {
    pub(super) async fn run(line: Line, config: Arc<Config>) {
        let mut session = Self {
            line,
            config,
            number: String::new(),
            helo: None,
            user: None,
            from: None,
            recipients: Vec::new(),
            chunks: Some(Vec::new()),
            errors: 0,
            cut_at: None,
        };
        if session.greet().await.is_ok() {
            while session.step().await.is_ok() {}
        }
    }

    async fn greet(&mut self) -> Step {
        let reply = self.ask("connect", &json!({})).await?;
        if let Some((_, number)) = reply.headers.iter().find(|(name, _)| name == "session") {
            self.number.clone_from(number);
        }
        if reply.status == 220 { Ok(()) } else { self.leave().await }
    }

    /// One command, with all that belongs to it.
    async fn step(&mut self) -> Step {
        let line = match self.line.line(COMMAND_BYTES_MAX).await {
            Read::Line(line) => line,
            Read::Silence => {
                let farewell = format!("421 4.4.2 {} Error: timeout exceeded\r\n", self.config.hostname);
                self.line.write(farewell.as_bytes()).await.ok();
                return self.leave().await;
            }
            Read::Gone => return Err(Over),
        };
        let Some(command) = Command::read(&line) else { return self.ask("malformed", &json!({})).await.map(drop) };
        match command.verb.as_str() {
            "EHLO" | "HELO" => self.hello(&command).await,
            "MAIL" => {
                let shown = command.shown();
                let taken = self.ask("MAIL", &shown).await?.status == 250;
                if taken {
                    self.forget_envelope();
                    self.from = shown["from"].as_str().map(str::to_owned);
                }
                Ok(())
            }
            "RCPT" => {
                let shown = command.shown();
                let taken = self.ask("RCPT", &shown).await?.status == 250;
                self.recipients.extend(shown["to"].as_str().filter(|_| taken).map(str::to_owned));
                Ok(())
            }
            "DATA" => self.data(&command).await,
            "BDAT" => self.chunk(&command).await,
            "RSET" => {
                if self.ask("RSET", &command.shown()).await?.status == 250 {
                    self.forget_envelope();
                }
                Ok(())
            }
            "STARTTLS" => self.start_tls(&command).await,
            "AUTH" => self.sign_in(&command).await,
            verb => self.ask(verb, &command.shown()).await.map(drop),
        }
    }

    async fn hello(&mut self, command: &Command) -> Step {
        let mut shown = command.shown();
        if let Some(name) = command.argument.strip_suffix(SPACE)
            && self.line.enter(name).is_err()
        {
            shown = json!({});
        }
        if self.ask(&command.verb, &shown).await?.status == 250 {
            self.forget_envelope();
            let protocol = if command.verb == "EHLO" { "ESMTP" } else { "SMTP" };
            self.helo = Some((command.argument.clone(), protocol));
        }
        Ok(())
    }

    async fn data(&mut self, command: &Command) -> Step {
        if self.ask("DATA", &command.shown()).await?.status != 354 {
            return Ok(());
        }
        let mut content = Content::new(self.config.message_bytes_max, self.config.bare_newline);
        let mut received = 0;
        loop {
            let (taken, ended) = content.take(self.line.waiting());
            received += taken;
            if self.cut_at.is_some_and(|at| received >= at) {
                self.line.reset();
                return Err(Over);
            }
            self.line.take(taken);
            if ended {
                break;
            }
            // A message without an end is none.
            if !matches!(self.line.fill().await, Ok(1..)) {
                return Err(Over);
            }
        }
        let has_bare_newline = content.has_bare_newline;
        self.send(content.message(), has_bare_newline).await
    }

    /// The message as a whole: now it is sent or refused.
    async fn send(&mut self, message: Option<Vec<u8>>, has_bare_newline: bool) -> Step {
        let (from, to) = (self.from.clone().unwrap_or_default(), self.recipients.join(", "));
        let mut facts = vec![("mail-from", from.as_str()), ("rcpt-to", to.as_str())];
        if has_bare_newline {
            facts.push(("bare-newline", "yes"));
        }
        let request = self.request("message", "message/rfc822", message.map(Bytes::from), facts);
        let outcome = self.carry(request).await;
        self.forget_envelope();
        outcome.map(drop)
    }

    async fn chunk(&mut self, command: &Command) -> Step {
        let mut words = command.argument.split_ascii_whitespace();
        let size = words.next().and_then(|size| size.parse::<u64>().ok()).filter(|size| *size <= CHUNK_BYTES_MAX);
        let last = words.next();
        let is_well_formed = last.is_none_or(|last| last.eq_ignore_ascii_case("LAST")) && words.next().is_none();
        // Where the next command begins cannot be known: the answer to this one is the last.
        let Some(size) = size.filter(|_| is_well_formed) else {
            return self.ask("BDAT", &command.shown()).await.map(drop);
        };
        self.receive(size).await?;
        if last.is_some() && self.from.is_some() && !self.recipients.is_empty() {
            let message = self.chunks.take();
            return self.send(message, false).await;
        }
        self.ask("BDAT", &json!({"bytes": size, "last": last.is_some()})).await.map(drop)
    }

    async fn receive(&mut self, size: u64) -> Step {
        let mut left = size;
        while left > 0 {
            if self.line.waiting().is_empty() && !matches!(self.line.fill().await, Ok(1..)) {
                return Err(Over);
            }
            let waiting = self.line.waiting();
            let taken = usize::try_from(left).unwrap_or(usize::MAX).min(waiting.len());
            let room = self.chunks.as_ref().map_or(0, |kept| self.config.message_bytes_max - kept.len());
            if taken > room {
                self.chunks = None;
            } else if let Some(kept) = &mut self.chunks {
                kept.extend(&waiting[..taken]);
            }
            self.line.take(taken);
            left -= taken as u64;
        }
        Ok(())
    }

    async fn start_tls(&mut self, command: &Command) -> Step {
        if self.ask("STARTTLS", &command.shown()).await?.status != 220 {
            return Ok(());
        }
        self.line.secure().await.map_err(|()| Over)?;
        self.forget_envelope();
        (self.helo, self.user) = (None, None);
        Ok(())
    }

    async fn sign_in(&mut self, command: &Command) -> Step {
        let may = self.helo.is_some() && self.user.is_none() && self.from.is_none();
        let attempt = auth::attempt(&mut self.line, &command.argument, may).await?;
        let mut facts = vec![("authorization", attempt.proof.as_str())];
        if let Some(from) = &self.from {
            facts.push(("mail-from", from));
        }
        let request = self.request("AUTH", "application/json", Some(attempt.shown().to_string().into()), facts);
        if self.carry(request).await?.status == 235 {
            self.user = attempt.user;
        }
        Ok(())
    }

    fn forget_envelope(&mut self) {
        self.from = None;
        self.recipients.clear();
        self.chunks = Some(Vec::new());
        self.cut_at = None;
    }

    async fn ask(&mut self, verb: &str, shown: &Value) -> Result<Arc<Reply>, Over> {
        let mut facts = Vec::new();
        if let Some(from) = &self.from {
            facts.push(("mail-from", from.as_str()));
        }
        let count = self.recipients.len().to_string();
        if !self.recipients.is_empty() {
            facts.push(("recipients", count.as_str()));
        }
        let request = self.request(verb, "application/json", Some(shown.to_string().into()), facts);
        self.carry(request).await
    }

    fn request<'s>(
        &'s self,
        verb: &str,
        kind: &str,
        body: Option<Bytes>,
        mut facts: Vec<(&'s str, &'s str)>,
    ) -> Request {
        let (helo, protocol) = self.helo.as_ref().map_or(("", ""), |(helo, protocol)| (helo.as_str(), *protocol));
        let known = [
            ("session", self.number.as_str()),
            ("helo", helo),
            ("protocol", protocol),
            ("tls", self.line.tls().unwrap_or_default()),
            ("user", self.user.as_deref().unwrap_or_default()),
            ("starttls", if self.line.can_be_secure() { "yes" } else { "" }),
            ("too-many-errors", if self.errors >= ERRORS_MAX { "yes" } else { "" }),
            ("out-of-turn", if self.is_out_of_turn(verb) { "yes" } else { "" }),
        ];
        facts.extend(known.into_iter().filter(|(_, value)| !value.is_empty()));
        Request::told(verb, kind, body, &facts)
    }

    /// Whoever speaks on behind these does not wait for the answer that decides what comes next.
    fn is_out_of_turn(&self, verb: &str) -> bool {
        let waits = matches!(verb, "EHLO" | "HELO" | "DATA" | "AUTH" | "VRFY");
        // What comes in the clear behind STARTTLS is forgotten with the clear.
        let is_plain = self.helo.as_ref().is_some_and(|(_, protocol)| *protocol == "SMTP");
        (waits || is_plain && verb != "message") && !self.line.waiting().is_empty()
    }

    async fn carry(&mut self, request: Request) -> Result<Arc<Reply>, Over> {
        let mut exchange = self.line.exchange(request);
        // A rule about what follows the answer: the message is cut, not the permission to send it.
        if let (Transport::Cut(cut), Some(354)) =
            (exchange.transport, exchange.reply.as_ref().map(|reply| reply.status))
        {
            self.cut_at = Some(if let Cut::AfterBytes(bytes) = cut { bytes.max(1) } else { 1 });
            exchange.transport = Transport::Whole;
        }
        let Said(reply) = self.line.carry(exchange).await.ok_or(Over)?;
        if reply.status >= 400 {
            self.errors += 1;
        }
        if is_last(&reply) { self.leave().await.map(|()| reply) } else { Ok(reply) }
    }

    async fn leave(&mut self) -> Step {
        self.line.shut().await;
        Err(Over)
    }
}
