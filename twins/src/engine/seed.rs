//! Randomness that replays. Every value is a pure function of a path of names and a number, so a new draw somewhere
//! never shifts an older one, and nothing has to be saved to continue a stream.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A node in the tree of named streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed([u8; 32]);

impl Seed {
    pub(crate) fn root(seed: u64) -> Self {
        Self(blake3::derive_key("twins 1 root seed", &seed.to_le_bytes()))
    }

    /// The stream `name` below this one.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self(*blake3::keyed_hash(&self.0, name.as_bytes()).as_bytes())
    }

    /// The `number`-th token of this stream: `length` letters and digits.
    pub(crate) fn token(&self, number: u64, length: usize) -> String {
        let mut stream = blake3::Hasher::new_keyed(&self.0).update(&number.to_le_bytes()).finalize_xof();
        let mut token = String::with_capacity(length);
        let mut block = [0; 32];
        while token.len() < length {
            stream.fill(&mut block);
            // Bytes from 248 on would make the first letters likelier than the last.
            let fair =
                block.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(*byte % 62)]));
            token.extend(fair.take(length - token.len()));
        }
        token
    }
}

/// A name in the shape of a UUID: the same one for the same name.
pub(crate) fn hex_id(name: &str) -> String {
    let hex = blake3::hash(name.as_bytes()).to_hex();
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use super::Seed;

    #[test]
    fn streams_are_independent_and_stable() {
        let seed = Seed::root(7);
        assert_eq!(seed.child("a").token(3, 24), Seed::root(7).child("a").token(3, 24));
        assert_ne!(seed.child("a").token(3, 24), seed.child("b").token(3, 24));
        assert_ne!(seed.child("a").token(3, 24), seed.child("a").token(4, 24));
        assert_ne!(seed.child("a").token(3, 24), Seed::root(8).child("a").token(3, 24));
    }

    #[test]
    fn a_longer_token_continues_a_shorter_one() {
        let seed = Seed::root(1);
        assert!(seed.token(0, 60).starts_with(&seed.token(0, 10)));
    }
}
