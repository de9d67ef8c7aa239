//! What happens by itself: renewals, ends of trials, invoices that finalize and are tried again, what expires. Each row
//! says when its turn is; time passes on the twin's clock or on a test clock.

use super::{
    Stripe,
    books::{Entry, HIDDEN},
    call::Call,
    resource::Resource,
    row::Row,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

const STEPS_MAX: usize = 10_000; // of one move of a clock: a daily subscription over 27 years
const HOLD_S: i64 = 7 * 24 * 3_600; // an authorization that nobody captures
const INCOMPLETE_S: i64 = 23 * 3_600; // a subscription whose first payment nobody makes
pub(super) const TRIAL_WARNING_S: i64 = 3 * 24 * 3_600;

/// When something will happen to this row, if nothing else does.
pub(super) fn entry(resource: Resource, row: &Value) -> Option<Entry> {
    let at = match resource {
        Resource::Subscription => subscription_due(row),
        Resource::Invoice => invoice_due(row),
        Resource::CheckoutSession if row.text("status") == "open" => Some(row.int("expires_at")),
        Resource::PaymentIntent if row.text("status") == "requires_capture" => Some(row.int("created") + HOLD_S),
        Resource::BalanceTransaction if row.text("status") == "pending" => Some(row.int("available_on")),
        _ => None,
    }?;
    Some(Entry { clock: row.text("test_clock").into(), at, resource, id: row.text("id").into() })
}

fn subscription_due(row: &Value) -> Option<i64> {
    let ends = row["cancel_at"].as_i64();
    let at = match row.text("status") {
        "trialing" if !row[HIDDEN].flag("warned") => (row.int("trial_end") - TRIAL_WARNING_S).max(row.int("created")),
        "trialing" => row.int("trial_end"),
        "active" | "past_due" | "unpaid" => row[HIDDEN].int("period_end"),
        "incomplete" => row.int("created") + INCOMPLETE_S,
        _ => return None,
    };
    Some(ends.map_or(at, |ends| ends.min(at)))
}

fn invoice_due(row: &Value) -> Option<i64> {
    match row.text("status") {
        "draft" if row.flag("auto_advance") => row["automatically_finalizes_at"].as_i64(),
        "open" => row["next_payment_attempt"].as_i64(),
        _ => None,
    }
}

impl Stripe {
    /// Lets everything happen that is due on the twin's own clock.
    pub(super) fn catch_up(&mut self, context: &mut Context<'_>) {
        let until = context.unix();
        self.run_clock(context, "", until);
    }

    /// Lets everything happen on a clock up to `until`, each thing at its time.
    pub(super) fn run_clock(&mut self, context: &mut Context<'_>, clock: &str, until: i64) {
        let now = context.now;
        for _ in 0..STEPS_MAX {
            let Some(entry) = self.books.due(clock, until) else { break };
            context.now = jiff::Timestamp::from_second(entry.at).unwrap_or(now);
            self.falls_due(context, &entry);
        }
        context.now = now;
    }

    fn falls_due(&mut self, context: &mut Context<'_>, entry: &Entry) {
        let mut row = self.books.get(entry.resource, &entry.id).expect("the agenda has rows only").clone();
        match entry.resource {
            Resource::Subscription => self.subscription_falls_due(context, row),
            Resource::Invoice => self.invoice_falls_due(context, &row),
            Resource::CheckoutSession => drop(self.session_expires(context, row)),
            Resource::PaymentIntent => drop(self.cancel_intent(context, row, json!("automatic"))),
            _ => {
                row.set("status", "available");
                self.kept(entry.resource, row);
            }
        }
    }

    /// From here on the call happens in the time of the test clock of the customer it is about.
    pub(super) fn enter_test_clock(&self, call: &mut Call<'_, '_, '_>) {
        let path = call.request.params.first().map(|(_, id)| id.as_str());
        let named = ["customer", "subscription", "invoice", "test_clock"].map(|name| call.text(name));
        let clock = named.into_iter().chain([path]).flatten().find_map(|id| self.clock_of(id));
        if let Some(at) = clock.and_then(|at| jiff::Timestamp::from_second(at).ok()) {
            call.context.now = at;
        }
    }

    /// The time of the clock that an object lives in.
    fn clock_of(&self, id: &str) -> Option<i64> {
        let resource = Resource::of_id(id)?;
        let row = self.books.get(resource, id)?;
        if resource == Resource::TestClock {
            return Some(row.int("frozen_time"));
        }
        match row.maybe("test_clock") {
            Some(clock) => self.clock_of(clock),
            None => row.maybe("customer").filter(|customer| *customer != id).and_then(|id| self.clock_of(id)),
        }
    }
}
