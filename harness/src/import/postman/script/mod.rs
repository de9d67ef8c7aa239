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
    pub(super) status: Option<Status>,
    pub(super) max_latency_ms: Option<u64>,
    pub(super) checks: Vec<Map>,
    pub(super) captures: Vec<Capture>,
    pub(super) unsupported: Vec<Unsupported>,
}

/// A statement that is not understood.
#[derive(Debug)]
pub(super) struct Unsupported {
    /// Its beginning, on one line.
    pub(super) brief: String,
    /// The line that it begins on, as it is written.
    pub(super) line: String,
}

/// Which statuses are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// 200, or one of several.
    Codes(Vec<String>),
    /// The hundreds from the first to the last: `(4, 5)` is 400 to 599.
    Classes(u8, u8),
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
        None => script.unsupported.push(Unsupported::of(text)),
    }
    script
}

impl Script {
    /// What another script asks for, too.
    pub(super) fn add(&mut self, other: Self) {
        other.status.into_iter().for_each(|status| self.require_status(status));
        other.max_latency_ms.into_iter().for_each(|limit| self.require_latency(limit));
        self.checks.extend(other.checks);
        self.captures.extend(other.captures);
        self.unsupported.extend(other.unsupported);
    }
}

impl Script {
    /// All of several rules must hold, so that a second one stands beside the first.
    pub(super) fn require_status(&mut self, status: Status) {
        match &self.status {
            None => self.status = Some(status),
            Some(known) if *known == status => {}
            Some(_) => self.checks.push(status.check()),
        }
    }

    pub(super) fn require_latency(&mut self, limit_ms: u64) {
        self.max_latency_ms = Some(self.max_latency_ms.map_or(limit_ms, |known| known.min(limit_ms)));
    }
}

impl Status {
    /// As `status` of an expectation.
    pub(super) fn rule(&self) -> Yaml {
        let number = |code: &String| Yaml::Number(code.clone());
        match self {
            Self::Codes(codes) if codes.len() == 1 => number(&codes[0]),
            Self::Codes(codes) => Yaml::List(codes.iter().map(number).collect()),
            Self::Classes(first, last) if first == last => format!("{first}xx").into(),
            Self::Classes(first, last) => {
                (*first..=*last).map(|class| format!("{class}xx").into()).collect::<Vec<_>>().into()
            }
        }
    }

    fn check(&self) -> Map {
        let check = Map::one("status", true);
        match self {
            Self::Codes(codes) if codes.len() == 1 => check.with("equals", self.rule()),
            Self::Codes(_) => check.with("one_of", self.rule()),
            Self::Classes(first, last) => {
                check.with("gte", i64::from(*first) * 100).with("lt", (i64::from(*last) + 1) * 100)
            }
        }
    }
}

impl Unsupported {
    fn of(text: &str) -> Self {
        let line = text.trim_start().lines().next().unwrap_or_default();
        Self { brief: brief(text), line: line.trim_end().to_owned() }
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
    use super::{Script, Status, VARIABLE_MARK, read};
    use crate::import::write::{Map, Yaml};

    fn listed(script: &Script) -> Vec<&str> {
        script.unsupported.iter().map(|unsupported| unsupported.brief.as_str()).collect()
    }

    fn codes(codes: &[&str]) -> Status {
        Status::Codes(codes.iter().map(|&code| code.to_owned()).collect())
    }

    /// The checks of a script that is understood entirely, as they are written.
    fn checks(text: &str) -> String {
        let script = read(text);
        assert_eq!(listed(&script), Vec::<&str>::new());
        let one = |check: &Map| Yaml::List(vec![check.clone().into()]).document();
        script.checks.iter().map(one).collect::<String>().replace(VARIABLE_MARK, "$")
    }

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
        assert_eq!(listed(&script), Vec::<String>::new());
        let one = |check: &Map| Yaml::List(vec![check.clone().into()]).document();
        let checks: String = script.checks.iter().map(one).collect();
        insta::assert_snapshot!(checks.replace(VARIABLE_MARK, "$"), @r#"
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
        assert_eq!((script.status, script.max_latency_ms), (Some(codes(&["201"])), Some(500)));
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
            listed(&script),
            [
                "if (pm.response.code === 200) { pm.environment.set('a', 1); }",
                "for (const x of y) { f(x); }",
                "pm.expect(compute(1)).to.eql(2);",
                "const z = Math.max(1, 2);"
            ]
        );
        assert_eq!(script.status, Some(codes(&["200", "201"])));
    }

    #[test]
    fn a_script_that_is_no_javascript_is_listed_whole() {
        assert_eq!(listed(&read("pm.test('a, () => {")), ["pm.test('a, () => {"]);
        assert_eq!(listed(&read("pm.test(")), ["pm.test("]);
        assert!(read("").unsupported.is_empty());
    }

    #[test]
    fn a_second_rule_stands_beside_the_first() {
        let script = read(
            "pm.response.to.have.status(201); pm.response.to.be.success; pm.expect(pm.response.code).to.be.oneOf([201, 202]);\n\
             pm.expect(pm.response.responseTime).to.be.below(200); pm.expect(pm.response.responseTime).to.be.below(900);",
        );
        assert_eq!((script.status, script.max_latency_ms), (Some(codes(&["201"])), Some(200)));
        let mut both = read("pm.response.to.have.status(404)");
        both.add(read("pm.response.to.be.error; pm.expect(pm.response.responseTime).to.be.below(900)"));
        both.add(read("pm.response.to.have.status(404); pm.expect(pm.response.responseTime).to.be.below(300)"));
        assert_eq!((both.status, both.max_latency_ms), (Some(codes(&["404"])), Some(300)));
        let checks: Vec<Yaml> = script.checks.into_iter().chain(both.checks).map(Yaml::from).collect();
        insta::assert_snapshot!(Yaml::List(checks).document(), @r"
        - { status: true, gte: 200, lt: 300 }
        - { status: true, one_of: [201, 202] }
        - { status: true, gte: 400, lt: 600 }
        ");
    }

    #[test]
    fn what_is_asked_of_an_object_is_not_asked_of_its_property() {
        let text = "const d = pm.response.json();\n\
            pm.expect(d).to.be.an('object').that.has.property('id').that.is.a('number').and.is.above(1);\n\
            pm.expect(d.a).to.have.property('b').that.is.not.empty;\n\
            pm.expect(d.name).to.include('a').and.include('b');\n\
            pm.expect(d.name).to.not.include('x').and.not.equal('y');\n\
            pm.expect(d).to.include({ n: 1, t: 'x' });\n\
            pm.response.to.have.jsonBody('a.b.c');";
        insta::assert_snapshot!(checks(text), @r"
        - { jsonpath: $, type: object }
        - { jsonpath: $.id, exists: true, type: number, gt: 1 }
        - { jsonpath: $.a.b, exists: true }
        - { jsonpath: $.a.b, not: { empty: true } }
        - { jsonpath: $.name, contains: a }
        - { jsonpath: $.name, contains: b }
        - { jsonpath: $.name, not: { contains: x } }
        - { jsonpath: $.name, not: { equals: y } }
        - { jsonpath: $.n, equals: 1 }
        - { jsonpath: $.t, equals: x }
        - { jsonpath: $.a.b.c, exists: true }
        ");
    }

    #[test]
    fn what_cannot_be_said_is_listed_and_no_part_of_it_is_kept() {
        for line in [
            "pm.expect(d).to.deep.include({ a: 1 });",
            "pm.expect(d).to.include([1]);",
            "pm.expect(d).to.not.include({ a: 1 });",
            "pm.expect(d).to.include({ a: { b: 1 } });",
            "pm.expect(d).to.be.an('object').that.has.property('id').that.satisfies(f);",
            "pm.expect(d).to.have.nested.property('a.b');",
            "pm.response.to.have.jsonBody('user name');",
            "pm.response.to.not.be.ok;",
            "tests['a'] = responseCode.code === 200;",
            "done();",
        ] {
            let script = read(&format!("const d = pm.response.json();\n{line}"));
            assert_eq!(listed(&script), [line]);
            assert!(script.checks.is_empty() && script.status.is_none(), "{script:?}");
        }
    }

    #[test]
    fn a_name_that_means_something_else_now_means_nothing_here() {
        let script = read(
            "let d = pm.response.json();\nlet d = compute();\npm.expect(d.a).to.eql(1);\n\
                           const e = pm.response.json();\ne = other;\npm.expect(e.a).to.eql(1);",
        );
        assert_eq!(
            listed(&script),
            ["let d = compute();", "pm.expect(d.a).to.eql(1);", "e = other;", "pm.expect(e.a).to.eql(1);"]
        );
        assert!(script.checks.is_empty());
    }
}
