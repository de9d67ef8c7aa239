//! XML as the service writes it and as clients send it: elements and text, no attributes that mean anything.

use quick_xml::{Reader, escape::resolve_predefined_entity, events::Event};

use super::errors;
use crate::http::Reply;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const DEPTH_MAX: usize = 16; // the deepest document of the service has five levels
const NODES_MAX: usize = 40_000; // ten thousand parts of four elements

/// A document that grows element by element.
pub(super) struct Xml(String);

impl Xml {
    pub(super) fn reply(root: &str, fill: impl FnOnce(&mut Self)) -> Reply {
        Reply::bytes(200, "application/xml", Self::document(root, Some(NAMESPACE), fill))
    }

    pub(super) fn document(root: &str, namespace: Option<&str>, fill: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned());
        let attribute = namespace.map(|namespace| format!(" xmlns=\"{namespace}\"")).unwrap_or_default();
        xml.0.push_str(&format!("<{root}{attribute}>"));
        fill(&mut xml);
        xml.0.push_str(&format!("</{root}>"));
        xml.0
    }

    pub(super) fn text(&mut self, name: &str, value: impl AsRef<str>) {
        self.0.push_str(&format!("<{name}>{}</{name}>", escaped(value.as_ref())));
    }

    pub(super) fn number(&mut self, name: &str, value: usize) {
        self.text(name, value.to_string());
    }

    pub(super) fn within(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.0.push_str(&format!("<{name}>"));
        fill(self);
        self.0.push_str(&format!("</{name}>"));
    }

    /// A grantee says what it is in an attribute.
    pub(super) fn grantee(&mut self, kind: &str, fill: impl FnOnce(&mut Self)) {
        let schema = "http://www.w3.org/2001/XMLSchema-instance";
        self.0.push_str(&format!("<Grantee xmlns:xsi=\"{schema}\" xsi:type=\"{kind}\">"));
        fill(self);
        self.0.push_str("</Grantee>");
    }
}

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Read as it is, a carriage return would become a line feed.
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
    out
}

/// One element of a document that a client sent, by its local name.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Self>,
}

impl Node {
    /// The document, whose root must be `root`.
    pub(super) fn read(body: &[u8], root: &str) -> Result<Self, Reply> {
        let node = std::str::from_utf8(body).ok().and_then(parsed).filter(|node| node.name == root);
        node.ok_or_else(errors::malformed_xml)
    }

    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.all(name).next()
    }

    /// The text of a child.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

fn parsed(text: &str) -> Option<Node> {
    let mut reader = Reader::from_str(text);
    // The document itself is a node without a name.
    let mut open = vec![Node::default()];
    for _ in 0..NODES_MAX * 4 {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                (open.len() < DEPTH_MAX).then_some(())?;
                open.push(Node { name: start.local_name().as_ref().to_owned(), ..Node::default() });
            }
            Event::Empty(start) => {
                let node = Node { name: start.local_name().as_ref().to_owned(), ..Node::default() };
                open.last_mut()?.children.push(node);
            }
            Event::End(_) => {
                let mut node = open.pop()?;
                if !node.children.is_empty() {
                    node.text.clear();
                }
                open.last_mut()?.children.push(node);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::CData(text) => open.last_mut()?.text.push_str(&text.xml10_content()),
            Event::GeneralRef(entity) => {
                let node = open.last_mut()?;
                match entity.resolve_char_ref().ok()? {
                    Some(letter) => node.text.push(letter),
                    None => node.text.push_str(resolve_predefined_entity(&entity)?),
                }
            }
            Event::DocType(_) => return None,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => {
                let document = open.pop().filter(|_| open.is_empty())?;
                let mut roots = document.children.into_iter();
                return roots.next().filter(|_| roots.next().is_none());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = Xml::document("Tagging", Some(NAMESPACE), |xml| {
            xml.within("TagSet", |xml| xml.text("Key", "a<b & \"c\"\r\n"));
        });
        let node = parsed(&text).expect("is a document");
        assert_eq!(node.child("TagSet").and_then(|set| set.get("Key")), Some("a<b & \"c\"\r\n"));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = "<a>".repeat(100) + &"</a>".repeat(100);
        for text in ["", "x", "<a>", "<a></b>", "<a/><b/>", "<!DOCTYPE a><a/>", "<a>&unknown;</a>", &deep] {
            assert!(parsed(text).is_none(), "{text}");
        }
        assert!(parsed("<?xml version=\"1.0\"?><!-- c --><x:a xmlns:x=\"y\"><![CDATA[<]]></x:a>").is_some());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[<>/&;#ax!\\[\\]CDAT\"= -]{0,80}") {
            parsed(&text);
        }
    }
}
