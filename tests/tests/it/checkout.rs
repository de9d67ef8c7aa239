//! The shipped spec, once, from commit to branch: each function below is a fact about that one run.

use std::{collections::BTreeSet, fs, path::Path};

use e2e_tests::{
    each,
    factory::{Ended, Workplace},
};
use model::{
    event::{
        Body, Event, StreamId,
        grade::{SuiteScored, TrialVerdict},
        run::Outcome,
    },
    verdict::Suite,
};

use crate::leaks::{Corpus, Holdouts};

const REQUIREMENTS: usize = 11;

struct Run {
    place: Workplace,
    base: String,
    ended: Ended,
}

/// FAC-1, FAC-5, issue 2: one command, from a clean clone to a satisfied spec.
#[test]
fn the_shipped_spec_is_satisfied_in_two_iterations() {
    let place = Workplace::shipped();
    let base = place.git(["rev-parse", "HEAD"]);
    let ended = place.ended(&["run", "specs/checkout.md"]);
    let run = Run { place, base, ended };

    run.ends_with_a_summary();
    run.fails_holdouts_only_at_first();
    run.feeds_back_themes_and_shares_only();
    run.repairs_in_the_second_iteration();
    run.stays_satisfied_over_fresh_trials();
    run.shows_evidence_for_each_requirement();
    run.leaves_a_branch_with_trailers();
    run.leaves_exactly_what_was_built();
    run.leaves_the_users_tree_alone();
    run.tells_an_agent_nothing_of_a_holdout();
    run.keeps_the_whole_truth_for_people();
    let audit = run.place.verified();
    assert_eq!(audit["first_bad"], serde_json::Value::Null);
    assert_eq!(audit["anchored_events"], audit["events"], "the end of a run is anchored");
    run.place.assert_nothing_runs();
}

impl Run {
    /// Why a trial that should have been satisfied was not, for whoever reads a failing test.
    fn not_satisfied(&self, after: &str) -> Vec<String> {
        let sealed = self.place.events(&StreamId::sealed(&self.ended.run()));
        let told = |event: &Event| match &event.body {
            Body::TrialFinished(it) if it.verdict != TrialVerdict::Satisfied && it.action.as_str().contains(after) => {
                let why = it.failure.as_deref().unwrap_or("no word");
                Some(format!(
                    "{} {} #{} {:?} after {} ms: {why}",
                    it.action, it.scenario, it.trial, it.verdict, it.duration_ms
                ))
            }
            _ => None,
        };
        self.ended.events.iter().chain(&sealed).filter_map(told).collect()
    }

    fn ends_with_a_summary(&self) {
        let said = |field| self.ended.said(field).clone();
        assert_eq!(said("verdict"), "satisfied", "{:#?}", self.not_satisfied(""));
        self.ended.expect_status(0);
        assert_eq!(said("exit_status"), 0);
        assert_eq!(said("iterations"), 2, "{:#?}", self.not_satisfied(""));
        assert_eq!(said("audit"), "verified");
        assert_eq!(said("run"), self.ended.run().as_str());
        let printed: Vec<u64> = self.ended.events.iter().map(|event| event.seq).collect();
        let stored = self.place.events(&StreamId::run(&self.ended.run()));
        assert_eq!(printed, (1..=stored.len() as u64).collect::<Vec<_>>(), "each event is printed once, in order");
        assert_eq!(self.ended.events, stored, "what is printed is what is stored");
    }

    fn scored(&self, suite: Suite, iteration: u32) -> Vec<&SuiteScored> {
        self.ended.all(|body| match body {
            Body::SuiteScored(scored) if scored.suite == suite && scored.iteration == iteration => Some(scored),
            _ => None,
        })
    }

    fn fails_holdouts_only_at_first(&self) {
        let (visible, holdout) = (self.scored(Suite::Visible, 1), self.scored(Suite::Holdout, 1));
        assert_eq!((visible.len(), holdout.len()), (1, 1));
        assert_eq!(
            visible[0].score.satisfied,
            visible[0].score.trials,
            "the first build passes what it could see: {:#?}",
            self.not_satisfied("/1")
        );
        assert!(holdout[0].score.satisfied < holdout[0].score.trials, "and fails what it could not");
    }

    fn feeds_back_themes_and_shares_only(&self) {
        let feedback = each!(self.ended, FeedbackComposed(told) => told);
        assert_eq!(feedback.len(), 1);
        let (_, hidden) = feedback[0].text.split_once("\n## Hidden checks\n").expect("a part about hidden checks");
        let themes = Holdouts::of(&self.place).themes;
        for line in hidden.lines().filter(|line| !line.trim().is_empty()) {
            let line = line.strip_prefix("- ").unwrap_or_else(|| panic!("`{line}` is no item"));
            let (requirements, rest) = line.split_once(" · ").expect("requirements");
            let known = |id: &str| id.strip_prefix('R').is_some_and(|n| n.parse::<usize>().is_ok());
            assert!(requirements.split(", ").all(known), "{line}");
            let (theme, share) = rest.split_once(": ").expect("a share");
            assert!(themes.contains(theme), "{line}");
            assert!(["a few fail", "about half fail", "most fail", "all fail"].contains(&share), "{line}");
        }
        assert_eq!(hidden.lines().count(), feedback[0].disclosures.len(), "the ledger counts every disclosure");
    }

    fn repairs_in_the_second_iteration(&self) {
        for suite in [Suite::Visible, Suite::Holdout] {
            let scored = self.scored(suite, 2);
            assert_eq!(scored.len(), 2, "{suite:?}: once to be satisfied, once to stay so");
            for scored in scored {
                let (satisfied, trials) = (scored.score.satisfied, scored.score.trials);
                assert_eq!(satisfied, trials, "{suite:?}: {:#?}", self.not_satisfied(""));
            }
        }
        let gates: Vec<bool> = each!(self.ended, GateEvaluated(gate) => gate.satisfied);
        assert_eq!(gates, [false, true, true]);
    }

    fn stays_satisfied_over_fresh_trials(&self) {
        let trials = |suite, of: &str| -> Vec<(String, u32)> {
            self.ended.all(|body| match body {
                // What the machine spoiled is listed and tried again.
                Body::TrialFinished(trial) if trial.verdict == TrialVerdict::Infra => None,
                Body::TrialFinished(trial) if trial.suite == suite && trial.action.as_str().starts_with(of) => {
                    assert_eq!(trial.verdict, TrialVerdict::Satisfied);
                    Some((trial.scenario.clone(), trial.trial))
                }
                _ => None,
            })
        };
        for (suite, first, stayed, scenarios) in
            [(Suite::Visible, "visible/2", "stay-visible/", 12), (Suite::Holdout, "holdout/2", "stay-holdout/", 8)]
        {
            let (first, fresh) = (trials(suite, first), trials(suite, stayed));
            assert_eq!((first.len(), fresh.len()), (scenarios * 2, scenarios), "two trials of each, and a fresh one");
            let first: BTreeSet<_> = first.into_iter().collect();
            assert!(fresh.iter().all(|trial| !first.contains(trial)), "fresh trials are trials of their own");
        }
    }

    fn shows_evidence_for_each_requirement(&self) {
        let requirements = self.ended.said("gate")["requirements"].as_array().expect("evidence").clone();
        let ids: Vec<&str> = requirements.iter().filter_map(|evidence| evidence["requirement"].as_str()).collect();
        assert_eq!(ids, (1..=REQUIREMENTS).map(|n| format!("R{n}")).collect::<Vec<_>>());
        for evidence in &requirements {
            assert!(evidence["visible_trials"].as_u64() > Some(0), "{evidence}");
            assert_eq!(evidence["visible_trials"], evidence["visible_satisfied"], "{evidence}");
            assert_eq!(evidence["holdout_trials"], evidence["holdout_satisfied"], "{evidence}");
        }
    }

    fn branch(&self) -> String {
        format!("factory/checkout/{}", self.ended.run())
    }

    fn leaves_a_branch_with_trailers(&self) {
        let git = |arguments: &[&str]| self.place.git(arguments);
        assert_eq!(git(&["rev-parse", &format!("{}^", self.branch())]), self.base, "its parent is the base");
        assert_eq!(self.ended.said("branch")["commit"], git(&["rev-parse", &self.branch()]).as_str());
        let trailer = |key: &str| {
            let format = format!("--format=%(trailers:key={key},valueonly,separator=%x2C)");
            git(&["log", "-1", &format, &self.branch()])
        };
        let seeds = each!(self.ended, RunCreated(run) => run.seed.to_string());
        let scheduled = |body: &Body| matches!(body, Body::ActionScheduled(action) if action.node == "publish");
        let head = self.ended.events.iter().find(|event| scheduled(&event.body)).expect("publish was scheduled");
        assert_eq!(trailer("Factory-Run"), self.ended.run().as_str());
        assert_eq!(trailer("Factory-Seed"), seeds[0]);
        assert_eq!(trailer("Factory-Audit-Head"), head.hash.to_string());
        let satisfaction = trailer("Factory-Satisfaction");
        assert!(satisfaction.starts_with("visible 1.000 (36/36"), "{satisfaction}");
        assert!(satisfaction.contains("holdout 1.000 (24/24"), "{satisfaction}");
    }

    fn leaves_exactly_what_was_built(&self) {
        let tree = |of: &str| -> BTreeSet<String> {
            self.place.git(["ls-tree", "-r", "--name-only", of]).lines().map(str::to_owned).collect()
        };
        let (base, branch) = (tree(&self.base), tree(&self.branch()));
        let of_subject = |path: &&String| path.starts_with("examples/checkout/");
        let outside =
            |tree: &BTreeSet<String>| tree.iter().filter(|path| !of_subject(path)).cloned().collect::<Vec<_>>();
        assert_eq!(outside(&base), outside(&branch));
        assert!(branch.iter().any(|path| path.starts_with("holdout/checkout/")), "holdouts stay in the repository");
        let changed = self.place.git(["diff", "--name-only", &self.base, &self.branch()]);
        assert!(changed.lines().all(|path| path.starts_with("examples/checkout/")), "{changed}");

        let built = self.built_tree();
        let files: BTreeSet<String> = relative_files(&built).into_iter().collect();
        let in_branch: BTreeSet<String> =
            branch.iter().filter_map(|path| path.strip_prefix("examples/checkout/").map(str::to_owned)).collect();
        assert_eq!(files, in_branch);
        assert!(files.contains("app.py") && files.contains("harness.yaml"), "{files:?}");
        for file in &files {
            let text = fs::read_to_string(built.join(file)).expect("text");
            let committed = self.place.git(["show", &format!("{}:examples/checkout/{file}", self.branch())]);
            assert_eq!(text.trim_end(), committed, "{file}");
        }
    }

    /// What the last build left.
    fn built_tree(&self) -> std::path::PathBuf {
        let trees = self.ended.all(|body| match body {
            Body::ActionFinished(finished) if finished.action.as_str().starts_with("build/") => match &finished.outcome
            {
                Outcome::Succeeded { output } => output["tree"].as_str().map(str::to_owned),
                Outcome::Failed { .. } => None,
            },
            _ => None,
        });
        let digest = trees.last().expect("a build").replace(':', "-");
        let tree = self.run_folder().join("trees").join(digest);
        assert!(tree.is_dir(), "the built tree is kept: {}", tree.display());
        tree
    }

    fn run_folder(&self) -> std::path::PathBuf {
        self.place.home().join("runs").join(self.ended.run().as_str())
    }

    fn leaves_the_users_tree_alone(&self) {
        assert_eq!(self.place.git(["rev-parse", "HEAD"]), self.base);
        assert_eq!(self.place.git(["symbolic-ref", "--short", "HEAD"]), "main");
        assert_eq!(self.place.git(["status", "--porcelain", "--ignored"]), "");
        assert_eq!(self.place.git(["for-each-ref", "--format=%(refname:short)"]), format!("{}\nmain", self.branch()));
    }

    /// FAC-5: no line and no canary of a holdout in anything that an agent role can see.
    fn tells_an_agent_nothing_of_a_holdout(&self) {
        let holdouts = Holdouts::of(&self.place);
        let mut seen = Corpus::default();
        for event in &self.ended.events {
            seen.add_json(&format!("event {} {}", event.seq, event.body.kind()), &event.body);
        }
        for folder in ["work", "trees", "seed", "scenarios"] {
            seen.add_folder(&self.run_folder().join(folder));
        }
        seen.add_file(&self.run_folder().join("spec.md"));
        assert!(seen.has("work/build/1/1/tree/.factory/TASK.md") || seen.has("TASK.md"), "the task file is looked at");
        let found = holdouts.found_in(&seen);
        assert!(found.is_empty(), "holdout text within an agent's reach: {found:#?}");
    }

    /// The same search finds all of it where it belongs: it is not blind.
    fn keeps_the_whole_truth_for_people(&self) {
        let holdouts = Holdouts::of(&self.place);
        let mut sealed = Corpus::default();
        sealed.add_folder(&self.run_folder().join("sealed"));
        assert_eq!(
            holdouts.found_in(&sealed).len(),
            holdouts.secrets.len(),
            "every secret stands in the sealed copies"
        );

        let mut stream = Corpus::default();
        for event in self.place.events(&StreamId::sealed(&self.ended.run())) {
            stream.add_json(&format!("sealed event {}", event.seq), &event.body);
        }
        let found: BTreeSet<String> = holdouts.found_in(&stream).into_iter().map(|found| found.holdout).collect();
        assert_eq!(found, holdouts.names, "the sealed stream tells of every holdout");
    }
}

fn relative_files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for path in fs::read_dir(&next).expect("readable").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(folder).expect("below it").to_string_lossy().into_owned());
            }
        }
    }
    found
}
