//! What the server says, in Postfix's words.

use crate::{
    http::{Body, Reply},
    twin::Refusal,
};

const CLOSE: (&str, &str) = ("connection", "close");

/// One line: `say(250, "2.1.0 Ok")`.
pub(super) fn say(status: u16, text: &str) -> Reply {
    Reply::new(status, Body::Bytes(format!("{status} {text}\r\n").into()))
}

/// Several lines of one answer.
pub(super) fn say_all(status: u16, lines: &[String]) -> Reply {
    let last = lines.len().saturating_sub(1);
    let written = lines.iter().enumerate().map(|(number, line)| {
        let mark = if number == last { ' ' } else { '-' };
        format!("{status}{mark}{line}\r\n")
    });
    Reply::new(status, Body::Bytes(written.collect::<String>().into()))
}

/// The last thing that is said.
pub(super) fn goodbye(status: u16, text: &str) -> Reply {
    say(status, text).header(CLOSE.0, CLOSE.1)
}

/// Whether the conversation is over.
pub(super) fn is_last(reply: &Reply) -> bool {
    reply.headers.iter().any(|(name, value)| (&**name, value.as_str()) == CLOSE)
}

pub(super) fn refusal(hostname: &str, refusal: &Refusal) -> Reply {
    match refusal {
        // What browsers and proxies say; whoever lets them talk on can be used by a web page.
        Refusal::Unimplemented { method, .. } if is_foreign(method) => {
            goodbye(221, "2.7.0 Error: I can break rules, too. Goodbye.")
        }
        Refusal::Unimplemented { .. } => say(502, "5.5.2 Error: command not recognized"),
        Refusal::BodyTooLarge { .. } => say(552, "5.3.4 Error: message file too big"),
        Refusal::CredentialsMissing => say(530, "5.7.0 Authentication required"),
        Refusal::CredentialsWrong => say(535, "5.7.8 Error: authentication failed: authentication failure"),
        Refusal::CredentialsExpired => say(535, "5.7.8 Error: authentication failed: credentials have expired"),
        Refusal::RateLimited { .. } => say(450, "4.7.1 Error: too much mail from 127.0.0.1"),
        Refusal::Status(status) => failure(hostname, *status),
        Refusal::BodyMalformed { .. }
        | Refusal::IdempotencyMismatch { .. }
        | Refusal::IdempotencyInUse { .. }
        | Refusal::IdempotencyKeyTooLong => say(500, "5.5.2 Error: bad syntax"),
    }
}

fn is_foreign(verb: &str) -> bool {
    matches!(verb, "CONNECT" | "GET" | "POST") || !verb.starts_with(|letter: char| letter.is_ascii_alphabetic())
}

/// An injected failure.
fn failure(hostname: &str, status: u16) -> Reply {
    match status {
        421 => goodbye(421, &format!("4.3.2 {hostname} Error: service not available, closing transmission channel")),
        450 => say(450, "4.2.0 Recipient address rejected: Greylisted, come back later"),
        451 => say(451, "4.3.0 Error: queue file write error"),
        452 => say(452, "4.3.1 Insufficient system storage"),
        454 => say(454, "4.7.0 Temporary authentication failure"),
        500 => say(500, "5.5.2 Error: bad syntax"),
        530 => say(530, "5.7.0 Must issue a STARTTLS command first"),
        535 => say(535, "5.7.8 Error: authentication failed"),
        550 => say(550, "5.1.1 Recipient address rejected: User unknown in local recipient table"),
        552 => say(552, "5.2.2 Recipient address rejected: mailbox is full"),
        553 => say(553, "5.7.1 Sender address rejected: not owned by user"),
        554 => say(554, "5.7.1 Message rejected: it looks like spam"),
        400..500 => say(status, "4.3.0 Error: temporary failure"),
        _ => say(status, "5.3.0 Error: permanent failure"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_injected_status_is_said_with_a_code_of_its_class() {
        for status in 400..600 {
            let text = String::from_utf8(failure("h", status).body.bytes().to_vec()).expect("is text");
            let class = status / 100;
            assert!(text.starts_with(&format!("{status} {class}.")) && text.ends_with("\r\n"), "{text}");
        }
    }

    #[test]
    fn all_lines_but_the_last_say_that_more_follows() {
        let reply = say_all(250, &["a".to_owned(), "b".to_owned()]);
        assert_eq!(reply.body.bytes(), "250-a\r\n250 b\r\n");
    }
}
