//! From the file to the plan: every name is looked up, every template, schema, route and stub is tried, and what is
//! wrong is gathered with its place.

use std::collections::BTreeMap;

use located::{Diagnostics, Place, Source, Spanned, nearest};
use serde_json::{Map, Value as Json, json};

use super::{
    errors::{self, Saying, Sayings},
    format::{
        AnswerFile, AuthFile, ErrorFile, File, OperationFile, StatesFile, StepFile, StyleFile, TableFile, WebhooksFile,
    },
    names::lasting,
    plan::{Action, AnswerPlan, Auth, FirstRows, Input, OperationPlan, Plan, States, Step, Style, TablePlan, Webhooks},
    schema,
    template::{Node, Templates, Text},
};
use crate::{
    engine::{idempotency::IdempotencyRule, outbox::Endpoint, routes::Routes},
    stub::Stub,
    twin::RouteInfo,
};

const KEY_CHARS_MAX: usize = 255; // of an idempotency key, as everywhere
const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "*"];

/// A definition, ready to be opened.
pub(super) struct Read {
    pub(super) plan: Plan,
    pub(super) rows: FirstRows,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) stubs: Vec<Stub>,
    pub(super) routes: Vec<RouteInfo>,
}

/// A row of the table of routes.
type RouteRow = (&'static str, &'static str, &'static str, Option<crate::twin::When>);

pub(super) fn read(source: &Source) -> Result<Read, Diagnostics> {
    let file: File = located::yaml(source)?;
    let mut reader = Reader {
        source,
        templates: Templates::default(),
        found: Diagnostics::default(),
        tables: file.tables.keys().cloned().collect(),
        schemas: &file.schemas,
    };
    let name = lasting(&file.twin.value);
    if !file.twin.value.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter)) || name.is_empty()
    {
        reader.wrong(&file.twin, "a twin's name has letters, digits, `-` and `_`");
    }
    let mut rows = Vec::new();
    let mut tables = Vec::new();
    for (place, (name, table)) in file.tables.iter().enumerate() {
        rows.extend(table.rows.iter().map(|row| (place, row.value.clone())));
        tables.push(reader.table(name, table));
    }
    let (mut operations, mut routes) = (Vec::new(), Vec::new());
    for (name, operation) in &file.operations {
        let lasting_name = lasting(name);
        let route = reader.route(lasting_name, operation);
        operations.push(reader.operation(lasting_name, operation, route.map(|route| route.2)));
        routes.push((route.unwrap_or_else(|| (lasting_name, "*", lasting(&format!("/{name}")), None)), operation));
    }
    let stubs = reader.stubs(&file);
    let stub_operations = stubs.iter().map(|stub| stub.operation).collect();
    let (style, sayings) = (reader.style(&file.style), reader.sayings(&file.errors));
    let webhooks = file.webhooks.as_ref().map(|webhooks| reader.webhooks(webhooks));
    let auth = file.auth.as_ref().map(|auth| reader.auth(auth));
    let shown = routes.iter().map(|((operation, method, path, _), _)| RouteInfo { operation, method, path }).collect();
    let routes = reader.routes(routes);
    let Reader { templates, found, .. } = reader;
    let plan = Plan {
        name,
        version: lasting(&file.version),
        body_bytes_max: file.body_bytes_max,
        templates,
        auth,
        style,
        paging: file.paging.clone(),
        tables,
        operations,
        routes,
        sayings,
        idempotency: file.idempotency.as_ref().map(|rule| IdempotencyRule {
            header: lasting(&rule.header.to_lowercase()),
            method: lasting(&rule.method.to_uppercase()),
            key_chars_max: KEY_CHARS_MAX,
            keeps: |status| status < 500 && status != 429,
            replayed: (lasting(&rule.replayed.to_lowercase()), "true"),
        }),
        rate_limit: file.rate_limit,
        webhooks,
        stub_operations,
        admin: file.admin,
    };
    let endpoints = file.webhooks.map(|webhooks| webhooks.to).unwrap_or_default();
    found.or(Read { plan, rows, endpoints, stubs, routes: shown })
}

/// The table that an action names, and the action.
type Given<'a> = (&'a Option<Spanned<String>>, fn(usize) -> Action);

struct Reader<'a> {
    source: &'a Source,
    templates: Templates,
    found: Diagnostics,
    tables: Vec<String>,
    schemas: &'a BTreeMap<String, Json>,
}

impl Reader<'_> {
    fn wrong<T>(&mut self, at: &Spanned<T>, message: impl Into<String>) {
        self.found.push(self.source.at(at, message));
    }

    /// What was made of something, or the complaint about its place.
    fn tried<T, V>(&mut self, at: &Spanned<T>, made: Result<V, String>) -> Option<V> {
        made.map_err(|why| self.wrong(at, why)).ok()
    }

    /// Where the file does not keep places: a complaint that names what it is about, at the top.
    fn tried_at_top<V>(&mut self, what: &str, made: Result<V, String>) -> Option<V> {
        made.map_err(|why| self.found.push(self.source.diagnostic(Place::START, format!("{what}: {why}")))).ok()
    }

    fn table(&mut self, name: &str, table: &TableFile) -> TablePlan {
        let states = table.states.as_ref().map(|states| self.states(states));
        let (unique, created, updated) = (table.unique.clone(), table.created.clone(), table.updated.clone());
        TablePlan { name: name.to_owned(), id: table.id.clone(), unique, created, updated, states }
    }

    fn states(&mut self, states: &StatesFile) -> States {
        for step in &states.moves {
            if step.value.after_ms == Some(0) || step.value.after_calls == Some(0) {
                self.wrong(step, "a move by itself waits for 1 ms or 1 call at least");
            }
            if step.value.after_ms.is_some() && step.value.after_calls.is_some() {
                self.wrong(step, "a move waits for `after_ms` or for `after_calls`, not for both");
            }
        }
        let moves = states.moves.iter().map(|step| step.value.clone()).collect();
        States { field: states.field.clone(), initial: states.initial.clone(), moves }
    }

    fn table_of(&mut self, name: &Spanned<String>) -> usize {
        let found = self.tables.iter().position(|known| *known == name.value);
        found.unwrap_or_else(|| {
            let mut diagnostic = self.source.at(name, format!("there is no table `{}`", name.value));
            let near = nearest(&name.value, self.tables.iter().map(String::as_str));
            if let Some(near) = near {
                diagnostic = diagnostic.hint(format!("did you mean `{near}`?"));
            }
            self.found.push(diagnostic);
            0
        })
    }

    fn route(&mut self, name: &'static str, operation: &OperationFile) -> Option<RouteRow> {
        let Some(route) = &operation.route else {
            let message = format!("operation `{name}` has no `route`; write it like `GET /v1/{name}`");
            self.found.push(self.source.diagnostic(Place::START, message));
            return None;
        };
        let Some((method, path)) = route.value.split_once(' ').map(|(method, path)| (method, path.trim())) else {
            self.wrong(route, "a route is a method and a path: `GET /v1/parcels/{id}`");
            return None;
        };
        if !METHODS.contains(&method) || !path.starts_with('/') {
            self.wrong(route, format!("a route begins with one of {}, and its path with a slash", METHODS.join(", ")));
            return None;
        }
        Some((name, lasting(method), lasting(path), None))
    }

    fn routes(&mut self, rows: Vec<(RouteRow, &OperationFile)>) -> Routes {
        let mut seen: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for ((name, method, path, _), operation) in &rows {
            if let (Some(first), Some(route)) = (seen.insert((method, path), name), &operation.route) {
                self.wrong(route, format!("operation `{first}` has this route already"));
            }
        }
        Routes::build(rows.iter().map(|(row, _)| *row), None).unwrap_or_else(|(path, why)| {
            let row = rows.iter().find(|(row, _)| row.2 == path).and_then(|(_, operation)| operation.route.as_ref());
            if let Some(route) = row {
                self.wrong(route, format!("the path contradicts another one, or is none: {why}"));
            }
            Routes::build(std::iter::empty(), None).unwrap_or_else(|_| unreachable!("no routes contradict each other"))
        })
    }

    fn operation(&mut self, name: &'static str, file: &OperationFile, path: Option<&str>) -> OperationPlan {
        let action = self.action(name, file);
        let last = path.and_then(|path| Some(path.rsplit_once('{')?.1.split_once('}')?.0.trim_start_matches('*')));
        let row = match &file.row {
            Some(row) => {
                let made = self.templates.node(&Json::String(row.value.clone()));
                self.tried(row, made)
            }
            None => last.map(|last| Node::Path(vec!["params".to_owned(), last.to_owned()])),
        };
        let needs_row = matches!(action, Action::Get(_) | Action::Update(_) | Action::Replace(_) | Action::Delete(_));
        if let (true, None, Some(route)) = (needs_row, &row, &file.route) {
            self.wrong(route, "which row? the route has no parameter; name one, or give `row`");
        }
        let (defaults, set) = (self.fields(&file.defaults), self.fields(&file.set));
        let input = file.input.as_ref().and_then(|input| {
            let made = self.input(&input.value);
            self.tried(input, made)
        });
        let answer = file.answer.as_ref().and_then(|answer| {
            let made = self.answer(&answer.value);
            self.tried(answer, made)
        });
        OperationPlan {
            name,
            action,
            row,
            accept: file.accept.clone(),
            defaults,
            set,
            to: file.to.as_ref().map(|to| to.value.clone()),
            filter: file.filter.clone(),
            input,
            scope: file.scope.clone(),
            public: file.public,
            answer,
            emit: file.emit.clone(),
        }
    }

    fn fields(&mut self, file: &Option<Spanned<Map<String, Json>>>) -> Node {
        let nothing = || Node::Plain(json!({}));
        let Some(fields) = file else { return nothing() };
        let made = self.templates.node(&Json::Object(fields.value.clone()));
        self.tried(fields, made).unwrap_or_else(nothing)
    }

    fn action(&mut self, name: &str, file: &OperationFile) -> Action {
        let given: [Given<'_>; 6] = [
            (&file.create, Action::Create),
            (&file.list, Action::List),
            (&file.get, Action::Get),
            (&file.update, Action::Update),
            (&file.replace, Action::Replace),
            (&file.delete, Action::Delete),
        ];
        let mut actions = given.into_iter().filter_map(|(table, action)| Some((table.as_ref()?, action)));
        let first = actions.next();
        if let (Some((second, _)), _) | (None, Some((second, _))) =
            (actions.next(), first.filter(|_| !file.steps.is_empty()))
        {
            self.wrong(second, format!("operation `{name}` does two things; write `steps` for that"));
        }
        if let Some((table, action)) = first {
            let place = self.table_of(table);
            return action(place);
        }
        if file.steps.is_empty() {
            return Action::Nothing;
        }
        Action::Steps(file.steps.iter().filter_map(|step| self.step(step)).collect())
    }

    fn step(&mut self, step: &Spanned<StepFile>) -> Option<Step> {
        let made = self.step_of(step);
        self.tried(step, made)
    }

    fn step_of(&mut self, step: &Spanned<StepFile>) -> Result<Step, String> {
        let tables = &self.tables;
        let place = |name: &String| {
            let found = tables.iter().position(|known| known == name);
            found.ok_or_else(|| format!("there is no table `{name}`; there are {}", tables.join(", ")))
        };
        let templates = &mut self.templates;
        let mut text = |text: &String| templates.node(&Json::String(text.clone()));
        Ok(match step.value.clone() {
            StepFile::Find { table, id, r#as } => Step::Find { table: place(&table)?, id: text(&id)?, name: r#as },
            StepFile::Seek { table, r#where, r#as } => {
                Step::Seek { table: place(&table)?, fields: templates.node(&r#where.into())?, name: r#as }
            }
            StepFile::Require { that, r#else, message } => {
                let unknown = || format!("there is no error `{else}`; there are {}", errors::kinds(), else = r#else);
                let message = message.unwrap_or_else(|| format!("this needs {that}"));
                let kind = errors::lasting_kind(&r#else).ok_or_else(unknown)?;
                Step::Require { that: templates.expression(&that)?, kind, message: templates.text(&message)? }
            }
            StepFile::Create { table, row, r#as } => {
                Step::Create { table: place(&table)?, row: templates.node(&row.into())?, name: r#as }
            }
            StepFile::Update { table, id, set, r#as } => {
                let (table, id) = (place(&table)?, text(&id)?);
                Step::Update { table, id, set: templates.node(&set.into())?, name: r#as }
            }
            StepFile::Delete { table, id } => Step::Delete { table: place(&table)?, id: text(&id)? },
            StepFile::Let { name, value } => Step::Let { name, value: templates.node(&value)? },
            StepFile::Emit { event, object } => Step::Emit { event, object: templates.node(&object)? },
        })
    }

    fn input(&self, input: &Json) -> Result<Input, String> {
        let schema = schema::with_definitions(input, self.schemas)?;
        let validator =
            jsonschema::validator_for(&schema).map_err(|error| format!("this is no JSON Schema: {error}"))?;
        Ok(Input { schema, validator })
    }

    fn headers(&mut self, headers: &BTreeMap<String, String>) -> Result<Vec<(String, Text)>, String> {
        let header = |(name, value): (&String, &String)| Ok((name.to_lowercase(), self.templates.text(value)?));
        headers.iter().map(header).collect()
    }

    fn answer(&mut self, file: &AnswerFile) -> Result<AnswerPlan, String> {
        if file.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err("a status is 200 to 599".to_owned());
        }
        let body = file.body.as_ref().map(|body| self.templates.node(body)).transpose()?;
        let text = file.text.as_ref().map(|text| self.templates.text(text)).transpose()?;
        Ok(AnswerPlan { status: file.status, headers: self.headers(&file.headers)?, body, text, empty: file.empty })
    }

    fn style(&mut self, file: &StyleFile) -> Style {
        let nothing = || Node::Plain(Json::Null);
        let made = self.templates.node(&file.row);
        let row = self.tried_at_top("style.row", made).unwrap_or_else(nothing);
        let made = self.templates.node(&file.list.value);
        let list = self.tried(&file.list, made).unwrap_or_else(nothing);
        let made = file.deleted.as_ref().map(|deleted| self.templates.node(deleted)).transpose();
        let deleted = self.tried_at_top("style.deleted", made).flatten();
        let made = self.headers(&file.headers);
        let headers = self.tried_at_top("style.headers", made).unwrap_or_default();
        Style { row, list, deleted, created_status: file.created_status, headers, timestamps: file.timestamps }
    }

    fn sayings(&mut self, files: &BTreeMap<String, Spanned<ErrorFile>>) -> Sayings {
        let mut sayings = BTreeMap::new();
        for (kind, file) in files {
            if kind != "all" && errors::lasting_kind(kind).is_none() {
                let diagnostic = self.source.at(file, format!("there is no error `{kind}`"));
                self.found.push(diagnostic.hint(format!("there are all, {}", errors::kinds())));
            }
            let made = self.saying(&file.value);
            sayings.extend(self.tried(file, made).map(|saying| (kind.clone(), saying)));
        }
        Sayings(sayings)
    }

    fn saying(&mut self, file: &ErrorFile) -> Result<Saying, String> {
        if file.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err("a status is 200 to 599".to_owned());
        }
        let body = file.body.as_ref().map(|body| self.templates.node(body)).transpose()?;
        let message = file.message.as_ref().map(|message| self.templates.text(message)).transpose()?;
        Ok(Saying { status: file.status, headers: self.headers(&file.headers)?, body, message })
    }

    fn webhooks(&mut self, file: &WebhooksFile) -> Webhooks {
        let usual = json!({"id": "{{ event.id }}", "type": "{{ event.type }}", "created_at": "{{ now.iso }}", "data": "{{ object }}"});
        let payload = match &file.payload {
            None => self.templates.node(&usual).ok(),
            Some(payload) => {
                let made = self.templates.node(&payload.value);
                self.tried(payload, made)
            }
        };
        Webhooks {
            prefix: file.prefix.clone(),
            payload: payload.unwrap_or(Node::Plain(Json::Null)),
            header: lasting(&file.sign.header.to_lowercase()),
            time_header: file.sign.time_header.as_ref().map(|name| lasting(&name.to_lowercase())),
            sign: file.sign.clone(),
        }
    }

    fn auth(&mut self, file: &AuthFile) -> Auth {
        use super::format::AuthBy;
        let name = match (file.by, &file.name) {
            (AuthBy::Header | AuthBy::Query, None) => {
                let by = if file.by == AuthBy::Header { "header" } else { "query" };
                let message = format!("auth by {by} needs the `name` of it");
                self.found.push(self.source.diagnostic(Place::START, message));
                String::new()
            }
            (AuthBy::Header, Some(name)) => name.value.to_lowercase(),
            (AuthBy::Query, Some(name)) => name.value.clone(),
            (AuthBy::Bearer | AuthBy::Basic, None) => "authorization".to_owned(),
            (AuthBy::Bearer | AuthBy::Basic, Some(name)) => {
                self.wrong(name, "the header of these is `authorization`; leave `name` out");
                String::new()
            }
        };
        Auth { by: file.by, name, keys: file.keys.clone() }
    }

    fn stubs(&mut self, file: &File) -> Vec<Stub> {
        let mut stubs = Vec::new();
        for (place, stub) in file.stubs.iter().enumerate() {
            let name = stub.value.stub.clone().unwrap_or_else(|| (place + 1).to_string());
            let source = serde_json::to_value(&stub.value).unwrap_or_default();
            let made = Stub::compile(&stub.value, format!("file-{name}"), source).map(|stub| stub.named(&name));
            if stubs.iter().any(|known: &Stub| known.id == format!("file-{name}")) {
                self.wrong(stub, format!("a stub named `{name}` stands above"));
            }
            stubs.extend(self.tried(stub, made));
        }
        stubs
    }
}
