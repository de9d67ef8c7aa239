//! Geometry of the satisfaction chart. Pure: points in, marks out; the template draws them.
//!
//! Horizontal places are per cent of the width and vertical ones are pixels, so that the picture follows the page's
//! width while its text and its marks keep their size.

use model::verdict::Score;
use serde::Serialize;

use crate::reads::Point;

const LEFT_PERCENT: f64 = 18.0; // room for the words of the scale
const RIGHT_PERCENT: f64 = 88.0; // room for half of the last label
const SIDE_PX: f64 = 7.0; // visible stands left of its place and holdout right of it, so that equal scores both show

#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub top_px: f64,
    pub bottom_px: f64,
}

impl Frame {
    /// On a run's page.
    pub(crate) const FULL: Self = Self { top_px: 18.0, bottom_px: 186.0 };
    /// In a row of the overview.
    pub(crate) const SPARK: Self = Self { top_px: 5.0, bottom_px: 35.0 };

    fn y(self, fraction: f64) -> f64 {
        let clamped = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
        let y = self.bottom_px - clamped * (self.bottom_px - self.top_px);
        (y * 10.0).round() / 10.0
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct Chart {
    pub columns: Vec<Column>,
    pub lines: Vec<Line>,
    pub target_y: Option<f64>,
    pub full_y: f64,
    pub half_y: f64,
    pub none_y: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Column {
    pub x: f64,
    pub label: String,
    /// Visible first, then holdout.
    pub marks: [Mark; 2],
}

#[derive(Debug, Serialize)]
pub(crate) struct Mark {
    pub suite: &'static str,
    pub side_px: f64,
    pub y: f64,
    pub low_y: f64,
}

/// From one column's mark to the next one's.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub suite: &'static str,
    pub side_px: f64,
    pub x1: f64,
    pub y1: f64,
    pub x2: f64,
    pub y2: f64,
}

pub(crate) fn chart(points: &[Point], target: Option<f64>, frame: Frame) -> Chart {
    let columns: Vec<_> = points.iter().enumerate().map(|(n, point)| column(n, points.len(), point, frame)).collect();
    let lines = columns.windows(2).flat_map(|pair| [0, 1].map(|suite| line(&pair[0], &pair[1], suite))).collect();
    Chart {
        columns,
        lines,
        target_y: target.map(|target| frame.y(target)),
        full_y: frame.y(1.0),
        half_y: frame.y(0.5),
        none_y: frame.y(0.0),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run has few gates")]
fn column(n: usize, of: usize, point: &Point, frame: Frame) -> Column {
    let x = match of {
        0 | 1 => 50.0,
        of => LEFT_PERCENT + n as f64 * (RIGHT_PERCENT - LEFT_PERCENT) / (of - 1) as f64,
    };
    let mark = |suite, side_px, score: &Score| Mark {
        suite,
        side_px,
        y: frame.y(score.satisfaction),
        low_y: frame.y(score.lower_bound),
    };
    Column {
        x: (x * 100.0).round() / 100.0,
        label: if point.fresh { "fresh trials".to_owned() } else { format!("iteration {}", point.iteration) },
        marks: [mark("visible", -SIDE_PX, &point.visible), mark("holdout", SIDE_PX, &point.holdout)],
    }
}

fn line(from: &Column, to: &Column, suite: usize) -> Line {
    let (from_mark, to_mark) = (&from.marks[suite], &to.marks[suite]);
    Line { suite: from_mark.suite, side_px: from_mark.side_px, x1: from.x, y1: from_mark.y, x2: to.x, y2: to_mark.y }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(satisfaction: f64, lower_bound: f64) -> Score {
        Score { satisfaction, lower_bound, ..Score::default() }
    }

    fn point(iteration: u32, fresh: bool, satisfaction: f64) -> Point {
        Point { iteration, fresh, visible: score(1.0, 0.8), holdout: score(satisfaction, satisfaction - 0.25) }
    }

    #[test]
    fn higher_satisfaction_stands_higher_and_its_bound_below_it() {
        let chart = chart(&[point(1, false, 0.5), point(2, false, 1.0)], Some(0.8), Frame::FULL);
        let holdout = |n: usize| &chart.columns[n].marks[1];
        assert!(holdout(1).y < holdout(0).y, "{chart:?}");
        assert!(chart.columns.iter().flat_map(|column| &column.marks).all(|mark| mark.low_y > mark.y));
        assert!(chart.target_y.is_some_and(|y| y > chart.full_y && y < chart.half_y));
    }

    #[test]
    fn lines_join_neighbours_of_one_suite() {
        let chart = chart(&[point(1, false, 0.5), point(2, false, 0.9), point(2, true, 1.0)], None, Frame::SPARK);
        assert_eq!(chart.lines.len(), 4);
        assert!(chart.lines.iter().all(|line| line.x1 < line.x2));
        assert_eq!(chart.columns[2].label, "fresh trials");
    }

    #[test]
    fn a_score_out_of_range_stays_inside_the_frame() {
        let wild = Point { iteration: 1, fresh: false, visible: score(7.0, f64::NAN), holdout: score(-1.0, -2.0) };
        let chart = chart(&[wild], None, Frame::FULL);
        let inside = Frame::FULL.top_px..=Frame::FULL.bottom_px;
        assert!(chart.columns[0].marks.iter().all(|mark| inside.contains(&mark.y) && inside.contains(&mark.low_y)));
    }
}
