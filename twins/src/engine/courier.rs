//! Carries webhooks: one task per space, one delivery at a time, so that their order is the outbox's order.

use std::{
    sync::{Arc, LazyLock, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::time::sleep_until;

use super::{
    outbox::{Delivery, Proof},
    shared::Shared,
};

const ANSWER_WITHIN: Duration = Duration::from_secs(5); // a receiver that is slower gets the webhook again
const ECHO_BYTES_MAX: usize = 64 * 1024; // a challenge is a line

/// Runs until the space closes.
pub(crate) async fn run(shared: Arc<Shared>) {
    let closing = shared.closing.clone();
    tokio::select! {
        () = closing.cancelled() => {}
        () = carry(&shared) => {}
    }
}

async fn carry(shared: &Shared) {
    loop {
        // Ask for the wake-up before looking, so that an event between the two is not lost.
        let woken = shared.outbox_changed.notified();
        match take_due(shared) {
            Some((twin, delivery)) => {
                let outcome = post(shared, &twin, &delivery).await;
                book(shared, &twin, delivery, outcome);
            }
            None => match next_due(shared) {
                Some(due) => tokio::select! { () = woken => {} () = sleep_until(due.into()) => {} },
                None => woken.await,
            },
        }
    }
}

fn take_due(shared: &Shared) -> Option<(Arc<str>, Delivery)> {
    let now = Instant::now();
    let mut core = shared.core();
    let due = core.cells.iter_mut().find_map(|(name, cell)| Some((Arc::clone(name), cell.outbox.take_due(now)?)));
    if due.is_some() {
        // Under the lock, so that no one sees the delivery neither waiting nor under way.
        shared.delivering.store(true, Ordering::Release);
    }
    due
}

fn next_due(shared: &Shared) -> Option<Instant> {
    shared.core().cells.values().filter_map(|cell| cell.outbox.next_due()).min()
}

fn book(shared: &Shared, twin: &Arc<str>, delivery: Delivery, outcome: Result<u16, String>) {
    let mut core = shared.core();
    let now = core.clock.now();
    if let Some(cell) = core.cells.get_mut(twin) {
        cell.outbox.attempted(delivery, outcome, now);
    }
    shared.delivering.store(false, Ordering::Release);
    drop(core);
    shared.delivered.notify_waiters();
}

async fn post(shared: &Shared, twin: &Arc<str>, delivery: &Delivery) -> Result<u16, String> {
    if delivery.lost {
        return Err("dropped on purpose".to_owned());
    }
    let (url, headers) = prepared(shared, twin, delivery)?;
    let mut request = CLIENT.post(url);
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json; charset=utf-8");
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    match request.body(delivery.event.payload.clone()).send().await {
        Ok(response) => echoed(response, delivery.event.echo.as_deref()).await,
        Err(error) if error.is_timeout() => Err("no answer in time".to_owned()),
        Err(error) if error.is_connect() => Err("connection refused".to_owned()),
        Err(_) => Err("connection broken".to_owned()),
    }
}

/// The status, unless the answer lacks what it must contain.
async fn echoed(mut response: reqwest::Response, wanted: Option<&str>) -> Result<u16, String> {
    let status = response.status().as_u16();
    let Some(wanted) = wanted else { return Ok(status) };
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > ECHO_BYTES_MAX {
            break;
        }
    }
    if String::from_utf8_lossy(&body).contains(wanted) {
        Ok(status)
    } else {
        Err("the challenge did not come back".to_owned())
    }
}

type Prepared = (String, Vec<(&'static str, String)>);

fn prepared(shared: &Shared, twin: &Arc<str>, delivery: &Delivery) -> Result<Prepared, String> {
    let core = shared.core();
    let cell = core.cells.get(twin).ok_or("the twin is gone")?;
    let url = match &cell.outbox.base {
        Some(base) if delivery.to.starts_with('/') => {
            base.join(&delivery.to).map_err(|error| error.to_string())?.to_string()
        }
        _ => delivery.to.clone(),
    };
    let payload = delivery.event.payload.as_bytes();
    let proof = match delivery.proof {
        Proof::Right => cell.twin.sign(&delivery.secret, payload, delivery.signed_at),
        Proof::WrongSecret => cell.twin.sign(&format!("{}_wrong", delivery.secret), payload, delivery.signed_at),
        Proof::Missing => Vec::new(),
    };
    let again =
        if delivery.attempt == 0 { Vec::new() } else { cell.twin.repeated(delivery.attempt, &delivery.failure) };
    Ok((url, delivery.event.headers.iter().cloned().chain(proof).chain(again).collect()))
}

/// One for the process, as making one costs milliseconds and it holds no state. Receivers on this machine speak plain
/// HTTP: where no authority can be loaded, a client without any does all the same.
static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    rustls::crypto::ring::default_provider().install_default().ok();
    let without_authorities = || settings().tls_certs_only([]).build();
    settings().build().or_else(|_| without_authorities()).expect("nothing else in the settings can fail")
});

/// No pool, no proxy, no redirect: what a closed space leaves behind is nothing, and a webhook goes where it was sent.
fn settings() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .timeout(ANSWER_WITHIN)
}
