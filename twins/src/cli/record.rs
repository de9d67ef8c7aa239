//! `twins record` and `twins shapes`.

use std::{
    io::{IsTerminal, stdout},
    path::PathBuf,
};

use anyhow::Result;
use serde_json::json;
use twins::{RecordOptions, record};
use url::Url;

use super::{say, serve::until_ended};

#[derive(clap::Args)]
pub(super) struct Options {
    /// The service: what stands before the path.
    #[arg(long, value_name = "URL")]
    upstream: Url,
    /// Where to write; must not exist yet.
    #[arg(long, value_name = "FILE", default_value = "recording.jsonl")]
    out: PathBuf,
    /// Port to listen on; any, where left out.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// A pattern of what else must not be written down; can be given again.
    #[arg(long, value_name = "REGEX")]
    redact: Vec<String>,
    /// A path whose ids look like words, with its parameters: `/repos/{owner}/{repo}`; can be given again.
    #[arg(long = "path", value_name = "TEMPLATE")]
    paths: Vec<String>,
    /// One JSON line; the default where the output is no terminal.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(options: Options) -> Result<()> {
    let ended = until_ended()?;
    let Options { upstream, out, port, redact, paths, json } = options;
    let shown = out.display().to_string();
    let recorded = record(RecordOptions { upstream: upstream.clone(), out, redact, paths, port })?;
    let (base_url, port) = (recorded.base_url.clone(), recorded.port);
    if json || !stdout().is_terminal() {
        say(
            &mut stdout(),
            &json!({"base_url": base_url, "port": port, "upstream": upstream, "out": shown}).to_string(),
        )?;
    } else {
        say(&mut stdout(), &format!("{base_url} passes on to {upstream} and writes {shown}; end it with Ctrl-C"))?;
    }
    ended.await;
    let progress = recorded.progress();
    recorded.close().await;
    let path = if twins::definition::is_path(&shown) { shown } else { format!("./{shown}") };
    say(&mut std::io::stderr(), &format!("{} exchanges; serve them with `twins serve {path}`", progress.exchanges()))
}

/// The shapes of all recordings together.
pub(super) fn shapes(files: &[PathBuf], paths: &[String]) -> Result<()> {
    let shapes = twins::recorded_shapes(files, paths)?;
    say(&mut stdout(), &serde_json::to_string_pretty(&shapes)?)
}
