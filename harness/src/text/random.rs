//! `random.*` in templates: fresh on every use, and the same again for the same seed, on every machine and version.

use std::sync::{Arc, Mutex, PoisonError};

use minijinja::{
    Error, ErrorKind, State, Value,
    value::{Object, from_args},
};

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
        match key.as_str()? {
            "email" => Some(self.email().into()),
            "word" => Some(self.word().into()),
            "uuid" => Some(self.uuid().into()),
            _ => None,
        }
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, method: &str, args: &[Value]) -> Result<Value, Error> {
        match method {
            "int" => {
                let (low, high) = from_args(args)?;
                self.int(low, high).map(Value::from)
            }
            "hex" => {
                let (digits,) = from_args(args)?;
                self.hex(digits).map(Value::from)
            }
            _ => Err(invalid(format!("random.{method} is unknown; there are email, word, uuid, int(a, b) and hex(n)"))),
        }
    }
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
    fn uuids_are_version_4() {
        let uuid = Random::new(&[9; 32]).uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert!("89ab".contains(&uuid[19..20]));
    }
}
