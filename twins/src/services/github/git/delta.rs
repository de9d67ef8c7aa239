//! Deltas as packs hold them: copy this, insert that.

/// The object that `delta` makes of `base`. None: the delta does not fit or would give more than `bytes_max`.
pub(super) fn applied(base: &[u8], delta: &[u8], bytes_max: usize) -> Option<Vec<u8>> {
    let mut delta = delta;
    let from = length(&mut delta)?;
    let to = length(&mut delta)?;
    if from != base.len() || to > bytes_max {
        return None;
    }
    let mut made = Vec::with_capacity(to);
    while let Some((&command, rest)) = delta.split_first() {
        delta = rest;
        if command & 0x80 != 0 {
            let offset = operand(&mut delta, command, 4)?;
            let size = match operand(&mut delta, command >> 4, 3)? {
                0 => 0x1_0000,
                size => size,
            };
            made.extend_from_slice(base.get(offset..offset.checked_add(size)?)?);
        } else {
            let (inserted, rest) = delta.split_at_checked(usize::from(command)).filter(|_| command != 0)?;
            made.extend_from_slice(inserted);
            delta = rest;
        }
        if made.len() > to {
            return None;
        }
    }
    (made.len() == to).then_some(made)
}

/// Little-endian, seven bits a byte.
fn length(delta: &mut &[u8]) -> Option<usize> {
    let (mut value, mut shift) = (0_usize, 0_u32);
    loop {
        let (&byte, rest) = delta.split_first()?;
        *delta = rest;
        value |= usize::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 63)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        shift += 7;
    }
}

/// The bytes of a number that `flags` announces, least significant first; the others are zero.
fn operand(delta: &mut &[u8], flags: u8, bytes: u32) -> Option<usize> {
    let mut value = 0;
    for index in 0..bytes {
        if flags & (1 << index) != 0 {
            let (&byte, rest) = delta.split_first()?;
            *delta = rest;
            value |= usize::from(byte) << (8 * index);
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::applied;

    #[test]
    fn copies_and_inserts_make_the_object() {
        let delta = [5, 7, 0x91, 1, 3, 4, b'w', b'x', b'y', b'z'];
        assert_eq!(applied(b"abcde", &delta, 100).as_deref(), Some(b"bcdwxyz".as_slice()));
        assert_eq!(applied(b"abcd", &delta, 100), None, "made for another base");
        assert_eq!(applied(b"abcde", &delta, 6), None, "larger than allowed");
        assert_eq!(applied(b"abcde", &[5, 3, 0x91, 4, 3], 100), None, "copies behind the end");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(base: Vec<u8>, delta: Vec<u8>) {
            applied(&base, &delta, 10_000);
        }
    }
}
