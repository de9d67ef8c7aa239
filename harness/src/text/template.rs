//! Templates: checked when a file is read, filled in when a trial runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use located::Place;
use minijinja::{
    Value,
    value::{Object, Serde},
};
use serde_json::Value as Json;

use super::{
    FUNCTIONS, Node, NodeKind, Text,
    bounded::{Weight, too_large},
    engine, functions, walk_texts,
};

const MADE_BYTES_MIN: usize = 6; // of a text that is hidden because it was made of a secret

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
    sealed: Sealed,
}

/// Which names hold secrets, and what templates made of them.
#[derive(Clone, Debug, Default)]
struct Sealed {
    names: Arc<BTreeSet<String>>,
    /// Shared by all clones: whoever fills a template in has the scope for reading only.
    made: Arc<Mutex<Vec<Json>>>,
}

impl Default for Scope {
    fn default() -> Self {
        Self { given: Arc::default(), names: Arc::default(), folder: Path::new("").into(), sealed: Sealed::default() }
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

    /// What is made of this name from now on is a secret, too.
    pub(crate) fn seal(&mut self, name: &str) {
        Arc::make_mut(&mut self.sealed.names).insert(name.to_owned());
    }

    /// What templates made of secrets since this was asked last.
    pub(crate) fn take_made(&self) -> Vec<Json> {
        std::mem::take(&mut *self.sealed.made.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets what is defined under a name; gives it back.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        Arc::make_mut(&mut self.names).remove(name)
    }

    /// What the trial gives, and nothing that the scenario defined.
    pub(crate) fn fresh(&self) -> Self {
        Self { names: Arc::default(), ..self.clone() }
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
        let filled = engine::filled(text, self.context()).map_err(|error| refused(place, &error))?;
        if self.touches_a_secret(text) {
            self.remember(text, &filled);
        }
        Ok(filled)
    }

    fn touches_a_secret(&self, template: &str) -> bool {
        let touches = |name: &String| self.sealed.names.contains(name);
        !self.sealed.names.is_empty() && engine::undeclared(template).is_ok_and(|names| names.iter().any(touches))
    }

    /// Of `Basic {{ pair | b64encode }}` what the expression gives, where that can be told; else all of it.
    fn remember(&self, template: &str, filled: &str) {
        let mut made = Vec::new();
        for (at, _) in template.match_indices("{{") {
            let Some((expression, _)) = template[at + 2..].split_once("}}") else { continue };
            let expression = expression.trim_matches(|c: char| c == '-' || c.is_whitespace());
            if self.touches_a_secret(&format!("{{{{ {expression} }}}}")) {
                let value = engine::value(expression, self.context()).ok();
                made.extend(value.and_then(|value| serde_json::to_value(&value).ok()));
            }
        }
        if made.is_empty() || template.contains("{%") {
            made.push(filled.into());
        }
        self.made(made);
    }

    fn made(&self, values: Vec<Json>) {
        let mut made = self.sealed.made.lock().unwrap_or_else(PoisonError::into_inner);
        values.iter().for_each(|value| texts(value, &mut made));
    }

    fn value(&self, expression: &str, place: Place) -> Result<Json, RenderError> {
        let value = engine::value(expression, self.context()).map_err(|error| refused(place, &error))?;
        if value.is_undefined() {
            return Err(RenderError { place, message: format!("`{expression}` is not defined") });
        }
        if Weight::of(&value).is_none() {
            return Err(refused(place, &too_large()));
        }
        let value = serde_json::to_value(&value).map_err(|error| RenderError { place, message: error.to_string() })?;
        if self.touches_a_secret(&format!("{{{{ {expression} }}}}")) {
            self.made(vec![value.clone()]);
        }
        Ok(value)
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

/// The texts in a value. A number or a word that was made of a secret, its length say, would hide others like it.
fn texts(value: &Json, out: &mut Vec<Json>) {
    match value {
        Json::String(text) if text.len() >= MADE_BYTES_MIN => out.push(value.clone()),
        Json::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Json::Object(map) => map.values().for_each(|item| texts(item, out)),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

/// The names that a template uses and does not define itself, sorted. An error is one of its grammar.
pub(crate) fn undeclared(text: &str, place: Place) -> Result<Vec<String>, RenderError> {
    if !is_template(text) {
        return Ok(Vec::new());
    }
    engine::undeclared(text).map_err(|error| refused(place, &error))
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

    /// Each would take more memory or time than there is, in very few instructions.
    #[test]
    fn what_is_made_inside_a_template_is_metered() {
        let doubled = "{% set a = 'x' * 1000 %}".to_owned() + &"{% set a = a ~ a %}".repeat(40);
        let nested = "{% set a = [1, 2] %}".to_owned() + &"{% set a = [a, a] %}".repeat(60);
        let mapped = "{% set a = {'k': 1} %}".to_owned() + &"{% set a = {'k': a, 'l': a} %}".repeat(60);
        let given = "{% set a = [1] %}".to_owned() + &"{% set a = dict(k=a, l=a) %}".repeat(60);
        let list = "{% set big = range(100000)|list %}";
        for text in [
            format!("{doubled}{{{{ a | length }}}}"),
            format!("{nested}{{{{ a == a }}}}"),
            format!("{mapped}{{{{ a == a }}}}"),
            format!("{given}{{{{ a == a }}}}"),
            "{{ [[1] * 100000000] * 100000000 | string }}".to_owned(),
            "{% set n = 100000000 %}{{ ([[1] * n] * n) | string | length }}".to_owned(),
            "{% set n = 100000000 %}{{ ([[1] * n] * n) | list | length }}".to_owned(),
            "{% set n = 100000000 %}{{ ('x' * n) | join('y' * n) | length }}".to_owned(),
            "{% set n = 10000000 %}{{ ('x' * n) | replace('', 'x' * n) | length }}".to_owned(),
            "{% set n = 100000000 %}{{ 3 in [[1] * n] * n }}".to_owned(),
            "{% set n = 100000000 %}{{ ([1] * n)[n - 1] }}".to_owned(),
            "{{ '%999999999999d' | format(1) }}".to_owned(),
            "{{ '%*d' | format(999999999999, 1) }}".to_owned(),
            "{{ [1] | batch(999999999999, 0) | length }}".to_owned(),
            "{{ [1] | slice(999999999999) | length }}".to_owned(),
            "{{ 'a\nb' | indent(999999999999) | length }}".to_owned(),
            "{{ 'a\nb' | indent(width=999999999999) | length }}".to_owned(),
            format!("{list}{{{{ big | map('string') | map('replace', '', 'x' * 100000) | list | length }}}}"),
            format!("{list}{{{{ big | select('in', big) | list | length }}}}"),
            format!("{list}{{% for a in big %}}{{{{ a == big }}}}{{% endfor %}}"),
            format!("{list}{{{{ [big] * 100000 == [big] * 100000 }}}}"),
            format!("{list}{{{{ big | map('string') | sum(start='') | length }}}}"),
            format!("{{% for a in range(10000) %}}{}{{% endfor %}}", "x".repeat(10_000)),
            format!("{{% for a in range(10000) %}}{{{{ '{}' }}}}{{% endfor %}}", "x".repeat(10_000)),
        ] {
            let error = filled(&json!(text).to_string(), &scope()).map(drop).unwrap_err().message;
            let words = ["it gives more than", "it works on more than", "fuel"];
            assert!(words.iter().any(|words| error.contains(words)), "{error}: {text:.300}");
        }
    }

    #[test]
    fn constants_are_weighed_before_the_engine_computes_them() {
        let known = std::collections::BTreeSet::new();
        for text in ["{{ 'x' * 100000000 ~ 'y' }}", "{{ 1 + ('x' * 90000000) }}", "{% if [1] * 2000000 %}{% endif %}"] {
            let error = check_text(text, Place::START, &known).unwrap_err().message;
            assert!(error.contains("it gives more than"), "{text}: {error}");
        }
        assert!(check_text("{{ 1769860800 * 1000000 }}", Place::START, &known).is_ok());
    }

    #[test]
    fn what_collects_output_is_no_part_of_the_language() {
        let known = ["a".to_owned()].into();
        for (text, words) in [
            ("{% set b %}x{% endset %}{{ b }}", "write `{% set name = value %}`"),
            ("{% macro b() %}x{% endmacro %}{{ b() }}", "there are `for`, `if`"),
            ("{% filter upper %}x{% endfilter %}", "there are `for`, `if`"),
            ("{% include 'a' %}", "there are `for`, `if`"),
            ("{% for b in a recursive %}{{ loop(b) }}{% endfor %}", "one loop inside another"),
            ("{{ 1 < a < 3 }}", "write `a < b and b < c`"),
        ] {
            let error = check_text(text, Place::START, &known).unwrap_err().message;
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn metered_operations_mean_what_they_mean_without() {
        let mut scope = scope();
        scope.set("n", 3);
        scope.set("items", vec![4, 5, 6]);
        for (text, value) in [
            ("{{ n + 1 }}", json!(4)),
            ("{{ items + [n] }}", json!([4, 5, 6, 3])),
            ("{{ items * 2 }}", json!([4, 5, 6, 4, 5, 6])),
            ("{{ n * 'ab' }}", json!("ababab")),
            ("{{ n ~ items }}", json!("3[4, 5, 6]")),
            ("{{ items[1:] }}", json!([5, 6])),
            ("{{ items[::-1] }}", json!([6, 5, 4])),
            ("{{ email[:3] }}", json!("ann")),
            ("{{ [n, [n, {'z': n, 'a': items[0], 1: 2}]] }}", json!([3, [3, {"z": 3, "a": 4, "1": 2}]])),
            ("{{ {1: n}[1] }}", json!(3)),
            ("{{ n in items or n == 3 and n != 4 and n < 4 and n <= 3 and n > 2 and n >= 3 }}", json!(true)),
            ("{{ 4 in items and 'ann' in email and n not in items }}", json!(true)),
            ("{{ items | map('string') | join('-') }}", json!("4-5-6")),
            ("{{ items | sum }}", json!(15)),
            ("{{ items | select('gt', 4) | list }}", json!([5, 6])),
            ("{{ range(n) | list }}", json!([0, 1, 2])),
            ("{{ dict(b=n, a=1) }}", json!({"b": 3, "a": 1})),
            ("{{ 'a' if n is defined and n is odd else 'b' }}", json!("a")),
            (
                "{% for i in items if i > 4 %}{{ loop.index }}:{{ i }}{% if not loop.last %}, {% endif %}{% else %}none{% endfor %}.",
                json!("1:5, 2:6."),
            ),
            ("a{% if n > 3 %}b{% elif n == 3 %}c{% else %}d{% endif %}e", json!("ace")),
            ("{% for i in items %}{% if i == 5 %}{% continue %}{% endif %}x{{ i }}{% endfor %}", json!("x4x6")),
            ("{% with a = n * 2 %}<{{ a }}>{% endwith %}", json!("<6>")),
        ] {
            assert_eq!(filled(&json!(text).to_string(), &scope).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_nests_deeper_than_json_is_refused() {
        let mut scope = scope();
        scope.set("deep", (0..200).fold(minijinja::Value::from(1), |inner, _| vec![inner].into()));
        assert!(filled("'{{ deep }}'", &scope).unwrap_err().message.contains("128 levels"));
    }

    #[test]
    fn what_is_made_of_a_secret_is_told_once() {
        let mut scope = scope();
        scope.set("token", "sesame-93");
        scope.seal("token");
        filled(
            "['{{ email }}', 'Basic {{ token | b64encode }}', '{{ token | upper }}', '{{ token | length }}']",
            &scope,
        )
        .unwrap();
        assert_eq!(scope.take_made(), [json!("c2VzYW1lLTkz"), json!("SESAME-93")]);
        assert!(scope.take_made().is_empty());
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
