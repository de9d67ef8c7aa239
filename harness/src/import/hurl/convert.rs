//! Entries as steps of one scenario.

use located::{Place, Source};

use super::{
    HurlOptions,
    ast::{Entry, OptionValue},
    checks,
    names::Names,
    origin, request,
    settings::{self, Settings},
};
use crate::import::{
    Imported, ImportedFile, Notes,
    slug::slug,
    write::{Map, Yaml},
};

const TIMEOUT_DEFAULT_MS: u64 = 30_000; // of a scenario
const TIMEOUT_MAX_MS: u64 = 600_000;

/// What is known while a file is converted.
pub(super) struct Converter<'a> {
    pub(super) options: &'a HurlOptions,
    pub(super) names: Names<'a>,
    pub(super) notes: Notes,
    /// The origin that stands for the subject.
    pub(super) base: Option<String>,
    pub(super) copies: Vec<(std::path::PathBuf, String)>,
}

pub(super) fn scenario(source: &Source, name: &str, entries: &[Entry], options: &HurlOptions) -> Imported {
    let base = options.base.clone().or_else(|| origin::usual(entries, &options.variables));
    let base = base.map(|base| base.trim_end_matches('/').to_owned());
    let mut converter = Converter {
        options,
        names: Names::new(&options.variables),
        notes: Notes::new(source),
        base,
        copies: Vec::new(),
    };
    let mut steps = Vec::new();
    let mut wait_ms = 0;
    for entry in entries {
        wait_ms += converter.entry(source, entry, &mut steps);
    }
    if steps.is_empty() {
        converter.notes.todo(Place::START, "the file asks for nothing, so there is no scenario");
        return Imported { files: Vec::new(), notes: converter.notes.finish() };
    }
    assert_something(&mut steps);
    let mut document = Map::one("scenario", slug(name));
    document.set("title", format!("Imported from {}", short_name(source)));
    let about =
        converter.base.map(|base| format!("the subject stands for {base}; run with `--target` if it is already up"));
    if wait_ms > 0 {
        let timeout_ms = (TIMEOUT_DEFAULT_MS + wait_ms).min(TIMEOUT_MAX_MS);
        document.set("timeout", format!("{}s", timeout_ms.div_ceil(1000)));
    }
    let vars = converter.names.into_vars();
    if !vars.is_empty() {
        document.set("vars", Yaml::from(vars).spread());
    }
    document.set("steps", Yaml::List(steps).spread());
    let document = Yaml::from(document).commented(about.into_iter().collect());
    let file =
        ImportedFile { name: format!("{}.yaml", slug(name)), text: document.document(), copies: converter.copies };
    Imported { files: vec![file], notes: converter.notes.finish() }
}

impl Converter<'_> {
    /// Adds the steps of an entry, and gives how long they may wait beside their requests.
    fn entry(&mut self, source: &Source, entry: &Entry, steps: &mut Vec<Yaml>) -> u64 {
        let mut comments = entry.comments.clone();
        comments.push(format!("from {}:{}", short_name(source), entry.place.line));
        for option in &entry.options {
            if let OptionValue::Variable { name, value } = &option.value {
                self.names.assign(name, value);
            }
        }
        let settings = Settings::of(entry, self);
        if settings.is_skipped {
            self.notes.left_out(entry.place, "the entry is skipped, so there is no step for it");
            return 0;
        }
        if let Some(delay_ms) = settings.delay_ms {
            let wait = Map::one("wait", Map::one("for", settings::period(delay_ms)));
            steps.push(Yaml::from(wait).spread().commented(vec!["delay of the next step".to_owned()]));
        }
        let wait_ms = settings.wait_ms();
        let mut step = Map::new();
        if let Some(repeat) = settings.repeat {
            step.set("for_each", Map::one("item", format!("{{{{ range({repeat}) }}}}")));
        }
        step.set("http", request::request(entry, &settings, self, &mut comments));
        if let Some(response) = &entry.response {
            checks::response(response, self, &mut step, &mut comments);
        }
        step.set_some("retry", settings.retry());
        comments.extend(settings.comments);
        steps.push(Yaml::from(step).spread().commented(comments));
        wait_ms
    }
}

/// A scenario that asserts nothing is refused; Hurl's entries at least need an answer.
fn assert_something(steps: &mut [Yaml]) {
    let has_expect = |step: &Yaml| step_map(step).is_some_and(|map| map.get("expect").is_some());
    if steps.iter().any(has_expect) {
        return;
    }
    let any = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(Yaml::from).to_vec();
    let last = steps.iter_mut().rev().find_map(|step| step_map_mut(step).filter(|map| map.get("http").is_some()));
    if let Some(map) = last {
        map.set("expect", Map::one("status", any));
    }
}

fn step_map(step: &Yaml) -> Option<&Map> {
    match step {
        Yaml::Map(map) => Some(map),
        Yaml::Commented(_, inner) | Yaml::Spread(inner) => step_map(inner),
        _ => None,
    }
}

fn step_map_mut(step: &mut Yaml) -> Option<&mut Map> {
    match step {
        Yaml::Map(map) => Some(map),
        Yaml::Commented(_, inner) | Yaml::Spread(inner) => step_map_mut(inner),
        _ => None,
    }
}

/// The file's name without its folders.
fn short_name(source: &Source) -> &str {
    source.name().rsplit('/').next().unwrap_or_default()
}
