//! What one template may hold and do, within bounds: a few signs of it can stand for more than a machine holds (`[[1] *
//! 1000000] * 1000000`), and the engine's fuel counts instructions only, whatever each of them costs. Start at [`Meter`].

use minijinja::{Error, ErrorKind, State, Value, value::ValueKind};

/// Of one value, and of all that one template writes.
pub(super) const FILLED_BYTES_MAX: usize = 16 * 1024 * 1024; // several of the largest files that a template may read
/// Of one value: elements, entries and what is in them.
const PARTS_MAX: usize = 1_000_000;
/// Of one value in itself; what follows it recurses.
const DEPTH_MAX: usize = 128; // as deep as JSON is read
/// Of all values that the operations of one template take and make, counted as often as they are used.
const WORK_BYTES_MAX: usize = 16 * FILLED_BYTES_MAX; // a tenth of a second
const WORK_PARTS_MAX: usize = 2 * PARTS_MAX; // as well

/// What is left to one template.
#[derive(Debug)]
pub(super) struct Meter {
    work: Weight,
    shown_bytes: usize,
}

impl Default for Meter {
    fn default() -> Self {
        Self { work: Weight { parts: WORK_PARTS_MAX, bytes: WORK_BYTES_MAX }, shown_bytes: FILLED_BYTES_MAX }
    }
}

impl Meter {
    pub(super) fn of<'a>(state: &'a mut State<'_, '_>) -> &'a mut Self {
        state.get_or_insert_extension_with(Self::default)
    }

    /// Takes values into account that are used.
    pub(super) fn take(&mut self, values: &[Value]) -> Result<Weight, Error> {
        let mut all = Weight::default();
        for value in values {
            let weight = Weight::of(value).ok_or_else(too_large)?;
            all = Weight { parts: all.parts + weight.parts, bytes: all.bytes + weight.bytes };
        }
        self.make(all)?;
        Ok(all)
    }

    /// Takes something into account that is about to be made.
    pub(super) fn make(&mut self, weight: Weight) -> Result<(), Error> {
        if !weight.fits() {
            return Err(too_large());
        }
        let parts = self.work.parts.checked_sub(weight.parts).ok_or_else(too_much)?;
        let bytes = self.work.bytes.checked_sub(weight.bytes).ok_or_else(too_much)?;
        self.work = Weight { parts, bytes };
        Ok(())
    }

    /// Writes a value to `out`, as far as the template may still write.
    pub(super) fn show(&mut self, value: &Value, out: &mut dyn std::fmt::Write) -> Result<(), Error> {
        let mut out = Shown { out, left: &mut self.shown_bytes };
        std::fmt::Write::write_fmt(&mut out, format_args!("{value}")).map_err(|_| too_large())
    }
}

/// Passes on what is written, up to the bound.
struct Shown<'a> {
    out: &'a mut dyn std::fmt::Write,
    left: &'a mut usize,
}

impl std::fmt::Write for Shown<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        *self.left = self.left.checked_sub(text.len()).ok_or(std::fmt::Error)?;
        self.out.write_str(text)
    }
}

pub(super) fn too_large() -> Error {
    let message = format!("it gives more than {FILLED_BYTES_MAX} bytes, {PARTS_MAX} parts or {DEPTH_MAX} levels");
    Error::new(ErrorKind::InvalidOperation, message)
}

fn too_much() -> Error {
    let message = format!("it works on more than {WORK_BYTES_MAX} bytes or {WORK_PARTS_MAX} parts in all");
    Error::new(ErrorKind::InvalidOperation, message)
}

/// How large a value is, with all that is in it. What stands in it twice counts twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) parts: usize,
    pub(super) bytes: usize,
}

impl Weight {
    /// `None` where it is more than one value may have. Elements that are made on demand are looked at as far as that.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let mut left = Self { parts: PARTS_MAX, bytes: FILLED_BYTES_MAX };
        left.hold(value, DEPTH_MAX)?;
        Some(Self { parts: PARTS_MAX - left.parts, bytes: FILLED_BYTES_MAX - left.bytes })
    }

    pub(super) fn times(self, count: usize) -> Self {
        Self { parts: self.parts.saturating_mul(count), bytes: self.bytes.saturating_mul(count) }
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self { parts: self.parts.saturating_add(other.parts), bytes: self.bytes.saturating_add(other.bytes) }
    }

    pub(super) fn fits(self) -> bool {
        self.parts <= PARTS_MAX && self.bytes <= FILLED_BYTES_MAX
    }

    fn hold(&mut self, value: &Value, levels: usize) -> Option<()> {
        self.parts = self.parts.checked_sub(1)?;
        if let Some(text) = value.as_bytes() {
            self.bytes = self.bytes.checked_sub(text.len())?;
        }
        let is_map = value.kind() == ValueKind::Map;
        if !is_map && !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
            return Some(());
        }
        let levels = levels.checked_sub(1)?;
        for item in value.try_iter().into_iter().flatten() {
            self.hold(&item, levels)?;
            if is_map {
                self.hold(&value.get_item(&item).unwrap_or_default(), levels)?;
            }
        }
        Some(())
    }
}
