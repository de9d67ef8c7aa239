//! Domains that mail may come from, once they are verified. Here asking for it is enough.

use serde_json::{Value, json};

use super::{
    Resend, answer,
    errors::{error, invalid, missing, not_found},
    lists::page,
    object, uuid, written,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const REGIONS: [&str; 4] = ["us-east-1", "eu-west-1", "sa-east-1", "ap-northeast-1"];

#[derive(Clone)]
pub(super) struct Domain {
    id: String,
    name: String,
    region: String,
    created_at: String,
    is_verified: bool,
    open_tracking: bool,
    click_tracking: bool,
}

impl Domain {
    fn status(&self) -> &'static str {
        if self.is_verified { "verified" } else { "not_started" }
    }

    pub(super) fn shown(&self) -> Value {
        json!({"id": self.id, "name": self.name, "status": self.status(), "created_at": self.created_at,
            "region": self.region, "open_tracking": self.open_tracking, "click_tracking": self.click_tracking,
            "capabilities": {"sending": "enabled", "receiving": "disabled"}})
    }

    /// With the entries that its owner has to publish.
    fn whole(&self) -> Value {
        let record = |kind: &str, name: &str, value: String, at: &str| json!({"record": kind, "name": name, "type": at, "ttl": "Auto", "status": self.status(), "value": value});
        let mut shown = self.shown();
        shown["object"] = "domain".into();
        shown["records"] = json!([
            record("SPF", "send", format!("feedback-smtp.{}.amazonses.com", self.region), "MX"),
            record("SPF", "send", "v=spf1 include:amazonses.com ~all".to_owned(), "TXT"),
            record("DKIM", "resend._domainkey", format!("p=twin{}", self.id.replace('-', "")), "TXT"),
        ]);
        shown
    }
}

impl Resend {
    pub(super) fn add_verified_domain(&mut self, name: &str) {
        let domain = Domain {
            id: name.to_owned(),
            name: name.to_owned(),
            region: REGIONS[0].to_owned(),
            created_at: "2020-01-01 00:00:00.000000+00".to_owned(),
            is_verified: true,
            open_tracking: false,
            click_tracking: false,
        };
        self.domains.insert(name, domain);
    }

    /// Whether mail may come from this address.
    pub(super) fn check_sender(&self, address: &str) -> Result<(), Reply> {
        let domain = address.rsplit('@').next().unwrap_or_default();
        let is_known = self.domains.oldest_first().any(|known| known.name == domain && known.is_verified);
        if !self.checks_domains || is_known || domain == "resend.dev" {
            return Ok(());
        }
        let text = format!(
            "The {domain} domain is not verified. Please, add and verify your domain on https://resend.com/domains"
        );
        Err(error(403, "validation_error", &text))
    }

    pub(super) fn create_domain(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let fields = object(request)?;
        let name = fields.get("name").as_str().filter(|name| !name.is_empty()).ok_or_else(|| missing("name"))?;
        if !name.contains('.') || name.contains(char::is_whitespace) {
            return Err(invalid("The domain name is invalid."));
        }
        let region = fields.get("region").as_str().unwrap_or(REGIONS[0]);
        if !REGIONS.contains(&region) {
            return Err(error(422, "invalid_region", &format!("Region must be {}", REGIONS.join(", "))));
        }
        if self.domains.oldest_first().any(|known| known.name == name) {
            return Err(error(403, "validation_error", &format!("The {name} domain has been registered already.")));
        }
        let domain = Domain {
            id: uuid(context, "domain"),
            name: name.to_owned(),
            region: region.to_owned(),
            created_at: written(context.now),
            is_verified: false,
            open_tracking: fields.get("open_tracking").as_bool().unwrap_or_default(),
            click_tracking: fields.get("click_tracking").as_bool().unwrap_or_default(),
        };
        let shown = domain.whole();
        self.domains.insert(&domain.id.clone(), domain);
        answer(&shown)
    }

    pub(super) fn list_domains(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        page(request, self.domains.newest_first().map(Domain::shown).collect())
    }

    pub(super) fn show_domain(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let domain = self.domains.get(request.param("id")).ok_or_else(|| not_found("Domain"))?;
        answer(&domain.whole())
    }

    pub(super) fn update_domain(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let fields = object(request)?;
        let domain = self.domains.get_mut(request.param("id")).ok_or_else(|| not_found("Domain"))?;
        domain.open_tracking = fields.get("open_tracking").as_bool().unwrap_or(domain.open_tracking);
        domain.click_tracking = fields.get("click_tracking").as_bool().unwrap_or(domain.click_tracking);
        answer(&json!({"object": "domain", "id": domain.id}))
    }

    pub(super) fn verify_domain(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let domain = self.domains.get_mut(request.param("id")).ok_or_else(|| not_found("Domain"))?;
        domain.is_verified = true;
        answer(&json!({"object": "domain", "id": domain.id}))
    }

    pub(super) fn delete_domain(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let id = request.param("id");
        self.domains.remove(id).ok_or_else(|| not_found("Domain"))?;
        answer(&json!({"object": "domain", "id": id, "deleted": true}))
    }
}
