//! What looks random in an answer: ids and invented people. A function of a token and a count, so that the same
//! request gives the same bytes.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jiff::Timestamp;
use minijinja::{Error, ErrorKind, Value};

const LENGTH_MAX: usize = 256; // of one id
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Bela", "Chidi", "Dana", "Elif", "Femi", "Grace", "Hana", "Ivo", "Jun", "Kofi", "Lena", "Mira", "Noor",
    "Otto", "Priya",
];
const LAST_NAMES: [&str; 16] = [
    "Abe", "Berg", "Costa", "Diaz", "Evans", "Fischer", "Gupta", "Haas", "Ito", "Jansen", "Kim", "Lopez", "Moreau",
    "Novak", "Okafor", "Petrov",
];
const WORDS: [&str; 16] = [
    "amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "jasper", "kettle", "lantern",
    "meadow", "north", "orchard", "pebble",
];
const CITIES: [&str; 8] = ["Accra", "Bergen", "Cusco", "Dublin", "Esbjerg", "Fukuoka", "Graz", "Haifa"];
const COUNTRIES: [&str; 8] = ["AT", "DE", "GH", "IE", "JP", "NO", "PE", "US"];

/// One stream of draws.
#[derive(Debug)]
pub(crate) struct Draw {
    token: String,
    count: AtomicU64,
}

impl Draw {
    /// `token` is unique to what the draws are for: a request, or a row of a file.
    pub(crate) fn new(token: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { token: token.into(), count: AtomicU64::new(0) })
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; N];
        blake3::Hasher::new_derive_key("twins 1 draws of a definition")
            .update(self.token.as_bytes())
            .update(&number.to_le_bytes())
            .finalize_xof()
            .fill(&mut bytes);
        bytes
    }

    pub(crate) fn number(&self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }

    /// From 0 to 1, 1 excluded.
    pub(crate) fn fraction(&self) -> f64 {
        // 53 bits are what a double holds.
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn letters(&self, length: usize) -> String {
        let bytes: [u8; LENGTH_MAX] = self.bytes();
        bytes.iter().take(length).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
    }

    pub(crate) fn uuid(&self) -> String {
        let mut bytes: [u8; 16] = self.bytes();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = hex::encode(bytes);
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// Ten letters of time, sixteen drawn.
    pub(crate) fn ulid(&self, now: Timestamp) -> String {
        let time = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let letter = |bits: u64| char::from(CROCKFORD[(bits & 31) as usize]);
        let drawn: [u8; 16] = self.bytes();
        let head = (0..10).rev().map(|place| letter(time >> (5 * place)));
        head.chain(drawn.iter().map(|byte| letter(u64::from(*byte)))).collect()
    }

    fn one_of(&self, words: &[&str]) -> String {
        let place = self.number() % words.len() as u64;
        words[usize::try_from(place).unwrap_or(0)].to_owned()
    }

    /// Something of a kind: `name`, `email`, `city`, …
    pub(crate) fn fake(&self, kind: &str) -> Result<String, String> {
        Ok(match kind {
            "first_name" => self.one_of(&FIRST_NAMES),
            "last_name" => self.one_of(&LAST_NAMES),
            "name" => format!("{} {}", self.one_of(&FIRST_NAMES), self.one_of(&LAST_NAMES)),
            "email" => {
                let name = format!("{}.{}", self.one_of(&FIRST_NAMES), self.one_of(&LAST_NAMES)).to_lowercase();
                format!("{name}{}@example.com", self.number() % 1_000)
            }
            "company" => format!("{} {}", self.one_of(&LAST_NAMES), self.one_of(&["Ltd", "GmbH", "Inc", "Works"])),
            "word" => self.one_of(&WORDS),
            "sentence" => {
                let words: Vec<_> = (0..6).map(|_| self.one_of(&WORDS)).collect();
                let text = words.join(" ");
                format!("{}{}.", text[..1].to_uppercase(), &text[1..])
            }
            "street" => format!("{} {} Street", 1 + self.number() % 200, self.one_of(&LAST_NAMES)),
            "city" => self.one_of(&CITIES),
            "country" => self.one_of(&COUNTRIES),
            "phone" => format!("+1555{:07}", self.number() % 10_000_000),
            "ipv4" => format!("192.0.2.{}", 1 + self.number() % 254),
            "uuid" => self.uuid(),
            _ => {
                return Err(format!(
                    "nothing fake of kind `{kind}`; there are city, company, country, email, first_name, ipv4, \
                     last_name, name, phone, sentence, street, uuid, word"
                ));
            }
        })
    }

    /// `fake(kind)`, `id(prefix, length)`, `uuid()`, `ulid()` and `integer(low, high)`, for templates.
    pub(super) fn functions(self: &Arc<Self>, now: Timestamp) -> [(&'static str, Value); 5] {
        let wrong = |why: String| Error::new(ErrorKind::InvalidOperation, why);
        let (fakes, ids, uuids, ulids, integers) =
            (Arc::clone(self), Arc::clone(self), Arc::clone(self), Arc::clone(self), Arc::clone(self));
        let id = move |prefix: String, length: usize| format!("{prefix}{}", ids.letters(length));
        let integer = move |low: i64, high: i64| {
            let span = high.checked_sub(low).and_then(|span| u64::try_from(span).ok()).unwrap_or(0).saturating_add(1);
            low.saturating_add_unsigned(integers.number() % span)
        };
        [
            ("fake", Value::from_function(move |kind: String| fakes.fake(&kind).map_err(wrong))),
            ("id", Value::from_function(id)),
            ("uuid", Value::from_function(move || uuids.uuid())),
            ("ulid", Value::from_function(move || ulids.ulid(now))),
            ("integer", Value::from_function(integer)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_token_draws_the_same_and_another_one_does_not() {
        let drawn = |token: &str| {
            let draw = Draw::new(token);
            (draw.letters(20), draw.uuid(), draw.ulid(Timestamp::UNIX_EPOCH), draw.fake("email").expect("is a kind"))
        };
        assert_eq!(drawn("a"), drawn("a"));
        assert_ne!(drawn("a"), drawn("b"));
    }

    #[test]
    fn two_draws_of_one_stream_differ_and_have_their_format() {
        let draw = Draw::new("a");
        assert_ne!(draw.uuid(), draw.uuid());
        assert!(draw.uuid().parse::<u128>().is_err() && draw.uuid().as_bytes()[14] == b'4');
        let ulid = draw.ulid("2026-11-20T12:00:00Z".parse().expect("is a time"));
        assert!(ulid.len() == 26 && ulid.starts_with("01M7"), "{ulid}");
        assert!(draw.fake("planet").expect_err("no such kind").contains("there are city"));
        assert!((0.0..1.0).contains(&draw.fraction()));
    }
}
