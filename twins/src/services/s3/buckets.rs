//! Buckets themselves.

use super::{
    S3,
    access::{Acl, owner},
    errors::{detailed, malformed_xml},
    listing::iso,
    model::{Bucket, Versioning},
    names::{self, asked},
    xml::{Node, Xml},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

/// Where a bucket is that was made without a constraint.
const HOME: &str = "us-east-1";
const BUCKETS_MAX: usize = 10_000; // the service's own page

impl S3 {
    pub(super) fn list_buckets(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let max = names::number(request, "max-buckets", BUCKETS_MAX, BUCKETS_MAX)?;
        let (prefix, after) =
            (asked(request, "prefix").unwrap_or_default(), asked(request, "continuation-token").unwrap_or_default());
        let fits = |(name, _): &(&String, &Bucket)| name.starts_with(prefix) && name.as_str() > after;
        let found: Vec<_> = self.buckets.iter().filter(fits).collect();
        Ok(Xml::reply("ListAllMyBucketsResult", |xml| {
            xml.within("Owner", owner);
            xml.within("Buckets", |xml| {
                for (name, bucket) in found.iter().take(max) {
                    xml.within("Bucket", |xml| {
                        xml.text("Name", name);
                        xml.text("CreationDate", iso(bucket.created_at));
                        xml.text("BucketRegion", &bucket.region);
                    });
                }
            });
            if let Some((last, _)) = max.checked_sub(1).and_then(|last| found.get(last)).filter(|_| found.len() > max) {
                xml.text("ContinuationToken", last);
            }
            if !prefix.is_empty() {
                xml.text("Prefix", prefix);
            }
        }))
    }

    pub(super) fn create_bucket(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let name = request.param("bucket");
        if !names::is_bucket_name(name) {
            return Err(names::invalid_bucket_name(name));
        }
        if self.taken_names.contains(name) {
            return Err(names::taken(name));
        }
        let region = self.constraint(request)?;
        let acl = Acl::asked(request)?;
        if let Some(known) = self.buckets.get(name) {
            // In its first region alone the service takes the second call for the first.
            if known.region != HOME || region != HOME {
                let message = "Your previous request to create the named bucket succeeded and you already own it.";
                return Err(detailed(409, "BucketAlreadyOwnedByYou", message, &[("BucketName", name)]));
            }
        } else {
            let bucket = Bucket { acl, ..Bucket::new(&region, context.now) };
            self.buckets.insert(name.to_owned(), bucket);
        }
        Ok(Reply::empty(200).header("location", format!("/{name}")))
    }

    /// The region that the request asks for.
    fn constraint(&self, request: &Request) -> Result<String, Reply> {
        let body = super::body(request)?;
        if body.is_empty() {
            return Ok(self.region.clone());
        }
        let configuration = Node::read(&body, "CreateBucketConfiguration")?;
        let constraint = configuration.get("LocationConstraint").filter(|region| !region.is_empty());
        Ok(constraint.unwrap_or(&self.region).to_owned())
    }

    pub(super) fn head_bucket(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let bucket = self.bucket(request)?;
        Ok(Reply::empty(200)
            .header("x-amz-bucket-region", &bucket.region)
            .header("x-amz-access-point-alias", "false")
            .header("content-type", "application/xml"))
    }

    pub(super) fn delete_bucket(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let (bucket, name) = (self.bucket(request)?, request.param("bucket"));
        if !bucket.objects.is_empty() {
            return Err(names::not_empty(name));
        }
        self.buckets.remove(name);
        Ok(Reply::empty(204))
    }

    pub(super) fn get_location(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let region = &self.bucket(request)?.region;
        // The first region has no name here.
        let region = if region == HOME { "" } else { region };
        let document = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<LocationConstraint \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{region}</LocationConstraint>"
        );
        Ok(Reply::bytes(200, "application/xml", document))
    }

    pub(super) fn get_versioning(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let versioning = self.bucket(request)?.versioning;
        Ok(Xml::reply("VersioningConfiguration", |xml| match versioning {
            Versioning::Off => {}
            Versioning::Enabled => xml.text("Status", "Enabled"),
            Versioning::Suspended => xml.text("Status", "Suspended"),
        }))
    }

    pub(super) fn put_versioning(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let configuration = Node::read(&super::body(request)?, "VersioningConfiguration")?;
        let versioning = match configuration.get("Status") {
            Some("Enabled") => Versioning::Enabled,
            Some("Suspended") => Versioning::Suspended,
            Some(_) => return Err(malformed_xml()),
            None => return Err(names::illegal_version()),
        };
        self.bucket_mut(request)?.versioning = versioning;
        Ok(Reply::empty(200))
    }
}
