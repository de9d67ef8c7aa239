//! `XPath` 1.0 on XML and HTML. The only module that knows which libraries do it.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use html5ever::{ParseOpts, QualName, local_name, ns, parse_document, parse_fragment, tendril::TendrilSink};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value as Json;
use sxd_document::{Package, dom};
use sxd_xpath::{Context, Factory, Value as Found, nodeset::Node};

use super::{Value, nesting};
use crate::text::{RenderError, Scope, Text};

/// Libraries walk documents by recursion; libxml2 has the same limit.
const DEPTH_MAX: usize = 256;
/// HTML is parsed in pieces, so that a document that nests or takes without end is left early.
const PIECE_BYTES: usize = 4 * 1024;
const READING_MAX: Duration = Duration::from_secs(3); // megabytes take a fraction of it; some made-up documents hours
const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024; // a large page is one of them
const ATTRIBUTES_MAX: usize = 1_000; // of one element; the libraries compare each with each
const NODES_MAX: usize = 10_000; // whose texts are kept; of a larger set not even the count would be right

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Markup {
    Xml,
    Html,
}

/// An expression as it is written; checked when the file is read, where it holds no template.
#[derive(Clone, Debug)]
pub(crate) struct XPathText(Text);

/// A document that expressions can be evaluated on.
pub(crate) struct Document(Package);

impl Document {
    /// `Err` says why the text cannot be read.
    pub(super) fn parse(text: &str, markup: Markup) -> Result<Self, String> {
        document(text, markup).map(Self)
    }
}

impl XPathText {
    pub(crate) fn find(&self, document: &Document, scope: &Scope) -> Result<Value, RenderError> {
        let expression = scope.text(&self.0)?;
        evaluate(&document.0, &expression).map_err(|message| RenderError { place: self.0.place, message })
    }

    pub(crate) fn written(&self) -> &str {
        &self.0
    }
}

fn compile(expression: &str) -> Result<sxd_xpath::XPath, String> {
    nesting::check(expression).map_err(|reason| format!("this is no XPath that can be used: {reason}"))?;
    let refused = |reason: String| format!("`{expression}` is no XPath: {reason}");
    let compiled = Factory::new().build(expression).map_err(|error| refused(error.to_string()))?;
    compiled.ok_or_else(|| refused("it is empty".to_owned()))
}

fn evaluate(package: &Package, expression: &str) -> Result<Value, String> {
    let document = package.as_document();
    let compiled = compile(expression)?;
    let mut context = Context::new();
    name_namespaces(&document, &mut context);
    let found = compiled.evaluate(&context, document.root());
    let found = found.map_err(|error| format!("`{expression}` cannot be evaluated: {error}"))?;
    Ok(match found {
        Found::Boolean(value) => Value::Json(value.into()),
        // What JSON cannot hold (NaN, infinity) is a text.
        Found::Number(number) => Value::Json(
            serde_json::Number::from_f64(number).map_or_else(|| Json::String(number.to_string()), Json::Number),
        ),
        Found::String(text) => Value::text(text),
        Found::Nodeset(nodes) if nodes.size() > NODES_MAX => {
            return Err(format!("`{expression}` finds more than {NODES_MAX} nodes; count them in it: `count(…)`"));
        }
        Found::Nodeset(nodes) => {
            Value::Nodes(nodes.document_order().into_iter().map(|node| node.string_value()).collect())
        }
    })
}

/// Prefixes of the document can be used in expressions; the first default namespace is `_`.
fn name_namespaces<'d>(document: &dom::Document<'d>, context: &mut Context<'d>) {
    let mut open: Vec<Node<'d>> = Node::Root(document.root()).children();
    let mut is_default_named = false;
    while let Some(node) = open.pop() {
        let Node::Element(element) = node else { continue };
        if let Some(uri) = element.name().namespace_uri() {
            match element.preferred_prefix() {
                Some(prefix) => context.set_namespace(prefix, uri),
                None if !is_default_named => {
                    context.set_namespace("_", uri);
                    is_default_named = true;
                }
                None => {}
            }
        }
        for attribute in element.attributes() {
            if let (Some(prefix), Some(uri)) = (attribute.preferred_prefix(), attribute.name().namespace_uri()) {
                context.set_namespace(prefix, uri);
            }
        }
        open.extend(node.children().into_iter().rev());
    }
}

fn document(text: &str, markup: Markup) -> Result<Package, String> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(format!("the document has more than {DOCUMENT_BYTES_MAX} bytes"));
    }
    match markup {
        Markup::Xml => {
            check_shape(text)?;
            let text = text.trim_start_matches('\u{feff}').trim_start();
            sxd_document::parser::parse(text).map_err(|error| format!("the document is no XML: {error}"))
        }
        Markup::Html => html(text),
    }
}

/// Counts open elements and their attributes without building anything.
fn check_shape(text: &str) -> Result<(), String> {
    let (mut depth, mut rest) = (0_usize, text);
    while let Some(start) = rest.find('<') {
        rest = &rest[start..];
        let end = match rest.as_bytes().get(1) {
            Some(b'!') if rest.starts_with("<!--") => rest.find("-->"),
            Some(b'!') if rest.starts_with("<![CDATA[") => rest.find("]]>"),
            _ => rest.find('>'),
        };
        let Some(end) = end else { return Ok(()) };
        match rest.as_bytes().get(1) {
            Some(b'!' | b'?') => {}
            Some(b'/') => depth = depth.saturating_sub(1),
            _ => {
                let tag = &rest[..end];
                if tag.matches("=\"").count() + tag.matches("='").count() > ATTRIBUTES_MAX {
                    return Err(too_many_attributes());
                }
                depth += usize::from(!tag.ends_with('/'));
            }
        }
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        rest = &rest[end..];
    }
    Ok(())
}

fn too_deep() -> String {
    format!("the document is more than {DEPTH_MAX} levels deep")
}

fn too_many_attributes() -> String {
    format!("an element of the document has more than {ATTRIBUTES_MAX} attributes")
}

fn html(text: &str) -> Result<Package, String> {
    let started = Instant::now();
    let mut parser = parse_document(RcDom::default(), ParseOpts::default());
    let mut rest = text;
    while !rest.is_empty() {
        let piece = &rest[..rest.floor_char_boundary(PIECE_BYTES)];
        parser.process(piece.into());
        if deepest_open(&parser.tokenizer.sink.sink.document) > DEPTH_MAX {
            return Err(too_deep());
        }
        if started.elapsed() > READING_MAX {
            return Err(format!("the document cannot be read within {} s", READING_MAX.as_secs()));
        }
        rest = &rest[piece.len()..];
    }
    let parsed = parser.finish();
    let package = Package::new();
    copy(&parsed.document, package.as_document())?;
    Ok(package)
}

/// What is open is the last child of what is open.
fn deepest_open(document: &Handle) -> usize {
    let mut depth = 0;
    let mut last = document.children.borrow().last().cloned();
    while let Some(node) = last {
        depth += 1;
        last = node.children.borrow().last().cloned();
    }
    depth
}

/// HTML's elements get no namespace, so that `//p` means what it says.
fn copy(root: &Handle, document: dom::Document<'_>) -> Result<(), String> {
    enum Parent<'d> {
        Root(dom::Root<'d>),
        Element(dom::Element<'d>),
    }
    let children = |node: &Handle| node.children.borrow().iter().rev().cloned().collect::<Vec<_>>();
    let mut open: Vec<_> = children(root).into_iter().map(|node| (node, None)).collect();
    while let Some((node, parent)) = open.pop() {
        let parent = parent.map_or_else(|| Parent::Root(document.root()), Parent::Element);
        match &node.data {
            NodeData::Element { name, attrs, .. } => {
                let element = document.create_element(&*name.local);
                let attributes = attrs.borrow();
                if attributes.len() > ATTRIBUTES_MAX {
                    return Err(too_many_attributes());
                }
                for attribute in attributes.iter() {
                    element.set_attribute_value(&*attribute.name.local, &attribute.value);
                }
                match parent {
                    Parent::Root(root) => root.append_child(element),
                    Parent::Element(parent) => parent.append_child(element),
                }
                open.extend(children(&node).into_iter().map(|child| (child, Some(element))));
            }
            NodeData::Text { contents } => {
                if let Parent::Element(parent) = parent {
                    parent.append_child(document.create_text(&contents.borrow()));
                }
            }
            NodeData::Comment { contents } => {
                let comment = document.create_comment(contents);
                match parent {
                    Parent::Root(root) => root.append_child(comment),
                    Parent::Element(parent) => parent.append_child(comment),
                }
            }
            NodeData::Document | NodeData::Doctype { .. } | NodeData::ProcessingInstruction { .. } => {}
        }
    }
    Ok(())
}

/// A text with its character references replaced, by HTML's own rules. Tags in it stay as they are written.
pub(super) fn html_text(text: &str) -> String {
    // What stands in a title is text with references and nothing else.
    let title = QualName::new(None, ns!(html), local_name!("title"));
    let parsed = parse_fragment(RcDom::default(), ParseOpts::default(), title, Vec::new(), false).one(text);
    let mut found = String::new();
    let mut open: Vec<_> = parsed.document.children.borrow().iter().rev().cloned().collect();
    while let Some(node) = open.pop() {
        if let NodeData::Text { contents } = &node.data {
            found.push_str(&contents.borrow());
        }
        open.extend(node.children.borrow().iter().rev().cloned());
    }
    found
}

impl<'de> Deserialize<'de> for XPathText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        if !text.contains("{{") {
            compile(&text).map_err(D::Error::custom)?;
        }
        Ok(Self(text))
    }
}

impl JsonSchema for XPathText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "XPath".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use located::Place;
    use serde_json::json;

    use super::{Document, Markup, Value, XPathText};
    use crate::text::{Scope, Text};

    fn find(expression: &str, text: &str, markup: Markup) -> Result<Value, String> {
        let expression = XPathText(Text { value: expression.to_owned(), place: Place::START });
        expression.find(&Document::parse(text, markup)?, &Scope::default()).map_err(|error| error.message)
    }

    const PAGE: &str = "<!doctype html><title>Shop &amp; Co</title><ul><li class=a>one<li>two</ul><br><p>é</p>";

    #[test]
    fn html_is_read_as_browsers_read_it() {
        let find = |expression| find(expression, PAGE, Markup::Html).unwrap();
        assert_eq!(find("string(//title)"), Value::text("Shop & Co"));
        assert_eq!(find("//li"), Value::Nodes(vec!["one".to_owned(), "two".to_owned()]));
        assert_eq!(find("count(//li[@class='a'])"), Value::Json(json!(1.0)));
        assert_eq!(find("boolean(//table)"), Value::Json(json!(false)));
        assert_eq!(find("//table"), Value::Nodes(Vec::new()));
        assert_eq!(find("normalize-space(/html/body/p)"), Value::text("é"));
    }

    #[test]
    fn xml_has_its_prefixes_and_a_name_for_the_default_namespace() {
        let xml = "<?xml version=\"1.0\"?>\n<f xmlns='urn:f' xmlns:x='urn:x'><x:a n='1'>t</x:a><b/></f>";
        let find = |expression| find(expression, xml, Markup::Xml).unwrap();
        assert_eq!(find("string(/_:f/x:a/@n)"), Value::text("1"));
        assert_eq!(find("count(//_:b)"), Value::Json(json!(1.0)));
        assert_eq!(find("//b"), Value::Nodes(Vec::new()));
    }

    #[test]
    fn more_nodes_than_are_kept_are_no_count() {
        let html = format!("<p>{}</p>", "<i>x</i>".repeat(10_001));
        let refused = find("//i", &html, Markup::Html).unwrap_err();
        assert!(refused.starts_with("`//i` finds more than 10000 nodes"), "{refused}");
        assert!(matches!(find("count(//i)", &html, Markup::Html), Ok(Value::Json(n)) if n == 10_001.0));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(find("//a", "<a", Markup::Xml).unwrap_err().contains("no XML"));
        assert!(find("//a[", "<a/>", Markup::Xml).unwrap_err().contains("no XPath"));
        assert!(find("none(//a)", "<a/>", Markup::Xml).unwrap_err().contains("cannot be evaluated"));
        assert!(find("//a", "", Markup::Xml).is_err());
    }

    #[test]
    fn an_expression_that_would_overflow_the_stack_is_refused() {
        let deep = |depth: usize| format!("{}1{}", "(".repeat(depth), ")".repeat(depth));
        assert_eq!(find(&deep(32), "<a/>", Markup::Xml), Ok(Value::Json(json!(1.0))));
        for expression in [deep(33), deep(1_900), "- ".repeat(2_000) + "1", "a[".repeat(1_000)] {
            assert!(find(&expression, "<a/>", Markup::Xml).unwrap_err().contains("nests deeper"));
        }
        assert!(find(&format!("1{}", "+1".repeat(2_000)), "<a/>", Markup::Xml).is_ok());
        assert!(find(&format!("1{}", "+1".repeat(3_000)), "<a/>", Markup::Xml).unwrap_err().contains("4096 bytes"));
    }

    #[test]
    fn a_document_that_would_overflow_or_take_for_ever_is_refused() {
        for markup in [Markup::Xml, Markup::Html] {
            let deep = "<b>".repeat(1_000_000);
            assert!(find("//a", &deep, markup).unwrap_err().contains("levels deep"), "{markup:?}");
            let flat = format!("<a>{}</a>", "<b></b>".repeat(1_000));
            assert!(find("//b", &flat, markup).is_ok(), "{markup:?}");
        }
        let attributes: String = (0..2_000).map(|n| format!(" a{n}=''")).collect();
        for markup in [Markup::Xml, Markup::Html] {
            let error = find("//a", &format!("<a{attributes}/>"), markup).unwrap_err();
            assert!(error.contains("more than 1000 attributes"), "{markup:?}: {error}");
        }
        assert!(find("//a", &" ".repeat(9_000_000), Markup::Html).unwrap_err().contains("bytes"));
        let nested = format!("{}x{}", "<b>".repeat(250), "</b>".repeat(250));
        assert_eq!(find("string(/b)", &nested, Markup::Xml).unwrap(), Value::text("x"));
    }
}
