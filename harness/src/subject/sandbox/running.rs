//! A subject that serves from a sandbox.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use reqwest::Url;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    process::Child,
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use super::{
    channel::{Ear, Mouth, Wish, Word, inward},
    room::{Room, bury},
};
use crate::subject::{
    LaunchError, Leaks, Running, Signal,
    log::Log,
    process::{DRAIN, TERM_GRACE},
    relay::{Door, Target, relay},
};

/// Dropping it kills everything inside.
pub(super) struct Sandboxed {
    child: Child,
    mouth: Option<Mouth>,
    /// How the subject ended.
    end: watch::Receiver<Option<String>>,
    /// The doors out, and who opens those in.
    doors: JoinSet<()>,
    pumps: Vec<JoinHandle<()>>,
    base_url: Url,
    _folder: TempDir,
}

impl Sandboxed {
    pub(super) fn serve(room: Room, log: &Log, port: u16) -> Self {
        let Room { child, pipes, ear, mouth, folder, mut doors } = room;
        let pumps = [pipes.stdout.map(|stream| log.pump(stream)), pipes.stderr.map(|stream| log.pump(stream))];
        let (tell, end) = watch::channel(None);
        doors.spawn(attend(ear, folder.path().to_owned(), log.clone(), tell));
        let base_url = format!("http://127.0.0.1:{port}").parse().expect("a loopback URL");
        let pumps = pumps.into_iter().flatten().collect();
        Self { child, mouth, end, doors, pumps, base_url, _folder: folder }
    }

    /// Returns when nothing inside lives any more and no port of it answers.
    async fn bury(&mut self) {
        self.mouth = None;
        bury(&mut self.child).await;
        self.doors.shutdown().await;
    }
}

/// Opens each way in when the subject listens at its end; closes all when the subject has ended.
async fn attend(mut ear: Ear, folder: PathBuf, log: Log, tell: watch::Sender<Option<String>>) {
    let mut ways: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            word = ear.hear::<Word>() => match word {
                Some(Word::Listens(port)) => match way_in(port, &folder).await {
                    Ok(way) => ways.push(way),
                    Err(error) => log.write(format!("harness: port {port} cannot be led in: {error}\n").as_bytes()),
                },
                Some(Word::Ended(exit)) => {
                    ways.clear();
                    tell.send_replace(Some(exit.to_string()));
                }
                Some(Word::Started | Word::Refused(_)) => {}
                None => break,
            },
            Some(()) = ways.next() => {}
        }
    }
    drop(ways);
    tell.send_if_modified(|end| {
        let is_open = end.is_none();
        end.get_or_insert_with(|| "the end of its sandbox".to_owned());
        is_open
    });
}

/// The same number outside, which was leased for it.
async fn way_in(port: u16, folder: &Path) -> std::io::Result<BoxFuture<'static, ()>> {
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    Ok(Box::pin(relay(Door::Tcp(door), Target::Untrusted(folder.join(inward(port))))))
}

#[async_trait]
impl Running for Sandboxed {
    fn base_url(&self) -> Url {
        self.base_url.clone()
    }

    async fn stop(&mut self, how: Signal) -> Result<(), LaunchError> {
        if how == Signal::Term
            && let Some(mouth) = &mut self.mouth
            && mouth.say(&Wish::Terminate).await.is_ok()
        {
            timeout(TERM_GRACE, self.end.wait_for(Option::is_some)).await.ok();
        }
        self.bury().await;
        Ok(())
    }

    fn try_exit(&mut self) -> Option<String> {
        self.end.borrow().clone()
    }

    /// Nothing can escape a namespace of processes.
    async fn close(mut self: Box<Self>) -> Leaks {
        self.bury().await;
        for pump in self.pumps.drain(..) {
            let stop = pump.abort_handle();
            timeout(DRAIN, pump).await.ok();
            stop.abort();
        }
        Leaks::default()
    }
}
