//! How connections come in, once for everything that listens: twins, proxy, recorder, admin API. Whoever opens a door
//! says what a connection is greeted with; what is spoken then is not the door's.

use std::{
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpStream, sync::Semaphore, time::sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::thread;

const CONNECTIONS_MAX: usize = 4_096; // of one door; more wait in the system's queue
const ACCEPT_PAUSE: Duration = Duration::from_millis(10); // out of file descriptors: let connections end

/// A loopback port that is taken, and nobody answers yet.
pub(crate) struct Door {
    listener: tokio::net::TcpListener,
    pub(crate) port: u16,
    places: usize,
}

impl Door {
    /// Port 0: any.
    pub(crate) fn at(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let _there = thread::handle().enter();
        Ok(Self { listener: tokio::net::TcpListener::from_std(listener)?, port, places: CONNECTIONS_MAX })
    }

    /// Accepts until `closing`, on the twins' own thread; `tasks` has the door and its conversations. `greet` is called
    /// in the order of arrival, and gives none where there is nothing to talk about.
    pub(crate) fn open<C>(
        self,
        tasks: &TaskTracker,
        closing: CancellationToken,
        greet: impl Fn(TcpStream) -> Option<C> + Send + 'static,
    ) where
        C: Future<Output = ()> + Send + 'static,
    {
        let conversations = tasks.clone();
        let answering = async move {
            let free = Arc::new(Semaphore::new(self.places));
            // Conversations end at `closing` by themselves, so that a place always comes.
            while let Ok(place) = Arc::clone(&free).acquire_owned().await
                && let Some(stream) = self.next(&closing).await
            {
                let Some(conversation) = greet(stream) else { continue };
                let conversation = async move {
                    conversation.await;
                    drop(place);
                };
                conversations.spawn_on(conversation, thread::handle());
            }
        };
        tasks.spawn_on(answering, thread::handle());
    }

    async fn next(&self, closing: &CancellationToken) -> Option<TcpStream> {
        loop {
            tokio::select! {
                () = closing.cancelled() => return None,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        // Without it each streamed answer waits 44 ms for a delayed acknowledgement.
                        stream.set_nodelay(true).ok();
                        return Some(stream);
                    }
                    Err(error) => {
                        tracing::warn!(%error, port = self.port, "cannot accept");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn no_more_are_greeted_than_there_is_place_for_and_the_others_wait() {
        let door = Door { places: 2, ..Door::at(0).expect("is free") };
        let (port, tasks, closing) = (door.port, TaskTracker::new(), CancellationToken::new());
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&most);
        door.open(&tasks, closing.clone(), move |mut stream| {
            let (inside, most) = (Arc::clone(&inside), Arc::clone(&seen));
            Some(async move {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                stream.write_all(b"!").await.ok();
                stream.read_u8().await.ok();
                inside.fetch_sub(1, Ordering::SeqCst);
            })
        });
        let mut clients = Vec::new();
        for _ in 0..8 {
            clients.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("is let in or waits"));
        }
        for mut client in clients {
            assert_eq!(client.read_u8().await.ok(), Some(b'!'));
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
        closing.cancel();
        tasks.close();
        tasks.wait().await;
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err(), "the door is shut");
    }
}
