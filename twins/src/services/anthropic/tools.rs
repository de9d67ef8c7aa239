//! The tools of a request, checked as far as the service checks them before it asks the model. Only strict tools are:
//! their schemas become grammars, which have limits.

use serde_json::Value;

const STRICT_TOOLS_MAX: usize = 20; // the service's own limits
const UNIONS_MAX: usize = 16;
const DEPTH_MAX: usize = 64; // deeper schemas are not looked into

/// `Err` is the service's message.
pub(super) fn check(tools: &Value) -> Result<(), String> {
    let strict = || tools.as_array().into_iter().flatten().enumerate().filter(|(_, tool)| tool["strict"] == true);
    for (n, tool) in strict() {
        check_schema(n, &tool["input_schema"])?;
    }
    let count = strict().count();
    if count > STRICT_TOOLS_MAX {
        return Err(format!(
            "Too many strict tools ({count}). The maximum number of strict tools supported is {STRICT_TOOLS_MAX}. Try reducing the number of tools marked as strict."
        ));
    }
    let unions: usize = strict().map(|(_, tool)| unions(&tool["input_schema"], 0)).sum();
    if unions > UNIONS_MAX {
        return Err(format!(
            "Schemas contains too many parameters with union types ({unions} parameters with type arrays or anyOf). This causes exponential compilation cost. Reduce the number of nullable or union-typed parameters (limit: {UNIONS_MAX} parameters with unions)."
        ));
    }
    Ok(())
}

fn check_schema(n: usize, schema: &Value) -> Result<(), String> {
    if !schema.is_object() {
        return Err(format!("tools.{n}.custom.input_schema: Input does not match the expected shape."));
    }
    if schema.get("type").is_none() {
        return Err(format!("tools.{n}.custom.input_schema.type: Field required"));
    }
    let definitions = schema["$defs"].as_object();
    for name in definitions.into_iter().flat_map(|definitions| definitions.keys()) {
        if let Some(path) = circle(schema, name, &mut vec![name.as_str()]) {
            return Err(format!(
                "tools.{n}.custom: Invalid schema: Circular reference detected in schema definitions: {path}. Self-referencing or mutually-referencing definitions are not supported."
            ));
        }
    }
    Ok(())
}

/// The way from a definition back to itself.
fn circle<'s>(root: &'s Value, name: &str, path: &mut Vec<&'s str>) -> Option<String> {
    let mut found = Vec::new();
    references(&root["$defs"][name], 0, &mut found);
    for next in found {
        if next == path[0] {
            return Some([path.as_slice(), &[next]].concat().join(" -> "));
        }
        if !path.contains(&next) && path.len() < DEPTH_MAX {
            path.push(next);
            if let Some(circle) = circle(root, next, path) {
                return Some(circle);
            }
            path.pop();
        }
    }
    None
}

fn references<'s>(schema: &'s Value, depth: usize, found: &mut Vec<&'s str>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/")) {
        found.push(name);
    }
    inner(schema, depth).for_each(|inner| references(inner, depth + 1, found));
}

/// Parameters of more than one type.
fn unions(schema: &Value, depth: usize) -> usize {
    let own = usize::from(schema["type"].is_array() || schema["anyOf"].is_array());
    own + inner(schema, depth).map(|inner| unions(inner, depth + 1)).sum::<usize>()
}

fn inner(schema: &Value, depth: usize) -> impl Iterator<Item = &Value> {
    let deep = depth < DEPTH_MAX;
    let fields = schema.as_object().filter(|_| deep).into_iter().flat_map(|fields| fields.values());
    fields.chain(schema.as_array().filter(|_| deep).into_iter().flatten())
}
