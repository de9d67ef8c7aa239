//! The options of an entry, as settings of its step.

use super::{
    ast::{Entry, EntryOption, OptionValue, Placeholder, Template},
    convert::Converter,
};
use crate::import::write::{Map, Yaml};

const RETRY_INTERVAL_DEFAULT_MS: u64 = 1_000; // Hurl's
const RETRY_ENDLESS: i64 = 60; // what stands for "for ever": a step is bounded
const REDIRECTS_DEFAULT: i64 = 50; // Hurl's

/// Options that change what is shown, not what happens.
const SHOWN: [&str; 6] = ["verbose", "very-verbose", "verbosity", "output", "fail-with-body", "limit-rate"];

/// Options without a counterpart.
const UNSUPPORTED: [(&str, &str); 15] = [
    ("aws-sigv4", "requests are not signed for AWS"),
    (
        "connect-to",
        "a connection cannot be led to another host; `connect: {resolve: …}` can lead it to another address",
    ),
    ("digest", "there is no digest authentication"),
    ("http3", "there is no HTTP/3"),
    ("ipv4", "the kind of address cannot be chosen"),
    ("ipv6", "the kind of address cannot be chosen"),
    ("negotiate", "there is no Negotiate authentication"),
    ("netrc", "credentials are not read from .netrc; write `basic_auth`"),
    ("netrc-file", "credentials are not read from .netrc; write `basic_auth`"),
    ("netrc-optional", "credentials are not read from .netrc; write `basic_auth`"),
    ("no-header", "a header that the client sends by itself cannot be removed"),
    ("ntlm", "there is no NTLM authentication"),
    ("pinnedpubkey", "a public key cannot be pinned; `tls: {ca: …}` can pin the issuer"),
    ("tls-max", "the version of TLS cannot be limited"),
    ("tls-min", "the version of TLS cannot be limited"),
];

#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) is_skipped: bool,
    pub(super) delay_ms: Option<u64>,
    pub(super) repeat: Option<i64>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) basic_auth: Option<Map>,
    pub(super) http_version: Option<&'static str>,
    pub(super) is_compressed: bool,
    pub(super) timeout_ms: Option<u64>,
    pub(super) connect_timeout_ms: Option<u64>,
    pub(super) tls: Map,
    pub(super) connect: Map,
    pub(super) keeps_lists: bool,
    pub(super) comments: Vec<String>,
    retries: Option<i64>,
    retry_interval_ms: Option<u64>,
    follows: Option<Follows>,
    redirects_max: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Follows {
    SameOrigin,
    Trusted,
}

impl Settings {
    pub(super) fn of(entry: &Entry, converter: &mut Converter<'_>) -> Self {
        let mut settings = Self::default();
        for option in &entry.options {
            settings.read(option, entry, converter);
        }
        settings
    }

    fn read(&mut self, option: &EntryOption, entry: &Entry, converter: &mut Converter<'_>) {
        let name = option.name.as_str();
        match &option.value {
            OptionValue::Variable { .. } => {}
            OptionValue::Bool(value) => self.flag(name, *value, option, entry, converter),
            OptionValue::Integer(number) => self.integer(name, *number, option, converter),
            OptionValue::Duration(value, unit) => self.duration(name, milliseconds(*value, *unit, name)),
            OptionValue::Text(text) => self.text(name, text, option, converter),
            OptionValue::Placeholder(placeholder) => self.placeholder(placeholder, option, entry, converter),
        }
    }

    /// A value that is known now is as good as a literal.
    fn placeholder(
        &mut self,
        placeholder: &Placeholder,
        option: &EntryOption,
        entry: &Entry,
        converter: &mut Converter<'_>,
    ) {
        let name = option.name.as_str();
        let given = match placeholder {
            Placeholder::Variable { name, .. } => converter.names.given(name).cloned(),
            Placeholder::NewUuid | Placeholder::NewDate => None,
        };
        match given.as_deref() {
            Some("true") => self.flag(name, true, option, entry, converter),
            Some("false") => self.flag(name, false, option, entry, converter),
            Some(number) if number.parse::<i64>().is_ok() => {
                let number: i64 = number.parse().unwrap_or_default();
                match name {
                    "delay" | "retry-interval" | "max-time" | "connect-timeout" => {
                        self.duration(name, milliseconds(number.unsigned_abs(), None, name));
                    }
                    _ => self.integer(name, number, option, converter),
                }
            }
            _ => {
                let message = format!("`{name}` takes no variable here; give its value with --variable when importing");
                self.todo(option, message, converter);
            }
        }
    }

    fn flag(&mut self, name: &str, value: bool, option: &EntryOption, entry: &Entry, converter: &mut Converter<'_>) {
        if !value {
            return;
        }
        match name {
            "skip" => self.is_skipped = true,
            "compressed" => self.is_compressed = true,
            "insecure" => self.tls.set("insecure", true),
            "http1.0" => self.http_version = Some("1.0"),
            "http1.1" => self.http_version = Some("1.1"),
            "http2-prior-knowledge" => self.http_version = Some("2"),
            // Without TLS the two only try to agree on it, and servers need not.
            "http2" if entry.url.literal().is_some_and(|url| url.starts_with("https")) => self.http_version = Some("2"),
            "http2" => {
                converter.notes.left_out(option.place, "without TLS, HTTP/2 is only asked for, so HTTP/1.1 is used")
            }
            "location" => self.follows = self.follows.or(Some(Follows::SameOrigin)),
            "location-trusted" => self.follows = Some(Follows::Trusted),
            "no-jsonpath-coercion" => self.keeps_lists = true,
            "path-as-is" if is_normal_path(&entry.url) => {}
            "path-as-is" => {
                self.todo(option, "`.` and `..` in a path are resolved before it is sent".to_owned(), converter)
            }
            _ => self.unsupported(name, option, converter),
        }
    }

    fn integer(&mut self, name: &str, number: i64, option: &EntryOption, converter: &mut Converter<'_>) {
        match name {
            "retry" if number < 0 => {
                self.retries = Some(RETRY_ENDLESS);
                self.todo(
                    option,
                    format!("a step cannot be retried for ever; {RETRY_ENDLESS} times is written"),
                    converter,
                );
            }
            "retry" => self.retries = Some(number),
            "max-redirs" if number < 0 => self.redirects_max = Some(REDIRECTS_DEFAULT),
            "max-redirs" => self.redirects_max = Some(number),
            "repeat" if number < 0 => self.todo(option, "a step cannot be repeated for ever".to_owned(), converter),
            "repeat" if number == 0 => self.is_skipped = true,
            "repeat" => self.repeat = Some(number),
            _ => self.unsupported(name, option, converter),
        }
    }

    fn duration(&mut self, name: &str, value_ms: u64) {
        match name {
            "delay" => self.delay_ms = Some(value_ms),
            "retry-interval" => self.retry_interval_ms = Some(value_ms),
            "max-time" => self.timeout_ms = Some(value_ms),
            _ => self.connect_timeout_ms = Some(value_ms),
        }
    }

    fn text(&mut self, name: &str, text: &Template, option: &EntryOption, converter: &mut Converter<'_>) {
        let written = converter.names.text(text, &mut converter.notes);
        match name {
            "cacert" => self.tls.set("ca", converter.copied(text, option.place, &mut self.comments)),
            "cert" => self.tls.set("cert", converter.copied(text, option.place, &mut self.comments)),
            "key" => self.tls.set("key", converter.copied(text, option.place, &mut self.comments)),
            "proxy" => self.connect.set("proxy", written),
            "resolve" => self.connect.set("resolve", vec![Yaml::Text(written)]),
            "unix-socket" => self.connect.set("unix_socket", written),
            "header" => match written.split_once(':') {
                Some((name, value)) => self.headers.push((name.trim().to_owned(), value.trim().to_owned())),
                None => self.todo(option, "a header is written as `name: value`".to_owned(), converter),
            },
            "user" => match written.split_once(':') {
                Some((user, password)) => self.basic_auth = Some(Map::one("user", user).with("password", password)),
                None => self.basic_auth = Some(Map::one("user", written).with("password", "")),
            },
            _ => self.unsupported(name, option, converter),
        }
    }

    fn unsupported(&mut self, name: &str, option: &EntryOption, converter: &mut Converter<'_>) {
        if SHOWN.contains(&name) {
            converter.notes.left_out(option.place, format!("`{name}` changes nothing of the verdict"));
            return;
        }
        let why = UNSUPPORTED.iter().find_map(|(known, why)| (*known == name).then_some(*why));
        self.todo(option, format!("`{name}`: {}", why.unwrap_or("there is no counterpart")), converter);
    }

    fn todo(&mut self, option: &EntryOption, message: String, converter: &mut Converter<'_>) {
        self.comments.push(converter.notes.todo(option.place, message));
    }

    pub(super) fn redirects(&self) -> Option<Yaml> {
        let follows = self.follows?;
        let mut map = Map::one("max", self.redirects_max.unwrap_or(REDIRECTS_DEFAULT));
        if follows == Follows::Trusted {
            map.set("trusted", true);
        }
        Some(map.into())
    }

    pub(super) fn retry(&self) -> Option<Yaml> {
        let retries = self.retries.filter(|retries| *retries > 0)?;
        // Hurl counts the tries after the first.
        Some(Map::one("times", retries + 1).with("every", period(self.interval_ms())).into())
    }

    fn interval_ms(&self) -> u64 {
        self.retry_interval_ms.unwrap_or(RETRY_INTERVAL_DEFAULT_MS)
    }

    /// How long the step may take beside its requests.
    pub(super) fn wait_ms(&self) -> u64 {
        let retries = u64::try_from(self.retries.unwrap_or(0)).unwrap_or(0);
        self.delay_ms.unwrap_or(0) + retries.saturating_mul(self.interval_ms())
    }
}

fn is_normal_path(url: &Template) -> bool {
    url.literal().is_some_and(|url| !url.contains("/./") && !url.contains("/../") && !url.ends_with("/.."))
}

/// Without a unit, timeouts are in seconds and pauses in milliseconds.
fn milliseconds(value: u64, unit: Option<&str>, name: &str) -> u64 {
    let factor = match unit {
        Some("ms") => 1,
        Some("s") => 1_000,
        Some("m") => 60_000,
        Some(_) => 3_600_000,
        None if matches!(name, "max-time" | "connect-timeout") => 1_000,
        None => 1,
    };
    value.saturating_mul(factor)
}

pub(super) fn period(value_ms: u64) -> String {
    if value_ms.is_multiple_of(1_000) && value_ms > 0 {
        format!("{}s", value_ms / 1_000)
    } else {
        format!("{value_ms}ms")
    }
}
