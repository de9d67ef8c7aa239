//! A JSON document line by line, with the lines marked whose value is not as expected.

use serde::Serialize;
use serde_json::Value as Json;

/// One line of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) is_marked: bool,
}

/// Spreads a document; `wrong` are the paths (`$.lines[0].sku`) of the values to mark.
pub(super) fn lines(document: &Json, wrong: &[String]) -> Vec<Line> {
    let mut writer = Writer { wrong, lines: Vec::new() };
    writer.value(document, "$", 0, String::new(), "");
    writer.lines
}

/// Text is JSON only where it is an object or a list: a number is shown as it came.
pub(super) fn parsed(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok().filter(|value: &Json| value.is_object() || value.is_array())
}

struct Writer<'a> {
    wrong: &'a [String],
    lines: Vec<Line>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Json, path: &str, depth: usize, name: String, end: &str) {
        match value {
            Json::Object(map) if !map.is_empty() => {
                self.line(depth, format!("{name}{{"), path);
                for (n, (key, value)) in map.iter().enumerate() {
                    let end = if n + 1 < map.len() { "," } else { "" };
                    let name = format!("{}: ", Json::from(key.as_str()));
                    self.value(value, &crate::expect::child(path, key), depth + 1, name, end);
                }
                self.close(depth, format!("}}{end}"));
            }
            Json::Array(items) if !items.is_empty() => {
                self.line(depth, format!("{name}["), path);
                for (n, item) in items.iter().enumerate() {
                    let end = if n + 1 < items.len() { "," } else { "" };
                    self.value(item, &format!("{path}[{n}]"), depth + 1, String::new(), end);
                }
                self.close(depth, format!("]{end}"));
            }
            value => self.line(depth, format!("{name}{value}{end}"), path),
        }
    }

    fn line(&mut self, depth: usize, text: String, path: &str) {
        let is_marked = self.wrong.iter().any(|wrong| wrong == path);
        self.lines.push(Line { text: format!("{}{text}", "  ".repeat(depth)), is_marked });
    }

    fn close(&mut self, depth: usize, text: String) {
        self.lines.push(Line { text: format!("{}{text}", "  ".repeat(depth)), is_marked: false });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{lines, parsed};

    #[test]
    fn a_document_is_spread_as_usual_and_the_wrong_value_is_marked() {
        let document = json!({ "id": 1, "lines": [{ "sku": "mug", "a-b": [] }], "none": {} });
        let spread = lines(&document, &["$.lines[0].sku".to_owned(), "$.lines[0]['a-b']".to_owned()]);
        let text: Vec<_> = spread.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(text.join("\n"), serde_json::to_string_pretty(&document).unwrap());
        let marked: Vec<_> = spread.iter().filter(|line| line.is_marked).map(|line| line.text.trim()).collect();
        assert_eq!(marked, ["\"sku\": \"mug\",", "\"a-b\": []"]);
    }

    #[test]
    fn only_structures_are_documents() {
        assert_eq!((parsed("17"), parsed("<html>"), parsed("[1]")), (None, None, Some(json!([1]))));
    }
}
