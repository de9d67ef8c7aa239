use serde::de::DeserializeOwned;

use crate::{Diagnostics, Place, Source, yaml};

/// A Markdown document that opens with YAML between two `---` lines.
#[derive(Debug)]
pub struct FrontMatter<T> {
    pub head: T,
    pub body: String,
    /// The line on which the body starts, counted from 1.
    pub body_line: usize,
}

/// Splits a Markdown document into its typed front matter and its body.
///
/// # Errors
/// Where the document does not open with `---`, never closes it, or the YAML does not fit `T`.
pub fn front_matter<T: DeserializeOwned>(source: &Source) -> Result<FrontMatter<T>, Diagnostics> {
    let text = source.text();
    if text.lines().next().map(str::trim_end) != Some("---") {
        let error = source.diagnostic(Place::START, "the document has no front matter");
        return Err(error.hint("start it with a line `---`, then YAML, then another line `---`").into());
    }
    let mut offset = 0;
    for (n, line) in text.split_inclusive('\n').enumerate() {
        if n > 0 && line.trim_end() == "---" {
            let head = yaml::parse(source, &text[..offset])?;
            return Ok(FrontMatter { head, body: text[offset + line.len()..].to_owned(), body_line: n + 2 });
        }
        offset += line.len();
    }
    let error = source.diagnostic(Place::START, "the front matter is never closed");
    Err(error.hint("end it with a line that holds only `---`").into())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::front_matter;
    use crate::Source;

    #[test]
    fn places_are_those_of_the_whole_file() {
        let source = Source::new("a.md", "---\nid: a\nid: b\n---\n# Body\n");
        let error = front_matter::<Value>(&source).expect_err("a key stands twice").to_string();
        assert!(error.starts_with("a.md:3:1: "), "{error}");
    }

    #[test]
    fn body_keeps_its_text_and_line() {
        let parsed = front_matter::<Value>(&Source::new("a.md", "---\nid: a\n---\n# Body\n---\n")).expect("fits");
        assert_eq!((parsed.body.as_str(), parsed.body_line), ("# Body\n---\n", 4));
    }

    #[test]
    fn a_missing_fence_says_what_to_write() {
        let error = |text| front_matter::<Value>(&Source::new("a.md", text)).expect_err("no fence").to_string();
        assert!(error("# Body").contains("hint: start it with"), "{}", error("# Body"));
        assert!(error("---\nid: a\n").contains("hint: end it with"));
    }
}
