//! Disputes: test cards that are charged back. Evidence decides: `winning_evidence` wins, anything else loses.

use super::{
    super::{
        Stripe,
        call::{Call, Made},
        errors::StripeError,
        resource::Resource,
        row::Row,
    },
    balance::Movement,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

const FEE: i64 = 1_500; // what the service takes for a dispute
const DUE_IN_S: i64 = 9 * 24 * 3_600;

impl Stripe {
    /// An inquiry asks before it takes the money.
    pub(super) fn open_dispute(&mut self, context: &mut Context<'_>, charge: &str, reason: &str, inquiry: bool) {
        let mut charge = self.books.get(Resource::Charge, charge).expect("was kept before").clone();
        let mut row = self.fresh(context, Resource::Dispute);
        for name in ["amount", "currency", "payment_intent"] {
            row.set(name, charge[name].clone());
        }
        row.set("charge", charge["id"].clone());
        row.set("reason", reason);
        row.set("status", if inquiry { "warning_needs_response" } else { "needs_response" });
        row.set("is_charge_refundable", inquiry);
        row["evidence_details"].set("due_by", context.unix() + DUE_IN_S);
        row.set(
            "payment_method_details",
            json!({"type": "card", "card": {"brand": charge["payment_method_details"]["card"]["brand"],
                "case_type": if inquiry { "inquiry" } else { "chargeback" },
                "network": charge["payment_method_details"]["card"]["brand"], "network_reason_code": "10.4"}}),
        );
        charge.set("disputed", !inquiry);
        self.kept(Resource::Charge, charge);
        let row = if inquiry { row } else { self.move_funds(context, row, false) };
        self.keep(context, Resource::Dispute, row.clone(), "created");
        if !inquiry {
            self.keep(context, Resource::Dispute, row, "funds_withdrawn");
        }
    }

    fn move_funds(&mut self, context: &mut Context<'_>, mut row: Value, back: bool) -> Value {
        let sign = if back { 1 } else { -1 };
        let movement = Movement {
            kind: "adjustment",
            category: if back { "dispute_reversal" } else { "dispute" },
            amount: sign * row.int("amount"),
            fee: -sign * FEE,
            source: &row,
            available_on: context.unix(),
        };
        let transaction = self.book(context, &movement);
        row["balance_transactions"].as_array_mut().expect("a dispute has a list of them").push(transaction);
        row
    }

    pub(in super::super) fn update_dispute(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let row = self.found(Resource::Dispute, call.id())?.clone();
        if !row.text("status").ends_with("needs_response") && call.has("evidence") {
            return Err(StripeError::invalid("This dispute is already closed"));
        }
        let mut row = self.changed(call, Resource::Dispute, row);
        if call.has("evidence") {
            row["evidence_details"].set("has_evidence", true);
        }
        if call.has("evidence") && call.value("submit") != false {
            row["evidence_details"].set("submission_count", 1);
            return Ok(self.judge(call.context, row));
        }
        Ok(self.keep(call.context, Resource::Dispute, row, "updated"))
    }

    /// The bank answers at once.
    fn judge(&mut self, context: &mut Context<'_>, mut row: Value) -> Value {
        let won = row["evidence"].text("uncategorized_text") == "winning_evidence";
        let inquiry = row.text("status").starts_with("warning");
        if won && !inquiry {
            row = self.move_funds(context, row, true);
            row.set("status", "won");
            self.keep(context, Resource::Dispute, row.clone(), "funds_reinstated");
        } else {
            row.set("status", if inquiry { "warning_closed" } else { "lost" });
        }
        self.keep(context, Resource::Dispute, row, "closed")
    }

    /// Whoever closes a dispute accepts that it is lost.
    pub(in super::super) fn close_dispute(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let mut row = self.found(Resource::Dispute, call.id())?.clone();
        if !row.text("status").ends_with("needs_response") {
            return Err(StripeError::invalid("This dispute is already closed"));
        }
        row.set("status", if row.text("status").starts_with("warning") { "warning_closed" } else { "lost" });
        Ok(self.keep(call.context, Resource::Dispute, row, "closed"))
    }
}
