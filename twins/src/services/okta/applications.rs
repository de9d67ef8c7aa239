//! Applications: made, read, changed, switched off and on. One that signs people in with `OPENID_CONNECT` is a client of the
//! authorization servers.

use serde_json::{Map, Value, json};

use super::{
    Okta, check,
    errors::{FORBIDDEN, failed, invalid, not_found},
    model::Application,
    pages::{Size, page},
    search::{Searched, found},
    show::Links,
};
use crate::{
    http::{Reply, Request},
    services::oidc::Client,
    twin::{Answer, Context},
};

const APPLICATIONS_MAX: usize = 2_000; // more are a mistake of the test
const PAGE: Size = Size { usual: 20, most: 200 };
const SEARCHED: Searched = Searched {
    begins: &["name", "label"],
    filtered: &["id", "status", "name", "signOnMode", "user.id", "group.id", "lastUpdated"],
};
/// What `signOnMode` may be.
const MODES: [&str; 9] = [
    "AUTO_LOGIN",
    "BASIC_AUTH",
    "BOOKMARK",
    "BROWSER_PLUGIN",
    "OPENID_CONNECT",
    "SAML_1_1",
    "SAML_2_0",
    "SECURE_PASSWORD_STORE",
    "WS_FEDERATION",
];

/// Puts `value` where nothing is, member by member.
fn fill(body: &mut Value, defaults: &Value) {
    match (body, defaults) {
        (Value::Object(body), Value::Object(defaults)) => {
            for (name, value) in defaults {
                fill(body.entry(name).or_insert(Value::Null), value);
            }
        }
        (body @ Value::Null, defaults) => *body = defaults.clone(),
        _ => {}
    }
}

impl Okta {
    pub(super) fn application(&self, context: &Context<'_>, request: &Request) -> Result<&Application, Reply> {
        let id = request.param("id");
        self.applications.get(id).ok_or_else(|| not_found(context, id, "AppInstance"))
    }

    pub(super) fn application_mut(
        &mut self,
        context: &Context<'_>,
        request: &Request,
    ) -> Result<&mut Application, Reply> {
        let id = request.param("id");
        self.applications.get_mut(id).ok_or_else(|| not_found(context, id, "AppInstance"))
    }

    pub(super) fn list_applications(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let links = Links::of(request);
        let applications: Vec<_> = self.applications.oldest_first().collect();
        let searched = applications.iter().map(|application| {
            let mut row = links.application(application);
            let ids = |ids: Vec<&String>| ids.into_iter().map(|id| json!({"id": id})).collect::<Vec<_>>();
            row["user"] = json!(ids(self.assigned(application).map(|(user, ..)| &user.id).collect()));
            row["group"] = json!(ids(application.groups.keys().collect()));
            row
        });
        let places = found(context, request, &searched.collect::<Vec<_>>(), &SEARCHED)?;
        let rows: Vec<_> = places.into_iter().map(|place| applications[place]).collect();
        page(context, request, &rows, PAGE, |row| &row.id, |row| links.application(row))
    }

    pub(super) fn get_application(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        Ok(Reply::json(200, &Links::of(request).application(self.application(context, request)?)))
    }

    /// A body with all that the service fills in. `id` and `secret` are those of the client that it may be.
    fn application_body(
        context: &Context<'_>,
        request: &Request,
        id: &str,
        secret: Option<&str>,
    ) -> Result<Map<String, Value>, Reply> {
        let mut body = check::body(context, request)?;
        for name in ["id", "status", "created", "lastUpdated", "_links", "_embedded"] {
            body.remove(name);
        }
        let label = body.get("label").and_then(Value::as_str).unwrap_or_default();
        let mode = body.get("signOnMode").and_then(Value::as_str).unwrap_or_default().to_owned();
        if label.is_empty() {
            return Err(invalid(context, "label", &["label: The field cannot be left blank".to_owned()]));
        }
        if !MODES.contains(&mode.as_str()) {
            let cause = "signOnMode: The field must be one of the known sign-on modes".to_owned();
            return Err(invalid(context, "signOnMode", &[cause]));
        }
        let mut defaults = json!({"name": mode.to_lowercase(), "features": [],
            "accessibility": {"selfService": false, "errorRedirectUrl": null, "loginRedirectUrl": null},
            "visibility": {"autoLaunch": false, "autoSubmitToolbar": false, "hide": {"iOS": false, "web": false},
                "appLinks": {}},
            "credentials": {"userNameTemplate": {"template": "${source.login}", "type": "BUILT_IN"}, "signing": {}},
            "settings": {"notes": {"admin": null, "enduser": null}}});
        if mode == "OPENID_CONNECT" {
            defaults["name"] = json!("oidc_client");
            defaults["credentials"]["oauthClient"] = json!({"client_id": id, "client_secret": secret,
                "token_endpoint_auth_method": "client_secret_basic", "autoKeyRotation": true});
            defaults["settings"]["oauthClient"] = json!({"application_type": "web", "redirect_uris": [],
                "grant_types": ["authorization_code"], "response_types": ["code"], "consent_method": "TRUSTED",
                "issuer_mode": "ORG_URL"});
        }
        let mut body = Value::Object(body);
        fill(&mut body, &defaults);
        let Value::Object(body) = body else { unreachable!("was an object") };
        Ok(body)
    }

    pub(super) fn create_application(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let (id, secret) = (context.id("0oa", 17), context.letters("client_secret", 64));
        let body = Self::application_body(context, request, &id, Some(&secret))?;
        if self.applications.len() == APPLICATIONS_MAX {
            let cause = format!("The okta twin keeps at most {APPLICATIONS_MAX} applications.");
            return Err(invalid(context, "apps", &[cause]));
        }
        let application = Application {
            id: id.clone(),
            is_active: request.query["activate"].as_str() != Some("false"),
            body,
            created_at: context.now,
            updated_at: context.now,
            users: Default::default(),
            groups: Default::default(),
        };
        self.applications.insert(&id, application);
        self.register(&id);
        self.get_created(request, &id)
    }

    fn get_created(&self, request: &Request, id: &str) -> Answer {
        let application = self.applications.get(id).expect("callers found the application");
        Ok(Reply::json(200, &Links::of(request).application(application)))
    }

    pub(super) fn replace_application(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let old = self.application(context, request)?;
        let (id, secret) = (old.id.clone(), old.oauth("client_secret").map(str::to_owned));
        let body = Self::application_body(context, request, &id, secret.as_deref())?;
        self.forget(&id);
        let application = self.application_mut(context, request)?;
        (application.body, application.updated_at) = (body, context.now);
        self.register(&id);
        self.get_created(request, &id)
    }

    /// Only what is switched off can be deleted.
    pub(super) fn delete_application(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let application = self.application(context, request)?;
        if application.is_active {
            return Err(failed(context, FORBIDDEN));
        }
        let id = application.id.clone();
        self.applications.remove(&id);
        Ok(Reply::empty(204))
    }

    pub(super) fn activate_application(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.switch(context, request, true)
    }

    pub(super) fn deactivate_application(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        self.switch(context, request, false)
    }

    fn switch(&mut self, context: &Context<'_>, request: &Request, is_active: bool) -> Answer {
        let application = self.application_mut(context, request)?;
        (application.is_active, application.updated_at) = (is_active, context.now);
        let id = application.id.clone();
        self.forget(&id);
        self.register(&id);
        Ok(Reply::json(200, &json!({})))
    }

    /// The authorization servers know the client while the application is on.
    fn register(&mut self, id: &str) {
        let active = self.applications.get(id).filter(|application| application.is_active);
        if let Some(client) = active.and_then(Application::client) {
            self.products.add_client(client.clone());
            self.organization.add_client(client);
        }
    }

    /// What the application was as a client is none any more.
    fn forget(&mut self, id: &str) {
        let Some(client_id) = self.applications.get(id).and_then(|application| application.oauth("client_id")) else {
            return;
        };
        self.products.forget_client(client_id);
        self.organization.forget_client(client_id);
    }
}

impl Application {
    /// A field of the client that it is.
    fn oauth(&self, name: &str) -> Option<&str> {
        self.body.get("credentials").and_then(|credentials| credentials["oauthClient"][name].as_str())
    }

    fn client(&self) -> Option<Client> {
        let is_open = self.oauth("token_endpoint_auth_method") == Some("none");
        let redirect_uris =
            self.body.get("settings").and_then(|settings| settings["oauthClient"]["redirect_uris"].as_array());
        let redirect_uris = redirect_uris.into_iter().flatten().filter_map(Value::as_str);
        Some(Client {
            client_id: self.oauth("client_id")?.to_owned(),
            client_secret: self.oauth("client_secret").filter(|_| !is_open).map(str::to_owned),
            redirect_uris: redirect_uris.map(str::to_owned).collect(),
            scopes: Vec::new(),
            password_grant: false,
            jwks: None,
        })
    }
}
