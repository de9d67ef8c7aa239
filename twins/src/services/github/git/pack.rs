//! Packs, version 2: read with deltas of both kinds, written without any.

use std::{collections::HashMap, io::Read, io::Write};

use axum::body::Bytes;
use flate2::{Compression, bufread::ZlibDecoder, write::ZlibEncoder};
use sha1::{Digest, Sha1};

use super::{Kind, Oid, Store, delta, object::Object};

const OBJECTS_MAX: u32 = 200_000; // a repository for tests has hundreds
const OBJECT_BYTES_MAX: usize = 100 * 1024 * 1024; // the service refuses larger files as well
const UNPACKED_BYTES_MAX: usize = 512 * 1024 * 1024; // what all objects of a push may take
const DELTA_DEPTH_MAX: usize = 4_096; // git writes 50
const TRAILER_BYTES: usize = 20;

pub(super) fn written(store: &Store, oids: &[Oid]) -> Vec<u8> {
    let objects: Vec<&Object> = oids.iter().filter_map(|oid| store.object(*oid)).collect();
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend((objects.len() as u32).to_be_bytes());
    for object in objects {
        write_head(&mut pack, object);
        let mut packer = ZlibEncoder::new(&mut pack, Compression::fast());
        packer.write_all(&object.data).and_then(|()| packer.finish().map(drop)).expect("memory takes all bytes");
    }
    let trailer = Sha1::digest(&pack);
    pack.extend(trailer);
    pack
}

fn write_head(pack: &mut Vec<u8>, object: &Object) {
    let kind: u8 = match object.kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
    let mut size = object.data.len();
    let mut byte = (kind << 4) | (size & 0x0f) as u8;
    size >>= 4;
    while size > 0 {
        pack.push(byte | 0x80);
        byte = (size & 0x7f) as u8;
        size >>= 7;
    }
    pack.push(byte);
}

/// The objects of a pack. Deltas may refer to objects of `store`, which is what makes a pack thin.
pub(super) fn read(store: &Store, pack: &[u8]) -> Result<Vec<(Oid, Object)>, String> {
    let count = checked(pack)?;
    let mut reader = Reader { pack, at: 12, unpacked: 0 };
    let (mut made, mut waiting) = (Made::default(), Vec::new());
    for _ in 0..count {
        let (place, item) = (reader.at, reader.item()?);
        match item {
            Item::Whole(object) => made.add(place, object),
            Item::Delta { base, delta } => waiting.push((place, base, delta)),
        }
    }
    // Bases may stand behind their deltas.
    for _ in 0..DELTA_DEPTH_MAX {
        if waiting.is_empty() {
            return Ok(made.objects);
        }
        let before = waiting.len();
        for (place, base, delta) in std::mem::take(&mut waiting) {
            match made.base(store, &base).cloned() {
                None => waiting.push((place, base, delta)),
                Some(found) => {
                    let data = delta::applied(&found.data, &delta, OBJECT_BYTES_MAX).ok_or("a delta does not fit")?;
                    reader.count(data.len())?;
                    made.add(place, Object { kind: found.kind, data: data.into() });
                }
            }
        }
        if waiting.len() == before {
            break;
        }
    }
    Err("the base of a delta is missing".to_owned())
}

/// The number of objects, where head and trailer are right.
fn checked(pack: &[u8]) -> Result<u32, String> {
    let head = pack.get(..12).filter(|head| head.starts_with(b"PACK\0\0\0\x02")).ok_or("no pack of version 2")?;
    let (body, trailer) = pack.split_at(pack.len() - TRAILER_BYTES.min(pack.len()));
    if Sha1::digest(body).as_slice() != trailer {
        return Err("the pack's checksum is wrong".to_owned());
    }
    let count = u32::from_be_bytes(head[8..12].try_into().expect("four bytes"));
    if count > OBJECTS_MAX { Err(format!("more than {OBJECTS_MAX} objects")) } else { Ok(count) }
}

enum Item {
    Whole(Object),
    Delta { base: Base, delta: Vec<u8> },
}

enum Base {
    /// Where in the pack it begins.
    Place(usize),
    Named(Oid),
}

#[derive(Default)]
struct Made {
    objects: Vec<(Oid, Object)>,
    by_place: HashMap<usize, usize>,
    by_name: HashMap<Oid, usize>,
}

impl Made {
    fn add(&mut self, place: usize, object: Object) {
        let (oid, index) = (Oid::of(object.kind, &object.data), self.objects.len());
        self.by_place.insert(place, index);
        self.by_name.insert(oid, index);
        self.objects.push((oid, object));
    }

    fn base<'a>(&'a self, store: &'a Store, base: &Base) -> Option<&'a Object> {
        let index = match base {
            Base::Place(place) => self.by_place.get(place),
            Base::Named(oid) => self.by_name.get(oid),
        };
        match (index, base) {
            (Some(index), _) => Some(&self.objects[*index].1),
            (None, Base::Named(oid)) => store.object(*oid),
            (None, Base::Place(_)) => None,
        }
    }
}

struct Reader<'a> {
    pack: &'a [u8],
    at: usize,
    unpacked: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let byte = self.pack.get(self.at).copied().ok_or("the pack ends early")?;
        self.at += 1;
        Ok(byte)
    }

    fn item(&mut self) -> Result<Item, String> {
        let begin = self.at;
        let mut byte = self.byte()?;
        let (kind, mut size, mut shift) = ((byte >> 4) & 7, usize::from(byte & 0x0f), 4);
        while byte & 0x80 != 0 {
            byte = self.byte()?;
            size |= usize::from(byte & 0x7f).checked_shl(shift).filter(|_| shift < 57).ok_or("a size is too large")?;
            shift += 7;
        }
        let whole = |kind, data: Vec<u8>| Ok(Item::Whole(Object { kind, data: Bytes::from(data) }));
        match kind {
            1 => whole(Kind::Commit, self.inflate(size)?),
            2 => whole(Kind::Tree, self.inflate(size)?),
            3 => whole(Kind::Blob, self.inflate(size)?),
            4 => whole(Kind::Tag, self.inflate(size)?),
            6 => {
                let back = self.offset()?;
                let base = Base::Place(begin.checked_sub(back).ok_or("a delta points before the pack")?);
                Ok(Item::Delta { base, delta: self.inflate(size)? })
            }
            7 => {
                let named = self.pack.get(self.at..self.at + 20).and_then(Oid::from_slice);
                self.at += 20;
                let base = Base::Named(named.ok_or("the pack ends early")?);
                Ok(Item::Delta { base, delta: self.inflate(size)? })
            }
            _ => Err(format!("objects of type {kind} are unknown")),
        }
    }

    /// How far back a delta's base begins: big-endian, each further byte counts one more.
    fn offset(&mut self) -> Result<usize, String> {
        let mut byte = self.byte()?;
        let mut value = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.byte()?;
            value = (value + 1).checked_mul(128).ok_or("an offset is too large")? | usize::from(byte & 0x7f);
        }
        Ok(value)
    }

    fn inflate(&mut self, size: usize) -> Result<Vec<u8>, String> {
        if size > OBJECT_BYTES_MAX {
            return Err(format!("an object is larger than {OBJECT_BYTES_MAX} bytes"));
        }
        self.count(size)?;
        let mut decoder = ZlibDecoder::new(self.pack.get(self.at..).unwrap_or_default());
        let mut data = Vec::new();
        // One byte more than promised, so that the end of the stream is read too and a wrong size is seen.
        let read = decoder.by_ref().take(size as u64 + 1).read_to_end(&mut data);
        if read.is_err() || data.len() != size {
            return Err("an object does not unpack".to_owned());
        }
        self.at = self.pack.len() - decoder.into_inner().len();
        Ok(data)
    }

    fn count(&mut self, bytes: usize) -> Result<(), String> {
        self.unpacked += bytes;
        if self.unpacked > UNPACKED_BYTES_MAX {
            return Err(format!("the objects take more than {UNPACKED_BYTES_MAX} bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut store = Store::default();
        let blobs: Vec<Vec<u8>> = vec![Vec::new(), b"a".to_vec(), vec![b'x'; 5_000]];
        let oids: Vec<Oid> = blobs.iter().map(|blob| store.put(Kind::Blob, blob.clone())).collect();
        let read = read(&Store::default(), &written(&store, &oids)).expect("is a pack");
        let (names, data): (Vec<Oid>, Vec<Vec<u8>>) =
            read.into_iter().map(|(oid, object)| (oid, object.data.to_vec())).unzip();
        assert_eq!((names, data), (oids, blobs));
    }

    #[test]
    fn a_changed_byte_is_found() {
        let mut store = Store::default();
        let oid = store.put(Kind::Blob, b"hello".to_vec());
        let mut pack = written(&store, &[oid]);
        pack[14] ^= 1;
        assert_eq!(read(&store, &pack).err().as_deref(), Some("the pack's checksum is wrong"));
    }

    proptest::proptest! {
        #[test]
        fn any_body_behind_a_right_head_is_survived(body: Vec<u8>, count in 0_u32..5) {
            let mut pack = b"PACK\0\0\0\x02".to_vec();
            pack.extend(count.to_be_bytes());
            pack.extend(body);
            let trailer = Sha1::digest(&pack);
            pack.extend(trailer);
            read(&Store::default(), &pack).ok();
        }
    }
}
