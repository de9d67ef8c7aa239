//! The build of a tree, once before its trials.

use std::path::PathBuf;

use super::{Plan, RunError};
use crate::{
    record::Failure,
    scratch::Scratch,
    step::Actor,
    subject::{ExecOutput, ExecRequest, Exit, LaunchError, TreeAccess},
};

const OUTPUT_BYTES_MAX: usize = 256 * 1024; // of each stream; the end is what gets shown
const SHOWN_BYTES_MAX: usize = 4 * 1024; // some fifty lines

/// Builds the tree. A build that fails is the subject's failure in every trial.
pub(super) async fn build(plan: &Plan, actor: Actor<'_>) -> Result<Option<Failure>, RunError> {
    let Some(build) = &plan.subject.build else { return Ok(None) };
    let folder = Scratch::new()
        .map_err(|error| LaunchError::Machine { program: "build".to_owned(), reason: error.to_string() })?;
    let request = ExecRequest {
        argv: build.argv.clone(),
        env: build.env.clone(),
        env_allow: plan.subject.env_allow.clone(),
        root: plan.root.clone(),
        access: TreeAccess::ReadWrite,
        cwd: PathBuf::new(),
        data_dir: folder.path().join("data"),
        egress: Vec::new(),
        stdin: Vec::new(),
        timeout: build.timeout,
        output_bytes_max: OUTPUT_BYTES_MAX,
    };
    let (observed, words) = match actor.launcher.exec(request).await {
        Ok(output) if output.exit == Exit::Code(0) => return Ok(None),
        Ok(output) => (output.exit.to_string(), last_words(&output)),
        Err(error) if error.is_infra() => return Err(error.into()),
        Err(error) => (error.to_string(), String::new()),
    };
    let message = format!("the build ended with {observed}\n{words}");
    let expected = Some(Exit::Code(0).to_string());
    Ok(Some(Failure { step: 0, name: "build".to_owned(), message, expected, observed: Some(observed) }))
}

/// The end of what a command printed, on both streams.
fn last_words(output: &ExecOutput) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
    let text = text.trim_end();
    text[text.ceil_char_boundary(text.len().saturating_sub(SHOWN_BYTES_MAX))..].to_owned()
}
