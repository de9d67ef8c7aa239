//! A line of a client, taken apart: the verb, and of MAIL and RCPT the address and the parameters.

use serde_json::{Map, Value, json};

const VERB_CHARS_MAX: usize = 32; // of what nobody knows
const ADDRESS_CHARS_MAX: usize = 320; // 64 before the @, 255 behind it

/// What a client wants.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// In upper case. Empty: no verb at all.
    pub(super) verb: String,
    pub(super) argument: String,
}

impl Command {
    /// None: no text.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok().filter(|line| !line.chars().any(char::is_control))?.trim();
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verb.chars().take(VERB_CHARS_MAX).collect::<String>().to_ascii_uppercase();
        Some(Self { verb, argument: argument.trim().to_owned() })
    }

    /// What the twin and the journal see of the argument: by its parts where it has them.
    pub(super) fn shown(&self) -> Value {
        let parts = match self.verb.as_str() {
            "MAIL" => path(&self.argument, "FROM:", "from"),
            "RCPT" => path(&self.argument, "TO:", "to"),
            "EHLO" | "HELO" if !self.argument.is_empty() => Some(json!({"host": self.argument})),
            "VRFY" if !self.argument.is_empty() => Some(json!({"address": self.argument})),
            _ => None,
        };
        match parts {
            Some(parts) => parts,
            None if self.argument.is_empty() => json!({}),
            None => json!({"argument": self.argument}),
        }
    }
}

/// `FROM:<a@b> SIZE=7` as `{"from": "a@b", "size": "7"}`. None where it is no such thing.
fn path(argument: &str, keyword: &str, name: &str) -> Option<Value> {
    let head = argument.get(..keyword.len()).filter(|head| head.eq_ignore_ascii_case(keyword))?;
    let rest = argument[head.len()..].trim_start();
    let (address, rest) = match rest.strip_prefix('<') {
        Some(inside) => {
            let end = end_of_address(inside)?;
            let rest = &inside[end + 1..];
            if !rest.is_empty() && !rest.starts_with(' ') {
                return None;
            }
            (&inside[..end], rest)
        }
        None => rest.split_once(' ').unwrap_or((rest, "")),
    };
    let mut parts = Map::new();
    parts.insert(name.to_owned(), without_route(address).into());
    for parameter in rest.split_ascii_whitespace() {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let key = key.to_ascii_lowercase();
        if key.is_empty() || key == name {
            return None;
        }
        parts.insert(key, value.into());
    }
    Some(Value::Object(parts))
}

/// The first `>` outside of quotes.
fn end_of_address(inside: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, letter) in inside.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// `@relay.test:ann@example.com` means Ann.
fn without_route(address: &str) -> &str {
    match address.split_once(':') {
        Some((route, address)) if route.starts_with('@') => address,
        _ => address,
    }
}

/// Whether somebody can have this address. One without a host is of the server's own.
pub(super) fn is_address(address: &str) -> bool {
    let (local, host) = address.rsplit_once('@').unwrap_or((address, "localhost"));
    let is_quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    let plain = |letter: char| !letter.is_whitespace() && !"<>()[]:;@,\"\\".contains(letter);
    let is_literal = host.starts_with('[') && host.ends_with(']');
    let host_fits = |letter: char| letter.is_alphanumeric() || "-._".contains(letter);
    address.chars().count() <= ADDRESS_CHARS_MAX
        && !local.is_empty()
        && (is_quoted || local.chars().all(plain))
        && !host.is_empty()
        && (is_literal || (host.chars().all(host_fits) && !host.starts_with('.') && !host.contains("..")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> Value {
        Command::read(line.as_bytes()).expect("is text").shown()
    }

    #[test]
    fn addresses_and_parameters_are_taken_apart() {
        assert_eq!(
            shown("mail from:<a@b.test> SIZE=7 body=8BITMIME"),
            json!({"from": "a@b.test", "size": "7", "body": "8BITMIME"})
        );
        assert_eq!(shown("MAIL FROM: <>"), json!({"from": ""}));
        assert_eq!(shown("RCPT TO:ann@example.com"), json!({"to": "ann@example.com"}));
        assert_eq!(shown("RCPT TO:<\"a>b\"@example.com>"), json!({"to": "\"a>b\"@example.com"}));
        assert_eq!(shown("RCPT TO:<@relay.test:ann@example.com>"), json!({"to": "ann@example.com"}));
        assert_eq!(shown("EHLO me"), json!({"host": "me"}));
    }

    #[test]
    fn what_has_no_parts_is_shown_as_it_came() {
        assert_eq!(shown("MAIL TO:<a@b.test>"), json!({"argument": "TO:<a@b.test>"}));
        assert_eq!(shown("MAIL FROM:<a@b.test"), json!({"argument": "FROM:<a@b.test"}));
        assert_eq!(shown("MAIL FROM:<a@b.test> from=x"), json!({"argument": "FROM:<a@b.test> from=x"}));
        assert_eq!(shown("NOOP"), json!({}));
        assert_eq!(Command::read(b"NOOP\0"), None);
        assert_eq!(Command::read(b"\xff"), None);
        assert_eq!(Command::read(b"").map(|command| command.verb), Some(String::new()));
    }

    #[test]
    fn addresses_are_told_from_other_text() {
        for address in ["a@b.test", "a", "\"a b\"@c.test", "a+b@[127.0.0.1]", "jörg@bücher.test"] {
            assert!(is_address(address), "{address}");
        }
        for other in ["", "@b.test", "a@", "a b@c.test", "a@b@c.test", "a@b..test", "a@b c", &"a".repeat(400)] {
            assert!(!is_address(other), "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read(line: Vec<u8>) {
            Command::read(&line).map(|command| command.shown());
        }

        #[test]
        fn any_argument_is_shown(argument: String) {
            shown(&format!("MAIL FROM:{}", argument.replace(char::is_control, "")));
        }
    }
}
