//! One call of an operation: who may, what came in, what it does to the rows, what goes out. Whoever runs it takes back
//! what it did to the rows where it ends with a problem.

use serde_json::{Map, Value as Json, json};

use super::{
    errors::Problem,
    lists::Listing,
    plan::{Action, AnswerPlan, OperationPlan, Plan, Step},
    rows::{Fields, Moved, Rows, text},
    schema::coerced,
    template::{Node, Scope},
};
use crate::{
    http::{Content, Reply, Request},
    stub::View,
    twin::{Context, Event},
};

pub(super) struct Call<'a, 'c> {
    pub(super) plan: &'a Plan,
    pub(super) rows: &'a mut Rows,
    pub(super) context: &'a mut Context<'c>,
    pub(super) request: &'a Request,
    pub(super) scope: Scope<'a>,
    /// Told when the call has ended well.
    pub(super) events: Vec<Event>,
}

impl Call<'_, '_> {
    pub(super) fn run(&mut self, operation: &OperationPlan) -> Result<Reply, Problem> {
        let body = self.body(operation)?;
        match &operation.action {
            Action::Nothing => self.answer(operation, 200, None),
            Action::Create(table) => self.create(operation, *table, body),
            Action::List(table) => self.list(operation, *table),
            Action::Get(table) => {
                let id = self.row_id(operation)?;
                let moved = self.rows.look(self.plan, *table, &id, self.context.now);
                self.tell(moved)?;
                let row = self.rows.get(self.plan, *table, &id)?.clone();
                self.answer(operation, 200, Some(row))
            }
            Action::Update(table) => self.change(operation, *table, body, false),
            Action::Replace(table) => self.change(operation, *table, body, true),
            Action::Delete(table) => self.delete(operation, *table),
            Action::Steps(steps) => {
                self.scope.set("body", Json::Object(body));
                steps.iter().try_for_each(|step| self.step(step))?;
                self.answer(operation, 200, None)
            }
        }
    }

    /// The fields that came in, as the schema of the operation wants them.
    fn body(&self, operation: &OperationPlan) -> Result<Fields, Problem> {
        let given = match &self.request.content {
            Content::Json(value) => value.clone(),
            Content::Form(value) => self.typed(operation, value),
            _ if matches!(self.request.method.as_str(), "GET" | "DELETE" | "HEAD") => {
                self.typed(operation, &self.request.query)
            }
            _ => json!({}),
        };
        if let Some(error) = operation.input.as_ref().and_then(|input| input.validator.iter_errors(&given).next()) {
            let at = error.instance_path().to_string();
            let problem = Problem::new("invalid", error.to_string());
            return Err(if at.is_empty() { problem } else { problem.at(at.trim_start_matches('/')) });
        }
        let Json::Object(mut fields) = given else {
            return Err(Problem::new("invalid", "the body is no object"));
        };
        if let Some(accept) = &operation.accept {
            fields.retain(|name, _| accept.contains(name));
        }
        Ok(fields)
    }

    fn typed(&self, operation: &OperationPlan, value: &Json) -> Json {
        operation.input.as_ref().map_or_else(|| value.clone(), |it| coerced(&it.schema, &it.schema, value, 0))
    }

    fn create(&mut self, operation: &OperationPlan, table: usize, mut fields: Fields) -> Result<Reply, Problem> {
        if let Some(states) = &self.plan.tables[table].states {
            // A client does not choose the first state.
            fields.remove(&states.field);
        }
        self.scope.set("body", Json::Object(fields.clone()));
        for (name, value) in self.fields(&operation.defaults)? {
            fields.entry(name).or_insert(value);
        }
        fields.extend(self.fields(&operation.set)?);
        let draw = std::sync::Arc::clone(&self.scope.draw);
        let row = self.rows.create(self.plan, table, fields, &draw, self.context.now)?;
        self.emit(operation.emit.as_deref(), &row, None)?;
        self.answer(operation, self.plan.style.created_status, Some(row))
    }

    fn change(&mut self, operation: &OperationPlan, table: usize, body: Fields, whole: bool) -> Result<Reply, Problem> {
        let (id, of) = (self.row_id(operation)?, &self.plan.tables[table]);
        if whole && of.id.from_client && !self.rows.tables[table].rows.contains(&id) {
            let mut fields = body;
            fields.insert(of.id.field.clone(), id.into());
            return self.create(operation, table, fields);
        }
        let before = self.rows.get(self.plan, table, &id)?.clone();
        self.scope.set("row", Json::Object(before));
        self.scope.set("body", Json::Object(body.clone()));
        let mut set = self.fields(&operation.set)?;
        if let (Some(states), Some(to)) = (&of.states, &operation.to) {
            set.insert(states.field.clone(), to.clone().into());
        }
        let kept: Vec<&String> = of.created.iter().chain(of.states.iter().map(|states| &states.field)).collect();
        let change = |before: Fields| {
            let mut after = if whole { Map::new() } else { before.clone() };
            after.extend(before.into_iter().filter(|(name, _)| whole && kept.contains(&name)));
            after.extend(body);
            after.extend(set);
            after
        };
        let (row, previous, emit) = self.rows.update(self.plan, table, &id, change, self.context.now)?;
        self.emit(operation.emit.as_deref(), &row, Some(&previous))?;
        self.emit(emit.as_deref(), &row, Some(&previous))?;
        self.answer(operation, 200, Some(row))
    }

    fn delete(&mut self, operation: &OperationPlan, table: usize) -> Result<Reply, Problem> {
        let id = self.row_id(operation)?;
        let row = self.rows.delete(self.plan, table, &id)?;
        self.emit(operation.emit.as_deref(), &row, None)?;
        self.scope.set("row", Json::Object(row.clone()));
        match (&operation.answer, &self.plan.style.deleted) {
            (Some(_), _) => self.answer(operation, 200, Some(row)),
            (None, Some(deleted)) => Ok(Reply::json(200, &self.value(deleted)?)),
            (None, None) => Ok(Reply::empty(204)),
        }
    }

    fn list(&mut self, operation: &OperationPlan, table: usize) -> Result<Reply, Problem> {
        let listing =
            Listing { paging: &self.plan.paging, id_field: &self.plan.tables[table].id.field, request: self.request };
        let view = View::new(self.request);
        let param =
            |name: &str| self.request.params.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        let asked =
            |name: &String| Some((name.clone(), param(name).or_else(|| view.query(name).first().copied())?.to_owned()));
        let filters: Vec<_> = operation.filter.iter().filter_map(asked).collect();
        let wanted =
            |row: &Fields| filters.iter().all(|(name, value)| row.get(name).map(text).as_deref() == Some(value));
        let page = listing.page(&self.rows.tables[table].rows, wanted)?;
        let mut items = Vec::with_capacity(page.items.len());
        for item in &page.items {
            self.scope.set("row", item.clone());
            items.push(self.value(&self.plan.style.row)?);
        }
        listing.show(&page, &mut self.scope);
        self.scope.set("items", items);
        let mut reply = match &operation.answer {
            Some(answer) => self.written(answer, 200)?,
            None => Reply::json(200, &self.value(&self.plan.style.list)?),
        };
        if let Some(link) = listing.link(&page) {
            reply.set("link", link);
        }
        Ok(reply)
    }

    fn step(&mut self, step: &Step) -> Result<(), Problem> {
        let now = self.context.now;
        match step {
            Step::Find { table, id, name } => {
                let id = text(&self.value(id)?);
                let row = self.rows.get(self.plan, *table, &id)?.clone();
                self.scope.set(name, Json::Object(row));
            }
            Step::Seek { table, fields, name } => {
                let wanted = self.fields(fields)?;
                let fits = |row: &&Fields| wanted.iter().all(|(name, value)| row.get(name) == Some(value));
                let row = self.rows.tables[*table].rows.oldest_first().map(|row| &row.fields).find(fits).cloned();
                self.scope.set(name, row.map_or(Json::Null, Json::Object));
            }
            Step::Require { that, kind, message } => {
                if !self.scope.holds(that).map_err(Problem::broken)? {
                    return Err(Problem::new(kind, self.scope.text(message).map_err(Problem::broken)?));
                }
            }
            Step::Create { table, row, name } => {
                let (fields, draw) = (self.fields(row)?, std::sync::Arc::clone(&self.scope.draw));
                let row = self.rows.create(self.plan, *table, fields, &draw, now)?;
                self.name(name, row);
            }
            Step::Update { table, id, set, name } => {
                let (id, set) = (text(&self.value(id)?), self.fields(set)?);
                let change = |mut before: Fields| {
                    before.extend(set);
                    before
                };
                let (row, previous, emit) = self.rows.update(self.plan, *table, &id, change, now)?;
                self.emit(emit.as_deref(), &row, Some(&previous))?;
                self.name(name, row);
            }
            Step::Delete { table, id } => {
                let id = text(&self.value(id)?);
                self.rows.delete(self.plan, *table, &id)?;
            }
            Step::Let { name, value } => {
                let value = self.value(value)?;
                self.scope.set(name, value);
            }
            Step::Emit { event, object } => {
                let object = self.fields(object)?;
                self.emit(Some(event), &object, None)?;
            }
        }
        Ok(())
    }

    fn name(&mut self, name: &Option<String>, row: Fields) {
        if let Some(name) = name {
            self.scope.set(name, Json::Object(row));
        }
    }

    fn row_id(&self, operation: &OperationPlan) -> Result<String, Problem> {
        let node = operation.row.as_ref().ok_or_else(|| Problem::broken("the operation does not say which row"))?;
        self.value(node).map(|id| text(&id))
    }

    /// Undefined is null where something must be.
    fn value(&self, node: &Node) -> Result<Json, Problem> {
        Ok(self.scope.value(node).map_err(Problem::broken)?.unwrap_or(Json::Null))
    }

    fn fields(&self, node: &Node) -> Result<Fields, Problem> {
        match self.value(node)? {
            Json::Object(fields) => Ok(fields),
            other => Err(Problem::broken(format!("an object is needed here, not {other}"))),
        }
    }

    fn answer(&mut self, operation: &OperationPlan, usual: u16, row: Option<Fields>) -> Result<Reply, Problem> {
        let has_row = row.is_some();
        if let Some(row) = row {
            self.scope.set("row", Json::Object(row));
        }
        match &operation.answer {
            Some(answer) if answer.body.is_some() || answer.text.is_some() || answer.empty || !has_row => {
                self.written(answer, usual)
            }
            Some(answer) => {
                let mut reply = Reply::json(answer.status.unwrap_or(usual), &self.value(&self.plan.style.row)?);
                self.add_headers(answer, &mut reply)?;
                Ok(reply)
            }
            None if has_row => Ok(Reply::json(usual, &self.value(&self.plan.style.row)?)),
            None => Ok(Reply::empty(204)),
        }
    }

    fn written(&self, answer: &AnswerPlan, usual: u16) -> Result<Reply, Problem> {
        let status = answer.status.unwrap_or(usual);
        let mut reply = match (&answer.body, &answer.text) {
            (Some(body), _) => Reply::json(status, &self.value(body)?),
            (None, Some(text)) => {
                let text = self.scope.text(text).map_err(Problem::broken)?;
                Reply::bytes(status, "text/plain; charset=utf-8", text)
            }
            (None, None) => Reply::empty(status),
        };
        self.add_headers(answer, &mut reply)?;
        Ok(reply)
    }

    fn add_headers(&self, answer: &AnswerPlan, reply: &mut Reply) -> Result<(), Problem> {
        for (name, value) in &answer.headers {
            reply.set(name.clone(), self.scope.text(value).map_err(Problem::broken)?);
        }
        Ok(())
    }

    /// Tells of rows that moved by themselves.
    pub(super) fn tell(&mut self, moved: impl IntoIterator<Item = Moved>) -> Result<(), Problem> {
        moved.into_iter().try_for_each(|it| self.emit(Some(&it.event), &it.row, Some(&it.previous)))
    }

    /// Hands the webhooks over.
    pub(super) fn send(&mut self) {
        self.events.drain(..).for_each(|event| self.context.emit(event));
    }

    fn emit(&mut self, kind: Option<&str>, object: &Fields, previous: Option<&Fields>) -> Result<(), Problem> {
        if let Some(kind) = kind {
            self.events.extend(event(self.plan, &mut self.scope, kind, object, previous)?);
        }
        Ok(())
    }
}

/// The webhook that tells of something; none where the twin has no webhooks.
pub(super) fn event(
    plan: &Plan,
    scope: &mut Scope<'_>,
    kind: &str,
    object: &Fields,
    previous: Option<&Fields>,
) -> Result<Option<Event>, Problem> {
    let Some(webhooks) = &plan.webhooks else { return Ok(None) };
    let id = format!("{}{}", webhooks.prefix, scope.draw.letters(24));
    scope.set("event", json!({"id": id, "type": kind}));
    scope.set("object", Json::Object(object.clone()));
    scope.set("previous", previous.map_or(Json::Null, |previous| Json::Object(previous.clone())));
    let payload = scope.value(&webhooks.payload).map_err(Problem::broken)?.unwrap_or(Json::Null);
    Ok(Some(Event::new(id, kind, payload.to_string())))
}
