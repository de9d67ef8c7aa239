//! Several processes on one home: a run is performed by one of them, and shown by whoever asks.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use e2e_tests::{
    each,
    factory::{Ended, PATIENCE, Signal, Workplace},
};
use model::{
    event::{Body, Event, StreamId},
    id::RunId,
};

use super::SPEC;

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The processes that have performed a run.
fn performers(ended: &Ended) -> BTreeSet<i32> {
    let pid = |worker: &str| worker.split('-').nth(1).and_then(|pid| pid.parse().ok()).expect("a worker's name");
    each!(ended, RunClaimed(claimed) => pid(&claimed.worker)).into_iter().collect()
}

/// Whoever starts a run has set the keys for it; the worker of `factory up` may have none.
#[test]
fn a_run_is_performed_by_the_process_that_started_it_beside_a_worker_that_waits_for_runs() {
    let place = Workplace::init();
    let up = place.up(&[]);
    for _ in 0..3 {
        let running = place.start(&["run", SPEC, "--agent", "true", "--iterations", "1", "--trials", "1"]);
        let pid = running.pid();
        let ended = running.end();
        ended.expect_status(1);
        assert_eq!(performers(&ended), BTreeSet::from([pid]));
    }
    up.signal(Signal::TERM);
    up.end().expect_status(0);
    place.assert_nothing_runs();
}

/// Waits until a run has been claimed so often; panics with what was claimed where that takes too long.
fn claimed(place: &Workplace, run: &RunId, times: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let events = place.events(&StreamId::run(run));
        let claims: Vec<_> = events.iter().filter(|event| matches!(event.body, Body::RunClaimed(_))).collect();
        if claims.len() >= times {
            return;
        }
        assert!(Instant::now() < deadline, "{claims:?}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// The worker of `factory up` goes on with what a killed process began. Two `factory resume` show that as it happens, and
/// one of them goes on when that worker is killed too.
#[test]
fn a_run_that_another_process_performs_is_followed_to_its_end_and_taken_over_where_that_one_dies() {
    let place = Workplace::init();
    let up = place.up(&[]);
    let mut first = place.start(&["run", SPEC]);
    first.until(|event| matches!(event.body, Body::ToolCalled(_))).expect("the agent works");
    let starter = first.pid();
    let run = first.kill().run();
    claimed(&place, &run, 2);
    let mut followers = [0, 1].map(|_| place.start(&["resume", run.as_str()]));
    let graded = |event: &Event| matches!(event.body, Body::SuiteScored(_));
    assert!(followers[0].until(graded).is_some(), "what the other process does is shown");
    let performer = up.pid();
    up.kill();

    let ended = followers.map(|follower| (follower.pid(), follower.end()));
    for (_, ended) in &ended {
        ended.expect_status(0);
        assert_eq!(ended.said("verdict"), "satisfied");
    }
    assert_eq!(ended[0].1.events, ended[1].1.events, "both have shown all of it");
    let mut performers = performers(&ended[0].1);
    assert!(performers.remove(&starter) && performers.remove(&performer), "{performers:?}");
    let heirs: Vec<_> = ended.iter().filter(|(pid, _)| performers.contains(pid)).collect();
    assert_eq!((heirs.len(), performers.len()), (1, 1), "one of the two goes on: {performers:?}");
    place.verified();
    place.assert_nothing_runs();
}
