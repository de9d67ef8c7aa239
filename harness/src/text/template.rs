//! Templates: checked when a file is read, filled in when a trial runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, LazyLock},
};

use located::Place;
use minijinja::{
    Environment, ErrorKind, UndefinedBehavior, Value,
    syntax::SyntaxConfig,
    value::{Object, Serde},
};
use serde_json::Value as Json;

use super::{FUNCTIONS, Node, NodeKind, Text, bounded, functions, walk_texts};

const FUEL_MAX: u64 = 50_000; // instructions per template; a loop over any sensible list fits

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL_MAX));
    // The file said where lines end; input that is typed needs it.
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the default marks differ");
    environment.set_syntax(syntax);
    functions::register(&mut environment);
    environment
});

/// Why a template could not be filled in, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RenderError {
    pub(crate) place: Place,
    pub(crate) message: String,
}

/// The names that templates of one trial can use. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    /// What the trial itself gives.
    given: Arc<BTreeMap<String, Value>>,
    /// What the scenario defines.
    names: Arc<BTreeMap<String, Value>>,
    /// Where `file` looks.
    folder: Arc<Path>,
}

impl Default for Scope {
    fn default() -> Self {
        Self { given: Arc::default(), names: Arc::default(), folder: Path::new("").into() }
    }
}

impl Scope {
    /// From now on `file` looks below this folder.
    pub(crate) fn stand_in(&mut self, folder: &Path) {
        if *self.folder != *folder {
            self.folder = folder.into();
        }
    }

    /// Fragments know these names too.
    pub(crate) fn give(&mut self, name: &str, value: impl Into<Value>) {
        Arc::make_mut(&mut self.given).insert(name.to_owned(), value.into());
    }

    pub(crate) fn give_json(&mut self, name: &str, value: &Json) {
        self.give(name, Serde(value));
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        Arc::make_mut(&mut self.names).insert(name.to_owned(), value.into());
    }

    pub(crate) fn set_json(&mut self, name: &str, value: &Json) {
        self.set(name, Serde(value));
    }

    /// Forgets what is defined under a name; gives it back.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        Arc::make_mut(&mut self.names).remove(name)
    }

    /// What the trial gives, and nothing that the scenario defined.
    pub(crate) fn fresh(&self) -> Self {
        Self { given: Arc::clone(&self.given), names: Arc::default(), folder: Arc::clone(&self.folder) }
    }

    /// The value of a name that the scenario defined.
    pub(crate) fn get(&self, name: &str) -> Option<Json> {
        self.names.get(name).and_then(|value| serde_json::to_value(value).ok())
    }

    /// All that the scenario defined.
    pub(crate) fn defined(&self) -> Json {
        self.names
            .keys()
            .filter_map(|name| Some((name.clone(), self.get(name)?)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    pub(crate) fn text(&self, text: &Text) -> Result<String, RenderError> {
        self.fill(&text.value, text.place)
    }

    /// Fills in a whole value. A string that is nothing but one `{{ expression }}` takes the expression's value with
    /// its type: `total: "{{ total }}"` is a number where `total` is one.
    pub(crate) fn node(&self, node: &Node) -> Result<Json, RenderError> {
        match &node.kind {
            NodeKind::Text(text) => match lone_expression(text) {
                Some(expression) => self.value(expression, node.place),
                None => self.fill(text, node.place).map(Json::String),
            },
            NodeKind::List(items) => items.iter().map(|item| self.node(item)).collect(),
            NodeKind::Map(entries) => {
                entries.iter().map(|(key, item)| Ok((self.fill(key, item.place)?, self.node(item)?))).collect()
            }
            NodeKind::Null | NodeKind::Bool(_) | NodeKind::Number(_) => Ok(node.written()),
        }
    }

    fn fill(&self, text: &str, place: Place) -> Result<String, RenderError> {
        if !is_template(text) {
            return Ok(text.to_owned());
        }
        let mut out = bounded::Writer::default();
        let rendered = ENVIRONMENT
            .template_from_str(text)
            .and_then(|template| template.render_captured_to(self.context(), &mut out).map(drop));
        rendered.map_err(|error| refused(place, &error))?;
        Ok(out.into_text())
    }

    fn value(&self, expression: &str, place: Place) -> Result<Json, RenderError> {
        let value = ENVIRONMENT
            .compile_expression(expression)
            .and_then(|compiled| compiled.eval(self.context()))
            .map_err(|error| refused(place, &error))?;
        if value.is_undefined() {
            return Err(RenderError { place, message: format!("`{expression}` is not defined") });
        }
        if !bounded::fits(&value) {
            return Err(RenderError { place, message: bounded::too_large() });
        }
        serde_json::to_value(&value).map_err(|error| RenderError { place, message: error.to_string() })
    }

    fn context(&self) -> Value {
        Value::from_object(self.clone())
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        if key == "file" {
            return Some(functions::file_of(self.folder.to_path_buf()));
        }
        self.names.get(key).or_else(|| self.given.get(key)).cloned()
    }
}

/// The names that a template uses and does not define itself, sorted. An error is one of its grammar.
pub(crate) fn undeclared(text: &str, place: Place) -> Result<Vec<String>, RenderError> {
    if !is_template(text) {
        return Ok(Vec::new());
    }
    let template = ENVIRONMENT.template_from_str(text).map_err(|error| refused(place, &error))?;
    let mut names: Vec<_> = template.undeclared_variables(false).into_iter().collect();
    names.sort();
    Ok(names)
}

/// Checks the template's grammar and that it uses `known` names only.
pub(crate) fn check_text(text: &str, place: Place, known: &BTreeSet<String>) -> Result<(), RenderError> {
    let is_known = |name: &String| known.contains(name) || FUNCTIONS.contains(&name.as_str());
    match undeclared(text, place)?.iter().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(RenderError { place, message: format!("nothing defines `{name}` before this place") }),
    }
}

/// [`check_text`] for every string of a value; all that is wrong is found.
pub(crate) fn check_node(node: &Node, known: &BTreeSet<String>, found: &mut Vec<RenderError>) {
    walk_texts(node, &mut |text, place| found.extend(check_text(text, place, known).err()));
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].into_iter().any(|mark| text.contains(mark))
}

/// The expression of a text like `{{ expression }}`, if that is all there is.
fn lone_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let is_lone = !inner.contains("{{") && !inner.contains("}}") && !inner.starts_with('-') && !inner.ends_with('-');
    is_lone.then(|| inner.trim())
}

fn refused(place: Place, error: &minijinja::Error) -> RenderError {
    if error.kind() == ErrorKind::WriteFailure {
        return RenderError { place, message: bounded::too_large() };
    }
    let message =
        error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    RenderError { place, message }
}

#[cfg(test)]
mod tests {
    use located::{Place, Source};
    use serde_json::json;

    use super::{Scope, check_text};
    use crate::text::{Node, Random};

    fn filled(yaml: &str, scope: &Scope) -> Result<serde_json::Value, super::RenderError> {
        scope.node(&located::yaml::<Node>(&Source::new("a.yaml", yaml)).unwrap())
    }

    fn scope() -> Scope {
        let mut scope = Scope::default();
        scope.set_json("order", &json!({"total": 2400, "lines": [1, 2]}));
        scope.set("email", "ann@example.com");
        scope
    }

    #[test]
    fn a_lone_expression_keeps_its_type() {
        let got = filled("{a: '{{ order.total }}', b: ' {{ order.lines }} ', c: 'n {{ order.total * 2 }}'}", &scope());
        assert_eq!(got.unwrap(), json!({"a": 2400, "b": [1, 2], "c": "n 4800"}));
    }

    #[test]
    fn two_expressions_are_a_text() {
        assert_eq!(filled("'{{ email }}{{ email }}'", &scope()).unwrap(), "ann@example.comann@example.com");
    }

    #[test]
    fn the_line_end_of_a_template_stays() {
        assert_eq!(filled(r#""to {{ email }}\n""#, &scope()).unwrap(), "to ann@example.com\n");
    }

    #[test]
    fn an_undefined_name_points_at_its_place() {
        for yaml in
            ["a: 1\nb: [x, '{{ nobody }}']", "a: 1\nb: [x, 'n {{ nobody }}']", "a: 1\nb: [x, '{{ order.none }}']"]
        {
            let error = filled(yaml, &scope()).unwrap_err();
            assert_eq!((error.place.line, error.place.column), (2, 8), "{error:?}");
        }
    }

    #[test]
    fn unknown_names_and_bad_grammar_are_found_without_running() {
        let known = ["email".to_owned()].into();
        assert!(check_text("{{ email }}", Place::START, &known).is_ok());
        assert!(check_text("no template", Place::START, &known).is_ok());
        let error = |text| check_text(text, Place::START, &known).unwrap_err().message;
        assert_eq!(error("{{ emial }}"), "nothing defines `emial` before this place");
        assert!(error("{{ email ").contains("syntax error"), "{}", error("{{ email "));
    }

    #[test]
    fn an_endless_template_ends() {
        let error =
            filled("'{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}'", &scope());
        assert!(error.unwrap_err().message.contains("fuel"));
    }

    #[test]
    fn what_no_machine_holds_is_refused() {
        let list = "[['x' * 10000] * 100000] * 10000";
        for text in [
            format!("{{{{ {list} }}}}"),
            format!("a {{{{ {list} }}}}"),
            format!("{{{{ ({list}) | tojson }}}}"),
            format!("{{{{ {{'a': {list}}} }}}}"),
            "{{ [[1] * 1001] * 1000 }}".to_owned(),
        ] {
            let error = filled(&json!(text).to_string(), &scope()).unwrap_err();
            assert!(error.message.contains("it gives more than"), "{text}: {error:?}");
        }
        assert_eq!(filled("'{{ [1] * 3 }}'", &scope()).unwrap(), json!([1, 1, 1]));
    }

    #[test]
    fn what_nests_deeper_than_json_is_refused() {
        let mut scope = scope();
        scope.set("deep", (0..200).fold(minijinja::Value::from(1), |inner, _| vec![inner].into()));
        assert!(filled("'{{ deep }}'", &scope).unwrap_err().message.contains("128 levels"));
    }

    #[test]
    fn random_values_can_be_drawn() {
        let mut scope = Scope::default();
        scope.set("random", minijinja::Value::from_object(Random::new(&[3; 32])));
        let got = filled("{n: '{{ random.int(5, 5) }}', e: '{{ random.email }}'}", &scope).unwrap();
        assert_eq!(got["n"], 5);
        assert!(got["e"].as_str().unwrap().ends_with("@example.com"));
        assert!(filled("'{{ random.nothing }}'", &scope).is_err());
        assert!(filled("'{{ random.dice(6) }}'", &scope).unwrap_err().message.contains("int(a, b)"));
    }
}
