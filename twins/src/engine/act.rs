//! Things that happen on a service's own side: the twin's actions, and what every twin with webhooks can do.

use serde_json::{Value, json};

use super::{
    cell::{Cell, Moment},
    outbox::{self, SendRequest},
};
use crate::twin::{AnyTwin, Context};

impl Cell {
    pub(crate) fn act(&mut self, moment: Moment, name: &str, argument: &Value) -> Result<Value, String> {
        let now = moment.now;
        if self.twin.manifest().actions.contains(&name) {
            return self.act_in_twin(moment, name, argument);
        }
        if !outbox::ACTIONS.contains(&name) {
            let known: Vec<_> = self.twin.manifest().actions.iter().chain(&outbox::ACTIONS).copied().collect();
            return Err(format!("unknown action `{name}`; it has {}", known.join(", ")));
        }
        if self.twin.endpoints().is_empty() {
            return Err("no webhooks are configured; add `webhooks` to the twin's configuration".to_owned());
        }
        if matches!(name, "hold_webhooks" | "release_webhooks" | "reorder_webhooks" | "delay_webhooks") {
            return self.outbox.steer(name, argument);
        }
        let request: SendRequest = serde_json::from_value(argument.clone()).map_err(|error| error.to_string())?;
        let mut none = Vec::new();
        let mut context = Context::new(now, &mut self.ids, &mut none);
        let forged = match &request.object {
            Some(object) => self.twin.forge(&mut context, &request.kind, object),
            None => None,
        };
        self.outbox.send(self.twin.endpoints(), name, &request, forged, now)
    }

    fn act_in_twin(&mut self, moment: Moment, name: &str, argument: &Value) -> Result<Value, String> {
        self.by_itself(moment, |twin, context| twin.act(context, name, argument))
    }

    /// A test moved the clock.
    pub(crate) fn clock_moved(&mut self, moment: Moment) {
        self.by_itself(moment, |twin, context| twin.clock_moved(context));
    }

    /// Something without a request: its events leave like those of a request.
    fn by_itself<T>(&mut self, moment: Moment, happens: impl FnOnce(&mut dyn AnyTwin, &mut Context<'_>) -> T) -> T {
        let mut events = Vec::new();
        let mut context = Context::new(moment.now, &mut self.ids, &mut events);
        let outcome = happens(self.twin.as_mut(), &mut context);
        self.announce(events, moment);
        outcome
    }
}

/// `"name"` or `{"name": argument}`.
pub(crate) fn named_action(action: &Value) -> Result<(&str, &Value), String> {
    const NONE: &Value = &Value::Null;
    match action {
        Value::String(name) => Ok((name, NONE)),
        Value::Object(map) if map.len() == 1 => {
            let (name, argument) = map.iter().next().expect("has one entry");
            Ok((name, argument))
        }
        other => Err(format!("an action is one name with its argument, not {}", shape(other))),
    }
}

fn shape(value: &Value) -> Value {
    match value {
        Value::Object(map) => json!(map.keys().collect::<Vec<_>>()),
        other => other.clone(),
    }
}
