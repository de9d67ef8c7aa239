//! The catalogue: products, their prices, coupons.

use super::super::{
    Stripe,
    call::{Call, Made},
    errors::StripeError,
    payments::money,
    resource::Resource,
    row::{Row, fill},
    surface::surface,
};
use crate::{
    json::{Value, json},
    twin::Context,
};

impl Stripe {
    pub(in super::super) fn create_product(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let mut row = self.begun(call, Resource::Product);
        row.set("updated", call.now());
        if let Some(id) = call.text("id") {
            if self.books.get(Resource::Product, id).is_some() {
                let text = format!("Product already exists: {id}");
                return Err(StripeError::invalid(text).code("resource_already_exists").param("id"));
            }
            row.set("id", id);
        }
        let id = row["id"].clone();
        let price = call.value("default_price_data").clone();
        if !price.is_null() {
            let price = self.price_of(call.context, &price, id)?;
            row.set("default_price", price["id"].clone());
        }
        Ok(self.keep(call.context, Resource::Product, row, "created"))
    }

    pub(in super::super) fn update_product(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.check_named(call, "default_price", Resource::Price)?;
        let row = self.found(Resource::Product, call.id())?.clone();
        let mut row = self.changed(call, Resource::Product, row);
        row.set("updated", call.now());
        Ok(self.keep(call.context, Resource::Product, row, "updated"))
    }

    pub(in super::super) fn delete_product(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        if self.books.newest_first(Resource::Price).any(|price| price.text("product") == call.id()) {
            let text = "This product cannot be deleted because it has one or more user-created prices.";
            return Err(StripeError::invalid(text));
        }
        self.delete(call, Resource::Product)
    }

    pub(in super::super) fn create_price(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let product = match (call.owned("product"), call.has("product_data")) {
            (Some(id), _) => self.named_by(Resource::Product, &id, "product")?["id"].clone(),
            (None, true) => {
                let data = call.value("product_data").clone();
                self.product_of(call.context, &data)
            }
            (None, false) => return Err(StripeError::missing("product")),
        };
        self.free_lookup_key(call)?;
        let given = call.all();
        let row = self.price_of(call.context, &given, product)?;
        Ok(self.shown(Resource::Price, &row))
    }

    /// A lookup key names one price: it moves when that is wished, otherwise it is taken.
    fn free_lookup_key(&mut self, call: &mut Call<'_, '_, '_>) -> Result<(), StripeError> {
        let Some(key) = call.owned("lookup_key") else { return Ok(()) };
        let holder = self.books.newest_first(Resource::Price).find(|price| price.text("lookup_key") == key).cloned();
        let Some(mut holder) = holder else { return Ok(()) };
        if call.flag("transfer_lookup_key") {
            holder.set("lookup_key", Value::Null);
            self.keep(call.context, Resource::Price, holder, "updated");
            return Ok(());
        }
        let text = format!("A price (`{}`) already uses that lookup key.", holder.text("id"));
        Err(StripeError::invalid(text).param("lookup_key"))
    }

    fn product_of(&mut self, context: &mut Context<'_>, data: &Value) -> Value {
        let mut row = self.fresh(context, Resource::Product);
        fill(&mut row, surface().object("product"), data);
        row.set("updated", context.unix());
        self.keep(context, Resource::Product, row, "created")["id"].clone()
    }

    fn price_of(&mut self, context: &mut Context<'_>, data: &Value, product: Value) -> Made {
        if data["unit_amount"].is_null()
            && data["unit_amount_decimal"].is_null()
            && data["custom_unit_amount"].is_null()
        {
            if data.text("billing_scheme") == "tiered" {
                return Err(StripeError::new(
                    501,
                    "invalid_request_error",
                    "The stripe twin does not compute tiered prices.",
                ));
            }
            let text = "Prices require an `unit_amount` or `unit_amount_decimal` parameter to be set.";
            return Err(StripeError::invalid(text).code("parameter_missing").param("unit_amount"));
        }
        let mut row = self.fresh(context, Resource::Price);
        fill(&mut row, surface().object("price"), data);
        row.set("currency", money::currency(data.text("currency"))?);
        row.set("product", product);
        match data["unit_amount"].as_i64() {
            Some(amount) if amount < 0 => {
                let error = StripeError::invalid("This value must be greater than or equal to 0.");
                return Err(error.code("parameter_invalid_integer").param("unit_amount"));
            }
            Some(amount) => row.set("unit_amount_decimal", amount.to_string()),
            None => row.set("unit_amount", data.maybe("unit_amount_decimal").and_then(|text| text.parse::<i64>().ok())),
        }
        if !row["recurring"].is_null() {
            row.set("type", "recurring");
            let count = row["recurring"].int("interval_count").max(1);
            let most = intervals_max(row["recurring"].text("interval"));
            if count > most {
                let text = format!("Invalid recurring[interval_count]: must be at most {most}, which is three years.");
                return Err(StripeError::invalid(text).param("recurring[interval_count]"));
            }
            row["recurring"].set("interval_count", count);
            if row["recurring"].text("usage_type").is_empty() {
                row["recurring"].set("usage_type", "licensed");
            }
        }
        Ok(self.keep(context, Resource::Price, row, "created"))
    }

    pub(in super::super) fn update_price(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.free_lookup_key(call)?;
        self.update(call, Resource::Price)
    }

    pub(in super::super) fn list_prices(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        self.check_named(call, "product", Resource::Product)?;
        self.list(call, Resource::Price)
    }

    /// The price that `price` names or `price_data` describes; `path` is where, for errors.
    pub(super) fn price_given(&mut self, context: &mut Context<'_>, item: &Value, path: &str) -> Made {
        if let Some(id) = item.maybe("price").or_else(|| item.maybe("plan")).or_else(|| item["pricing"].maybe("price"))
        {
            return self.named_by(Resource::Price, id, &format!("{path}[price]")).cloned();
        }
        let data = item["price_data"].clone();
        if data.is_null() {
            return Err(StripeError::missing(&format!("{path}[price]")));
        }
        let product = match data.maybe("product") {
            Some(id) => self.named_by(Resource::Product, id, &format!("{path}[price_data][product]"))?["id"].clone(),
            None if data["product_data"].is_object() => self.product_of(context, &data["product_data"]),
            None => return Err(StripeError::missing(&format!("{path}[price_data][product]"))),
        };
        self.price_of(context, &data, product)
    }

    pub(super) fn product_name(&self, price: &Value) -> String {
        let product = self.books.get(Resource::Product, price.text("product"));
        product.map_or_else(String::new, |product| product.text("name").to_owned())
    }

    pub(in super::super) fn create_coupon(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let off = (call.value("percent_off").as_f64(), call.int("amount_off"));
        match off {
            (None, None) => return Err(StripeError::invalid("Must provide percent_off or amount_off")),
            (Some(_), Some(_)) => {
                return Err(StripeError::invalid(
                    "You may only specify one of these parameters: percent_off, amount_off.",
                ));
            }
            (Some(percent), None) if !(percent > 0.0 && percent <= 100.0) => {
                return Err(StripeError::invalid("Invalid percent_off: must be between 0 and 100").param("percent_off"));
            }
            (None, Some(_)) if !call.has("currency") => return Err(StripeError::missing("currency")),
            _ => {}
        }
        if call.text("duration") == Some("repeating") && !call.has("duration_in_months") {
            return Err(StripeError::missing("duration_in_months"));
        }
        let mut row = self.begun(call, Resource::Coupon);
        if let Some(id) = call.text("id") {
            if self.books.get(Resource::Coupon, id).is_some() {
                let error = StripeError::invalid("Coupon already exists.");
                return Err(error.code("resource_already_exists").param("id"));
            }
            row.set("id", id);
        }
        Ok(self.keep(call.context, Resource::Coupon, row, "created"))
    }
}

/// The service bills at least every three years.
fn intervals_max(interval: &str) -> i64 {
    match interval {
        "day" => 1_095,
        "week" => 156,
        "month" => 36,
        _ => 3,
    }
}

const COST_MAX: i64 = 1_000_000_000_000_000; // a thousand lines of it still add up

/// What so many of a price cost.
pub(super) fn cost(price: &Value, quantity: i64) -> i64 {
    match price["unit_amount"].as_i64() {
        Some(amount) => amount.saturating_mul(quantity).clamp(-COST_MAX, COST_MAX),
        None => {
            let unit: f64 = price.text("unit_amount_decimal").parse().unwrap_or_default();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                reason = "amounts are far below 2^52"
            )]
            let cost = (unit * quantity as f64).clamp(-(COST_MAX as f64), COST_MAX as f64).round() as i64;
            cost
        }
    }
}

/// How a line names its price.
pub(super) fn pricing(price: &Value) -> Value {
    json!({"price_details": {"price": price["id"], "product": price["product"]}, "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"]})
}
