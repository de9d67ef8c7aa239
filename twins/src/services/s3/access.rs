//! Who may do what without a signature: canned access control lists, and the grants that they stand for.

use serde::Deserialize;

use super::{
    S3, errors,
    model::Stored,
    names::asked,
    xml::{Node, Xml},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

/// The account that has every bucket here.
pub(super) const OWNER_ID: &str = "7a77696e7a77696e7a77696e7a77696e7a77696e7a77696e7a77696e7a77696e";
pub(super) const OWNER_NAME: &str = "twin";
const EVERYONE: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const SIGNED_IN: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Acl {
    #[default]
    Private,
    PublicRead,
    PublicReadWrite,
    AuthenticatedRead,
}

/// What a request without a signature wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Read,
    Write,
}

impl Acl {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::PublicRead => "public-read",
            Self::PublicReadWrite => "public-read-write",
            Self::AuthenticatedRead => "authenticated-read",
        }
    }

    /// Those that only say something about other accounts are private here.
    pub(super) fn named(name: &str) -> Result<Self, Reply> {
        match name {
            "private" | "bucket-owner-full-control" | "bucket-owner-read" | "aws-exec-read" | "log-delivery-write" => {
                Ok(Self::Private)
            }
            "public-read" => Ok(Self::PublicRead),
            "public-read-write" => Ok(Self::PublicReadWrite),
            "authenticated-read" => Ok(Self::AuthenticatedRead),
            other => Err(errors::invalid_argument("", "x-amz-acl", other)),
        }
    }

    /// Of the header of a request that makes something.
    pub(super) fn asked(request: &Request) -> Result<Self, Reply> {
        request.header("x-amz-acl").map_or(Ok(Self::Private), Self::named)
    }

    fn allows(self, wish: Wish) -> bool {
        match wish {
            Wish::Read => matches!(self, Self::PublicRead | Self::PublicReadWrite),
            Wish::Write => self == Self::PublicReadWrite,
        }
    }

    /// Groups with their permissions.
    fn grants(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Private => &[],
            Self::PublicRead => &[(EVERYONE, "READ")],
            Self::PublicReadWrite => &[(EVERYONE, "READ"), (EVERYONE, "WRITE")],
            Self::AuthenticatedRead => &[(SIGNED_IN, "READ")],
        }
    }

    fn reply(self) -> Reply {
        Xml::reply("AccessControlPolicy", |xml| {
            xml.within("Owner", owner);
            xml.within("AccessControlList", |xml| {
                xml.within("Grant", |xml| {
                    xml.grantee("CanonicalUser", owner);
                    xml.text("Permission", "FULL_CONTROL");
                });
                for (group, permission) in self.grants() {
                    xml.within("Grant", |xml| {
                        xml.grantee("Group", |xml| xml.text("URI", group));
                        xml.text("Permission", permission);
                    });
                }
            });
        })
    }

    /// Of a document with grants: what it gives to groups.
    fn read(body: &[u8]) -> Result<Self, Reply> {
        let policy = Node::read(body, "AccessControlPolicy")?;
        let list = policy.child("AccessControlList").ok_or_else(errors::malformed_xml)?;
        let has = |group: &str, permission: &str| {
            list.all("Grant").any(|grant| {
                let uri = grant.child("Grantee").and_then(|grantee| grantee.get("URI"));
                uri == Some(group) && grant.get("Permission") == Some(permission)
            })
        };
        Ok(match () {
            () if has(EVERYONE, "WRITE") => Self::PublicReadWrite,
            () if has(EVERYONE, "READ") => Self::PublicRead,
            () if has(SIGNED_IN, "READ") => Self::AuthenticatedRead,
            () => Self::Private,
        })
    }

    /// Of a request that sets one, in its header or its body.
    fn set_by(request: &Request, body: &[u8]) -> Result<Self, Reply> {
        if request.header("x-amz-acl").is_some() { Self::asked(request) } else { Self::read(body) }
    }
}

pub(super) fn owner(xml: &mut Xml) {
    xml.text("ID", OWNER_ID);
    xml.text("DisplayName", OWNER_NAME);
}

impl S3 {
    /// Whether a request without a signature may do this.
    pub(super) fn is_public(&self, request: &Request, operation: &str) -> bool {
        let (bucket, key) = {
            let param = |name: &str| request.params.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            (param("bucket"), param("key"))
        };
        let Some(bucket) = bucket.and_then(|name| self.buckets.get(name)) else { return false };
        let stored = key.and_then(|key| match asked(request, "versionId") {
            None => bucket.newest(key),
            Some(id) => bucket.version(key, id),
        });
        let stored: Option<&Stored> = stored.and_then(|version| version.stored.as_ref());
        match operation {
            "GetObject" | "HeadObject" => stored.map_or(bucket.acl, |stored| stored.head.acl).allows(Wish::Read),
            "ListObjects" | "ListObjectsV2" | "HeadBucket" => bucket.acl.allows(Wish::Read),
            "PutObject" | "DeleteObject" => bucket.acl.allows(Wish::Write),
            _ => false,
        }
    }

    pub(super) fn get_bucket_acl(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        Ok(self.bucket(request)?.acl.reply())
    }

    pub(super) fn put_bucket_acl(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let acl = Acl::set_by(request, &super::body(request)?)?;
        self.bucket_mut(request)?.acl = acl;
        Ok(Reply::empty(200))
    }

    pub(super) fn get_object_acl(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        Ok(self.stored(request)?.1.head.acl.reply())
    }

    pub(super) fn put_object_acl(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let acl = Acl::set_by(request, &super::body(request)?)?;
        let id = self.change(request, |stored| stored.head.acl = acl)?;
        let mut reply = Reply::empty(200);
        self.bucket(request)?.tell_version(&mut reply, &id);
        Ok(reply)
    }
}
