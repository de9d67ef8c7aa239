//! Webhook endpoints, made over the API or configured, and the `Stripe-Signature` header:
//! `t=<unix>,v1=<hex of HMAC-SHA256 over "<unix>.<payload>">`.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::{
    Stripe,
    books::HIDDEN,
    call::{Call, Made},
    errors::StripeError,
    resource::Resource,
    row::Row,
};
use crate::{engine::outbox::Endpoint, json::Value};

const SECRET: &str = "secret";
const ENDPOINTS_MAX: usize = 16; // the service's own limit

pub(super) fn signed(secret: &str, payload: &[u8], at: Timestamp) -> Vec<(&'static str, String)> {
    let at = at.as_second();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{at}.").as_bytes());
    mac.update(payload);
    let signature = hex::encode(mac.finalize().into_bytes());
    vec![
        ("stripe-signature", format!("t={at},v1={signature}")),
        ("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)".to_owned()),
    ]
}

impl Stripe {
    /// The secret is told once, in this answer.
    pub(super) fn create_webhook_endpoint(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let existing = self.books.newest_first(Resource::WebhookEndpoint).count();
        if existing >= ENDPOINTS_MAX {
            return Err(StripeError::invalid("You have reached the maximum of 16 test webhook endpoints."));
        }
        check_url(call)?;
        let mut row = self.begun(call, Resource::WebhookEndpoint);
        let secret = call.context.id("whsec_", 32);
        row[HIDDEN][SECRET] = secret.clone().into();
        let mut shown = self.kept(Resource::WebhookEndpoint, row);
        shown.set(SECRET, secret);
        self.route_webhooks();
        Ok(shown)
    }

    pub(super) fn update_webhook_endpoint(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        check_url(call)?;
        let row = self.found(Resource::WebhookEndpoint, call.id())?.clone();
        let mut row = self.changed(call, Resource::WebhookEndpoint, row);
        if call.has("disabled") {
            row.set("status", if call.flag("disabled") { "disabled" } else { "enabled" });
        }
        let shown = self.kept(Resource::WebhookEndpoint, row);
        self.route_webhooks();
        Ok(shown)
    }

    pub(super) fn delete_webhook_endpoint(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let answer = self.delete(call, Resource::WebhookEndpoint)?;
        self.route_webhooks();
        Ok(answer)
    }

    /// Where events go from now on: what was configured, then what was made over the API.
    fn route_webhooks(&mut self) {
        let rows = self.books.oldest_first(Resource::WebhookEndpoint);
        let made = rows.filter(|row| row.text("status") == "enabled").map(|row| Endpoint {
            key: None,
            to: row.text("url").to_owned(),
            secret: row[HIDDEN].text(SECRET).to_owned(),
            events: row.list("enabled_events").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        });
        self.webhooks = self.configured_webhooks.iter().cloned().chain(made).collect();
    }
}

fn check_url(call: &Call<'_, '_, '_>) -> Result<(), StripeError> {
    match call.text("url") {
        Some(url) if !url.starts_with("https://") && !url.starts_with("http://") => {
            Err(StripeError::invalid("Invalid URL: An explicit scheme (such as https) must be provided.")
                .code("url_invalid")
                .param("url"))
        }
        _ => Ok(()),
    }
}
