//! Test scripts: the statements that only say what must hold, or keep a value.
//!
//! `lex` splits JavaScript into tokens, `parse` into statements and chains of calls, `expect` knows what chains of
//! Postman and Chai mean. A statement that is not known entirely is reported as it is written; nothing is run.

mod expect;
mod lex;
mod parse;

use crate::import::write::{Map, Yaml};

/// A text in a check that begins so is the name of a variable.
pub(super) const VARIABLE_MARK: char = '\u{e001}'; // of a private area, so that no text has it

const BRIEF_CHARS_MAX: usize = 120;

/// What scripts ask for.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) status: Option<Yaml>,
    pub(super) max_latency_ms: Option<u64>,
    pub(super) checks: Vec<Map>,
    pub(super) captures: Vec<Capture>,
    /// Statements that are not understood, on one line each.
    pub(super) unsupported: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Capture {
    pub(super) name: String,
    pub(super) rule: Yaml,
}

pub(super) fn read(text: &str) -> Script {
    let mut script = Script::default();
    match lex::tokens(text) {
        Some(tokens) => expect::block(&tokens, &mut expect::Aliases::default(), &mut script),
        None => script.unsupported.push(brief(text)),
    }
    script
}

impl Script {
    /// What another script asks for, too.
    pub(super) fn add(&mut self, other: Self) {
        self.status = other.status.or_else(|| self.status.take());
        self.max_latency_ms = other.max_latency_ms.or(self.max_latency_ms);
        self.checks.extend(other.checks);
        self.captures.extend(other.captures);
        self.unsupported.extend(other.unsupported);
    }
}

/// The beginning of a text, on one line.
pub(super) fn brief(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(BRIEF_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::{VARIABLE_MARK, read};
    use crate::import::write::{Map, Yaml};

    #[test]
    fn declarative_checks_are_understood() {
        let script = read(
            r#"
// The status.
pm.test("ok", function () { pm.response.to.have.status(201); });
pm.test('fast', () => pm.expect(pm.response.responseTime).to.be.below(500));
const data = pm.response.json();
pm.test("body", () => {
    pm.expect(data.name).to.eql("mug");
    pm.expect(data.items[0]["the id"]).to.be.a('number');
    pm.expect(data.items).to.be.an("array").that.has.lengthOf(2);
    pm.expect(data.items.length).to.be.above(1);
    pm.expect(data).to.have.property("total", 12.5);
    pm.expect(data).to.not.have.property("error");
    pm.expect(data.tags).to.include("new");
    pm.expect(data.kind).to.be.oneOf(["a", "b"]);
    pm.expect(data.ok).to.be.true;
    pm.expect(data.none).to.be.null;
    pm.expect(data.id).to.equal(pm.environment.get("wanted"));
    pm.expect(data.code).to.match(/^[A-Z]+\d$/);
    pm.expect(pm.response.text()).to.include("mug");
    pm.expect(pm.response.headers.get("X-Id")).to.eql("7");
    pm.response.to.have.header("Content-Type", "application/json");
});
pm.environment.set("order", data.id);
pm.collectionVariables.set('etag', pm.response.headers.get('ETag'));
"#,
        );
        assert_eq!(script.unsupported, Vec::<String>::new());
        let checks: Vec<_> =
            script.checks.iter().map(|check| Yaml::List(vec![check.clone().into()]).document()).collect();
        insta::assert_snapshot!(checks.concat().replace(VARIABLE_MARK, "$"), @r#"
        - { jsonpath: $.name, equals: mug }
        - { jsonpath: "$.items[0]['the id']", type: number }
        - { jsonpath: $.items, type: array, length: 2 }
        - { jsonpath: $.items, filters: [count], gt: 1 }
        - { jsonpath: $.total, equals: 12.5 }
        - { jsonpath: $.error, exists: false }
        - { jsonpath: $.tags, contains: new }
        - { jsonpath: $.kind, one_of: [a, b] }
        - { jsonpath: $.ok, equals: true }
        - { jsonpath: $.none, equals: null }
        - { jsonpath: $.id, equals: "$wanted" }
        - { jsonpath: $.code, matches: '^[A-Z]+\d$' }
        - { body: true, contains: mug }
        - { header: X-Id, equals: "7" }
        - { header: Content-Type, equals: application/json }
        "#);
        assert_eq!((script.status, script.max_latency_ms), (Some(Yaml::Number("201".to_owned())), Some(500)));
        let captures: Vec<_> =
            script.captures.iter().map(|capture| (capture.name.as_str(), capture.rule.clone())).collect();
        assert_eq!(captures, [("order", Yaml::from("$.id")), ("etag", Map::one("header", "ETag").into())]);
    }

    #[test]
    fn what_is_more_than_a_statement_is_listed() {
        let script = read(
            "if (pm.response.code === 200) { pm.environment.set('a', 1); }\nfor (const x of y) { f(x); }\npm.expect(compute(1)).to.eql(2);\n\
             pm.test('t', () => { pm.expect(pm.response.code).to.be.oneOf([200, 201]); const z = Math.max(1, 2); });\nconsole.log('x');",
        );
        assert_eq!(
            script.unsupported,
            [
                "if (pm.response.code === 200) { pm.environment.set('a', 1); }",
                "for (const x of y) { f(x); }",
                "pm.expect(compute(1)).to.eql(2);",
                "const z = Math.max(1, 2);"
            ]
        );
        assert_eq!(
            script.status,
            Some(Yaml::List(vec![Yaml::Number("200".to_owned()), Yaml::Number("201".to_owned())]))
        );
    }

    #[test]
    fn a_script_that_is_no_javascript_is_listed_whole() {
        assert_eq!(read("pm.test('a, () => {").unsupported, ["pm.test('a, () => {"]);
        assert_eq!(read("pm.test(").unsupported, ["pm.test("]);
        assert!(read("").unsupported.is_empty());
    }
}
