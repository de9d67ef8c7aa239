//! Differences that are known: a YAML list of `difference` (as it is printed; `*` stands for anything) and `reason`.

use std::path::Path;

use located::{Source, Spanned, yaml};
use serde::Deserialize;

use super::DriftError;

#[derive(Default)]
pub(super) struct Allowed {
    entries: Vec<(Entry, bool)>,
    source: Option<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    difference: Spanned<String>,
    reason: String,
}

impl Allowed {
    pub(super) fn read(path: &Path) -> Result<Self, DriftError> {
        let source = Source::read(path)?;
        let entries: Vec<Entry> = yaml(&source).map_err(DriftError::File)?;
        Ok(Self { entries: entries.into_iter().map(|entry| (entry, false)).collect(), source: Some(source) })
    }

    /// Why the difference may be, if it may.
    pub(super) fn reason(&mut self, name: &str) -> Option<String> {
        let (entry, used) = self.entries.iter_mut().find(|(entry, _)| fits(&entry.difference.value, name))?;
        *used = true;
        Some(entry.reason.clone())
    }

    /// Entries that nothing needs, each with its place.
    pub(super) fn stale(&self) -> Vec<String> {
        let unused = self.entries.iter().filter(|(_, used)| !used);
        let shown = unused.filter_map(|(entry, _)| {
            let source = self.source.as_ref()?;
            Some(source.at(&entry.difference, "this difference is gone; take it off the list").to_string())
        });
        shown.collect()
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut is_exact = true;
    for part in parts {
        is_exact = part.is_empty();
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || is_exact && pattern.ends_with('*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        for pattern in ["GET /a 200 $.b field", "GET /a * field", "*$.b*", "*", "GET*"] {
            assert!(fits(pattern, "GET /a 200 $.b field"), "{pattern}");
        }
        for pattern in ["GET /a", "*type", "POST*", "", "GET /a 200 $.b fiel"] {
            assert!(!fits(pattern, "GET /a 200 $.b field"), "{pattern}");
        }
    }
}
