//! Names from files where the engine wants names that live as long as the program: kept once each, whoever asks.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// `name`, for good. Only for names that definitions declare: those are few, however often a file is opened.
pub(crate) fn lasting(name: &str) -> &'static str {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(name) {
        return found;
    }
    let kept: &'static str = Box::leak(name.into());
    known.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::lasting;

    #[test]
    fn a_name_is_kept_once() {
        let (first, second) = (lasting("parcels.create"), lasting(&format!("parcels.{}", "create")));
        assert!(std::ptr::eq(first, second));
    }
}
