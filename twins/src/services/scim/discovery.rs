//! What a client may find out first: what the service can do, which resources it has, and of what they are made.

use serde_json::{Value, json};

use super::{
    Scim,
    errors::Refused,
    query::list,
    resource::base,
    schemas::{ALL, TYPES, Type},
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

fn resource_type(kind: Type, base: &str) -> Value {
    let extensions = kind.extension().map(|known| json!({"schema": known.id, "required": false}));
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"], "id": kind.name(), "name": kind.name(),
        "endpoint": kind.endpoint(), "description": format!("All {}s", kind.name().to_lowercase()),
        "schema": kind.core().id, "schemaExtensions": Vec::from_iter(extensions),
        "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", kind.name())}})
}

/// These lists cannot be filtered (RFC 7644, 4).
fn unfiltered(request: &Request, rows: &[Value]) -> Answer {
    if request.query["filter"].is_string() {
        return Err(Refused::status(403, "These resources cannot be filtered.").into());
    }
    Ok(Reply::json(200, &list(rows, rows.len(), 1)))
}

impl Scim {
    pub(super) fn service_provider_config(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let can = self.supported;
        let scheme = json!({"type": "oauthbearertoken", "name": "OAuth Bearer Token", "primary": true,
            "description": "A token in the Authorization header"});
        Ok(Reply::json(
            200,
            &json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
                "patch": {"supported": can.patch},
                "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
                "filter": {"supported": can.filter, "maxResults": self.results_max},
                "changePassword": {"supported": false}, "sort": {"supported": can.sort},
                "etag": {"supported": can.etag}, "authenticationSchemes": [scheme],
                "meta": {"resourceType": "ServiceProviderConfig",
                    "location": format!("{}/ServiceProviderConfig", base(request))}}),
        ))
    }

    pub(super) fn resource_types(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        unfiltered(request, &TYPES.map(|kind| resource_type(kind, &base(request))))
    }

    pub(super) fn get_resource_type(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let name = request.param("id");
        let kind = TYPES.into_iter().find(|kind| kind.name() == name).ok_or_else(|| Refused::not_found(name))?;
        Ok(Reply::json(200, &resource_type(kind, &base(request))))
    }

    pub(super) fn schemas(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        unfiltered(request, &ALL.map(|schema| schema.json(&format!("{}/Schemas/{}", base(request), schema.id))))
    }

    pub(super) fn get_schema(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        let schema = ALL.into_iter().find(|schema| schema.id.eq_ignore_ascii_case(id));
        let schema = schema.ok_or_else(|| Refused::not_found(id))?;
        Ok(Reply::json(200, &schema.json(&format!("{}/Schemas/{}", base(request), schema.id))))
    }
}
