//! Webhooks of a repository.

use serde_json::{Value, json};

use super::{
    GitHub,
    errors::{invalid, invalid_because, not_found, unprocessable},
    links::{Links, paged},
    model::{Hook, Permission, Repo},
    show::time,
};
use crate::{
    http::{Reply, Request},
    twin::{Answer, Context},
};

const HOOKS_MAX: usize = 20; // per repository, as the service has it

pub(super) fn hook_json(links: &Links, repo: &Repo, hook: &Hook) -> Value {
    let url = format!("{}/hooks/{}", links.repo(&repo.full_name()), hook.id);
    let mut config = json!({"content_type": if hook.form { "form" } else { "json" }, "url": hook.url,
        "insecure_ssl": hook.insecure_ssl});
    if hook.secret.is_some() {
        config["secret"] = json!("********");
    }
    json!({"type": "Repository", "id": hook.id, "name": "web", "active": hook.active, "events": hook.events,
        "config": config, "updated_at": time(hook.updated_at), "created_at": time(hook.created_at), "url": url,
        "test_url": format!("{url}/test"), "ping_url": format!("{url}/pings"),
        "deliveries_url": format!("{url}/deliveries"),
        "last_response": {"code": null, "status": "unused", "message": null}})
}

impl GitHub {
    pub(super) fn list_hooks(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = &*self.writable(request, Permission::Admin)?;
        let links = Links::of(request);
        Ok(paged(request, repo.hooks.oldest_first().collect(), |hook| hook_json(&links, repo, hook)))
    }

    pub(super) fn create_hook(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let id = self.next_id();
        let repo = self.writable(request, Permission::Admin)?;
        let mut hook = Hook {
            id,
            url: String::new(),
            secret: None,
            form: true,
            insecure_ssl: "0".to_owned(),
            events: vec!["push".to_owned()],
            active: true,
            created_at: context.now,
            updated_at: context.now,
        };
        configure(&mut hook, request)?;
        if hook.url.is_empty() {
            return Err(invalid_because("Hook", "url", "url cannot be blank"));
        }
        if repo.hooks.oldest_first().any(|known| known.url == hook.url && known.events == hook.events) {
            return Err(invalid_because("Hook", "url", "Hook already exists on this repository"));
        }
        if repo.hooks.len() == HOOKS_MAX {
            return Err(unprocessable("The \"*\" event cannot have more than 20 hooks"));
        }
        repo.hooks.insert(&id.to_string(), hook);
        let key = repo.key();
        self.refresh_endpoints();
        let (links, repo, sender) = (Links::of(request), self.repo(&key), self.caller(request)?.login.clone());
        self.ping(context, &links, repo, id, &sender);
        let hook = repo.hooks.get(&id.to_string()).ok_or_else(not_found)?;
        Ok(Reply::json(201, &hook_json(&links, repo, hook)))
    }

    pub(super) fn get_hook(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = &*self.writable(request, Permission::Admin)?;
        let hook = repo.hooks.get(request.param("hook_id")).ok_or_else(not_found)?;
        Ok(Reply::json(200, &hook_json(&Links::of(request), repo, hook)))
    }

    pub(super) fn update_hook(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.writable(request, Permission::Admin)?;
        let hook = repo.hooks.get_mut(request.param("hook_id")).ok_or_else(not_found)?;
        configure(hook, request)?;
        hook.updated_at = context.now;
        let shown = hook.clone();
        let shown = hook_json(&Links::of(request), repo, &shown);
        self.refresh_endpoints();
        Ok(Reply::json(200, &shown))
    }

    pub(super) fn delete_hook(&mut self, _: &mut Context<'_>, request: &Request) -> Answer {
        let repo = self.writable(request, Permission::Admin)?;
        repo.hooks.remove(request.param("hook_id")).ok_or_else(not_found)?;
        self.refresh_endpoints();
        Ok(Reply::empty(204))
    }

    pub(super) fn ping_hook(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let key = self.writable(request, Permission::Admin)?.key();
        let (repo, sender) = (self.repo(&key), self.caller(request)?.login.clone());
        let id = repo.hooks.get(request.param("hook_id")).ok_or_else(not_found)?.id;
        self.ping(context, &Links::of(request), repo, id, &sender);
        Ok(Reply::empty(204))
    }
}

fn configure(hook: &mut Hook, request: &Request) -> Result<(), Reply> {
    let fields = request.tracked();
    if fields.get("name").as_str().is_some_and(|name| name != "web") {
        return Err(invalid("Hook", "name", "invalid"));
    }
    let config = fields.get("config");
    if let Some(url) = config["url"].as_str() {
        let receives = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !receives {
            return Err(invalid_because("Hook", "url", "url is not supported"));
        }
        url.clone_into(&mut hook.url);
    }
    if let Some(kind) = config["content_type"].as_str() {
        hook.form = kind != "json";
    }
    if let Some(secret) = config["secret"].as_str() {
        hook.secret = Some(secret.to_owned()).filter(|secret| !secret.is_empty());
    }
    if let Some(insecure) = config.get("insecure_ssl") {
        hook.insecure_ssl = insecure.as_str().map_or_else(|| insecure.to_string(), str::to_owned);
    }
    let texts = |name: &str| {
        let all = fields.get(name).as_array();
        all.map(|all| all.iter().filter_map(|it| it.as_str().map(str::to_owned)).collect::<Vec<_>>())
    };
    if let Some(events) = texts("events") {
        hook.events = events;
    }
    hook.events.extend(texts("add_events").unwrap_or_default());
    let removed = texts("remove_events").unwrap_or_default();
    hook.events.retain(|event| !removed.contains(event));
    hook.active = fields.get("active").as_bool().unwrap_or(hook.active);
    Ok(())
}
