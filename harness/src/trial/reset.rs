//! Bringing a subject that goes on running back to where a trial may start.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::{
    step::Stage,
    subject::{ExecRequest, Exit, Reset, TreeAccess, root_cause},
};

const WITHIN: Duration = Duration::from_secs(30); // emptying a test database; longer is a start of its own
const OUTPUT_BYTES_MAX: usize = 4 * 1024; // a message
const OUTPUT_CHARS_SHOWN: usize = 500;

/// `Err` says what came instead. No rule means that nothing has to be done.
pub(super) async fn perform(reset: Option<&Reset>, stage: &Stage<'_>) -> Result<(), String> {
    match reset {
        None => Ok(()),
        Some(Reset::Http(path)) => {
            let path = stage.scope.text(path).map_err(|error| error.message)?;
            post(&path, stage).await
        }
        Some(Reset::Command(argv)) => {
            let argv = argv.iter().map(|word| stage.scope.text(word)).collect::<Result<Vec<_>, _>>();
            command(argv.map_err(|error| error.message)?, stage).await
        }
    }
}

async fn post(path: &str, stage: &Stage<'_>) -> Result<(), String> {
    let refused = |what: String| format!("the reset `POST {path}` was answered with {what}, not with 2xx");
    let base = stage.subject.base_url().ok_or_else(|| refused("nothing".to_owned()))?;
    let url = base.join(path).map_err(|error| refused(error.to_string()))?;
    // There are servers that refuse a POST which tells no length.
    let sent = stage.actor.http.post(url).header("content-length", "0").timeout(WITHIN).send().await;
    let status = sent.map_err(|error| refused(root_cause(&error)))?.status();
    if status.is_success() { Ok(()) } else { Err(refused(format!("status {}", status.as_u16()))) }
}

async fn command(argv: Vec<String>, stage: &Stage<'_>) -> Result<(), String> {
    let words = argv.join(" ");
    let request = ExecRequest {
        argv,
        env: BTreeMap::new(),
        env_allow: stage.room.env_allow.clone(),
        root: stage.room.root.clone(),
        access: TreeAccess::ReadOnly,
        cwd: PathBuf::new(),
        data_dir: stage.room.data_dir.clone(),
        egress: stage.ports(),
        stdin: Vec::new(),
        timeout: WITHIN,
        output_bytes_max: OUTPUT_BYTES_MAX,
    };
    let output = stage.actor.launcher.exec(request).await.map_err(|error| error.to_string())?;
    if output.exit == Exit::Code(0) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
    let said: String = said.chars().take(OUTPUT_CHARS_SHOWN).collect();
    Err(format!("the reset `{words}` ended with {}: {said}", output.exit))
}
