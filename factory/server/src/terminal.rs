//! Prints progress: signs and colours on a terminal, plain lines elsewhere, JSON Lines for machines.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use model::event::Event;

use crate::progress::{Line, Mark, Progress};

/// Where a run's progress goes.
pub(crate) enum Terminal {
    /// One JSON object a line on standard output: every event, then the summary.
    Json,
    Text { progress: Progress, bar: ProgressBar, colour: bool, started: Instant },
}

impl Terminal {
    pub(crate) fn new(json: bool) -> Self {
        if json {
            return Self::Json;
        }
        let colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let bar = if stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        bar.set_style(ProgressStyle::with_template("{spinner} {msg} · {elapsed}").expect("a literal template"));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self::Text { progress: Progress::default(), bar, colour, started: Instant::now() }
    }

    pub(crate) fn show(&mut self, event: &Event) -> std::io::Result<()> {
        match self {
            Self::Json => {
                let mut out = stdout().lock();
                serde_json::to_writer(&mut out, event)?;
                out.write_all(b"\n")?;
                out.flush()
            }
            Self::Text { progress, bar, colour, started } => {
                let lines = progress.on(event);
                let elapsed = started.elapsed();
                bar.suspend(|| lines.iter().try_for_each(|line| print(line, *colour, elapsed)))?;
                bar.set_message(progress.status());
                Ok(())
            }
        }
    }

    pub(crate) fn close(&self) {
        if let Self::Text { bar, .. } = self {
            bar.finish_and_clear();
        }
    }
}

/// The sign says what the colour says, so that nothing is lost without colour.
fn print(line: &Line, colour: bool, elapsed: Duration) -> std::io::Result<()> {
    let (sign, code) = match line.mark {
        Mark::Good => ("  ✓ ", "32"),
        Mark::Bad => ("  ✗ ", "31"),
        Mark::Note => ("  · ", "36"),
        Mark::Heading => ("", "1"),
        Mark::Detail => ("    ", "2"),
    };
    let mut err = stderr().lock();
    let text = line.text.replace('\n', "\n      ");
    let time = if line.mark == Mark::Heading { format!("  {:.1} s", elapsed.as_secs_f64()) } else { String::new() };
    if colour { writeln!(err, "\u{1b}[{code}m{sign}{text}\u{1b}[0m{time}") } else { writeln!(err, "{sign}{text}{time}") }
}
