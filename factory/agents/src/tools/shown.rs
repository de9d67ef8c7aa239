//! How much of a tool's output the model sees. The event keeps all of it.

/// Limits of one tool: characters are cut first, then lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub chars_max: usize,
    pub lines_max: Option<usize>,
    pub keep: Keep,
}

/// Which part of a text that is too long stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Half from the start and half from the end.
    HeadTail,
    Tail,
}

impl Shown {
    pub const fn new(chars_max: usize, lines_max: Option<usize>, keep: Keep) -> Self {
        Self { chars_max, lines_max, keep }
    }

    /// What the model sees; `None` where that is everything.
    pub fn cut(&self, full: &str) -> Option<String> {
        let by_chars = cut_chars(full, self.chars_max, self.keep);
        let text = by_chars.as_deref().unwrap_or(full);
        let by_lines = self.lines_max.and_then(|most| cut_lines(text, most, self.keep));
        by_lines.or(by_chars)
    }
}

/// Cuts to `most` characters and says so in the place of what is gone.
pub(crate) fn cut_chars(text: &str, most: usize, keep: Keep) -> Option<String> {
    // Bytes bound characters, and counting bytes is free.
    if text.len() <= most {
        return None;
    }
    let count = text.chars().count();
    if count <= most {
        return None;
    }
    let marker = format!("[… {} characters cut; narrow the call to see them …]", count - most);
    let (head, tail) = split(most, keep);
    let head = &text[..byte_at(text, head)];
    let tail = &text[byte_at(text, count - tail)..];
    Some(joined(head, &marker, tail))
}

fn cut_lines(text: &str, most: usize, keep: Keep) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= most {
        return None;
    }
    let marker = format!("[… {} lines cut; narrow the call to see them …]", lines.len() - most);
    let (head, tail) = split(most, keep);
    Some(joined(&lines[..head].join("\n"), &marker, &lines[lines.len() - tail..].join("\n")))
}

fn split(most: usize, keep: Keep) -> (usize, usize) {
    match keep {
        Keep::HeadTail => (most - most / 2, most / 2),
        Keep::Tail => (0, most),
    }
}

fn byte_at(text: &str, nth_char: usize) -> usize {
    text.char_indices().nth(nth_char).map_or(text.len(), |(at, _)| at)
}

fn joined(head: &str, marker: &str, tail: &str) -> String {
    if head.is_empty() { format!("{marker}\n{tail}") } else { format!("{head}\n{marker}\n{tail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_within_the_limits_is_shown_whole() {
        assert_eq!(Shown::new(5, Some(2), Keep::Tail).cut("é\nöab"), None);
    }

    #[test]
    fn characters_are_cut_in_the_middle_or_at_the_start() {
        let cut = |keep| Shown::new(4, None, keep).cut("äbcdëfgh").unwrap();
        assert_eq!(cut(Keep::HeadTail), "äb\n[… 4 characters cut; narrow the call to see them …]\ngh");
        assert_eq!(cut(Keep::Tail), "[… 4 characters cut; narrow the call to see them …]\nëfgh");
    }

    #[test]
    fn lines_are_cut_after_characters() {
        let text = "1\n2\n3\n4\n5";
        let shown = Shown::new(100, Some(2), Keep::HeadTail).cut(text).unwrap();
        assert_eq!(shown, "1\n[… 3 lines cut; narrow the call to see them …]\n5");
        let both = Shown::new(5, Some(2), Keep::Tail).cut(text).unwrap();
        assert!(both.ends_with("\n4\n5") && both.contains("lines cut"), "{both}");
    }
}
