//! `harness init`: a `harness.yaml` and a first scenario for the tree at hand. Never writes over a file.

mod recognise;

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;

use self::recognise::{Found, Role};
use super::{Failed, say};

const CONFIG: &str = "harness.yaml";
const SCENARIOS: &str = "scenarios";
const SCENARIO: &str = "scenarios/first.yaml";

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The subject's tree
    #[arg(value_name = "DIR", default_value = ".")]
    root: PathBuf,
    /// Print what was written as JSON
    #[arg(long)]
    json: bool,
}

/// What was done.
#[derive(Serialize)]
struct Done {
    subject: String,
    /// By what the subject was recognised; `null` where nothing said how it is started.
    recognised: Option<&'static str>,
    written: Vec<PathBuf>,
    kept: Vec<PathBuf>,
    next: &'static str,
}

pub(super) fn init(arguments: &InitArgs) -> Result<u8, Failed> {
    let root = &arguments.root;
    if !root.is_dir() {
        return Err(Failed::Use(format!("{}: there is no such folder; make it, or name another", root.display())));
    }
    let found = recognise::tree(root);
    let mut done = Done {
        subject: found.name.clone(),
        recognised: found.by,
        written: Vec::new(),
        kept: Vec::new(),
        next: if found.by.is_some() {
            "harness run"
        } else {
            "say in harness.yaml how it is started, then harness run"
        },
    };
    if root.join(CONFIG).exists() {
        // Its author has said what is what, where scenarios are too.
        (done.recognised, done.next) = (None, "harness run");
        done.kept.push(CONFIG.into());
    } else {
        done.write(root, CONFIG, &config(&found))?;
        // A folder that is there has its own first scenario, or is somebody's on the way.
        match fs::exists(root.join(SCENARIOS))? {
            true => done.kept.push(SCENARIOS.into()),
            false => done.write(root, SCENARIO, &scenario(&found))?,
        }
    }
    if arguments.json {
        say(&serde_json::to_string_pretty(&done).map_err(io::Error::from)?)?;
    } else {
        done.tell()?;
    }
    Ok(0)
}

impl Done {
    fn write(&mut self, root: &Path, name: &str, text: &str) -> io::Result<()> {
        let path = root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create_new(path)?.write_all(text.as_bytes())?;
        self.written.push(name.into());
        Ok(())
    }

    fn tell(&self) -> io::Result<()> {
        for path in &self.written {
            say(&format!("wrote {}", path.display()))?;
        }
        for path in &self.kept {
            say(&format!("kept {}, which is there already", path.display()))?;
        }
        if let Some(by) = self.recognised {
            say(&format!("`{}` was recognised by {by}; harness.yaml says how it is started", self.subject))?;
        }
        say(&format!("next: {}", self.next))
    }
}

fn config(found: &Found) -> String {
    let build = found.build.as_ref().map_or_else(
        || "# build: { argv: [make] }                 # once, before any trial\n".to_owned(),
        |argv| format!("build: {{ argv: {} }}      # once, before any trial\n", list(argv)),
    );
    let start = match (&found.role, &found.start) {
        (Role::Server, Some(argv)) => format!(
            "# Each trial starts it anew, at a free port, and kills it afterwards.\n\
             start: {{ argv: {}, env: {{ PORT: \"{{{{ port }}}}\" }} }}\nready: {{ within: 30s }}                    # until its port takes connections\n",
            list(argv)
        ),
        _ => "# A server is started anew for each trial, at a free port. A tool that only runs commands needs nothing here.\n\
              # start: { argv: [python3, app.py], env: { PORT: \"{{ port }}\" } }\n\
              # ready: { http: /health, within: 30s }\n"
            .to_owned(),
    };
    format!(
        "# What is tested, and how it is started. `harness run` runs the scenarios in {SCENARIOS}/.\n\
         subject: {}\n{build}{start}\
         # twins: {{ stripe: {{}} }}                  # stand-ins for services that it calls: \"{{{{ twins.stripe.url }}}}\"\n",
        quoted(&found.name)
    )
}

fn scenario(found: &Found) -> String {
    match (&found.role, &found.start) {
        (Role::Server, Some(_)) => "scenario: first\n\
            title: It answers\n\
            steps:\n  \
              - name: look at the front page\n    \
                http: { get: / }\n    \
                # Any answer but a breakdown. Say what a user sees instead: status: 200, json: { name: ann }\n    \
                expect: { status: [2xx, 3xx, 4xx] }\n"
            .to_owned(),
        (Role::Tool, Some(argv)) => format!(
            "scenario: first\n\
             title: It says how it is used\n\
             steps:\n  \
               - name: ask for help\n    \
                 exec: {{ argv: {} }}\n    \
                 # Say what a user sees too: stdout: {{ contains: Usage }}\n    \
                 expect: {{ exit: 0 }}\n",
            list(argv)
        ),
        _ => "scenario: first\n\
            title: Commands run in the tree of the subject\n\
            steps:\n  \
              # Replace it by what your software does, or by requests to it: http: { get: / }\n  \
              - name: greet\n    \
                exec: { argv: [echo, hello] }\n    \
                expect: { exit: 0, stdout: { contains: hello } }\n"
            .to_owned(),
    }
}

fn list(argv: &[String]) -> String {
    let words: Vec<_> = argv.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

/// As YAML takes it inside of brackets.
fn quoted(word: &str) -> String {
    let is_plain = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.' || c == '/')
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
        && !["true", "false", "null", "yes", "no"].contains(&word.to_ascii_lowercase().as_str());
    if is_plain { word.to_owned() } else { serde_json::Value::from(word).to_string() }
}
