//! How the server behaves, as its administrator would have set it up.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::wire::Tls;

const RECIPIENTS_MAX: usize = 1_000;
const MESSAGE_BYTES_MAX: usize = 10_240_000;
const GREYLIST_S_MAX: u32 = 86_400;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// What the server calls itself.
    pub(super) hostname: String,
    pub(super) tls: WhenTls,
    /// Passwords by user. With none, any will do and nobody needs one; with some, recipients are for those who have signed in.
    pub(super) users: BTreeMap<String, String>,
    /// Mail to these domains is taken, and refused to others; to any, where left out.
    pub(super) domains: Vec<String>,
    /// The recipients that there are; any, where left out.
    pub(super) mailboxes: Vec<String>,
    /// Announced, and refused above; at most 10,240,000.
    pub(super) message_bytes_max: usize,
    /// Of one message, at most 1,000.
    pub(super) recipients_max: usize,
    /// Who is new is asked to come again after so many seconds of virtual time; 0: nobody.
    pub(super) greylist_s: u32,
    pub(super) bare_newline: BareNewline,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhenTls {
    /// STARTTLS is offered where the twins have an authority.
    Optional,
    /// Nothing but STARTTLS before STARTTLS.
    Required,
    /// From the first byte on.
    Implicit,
}

/// What a line of a message is that ends without a carriage return.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum BareNewline {
    /// A line like others, but none that ends a message.
    Normalize,
    /// The end of the conversation.
    Reject,
    /// As good as any: two servers may disagree where a message ends.
    Allow,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hostname: "mail.twin.test".to_owned(),
            tls: WhenTls::Optional,
            users: BTreeMap::new(),
            domains: Vec::new(),
            mailboxes: Vec::new(),
            message_bytes_max: MESSAGE_BYTES_MAX,
            recipients_max: RECIPIENTS_MAX,
            greylist_s: 0,
            bare_newline: BareNewline::Normalize,
        }
    }
}

impl Config {
    /// Says what is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_name(&self.hostname) {
            Err(format!("`hostname` is no name of a host: `{}`", self.hostname))
        } else if !(1..=MESSAGE_BYTES_MAX).contains(&self.message_bytes_max) {
            Err(format!("`message_bytes_max` is 1 to {MESSAGE_BYTES_MAX}"))
        } else if !(1..=RECIPIENTS_MAX).contains(&self.recipients_max) {
            Err(format!("`recipients_max` is 1 to {RECIPIENTS_MAX}"))
        } else if self.greylist_s > GREYLIST_S_MAX {
            Err(format!("`greylist_s` is at most {GREYLIST_S_MAX}"))
        } else {
            Ok(())
        }
    }

    pub(super) fn tls(&self) -> Tls {
        match self.tls {
            WhenTls::Optional => Tls::OnRequest,
            WhenTls::Required => Tls::Required,
            WhenTls::Implicit => Tls::First,
        }
    }
}
