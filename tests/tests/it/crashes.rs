//! `kill -9` at any moment, in any process, loses nothing: the run goes on from its log and ends as it would have.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    time::{Duration, Instant},
};

use e2e_tests::{
    each,
    factory::{Ended, PATIENCE, Signal, Workplace},
};
use model::{
    event::{Body, Event, StreamId},
    id::RunId,
    verdict::Verdict,
};

/// A verdict that needs few trials, so that many kills stay cheap.
fn small() -> Workplace {
    let place = Workplace::init();
    let spec = place.read("specs/greeting.md");
    let spec = spec.replace("target: 0.7 ", "target: 0.3 ").replace("  trials: 5 ", "  trials: 2 ");
    place.write("specs/greeting.md", &spec.replace("stability_trials: 2 ", "stability_trials: 1 "));
    place.commit("fewer trials");
    place
}

/// A run that is killed at each event for which `moment` holds, and what it left.
struct Killed {
    kills: usize,
    ended: Ended,
}

/// Kills each process at the first such event that it writes itself, and goes on with the next process.
fn killed_at_each(place: &Workplace, spec: &str, moment: fn(&Body) -> bool) -> Killed {
    let mut running = place.start(&["run", spec]);
    let mut run: Option<RunId> = None;
    // Every process has an epoch of its own; events of earlier ones are printed again, and passed over.
    let mut epochs_before = BTreeSet::new();
    let mut kills = 0;
    loop {
        let own = |event: &Event| !epochs_before.contains(&event.epoch) && moment(&event.body);
        let Some(event) = running.until(own) else {
            return Killed { kills, ended: running.end() };
        };
        epochs_before.insert(event.epoch);
        let dead = running.kill();
        kills += 1;
        let run = run.get_or_insert_with(|| dead.run());
        running = place.start(&["resume", run.as_str()]);
    }
}

fn once<T: Ord + Debug>(what: &str, done: Vec<T>) {
    let mut known = BTreeSet::new();
    for thing in done {
        assert!(!known.contains(&thing), "{what} twice: {thing:?}");
        known.insert(thing);
    }
}

/// What finished is never done again, whoever was killed in between.
fn assert_nothing_is_repeated(ended: &Ended) {
    let sequence: Vec<u64> = ended.events.iter().map(|event| event.seq).collect();
    assert_eq!(sequence, (1..=sequence.len() as u64).collect::<Vec<_>>());
    assert!(ended.events.is_sorted_by_key(|event| event.epoch), "no late write of a dead worker");
    once("scheduled", each!(ended, ActionScheduled(it) => &it.id));
    once("started", each!(ended, ActionStarted(it) => &it.action));
    once("finished", each!(ended, ActionFinished(it) => &it.action));
    once("a session of", each!(ended, SessionStarted(it) => &it.action));
    once("answered", each!(ended, TurnReplied(it) => (&it.session, it.turn)));
    once("called", each!(ended, ToolCalled(it) => (&it.session, &it.call)));
    once("returned", each!(ended, ToolReturned(it) => (&it.session, &it.call)));
    once("proved", each!(ended, ControlProved(it) => (&it.action, &it.suite, &it.scenario)));
    once("tried", each!(ended, TrialFinished(it) => (&it.action, &it.scenario, it.trial)));
}

/// In the order of their names: what runs side by side finishes in any order.
fn sorted(ended: &Ended) -> Vec<String> {
    let mut names = each!(ended, ActionFinished(it) => it.action.to_string());
    names.sort();
    names
}

fn trees(ended: &Ended) -> Vec<String> {
    each!(ended, TreeExported(it) => it.tree.to_string())
}

fn trials(ended: &Ended) -> BTreeSet<String> {
    let said =
        each!(ended, TrialFinished(it) => format!("{} {} #{}: {:?}", it.action, it.scenario, it.trial, it.verdict));
    said.into_iter().collect()
}

fn is_action(body: &Body) -> bool {
    matches!(body, Body::ActionScheduled(_) | Body::ActionStarted(_) | Body::ActionFinished(_))
}

fn is_any_step(body: &Body) -> bool {
    let of_a_session = matches!(body, Body::TurnReplied(_) | Body::ToolCalled(_) | Body::ToolReturned(_));
    is_action(body) || of_a_session || matches!(body, Body::ControlProved(_) | Body::TrialFinished(_))
}

/// Issue 2, item 10: a run that is killed at every step of it ends like one that was left in peace.
#[test]
fn a_run_killed_at_every_step_ends_as_it_would_have() {
    let place = small();
    // A database that others use too does not start anew with each process.
    let dashboards = place.up(&["--no-worker"]);
    let left_alone = place.ended(&["run", "specs/greeting.md", "--seed", "7"]);
    left_alone.expect_status(0);

    let Killed { kills, ended } = killed_at_each(&place, "specs/greeting.md", is_any_step);
    ended.expect_status(0);
    // Several steps may be one transaction, and are one moment.
    let steps = left_alone.all(|body| is_any_step(body).then_some(())).len();
    assert!(kills * 3 > steps, "only {kills} kills in {steps} steps");
    assert_eq!(ended.said("verdict"), left_alone.said("verdict"));
    assert_eq!(ended.said("audit"), "verified");
    assert_eq!(trees(&ended).last(), trees(&left_alone).last());
    assert_eq!(sorted(&ended), sorted(&left_alone));
    assert_eq!(trials(&ended), trials(&left_alone));
    assert_nothing_is_repeated(&ended);
    place.verified();
    dashboards.signal(Signal::TERM);
    dashboards.end().expect_status(0);
    place.assert_nothing_runs();
}

/// Issue 2: the shipped spec, killed at every journalled action, comes to the same verdict.
#[test]
fn the_shipped_spec_killed_at_every_action_is_satisfied() {
    let place = Workplace::shipped();
    let Killed { kills, ended } = killed_at_each(&place, "specs/checkout.md", is_action);
    ended.expect_status(0);
    assert_eq!(ended.said("verdict"), "satisfied");
    assert_eq!(ended.said("iterations"), 2);
    let expected = [
        "build/1/1",
        "build/2/1",
        "confirm/1/1",
        "feedback/1/1",
        "gate/1/1",
        "gate/2/1",
        "holdout/1/1",
        "holdout/2/1",
        "prove/1/1",
        "publish/1/1",
        "stay-holdout/1/1",
        "stay-visible/1/1",
        "visible/1/1",
        "visible/2/1",
    ];
    assert_eq!(sorted(&ended), expected);
    assert!(kills >= expected.len(), "only {kills} kills");
    assert_nothing_is_repeated(&ended);
    place.verified();
    place.assert_nothing_runs();
}

/// The database dies in the middle: it is started again, and the run that used it goes on.
#[test]
fn a_killed_database_loses_nothing() {
    let place = small();
    let mut first = place.start(&["run", "specs/greeting.md"]);
    first.until(|event| matches!(event.body, Body::ToolCalled(_))).expect("the agent works");
    let postmaster = rustix::process::Pid::from_raw(place.postmaster().expect("a database runs")).expect("a pid");
    rustix::process::kill_process(postmaster, Signal::KILL).expect("it is this home's own");
    let ended = first.end();
    ended.expect_status(0);
    assert_eq!(ended.said("verdict"), "satisfied");
    assert_nothing_is_repeated(&ended);
    place.verified();
    place.assert_nothing_runs();
}

/// A run whose worker was killed as soon as it had it.
fn orphaned(place: &Workplace) -> RunId {
    let mut running = place.start(&["run", "specs/greeting.md"]);
    running.until(|event| matches!(event.body, Body::RunClaimed(_))).expect("a claim");
    running.kill().run()
}

/// AO-20: `factory up` takes over what a killed worker left: at once where it can see that the worker is dead, else when
/// the lease has ended by the database's clock.
#[test]
fn up_goes_on_with_the_runs_of_killed_workers() {
    let place = small();
    let (dead, elsewhere) = (orphaned(&place), orphaned(&place));
    // Only the death of its holder frees the first; nobody here can judge the holder of the second.
    let leases = format!(
        "update run_queue set lease_until = clock_timestamp() + interval '1 day' where run = '{dead}';
         update run_queue set worker = 'pid-1-1@elsewhere', lease_until = clock_timestamp() + interval '1 s'
         where run = '{elsewhere}'"
    );
    place.superuser(&leases);
    let up = place.up(&[]);
    let deadline = Instant::now() + PATIENCE;
    while let Some(open) = place.runs().into_iter().find(|run| run["verdict"].is_null()) {
        assert!(Instant::now() < deadline, "still open: {open}");
        std::thread::sleep(Duration::from_millis(100));
    }
    for run in [&dead, &elsewhere] {
        let events = place.events(&StreamId::run(run));
        let epochs: BTreeSet<u64> = events.iter().map(|event| event.epoch).collect();
        assert!(epochs.is_superset(&BTreeSet::from([1, 2])), "{epochs:?}");
        assert!(
            matches!(&events.last().expect("events").body, Body::RunFinished(end) if end.verdict == Verdict::Satisfied)
        );
    }
    up.signal(Signal::TERM);
    up.end().expect_status(0);
    place.verified();
    place.assert_nothing_runs();
}
