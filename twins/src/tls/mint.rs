//! Makes certificates: of the authority, and of hosts, sound or with one flaw.

use std::sync::Arc;

use jiff::{Span, Timestamp, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert, ServerConfig},
    sign::CertifiedKey,
};

use super::Handshake;

const NAME: &str = "twins local authority";
const STRANGER: &str = "an authority that nobody knows";
const AUTHORITY_YEARS: i32 = 10; // until it is made anew
const HOST_DAYS: i32 = 365; // some clients refuse certificates that live longer than 398 days
const NAME_CHARS_MAX: usize = 64; // of a common name
const WRONG_HOST: &str = "another-host.invalid";

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Signs for hosts; one key serves all of them.
pub(super) struct Mint {
    issuer: Issuer<'static, KeyPair>,
    /// Nobody trusts it.
    stranger: Issuer<'static, KeyPair>,
    key: KeyPair,
}

impl Mint {
    /// With a new authority, whose key and certificate come along in PEM.
    pub(super) fn fresh() -> Result<(Self, String, String), Error> {
        let key = KeyPair::generate()?;
        let (pem, certificate) = (key.serialize_pem(), authority(NAME).self_signed(&key)?.pem());
        Ok((Self::with(key)?, pem, certificate))
    }

    /// Of the authority with this key.
    pub(super) fn of(key: &str) -> Result<Self, Error> {
        Self::with(KeyPair::from_pem(key)?)
    }

    fn with(key: KeyPair) -> Result<Self, Error> {
        let issuer = Issuer::new(authority(NAME), key);
        let stranger = Issuer::new(authority(STRANGER), KeyPair::generate()?);
        Ok(Self { issuer, stranger, key: KeyPair::generate()? })
    }

    /// How a server of that host speaks TLS.
    pub(super) fn settings(&self, host: &str, goes: Handshake) -> Result<ServerConfig, Error> {
        let provider = Arc::new(ring::default_provider());
        let settings =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?.with_no_client_auth();
        if goes == Handshake::Refused {
            return Ok(settings.with_cert_resolver(Arc::new(NoCertificate)));
        }
        let issuer = if goes == Handshake::Untrusted { &self.stranger } else { &self.issuer };
        let certificate = host_params(host, goes)?.signed_by(&self.key, issuer)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let mut settings = settings.with_single_cert(vec![certificate.der().clone()], key)?;
        settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(settings)
    }
}

/// The same for the same key, whenever it is made, dates aside: what is signed in its name fits the file.
fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    set_dates(&mut params, Span::new().days(-1), Span::new().years(AUTHORITY_YEARS));
    params
}

fn host_params(host: &str, goes: Handshake) -> Result<CertificateParams, Error> {
    let host = if goes == Handshake::WrongHost { WRONG_HOST } else { host };
    let mut params = CertificateParams::new(vec![host.to_owned()])?;
    params.distinguished_name = named(if host.len() <= NAME_CHARS_MAX { host } else { NAME });
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let (from, to) = if goes == Handshake::Expired { (-30, -2) } else { (-1, HOST_DAYS) };
    set_dates(&mut params, Span::new().days(from), Span::new().days(to));
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

/// Seen from today.
fn set_dates(params: &mut CertificateParams, from: Span, to: Span) {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let date = |span: Span| {
        let date = today.saturating_add(span);
        date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (date(from), date(to));
}

/// Has nothing to show, so that the handshake ends with an alert.
#[derive(Debug)]
struct NoCertificate;

impl ResolvesServerCert for NoCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        None
    }
}
