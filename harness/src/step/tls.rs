//! TLS for what does not go through the HTTP client: `WebSockets` and databases. Certificates are those of the machine.

use std::sync::Arc;

use rustls::{ClientConfig, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// Names the machine's certificates as the cause where there are none.
pub(super) fn client_config() -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.and_then(|config| config.with_platform_verifier());
    let config = config.map_err(|error| format!("TLS cannot be used: {error}; are ca-certificates installed?"))?;
    Ok(Arc::new(config.with_no_client_auth()))
}
