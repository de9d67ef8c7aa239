//! The certificate that a server showed.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use x509_cert::{
    der::{Decode as _, EncodePem as _, pem::LineEnding},
    ext::pkix::{SubjectAltName, name::GeneralName},
    name::Name,
};

use super::{Mismatch, Predicates, Value};
use crate::text::{Entries, Period, RenderError, Scope, given};

/// What of a certificate scenarios look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Certificate {
    /// `C=FR, O=Shop, CN=shop.example`: in the order of the certificate.
    subject: String,
    issuer: String,
    starts_at: Timestamp,
    expires_at: Timestamp,
    /// Lower-case hexadecimal digits.
    serial: String,
    /// `DNS:shop.example`, `IP:127.0.0.1`.
    san: Vec<String>,
    #[serde(skip)]
    pem: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CertificateField {
    Subject,
    Issuer,
    StartDate,
    ExpireDate,
    #[serde(alias = "serial_number")]
    Serial,
    /// All names as one text, separated by `, `.
    #[serde(alias = "subject_alt_name")]
    San,
    /// The whole as PEM.
    Value,
}

impl CertificateField {
    /// The longer names are Hurl's.
    pub(super) const NAMES: [&'static str; 9] = [
        "subject",
        "issuer",
        "start_date",
        "expire_date",
        "serial",
        "serial_number",
        "san",
        "subject_alt_name",
        "value",
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Issuer => "issuer",
            Self::StartDate => "start_date",
            Self::ExpireDate => "expire_date",
            Self::Serial => "serial",
            Self::San => "san",
            Self::Value => "value",
        }
    }
}

impl Certificate {
    /// `None` where the bytes are no certificate.
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let parsed = x509_cert::Certificate::from_der(der).ok()?;
        let fields = parsed.tbs_certificate();
        let instant = |time: x509_cert::time::Time| {
            let seconds = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
            Timestamp::from_second(seconds).ok()
        };
        let names = fields.get_extension::<SubjectAltName>().ok().flatten();
        Some(Self {
            subject: written(fields.subject()),
            issuer: written(fields.issuer()),
            starts_at: instant(fields.validity().not_before)?,
            expires_at: instant(fields.validity().not_after)?,
            serial: hex::encode(fields.serial_number().as_bytes()),
            san: names.map_or_else(Vec::new, |(_, names)| names.0.iter().filter_map(alternative).collect()),
            pem: parsed.to_pem(LineEnding::LF).ok()?,
        })
    }

    pub(super) fn field(&self, field: CertificateField) -> Value {
        match field {
            CertificateField::Subject => Value::text(self.subject.as_str()),
            CertificateField::Issuer => Value::text(self.issuer.as_str()),
            CertificateField::StartDate => Value::Date(self.starts_at),
            CertificateField::ExpireDate => Value::Date(self.expires_at),
            CertificateField::Serial => Value::text(self.serial.as_str()),
            CertificateField::San => Value::text(self.san.join(", ")),
            CertificateField::Value => Value::text(self.pem.as_str()),
        }
    }
}

fn written(name: &Name) -> String {
    name.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn alternative(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(format!("DNS:{name}")),
        GeneralName::Rfc822Name(name) => Some(format!("email:{name}")),
        GeneralName::UniformResourceIdentifier(uri) => Some(format!("URI:{uri}")),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from)).ok().map(|ip| format!("IP:{ip}"))
        }
        _ => None,
    }
}

/// What must hold of the server's certificate.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateExpect {
    /// `C=FR, O=Shop, CN=shop.example`: in the order of the certificate.
    #[serde(default, deserialize_with = "given")]
    subject: Option<Predicates>,
    #[serde(default, deserialize_with = "given")]
    issuer: Option<Predicates>,
    /// Lower-case hexadecimal digits.
    #[serde(default, deserialize_with = "given")]
    serial: Option<Predicates>,
    /// Names that it must be good for, such as `DNS:shop.example` or `IP:127.0.0.1`.
    #[serde(default)]
    san: Vec<String>,
    /// How long it is still good: limits such as `{gt: 30d}`.
    #[serde(default)]
    expires_in: Entries<Period>,
}

impl CertificateExpect {
    pub(crate) fn check(&self, got: Option<&Certificate>, scope: &Scope) -> Result<Vec<Mismatch>, RenderError> {
        let Some(got) = got else {
            return Ok(vec![Mismatch::new("certificate", "one", "none: the answer came without TLS")]);
        };
        let mut found = Vec::new();
        for (name, text, predicates) in [
            ("subject", &got.subject, &self.subject),
            ("issuer", &got.issuer, &self.issuer),
            ("serial", &got.serial, &self.serial),
        ] {
            if let Some(predicates) = predicates {
                found.extend(predicates.check_text(&format!("certificate {name}"), Some(text), scope)?);
            }
        }
        for name in self.san.iter().filter(|name| !got.san.contains(name)) {
            found.push(Mismatch::new("certificate san", name, json!(got.san).to_string()));
        }
        found.extend(self.expires_in.iter().filter_map(|(limit, period)| {
            let left = got.expires_at.duration_since(Timestamp::now());
            let period_signed = jiff::SignedDuration::try_from(period.0).unwrap_or(jiff::SignedDuration::MAX);
            let holds = match limit.as_str() {
                "gt" => left > period_signed,
                "gte" => left >= period_signed,
                "lt" => left < period_signed,
                _ => left <= period_signed,
            };
            (!holds)
                .then(|| Mismatch::new("certificate expires_in", format!("{} {period}", limit.value), left_words(left)))
        }));
        Ok(found)
    }

    /// Limits of `expires_in` that there are not.
    pub(crate) fn unknown_limits(&self) -> impl Iterator<Item = &crate::text::Text> {
        self.expires_in
            .iter()
            .map(|(limit, _)| limit)
            .filter(|name| !["gt", "gte", "lt", "lte"].contains(&name.as_str()))
    }
}

fn left_words(left: jiff::SignedDuration) -> String {
    let hours = left.as_hours();
    if hours < 0 { format!("expired {}h ago", -hours) } else { format!("{}d {}h", hours / 24, hours % 24) }
}
