//! Expected against observed, line by line, where one line each would not show the difference.

use similar::{ChangeTag, TextDiff};

const CONTEXT_LINES: usize = 2;
const LINES_MAX: usize = 60; // a screen; what follows is in the record
const INPUT_BYTES_MAX: usize = 64 * 1024; // beyond it a diff costs more than it explains
const SHORT_CHARS_MAX: usize = 60; // two of them stand side by side in the message

/// One line of a diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) side: Side,
    pub(super) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Both,
    /// Only in what was expected.
    Expected,
    /// Only in what was observed.
    Observed,
    /// Lines that are left out.
    Gap,
}

impl Side {
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Both => "  ",
            Self::Expected => "- ",
            Self::Observed => "+ ",
            Self::Gap => "⋮ ",
        }
    }
}

/// The difference, or nothing where the two are short or have too little in common with a document.
pub(super) fn diff(expected: &str, observed: &str) -> Vec<Line> {
    let (expected, observed) = (spread(expected), spread(observed));
    let is_long = |text: &str| text.contains('\n') || text.chars().count() > SHORT_CHARS_MAX;
    let fits = expected.len() + observed.len() <= INPUT_BYTES_MAX;
    if !fits || !is_long(&expected) || !is_long(&observed) {
        return Vec::new();
    }
    let diff = TextDiff::from_lines(expected.as_str(), observed.as_str());
    let mut lines = Vec::new();
    for (n, group) in diff.grouped_ops(CONTEXT_LINES).iter().enumerate() {
        if n > 0 {
            lines.push(Line { side: Side::Gap, text: String::new() });
        }
        lines.extend(group.iter().flat_map(|op| diff.iter_changes(op)).map(|change| Line {
            side: match change.tag() {
                ChangeTag::Equal => Side::Both,
                ChangeTag::Delete => Side::Expected,
                ChangeTag::Insert => Side::Observed,
            },
            text: change.value().trim_end_matches('\n').to_owned(),
        }));
    }
    if lines.len() > LINES_MAX {
        let left_out = lines.len() - LINES_MAX;
        lines.truncate(LINES_MAX);
        lines.push(Line { side: Side::Gap, text: format!("{left_out} more lines differ or follow") });
    }
    lines
}

/// A JSON document spread over lines; any other text as it is.
fn spread(text: &str) -> String {
    let document = serde_json::from_str::<serde_json::Value>(text).ok();
    let document = document.filter(|value| value.is_object() || value.is_array());
    document.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, Side, diff};

    fn shown(expected: &str, observed: &str) -> String {
        diff(expected, observed).iter().map(|line| format!("{}{}\n", line.side.sign(), line.text)).collect()
    }

    #[test]
    fn documents_are_compared_by_structure() {
        let got = shown(r#"{"id":1,"lines":[{"sku":"mug","n":2}]}"#, r#"{"id":1,"lines":[{"sku":"mug","n":3}]}"#);
        insta::assert_snapshot!(got, @r#"
              {
                "sku": "mug",
        -       "n": 2
        +       "n": 3
              }
            ]
        "#);
    }

    #[test]
    fn what_stands_side_by_side_needs_no_diff() {
        assert_eq!(diff("200", "402"), []);
        assert_eq!(diff("one\ntwo", "nothing there"), []);
    }

    #[test]
    fn far_changes_have_a_gap_between_them_and_long_ones_an_end() {
        let lines = |changed: &[usize]| -> String {
            (0..40).map(|n| if changed.contains(&n) { "changed\n".to_owned() } else { format!("{n}\n") }).collect()
        };
        assert_eq!(shown(&lines(&[]), &lines(&[1, 30])).matches('⋮').count(), 1);
        let many = diff(&"a\n".repeat(500), &"b\n".repeat(500));
        assert_eq!((many.len(), many.last().unwrap().side), (LINES_MAX + 1, Side::Gap));
        assert_eq!(diff(&"a\n".repeat(50_000), "b\nc\n"), []);
    }
}
