//! Resources over HTTP: made, read, searched, replaced, patched, deleted; changed only by one who has seen them.

use serde_json::{Map, Value};

use super::{
    Scim, clean,
    errors::Refused,
    patch::patched,
    query::{Wanted, search_message},
    resource::{Resource, base},
    schemas::{TYPES, Type},
};
use crate::{
    engine::seed::hex_id,
    http::{Content, Reply, Request},
    services::filter::lower,
    twin::{Answer, Context},
};

const RESOURCES_MAX: usize = 20_000; // of a kind; more are a mistake of the test

fn object(request: &Request) -> Result<&Map<String, Value>, Refused> {
    match &request.content {
        Content::Json(Value::Object(map)) => Ok(map),
        Content::Text(_) | Content::Bytes | Content::Form(_) | Content::Multipart(_) => {
            Err(Refused::status(415, "The body must be application/scim+json."))
        }
        _ => Err(Refused::syntax("Request is unparsable.")),
    }
}

impl Scim {
    fn found(&self, request: &Request) -> Result<&Resource, Refused> {
        let id = request.param("id");
        self.table(Type::of(request)).get(id).ok_or_else(|| Refused::not_found(id))
    }

    /// The one of the path, if the client has seen it as it is now.
    fn seen(&self, request: &Request) -> Result<&Resource, Refused> {
        let resource = self.found(request)?;
        let asked = request.header("if-match").filter(|_| self.supported.etag);
        if asked.is_none_or(|tags| names(tags, &resource.tag())) {
            return Ok(resource);
        }
        Err(Refused::status(412, format!("Failed to update. Resource {} changed on the server.", resource.id)))
    }

    fn answer(&self, status: u16, request: &Request, kind: Type, id: &str) -> Answer {
        let resource = self.table(kind).get(id).expect("callers have the id of a row");
        let wanted = Wanted::of(&request.query)?;
        let (shown, location) = (self.shown(resource, &base(request), &wanted), location(request, kind, id));
        let reply = Reply::json(status, &shown).header("location", location);
        Ok(if self.supported.etag { reply.header("etag", resource.tag()) } else { reply })
    }

    pub(super) fn list(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        Ok(Reply::json(200, &self.listed(&[Type::of(request)], &request.query, &base(request))?))
    }

    /// The same with the question in the body.
    pub(super) fn search(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        Ok(Reply::json(200, &self.listed(&[Type::of(request)], search_message(request)?, &base(request))?))
    }

    pub(super) fn search_all(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        Ok(Reply::json(200, &self.listed(&TYPES, search_message(request)?, &base(request))?))
    }

    pub(super) fn get(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let resource = self.found(request)?;
        let known = request.header("if-none-match").filter(|_| self.supported.etag);
        if known.is_some_and(|tags| names(tags, &resource.tag())) {
            return Ok(Reply::empty(304).header("etag", resource.tag()));
        }
        self.answer(200, request, resource.kind, request.param("id"))
    }

    pub(super) fn create(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let kind = Type::of(request);
        let body = clean::resource(kind, object(request)?)?;
        if self.table(kind).len() == RESOURCES_MAX {
            return Err(Refused::status(500, format!("The scim twin keeps at most {RESOURCES_MAX} resources.")).into());
        }
        self.check_body(kind, &body, None)?;
        let id = hex_id(&context.id("resource", 24));
        let (created_at, updated_at) = (context.now, context.now);
        let resource = Resource { kind, id: id.clone(), body, created_at, updated_at, version: 1 };
        self.table_mut(kind).insert(&id, resource);
        self.answer(201, request, kind, &id)
    }

    /// All of it anew: what is left out is gone, and what is set once may not differ.
    pub(super) fn replace(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let kind = Type::of(request);
        let id = self.seen(request)?.id.clone();
        let body = clean::resource(kind, object(request)?)?;
        self.put(context, kind, &id, body)?;
        self.answer(200, request, kind, &id)
    }

    pub(super) fn patch(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        if !self.supported.patch {
            return Err(Refused::status(501, "This service does not patch.").into());
        }
        let kind = Type::of(request);
        let resource = self.seen(request)?;
        object(request)?;
        let (id, body) = (resource.id.clone(), patched(kind, &resource.body, request.fields())?);
        self.put(context, kind, &id, body)?;
        self.answer(200, request, kind, &id)
    }

    /// A change that changes nothing is none.
    fn put(&mut self, context: &Context<'_>, kind: Type, id: &str, body: Map<String, Value>) -> Result<(), Refused> {
        self.check_body(kind, &body, Some(id))?;
        let resource = self.table_mut(kind).get_mut(id).expect("callers found the row");
        if resource.body != body {
            resource.body = body;
            resource.version += 1;
            resource.updated_at = context.now;
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let resource = self.seen(request)?;
        let (kind, id) = (resource.kind, resource.id.clone());
        self.table_mut(kind).remove(&id);
        self.leave_all(&id, context);
        Ok(Reply::empty(204))
    }

    /// Nobody is a member who is no more.
    fn leave_all(&mut self, id: &str, context: &Context<'_>) {
        let joined = self.groups.oldest_first().filter(|group| group.members().any(|member| member == id));
        let joined: Vec<_> = joined.map(|group| group.id.clone()).collect();
        for group in joined {
            let Some(group) = self.groups.get_mut(&group) else { continue };
            let members = group.body.get("members").and_then(Value::as_array).cloned().unwrap_or_default();
            let left = members.into_iter().filter(|member| member["value"] != id).collect();
            clean::set(&mut group.body, "members", Value::Array(left));
            (group.version, group.updated_at) = (group.version + 1, context.now);
        }
    }

    /// What one resource cannot know: that a name is taken, that a member does not exist.
    pub(super) fn check_body(&self, kind: Type, body: &Map<String, Value>, id: Option<&str>) -> Result<(), Refused> {
        for attribute in kind.core().attributes.iter().filter(|attribute| attribute.is_unique) {
            let same = |resource: &&Resource| {
                let [one, other] = [body, &resource.body].map(|body| body.get(attribute.name).and_then(Value::as_str));
                one.zip(other).is_some_and(|(one, other)| lower(one).eq(lower(other)))
            };
            if self.table(kind).oldest_first().filter(|resource| Some(resource.id.as_str()) != id).any(|row| same(&row))
            {
                let name = attribute.name;
                return Err(Refused::taken(format!("One or more of the attribute values are already in use: {name}.")));
            }
        }
        let members = body.get("members").and_then(Value::as_array).into_iter().flatten();
        for member in members {
            let value = member["value"].as_str().unwrap_or_default();
            if self.any(value).is_none() || Some(value) == id {
                return Err(Refused::value(format!("There is no resource {value:?} that could be a member.")));
            }
        }
        Ok(())
    }

    /// The path is known, the method is not.
    pub(super) fn not_allowed(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        Err(Refused::status(405, format!("{} is not allowed here.", request.method)).into())
    }

    /// Nobody who calls is a resource.
    pub(super) fn me(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        Err(Refused::status(501, "This service does not map callers to resources.").into())
    }

    pub(super) fn bulk(&mut self, _: &mut Context<'_>, _: &Request) -> Answer {
        Err(Refused::status(501, "This service does not take bulk requests; see /ServiceProviderConfig.").into())
    }
}

fn location(request: &Request, kind: Type, id: &str) -> String {
    format!("{}{}/{id}", base(request), kind.endpoint())
}

/// Whether a list of tags has this one. All tags are weak.
fn names(tags: &str, tag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.split(',').any(|known| known.trim() == "*" || plain(known) == plain(tag))
}
