//! What a template gives, within bounds: a few signs of it can stand for more than a machine holds (`[[1] * 1000000] *
//! 1000000`), and the fuel counts only the instructions. Start at [`Writer`], then [`fits`].

use std::io;

use minijinja::{Value, value::ValueKind};

/// Of one text, and of all texts of one value.
pub(super) const FILLED_BYTES_MAX: usize = 16 * 1024 * 1024; // several of the largest files that a template may read
/// Of one value: elements, entries and what is in them.
const PARTS_MAX: usize = 1_000_000;
/// Of one value in itself; what follows it recurses.
const DEPTH_MAX: usize = 128; // as deep as JSON is read

/// Takes what is written up to the bound, then refuses.
#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn into_text(self) -> String {
        String::from_utf8(self.bytes).expect("templates and JSON are written as UTF-8")
    }
}

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > FILLED_BYTES_MAX - self.bytes.len() {
            return Err(io::Error::other(too_large()));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn too_large() -> String {
    format!("it gives more than {FILLED_BYTES_MAX} bytes, {PARTS_MAX} parts or {DEPTH_MAX} levels")
}

/// Whether a value can be taken as a whole. Elements that are made on demand are looked at as far as the bound only.
pub(super) fn fits(value: &Value) -> bool {
    weigh(value, DEPTH_MAX, &mut PARTS_MAX.clone(), &mut FILLED_BYTES_MAX.clone()).is_some()
}

fn weigh(value: &Value, levels: usize, parts: &mut usize, bytes: &mut usize) -> Option<()> {
    *parts = parts.checked_sub(1)?;
    if let Some(text) = value.as_bytes() {
        *bytes = bytes.checked_sub(text.len())?;
    }
    let is_map = value.kind() == ValueKind::Map;
    if !is_map && !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Some(());
    }
    let levels = levels.checked_sub(1)?;
    for item in value.try_iter().into_iter().flatten() {
        weigh(&item, levels, parts, bytes)?;
        if is_map {
            weigh(&value.get_item(&item).unwrap_or_default(), levels, parts, bytes)?;
        }
    }
    Some(())
}
