//! The checksums that clients send with a body and want back.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Table};
use sha1::Digest;

use super::{errors, xml::Xml};
use crate::http::Reply;

static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static CRC64NVME: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_NVME);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// A checksum as it travels: base64, with the number of parts behind it where it was made of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checksum {
    pub(super) algorithm: Algorithm,
    pub(super) value: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    FullObject,
    /// Of the checksums of the parts.
    Composite,
}

impl Algorithm {
    pub(super) const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// As `x-amz-checksum-algorithm` names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    pub(super) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Crc32 => CRC32.checksum(bytes).to_be_bytes().to_vec(),
            Self::Crc32c => CRC32C.checksum(bytes).to_be_bytes().to_vec(),
            Self::Crc64Nvme => CRC64NVME.checksum(bytes).to_be_bytes().to_vec(),
            Self::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
        }
    }

    /// The name of the element in answers.
    fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }
}

impl Checksum {
    pub(super) fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let value = BASE64_STANDARD.encode(algorithm.digest(bytes));
        Self { algorithm, value, kind: Kind::FullObject }
    }

    /// Of the checksums of parts, in their order.
    pub(super) fn of_parts<'p>(algorithm: Algorithm, parts: impl Iterator<Item = &'p [u8]>) -> Self {
        let digests: Vec<_> = parts.map(|part| algorithm.digest(part)).collect();
        let whole = BASE64_STANDARD.encode(algorithm.digest(&digests.concat()));
        Self { algorithm, value: format!("{whole}-{}", digests.len()), kind: Kind::Composite }
    }

    /// What the client says, where it is right.
    pub(super) fn checked(algorithm: Algorithm, said: &str, bytes: &[u8]) -> Result<Self, Reply> {
        let real = Self::of(algorithm, bytes);
        if real.value == said {
            return Ok(real);
        }
        let name = algorithm.name();
        if BASE64_STANDARD.decode(said).is_ok_and(|given| given.len() == algorithm.digest(b"").len()) {
            let message = format!("The {name} you specified did not match the calculated checksum.");
            return Err(errors::failed(400, "BadDigest", &message));
        }
        let message = format!("Value for {} header is invalid.", algorithm.header());
        Err(errors::invalid_request(&message))
    }

    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::FullObject => "FULL_OBJECT",
            Kind::Composite => "COMPOSITE",
        }
    }

    pub(super) fn add_headers(&self, reply: &mut Reply) {
        reply.set(self.algorithm.header(), self.value.as_str());
        reply.set("x-amz-checksum-type", self.kind_name());
    }

    pub(super) fn add_elements(&self, xml: &mut Xml) {
        xml.text(self.algorithm.element(), &self.value);
        xml.text("ChecksumType", self.kind_name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_catalogue() {
        let value = |algorithm| Checksum::of(algorithm, b"123456789").value;
        assert_eq!(value(Algorithm::Crc32), "y/Q5Jg==");
        assert_eq!(value(Algorithm::Crc32c), "4waSgw==");
        assert_eq!(value(Algorithm::Crc64Nvme), "rosUhgp5mIg=");
        assert_eq!(value(Algorithm::Sha1), "98O8HYCOBHMq32eZZczDTKeuNEE=");
    }

    #[test]
    fn a_wrong_checksum_is_told_from_one_that_is_none() {
        let code = |said: &str| {
            let reply = Checksum::checked(Algorithm::Crc32, said, b"x").expect_err("is wrong");
            String::from_utf8_lossy(&reply.body.bytes()).split("Code>").nth(1).map(str::to_owned)
        };
        assert_eq!(code("AAAAAA==").as_deref(), Some("BadDigest</"));
        assert_eq!(code("AAAA").as_deref(), Some("InvalidRequest</"));
    }
}
