//! Messages that are pinned to their channel.

use serde_json::json;

use super::{
    Slack,
    call::{Call, Made},
    model::Message,
};

impl Slack {
    pub(super) fn add_pin(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let key = self.item(call)?;
        let (me, now) = (call.actor.user.clone(), call.context.unix());
        let message = self.messages.get_mut(&key).ok_or("message_not_found")?;
        if message.pinned.is_some() {
            return Err("already_pinned".into());
        }
        message.pinned = Some((me, now));
        self.pin_event(call, &key, "pin_added");
        Ok(json!({}))
    }

    pub(super) fn remove_pin(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let key = self.item(call)?;
        let message = self.messages.get_mut(&key).ok_or("message_not_found")?;
        message.pinned.take().ok_or("no_pin")?;
        self.pin_event(call, &key, "pin_removed");
        Ok(json!({}))
    }

    pub(super) fn list_pins(&mut self, call: &mut Call<'_, '_, '_>) -> Made {
        let channel = self.channel_of(call)?;
        let item = |message: &Message| {
            let (user, at) = message.pinned.as_ref()?;
            Some(json!({"type": "message", "created": at, "created_by": user, "channel": channel.id,
                "message": self.message_json(message, "")}))
        };
        let items: Vec<_> = self.messages_in(&channel.id).filter_map(item).collect();
        Ok(json!({ "items": items }))
    }

    fn pin_event(&self, call: &mut Call<'_, '_, '_>, key: &str, kind: &str) {
        let Some(message) = self.messages.get(key) else { return };
        let item = json!({"type": "message", "channel": message.channel, "message": self.message_json(message, "")});
        let event = json!({"user": call.actor.user, "channel_id": message.channel, "item": item});
        self.announce(call.context, kind, event);
    }
}
