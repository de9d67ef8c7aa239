//! The `Stripe-Signature` header: `t=<unix>,v1=<hex of HMAC-SHA256 over "<unix>.<payload>">`.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

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
