//! Test clocks: customers who live in a time of their own, which only moves when it is told to.

use super::super::{
    Stripe,
    call::{Call, Made},
    errors::StripeError,
    resource::Resource,
    row::Row,
};
use crate::json::json;

const LIVES_S: i64 = 30 * 24 * 3_600;
const AHEAD_S_MAX: i64 = 2 * 366 * 24 * 3_600; // the service's own limit for a clock without subscriptions

impl Stripe {
    pub(in super::super) fn create_test_clock(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let mut row = self.begun(call, Resource::TestClock);
        row.set("deletes_after", call.now() + LIVES_S);
        Ok(self.keep(call.context, Resource::TestClock, row, "created"))
    }

    /// Everything until then happens at once; the answer still says `advancing`, as the service's does, and the clock is
    /// ready when it is asked for next.
    pub(in super::super) fn advance_test_clock(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let mut row = self.found(Resource::TestClock, call.id())?.clone();
        let (from, to) = (row.int("frozen_time"), call.int("frozen_time").unwrap_or_default());
        if to <= from {
            let text = "You cannot advance a test clock to a time in the past or present: `frozen_time` must be after the clock's current frozen time.";
            return Err(StripeError::invalid(text).param("frozen_time"));
        }
        if to - from > AHEAD_S_MAX {
            let text = "You cannot advance a test clock by more than two years at once.";
            return Err(StripeError::invalid(text).param("frozen_time"));
        }
        row.set("status", "advancing");
        row.set("status_details", json!({"advancing": {"target_frozen_time": to}}));
        let answer = self.keep(call.context, Resource::TestClock, row.clone(), "advancing");
        self.run_clock(call.context, call.id(), to);
        row.set("status", "ready");
        row.set("status_details", json!({}));
        row.set("frozen_time", to);
        self.keep(call.context, Resource::TestClock, row, "ready");
        Ok(answer)
    }

    /// Its customers go with it.
    pub(in super::super) fn delete_test_clock(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let id = call.id();
        self.found(Resource::TestClock, id)?;
        let customers = self.books.oldest_first(Resource::Customer).filter(|row| row.text("test_clock") == id);
        let customers: Vec<String> = customers.map(|row| row.text("id").to_owned()).collect();
        for customer in customers {
            self.end_subscriptions_of(call.context, &customer);
            self.books.remove(Resource::Customer, &customer);
        }
        self.delete(call, Resource::TestClock)
    }
}
