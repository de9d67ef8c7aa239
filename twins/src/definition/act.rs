//! What a test can do to a declared twin from the side of its service: rows, stubs, scenarios.

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::{draw::Draw, rows::text, twin::Own};
use crate::{
    stub::{Stub, StubFile},
    twin::Context,
};

pub(super) const ACTIONS: [&str; 10] = [
    "create_row",
    "update_row",
    "delete_row",
    "put_stubs",
    "remove_stubs",
    "reset_stubs",
    "stubs",
    "scenarios",
    "set_scenario",
    "reset_scenarios",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowArgument {
    table: String,
    id: Option<Json>,
    #[serde(default)]
    row: Map<String, Json>,
}

/// A stub with its id, and what lists of stubs show of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PutStub {
    id: String,
    stub: StubFile,
    #[serde(default)]
    source: Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetScenario {
    name: String,
    state: String,
}

pub(super) fn act(own: &mut Own, context: &mut Context<'_>, action: &str, argument: &Json) -> Result<Json, String> {
    match action {
        "create_row" | "update_row" | "delete_row" => row(own, context, action, parsed(argument)?),
        "put_stubs" => put_stubs(own, parsed(argument)?),
        "remove_stubs" => {
            let ids: Option<Vec<String>> = parsed(argument)?;
            let keep = |stub: &Stub| ids.as_ref().is_some_and(|ids| !ids.contains(&stub.id));
            Ok(json!({"removed": own.stubs.remove(keep)}))
        }
        "reset_stubs" => {
            own.stubs = own.first_stubs.clone();
            Ok(Json::Null)
        }
        "stubs" => Ok(own.stubs.all().iter().map(|stub| shown(own, stub)).collect()),
        "scenarios" => {
            let one = |(name, (state, possible)): (&str, (&str, Vec<&str>))| json!({"id": name, "name": name, "state": state, "possibleStates": possible});
            Ok(own.stubs.scenarios().into_iter().map(one).collect())
        }
        "set_scenario" => {
            let SetScenario { name, state } = parsed(argument)?;
            own.stubs
                .set_state(&name, &state)
                .then_some(Json::Null)
                .ok_or_else(|| format!("there is no scenario `{name}`"))
        }
        "reset_scenarios" => {
            own.stubs.reset_states();
            Ok(Json::Null)
        }
        _ => Err(format!("unknown action `{action}`")),
    }
}

fn parsed<T: serde::de::DeserializeOwned>(argument: &Json) -> Result<T, String> {
    serde_json::from_value(argument.clone()).map_err(|error| error.to_string())
}

fn shown(own: &Own, stub: &Stub) -> Json {
    json!({"id": stub.id, "operation": stub.operation, "hits": own.stubs.hits(stub), "stub": stub.source})
}

fn row(own: &mut Own, context: &mut Context<'_>, action: &str, argument: RowArgument) -> Result<Json, String> {
    let plan = std::sync::Arc::clone(&own.plan);
    let table = plan.tables.iter().position(|table| table.name == argument.table);
    let table = table.ok_or_else(|| format!("there is no table `{}`", argument.table))?;
    let id = argument.id.as_ref().map(text);
    let id = || id.clone().ok_or_else(|| "give the `id` of the row".to_owned());
    let made = match action {
        "create_row" => own.rows.create(&plan, table, argument.row, &Draw::new(&context.request_token), context.now),
        "update_row" => {
            let change = |mut before: Map<String, Json>| {
                before.extend(argument.row);
                before
            };
            own.rows.update(&plan, table, &id()?, change, context.now).map(|(after, ..)| after)
        }
        _ => own.rows.delete(&plan, table, &id()?),
    };
    made.map(Json::Object).map_err(|problem| problem.message)
}

fn put_stubs(own: &mut Own, stubs: Vec<PutStub>) -> Result<Json, String> {
    let compiled = stubs.into_iter().map(|it| {
        let source = if it.source.is_null() { serde_json::to_value(&it.stub).unwrap_or_default() } else { it.source };
        Stub::compile(&it.stub, it.id, source)
    });
    own.stubs.put(compiled.collect::<Result<Vec<_>, _>>()?)?;
    Ok(json!({"stubs": own.stubs.all().len()}))
}
