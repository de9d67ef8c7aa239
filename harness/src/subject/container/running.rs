//! One container. Dropping it removes it.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use bollard::{
    Docker,
    errors::Error as DockerError,
    query_parameters::{
        KillContainerOptions, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder, WaitContainerOptions,
    },
};
use futures::StreamExt as _;
use reqwest::Url;
use tokio::{task::JoinHandle, time::timeout};

use super::{DRAIN, network::Relays};
use crate::subject::{Exit, LaunchError, Leaks, Running, Signal};

const TERM_GRACE_SECONDS: i32 = 5; // then it is killed
const EXPECTED_ATTEMPTS: u32 = 20; // with the pause: far longer than the engine needs to make one
const EXPECTED_PAUSE: Duration = Duration::from_millis(100);
const STOP_WITHIN: Duration = Duration::from_secs(30); // the engine's own work included

pub(super) struct Contained {
    docker: Docker,
    /// Its name.
    id: String,
    life: Life,
    serving: Option<Serving>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    /// The engine was asked for it and has not answered.
    Expected,
    Here,
    Gone,
}

/// What a subject has that serves.
struct Serving {
    base_url: Url,
    exit: Arc<OnceLock<Exit>>,
    waiter: JoinHandle<()>,
    pump: JoinHandle<()>,
    _relays: Relays,
}

impl Contained {
    /// A container that is about to be asked for.
    pub(super) fn to_be(docker: Docker) -> Self {
        let id = format!("harness-{}-{:08x}", std::process::id(), rand::random::<u32>());
        Self { docker, id, life: Life::Expected, serving: None }
    }

    /// Notes the engine's answer.
    pub(super) fn settle(&mut self, is_made: bool) {
        self.life = if is_made { Life::Here } else { Life::Gone };
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn serve(&mut self, base_url: Url, pump: JoinHandle<()>, relays: Relays) {
        let exit = Arc::new(OnceLock::new());
        let (docker, id, told) = (self.docker.clone(), self.id.clone(), Arc::clone(&exit));
        let waiter = tokio::spawn(async move {
            let ended = wait(&docker, &id).await;
            told.get_or_init(|| ended);
        });
        self.serving = Some(Serving { base_url, exit, waiter, pump, _relays: relays });
    }

    /// Returns when its command has ended.
    pub(super) async fn wait(&self) -> Exit {
        wait(&self.docker, &self.id).await
    }

    /// Kills whatever is left of it.
    pub(super) async fn remove(mut self) {
        self.remove_now().await;
    }

    async fn remove_now(&mut self) {
        remove(&self.docker, &self.id, self.life).await;
        self.life = Life::Gone;
    }
}

async fn wait(docker: &Docker, id: &str) -> Exit {
    let code = match docker.wait_container(id, None::<WaitContainerOptions>).next().await {
        Some(Ok(answer)) => answer.status_code,
        Some(Err(DockerError::DockerContainerWaitError { code, .. })) => code,
        Some(Err(_)) | None => return Exit::Signal(0),
    };
    Exit::Code(i32::try_from(code).unwrap_or(i32::MAX))
}

/// What cannot be removed has our label: the next run removes it.
async fn remove(docker: &Docker, id: &str, life: Life) {
    let attempts = match life {
        Life::Gone => 0,
        Life::Here => 1,
        Life::Expected => EXPECTED_ATTEMPTS,
    };
    for _ in 0..attempts {
        let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        if docker.remove_container(id, Some(force)).await.is_ok() {
            return;
        }
        tokio::time::sleep(EXPECTED_PAUSE).await;
    }
}

#[async_trait]
impl Running for Contained {
    fn base_url(&self) -> Url {
        self.serving.as_ref().expect("only a subject that serves is handed out").base_url.clone()
    }

    async fn stop(&mut self, how: Signal) -> Result<(), LaunchError> {
        let ended = async {
            match how {
                Signal::Kill => self.docker.kill_container(&self.id, None::<KillContainerOptions>).await,
                Signal::Term => {
                    let options = StopContainerOptionsBuilder::new().t(TERM_GRACE_SECONDS).build();
                    self.docker.stop_container(&self.id, Some(options)).await
                }
            }
        };
        // One that is dead already is what was wanted.
        timeout(STOP_WITHIN, ended).await.ok();
        Ok(())
    }

    fn try_exit(&mut self) -> Option<String> {
        Some(self.serving.as_ref()?.exit.get()?.to_string())
    }

    /// Nothing can escape a container.
    async fn close(mut self: Box<Self>) -> Leaks {
        self.remove_now().await;
        if let Some(Serving { waiter, pump, .. }) = self.serving.take() {
            waiter.abort();
            let stop = pump.abort_handle();
            timeout(DRAIN, pump).await.ok();
            stop.abort();
        }
        Leaks::default()
    }
}

impl Drop for Contained {
    fn drop(&mut self) {
        if self.life == Life::Gone {
            return;
        }
        // A run that was interrupted takes its runtime with it, so this one removal brings its own.
        let (docker, id, life) = (self.docker.clone(), self.id.clone(), self.life);
        let removed = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(remove(&docker, &id, life));
            std::io::Result::Ok(())
        });
        removed.join().ok();
    }
}
