//! `random.*` in templates: fresh on every use, and the same again for the same seed, on every machine and version.
//! Names, addresses and numbers are made up: mail goes to example.com, telephone numbers are those of films.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::{
    Error, ErrorKind, State, Value,
    value::{Object, from_args},
};

use super::bounded::Meter;

/// The seeded stream of one trial.
pub(crate) struct Random {
    // BLAKE3's output stream: specified for ever, unlike a general-purpose generator.
    stream: Mutex<blake3::OutputReader>,
}

impl Random {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self { stream: Mutex::new(blake3::Hasher::new_keyed(seed).finalize_xof()) }
    }

    /// A token that is unique to the trial.
    pub(crate) fn token(&self) -> String {
        hex::encode(self.bytes::<6>())
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut bytes);
        bytes
    }

    /// Below `bound`; the bias of 2⁻⁶⁴·bound matters to no scenario.
    fn below(&self, bound: u64) -> u64 {
        let wide = u128::from(u64::from_le_bytes(self.bytes())) * u128::from(bound);
        u64::try_from(wide >> 64).expect("a product shifted by 64 bits fits")
    }

    /// Three syllables, like `tamiro`.
    fn word(&self) -> String {
        const CONSONANTS: &[u8] = b"bdfgklmnprstvz";
        const VOWELS: &[u8] = b"aeiou";
        let pick = |letters: &[u8]| {
            let at = self.below(letters.len() as u64);
            char::from(letters[usize::try_from(at).expect("an index of a short slice")])
        };
        (0..3).flat_map(|_| [pick(CONSONANTS), pick(VOWELS)]).collect()
    }

    fn email(&self) -> String {
        format!("{}.{}{}@example.com", self.word(), self.word(), self.below(1000))
    }

    fn uuid(&self) -> String {
        let mut bytes = self.bytes::<16>();
        bytes[6] = bytes[6] & 0x0f | 0x40; // version 4
        bytes[8] = bytes[8] & 0x3f | 0x80; // RFC 9562 variant
        let text = hex::encode(bytes);
        [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
    }

    fn one<'a>(&self, of: &[&'a str]) -> &'a str {
        of[self.index(of.len())]
    }

    /// Below `length`, which is at least 1.
    fn index(&self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("an index of a list")
    }

    fn words(&self, count: usize) -> String {
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    fn sentence(&self) -> String {
        let text = self.words(5 + self.index(6));
        text[..1].to_uppercase() + &text[1..] + "."
    }

    fn digits(&self, count: usize) -> String {
        (0..count).map(|_| self.below(10).to_string()).collect()
    }

    fn first_name(&self) -> String {
        self.one(&FIRST_NAMES).to_owned()
    }

    fn last_name(&self) -> String {
        self.one(&LAST_NAMES).to_owned()
    }

    fn street(&self) -> String {
        format!("{} {}", 1 + self.below(200), self.one(&STREETS))
    }

    /// `street, postcode city`
    fn address(&self) -> String {
        format!("{}, {} {}", self.street(), self.digits(5), self.one(&CITIES))
    }

    /// A German one with right check digits (ISO 13616) and a bank code that no bank has.
    fn iban(&self) -> String {
        let account = format!("00000000{}", self.digits(10));
        let rest = format!("{account}131400").bytes().fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
        format!("DE{:02}{account}", 98 - rest)
    }

    /// Between two days, both included.
    fn date(&self, from: &str, to: &str) -> Result<String, Error> {
        let day = |text: &str| {
            let parsed = text.parse::<jiff::civil::Date>();
            parsed.map_err(|_| invalid(format!("`{text}` is no day; write one like 2026-01-31")))
        };
        let (first, last) = (day(from)?, day(to)?);
        let span = first.until(last).map_err(|error| invalid(error.to_string()))?;
        let offset = self.int(0, span.get_days().into())?;
        let moved = first.checked_add(jiff::Span::new().days(offset)).map_err(|error| invalid(error.to_string()))?;
        Ok(moved.to_string())
    }

    /// At least `low`, below `high`.
    fn float(&self, low: f64, high: f64) -> Result<f64, Error> {
        const STEPS: u64 = 1 << 53; // what an f64 tells apart below 1
        if !(low.is_finite() && high.is_finite() && low < high) {
            return Err(invalid(format!("random.float({low}, {high}) has no number to choose from")));
        }
        Ok(low + (high - low) * (self.below(STEPS) as f64 / STEPS as f64))
    }

    /// Fisher and Yates's shuffle.
    fn shuffle(&self, mut items: Vec<Value>) -> Vec<Value> {
        (1..items.len()).rev().for_each(|last| items.swap(last, self.index(last + 1)));
        items
    }

    fn pick(&self, items: &[Value]) -> Result<Value, Error> {
        if items.is_empty() {
            return Err(invalid("random.pick has an empty list to choose from".to_owned()));
        }
        Ok(items[self.index(items.len())].clone())
    }

    fn int(&self, low: i64, high: i64) -> Result<i64, Error> {
        let width = i128::from(high) - i128::from(low) + 1;
        let bound = u64::try_from(width).ok().filter(|bound| *bound > 0);
        let bound = bound.ok_or_else(|| invalid(format!("random.int({low}, {high}) has no number to choose from")))?;
        i64::try_from(i128::from(low) + i128::from(self.below(bound))).map_err(|error| invalid(error.to_string()))
    }

    fn hex(&self, digits: usize) -> Result<String, Error> {
        const DIGITS_MAX: usize = 64; // 32 bytes, as long as any token in use
        if digits > DIGITS_MAX {
            return Err(invalid(format!("random.hex takes at most {DIGITS_MAX} digits")));
        }
        Ok(hex::encode(self.bytes::<{ DIGITS_MAX / 2 }>())[..digits].to_owned())
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("random")
    }
}

impl Object for Random {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "address" => self.address().into(),
            "bool" => (self.below(2) == 1).into(),
            "city" => self.one(&CITIES).into(),
            "company" => format!("{} {}", self.last_name(), self.one(&["AG", "Inc.", "Ltd.", "SA", "BV"])).into(),
            "country" => self.one(&COUNTRIES).into(),
            "email" => self.email().into(),
            "first_name" => self.first_name().into(),
            "iban" => self.iban().into(),
            "last_name" => self.last_name().into(),
            "name" => format!("{} {}", self.first_name(), self.last_name()).into(),
            "phone" => format!("+1202555{:04}", 100 + self.below(100)).into(), // 555-0100 to 0199 belong to nobody
            "postcode" => self.digits(5).into(),
            "sentence" => self.sentence().into(),
            "street" => self.street().into(),
            "uuid" => self.uuid().into(),
            "word" => self.word().into(),
            _ => return None,
        })
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        Meter::of(state).take(args)?;
        Ok(match method {
            "date" => {
                let (from, to): (Option<&str>, Option<&str>) = from_args(args)?;
                self.date(from.unwrap_or("2000-01-01"), to.unwrap_or("2029-12-31"))?.into()
            }
            "digits" => self.digits(count(args, "digits")?).into(),
            "float" => {
                let (low, high) = from_args(args)?;
                self.float(low, high)?.into()
            }
            "hex" => {
                let (digits,) = from_args(args)?;
                self.hex(digits)?.into()
            }
            "int" => {
                let (low, high) = from_args(args)?;
                self.int(low, high)?.into()
            }
            "pick" => {
                let (items,): (Vec<Value>,) = from_args(args)?;
                self.pick(&items)?
            }
            "shuffle" => {
                let (items,) = from_args(args)?;
                self.shuffle(items).into()
            }
            "words" => self.words(count(args, "words")?).into(),
            _ => return Err(invalid(format!("random.{method} is unknown; there are {METHODS}"))),
        })
    }
}

/// What the message about an unknown one names.
const METHODS: &str = "address, bool, city, company, country, email, first_name, iban, last_name, name, phone, postcode, \
    sentence, street, uuid, word, date(from, to), digits(n), float(a, b), hex(n), int(a, b), pick(list), shuffle(list) \
    and words(n)";

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Amir", "Ben", "Chloé", "Dmitri", "Elif", "Fatima", "Grace", "Hiro", "Ingrid", "Jorge", "Kwame", "Lin",
    "Maria", "Noor", "Óscar",
];
const LAST_NAMES: [&str; 16] = [
    "Abebe", "Baker", "Chen", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ivanova", "Jensen", "Kim", "Lopez",
    "Müller", "Nowak", "O'Neill", "Tanaka",
];
const STREETS: [&str; 8] = [
    "Birch Street",
    "Canal Road",
    "Church Lane",
    "Harbour Way",
    "Hill Road",
    "Market Square",
    "Mill Lane",
    "Park Avenue",
];
const CITIES: [&str; 8] =
    ["Aldmoor", "Brightwater", "Eastwick", "Fairhaven", "Kingsport", "Northfield", "Riverton", "Westbrook"];
const COUNTRIES: [&str; 8] = ["BR", "DE", "FR", "IN", "JP", "KE", "US", "ZA"];

fn count(args: &[Value], method: &str) -> Result<usize, Error> {
    const COUNT_MAX: usize = 1_000; // a page of text
    let (count,): (usize,) = from_args(args)?;
    if count == 0 || count > COUNT_MAX {
        return Err(invalid(format!("random.{method} takes 1 to {COUNT_MAX}, not {count}")));
    }
    Ok(count)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn one_seed_gives_one_sequence() {
        let random = Random::new(&[7; 32]);
        let drawn = (random.email(), random.word(), random.uuid(), random.int(1, 6).unwrap(), random.hex(5).unwrap());
        let again = Random::new(&[7; 32]);
        assert_eq!(drawn, (again.email(), again.word(), again.uuid(), again.int(1, 6).unwrap(), again.hex(5).unwrap()));
        assert_ne!(random.word(), random.word(), "every use draws anew");
    }

    #[test]
    fn numbers_reach_both_ends_and_nothing_else() {
        let random = Random::new(&[1; 32]);
        let drawn: std::collections::BTreeSet<_> = (0..200).map(|_| random.int(-1, 1).unwrap()).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [-1, 0, 1]);
        assert!(random.int(2, 1).is_err());
        assert!(random.int(i64::MIN, i64::MAX).is_err());
        assert!(random.hex(65).is_err());
    }

    #[test]
    fn made_up_data_has_the_form_of_the_real() {
        let random = Random::new(&[5; 32]);
        for _ in 0..50 {
            let iban = random.iban();
            let digits = format!("{}1314{}", &iban[4..], &iban[2..4]);
            let rest = digits.bytes().fold(0, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
            assert_eq!((iban.len(), rest), (22, 1), "{iban}");
            let date = random.date("2026-02-27", "2026-03-01").unwrap();
            assert!(["2026-02-27", "2026-02-28", "2026-03-01"].contains(&date.as_str()), "{date}");
            assert!((0.5..0.75).contains(&random.float(0.5, 0.75).unwrap()));
        }
        assert!(random.date("2026-02-30", "2026-03-01").is_err());
        assert!(random.date("2026-03-02", "2026-03-01").is_err());
        assert!(random.float(1.0, 1.0).is_err());
        assert!(random.pick(&[]).is_err());
        let sentence = random.sentence();
        assert!(sentence.ends_with('.') && sentence.starts_with(|c: char| c.is_ascii_uppercase()), "{sentence}");
        let shuffled = random.shuffle((0..20).map(minijinja::Value::from).collect());
        let mut sorted = shuffled.clone();
        sorted.sort();
        assert_eq!(sorted, (0..20).map(minijinja::Value::from).collect::<Vec<_>>());
        assert_ne!(shuffled, sorted);
    }

    #[test]
    fn uuids_are_version_4() {
        let uuid = Random::new(&[9; 32]).uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert!("89ab".contains(&uuid[19..20]));
    }
}
