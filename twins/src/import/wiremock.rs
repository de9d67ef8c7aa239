//! A definition from the stub mappings of `WireMock`: one file each, or several in `mappings`. What has no counterpart is
//! said with its file, and the stub is left out where it would answer something else.

mod answer;
mod request;

use std::path::{Path, PathBuf};

use located::{Diagnostic, Diagnostics, Place, Source};
use serde_json::{Map, Value as Json, json};

use super::{Imported, write::below};

const FILES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 8; // of folders

/// Makes a definition from a folder with `mappings/` and `__files/`, or with the mappings themselves.
///
/// # Errors
/// Files that cannot be read or are no JSON, each with its place.
pub fn import(folder: &Path) -> Result<Imported, Diagnostics> {
    let mappings = Some(folder.join("mappings")).filter(|it| it.is_dir()).unwrap_or_else(|| folder.to_owned());
    let mut files = Vec::new();
    gather(&mappings, 0, &mut files).map_err(|error| {
        let source = Source::new(folder.display().to_string(), "");
        Diagnostics::from(source.diagnostic(Place::START, format!("cannot read the folder: {error}")))
    })?;
    files.sort();
    let (mut stubs, mut notes, mut found) = (Vec::new(), Vec::new(), Diagnostics::default());
    for path in files {
        match read(&path) {
            Err(diagnostic) => found.push(diagnostic),
            Ok((source, root)) => {
                let several = root.get("mappings").and_then(Json::as_array);
                for mapping in several.map_or_else(|| vec![&root], |all| all.iter().collect()) {
                    let mut one = One { folder, source: &source, notes: &mut notes };
                    stubs.extend(one.stub(mapping, stubs.len() + 1));
                }
            }
        }
    }
    let head = "# Made from stub mappings of WireMock; yours to change.\n";
    let said: String = notes.iter().map(|note| format!("# Not carried over: {note}\n")).collect();
    let definition = format!("{head}{said}twin: wiremock\nstubs:{}\n", below(&Json::Array(stubs), 0));
    found.or(Imported { definition, notes })
}

fn gather(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && depth < DEPTH_MAX && path.file_name().is_none_or(|name| name != "__files") {
            gather(&path, depth + 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "json") && files.len() < FILES_MAX {
            files.push(path);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<(Source, Json), Diagnostic> {
    let source = Source::read(path)?;
    let root = serde_json::from_str(source.text()).map_err(|error| {
        let place = Place { line: error.line().max(1), column: error.column().max(1), width: 1 };
        source.diagnostic(place, format!("this is no JSON: {error}"))
    })?;
    Ok((source, root))
}

/// One mapping on its way.
pub(crate) struct One<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) source: &'a Source,
    pub(crate) notes: &'a mut Vec<String>,
}

impl One<'_> {
    /// Something that has no counterpart, with the line that its name is first found in.
    fn note(&mut self, what: &str, why: &str) {
        let quoted = format!("\"{what}\"");
        let line = self.source.text().lines().position(|line| line.contains(&quoted)).map_or(1, |line| line + 1);
        self.notes.push(format!("{}:{line}: `{what}`: {why}", self.source.name()));
    }

    pub(crate) fn stub(&mut self, mapping: &Json, number: usize) -> Option<Json> {
        let before = self.notes.len();
        let mut stub = Map::new();
        let name = ["name", "id", "uuid"].into_iter().find_map(|field| mapping[field].as_str());
        stub.insert("stub".to_owned(), json!(format!("{number}-{}", named(name.unwrap_or("stub")))));
        self.request(&mapping["request"], &mut stub);
        if let Some(priority) = mapping["priority"].as_u64() {
            stub.insert("priority".to_owned(), json!(priority));
        }
        if let Some(name) = mapping["scenarioName"].as_str() {
            let mut scenario = json!({ "name": name });
            for (theirs, ours) in [("requiredScenarioState", "state"), ("newScenarioState", "next")] {
                if let Some(state) = mapping[theirs].as_str() {
                    scenario[ours] = json!(state);
                }
            }
            stub.insert("scenario".to_owned(), scenario);
        }
        let fields = ["request", "response", "priority", "scenarioName", "requiredScenarioState", "newScenarioState"];
        let silent = ["id", "uuid", "name", "persistent", "metadata", "insertionIndex"];
        for field in mapping.as_object().into_iter().flat_map(Map::keys) {
            if !fields.contains(&field.as_str()) && !silent.contains(&field.as_str()) {
                self.note(field, "has no counterpart");
            }
        }
        let response = mapping.get("response").filter(|response| response.is_object())?;
        stub.insert("answer".to_owned(), self.answer(response));
        // Without a condition it would answer what it does not answer today.
        (self.notes.len() == before).then(|| stub.into())
    }
}

fn named(name: &str) -> String {
    let letters = name.to_lowercase().replace(|letter: char| !letter.is_ascii_alphanumeric(), " ");
    letters.split_whitespace().collect::<Vec<_>>().join("-")
}
