//! Billing: the catalogue, invoices and how they are paid, subscriptions and how they renew, checkout, test clocks.
//! Start at `subscriptions`; `settlement` is where money is asked for.

mod catalog;
mod checkout;
mod clocks;
mod cycle;
mod discounts;
mod invoices;
mod items;
mod lines;
mod pending;
mod period;
mod settlement;
mod subscriptions;
