//! The balance: every charge, refund and dispute is a transaction on it, with the service's fee.

use std::collections::BTreeMap;

use super::{
    super::{
        Stripe,
        call::{Call, Made},
        resource::Resource,
        row::Row,
    },
    cards::Fate,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

const PENDING_FOR_S: i64 = 2 * 24 * 3_600; // until a payment can be paid out
const FEE_PER_MILLE: i64 = 29;
const FEE_FIXED: i64 = 30;

/// What moves the balance.
pub(super) struct Movement<'a> {
    pub(super) kind: &'static str,
    pub(super) category: &'static str,
    pub(super) amount: i64,
    pub(super) fee: i64,
    pub(super) source: &'a Value,
    pub(super) available_on: i64,
}

impl Stripe {
    /// Books a captured charge.
    pub(super) fn settle(&mut self, context: &mut Context<'_>, mut charge: Value) -> Value {
        let method = self.books.get(Resource::PaymentMethod, charge.text("payment_method"));
        let at_once = method.is_some_and(|method| self.card_of(method).fate == Fate::PaidAtOnce);
        let amount = charge.int("amount_captured");
        let movement = Movement {
            kind: "charge",
            category: "charge",
            amount,
            fee: (amount * FEE_PER_MILLE + 500) / 1_000 + FEE_FIXED,
            source: &charge,
            available_on: context.unix() + if at_once { 0 } else { PENDING_FOR_S },
        };
        let transaction = self.book(context, &movement);
        charge.set("balance_transaction", transaction["id"].clone());
        charge
    }

    pub(super) fn book(&mut self, context: &mut Context<'_>, movement: &Movement<'_>) -> Value {
        let mut row = self.fresh(context, Resource::BalanceTransaction);
        let currency = &movement.source["currency"];
        row.set("amount", movement.amount);
        row.set("available_on", movement.available_on);
        row.set("currency", currency.clone());
        row.set("description", movement.source.maybe("description"));
        row.set("fee", movement.fee);
        if movement.fee != 0 {
            let detail = json!({"amount": movement.fee, "application": null, "currency": currency,
                "description": "Stripe processing fees", "type": "stripe_fee"});
            row.set("fee_details", json!([detail]));
        }
        row.set("net", movement.amount - movement.fee);
        row.set("reporting_category", movement.category);
        row.set("source", movement.source["id"].clone());
        row.set("status", if movement.available_on > context.unix() { "pending" } else { "available" });
        row.set("type", movement.kind);
        self.kept(Resource::BalanceTransaction, row)
    }

    pub(in super::super) fn retrieve_balance(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let (mut available, mut pending) = (BTreeMap::new(), BTreeMap::new());
        for row in self.books.oldest_first(Resource::BalanceTransaction) {
            let sums = if row.int("available_on") <= call.now() { &mut available } else { &mut pending };
            *sums.entry(row.text("currency").to_owned()).or_insert(0) += row.int("net");
        }
        Ok(
            json!({"object": "balance", "available": amounts(available), "livemode": false, "pending": amounts(pending)}),
        )
    }
}

fn amounts(mut sums: BTreeMap<String, i64>) -> Value {
    if sums.is_empty() {
        sums.insert("usd".to_owned(), 0);
    }
    let each = sums.into_iter();
    each.map(|(currency, amount)| json!({"amount": amount, "currency": currency, "source_types": {"card": amount}}))
        .collect()
}
