//! Whose flake: does the subject waver, or the judge? One-way random effects over the votes of stored trajectories.

use serde::{Deserialize, Serialize};

/// Votes of one criterion over trajectories, folded one trajectory at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Draws {
    trajectories: f64,
    votes: f64,
    votes_squared: f64,
    passes: f64,
    /// `Σ passes²/votes` over the trajectories.
    passes_within: f64,
}

/// How the variance of a judged rate splits: `Var(mean) = σ²_trajectory/n + σ²_judge/(n·m)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Of one trajectory's true share of passing votes: the subject's wavering.
    pub trajectory_variance: f64,
    /// Of one vote on a given trajectory: the judge's wavering.
    pub judge_variance: f64,
    /// Of the mean over all votes.
    pub standard_error: f64,
}

impl Draws {
    /// Adds one trajectory with its votes. One without votes says nothing.
    pub fn add(&mut self, passes: u32, votes: u32) {
        if votes == 0 {
            return;
        }
        let (passes, votes) = (f64::from(passes), f64::from(votes));
        self.trajectories += 1.0;
        self.votes += votes;
        self.votes_squared += votes * votes;
        self.passes += passes;
        self.passes_within += passes * passes / votes;
    }

    /// By the mean squares between and within trajectories (Searle, Casella and `McCulloch` 1992, method of moments).
    /// `None` for less than two trajectories, or where none has two votes: then the parts cannot be told apart.
    pub fn split(&self) -> Option<Split> {
        let (between_degrees, within_degrees) = (self.trajectories - 1.0, self.votes - self.trajectories);
        if between_degrees < 1.0 || within_degrees < 1.0 {
            return None;
        }
        // A vote is 0 or 1, so the sum of squares of all votes is the number of passes.
        let within = ((self.passes - self.passes_within) / within_degrees).max(0.0);
        let between = ((self.passes_within - self.passes * self.passes / self.votes) / between_degrees).max(0.0);
        let votes_each = (self.votes - self.votes_squared / self.votes) / between_degrees;
        let trajectory = ((between - within) / votes_each).max(0.0);
        let variance = trajectory / self.trajectories + within / self.votes;
        Some(Split { trajectory_variance: trajectory, judge_variance: within, standard_error: variance.sqrt() })
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

    use super::Draws;
    use crate::stats::close;

    fn draws(trajectories: &[(u32, u32)]) -> Draws {
        let mut draws = Draws::default();
        trajectories.iter().for_each(|(passes, votes)| draws.add(*passes, *votes));
        draws
    }

    /// Shares 1, 1, 0, 0 of three votes each: no judge ever wavers. MSB = 12·.25/3 = 1, so σ² = 1/3.
    #[test]
    fn unanimous_panels_leave_it_to_the_subject() {
        let split = draws(&[(3, 3), (3, 3), (0, 3), (0, 3)]).split().unwrap();
        close(split.judge_variance, 0.0, 12);
        close(split.trajectory_variance, 1.0 / 3.0, 12);
        close(split.standard_error, (1.0f64 / 12.0).sqrt(), 12);
    }

    /// 2 of 3 votes on each of four: within = 4·(2/3)/8 = 1/3, nothing between.
    #[test]
    fn equal_trajectories_leave_it_to_the_judge() {
        let split = draws(&[(2, 3); 4]).split().unwrap();
        close(split.trajectory_variance, 0.0, 12);
        close(split.judge_variance, 1.0 / 3.0, 12);
        close(split.standard_error, (1.0f64 / 36.0).sqrt(), 12);
    }

    #[test]
    fn single_votes_cannot_be_split() {
        assert_eq!(draws(&[(1, 1), (0, 1), (1, 1)]).split(), None);
        assert_eq!(draws(&[(2, 3)]).split(), None);
        assert_eq!(draws(&[(0, 0), (2, 3)]).split(), None);
    }

    /// Half of the trajectories pass with .9, half with .3: `σ²_trajectory` = .09, `σ²_judge` = (.09 + .21)/2 = .15.
    #[test]
    fn a_known_mixture_is_found_again() {
        let mut random = StdRng::seed_from_u64(7);
        let mut draws = Draws::default();
        for n in 0..20_000 {
            let rate = if n % 2 == 0 { 0.9 } else { 0.3 };
            let votes = if n % 3 == 0 { 5 } else { 3 };
            draws.add((0..votes).filter(|_| random.random_bool(rate)).count() as u32, votes);
        }
        let split = draws.split().unwrap();
        close(split.trajectory_variance, 0.09, 2);
        close(split.judge_variance, 0.15, 2);
    }
}
