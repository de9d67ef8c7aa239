//! Requests that hold only for what the client knows: conditions on tags and dates, and ranges of bytes.

use std::ops::Range;

use jiff::{Timestamp, fmt::rfc2822};

use super::{
    errors::{detailed, precondition_failed},
    model::Stored,
};
use crate::http::{Reply, Request};

/// The four conditions, each with the name of its header.
#[derive(Debug, Default)]
pub(super) struct Conditions<'r> {
    matches: Option<(&'static str, &'r str)>,
    matches_none: Option<(&'static str, &'r str)>,
    unmodified_since: Option<(&'static str, Timestamp)>,
    modified_since: Option<(&'static str, Timestamp)>,
}

/// What follows from conditions that do not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    /// The client has it already.
    NotModified,
    /// The condition's name.
    Failed(&'static str),
}

impl<'r> Conditions<'r> {
    pub(super) fn of(request: &'r Request) -> Self {
        Self::named(request, ["if-match", "if-none-match", "if-unmodified-since", "if-modified-since"])
    }

    pub(super) fn of_copy(request: &'r Request) -> Self {
        Self::named(
            request,
            [
                "x-amz-copy-source-if-match",
                "x-amz-copy-source-if-none-match",
                "x-amz-copy-source-if-unmodified-since",
                "x-amz-copy-source-if-modified-since",
            ],
        )
    }

    fn named(request: &'r Request, [matches, none, unmodified, modified]: [&'static str; 4]) -> Self {
        let text = |name: &'static str| request.header(name).map(|value| (name, value));
        // A date that is none is no condition.
        let date = |name: &'static str| {
            let zoned = rfc2822::parse(request.header(name)?).ok()?;
            Some((name, zoned.timestamp()))
        };
        Self {
            matches: text(matches),
            matches_none: text(none),
            unmodified_since: date(unmodified),
            modified_since: date(modified),
        }
    }

    /// A tag is stronger than a date.
    pub(super) fn check(&self, stored: &Stored, at: Timestamp) -> Result<(), Unmet> {
        let second = at.as_second();
        match (self.matches, self.unmodified_since) {
            (Some((name, tags)), _) if !has_tag(tags, &stored.etag) => return Err(Unmet::Failed(name)),
            (None, Some((name, since))) if second > since.as_second() => return Err(Unmet::Failed(name)),
            _ => {}
        }
        match (self.matches_none, self.modified_since) {
            (Some((_, tags)), _) if has_tag(tags, &stored.etag) => Err(Unmet::NotModified),
            (None, Some((_, since))) if second <= since.as_second() => Err(Unmet::NotModified),
            _ => Ok(()),
        }
    }

    /// Whether what is there now may be written over.
    pub(super) fn check_write(&self, current: Option<&Stored>) -> Result<(), Reply> {
        let is_taken = |(_, tags): (_, &str)| current.is_some_and(|stored| has_tag(tags, &stored.etag));
        if self.matches_none.is_some_and(is_taken) {
            return Err(precondition_failed("If-None-Match"));
        }
        match (self.matches, current) {
            (Some(_), None) => Err(detailed(404, "NoSuchKey", "The specified key does not exist.", &[])),
            (Some((_, tags)), Some(stored)) if !has_tag(tags, &stored.etag) => Err(precondition_failed("If-Match")),
            _ => Ok(()),
        }
    }
}

/// With or without quotes.
pub(super) fn has_tag(tags: &str, etag: &str) -> bool {
    let bare = |tag: &str| tag.trim().trim_start_matches("W/").trim_matches('"').to_owned();
    tags.split(',').any(|tag| tag.trim() == "*" || bare(tag) == bare(etag))
}

/// The bytes that `bytes=…` means; none: the whole, also where there are several ranges. One that begins behind the end
/// is refused.
pub(super) fn range(header: Option<&str>, length: usize) -> Result<Option<Range<usize>>, Reply> {
    let Some(asked) = header else { return Ok(None) };
    let Some((first, last)) = asked.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let range = match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..length,
        (Err(_), Ok(tail)) if first.trim().is_empty() => length.saturating_sub(tail)..length,
        _ => return Ok(None),
    };
    if range.start < length && !range.is_empty() {
        return Ok(Some(range));
    }
    let details = [("RangeRequested", asked), ("ActualObjectSize", &length.to_string())];
    let refused = detailed(416, "InvalidRange", "The requested range is not satisfiable", &details);
    Err(refused.header("content-range", format!("bytes */{length}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_what_is_there() {
        let found = |header| range(Some(header), 10).map_err(|reply| reply.status);
        assert_eq!(found("bytes=0-3"), Ok(Some(0..4)));
        assert_eq!(found("bytes=8-99"), Ok(Some(8..10)));
        assert_eq!(found("bytes=7-"), Ok(Some(7..10)));
        assert_eq!(found("bytes=-4"), Ok(Some(6..10)));
        assert_eq!(found("bytes=-40"), Ok(Some(0..10)));
        assert_eq!(found("bytes=10-"), Err(416));
        assert_eq!(found("bytes=-0"), Err(416));
        for whole in ["bytes=4-3", "bytes=0-1,3-4", "lines=1-2", "bytes=x-y"] {
            assert_eq!(found(whole), Ok(None), "{whole}");
        }
    }

    #[test]
    fn tags_are_compared_without_quotes() {
        assert!(
            has_tag("\"a\"", "\"a\"")
                && has_tag("a", "\"a\"")
                && has_tag("*", "\"a\"")
                && has_tag("\"b\", W/\"a\"", "\"a\"")
        );
        assert!(!has_tag("\"b\"", "\"a\""));
    }
}
