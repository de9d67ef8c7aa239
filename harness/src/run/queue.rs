//! The trials that are left, in the order in which they begin.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use super::Plan;
use crate::record::TrialRecord;

/// Where a scenario stands in the suite, and the number of the trial.
pub(super) type Finished = HashSet<(usize, u32)>;

/// First trials of all scenarios before second ones: what is broken shows early. Where trials run side by side, the longest
/// of one number begin first, as far as that is known: a long one that begins last keeps the processors waiting for it.
pub(super) struct Queue<'a> {
    trials: u32,
    done: Finished,
    positions: HashMap<&'a str, usize>,
    /// By position.
    took: Vec<Option<Duration>>,
    order: Order,
    /// Of the trials in `open`.
    number: u32,
    open: VecDeque<usize>,
}

/// How trials of one number are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    AsInSuite,
    LongestFirst,
}

impl<'a> Queue<'a> {
    pub(super) fn new(plan: &'a Plan, done: Finished, order: Order) -> Self {
        let slugs = || plan.suite.scenarios.iter().map(|scenario| scenario.slug.as_str());
        let took = slugs().map(|slug| plan.expected.get(slug).copied()).collect();
        Self {
            trials: plan.trials,
            done,
            positions: slugs().zip(0..).collect(),
            took,
            order,
            number: 0,
            open: VecDeque::new(),
        }
    }

    pub(super) fn is_empty(&mut self) -> bool {
        self.fill();
        self.open.is_empty()
    }

    /// The next trial: where its scenario stands, and its number.
    pub(super) fn pop(&mut self) -> Option<(usize, u32)> {
        self.fill();
        self.open.pop_front().map(|position| (position, self.number))
    }

    /// How long a trial took says how long the next one of its scenario will take.
    pub(super) fn learn(&mut self, record: &TrialRecord) {
        if let Some(position) = self.positions.get(record.scenario.as_str()) {
            self.took[*position] = Some(Duration::from_millis(record.duration_ms));
        }
    }

    fn fill(&mut self) {
        while self.open.is_empty() && self.number < self.trials {
            self.number += 1;
            let mut positions: Vec<_> =
                (0..self.took.len()).filter(|position| !self.done.contains(&(*position, self.number))).collect();
            if self.order == Order::LongestFirst {
                // One that has not ended yet may be the longest of all.
                positions.sort_by_key(|position| Reverse(self.took[*position].unwrap_or(Duration::MAX)));
            }
            self.open = positions.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use located::Source;

    use super::{Finished, Order, Queue};
    use crate::{Kind, Plan, SubjectConfig, Suite};

    fn plan() -> Plan {
        let scenario = |slug: &str| {
            let text =
                format!("scenario: {slug}\ntitle: {slug}\nsteps: [{{ exec: {{ argv: [a] }}, expect: {{ exit: 0 }} }}]");
            Source::new(format!("{slug}.yaml"), text)
        };
        let suite = Suite::from_sources(["a", "b", "c"].map(scenario).into(), Kind::Visible).unwrap();
        let subject = SubjectConfig::read(Source::new("harness.yaml", "subject: a")).unwrap();
        let expected = [("b".to_owned(), Duration::from_secs(1)), ("c".to_owned(), Duration::from_secs(2))].into();
        Plan { trials: 2, expected, ..Plan::new(suite, subject, ".".into()) }
    }

    fn order(order: Order, done: Finished) -> Vec<(usize, u32)> {
        let plan = plan();
        let mut queue = Queue::new(&plan, done, order);
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn the_longest_of_one_number_begin_first_and_unknown_ones_before_them() {
        assert_eq!(order(Order::LongestFirst, Finished::new()), [(0, 1), (2, 1), (1, 1), (0, 2), (2, 2), (1, 2)]);
        assert_eq!(order(Order::AsInSuite, Finished::new()), [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2)]);
    }

    #[test]
    fn what_is_done_is_left_out() {
        let all = [(0, 1), (1, 1), (2, 1), (0, 2), (2, 2)];
        assert_eq!(order(Order::AsInSuite, all.into()), [(1, 2)]);
        let plan = plan();
        let done = all.into_iter().chain([(1, 2)]).collect();
        assert!(Queue::new(&plan, done, Order::LongestFirst).is_empty());
    }
}
