//! `harness import`: scenarios from Hurl files, `OpenAPI` descriptions and Postman collections.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use harness::import::{HurlOptions, Imported, PostmanOptions, hurl, openapi, postman, postman_environment};
use harness::report::plural;
use located::{Diagnostics, Source};
use serde_json::json;

use super::{Failed, say};

const UNSUPPORTED: u8 = 1; // with --strict, what a person must look at

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// Hurl 8 files; each entry keeps its verdict
    Hurl(HurlArgs),
    #[command(about = "An OpenAPI 3.0 or 3.1 description; a first set of scenarios")]
    Openapi(OpenapiArgs),
    /// A Postman collection, version 2.1, with its declarative checks
    Postman(PostmanArgs),
}

/// Where the scenarios go.
#[derive(Debug, Args)]
struct Target {
    /// The folder to write into; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace files that are there already
    #[arg(long)]
    force: bool,
    /// Exit with 1 where something needs a person's look
    #[arg(long)]
    strict: bool,
    /// Print what was written, and what needs a look, as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct HurlArgs {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    target: Target,
    /// The origin that stands for the subject, like `http://localhost:8080` or `{{host}}` [default: that of most entries]
    #[arg(long, value_name = "ORIGIN")]
    base: Option<String>,
    /// Value of a variable that the files take from outside
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    variable: Vec<(String, String)>,
}

#[derive(Debug, Args)]
struct OpenapiArgs {
    /// JSON or YAML
    file: PathBuf,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
struct PostmanArgs {
    file: PathBuf,
    #[command(flatten)]
    target: Target,
    /// An exported environment; its values are over those of the collection
    #[arg(long, value_name = "FILE")]
    environment: Option<PathBuf>,
    /// Value of a variable, over the environment's
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    variable: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "write name=value".to_owned())
}

pub(super) fn import(arguments: &ImportArgs) -> Result<u8, Failed> {
    match &arguments.from {
        From::Hurl(arguments) => import_hurl(arguments),
        From::Openapi(arguments) => {
            let source = Source::read(&arguments.file).map_err(Diagnostics::from)?;
            arguments.target.write(&openapi(&source).map_err(Diagnostics::from)?)
        }
        From::Postman(arguments) => import_postman(arguments),
    }
}

fn import_hurl(arguments: &HurlArgs) -> Result<u8, Failed> {
    let variables: BTreeMap<_, _> = arguments.variable.iter().cloned().collect();
    let mut all = Imported::default();
    for (file, name) in arguments.files.iter().zip(names(&arguments.files)) {
        let source = Source::read(file).map_err(Diagnostics::from)?;
        let root = file.parent().unwrap_or_else(|| Path::new("")).to_owned();
        let options = HurlOptions { base: arguments.base.clone(), variables: variables.clone(), root };
        all.add(hurl(&source, &name, &options).map_err(Diagnostics::from)?);
    }
    arguments.target.write(&all)
}

fn import_postman(arguments: &PostmanArgs) -> Result<u8, Failed> {
    let mut variables = BTreeMap::new();
    if let Some(path) = &arguments.environment {
        let environment = Source::read(path).map_err(Diagnostics::from)?;
        variables = postman_environment(&environment).map_err(Diagnostics::from)?;
    }
    variables.extend(arguments.variable.iter().cloned());
    let source = Source::read(&arguments.file).map_err(Diagnostics::from)?;
    let root = arguments.file.parent().unwrap_or_else(|| Path::new("")).to_owned();
    let imported = postman(&source, &PostmanOptions { variables, root }).map_err(Diagnostics::from)?;
    arguments.target.write(&imported)
}

/// The names of files without their endings; with those of their folders where they would be equal.
fn names(files: &[PathBuf]) -> Vec<String> {
    let stem = |file: &Path| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = |file: &PathBuf| {
        let is_shared = files.iter().filter(|other| stem(other) == stem(file)).count() > 1;
        if is_shared { file.with_extension("").to_string_lossy().into_owned() } else { stem(file) }
    };
    files.iter().map(name).collect()
}

impl Target {
    /// Writes all or nothing, tells what needs a look, and gives the exit status.
    fn write(&self, imported: &Imported) -> Result<u8, Failed> {
        let copies = || imported.files.iter().flat_map(|file| &file.copies);
        let names = imported.files.iter().map(|file| &file.name).chain(copies().map(|(_, name)| name));
        if let Some(taken) = names.map(|name| self.out.join(name)).find(|path| path.exists() && !self.force) {
            let message =
                format!("{} is there already; nothing was written\nhint: pass --force to replace it", taken.display());
            return Err(Failed::Use(message));
        }
        for file in &imported.files {
            self.put(&file.name, file.text.as_bytes())?;
        }
        for (from, name) in copies() {
            self.put(name, &std::fs::read(from)?)?;
        }
        let status = if self.strict && imported.todos() > 0 { UNSUPPORTED } else { 0 };
        if self.json {
            let written: Vec<_> = imported.files.iter().map(|file| self.out.join(&file.name)).collect();
            let notes: Vec<_> = imported.notes.iter().map(ToString::to_string).collect();
            let told = json!({ "written": written, "todos": imported.todos(), "notes": notes });
            say(&serde_json::to_string_pretty(&told).map_err(io::Error::from)?)?;
            return Ok(status);
        }
        for note in &imported.notes {
            writeln!(io::stderr(), "{note}")?;
        }
        for file in &imported.files {
            say(&self.out.join(&file.name).display().to_string())?;
        }
        let (todos, files) = (imported.todos(), imported.files.len());
        let needs = if todos == 1 { "needs" } else { "need" };
        let look = if todos == 0 { String::new() } else { format!("; {} {needs} a look", plural(todos, "TODO")) };
        say(&format!("{} written{look}", plural(files, "scenario file")))?;
        Ok(status)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.out.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, bytes)
    }
}
