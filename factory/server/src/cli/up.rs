//! `factory up`: dashboards on loopback, and a worker that performs runs which wait.

use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use controller::{Factory, worker};
use model::id::RunId;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::Wrong;
use crate::{
    config::{self, Config},
    reads::StoreReads,
    signals::Signals,
    wiring,
};

const PORT_DEFAULT: u16 = 7700;
/// How long a worker without work waits before it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    /// Where to listen; loopback only, since there are no accounts yet.
    #[arg(long, default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT_DEFAULT), value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Show only; leave waiting runs to other processes.
    #[arg(long)]
    no_worker: bool,
    /// Print the address as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn up(config: &Config, arguments: UpArguments) -> anyhow::Result<u8> {
    if !arguments.listen.ip().is_loopback() {
        let message = format!(
            "{} is not a loopback address; put a proxy with accounts in front of a loopback one",
            arguments.listen
        );
        return Err(Wrong(message).into());
    }
    let listener = bind(arguments.listen).await?;
    let address = listener.local_addr()?;
    let factory = wiring::factory(config, config::provider(None)).await?;
    let mut signals = Signals::new()?;
    let stop = CancellationToken::new();
    let serving = serve(&factory, listener, stop.clone());
    let working = (!arguments.no_worker).then(|| tokio::spawn(work(Arc::clone(&factory), stop.clone())));
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", serde_json::json!({ "url": format!("http://{address}/") }))?;
    } else {
        writeln!(out, "dashboards at http://{address}/   (ctrl-c ends)")?;
    }
    out.flush()?;
    drop(out);
    signals.next().await;
    stop.cancel();
    if let Some(working) = working {
        working.await?;
    }
    serving.await??;
    wiring::close(factory).await;
    Ok(0)
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}: is another `factory up` there? choose a port with --listen 127.0.0.1:0")
    })
}

fn serve(factory: &Factory, listener: TcpListener, stop: CancellationToken) -> JoinHandle<std::io::Result<()>> {
    use axum::serve::ListenerExt as _;

    let router = dashboards::router(Arc::new(StoreReads::new(factory.store.clone())));
    // Without it small writes of an event stream wait 40 ms for an acknowledgement.
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).ok();
    });
    tokio::spawn(async move {
        tokio::select! {
            served = async { axum::serve(listener, router).await } => served,
            () = stop.cancelled() => Ok(()),
        }
    })
}

/// Performs one waiting run after the other.
async fn work(factory: Arc<Factory>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match worker::claim_next(&factory).await {
            Ok(Some(lease)) => {
                let run = lease.run.clone();
                if let Err(error) = Box::pin(worker::drive(&factory, lease, stop.clone())).await {
                    tracing::error!(run.id = %run, %error, "the run was let go");
                }
            }
            Ok(None) => wait(&stop).await,
            Err(error) => {
                tracing::warn!(%error, "cannot look for runs");
                wait(&stop).await;
            }
        }
    }
}

async fn wait(stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(LOOK_AGAIN) => {}
        () = stop.cancelled() => {}
    }
}

/// Serves the dashboards for as long as the value lives, and opens a run's page in the user's browser.
pub(crate) async fn open_page(factory: &Factory, run: &RunId) -> anyhow::Result<PageServer> {
    let wanted = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT_DEFAULT);
    let listener = match TcpListener::bind(wanted).await {
        Ok(listener) => listener,
        Err(_) => bind(SocketAddr::new(wanted.ip(), 0)).await?,
    };
    let url = format!("http://{}/runs/{run}", listener.local_addr()?);
    let stop = CancellationToken::new();
    drop(serve(factory, listener, stop.clone()));
    let mut err = std::io::stderr().lock();
    writeln!(err, "the run's page: {url}")?;
    let opened = std::process::Command::new("xdg-open").arg(&url).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if opened.is_err() {
        writeln!(err, "no browser could be opened here; open the address yourself")?;
    }
    Ok(PageServer(stop))
}

/// Ends the dashboards when it is dropped.
pub(crate) struct PageServer(CancellationToken);

impl Drop for PageServer {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
