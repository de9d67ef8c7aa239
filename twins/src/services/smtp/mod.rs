//! A mail server that takes mail and delivers none: the SMTP sink, in Postfix's words.
//!
//! Each command is a call, and so is the whole message behind DATA. `session` is a client's conversation and keeps its
//! envelope, `command` and `content` read what it says, `auth` signs it in; here is what the server allows; `message` is
//! what it keeps, `replies` how it says no.

mod auth;
mod command;
mod config;
mod content;
mod message;
mod replies;
mod session;

use std::sync::Arc;

use axum::body::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub(super) use self::config::Config;
use self::{
    command::is_address,
    config::BareNewline,
    message::Message,
    replies::{goodbye, refusal, say, say_all},
    session::Session,
};
use crate::{
    engine::table::Table,
    http::{Reply, Request},
    twin::{Answer, Context, Manifest, Operation, Refusal, Twin, check_secret, operations},
    wire::Protocol,
};

const MESSAGES_MAX: usize = 10_000; // the oldest leave first
const GREYLIST_MAX: usize = 10_000;
/// Before TLS, where TLS is required.
const BEFORE_TLS: [&str; 6] = ["connect", "ehlo", "helo", "starttls", "noop", "quit"];
/// What a MAIL may say besides the address, and what a RCPT.
const MAIL_PARAMETERS: [&str; 7] = ["from", "size", "body", "smtputf8", "auth", "ret", "envid"];
const RCPT_PARAMETERS: [&str; 3] = ["to", "notify", "orcpt"];

#[derive(Clone)]
pub(super) struct Smtp {
    config: Arc<Config>,
    messages: Table<Message>,
    /// When somebody wrote to somebody first, by both.
    greylist: Table<Timestamp>,
}

impl Smtp {
    pub(super) fn open(config: Config) -> Result<Self, String> {
        config.check()?;
        Ok(Self { config: Arc::new(config), messages: Table::default(), greylist: Table::default() })
    }

    fn connect(&mut self, context: &mut Context<'_>, _: &Request) -> Answer {
        let number = context.number("session").to_string();
        Ok(say(220, &format!("{} ESMTP Postfix", self.config.hostname)).header("session", number))
    }

    fn helo(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let _host = request.tracked().get("host").as_str().ok_or_else(|| say(501, "Syntax: HELO hostname"))?;
        Ok(say(250, &self.config.hostname))
    }

    fn ehlo(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let _host = request.tracked().get("host").as_str().ok_or_else(|| say(501, "Syntax: EHLO hostname"))?;
        let mut lines = vec![self.config.hostname.clone(), "PIPELINING".to_owned()];
        lines.push(format!("SIZE {}", self.config.message_bytes_max));
        lines.push("VRFY".to_owned());
        if request.header("starttls").is_some() {
            lines.push("STARTTLS".to_owned());
        }
        if !self.must_start_tls(request) {
            lines.push("AUTH PLAIN LOGIN".to_owned());
        }
        lines.extend(["ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING"].map(str::to_owned));
        Ok(say_all(250, &lines))
    }

    fn mail(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        greeted(request)?;
        if request.header("mail-from").is_some() {
            return Err(say(503, "5.5.1 Error: nested MAIL command"));
        }
        let fields = request.fields();
        let from = fields["from"].as_str().ok_or_else(|| say(501, "5.5.4 Syntax: MAIL FROM:<address>"))?;
        if !from.is_empty() && !is_address(from) {
            return Err(say(501, "5.1.7 Bad sender address syntax"));
        }
        known_parameters(fields, &MAIL_PARAMETERS)?;
        if !from.is_ascii() && fields["smtputf8"].is_null() {
            return Err(say(553, "5.6.7 Must declare SMTPUTF8 to send unicode address"));
        }
        if fields["body"].as_str().is_some_and(|body| !["7BIT", "8BITMIME"].contains(&&*body.to_ascii_uppercase())) {
            return Err(say(501, "5.5.4 Error: bad BODY parameter"));
        }
        if let Some(size) = fields["size"].as_str() {
            let size: usize = size.parse().map_err(|_| say(501, "5.5.4 Bad message size syntax"))?;
            if size > self.config.message_bytes_max {
                return Err(say(552, "5.3.4 Message size exceeds fixed limit"));
            }
        }
        Ok(say(250, "2.1.0 Ok"))
    }

    fn rcpt(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        greeted(request)?;
        let from = request.header("mail-from").ok_or_else(|| say(503, "5.5.1 Error: need MAIL command"))?;
        let fields = request.fields();
        let to = fields["to"].as_str().ok_or_else(|| say(501, "5.5.4 Syntax: RCPT TO:<address>"))?;
        if !is_address(to) {
            return Err(say(501, "5.1.3 Bad recipient address syntax"));
        }
        known_parameters(fields, &RCPT_PARAMETERS)?;
        let so_far = request.header("recipients").and_then(|count| count.parse::<usize>().ok()).unwrap_or(0);
        if so_far >= self.config.recipients_max {
            return Err(say(452, "4.5.3 Error: too many recipients"));
        }
        self.delivers_to(to, request)?;
        self.greylisted(from, to, context.now)?;
        Ok(say(250, "2.1.5 Ok"))
    }

    /// Whether mail to that address would be taken from this client.
    fn delivers_to(&self, to: &str, request: &Request) -> Result<(), Reply> {
        let Config { users, domains, mailboxes, .. } = &*self.config;
        let domain = to.rsplit_once('@').map_or("", |(_, domain)| domain);
        let is_here =
            domain.is_empty() || domains.is_empty() || domains.iter().any(|it| it.eq_ignore_ascii_case(domain));
        if !is_here || (!users.is_empty() && request.header("user").is_none()) {
            return Err(say(554, &format!("5.7.1 <{to}>: Relay access denied")));
        }
        if !mailboxes.is_empty() && !mailboxes.iter().any(|known| known.eq_ignore_ascii_case(to)) {
            let why = "Recipient address rejected: User unknown in local recipient table";
            return Err(say(550, &format!("5.1.1 <{to}>: {why}")));
        }
        Ok(())
    }

    fn greylisted(&mut self, from: &str, to: &str, now: Timestamp) -> Result<(), Reply> {
        if self.config.greylist_s == 0 {
            return Ok(());
        }
        let pair = format!("{from} {}", to.to_ascii_lowercase());
        let first = self.greylist.get(&pair).copied();
        let open_at = first.unwrap_or(now) + SignedDuration::from_secs(self.config.greylist_s.into());
        if first.is_some() && now >= open_at {
            return Ok(());
        }
        if first.is_none() {
            self.greylist.insert(&pair, now);
            if self.greylist.len() > GREYLIST_MAX {
                self.greylist.remove_oldest();
            }
        }
        let left = open_at.duration_since(now).as_secs();
        let why = format!("Recipient address rejected: Greylisted, come back in {left} seconds");
        Err(say(450, &format!("4.2.0 <{to}>: {why}")))
    }

    fn data(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        ready_for_message(request)?;
        without_argument(request, "DATA")?;
        Ok(say(354, "End data with <CR><LF>.<CR><LF>"))
    }

    fn bdat(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let bytes = request.fields()["bytes"].as_u64();
        let bytes = bytes.ok_or_else(|| goodbye(501, "5.5.4 Syntax: BDAT count [LAST]"))?;
        ready_for_message(request)?;
        Ok(say(250, &format!("2.0.0 Ok: {bytes} bytes")))
    }

    fn message(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        if request.header("bare-newline").is_some() && self.config.bare_newline == BareNewline::Reject {
            return Err(goodbye(550, &format!("5.5.2 {} Error: bare <LF> received", self.config.hostname)));
        }
        let id = context.id("", 14);
        self.messages.insert(&id, Message::new(&id, request, context.now));
        if self.messages.len() > MESSAGES_MAX {
            self.messages.remove_oldest();
        }
        Ok(say(250, &format!("2.0.0 Ok: queued as {id}")))
    }

    fn rset(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        without_argument(request, "RSET")?;
        Ok(say(250, "2.0.0 Ok"))
    }

    fn noop(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        Ok(say(250, "2.0.0 Ok"))
    }

    fn vrfy(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let address = request.fields()["address"].as_str();
        let address = address.ok_or_else(|| say(501, "5.5.4 Syntax: VRFY address [SMTPUTF8]"))?;
        if !is_address(address) {
            return Err(say(501, "5.1.3 Bad recipient address syntax"));
        }
        self.delivers_to(address, request)?;
        Ok(say(252, &format!("2.0.0 {address}")))
    }

    fn starttls(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        if request.fields()["argument"].is_string() {
            return Err(say(501, "5.5.4 Syntax error (no parameters allowed)"));
        }
        if request.header("tls").is_some() {
            return Err(say(554, "5.5.1 Error: TLS already active"));
        }
        if request.header("starttls").is_none() {
            return Err(say(502, "5.5.1 Error: command not implemented"));
        }
        Ok(say(220, "2.0.0 Ready to start TLS"))
    }

    fn auth(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        greeted(request)?;
        let fields = request.fields();
        if request.header("user").is_some() {
            return Err(say(503, "5.5.1 Error: already authenticated"));
        }
        if request.header("mail-from").is_some() {
            return Err(say(503, "5.5.1 Error: MAIL transaction in progress"));
        }
        match fields["mechanism"].as_str() {
            None | Some("") => return Err(say(501, "5.5.4 Syntax: AUTH mechanism")),
            Some("PLAIN" | "LOGIN") => {}
            Some(_) => {
                return Err(say(535, "5.7.8 Error: authentication failed: Invalid authentication mechanism"));
            }
        }
        if fields["aborted"] == true {
            return Err(say(501, "5.7.0 Authentication aborted"));
        }
        let malformed = || say(535, "5.7.8 Error: authentication failed: Invalid base64 data in continued response");
        let user = fields["user"].as_str().ok_or_else(malformed)?;
        self.check_password(user, request.header("authorization").unwrap_or_default())
            .map_err(|refused| refusal(&self.config.hostname, &refused))?;
        Ok(say(235, "2.7.0 Authentication successful"))
    }

    fn check_password(&self, user: &str, proof: &str) -> Result<(), Refusal> {
        if self.config.users.is_empty() {
            return Ok(());
        }
        let password = self.config.users.get(user).ok_or(Refusal::CredentialsWrong)?;
        check_secret(proof, &auth::proof(password))
    }

    fn quit(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        Ok(goodbye(221, "2.0.0 Bye"))
    }

    fn malformed(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        Err(say(500, "5.5.2 Error: bad UTF-8 syntax"))
    }

    fn must_start_tls(&self, request: &Request) -> bool {
        matches!(self.config.tls, config::WhenTls::Required) && request.header("tls").is_none()
    }
}

fn greeted(request: &Request) -> Result<(), Reply> {
    request.header("helo").map(drop).ok_or_else(|| say(503, "5.5.1 Error: send HELO/EHLO first"))
}

fn ready_for_message(request: &Request) -> Result<(), Reply> {
    match (request.header("mail-from"), request.header("recipients")) {
        (None, _) => Err(say(503, "5.5.1 Error: need RCPT command")),
        (Some(_), None) => Err(say(554, "5.5.1 Error: no valid recipients")),
        (Some(_), Some(_)) => Ok(()),
    }
}

fn without_argument(request: &Request, verb: &str) -> Result<(), Reply> {
    let has_one = request.fields()["argument"].is_string();
    if has_one { Err(say(501, &format!("5.5.4 Syntax: {verb}"))) } else { Ok(()) }
}

fn known_parameters(fields: &Value, known: &[&str]) -> Result<(), Reply> {
    let strange = fields.as_object().and_then(|fields| fields.keys().find(|name| !known.contains(&name.as_str())));
    strange.map_or(Ok(()), |name| Err(say(555, &format!("5.5.4 Unsupported option: {}", name.to_ascii_uppercase()))))
}

impl Twin for Smtp {
    const MANIFEST: Manifest = Manifest {
        name: "smtp",
        api_version: "ESMTP (RFC 5321)",
        body_bytes_max: 10_240_000,
        actions: &["delete", "clear"],
    };
    const SPEAKS: &'static str = "smtp";
    /// Lower-case verbs are no command that a client could give.
    const OPERATIONS: &'static [Operation<Self>] = operations! {
        "connect" "connect" "/" Self::connect;
        "ehlo" "EHLO" "/" Self::ehlo;
        "helo" "HELO" "/" Self::helo;
        "starttls" "STARTTLS" "/" Self::starttls;
        "auth" "AUTH" "/" Self::auth;
        "mail" "MAIL" "/" Self::mail;
        "rcpt" "RCPT" "/" Self::rcpt;
        "data" "DATA" "/" Self::data;
        "bdat" "BDAT" "/" Self::bdat;
        "message" "message" "/" Self::message;
        "rset" "RSET" "/" Self::rset;
        "noop" "NOOP" "/" Self::noop;
        "vrfy" "VRFY" "/" Self::vrfy;
        "quit" "QUIT" "/" Self::quit;
        "malformed" "malformed" "/" Self::malformed;
    };

    fn protocol(&self) -> Option<Protocol> {
        let config = Arc::clone(&self.config);
        let scheme = if matches!(config.tls, config::WhenTls::Implicit) { "smtps" } else { "smtp" };
        Some(Protocol {
            scheme,
            tls: config.tls(),
            converse: Arc::new(move |line| Box::pin(Session::run(line, Arc::clone(&config)))),
        })
    }

    /// Who may do what depends on the state of the conversation: each operation looks by itself.
    fn authenticate(&self, _: &Request, _: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn refuse(&self, _: &Context<'_>, refused: &Refusal) -> Reply {
        refusal(&self.config.hostname, refused)
    }

    fn decorate(&self, _: &Context<'_>, _: &Request, _: &mut Reply) {}

    fn perform(&mut self, context: &mut Context<'_>, request: &Request, operation: &Operation<Self>) -> Reply {
        if request.header("too-many-errors").is_some() {
            return goodbye(421, &format!("4.7.0 {} Error: too many errors", self.config.hostname));
        }
        if request.header("out-of-turn").is_some() {
            return goodbye(554, "5.5.0 Error: SMTP protocol synchronization");
        }
        if self.must_start_tls(request) && !BEFORE_TLS.contains(&operation.name) {
            return say(530, "5.7.0 Must issue a STARTTLS command first");
        }
        (operation.run)(self, context, request).unwrap_or_else(|error| error)
    }

    fn state(&self) -> Value {
        json!({"messages": self.messages.oldest_first().collect::<Vec<_>>()})
    }

    fn act(&mut self, _: &mut Context<'_>, action: &str, argument: &Value) -> Result<Value, String> {
        match action {
            "clear" => {
                self.messages = Table::default();
                Ok(json!({}))
            }
            _ => {
                let id = argument["id"].as_str().ok_or("`delete` needs the `id` of a message")?;
                if self.forget_mail(id) { Ok(json!({})) } else { Err(format!("there is no message `{id}`")) }
            }
        }
    }

    fn inbox(&self) -> Option<Vec<Value>> {
        let shown = |message| serde_json::to_value(message).expect("a message is plain data");
        Some(self.messages.oldest_first().map(shown).collect())
    }

    fn raw_mail(&self, id: &str) -> Option<Bytes> {
        self.messages.get(id).map(|message| message.raw.clone())
    }

    fn forget_mail(&mut self, id: &str) -> bool {
        self.messages.remove(id).is_some()
    }
}
