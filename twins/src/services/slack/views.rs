//! Views: modals, opened soon after a person did something, and the app's home.

use serde_json::{Value, json};

use super::{
    Slack, blocks,
    call::{Call, Made},
    errors::Failure,
    model::{View, ViewKind},
};
use crate::twin::Context;

const TRIGGER_LIVES_MS: i64 = 3_000;
const STACK_MAX: usize = 3;
const BLOCKS_MAX: usize = 100;
const TITLE_CHARS_MAX: usize = 24;
const VIEW_BYTES_MAX: usize = 250 * 1024;

impl Slack {
    pub(super) fn open_view(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let given = given(call, ViewKind::Modal)?;
        let (user, _) = self.pull_trigger(call)?;
        let view = self.new_view(call.context, ViewKind::Modal, &user, given)?;
        Ok(self.kept(view))
    }

    pub(super) fn push_view(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let given = given(call, ViewKind::Modal)?;
        let (user, below) = self.pull_trigger(call)?;
        let below = below.and_then(|id| self.views.get(&id)).cloned().ok_or("not_found")?;
        let stack = self.views.oldest_first().filter(|view| view.root == below.root).count();
        if stack >= STACK_MAX {
            return Err("push_limit_reached".into());
        }
        let view = self.new_view(call.context, ViewKind::Modal, &user, given)?;
        Ok(self.kept(View { root: below.root, previous: Some(below.id), ..view }))
    }

    pub(super) fn update_view(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let given = given(call, ViewKind::Modal)?;
        let view = match (call.text("view_id"), call.text("external_id")) {
            (Some(id), _) => self.views.get(id),
            (None, Some(id)) => self.views.oldest_first().find(|view| view.external_id == id),
            (None, None) => return Err(Failure::argument("missing required field: view_id")),
        };
        let view = view.filter(|view| view.kind == ViewKind::Modal).ok_or("not_found")?.clone();
        check_hash(call, &view)?;
        let hash = hash(call.context);
        let external_id = given["external_id"].as_str().map_or_else(|| view.external_id.clone(), str::to_owned);
        Ok(self.kept(View { given, hash, external_id, ..view }))
    }

    pub(super) fn publish_view(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let user = call.need("user_id")?;
        self.user(user)?;
        let given = given(call, ViewKind::Home)?;
        let home = self.views.oldest_first().find(|view| view.kind == ViewKind::Home && view.user == user).cloned();
        let view = match home {
            Some(view) => {
                check_hash(call, &view)?;
                View { given, hash: hash(call.context), ..view }
            }
            None => self.new_view(call.context, ViewKind::Home, user, given)?,
        };
        Ok(self.kept(view))
    }

    fn new_view(&self, context: &mut Context<'_>, kind: ViewKind, user: &str, given: Value) -> Result<View, Failure> {
        let id = format!("V{}", context.id("view", 10).to_uppercase());
        let external_id = given["external_id"].as_str().unwrap_or_default().to_owned();
        let is_taken = |view: &View| !external_id.is_empty() && view.external_id == external_id;
        if self.views.oldest_first().any(is_taken) {
            return Err("duplicate_external_id".into());
        }
        let root = id.clone();
        let values = json!({});
        Ok(View {
            id,
            kind,
            user: user.to_owned(),
            given,
            hash: hash(context),
            root,
            previous: None,
            external_id,
            values,
        })
    }

    fn kept(&mut self, view: View) -> Value {
        let answer = json!({ "view": self.view_json(&view) });
        self.views.insert(&view.id.clone(), view);
        answer
    }

    /// Who did what allows the app to open a view now, and in which view. Once, and not for long.
    fn pull_trigger(&mut self, call: &Call<'_, '_, '_>) -> Result<(String, Option<String>), Failure> {
        let id = call.text("trigger_id").or_else(|| call.text("interactivity_pointer"));
        let id = id.ok_or_else(|| Failure::argument("missing required field: trigger_id"))?;
        let trigger = self.triggers.get_mut(id).ok_or("invalid_trigger_id")?;
        if trigger.used {
            return Err("exchanged_trigger_id".into());
        }
        if call.context.now.as_millisecond() - trigger.at.as_millisecond() > TRIGGER_LIVES_MS {
            return Err("expired_trigger_id".into());
        }
        trigger.used = true;
        Ok((trigger.user.clone(), trigger.view.clone()))
    }
}

fn hash(context: &mut Context<'_>) -> String {
    format!("{}.{}", context.unix(), context.id("hash", 8))
}

fn check_hash(call: &Call<'_, '_, '_>, view: &View) -> Result<(), Failure> {
    let given = call.text("hash");
    if given.is_none_or(|hash| hash == view.hash) { Ok(()) } else { Err("hash_conflict".into()) }
}

/// The view of the arguments, as the service takes it.
fn given(call: &Call<'_, '_, '_>, kind: ViewKind) -> Result<Value, Failure> {
    let view = call.structure("view", "invalid_arguments")?;
    let flaw = |why: String, at: &str| Failure::argument(&format!("{why} [json-pointer:/view{at}]"));
    if !view.is_object() {
        return Err(Failure::argument("missing required field: view"));
    }
    let wanted = match kind {
        ViewKind::Modal => "modal",
        ViewKind::Home => "home",
    };
    if view["type"] != wanted {
        return Err(flaw(format!("must be \"{wanted}\""), "/type"));
    }
    if view.to_string().len() > VIEW_BYTES_MAX {
        return Err("view_too_large".into());
    }
    let title = view["title"]["text"].as_str().map_or(0, |title| title.chars().count());
    if kind == ViewKind::Modal && !(1..=TITLE_CHARS_MAX).contains(&title) {
        let why = if title == 0 { "missing required field: title" } else { "must be less than 25 characters" };
        return Err(flaw(why.to_owned(), "/title/text"));
    }
    if !view["blocks"].is_array() {
        return Err(flaw("missing required field: blocks".to_owned(), ""));
    }
    blocks::check_up_to(&view["blocks"], BLOCKS_MAX)?;
    let has_input = view["blocks"].as_array().into_iter().flatten().any(|block| block["type"] == "input");
    if kind == ViewKind::Modal && has_input && view["submit"].is_null() {
        return Err(flaw("a submit element is required when an input block is within blocks".to_owned(), "/submit"));
    }
    Ok(view)
}
