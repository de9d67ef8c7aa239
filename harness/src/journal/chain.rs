//! The hash chain over the lines of a log: `{"chain":"<hash>","event":…}`, where the hash is BLAKE3 over the hash before
//! it and the rest of the line. Each line stays a JSON object by itself.

const CONTEXT: &str = "harness 2026 run log";
const HEAD: &[u8] = b"{\"chain\":\"";
const HASH_CHARS: usize = 64;
const MIDDLE: &[u8] = b"\",";

/// Where a chain stands: the hash of all lines so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain(blake3::Hash);

impl Chain {
    /// A chain that starts from what was decided before its first line.
    pub(super) fn anchored(manifest: &[u8]) -> Self {
        Self(blake3::Hasher::new_derive_key(CONTEXT).update(manifest).finalize())
    }

    /// Appends the line of an event to `out`. `event` is a JSON object with at least one field.
    pub(super) fn append(&mut self, event: &[u8], out: &mut Vec<u8>) {
        debug_assert!(event.starts_with(b"{\"") && event.ends_with(b"}"), "an object with a field");
        let rest = &event[1..];
        self.0 = self.next(rest);
        out.extend_from_slice(HEAD);
        out.extend_from_slice(self.0.to_hex().as_bytes());
        out.extend_from_slice(MIDDLE);
        out.extend_from_slice(rest);
        out.push(b'\n');
    }

    /// Follows a line (without its end), or says why it does not belong here.
    pub(super) fn follow(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let body = line.strip_prefix(HEAD).filter(|body| body.len() > HASH_CHARS + MIDDLE.len());
        let (hash, rest) = body.ok_or("this is no line of a run's log")?.split_at(HASH_CHARS);
        let rest = rest.strip_prefix(MIDDLE).ok_or("this is no line of a run's log")?;
        let told = blake3::Hash::from_hex(hash).map_err(|_| "its hash is no hash")?;
        let next = self.next(rest);
        if next != told {
            return Err("the line, or one before it, was changed after it was written");
        }
        self.0 = next;
        Ok(())
    }

    fn next(self, rest: &[u8]) -> blake3::Hash {
        blake3::Hasher::new_derive_key(CONTEXT).update(self.0.as_bytes()).update(rest).finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::Chain;

    fn lines() -> Vec<Vec<u8>> {
        let mut chain = Chain::anchored(b"a run");
        let mut log = Vec::new();
        for n in 0..3 {
            chain.append(format!("{{\"event\":\"e\",\"n\":{n}}}").as_bytes(), &mut log);
        }
        log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
    }

    fn first_wrong(anchor: &[u8], lines: &[Vec<u8>]) -> Option<usize> {
        let mut chain = Chain::anchored(anchor);
        lines.iter().position(|line| chain.follow(line).is_err())
    }

    #[test]
    fn a_whole_chain_is_followed_and_stays_json() {
        let lines = lines();
        assert_eq!(first_wrong(b"a run", &lines), None);
        for (n, line) in lines.iter().enumerate() {
            let value: serde_json::Value = serde_json::from_slice(line).unwrap();
            assert_eq!(value["n"], n);
        }
    }

    #[test]
    fn a_line_that_was_changed_dropped_added_or_moved_breaks_the_chain_there() {
        let whole = lines();
        let mut changed = whole.clone();
        *changed[1].iter_mut().rev().nth(1).unwrap() = b'7';
        assert_eq!(first_wrong(b"a run", &changed), Some(1));
        let dropped = [whole[0].clone(), whole[2].clone()];
        assert_eq!(first_wrong(b"a run", &dropped), Some(1));
        let twice = [whole[0].clone(), whole[0].clone()];
        assert_eq!(first_wrong(b"a run", &twice), Some(1));
        assert_eq!(first_wrong(b"another run", &whole), Some(0));
        assert_eq!(first_wrong(b"a run", &[b"{\"chain\":\"\"}".to_vec()]), Some(0));
    }
}
