//! Replacing one passage of a text by another: pure, and strict about which passage is meant.
//!
//! An exact match counts first. Where there is none, lines are compared without the whitespace at their ends and with
//! plain quotes and dashes; such a match counts only where it is the only one.

use std::{borrow::Cow, ops::Range};

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Edited {
    pub text: String,
    pub replacements: usize,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EditError {
    #[error("old_string is empty; to make a file or replace all of it use `write_file`")]
    EmptyOld,
    #[error("old_string and new_string are the same; nothing to do")]
    Same,
    #[error("old_string is not in the file{0}")]
    NotFound(String),
    #[error(
        "old_string is in the file {count} times, at lines {lines}; add lines around it until it is unique, or set \
         replace_all"
    )]
    Ambiguous { count: usize, lines: String },
}

const LINES_NAMED_MAX: usize = 10;

pub(super) fn edit(text: &str, old: &str, new: &str, all: bool) -> Result<Edited, EditError> {
    if old.is_empty() {
        return Err(EditError::EmptyOld);
    }
    if old == new {
        return Err(EditError::Same);
    }
    let (old, new) = with_line_ends_of(text, old, new);
    let exact: Vec<Range<usize>> = text.match_indices(&*old).map(|(at, found)| at..at + found.len()).collect();
    let places = match exact.len() {
        0 => vec![alike(text, &old)?],
        1 => exact,
        _ if all => exact,
        count => return Err(EditError::Ambiguous { count, lines: lines_of(text, &exact) }),
    };
    Ok(Edited { text: replaced(text, &places, &new), replacements: places.len() })
}

/// Models write `\n`; a file that ends its lines with `\r\n` must stay so.
fn with_line_ends_of<'a>(text: &str, old: &'a str, new: &'a str) -> (Cow<'a, str>, Cow<'a, str>) {
    let breaks = text.matches('\n').count();
    let only_crlf = breaks > 0 && text.matches("\r\n").count() == breaks;
    if only_crlf { (crlf(old), crlf(new)) } else { (old.into(), new.into()) }
}

fn crlf(text: &str) -> Cow<'_, str> {
    text.replace("\r\n", "\n").replace('\n', "\r\n").into()
}

fn replaced(text: &str, places: &[Range<usize>], new: &str) -> String {
    let mut result = String::with_capacity(text.len() + new.len());
    let mut from = 0;
    for place in places {
        result.push_str(&text[from..place.start]);
        result.push_str(new);
        from = place.end;
    }
    result.push_str(&text[from..]);
    result
}

/// The only run of whole lines that is like `old`.
fn alike(text: &str, old: &str) -> Result<Range<usize>, EditError> {
    let wanted: Vec<String> = old.lines().map(plain).collect();
    let lines = lines_with_ranges(text);
    let starts = || 0..(lines.len() + 1).saturating_sub(wanted.len());
    let fits = |start: usize| wanted.iter().zip(&lines[start..]).all(|(wanted, line)| *wanted == plain(line.1));
    let found: Vec<usize> = starts().filter(|&start| fits(start)).collect();
    let place = |start: usize| {
        let last = &lines[start + wanted.len() - 1];
        // A passage given with its final line break takes the break along.
        let end = if old.ends_with('\n') { last.0.end } else { last.0.start + last.1.len() };
        lines[start].0.start..end
    };
    match found[..] {
        [] => Err(EditError::NotFound(hint(&lines, &wanted))),
        [start] => Ok(place(start)),
        _ => {
            let places: Vec<Range<usize>> = found.iter().map(|&start| place(start)).collect();
            Err(EditError::Ambiguous { count: places.len(), lines: lines_of(text, &places) })
        }
    }
}

/// Each line's range with its break, and its text without.
fn lines_with_ranges(text: &str) -> Vec<(Range<usize>, &str)> {
    let mut at = 0;
    let line = |whole: &'_ str| {
        let start = at;
        at += whole.len();
        start..at
    };
    let ranges: Vec<Range<usize>> = text.split_inclusive('\n').map(line).collect();
    ranges.into_iter().map(|range| (range.clone(), text[range].trim_end_matches(['\n', '\r']))).collect()
}

fn plain(line: &str) -> String {
    let plain = |letter| match letter {
        '\u{2018}' | '\u{2019}' => '\'',
        '\u{201c}' | '\u{201d}' => '"',
        '\u{2010}'..='\u{2015}' => '-',
        '\u{a0}' => ' ',
        other => other,
    };
    line.trim_end().chars().map(plain).collect()
}

/// Where the first line is found, what differs after it: most misses are one wrong line.
fn hint(lines: &[(Range<usize>, &str)], wanted: &[String]) -> String {
    let Some(first) = wanted.iter().find(|line| !line.trim().is_empty()) else { return String::new() };
    let skipped = wanted.iter().take_while(|line| *line != first).count();
    let Some(at) = lines.iter().position(|line| plain(line.1).trim() == first.trim()) else {
        return "; read the file again and copy the passage as it is there".to_owned();
    };
    let pairs = wanted[skipped..].iter().zip(&lines[at..]).zip(at + 1..);
    let differs = pairs.into_iter().find(|((wanted, line), _)| **wanted != plain(line.1));
    match differs {
        Some(((wanted, line), number)) => {
            format!("; its first line is at line {}, but line {number} is `{}` and not `{wanted}`", at + 1, line.1)
        }
        None => format!("; its beginning is at line {}, but the file ends before it does", at + 1),
    }
}

fn lines_of(text: &str, places: &[Range<usize>]) -> String {
    let number = |place: &Range<usize>| (text[..place.start].matches('\n').count() + 1).to_string();
    let mut numbers: Vec<String> = places.iter().take(LINES_NAMED_MAX).map(number).collect();
    if places.len() > LINES_NAMED_MAX {
        numbers.push("…".to_owned());
    }
    numbers.join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edited(text: &str, old: &str, new: &str) -> Result<String, EditError> {
        edit(text, old, new, false).map(|edited| edited.text)
    }

    #[test]
    fn a_unique_passage_is_replaced() {
        assert_eq!(edited("a b c", "b", "x").unwrap(), "a x c");
    }

    #[test]
    fn an_ambiguous_passage_is_refused_with_its_lines() {
        let error = edited("x = 1\ny\nx = 1\n", "x = 1", "x = 2").unwrap_err();
        assert_eq!(error, EditError::Ambiguous { count: 2, lines: "1, 3".to_owned() });
        assert_eq!(edit("x x", "x", "y", true).unwrap(), Edited { text: "y y".to_owned(), replacements: 2 });
    }

    #[test]
    fn carriage_returns_stay() {
        assert_eq!(edited("a\r\nb\r\nc\r\n", "a\nb", "a\nx\nb").unwrap(), "a\r\nx\r\nb\r\nc\r\n");
    }

    #[test]
    fn mixed_line_ends_are_left_as_they_are() {
        assert_eq!(edited("a\r\nb\nc\n", "b\nc", "x\ny").unwrap(), "a\r\nx\ny\n");
    }

    #[test]
    fn a_file_without_final_line_break_keeps_having_none() {
        assert_eq!(edited("a\nb", "b", "c").unwrap(), "a\nc");
    }

    #[test]
    fn trailing_whitespace_and_typographic_quotes_do_not_matter_where_the_match_is_unique() {
        assert_eq!(
            edited("if a:  \n\tsay(\u{201c}x\u{201d})\nend\n", "if a:\n\tsay(\"x\")\n", "pass\n").unwrap(),
            "pass\nend\n"
        );
        let error = edited("a \nb\na  \nb\n", "a\nb\n", "c").unwrap_err();
        assert_eq!(error, EditError::Ambiguous { count: 2, lines: "1, 3".to_owned() });
    }

    #[test]
    fn a_miss_says_what_differs() {
        let error = edited("fn a() {\n    1\n}\n", "fn a() {\n    2\n}", "x").unwrap_err().to_string();
        assert!(error.ends_with("its first line is at line 1, but line 2 is `    1` and not `    2`"), "{error}");
        let error = edited("a\n", "zzz", "x").unwrap_err().to_string();
        assert!(error.contains("read the file again"), "{error}");
    }

    #[test]
    fn empty_and_equal_passages_are_refused() {
        assert_eq!(edited("a", "", "x"), Err(EditError::EmptyOld));
        assert_eq!(edited("a", "a", "a"), Err(EditError::Same));
    }

    proptest! {
        /// What surrounds the passage never changes, and editing back gives the first text.
        #[test]
        fn an_edit_touches_nothing_else(before in "[a-m\n\r]{0,40}", after in "[a-m\n\r]{0,40}", new in "[n-z]{1,9}") {
            let text = format!("{before}OLD{after}");
            let there = edited(&text, "OLD", &new).unwrap();
            prop_assert_eq!(&there, &format!("{before}{new}{after}"));
            if there.matches(&new).count() == 1 {
                prop_assert_eq!(edited(&there, &new, "OLD").unwrap(), text);
            }
        }

        /// Any two texts give a result or an error, never a panic.
        #[test]
        fn no_input_panics(text in "\\PC{0,30}(\r?\n\\PC{0,9}){0,4}", old in "\\PC{0,9}(\n\\PC{0,9}){0,2}", new in "\\PC{0,9}") {
            drop(edit(&text, &old, &new, true));
        }
    }
}
