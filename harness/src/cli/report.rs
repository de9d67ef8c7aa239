//! `harness report`, `harness compare`, and the reports that `harness run` writes.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use harness::{
    Report, TrialRecord,
    journal::{JournalError, StoredRun},
    report::{Comparison, Format, Gallery, Paint, Tally, comparison_text, markdown},
};
use serde_json::json;

use super::{Failed, StoreArgs};

#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// An id, the start or end of one, `latest`, `previous`, or the path of a run's folder
    #[arg(default_value = "latest")]
    run: String,
    /// terminal, json, jsonl, junit, tap, ctrf, github, markdown or html
    #[arg(long, value_name = "FORMAT", default_value = "terminal")]
    format: Wanted,
    /// Write it there instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Args, Debug)]
pub(super) struct CompareArgs {
    /// The earlier run: an id, the start or end of one, `latest`, `previous`, or the path of a run's folder
    #[arg(default_value = "previous")]
    before: String,
    /// The later run
    #[arg(default_value = "latest")]
    after: String,
    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// A report, or every record of the run, one a line.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Report(Format),
    Jsonl,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "jsonl" {
            return Ok(Self::Jsonl);
        }
        text.parse().map(Self::Report).map_err(|message: String| format!("{message} or jsonl"))
    }
}

/// `FORMAT=FILE`, or `FORMAT` for standard output.
#[derive(Clone, Debug)]
pub(super) struct Output {
    format: Format,
    file: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text.split_once('=').map_or((text, None), |(format, file)| (format, Some(file)));
        if file == Some("") {
            return Err(format!("`{text}` names no file; write {format}=FILE"));
        }
        Ok(Self { format: format.parse()?, file: file.map(PathBuf::from) })
    }
}

impl Output {
    pub(super) fn needs_gallery(&self) -> bool {
        self.format.needs_gallery()
    }

    /// Whether it takes the place of what is printed otherwise. Annotations go beside it.
    pub(super) fn is_printed(&self) -> bool {
        self.file.is_none() && self.format != Format::Github
    }

    pub(super) fn write(&self, report: &Report, gallery: &Gallery) -> Result<(), Failed> {
        let text = self.format.render(report, gallery, paint(self.file.is_none())).map_err(io::Error::from)?;
        put(self.file.as_deref(), &text)?;
        if self.format == Format::Github {
            summarise(report)?;
        }
        Ok(())
    }
}

pub(super) fn report(arguments: &ReportArgs) -> Result<u8, Failed> {
    let run = arguments.store.open().open(&arguments.run)?;
    match arguments.format {
        Wanted::Jsonl => json_lines(&run, arguments.out.as_deref())?,
        Wanted::Report(format) => {
            let mut gallery = Gallery::default();
            let see = |record: &TrialRecord| {
                if format.needs_gallery() {
                    gallery.add(record);
                }
            };
            let report = told(&run, see)?;
            Output { format, file: arguments.out.clone() }.write(&report, &gallery)?;
        }
    }
    Ok(0)
}

pub(super) fn compare(arguments: &CompareArgs) -> Result<u8, Failed> {
    let store = arguments.store.open();
    let [before, after] = [store.open(&arguments.before)?, store.open(&arguments.after)?];
    let names = [&before, &after].map(|run| run.manifest().id.to_string());
    let [before, after] = [told(&before, |_| {})?, told(&after, |_| {})?];
    let comparison = Comparison::new((&names[0], &before), (&names[1], &after));
    let text = if arguments.json {
        serde_json::to_string_pretty(&comparison).map_err(io::Error::from)? + "\n"
    } else {
        comparison_text(&comparison, paint(true))
    };
    put(None, &text)?;
    Ok(0)
}

/// The report of a stored run, made again from its records; `see` is shown each of them.
fn told(run: &StoredRun, mut see: impl FnMut(&TrialRecord)) -> Result<Report, JournalError> {
    let mut tally = Tally::new(run.manifest().roster.clone());
    let mut records = run.records()?;
    for record in records.by_ref() {
        let record = record?;
        tally.add(&record);
        see(&record);
    }
    Ok(tally.report(records.duration()))
}

/// Every record, and the report at the end.
fn json_lines(run: &StoredRun, out: Option<&Path>) -> Result<(), Failed> {
    let mut out: Box<dyn io::Write> = match out {
        Some(path) => Box::new(io::BufWriter::new(std::fs::File::create(path)?)),
        None => Box::new(io::BufWriter::new(io::stdout())),
    };
    let mut written = Ok(());
    let report = told(run, |record| {
        if written.is_ok() {
            written = writeln!(out, "{}", json!({ "event": "trial_finished", "record": record }));
        }
    })?;
    written?;
    writeln!(out, "{}", json!({ "event": "run_finished", "report": report }))?;
    Ok(out.flush()?)
}

/// Where GitHub Actions wants a summary, it gets one.
fn summarise(report: &Report) -> io::Result<()> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    let mut file = std::fs::File::options().create(true).append(true).open(path)?;
    file.write_all(markdown(report).as_bytes())
}

fn put(file: Option<&Path>, text: &str) -> io::Result<()> {
    match file {
        Some(path) => std::fs::write(path, text),
        None => io::stdout().write_all(text.as_bytes()),
    }
}

/// What standard output bears.
pub(super) fn paint(is_printed: bool) -> Paint {
    if is_printed { Paint::fitting(|name| std::env::var_os(name), io::stdout().is_terminal()) } else { Paint::Plain }
}
