//! Tags of buckets and objects.

use std::collections::BTreeSet;

use super::{
    S3, errors,
    model::Tags,
    names,
    xml::{Node, Xml},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

// The service's own limits.
const OBJECT_TAGS_MAX: usize = 10;
const BUCKET_TAGS_MAX: usize = 50;
const NAME_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;

impl Tags {
    /// `x-amz-tagging: a=1&b=2`
    pub(super) fn of_header(request: &Request) -> Result<Self, Reply> {
        let text = request.header("x-amz-tagging").unwrap_or_default();
        let pairs = url::form_urlencoded::parse(text.as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()).checked(OBJECT_TAGS_MAX)
    }

    fn of_body(request: &Request, max: usize) -> Result<Self, Reply> {
        let document = Node::read(&super::body(request)?, "Tagging")?;
        let set = document.child("TagSet").ok_or_else(errors::malformed_xml)?;
        let pair = |tag: &Node| Some((tag.get("Key")?.to_owned(), tag.get("Value")?.to_owned()));
        let pairs: Option<Vec<_>> = set.all("Tag").map(pair).collect();
        Self(pairs.ok_or_else(errors::malformed_xml)?).checked(max)
    }

    fn checked(self, max: usize) -> Result<Self, Reply> {
        if self.0.len() > max {
            let message = format!("Object tags cannot be greater than {max}");
            return Err(errors::failed(400, "BadRequest", &message));
        }
        let mut names = BTreeSet::new();
        for (name, value) in &self.0 {
            if !names.insert(name) {
                let message = "Cannot provide multiple Tags with the same key";
                return Err(errors::detailed(400, "InvalidTag", message, &[("TagKey", name)]));
            }
            if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
                let message = "The TagKey you have provided is invalid";
                return Err(errors::detailed(400, "InvalidTag", message, &[("TagKey", name)]));
            }
            if value.chars().count() > VALUE_CHARS_MAX {
                let message = "The TagValue you have provided is invalid";
                return Err(errors::detailed(400, "InvalidTag", message, &[("TagKey", name), ("TagValue", value)]));
            }
        }
        Ok(self)
    }

    fn reply(&self) -> Reply {
        Xml::reply("Tagging", |xml| {
            xml.within("TagSet", |xml| {
                for (name, value) in &self.0 {
                    xml.within("Tag", |xml| {
                        xml.text("Key", name);
                        xml.text("Value", value);
                    });
                }
            });
        })
    }
}

impl S3 {
    pub(super) fn get_bucket_tags(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let tags = &self.bucket(request)?.tags;
        if tags.0.is_empty() { Err(names::no_such_tag_set(request.param("bucket"))) } else { Ok(tags.reply()) }
    }

    pub(super) fn put_bucket_tags(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let tags = Tags::of_body(request, BUCKET_TAGS_MAX)?;
        self.bucket_mut(request)?.tags = tags;
        Ok(Reply::empty(204))
    }

    pub(super) fn delete_bucket_tags(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        self.bucket_mut(request)?.tags = Tags::default();
        Ok(Reply::empty(204))
    }

    pub(super) fn get_object_tags(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let (version, stored) = self.stored(request)?;
        let mut reply = stored.head.tags.reply();
        self.bucket(request)?.tell_version(&mut reply, &version.id);
        Ok(reply)
    }

    pub(super) fn put_object_tags(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let tags = Tags::of_body(request, OBJECT_TAGS_MAX)?;
        self.change_tags(request, tags, 200)
    }

    pub(super) fn delete_object_tags(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        self.change_tags(request, Tags::default(), 204)
    }

    fn change_tags(&mut self, request: &Request, tags: Tags, status: u16) -> Answer {
        let id = self.change(request, |stored| stored.head.tags = tags)?;
        let mut reply = Reply::empty(status);
        self.bucket(request)?.tell_version(&mut reply, &id);
        Ok(reply)
    }
}
