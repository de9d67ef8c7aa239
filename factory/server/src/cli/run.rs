//! `factory run` and `factory resume`: drive one run in this process and show it.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use controller::{
    Factory,
    seed::{self, Overrides},
    worker::{self, End, Turn},
};
use futures::StreamExt as _;
use model::{
    event::{Body, Event, StreamId},
    id::RunId,
    verdict::Verdict,
};
use store::Lease;
use tokio_util::sync::CancellationToken;

use super::Wrong;
use crate::{
    config::{self, Config},
    exit,
    signals::Signals,
    terminal::Terminal,
    wiring,
};

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// The spec, for example specs/checkout.md.
    spec: PathBuf,
    /// Let this command build instead of the built-in agent: it runs inside the sandbox, with the task on its standard
    /// input and in the file that `$FACTORY_TASK_FILE` names.
    #[arg(long, value_name = "COMMAND")]
    agent: Option<String>,
    /// The model to ask, by its provider's name for it.
    #[arg(long)]
    model: Option<String>,
    /// At most this many builds [default: the spec's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    iterations: Option<u32>,
    /// At most this much for models, in US dollars [default: the spec's].
    #[arg(long, value_name = "USD")]
    budget_usd: Option<f64>,
    /// Trials of each scenario in an iteration [default: the spec's].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    trials: Option<u32>,
    /// Makes twins, random values and orders repeatable [default: a fresh one].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArguments {
    /// The run [default: the newest one that is not finished].
    run: Option<RunId>,
    /// Answer the question that the run waits with.
    #[arg(long, value_name = "CHOICE")]
    answer: Option<String>,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Args)]
struct Show {
    /// Print every event as a line of JSON on standard output, and a summary as the last one.
    #[arg(long)]
    json: bool,
    /// Serve the dashboards meanwhile and open the run's page.
    #[arg(long)]
    open: bool,
}

pub(crate) async fn run(config: &Config, arguments: RunArguments) -> anyhow::Result<u8> {
    let provider = config::provider(arguments.model.as_deref());
    let overrides = Overrides {
        agent_command: arguments.agent,
        model: arguments.model,
        iterations: arguments.iterations,
        cost_usd_micros: arguments.budget_usd.map(micros).transpose()?,
        trials: arguments.trials,
        seed: arguments.seed,
    };
    let compiled = seed::compile(&arguments.spec, &overrides, provider.as_ref().map(|known| known.name.as_str()))?;
    let factory = wiring::factory(config, provider).await?;
    let (run, lease) = compiled.start(&factory).await?;
    show(factory, &run, lease, &arguments.show).await
}

fn micros(usd: f64) -> anyhow::Result<u64> {
    if !(0.0..=1e9).contains(&usd) {
        return Err(Wrong(format!("--budget-usd {usd}: a budget is a number of US dollars from 0 up")).into());
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    Ok((usd * 1e6).round() as u64)
}

pub(crate) async fn resume(config: &Config, arguments: ResumeArguments) -> anyhow::Result<u8> {
    let factory = wiring::factory(config, config::provider(None)).await?;
    let run = match arguments.run {
        Some(run) => run,
        None => newest_open(&factory).await?,
    };
    if let Some(answer) = &arguments.answer {
        worker::answer(&factory, &run, answer).await?;
    }
    show(factory, &run, None, &arguments.show).await
}

/// An open run that is older than this many others is asked for by its id.
const RUNS_LOOKED_AT: u64 = 100;

async fn newest_open(factory: &Factory) -> anyhow::Result<RunId> {
    let runs = factory.store.runs(RUNS_LOOKED_AT, None).await?;
    let open = runs.into_iter().find(|run| run.verdict.is_none());
    open.map(|run| run.run)
        .ok_or_else(|| Wrong("no run is open; start one with `factory run specs/NAME.md`".into()).into())
}

/// Shows the run's events as they are stored, whoever performs it: this process, or another one for as long as it lives.
async fn show(factory: Arc<Factory>, run: &RunId, lease: Option<Lease>, show: &Show) -> anyhow::Result<u8> {
    let _page = if show.open { Some(super::up::open_page(&factory, run).await?) } else { None };
    let mut terminal = Terminal::new(show.json);
    let stop = CancellationToken::new();
    let interrupted = interrupt(Signals::new()?, stop.clone());
    let stream = StreamId::run(run);
    let mut events = factory.store.follow(stream.clone(), 0).boxed();
    let mut driving = tokio::spawn(drive(Arc::clone(&factory), run.clone(), lease, stop));
    let mut shown = 0;
    let end = loop {
        tokio::select! {
            event = events.next() => {
                if let Some(event) = event.transpose()? {
                    shown = event.seq;
                    terminal.show(&event)?;
                }
            }
            end = &mut driving => break end?,
        }
    };
    interrupted.abort();
    // In the middle of a query it owns a connection, which closing the store would wait for.
    drop(events);
    for event in factory.store.events(&stream, shown, 10_000).await? {
        terminal.show(&event)?;
    }
    terminal.close();
    let status = match &end {
        Ok(end) => terminal.summary(&factory, run, end).await?,
        Err(_) => exit::INFRASTRUCTURE,
    };
    end.with_context(|| format!("{run} was let go; go on with `factory resume {run}`"))?;
    wiring::close(factory).await;
    Ok(status)
}

async fn drive(
    factory: Arc<Factory>,
    run: RunId,
    lease: Option<Lease>,
    stop: CancellationToken,
) -> Result<End, controller::Error> {
    let turn = match lease {
        Some(lease) => Turn::Ours(lease),
        None => worker::take_turn(&factory, &run, &stop).await?,
    };
    match turn {
        Turn::Ours(lease) => Box::pin(worker::drive(&factory, lease, stop)).await,
        Turn::Over(end) => Ok(end),
    }
}

/// The first signal lets the run go in good order; the second ends the process.
fn interrupt(mut signals: Signals, stop: CancellationToken) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        signals.next().await;
        stop.cancel();
        signals.next().await;
        std::process::exit(130);
    })
}

/// Exit status of a run's end.
pub(crate) fn status(end: &End) -> u8 {
    match end {
        End::Finished(finished) => exit::of(finished.verdict),
        End::Parked(_) => exit::of(Verdict::NeedsPerson),
        End::Released => exit::of(Verdict::Cancelled),
    }
}

/// The last event of a kind.
pub(crate) fn last<'a, T>(events: &'a [Event], pick: impl Fn(&'a Body) -> Option<&'a T>) -> Option<&'a T> {
    events.iter().rev().find_map(|event| pick(&event.body))
}
