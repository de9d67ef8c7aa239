//! What an SDK's types say, read from the sources of a Python package without running it: classes with annotated fields,
//! and methods that name a path and the type of its answer. The style is that of `openai` and `anthropic`, whose sources
//! are generated and all alike. What is not understood is taken for anything, so that it never differs.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use regex::Regex;

use super::DriftError;
use crate::shape::{Kind, Shape, unnamed};

const FILES_MAX: usize = 20_000; // the largest package has a tenth of it
const DEPTH_MAX: usize = 12; // of types inside types; some contain themselves
const CALL_CHARS_MAX: usize = 6_000; // from a path to the type of its answer

static CALL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"self\._(get_api_list|get|post|put|patch|delete)\(\s*(?:path_template\(\s*)?f?"([^"]+)""#)
        .expect("literal regex")
});
static ANSWER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:cast_to=(\w+)\s*[,)]|page=(?:Sync|Async)(\w+\[\w+\]))").expect("literal regex"));
static METHOD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"method="(\w+)""#).expect("literal regex"));
static IMPORT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?ms)^from (\.+)([\w.]*) import (?:\(([^)]*)\)|([^\n]*))").expect("literal regex"));
static CLASS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^class (\w+)(?:\((.*)\))?:").expect("literal regex"));
static FIELD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^    (\w+): (.+)$").expect("literal regex"));
static ALIAS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(\w+)(?:: TypeAlias)? = ((?:Union|Annotated|Literal|Optional|List|Dict)\[.*|str|object)$")
        .expect("literal regex")
});
static BASE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#""https://api\.[\w.-]+(/[^"]*)?""#).expect("literal regex"));
static WIRE_NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"alias="([^"]+)""#).expect("literal regex"));

/// A package, read.
pub(super) struct Sdk {
    modules: HashMap<PathBuf, Module>,
    /// By operation with nameless parameters: the module that declares it, and the type of its answer.
    operations: BTreeMap<String, (PathBuf, String)>,
    paths: Vec<String>,
}

/// What one file declares.
#[derive(Default)]
pub(crate) struct Module {
    classes: HashMap<String, Class>,
    aliases: HashMap<String, String>,
    imports: HashMap<String, (PathBuf, String)>,
}

#[derive(Default)]
struct Class {
    bases: Vec<String>,
    /// Name on the wire, annotation, and whether it may be left out.
    fields: Vec<(String, String, bool)>,
}

impl Sdk {
    pub(super) fn read(package: &Path) -> Result<Self, DriftError> {
        let cannot = |source| DriftError::Read { path: package.to_owned(), source };
        let mut files = Vec::new();
        gather(package, &mut files).map_err(cannot)?;
        let base = base_path(package, &files).map_err(cannot)?;
        let mut sdk = Self { modules: HashMap::new(), operations: BTreeMap::new(), paths: Vec::new() };
        for file in files {
            let text = fs::read_to_string(&file).map_err(cannot)?;
            sdk.calls(&file, &text, &base);
            sdk.modules.insert(file.clone(), Module::parse(&file, &text));
        }
        if sdk.operations.is_empty() {
            return Err(DriftError::NoSdk { path: package.to_owned() });
        }
        Ok(sdk)
    }

    /// The templates of all paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = String> {
        self.paths.iter().cloned()
    }

    /// What the answer of an operation looks like.
    pub(super) fn answer(&self, operation: &str) -> Option<Shape> {
        let (file, annotation) = self.operations.get(operation)?;
        let shape = Reader { sdk: self, file, given: None, depth: 0 }.shape(annotation);
        (!shape.kinds.is_empty()).then_some(shape)
    }

    fn calls(&mut self, file: &Path, text: &str, base: &str) {
        for call in CALL.captures_iter(text) {
            let (whole, kind, path) = (call.get(0).map_or(0, |whole| whole.end()), &call[1], &call[2]);
            let rest = text.get(whole..).unwrap_or_default();
            let until = CALL.find(rest).map_or(rest.len(), |next| next.start()).min(CALL_CHARS_MAX);
            let rest = rest.get(..until).unwrap_or(rest);
            let Some(answer) = ANSWER.captures(rest) else { continue };
            let annotation = match (answer.get(1), answer.get(2)) {
                (Some(named), _) => named.as_str().to_owned(),
                (None, Some(page)) => format!("Sync{}", page.as_str()),
                (None, None) => continue,
            };
            let method = match kind {
                "get_api_list" => {
                    METHOD.captures(rest).map_or_else(|| "GET".to_owned(), |found| found[1].to_uppercase())
                }
                other => other.to_uppercase(),
            };
            let path = format!("{base}{}", path.split('?').next().unwrap_or(path));
            self.paths.push(path.clone());
            self.operations
                .entry(format!("{method} {}", unnamed(&path)))
                .or_insert_with(|| (file.to_owned(), annotation));
        }
    }
}

/// What stands before all paths: that of the first address in a file at the top.
fn base_path(package: &Path, files: &[PathBuf]) -> std::io::Result<String> {
    for file in files.iter().filter(|file| file.parent() == Some(package)) {
        if let Some(found) = BASE.captures(&fs::read_to_string(file)?) {
            return Ok(found.get(1).map_or("", |path| path.as_str().trim_end_matches('/')).to_owned());
        }
    }
    Ok(String::new())
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "py") && files.len() < FILES_MAX {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

impl Module {
    pub(crate) fn parse(file: &Path, text: &str) -> Self {
        let mut module = Self::default();
        for import in IMPORT.captures_iter(text) {
            let mut from = file.parent().unwrap_or(file).to_owned();
            for _ in 1..import[1].len() {
                from.pop();
            }
            import[2].split('.').filter(|part| !part.is_empty()).for_each(|part| from.push(part));
            let names = import.get(3).or_else(|| import.get(4)).map_or("", |names| names.as_str());
            for name in names.split(',') {
                let name = name.split('#').next().unwrap_or_default().trim();
                let (original, local) = name.split_once(" as ").unwrap_or((name, name));
                module.imports.insert(local.trim().to_owned(), (from.clone(), original.trim().to_owned()));
            }
        }
        let mut class: Option<String> = None;
        for line in logical_lines(text) {
            if let Some(found) = CLASS.captures(&line) {
                let bases = found.get(2).map_or("", |bases| bases.as_str());
                let bases = split(bases).into_iter().filter(|base| !base.contains('=')).map(str::to_owned).collect();
                module.classes.insert(found[1].to_owned(), Class { bases, fields: Vec::new() });
                class = Some(found[1].to_owned());
            } else if let (Some(name), Some(field)) = (&class, FIELD.captures(&line)) {
                let (annotation, default) = match field[2].split_once(" = ") {
                    Some((annotation, default)) => (annotation.to_owned(), Some(default.to_owned())),
                    None => (field[2].to_owned(), None),
                };
                let wire = default.as_deref().and_then(|default| Some(WIRE_NAME.captures(default)?[1].to_owned()));
                let may_miss =
                    default.is_some_and(|default| !default.starts_with("FieldInfo(") || default.contains("default="));
                let fields = module.classes.get_mut(name).map(|class| &mut class.fields);
                fields.into_iter().for_each(|fields| {
                    fields.push((wire.clone().unwrap_or_else(|| field[1].to_owned()), annotation.clone(), may_miss));
                });
            } else if !line.starts_with(' ') && !line.is_empty() {
                class = None;
                if let Some(alias) = ALIAS.captures(&line) {
                    module.aliases.insert(alias[1].to_owned(), alias[2].to_owned());
                }
            }
        }
        module
    }
}

/// Lines with their brackets closed, without texts that only explain.
fn logical_lines(text: &str) -> Vec<String> {
    let (mut lines, mut open, mut inside): (Vec<String>, i64, bool) = (Vec::new(), 0, false);
    for line in text.lines() {
        let quotes = line.matches("\"\"\"").count();
        if inside || quotes > 0 {
            inside = if quotes % 2 == 1 { !inside } else { inside };
            continue;
        }
        let code = line.split("  #").next().unwrap_or(line).trim_end();
        match lines.last_mut() {
            Some(last) if open > 0 => last.push_str(code.trim()),
            _ => lines.push(code.to_owned()),
        }
        let count = |letters: [char; 3]| i64::try_from(code.matches(letters).count()).unwrap_or(0);
        open = (open + count(['(', '[', '{']) - count([')', ']', '}'])).max(0);
    }
    lines
}

/// Resolves annotations as seen from one file.
#[derive(Clone, Copy)]
struct Reader<'a> {
    sdk: &'a Sdk,
    file: &'a Path,
    /// What `_T` stands for, and where that was written.
    given: Option<(&'a str, &'a Path)>,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Without types: anything.
    fn shape(self, annotation: &str) -> Shape {
        let annotation = annotation.trim().trim_matches(['"', '\'']);
        if self.depth > DEPTH_MAX {
            return Shape::default();
        }
        let deeper = Reader { depth: self.depth + 1, ..self };
        let (name, arguments) = match annotation.split_once('[') {
            Some((name, rest)) => (name, split(rest.strip_suffix(']').unwrap_or(rest))),
            None => (annotation, Vec::new()),
        };
        let first = arguments.first().copied().unwrap_or("object");
        match name {
            "str" | "datetime" | "date" => Shape::plain(Kind::String),
            "int" => Shape::plain(Kind::Integer),
            "float" => Shape::plain(Kind::Number),
            "bool" => Shape::plain(Kind::Boolean),
            "None" => Shape::plain(Kind::Null),
            "Optional" => any_of([deeper.shape(first), Shape::plain(Kind::Null)]),
            "Union" => any_of(arguments.iter().map(|argument| deeper.shape(argument))),
            "Annotated" | "Required" | "NotRequired" => deeper.shape(first),
            "Literal" => literal(&arguments),
            "List" | "Iterable" | "Sequence" | "list" => {
                Shape { items: known(deeper.shape(first)), ..Shape::plain(Kind::Array) }
            }
            "Dict" | "Mapping" | "dict" => {
                let values = arguments.get(1).copied().unwrap_or("object");
                // Without a shape of its own it is a map all the same.
                Shape { values: Some(Box::new(deeper.shape(values))), ..Shape::plain(Kind::Object) }
            }
            "_T" => match self.given {
                Some((given, file)) => Reader { file, given: None, ..deeper }.shape(given),
                None => Shape::default(),
            },
            name => deeper.named(name, arguments.first().copied()),
        }
    }

    fn named(self, name: &str, argument: Option<&str>) -> Shape {
        let Some((file, found)) = self.find(name) else { return Shape::default() };
        let given = argument.map(|argument| (argument, self.file)).or(self.given);
        let reader = Reader { file, given, sdk: self.sdk, depth: self.depth };
        match found {
            Found::Alias(annotation) => reader.shape(annotation),
            Found::Class(class) => reader.class(class),
        }
    }

    fn class(self, class: &Class) -> Shape {
        let mut shape = Shape::plain(Kind::Object);
        for base in &class.bases {
            let base = base.split('[').next().unwrap_or(base);
            if let Some((file, Found::Class(base))) = self.find(base)
                && self.depth < DEPTH_MAX
            {
                let base = Reader { file, depth: self.depth + 1, ..self }.class(base);
                shape.properties.extend(base.properties);
                shape.required.extend(base.required);
            }
        }
        for (name, annotation, may_miss) in &class.fields {
            shape.properties.insert(name.clone(), self.shape(annotation));
            if !may_miss {
                shape.required.insert(name.clone());
            }
        }
        shape
    }

    /// Where a name is declared, followed through imports.
    fn find(self, name: &str) -> Option<(&'a Path, Found<'a>)> {
        let (mut file, mut name) = (self.file, name);
        for _ in 0..DEPTH_MAX {
            let (path, module) = self.sdk.modules.get_key_value(file)?;
            if let Some(class) = module.classes.get(name) {
                return Some((path, Found::Class(class)));
            }
            if let Some(alias) = module.aliases.get(name) {
                return Some((path, Found::Alias(alias)));
            }
            let (from, original) = module.imports.get(name)?;
            let candidates = [from.with_extension("py"), from.join("__init__.py")];
            file = candidates.iter().find_map(|path| Some(self.sdk.modules.get_key_value(path)?.0.as_path()))?;
            name = original;
        }
        None
    }
}

enum Found<'a> {
    Class(&'a Class),
    Alias(&'a str),
}

/// Anything, where one of them is.
fn any_of(shapes: impl IntoIterator<Item = Shape>) -> Shape {
    let shapes: Vec<_> = shapes.into_iter().collect();
    if shapes.iter().any(|shape| shape.kinds.is_empty()) {
        return Shape::default();
    }
    crate::shape::merged(shapes.into_iter()).unwrap_or_default()
}

fn known(shape: Shape) -> Option<Box<Shape>> {
    (!shape.kinds.is_empty()).then(|| Box::new(shape))
}

fn literal(arguments: &[&str]) -> Shape {
    let words = arguments
        .iter()
        .filter_map(|word| word.strip_prefix('"')?.strip_suffix('"'))
        .map(str::to_owned)
        .collect::<std::collections::BTreeSet<_>>();
    if words.len() == arguments.len() {
        return Shape { words: Some(words), ..Shape::plain(Kind::String) };
    }
    Shape::default()
}

/// Arguments between commas that stand in no brackets and no quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut quoted, mut begin) = (Vec::new(), 0_usize, false, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '[' | '(' if !quoted => depth += 1,
            ']' | ')' if !quoted => depth = depth.saturating_sub(1),
            ',' if !quoted && depth == 0 => {
                parts.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[begin..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}
