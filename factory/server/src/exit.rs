//! Exit statuses: a stable contract for scripts and CI.

use model::verdict::Verdict;

/// The command line was wrong, or a file that it names has an error.
pub(crate) const USAGE: u8 = 2;
/// The factory's surroundings failed: no database, no sandbox, no model.
pub(crate) const INFRASTRUCTURE: u8 = 5;

/// `satisfied` 0 · `not satisfied` 1 · budget 3 · needs a person 4 · infrastructure 5 · cancelled 6.
pub(crate) fn of(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Satisfied => 0,
        Verdict::NotSatisfied => 1,
        Verdict::BudgetExhausted => 3,
        Verdict::NeedsPerson => 4,
        Verdict::Infrastructure => INFRASTRUCTURE,
        Verdict::Cancelled => 6,
    }
}
