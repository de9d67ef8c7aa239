//! Discounts: coupons as they are applied to a subscription or an invoice.

use super::super::{Stripe, errors::StripeError, resource::Resource, row::Row};
use crate::{
    json::{Value, json},
    twin::Context,
};

impl Stripe {
    /// The ids of fresh discounts from `discounts[0][coupon]` and so on.
    pub(super) fn discounts_given(
        &mut self,
        context: &mut Context<'_>,
        given: &Value,
        holder: (&str, &Value),
    ) -> Result<Vec<Value>, StripeError> {
        let mut made = Vec::new();
        for (index, each) in given.as_array().into_iter().flatten().enumerate() {
            let path = format!("discounts[{index}][coupon]");
            let id = each.maybe("coupon").ok_or_else(|| StripeError::missing(&path))?;
            let mut coupon = self.named_by(Resource::Coupon, id, &path)?.clone();
            if !coupon.flag("valid") {
                let error = StripeError::invalid(format!("Coupon expired: {id}"));
                return Err(error.code("coupon_expired").param(&path));
            }
            coupon.set("times_redeemed", coupon.int("times_redeemed") + 1);
            let used_up = coupon["max_redemptions"].as_i64() == Some(coupon.int("times_redeemed"));
            coupon.set("valid", !used_up);
            self.kept(Resource::Coupon, coupon.clone());
            made.push(self.discount_of(context, &coupon, holder));
        }
        Ok(made)
    }

    fn discount_of(&mut self, context: &mut Context<'_>, coupon: &Value, holder: (&str, &Value)) -> Value {
        let mut row = self.fresh(context, Resource::Discount);
        row["source"].set("coupon", coupon["id"].clone());
        row.set("start", context.unix());
        if coupon.text("duration") == "repeating" {
            let months = json!({"interval": "month", "interval_count": coupon["duration_in_months"]});
            row.set("end", super::period::Interval::of(&months).next(context.unix(), context.unix()));
        }
        row.set(holder.0, holder.1["id"].clone());
        row.set("customer", holder.1["customer"].clone());
        self.keep(context, Resource::Discount, row, "created")["id"].clone()
    }

    /// What the discounts take off `subtotal`, by discount.
    pub(super) fn taken_off(&self, discounts: &[Value], subtotal: i64) -> Vec<(Value, i64)> {
        let mut left = subtotal.max(0);
        let mut taken = Vec::new();
        for id in discounts {
            let row = id.as_str().and_then(|id| self.books.get(Resource::Discount, id));
            let coupon = row.and_then(|row| self.books.get(Resource::Coupon, row["source"].text("coupon")));
            let Some(coupon) = coupon else { continue };
            let off = off(coupon, left);
            left -= off;
            taken.push((id.clone(), off));
        }
        taken
    }

    /// The discounts of a subscription that hold after an invoice: not those for once, nor those whose time is over.
    pub(super) fn lasting(&self, discounts: &[Value], at: i64) -> Vec<Value> {
        let lasts = |id: &&Value| {
            let row = id.as_str().and_then(|id| self.books.get(Resource::Discount, id));
            let coupon = row.and_then(|row| self.books.get(Resource::Coupon, row["source"].text("coupon")));
            let over = row.and_then(|row| row["end"].as_i64()).is_some_and(|end| end <= at);
            !over && coupon.is_some_and(|coupon| coupon.text("duration") != "once")
        };
        discounts.iter().filter(lasts).cloned().collect()
    }
}

/// What a coupon takes off an amount.
pub(super) fn off(coupon: &Value, amount: i64) -> i64 {
    match coupon["percent_off"].as_f64() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "amounts are far below 2^52")]
        Some(percent) => ((amount as f64) * percent / 100.0).round() as i64,
        None => coupon.int("amount_off").min(amount),
    }
}
