//! The repair is owed to the feedback: what it cannot name stays broken.

use std::collections::BTreeMap;

use e2e_tests::{each, factory::Workplace};
use model::{
    event::{Body, grade::TrialVerdict},
    verdict::Suite,
};

/// FAC-6: the script mends what is named. One theme is called something else here, so its holdout stays red.
#[test]
fn what_the_feedback_does_not_name_is_not_repaired() {
    let place = Workplace::shipped();
    place.edit("holdout/checkout/refund-among-duplicates.yaml", "theme: refunds", "theme: money on its way back");
    place.commit("a theme that the script has never heard of");
    let ended = place.ended(&["run", "specs/checkout.md", "--iterations", "2", "--trials", "1"]);
    ended.expect_status(1);
    assert_eq!(ended.said("verdict"), "not satisfied");
    let told = each!(ended, FeedbackComposed(told) => told.text.clone());
    assert!(told[0].contains("R10 · money on its way back: all fail"), "{}", told[0]);

    let mut verdicts: BTreeMap<(u32, Vec<String>), TrialVerdict> = BTreeMap::new();
    for event in &ended.events {
        if let Body::TrialFinished(trial) = &event.body
            && trial.suite == Suite::Holdout
        {
            let iteration = if trial.action.as_str().starts_with("holdout/1/") { 1 } else { 2 };
            verdicts.insert((iteration, trial.requirements.clone()), trial.verdict);
        }
    }
    let red = |iteration: u32| -> Vec<String> {
        let red = verdicts.iter().filter(|((of, _), verdict)| *of == iteration && **verdict != TrialVerdict::Satisfied);
        red.map(|((_, requirements), _)| requirements.join(" ")).collect()
    };
    assert_eq!(red(1).len(), 5, "{:?}", red(1));
    assert_eq!(red(2), ["R10"], "four of five were named, and mended");
    place.assert_nothing_runs();
}
