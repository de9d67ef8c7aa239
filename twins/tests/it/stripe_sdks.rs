//! Stripe as its official SDKs see it.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    sdk::{Evidence, run},
    support::space,
};

const PYTHON: &str = "stripe-python 16.1.0";
const NODE: &str = "stripe-node 23.1.0";

/// Each row is played in a space of its own; the last script of the first one looks at what the others left there.
const FLOWS: [&[(&str, &str)]; 4] = [
    &[("python/stripe_payments.py", PYTHON), ("python/stripe_billing.py", PYTHON), ("python/stripe_shapes.py", PYTHON)],
    &[("python/stripe_errors.py", PYTHON)],
    &[("node/stripe_payments.mjs", NODE)],
    &[("node/stripe_webhooks.mjs", NODE)],
];

#[tokio::test(flavor = "multi_thread")]
async fn official_sdks_drive_stripe() {
    let mut seen = Evidence::default();
    for flow in FLOWS {
        let space = Arc::new(space());
        let served = space.serve("stripe", Value::Null).unwrap();
        for (script, sdk) in flow {
            run(&space, &served, script, sdk, &mut seen).await;
        }
    }
    seen.check("stripe", &[]);
}
