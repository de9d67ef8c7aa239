//! XML in one way of writing it, for comparison. Reads what clients send: elements, attributes, text, CDATA; a
//! document type is refused, entities are left as they are.

const DEPTH_MAX: usize = 256;

/// Attributes sorted, spaces between elements gone, empty elements spelt out. None: it is no XML.
pub(crate) fn canonical(text: &str) -> Option<String> {
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}'), out: String::new(), open: Vec::new() };
    while !reader.rest.is_empty() {
        reader.step()?;
    }
    (reader.open.is_empty() && !reader.out.is_empty()).then_some(reader.out)
}

struct Reader<'a> {
    rest: &'a str,
    out: String,
    open: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    fn step(&mut self) -> Option<()> {
        if let Some(rest) = self.rest.strip_prefix("<!--") {
            self.rest = rest.split_once("-->")?.1;
        } else if let Some(rest) = self.rest.strip_prefix("<![CDATA[") {
            let (text, rest) = rest.split_once("]]>")?;
            self.out.push_str(&text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"));
            self.rest = rest;
        } else if let Some(rest) = self.rest.strip_prefix("<?") {
            self.rest = rest.split_once("?>")?.1;
        } else if let Some(rest) = self.rest.strip_prefix("</") {
            let (name, rest) = rest.split_once('>')?;
            (self.open.pop()? == name.trim()).then_some(())?;
            self.out.push_str(&format!("</{}>", name.trim()));
            self.rest = rest;
        } else if let Some(rest) = self.rest.strip_prefix('<') {
            self.element(rest)?;
        } else {
            let end = self.rest.find('<').unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at(end);
            (!self.open.is_empty() || text.trim().is_empty()).then_some(())?;
            self.out.push_str(text.trim());
            self.rest = rest;
        }
        Some(())
    }

    /// From the name of an element to the end of its tag.
    fn element(&mut self, rest: &'a str) -> Option<()> {
        let end = rest.find(|letter: char| letter.is_whitespace() || letter == '>' || letter == '/')?;
        let (name, mut rest) = rest.split_at(end);
        let sound = !name.is_empty() && !name.starts_with('!') && self.open.len() < DEPTH_MAX;
        sound.then_some(())?;
        let mut attributes = Vec::new();
        let closed = loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix("/>") {
                rest = after;
                break true;
            }
            if let Some(after) = rest.strip_prefix('>') {
                rest = after;
                break false;
            }
            let (key, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            let (value, after) = after[1..].split_once(quote)?;
            attributes.push((key.trim(), value));
            rest = after;
        };
        attributes.sort_unstable();
        let attributes: String = attributes.iter().map(|(key, value)| format!(" {key}={value:?}")).collect();
        self.out.push_str(&format!("<{name}{attributes}>"));
        if closed {
            self.out.push_str(&format!("</{name}>"));
        } else {
            self.open.push(name);
        }
        self.rest = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn spellings_of_the_same_document_are_one() {
        let one = canonical("<?xml version=\"1.0\"?>\n<a b=\"1\" c='2'>\n  <d/>x &amp; y<!-- no --></a>");
        assert_eq!(one.as_deref(), Some("<a b=\"1\" c=\"2\"><d></d>x &amp; y</a>"));
        assert_eq!(one, canonical("<a c=\"2\" b=\"1\"><d></d><![CDATA[x & y]]></a>"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "[<>/a=\"' !?\\-\\[\\]é]{0,60}") {
            canonical(&text);
        }
    }

    #[test]
    fn what_is_no_document_is_none() {
        for text in ["", "x", "<a>", "<a></b>", "<a", "<a b></a>", "<!DOCTYPE a><a/>", "</a>"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
