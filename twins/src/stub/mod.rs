//! Stubs: requests that look like this get that answer. Owns matching, the states of scenarios and the making of
//! answers; knows nothing of where stubs are written (a definition, files of `WireMock`, a recording).
//!
//! Start at [`Stubs`]; a stub as written is [`StubFile`].

mod answer;
mod book;
mod format;
mod index;
mod json;
mod matcher;
mod view;
mod xml;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use regex::Regex;
use serde_json::{Map, Value as Json};

use self::{
    answer::Answer,
    format::ScenarioFile,
    matcher::{Matcher, whole},
};
pub(crate) use self::{
    book::{STARTED, Stubs},
    format::StubFile,
    view::{View, shown},
};
use crate::{
    definition::{
        draw::Draw,
        names::lasting,
        template::{Scope, Templates},
    },
    http::Reply,
};

/// The operation of stubs without a name.
pub(crate) const NAMELESS: &str = "stub";

/// A stub, ready to be asked.
pub(crate) struct Stub {
    pub(crate) id: String,
    pub(crate) operation: &'static str,
    /// Its age: a later one is asked before an earlier one.
    pub(crate) number: u64,
    pub(crate) priority: u32,
    pub(crate) scenario: Option<ScenarioFile>,
    /// As whoever wrote it wrote it.
    pub(crate) source: Json,
    method: Option<String>,
    at: Where,
    query: Vec<(String, Matcher)>,
    headers: Vec<(String, Matcher)>,
    cookies: Vec<(String, Matcher)>,
    form: Vec<(String, Matcher)>,
    body: Vec<Matcher>,
    answer: Answer,
    templates: Templates,
}

enum Where {
    Path(String),
    /// Path and query.
    Url(String),
    /// With the names of its groups, where it was a path with parameters.
    PathPattern(Regex, Vec<String>),
    UrlPattern(Regex),
    Anywhere,
}

impl Stub {
    /// `id` tells stubs apart; `source` is what lists of stubs show. Operations are named after stubs of files only.
    pub(crate) fn compile(file: &StubFile, id: String, source: Json) -> Result<Self, String> {
        let mut templates = Templates::default();
        let answer = file.answer.compile(&mut templates)?;
        let each = |wishes: &BTreeMap<String, matcher::Wish>, of: &str| {
            let one = |(name, wish): (&String, &matcher::Wish)| {
                wish.compile().map(|it| (name.clone(), it)).map_err(|why| format!("{of} `{name}`: {why}"))
            };
            wishes.iter().map(one).collect::<Result<Vec<_>, _>>()
        };
        let mut headers = each(&file.headers, "header")?;
        headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        let method = file.method.as_ref().filter(|method| *method != "*" && *method != "ANY");
        Ok(Self {
            id,
            operation: NAMELESS,
            number: 0,
            priority: file.priority,
            scenario: file.scenario.clone(),
            source,
            method: method.map(|method| method.to_uppercase()),
            at: Where::of(file)?,
            query: each(&file.query, "query")?,
            headers,
            cookies: each(&file.cookies, "cookie")?,
            form: each(&file.form, "form")?,
            body: file
                .body
                .iter()
                .map(|wish| wish.compile().map_err(|why| format!("body: {why}")))
                .collect::<Result<_, _>>()?,
            answer,
            templates,
        })
    }

    /// The stub of a file, whose name rules and journals may use.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.operation = lasting(&format!("{NAMELESS}.{name}"));
        self
    }

    pub(crate) fn fits(&self, view: &View<'_>) -> bool {
        self.parts(view).all(|(_, _, fits)| fits)
    }

    /// The share of the conditions that the request does not meet: 0 fits.
    pub(crate) fn distance(&self, view: &View<'_>) -> f64 {
        let (all, missed) =
            self.parts(view).fold((0, 0), |(all, missed), (_, _, fits)| (all + 1, missed + u32::from(!fits)));
        f64::from(missed) / f64::from(all)
    }

    /// Each condition with its name and whether it holds, asked one after the other.
    fn parts<'a>(&'a self, view: &'a View<'_>) -> impl Iterator<Item = (&'static str, &'a str, bool)> + 'a {
        let method = std::iter::once_with(|| {
            ("method", "", self.method.as_ref().is_none_or(|method| *method == view.request.method))
        });
        let at = std::iter::once_with(|| ("url", "", self.at.fits(view)));
        let query = self.query.iter().map(|(name, it)| ("query", name.as_str(), it.fits_one_of(&view.query(name))));
        let headers =
            self.headers.iter().map(|(name, it)| ("header", name.as_str(), it.fits_one_of(&view.header(name))));
        let cookies =
            self.cookies.iter().map(|(name, it)| ("cookie", name.as_str(), it.fits_one_of(&view.cookie(name))));
        let form = self.form.iter().map(|(name, it)| ("form", name.as_str(), it.fits_one_of(&view.form(name))));
        let body = self.body.iter().map(|it| {
            let body = Some(view.body()).filter(|body| !body.text.is_empty());
            ("body", "", it.fits(body))
        });
        method.chain(at).chain(query).chain(headers).chain(cookies).chain(form).chain(body)
    }

    pub(crate) fn reply(&self, view: &View<'_>, draw: Arc<Draw>, now: Timestamp) -> Reply {
        let mut scope = Scope::new(&self.templates, draw, now).with_request(view.request);
        if !self.templates.is_empty() {
            scope.set("params", self.at.params(&view.request.path));
        }
        self.answer.reply(&scope).unwrap_or_else(|why| {
            Reply::json(500, &serde_json::json!({"error": format!("the stub cannot answer: {why}")}))
        })
    }
}

impl Where {
    fn of(file: &StubFile) -> Result<Self, String> {
        let given = [&file.path, &file.path_matches, &file.url, &file.url_matches];
        if given.iter().filter(|it| it.is_some()).count() > 1 {
            return Err("a stub has one of `path`, `path_matches`, `url` and `url_matches`".to_owned());
        }
        Ok(match given {
            [Some(path), ..] if path.contains('{') => {
                let (pattern, names) = template_pattern(path)?;
                Self::PathPattern(pattern, names)
            }
            [Some(path), ..] => Self::Path(path.clone()),
            [_, Some(pattern), ..] => Self::PathPattern(whole(pattern)?, Vec::new()),
            [_, _, Some(url), _] => Self::Url(url.clone()),
            [.., Some(pattern)] => Self::UrlPattern(whole(pattern)?),
            [None, None, None, None] => Self::Anywhere,
        })
    }

    fn fits(&self, view: &View<'_>) -> bool {
        match self {
            Self::Path(path) => *path == view.request.path,
            Self::Url(url) => *url == view.url(),
            Self::PathPattern(pattern, _) => pattern.is_match(&view.request.path),
            Self::UrlPattern(pattern) => pattern.is_match(&view.url()),
            Self::Anywhere => true,
        }
    }

    /// The parameters of the path, percent-decoded.
    fn params(&self, path: &str) -> Map<String, Json> {
        let Self::PathPattern(pattern, names) = self else { return Map::new() };
        let Some(found) = pattern.captures(path) else { return Map::new() };
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let groups = found.iter().skip(1).flatten().map(|group| decoded(group.as_str()));
        names.iter().cloned().zip(groups.map(Json::from)).collect()
    }
}

/// `/a/{id}` as a pattern, with the names of its parameters.
fn template_pattern(path: &str) -> Result<(Regex, Vec<String>), String> {
    let (mut pattern, mut names) = (String::new(), Vec::new());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| format!("`{path}` opens a brace that nothing closes"))?;
        pattern.push_str(&regex::escape(before));
        pattern.push_str("([^/]+)");
        names.push(name.to_owned());
        rest = after;
    }
    pattern.push_str(&regex::escape(rest));
    Ok((whole(&pattern)?, names))
}
