//! Values with holes. A text that is one `{{ expression }}` becomes what the expression is (a number stays a number, and
//! what is undefined leaves its field out); other texts are rendered; all else stands as it is written.

use std::{cell::OnceCell, collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, value::Serde};
use serde_json::{Map, Value as Json, json};

use super::draw::Draw;
use crate::{http::Request, stub::shown};

const FUEL: u64 = 100_000; // instructions per text; a list of a thousand rows needs far less

/// All texts of a definition.
pub(crate) struct Templates {
    environment: Environment<'static>,
    count: usize,
    used: bool,
}

/// A value with holes.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    Plain(Json),
    /// `{{ row.id }}`: needs no template engine.
    Path(Vec<String>),
    Expression(String),
    Text(Text),
    Object(Vec<(String, Self)>),
    Array(Vec<Self>),
}

/// A text with holes.
#[derive(Clone, Debug)]
pub(crate) enum Text {
    Plain(String),
    /// The name of its template.
    Template(String),
}

impl Default for Templates {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        environment.add_function("json_path", json_path);
        Self { environment, count: 0, used: false }
    }
}

/// The one value that a path finds, or the list of those that it finds.
fn json_path(value: minijinja::Value, path: &str) -> Result<minijinja::Value, minijinja::Error> {
    let wrong = |why: String| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, why);
    let path = serde_json_path::JsonPath::parse(path).map_err(|error| wrong(error.to_string()))?;
    let json = match value.as_str() {
        Some(text) => serde_json::from_str(text).unwrap_or(Json::Null),
        None => serde_json::to_value(&value).map_err(|error| wrong(error.to_string()))?,
    };
    let found = path.query(&json).all();
    Ok(match found.as_slice() {
        [] => minijinja::Value::UNDEFINED,
        [one] => minijinja::Value::from(Serde(one)),
        many => minijinja::Value::from(Serde(many)),
    })
}

impl Templates {
    /// Nothing was made that needs a scope.
    pub(crate) fn is_empty(&self) -> bool {
        !self.used
    }

    pub(crate) fn text(&mut self, source: &str) -> Result<Text, String> {
        if !source.contains("{{") && !source.contains("{%") && !source.contains("{#") {
            return Ok(Text::Plain(source.to_owned()));
        }
        self.used = true;
        let name = format!("text {}", self.count);
        self.count += 1;
        let added = self.environment.add_template_owned(name.clone(), source.to_owned());
        added.map_err(|error| format!("the text is no template: {error}"))?;
        Ok(Text::Template(name))
    }

    pub(crate) fn node(&mut self, value: &Json) -> Result<Node, String> {
        match value {
            Json::String(text) => self.leaf(text),
            Json::Array(items) => {
                let nodes: Vec<_> = items.iter().map(|item| self.node(item)).collect::<Result<_, _>>()?;
                Ok(if nodes.iter().all(Node::is_plain) { Node::Plain(value.clone()) } else { Node::Array(nodes) })
            }
            Json::Object(map) => {
                let field = |(name, value): (&String, &Json)| Ok((name.clone(), self.node(value)?));
                let nodes: Vec<(String, Node)> = map.iter().map(field).collect::<Result<_, String>>()?;
                let plain = nodes.iter().all(|(_, node)| node.is_plain());
                Ok(if plain { Node::Plain(value.clone()) } else { Node::Object(nodes) })
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => Ok(Node::Plain(value.clone())),
        }
    }

    fn leaf(&mut self, text: &str) -> Result<Node, String> {
        let trimmed = text.trim();
        let inside = trimmed.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        let Some(inside) = inside.map(str::trim).filter(|inside| !inside.contains("{{") && !inside.contains("}}"))
        else {
            return Ok(match self.text(text)? {
                Text::Plain(text) => Node::Plain(text.into()),
                template @ Text::Template(_) => Node::Text(template),
            });
        };
        self.expression(inside)
    }

    /// What stands between the braces.
    pub(crate) fn expression(&mut self, text: &str) -> Result<Node, String> {
        self.used = true;
        let is_name = |part: &str| {
            part.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && part.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        let reserved = ["true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if", "else"];
        if text.split('.').all(is_name) && !reserved.contains(&text) {
            return Ok(Node::Path(text.split('.').map(str::to_owned).collect()));
        }
        let checked = self.environment.compile_expression(text).map(drop);
        checked.map_err(|error| format!("`{text}` is no expression: {error}"))?;
        Ok(Node::Expression(text.to_owned()))
    }
}

impl Node {
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }
}

/// What holes can see, and what they draw from.
pub(crate) struct Scope<'a> {
    templates: &'a Templates,
    pub(crate) draw: Arc<Draw>,
    now: Timestamp,
    seen: Map<String, Json>,
    request: Option<&'a Request>,
    // Made when a hole asks for it: most answers have none.
    clock: OnceCell<Json>,
    params: OnceCell<Json>,
    shown: OnceCell<Json>,
    context: OnceCell<minijinja::Value>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(templates: &'a Templates, draw: Arc<Draw>, now: Timestamp) -> Self {
        Self {
            templates,
            draw,
            now,
            seen: Map::new(),
            request: None,
            clock: OnceCell::new(),
            params: OnceCell::new(),
            shown: OnceCell::new(),
            context: OnceCell::new(),
        }
    }

    /// Lets holes see the request, as `request` and `params`.
    pub(crate) fn with_request(mut self, request: &'a Request) -> Self {
        self.request = Some(request);
        self
    }

    /// What every hole can see, unless something else was set.
    fn given(&self, name: &str) -> Option<&Json> {
        match (name, self.request) {
            ("now", _) => Some(self.clock.get_or_init(|| clock(self.now))),
            ("params", Some(request)) => Some(self.params.get_or_init(|| params(request))),
            ("request", Some(request)) => Some(self.shown.get_or_init(|| shown(request))),
            _ => None,
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Json>) {
        self.seen.insert(name.to_owned(), value.into());
        self.context.take();
    }

    pub(crate) fn get(&self, name: &str) -> &Json {
        self.seen.get(name).unwrap_or(&Json::Null)
    }

    /// None: undefined.
    pub(crate) fn value(&self, node: &Node) -> Result<Option<Json>, String> {
        Ok(Some(match node {
            Node::Plain(value) => value.clone(),
            Node::Path(path) => return Ok(self.at(path)),
            Node::Expression(text) => return self.evaluated(text),
            Node::Text(text) => self.text(text)?.into(),
            Node::Array(nodes) => {
                let items = nodes.iter().filter_map(|node| self.value(node).transpose());
                Json::Array(items.collect::<Result<_, _>>()?)
            }
            Node::Object(fields) => {
                let mut map = Map::new();
                for (name, node) in fields {
                    if let Some(value) = self.value(node)? {
                        map.insert(name.clone(), value);
                    }
                }
                Json::Object(map)
            }
        }))
    }

    pub(crate) fn text(&self, text: &Text) -> Result<String, String> {
        match text {
            Text::Plain(text) => Ok(text.clone()),
            Text::Template(name) => {
                let template = self.templates.environment.get_template(name).map_err(|error| error.to_string())?;
                template.render(self.context().clone()).map_err(|error| format!("the template fails: {error}"))
            }
        }
    }

    /// Whether a condition holds, as templates see truth.
    pub(crate) fn holds(&self, condition: &Node) -> Result<bool, String> {
        Ok(match self.value(condition)? {
            None | Some(Json::Null) => false,
            Some(Json::Bool(truth)) => truth,
            Some(Json::Number(number)) => number.as_f64() != Some(0.0),
            Some(Json::String(text)) => !text.is_empty(),
            Some(Json::Array(items)) => !items.is_empty(),
            Some(Json::Object(map)) => !map.is_empty(),
        })
    }

    fn at(&self, path: &[String]) -> Option<Json> {
        let (first, rest) = path.split_first()?;
        let start = self.seen.get(first).or_else(|| self.given(first))?;
        rest.iter().try_fold(start, |value, name| value.get(name)).cloned()
    }

    fn evaluated(&self, text: &str) -> Result<Option<Json>, String> {
        let expression = self.templates.environment.compile_expression(text).map_err(|error| error.to_string())?;
        let value = expression.eval(self.context().clone()).map_err(|error| format!("`{text}` fails: {error}"))?;
        if value.is_undefined() {
            return Ok(None);
        }
        serde_json::to_value(&value).map(Some).map_err(|error| error.to_string())
    }

    fn context(&self) -> &minijinja::Value {
        self.context.get_or_init(|| {
            let seen = self.seen.iter().map(|(name, value)| (name.as_str(), minijinja::Value::from(Serde(value))));
            let given = |name| Some((name, minijinja::Value::from(Serde(self.given(name)?))));
            let given = ["now", "params", "request"].into_iter().filter_map(given);
            let functions = self.draw.functions(self.now);
            minijinja::Value::from(
                functions.into_iter().chain(given).chain(seen).collect::<BTreeMap<&str, minijinja::Value>>(),
            )
        })
    }
}

fn clock(now: Timestamp) -> Json {
    json!({"unix": now.as_second(), "unix_ms": now.as_millisecond(), "iso": iso(now)})
}

fn params(request: &Request) -> Json {
    request.params.iter().map(|(name, value)| ((*name).to_owned(), Json::from(value.as_str()))).collect()
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(value: &Json) -> Result<Option<Json>, String> {
        let mut templates = Templates::default();
        let node = templates.node(value)?;
        let mut scope = Scope::new(&templates, Draw::new("test"), Timestamp::UNIX_EPOCH);
        scope.set("row", json!({"id": "par_1", "weight": 3}));
        scope.value(&node)
    }

    #[test]
    fn one_expression_keeps_its_type_and_undefined_leaves_the_field_out() {
        let value = json!({"w": "{{ row.weight }}", "twice": "{{ row.weight * 2 }}", "t": "id {{ row.id }}",
            "gone": "{{ row.nothing }}", "list": ["{{ row.id }}", 1], "n": null});
        let expected = json!({"w": 3, "twice": 6, "t": "id par_1", "list": ["par_1", 1], "n": null});
        assert_eq!(filled(&value), Ok(Some(expected)));
    }

    #[test]
    fn a_broken_template_is_refused_when_it_is_read() {
        assert!(filled(&json!("{{ row. }}")).expect_err("is broken").contains("is no expression"));
        assert!(filled(&json!("a {% if %}")).expect_err("is broken").contains("no template"));
    }

    #[test]
    fn draws_are_at_hand() {
        let value = filled(&json!({"id": "{{ id('x_', 8) }}", "who": "{{ fake('name') }}"})).expect("is fine");
        assert_eq!(value.expect("is defined")["id"].as_str().map(str::len), Some(10));
        assert!(filled(&json!("{{ fake('planet') }}")).is_err());
    }
}
