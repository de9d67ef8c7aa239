//! Packet lines: four hexadecimal digits of length, then that much.

const DATA_BYTES_MAX: usize = 65_515; // with length and band it fills the largest packet
const PACKETS_MAX: usize = 1_000_000; // haves of a long history

pub(super) const FLUSH: &[u8] = b"0000";

/// A packet, or the flush between sections.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Data(&'a [u8]),
    Flush,
}

impl Packet<'_> {
    /// Without the newline that most lines end with.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Data(data) => std::str::from_utf8(data).ok().map(|text| text.trim_end_matches('\n')),
            Self::Flush => None,
        }
    }
}

/// The packets at the beginning of `bytes` up to `flushes` flushes or the end, and what is left.
pub(super) fn read(mut bytes: &[u8], flushes: usize) -> Result<(Vec<Packet<'_>>, &[u8]), String> {
    let (mut packets, mut left) = (Vec::new(), flushes);
    while left > 0 && !bytes.is_empty() {
        let length = bytes.get(..4).and_then(|hex| std::str::from_utf8(hex).ok());
        let length = length.and_then(|hex| usize::from_str_radix(hex, 16).ok()).ok_or("no packet line")?;
        if packets.len() == PACKETS_MAX {
            return Err(format!("more than {PACKETS_MAX} packet lines"));
        }
        match length {
            0 => {
                left -= 1;
                packets.push(Packet::Flush);
                bytes = &bytes[4..];
            }
            1..4 => return Err("a packet line of version 2".to_owned()),
            _ => {
                packets.push(Packet::Data(bytes.get(4..length).ok_or("a packet line ends early")?));
                bytes = &bytes[length..];
            }
        }
    }
    Ok((packets, bytes))
}

pub(super) fn write(out: &mut Vec<u8>, line: &[u8]) {
    out.extend(format!("{:04x}", line.len() + 4).into_bytes());
    out.extend(line);
}

/// `data` on a band of the side band, in as many packets as it takes.
pub(super) fn write_band(out: &mut Vec<u8>, band: u8, data: &[u8]) {
    for chunk in data.chunks(DATA_BYTES_MAX) {
        out.extend(format!("{:04x}", chunk.len() + 5).into_bytes());
        out.push(band);
        out.extend(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_end_at_the_flush_and_the_rest_is_left() {
        let (packets, rest) = read(b"0009done\n0000PACK", 1).expect("is well formed");
        assert_eq!((packets[0].text(), &packets[1], rest), (Some("done"), &Packet::Flush, b"PACK".as_slice()));
        for bad in [b"00".as_slice(), b"zzzz", b"0003", b"0009do"] {
            assert!(read(bad, 1).is_err(), "{bad:?}");
        }
    }
}
