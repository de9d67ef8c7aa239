//! Content encodings: what was compressed is decoded, up to a bound.

use std::io::{self, BufReader, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

const ZSTD_WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024; // RFC 9659: a sender over HTTP must not ask for more

const CODINGS_MAX: usize = 4; // servers use one, proxies add one; each more costs up to `bytes_max` of decoding

/// The body as it was before it was encoded, in the reverse order of `encodings`. An encoding that is not known leaves
/// the body as it is. `Err` says why there is nothing to look at.
pub(super) fn decoded(body: Vec<u8>, encodings: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
    if encodings.split(',').count() > CODINGS_MAX {
        return Err(format!("a body in more than {CODINGS_MAX} content codings"));
    }
    let mut body = body;
    for name in encodings.rsplit(',').map(str::trim) {
        if body.is_empty() {
            return Ok(body);
        }
        let plain = match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => bounded(MultiGzDecoder::new(&body[..]), bytes_max),
            "deflate" => inflated(&body, bytes_max),
            "br" => bounded(brotli_decompressor::Decompressor::new(&body[..], 4096), bytes_max),
            "zstd" => unpacked(&body, bytes_max),
            _ => return Ok(body),
        };
        body = plain.map_err(|error| format!("a broken {name} body: {error}"))?;
    }
    Ok(body)
}

/// Most servers mean zlib by `deflate`, as the standard says; some send the bare stream.
fn inflated(body: &[u8], bytes_max: usize) -> io::Result<Vec<u8>> {
    let is_zlib = body.len() > 1 && body[0] & 0x0f == 8 && u16::from_be_bytes([body[0], body[1]]).is_multiple_of(31);
    if is_zlib { bounded(ZlibDecoder::new(body), bytes_max) } else { bounded(DeflateDecoder::new(body), bytes_max) }
}

/// Frames follow each other; each has a window that is bounded before it is allocated.
fn unpacked(body: &[u8], bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut source = BufReader::new(body);
    let mut plain = Vec::new();
    while !io::BufRead::fill_buf(&mut source)?.is_empty() {
        let decoder = StreamingDecoder::new_with_max_window_size(&mut source, ZSTD_WINDOW_BYTES_MAX);
        let decoder = decoder.map_err(io::Error::other)?;
        let left = bytes_max - plain.len();
        plain.extend(bounded(decoder, left)?);
    }
    Ok(plain)
}

fn bounded(mut from: impl Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    from.by_ref().take(bytes_max as u64 + 1).read_to_end(&mut plain)?;
    if plain.len() > bytes_max {
        return Err(io::Error::other(format!("it is more than {bytes_max} bytes when decoded")));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write};

    use super::decoded;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = write::GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn both_kinds_of_deflate_are_understood() {
        let mut zlib = write::ZlibEncoder::new(Vec::new(), Compression::fast());
        zlib.write_all(b"hi").unwrap();
        let mut bare = write::DeflateEncoder::new(Vec::new(), Compression::fast());
        bare.write_all(b"hi").unwrap();
        for body in [zlib.finish().unwrap(), bare.finish().unwrap()] {
            assert_eq!(decoded(body, "deflate", 10).unwrap(), b"hi");
        }
    }

    #[test]
    fn encodings_are_undone_from_the_last_to_the_first() {
        assert_eq!(decoded(gzip(&gzip(b"hi")), "gzip, x-gzip", 100).unwrap(), b"hi");
        assert_eq!(decoded(b"hi".to_vec(), "identity", 10).unwrap(), b"hi");
        assert_eq!(decoded(Vec::new(), "gzip", 10).unwrap(), b"", "an answer to HEAD has no body");
    }

    #[test]
    fn more_codings_than_anybody_uses_are_refused() {
        let wrapped = (0..5).fold(b"hi".to_vec(), |body, _| gzip(&body));
        let refused = decoded(wrapped, "gzip,gzip,gzip,gzip,gzip", 1000).unwrap_err();
        assert_eq!(refused, "a body in more than 4 content codings");
        assert_eq!(decoded(b"hi".to_vec(), "a,b,c,d", 10).unwrap(), b"hi");
    }

    #[test]
    fn a_bomb_and_garbage_are_refused() {
        let bomb = gzip(&vec![0; 10_000_000]);
        assert!(bomb.len() < 100_000);
        assert!(decoded(bomb, "gzip", 1_000_000).unwrap_err().contains("more than 1000000 bytes"));
        for name in ["gzip", "deflate", "br", "zstd"] {
            assert!(decoded(b"no such thing".to_vec(), name, 1000).unwrap_err().contains("broken"), "{name}");
        }
    }
}
