//! What twins that take mail have in common: a message as assertions see it, and addresses.

use jiff::Timestamp;
use serde::Serialize;

/// An accepted message, flat, so that an assertion needs no knowledge of the service.
#[derive(Clone, Serialize)]
pub(super) struct Mail {
    pub(super) id: String,
    /// Addresses alone, as in the other lists.
    pub(super) to: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cc: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) bcc: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) reply_to: Vec<String>,
    pub(super) from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from_name: Option<String>,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) attachments: Vec<Attachment>,
    pub(super) accepted_at: Timestamp,
}

#[derive(Clone, Serialize)]
pub(super) struct Attachment {
    pub(super) filename: String,
    pub(super) content_type: String,
    pub(super) size_bytes: usize,
}

/// `ann@example.com`, or `Ann <ann@example.com>`: the name, and the address.
pub(super) fn address(text: &str) -> Option<(Option<String>, String)> {
    let text = text.trim();
    let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => (Some(name.trim().trim_matches('"').to_owned()), address.trim()),
        None => (None, text),
    };
    let (local, domain) = address.rsplit_once('@')?;
    let is_whole = !local.is_empty() && domain.contains('.') && !address.contains(char::is_whitespace);
    is_whole.then(|| (name.filter(|name| !name.is_empty()), address.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_come_with_and_without_names() {
        let named = |name: &str| Some((Some(name.to_owned()), "a@b.test".to_owned()));
        assert_eq!(address("a@b.test"), Some((None, "a@b.test".to_owned())));
        assert_eq!(address("Ann <a@b.test>"), named("Ann"));
        assert_eq!(address("\"Ann, B.\" <a@b.test>"), named("Ann, B."));
        for wrong in ["", "ann", "a@b", "a b@c.test", "Ann <>", "@b.test"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
