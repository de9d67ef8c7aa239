//! Ctrl-C and SIGTERM: the run is let go in good order, and goes on later.

use e2e_tests::{
    each,
    factory::{Signal, Workplace},
};
use model::event::Body;

/// AO-21: exit status 6, nothing left running, and `factory resume` ends what was begun.
#[test]
fn a_run_that_is_asked_to_stop_is_released_and_resumed() {
    let place = Workplace::init();
    let mut first = place.start(&["run", "specs/greeting.md"]);
    first.until(|event| matches!(event.body, Body::ToolCalled(_))).expect("the agent works");
    first.signal(Signal::INT);
    let first = first.end();
    first.expect_status(6);
    assert_eq!(first.said("verdict"), "interrupted");
    place.assert_nothing_runs();

    let mut second = place.start(&["resume"]);
    second.until(|event| matches!(event.body, Body::GateEvaluated(_))).expect("it is graded");
    second.signal(Signal::TERM);
    let second = second.end();
    second.expect_status(6);
    place.assert_nothing_runs();

    let third = place.ended(&["resume"]);
    third.expect_status(0);
    assert_eq!(third.said("verdict"), "satisfied");
    assert_eq!(third.run(), first.run());
    let epochs = each!(third, RunClaimed(claimed) => claimed.epoch);
    assert_eq!(epochs, [1, 2, 3], "each time it was claimed at once, by a new worker");

    let fourth = place.ended(&["resume", third.run().as_str()]);
    fourth.expect_status(0);
    assert_eq!(fourth.events, third.events, "what is finished is shown, not done again");
    place.verified();
    place.assert_nothing_runs();
}
