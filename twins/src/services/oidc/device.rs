//! The way in for devices without a browser (RFC 8628): the device shows a code and asks again and again, a person types the
//! code elsewhere. How often a device may ask, and for how long, goes by the virtual clock.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Oidc,
    config::{Client, SignIn},
    errors::{failed, invalid_grant, invalid_request},
    form,
    grants::Consent,
    token::{field, invalid_scope, scopes_of},
};
use crate::{
    engine::table::Table,
    http::{Reply, Request},
    twin::{Answer, Context},
};

const DEVICES_MAX: usize = 1_000; // the oldest is forgotten first
const SLOW_DOWN_S: u32 = 5; // what RFC 8628, 3.5 adds
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ"; // of RFC 8628, 6.1: no vowels, so no words

/// A device that waits for a person.
#[derive(Clone, Debug)]
struct Device {
    device_code: String,
    user_code: String,
    client_id: String,
    scopes: Vec<String>,
    issued_at: Timestamp,
    expires_at: Timestamp,
    interval_s: u32,
    asked_at: Option<Timestamp>,
    decision: Decision,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
enum Decision {
    Pending,
    Approved {
        sub: String,
        at: Timestamp,
    },
    Denied,
    /// Its tokens were given.
    Used,
}

/// By device code.
#[derive(Clone, Default)]
pub(super) struct Devices(Table<Device>);

impl Devices {
    fn add(&mut self, device: Device) {
        if self.0.len() == DEVICES_MAX {
            self.0.remove_oldest();
        }
        let code = device.device_code.clone();
        self.0.insert(&code, device);
    }

    /// The device that still waits with this code; people write codes in their own way. None names the newest.
    fn waiting(&mut self, user_code: Option<&str>, now: Timestamp) -> Option<&mut Device> {
        let plain = |code: &str| -> String {
            code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect()
        };
        let wanted = user_code.map(plain);
        let is_meant = |device: &&Device| {
            let is_waiting = device.decision == Decision::Pending && now < device.expires_at;
            is_waiting && wanted.as_ref().is_none_or(|wanted| *wanted == plain(&device.user_code))
        };
        let code = self.0.newest_first().find(is_meant)?.device_code.clone();
        self.0.get_mut(&code)
    }

    pub(super) fn shown(&self) -> Vec<Value> {
        let row = |device: &Device| {
            let mut row = json!({"user_code": device.user_code, "client_id": device.client_id,
                "scope": device.scopes.join(" "), "issued_at": device.issued_at, "expires_at": device.expires_at});
            let decision = serde_json::to_value(&device.decision).expect("has text keys only");
            decision.as_object().into_iter().flatten().for_each(|(name, value)| row[name] = value.clone());
            row
        };
        self.0.oldest_first().map(row).collect()
    }
}

impl Device {
    /// What the device gets that asks now: none while it has to wait.
    fn answer(&mut self, now: Timestamp) -> Result<(String, Timestamp), Reply> {
        let wait = SignedDuration::from_secs(self.interval_s.into());
        let is_hasty = self.asked_at.is_some_and(|before| now.duration_since(before) < wait);
        self.asked_at = Some(now);
        match &self.decision {
            Decision::Used => Err(invalid_grant("The device code is invalid or has been used.")),
            _ if now >= self.expires_at => Err(failed(400, "expired_token", "The device code has expired.")),
            Decision::Denied => Err(failed(400, "access_denied", "The resource owner denied the request.")),
            Decision::Pending if is_hasty => {
                self.interval_s += SLOW_DOWN_S;
                Err(failed(400, "slow_down", "The device asks too often. Wait longer between requests."))
            }
            Decision::Pending => Err(failed(
                400,
                "authorization_pending",
                "The device authorization is pending. Please try again later.",
            )),
            Decision::Approved { sub, at } => {
                let given = (sub.clone(), *at);
                self.decision = Decision::Used;
                Ok(given)
            }
        }
    }
}

fn user_code(context: &mut Context<'_>) -> String {
    let drawn = context.letters("user_code", 8);
    let code: String = drawn.bytes().map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()])).collect();
    format!("{}-{}", &code[..4], &code[4..])
}

impl Oidc {
    pub(in crate::services) fn device_authorization(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let client = self.client(context.now, request)?;
        let scopes = scopes_of(request).unwrap_or_default();
        if !client.may(&scopes) {
            return Err(invalid_scope());
        }
        let client_id = client.client_id.clone();
        let ttl = self.ttl;
        let (device_code, user_code) = (context.id("device_", 40), user_code(context));
        let expires_at = context.now.saturating_add(SignedDuration::from_secs(ttl.device_code_s.into()));
        let page = format!("{}{}", request.origin(), self.addresses.device);
        let answer = json!({"device_code": device_code, "user_code": user_code, "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={user_code}"),
            "expires_in": ttl.device_code_s, "interval": ttl.device_interval_s});
        self.devices.add(Device {
            device_code,
            user_code,
            client_id,
            scopes,
            issued_at: context.now,
            expires_at: expires_at.expect("a signed duration saturates"),
            interval_s: ttl.device_interval_s,
            asked_at: None,
            decision: Decision::Pending,
        });
        Ok(Reply::json(200, &answer))
    }

    /// The page where a person types the code. A complete address is all that an automatic sign-in needs.
    pub(in crate::services) fn device(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let code = field(request, "user_code");
        let first = self.users.first().map(|user| user.sub().to_owned());
        match (self.sign_in, code, first) {
            (SignIn::Automatic, Some(code), Some(sub)) => {
                let decision = Decision::Approved { sub, at: context.now };
                Ok(self.decided(context.now, request, code, decision))
            }
            _ => Ok(form::device_page(request, self.addresses.device, None)),
        }
    }

    /// The page comes back.
    pub(in crate::services) fn device_sign_in(&mut self, context: &mut Context<'_>, request: &Request) -> Answer {
        let code = field(request, "user_code").unwrap_or_default();
        if field(request, "decision") == Some("deny") {
            return Ok(self.decided(context.now, request, code, Decision::Denied));
        }
        let login = field(request, "username").unwrap_or_default();
        match self.signed_in(login, field(request, "password").unwrap_or_default()) {
            Some(sub) => {
                let decision = Decision::Approved { sub, at: context.now };
                Ok(self.decided(context.now, request, code, decision))
            }
            None => Ok(form::device_page(request, self.addresses.device, Some("Unable to sign in"))),
        }
    }

    fn decided(&mut self, now: Timestamp, request: &Request, code: &str, decision: Decision) -> Reply {
        match self.devices.waiting(Some(code), now) {
            Some(device) => {
                let said = if decision == Decision::Denied { "Device not activated" } else { "Device activated" };
                device.decision = decision;
                form::note(said)
            }
            None => form::device_page(request, self.addresses.device, Some("Invalid code. Try again.")),
        }
    }

    /// The device asks for its tokens.
    pub(super) fn by_device(
        &mut self,
        context: &mut Context<'_>,
        request: &Request,
        client: &Client,
    ) -> Result<Consent, Reply> {
        let code = field(request, "device_code").ok_or_else(|| invalid_request("`device_code` is missing."))?;
        let found = self.devices.0.get_mut(code).filter(|device| device.client_id == client.client_id);
        let device = found.ok_or_else(|| invalid_grant("The device code is invalid or has been used."))?;
        let (sub, signed_in_at) = device.answer(context.now)?;
        let (client_id, scopes) = (device.client_id.clone(), device.scopes.clone());
        let family = context.number("family");
        Ok(Consent { family, client_id, sub: Some(sub), scopes, nonce: None, signed_in_at })
    }

    /// A person decides without a page. `user_code` may be left out: the newest device that waits.
    pub(super) fn act_device(&mut self, now: Timestamp, argument: &Value, approve: bool) -> Result<Value, String> {
        let login = argument["user"].as_str();
        let user = login.map_or_else(|| self.users.first(), |login| self.user(login));
        let sub = user.ok_or_else(|| format!("there is no user `{}`", login.unwrap_or_default()))?.sub().to_owned();
        let device = self.devices.waiting(argument["user_code"].as_str(), now);
        let device = device.ok_or("no device waits with this code; see `device_codes` in the twin's state")?;
        device.decision = if approve { Decision::Approved { sub, at: now } } else { Decision::Denied };
        Ok(json!({"user_code": device.user_code, "client_id": device.client_id}))
    }
}
