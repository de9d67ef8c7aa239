//! Billing periods: months keep the day they began on, where the month has it.

use jiff::{Timestamp, ToSpan, tz::TimeZone};

use super::super::row::Row;
use crate::json::Value;

/// How often a price recurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    unit: Unit,
    count: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

const DAY_S: i64 = 24 * 3_600;
const COUNT_MAX: i64 = 1_096; // three years of days; the service takes no longer periods

impl Interval {
    /// Of a price's `recurring`.
    pub(super) fn of(recurring: &Value) -> Self {
        let unit = match recurring.text("interval") {
            "day" => Unit::Day,
            "week" => Unit::Week,
            "year" => Unit::Year,
            _ => Unit::Month,
        };
        Self { unit, count: recurring["interval_count"].as_i64().unwrap_or(1).clamp(1, COUNT_MAX) }
    }

    /// The first instant after `after` that is whole intervals away from `anchor`.
    pub(super) fn next(self, anchor: i64, after: i64) -> i64 {
        let length = self.count
            * match self.unit {
                Unit::Day => DAY_S,
                Unit::Week => 7 * DAY_S,
                Unit::Month => 31 * DAY_S,
                Unit::Year => 366 * DAY_S,
            };
        // Longer than any interval is long: the estimate never goes too far.
        let mut times = ((after - anchor) / length).max(0);
        loop {
            let at = self.after(anchor, times);
            if at > after {
                return at;
            }
            times += 1;
        }
    }

    fn after(self, anchor: i64, times: i64) -> i64 {
        let count = self.count * times;
        let span = match self.unit {
            Unit::Day => count.days(),
            Unit::Week => count.weeks(),
            Unit::Month => count.months(),
            Unit::Year => count.years(),
        };
        let at = Timestamp::from_second(anchor).unwrap_or_default().to_zoned(TimeZone::UTC);
        // Past the end of time nothing recurs.
        at.checked_add(span).map_or(i64::MAX, |at| at.timestamp().as_second())
    }
}

#[cfg(test)]
mod tests {
    use crate::json::json;

    use super::*;

    fn next(interval: &Value, anchor: &str, after: &str) -> String {
        let second = |text: &str| text.parse::<Timestamp>().expect("an instant").as_second();
        let at = Interval::of(interval).next(second(anchor), second(after));
        Timestamp::from_second(at).expect("an instant").to_string()
    }

    #[test]
    fn a_month_that_began_on_the_31st_ends_on_the_last_day_of_short_months() {
        let month = json!({"interval": "month", "interval_count": 1});
        let anchor = "2026-01-31T10:00:00Z";
        assert_eq!(next(&month, anchor, anchor), "2026-02-28T10:00:00Z");
        assert_eq!(next(&month, anchor, "2026-02-28T10:00:00Z"), "2026-03-31T10:00:00Z");
        assert_eq!(next(&json!({"interval": "week"}), anchor, anchor), "2026-02-07T10:00:00Z");
        assert_eq!(
            next(&json!({"interval": "year"}), "2024-02-29T00:00:00Z", "2030-03-01T00:00:00Z"),
            "2031-02-28T00:00:00Z"
        );
        assert_eq!(
            next(&json!({"interval": "month", "interval_count": 3}), anchor, "2026-05-01T00:00:00Z"),
            "2026-07-31T10:00:00Z"
        );
    }
}
