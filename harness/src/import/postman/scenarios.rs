//! Folders as scenarios, requests as steps.

use std::collections::{BTreeMap, BTreeSet};

use located::{Place, Source};

use super::{
    PostmanOptions,
    collection::{Collection, RequestOrUrl},
    names::{Names, expanded, split},
    script,
    walk::{Found, requests},
};
use crate::import::{
    Imported, ImportedFile, Notes,
    slug::{Unique, slug},
    write::{Map, Yaml},
};

/// One scenario while it is written.
pub(super) struct Writer<'a> {
    pub(super) names: Names<'a>,
    pub(super) options: &'a PostmanOptions,
    /// The origin that stands for the subject.
    pub(super) base: &'a str,
    pub(super) copies: Vec<(std::path::PathBuf, String)>,
}

pub(super) fn all(source: &Source, collection: &Collection, options: &PostmanOptions) -> Imported {
    let mut notes = Notes::new(source);
    let requests = requests(source, collection, &mut notes);
    let given = given(collection, options);
    let base = usual_origin(&requests, &given);
    let mut names = Unique::default();
    let mut files = Vec::new();
    for (name, group) in groups(&collection.info.name, &requests) {
        let writer = Writer { names: Names::new(&given), options, base: &base, copies: Vec::new() };
        let slug = names.name(&slug(&name), "-");
        files.push(writer.scenario(source, &name, &slug, &group, &mut notes));
    }
    Imported { files, notes: notes.finish() }
}

fn given(collection: &Collection, options: &PostmanOptions) -> BTreeMap<String, String> {
    let own = collection.variable.iter().filter(|variable| !variable.disabled && !variable.is_secret());
    let mut given: BTreeMap<_, _> = own.map(|variable| (variable.key.clone(), variable.text())).collect();
    // An environment is over the collection.
    given.extend(options.variables.clone());
    given
}

/// A scenario per top folder, unless one uses what another has set: then all are one story.
fn groups<'a, 'b>(collection: &str, requests: &'b [Found<'a>]) -> Vec<(String, Vec<&'b Found<'a>>)> {
    let mut groups: Vec<(String, Vec<&Found<'_>>)> = Vec::new();
    for found in requests {
        let name = if found.path.len() > 1 { found.path[0].to_owned() } else { collection.to_owned() };
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, group)) => group.push(found),
            None => groups.push((name, vec![found])),
        }
    }
    let sets: Vec<BTreeSet<String>> =
        groups.iter().map(|(_, group)| group.iter().flat_map(|found| set_by(found)).collect()).collect();
    let uses = |group: &[&Found<'_>], name: &str| group.iter().any(|found| mentions(found, name));
    let is_shared = (0..groups.len()).any(|setter| {
        sets[setter].iter().any(|name| {
            (0..groups.len()).any(|user| user != setter && !sets[user].contains(name) && uses(&groups[user].1, name))
        })
    });
    if is_shared { vec![(collection.to_owned(), requests.iter().collect())] } else { groups }
}

fn set_by(found: &Found<'_>) -> Vec<String> {
    let tests = found.events.iter().filter(|event| event.listen == "test");
    tests.flat_map(|event| script::read(&event.text()).captures).map(|capture| capture.name).collect()
}

/// Whether a request's definition holds `{{name}}` anywhere.
fn mentions(found: &Found<'_>, name: &str) -> bool {
    format!("{:?}", found.request).contains(&format!("{{{{{name}}}}}"))
        || format!("{:?}", found.auth).contains(&format!("{{{{{name}}}}}"))
}

/// The origin of most requests.
fn usual_origin(requests: &[Found<'_>], given: &BTreeMap<String, String>) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for found in requests {
        let raw = match found.request {
            RequestOrUrl::Url(raw) => raw.clone(),
            RequestOrUrl::Request(request) => match &request.url {
                Some(url) => url.raw(),
                None => continue,
            },
        };
        let origin = split(&expanded(&raw, given)).0.to_owned();
        match counts.iter_mut().find(|(known, _)| *known == origin) {
            Some((_, count)) => *count += 1,
            None => counts.push((origin, 1)),
        }
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(origin, _)| origin).unwrap_or_default()
}

impl Writer<'_> {
    fn scenario(
        mut self,
        source: &Source,
        name: &str,
        slug: &str,
        group: &[&Found<'_>],
        notes: &mut Notes,
    ) -> ImportedFile {
        let mut steps = Vec::new();
        for found in group {
            steps.push(self.step(source, found, notes));
        }
        assert_something(&mut steps);
        let steps = steps.into_iter().map(|(comments, step)| Yaml::from(step).spread().commented(comments)).collect();
        let mut document = Map::one("scenario", slug).with("title", format!("Imported: {name}"));
        for missing in std::mem::take(&mut self.names.missing) {
            notes.todo(Place::START, missing);
        }
        let about = format!("the subject stands for {}; run with `--target` if it is already up", self.base);
        let copies = std::mem::take(&mut self.copies);
        let vars = self.names.into_vars();
        if !vars.is_empty() {
            document.set("vars", Yaml::from(vars).spread());
        }
        document.set("steps", Yaml::List(steps).spread());
        let text = Yaml::from(document).commented(vec![about]).document();
        ImportedFile { name: format!("{slug}.yaml"), text, copies }
    }

    fn step(&mut self, source: &Source, found: &Found<'_>, notes: &mut Notes) -> (Vec<String>, Map) {
        let place = found.place(source);
        let mut todos = Vec::new();
        let mut step = Map::one("name", crate::import::escaped(&found.path.join(" / ")));
        step.set("http", self.request(found.request, found.auth, &found.behavior, &mut todos));
        let mut comments =
            vec![format!("from {}:{}", source.name().rsplit('/').next().unwrap_or_default(), place.line)];
        comments.extend(todos.into_iter().map(|todo| notes.todo(place, todo)));
        let mut script = script::Script::default();
        for event in found.events.iter().filter(|event| !event.disabled) {
            let text = event.text();
            if let Some(elsewhere) = event.elsewhere() {
                comments.push(notes.todo(place, format!("a {} script stands elsewhere: {elsewhere}", event.listen)));
            }
            match event.listen.as_str() {
                _ if text.trim().is_empty() => {}
                "test" => script.add(script::read(&text)),
                other => {
                    let first = text.trim_start().lines().next().unwrap_or_default();
                    let message = format!("a {other} script is not run: {}", script::brief(&text));
                    comments.push(notes.todo(found.place_of(source, first), message));
                }
            }
        }
        for unsupported in &script.unsupported {
            let message = format!("this check is not understood: {}", unsupported.brief);
            comments.push(notes.todo(found.place_of(source, &unsupported.line), message));
        }
        self.expect(script, &mut step);
        (comments, step)
    }

    fn expect(&mut self, script: script::Script, step: &mut Map) {
        let mut expect = Map::new();
        expect.set_some("status", script.status.map(|status| status.rule()));
        expect.set_some("max_latency", script.max_latency_ms.map(|limit| format!("{limit}ms")));
        let checks: Vec<Yaml> = script.checks.into_iter().map(|check| self.filled(check.into())).collect();
        if !checks.is_empty() {
            expect.set("checks", Yaml::List(checks).spread());
        }
        if !expect.is_empty() {
            step.set("expect", expect);
        }
        let mut captures = Map::new();
        for capture in script.captures {
            captures.set(&self.names.capture(&capture.name), capture.rule);
        }
        if !captures.is_empty() {
            step.set("capture", captures);
        }
    }

    /// Scripts' texts are literal, but for the variables that they read, which `script` marks.
    fn filled(&mut self, value: Yaml) -> Yaml {
        match value {
            Yaml::Text(text) => match text.strip_prefix(script::VARIABLE_MARK) {
                Some(name) => format!("{{{{ {} }}}}", self.names.expression(name)).into(),
                None => crate::import::escaped(&text).into(),
            },
            Yaml::List(items) => Yaml::List(items.into_iter().map(|item| self.filled(item)).collect()),
            Yaml::Map(map) => Map(map.0.into_iter().map(|(key, value)| (key, self.filled(value))).collect()).into(),
            other => other,
        }
    }
}

/// A scenario that asserts nothing is refused; Postman's requests at least need an answer.
fn assert_something(steps: &mut [(Vec<String>, Map)]) {
    if steps.iter().any(|(_, step)| step.get("expect").is_some()) {
        return;
    }
    if let Some((comments, last)) = steps.last_mut() {
        comments.push("the collection checks nothing here; a failure of the server is one at least".to_owned());
        last.set("expect", Map::one("status", vec![Yaml::from("2xx"), "3xx".into(), "4xx".into()]));
    }
}
