//! Payments: customers, saved cards, the state machine of a payment, the charges it leaves behind, refunds, disputes
//! and what all of it does to the balance. Start at `intents`, then `confirm`.

mod balance;
pub(super) mod cards;
mod charges;
mod confirm;
mod customers;
mod disputes;
mod intents;
mod methods;
pub(super) mod money;
mod refunds;
mod setup;
mod tokens;

pub(super) use self::{confirm::Terms, intents::Order};
