//! A definition, checked: what the twin works with. Never changes once it is read.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Map, Value as Json};

use super::{
    errors::Sayings,
    format::{AdminFile, AuthBy, IdFile, KeyFile, MoveFile, PagingFile, RateFile, SignFile, Stamp},
    template::{Node, Templates, Text},
};
use crate::engine::{idempotency::IdempotencyRule, routes::Routes};

pub(super) struct Plan {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) body_bytes_max: usize,
    pub(super) templates: Templates,
    pub(super) auth: Option<Auth>,
    pub(super) style: Style,
    pub(super) paging: PagingFile,
    pub(super) tables: Vec<TablePlan>,
    pub(super) operations: Vec<OperationPlan>,
    pub(super) routes: Routes,
    pub(super) sayings: Sayings,
    pub(super) idempotency: Option<IdempotencyRule>,
    pub(super) rate_limit: Option<RateFile>,
    pub(super) webhooks: Option<Webhooks>,
    pub(super) stub_operations: Vec<&'static str>,
    pub(super) admin: Option<AdminFile>,
}

pub(super) struct Auth {
    pub(super) by: AuthBy,
    /// In lower case for a header.
    pub(super) name: String,
    pub(super) keys: BTreeMap<String, KeyFile>,
}

pub(super) struct Style {
    pub(super) row: Node,
    pub(super) list: Node,
    pub(super) deleted: Option<Node>,
    pub(super) created_status: u16,
    pub(super) headers: Vec<(String, Text)>,
    pub(super) timestamps: Stamp,
}

pub(super) struct TablePlan {
    pub(super) name: String,
    pub(super) id: IdFile,
    pub(super) unique: Vec<String>,
    pub(super) created: Option<String>,
    pub(super) updated: Option<String>,
    pub(super) states: Option<States>,
}

pub(super) struct States {
    pub(super) field: String,
    pub(super) initial: String,
    pub(super) moves: Vec<MoveFile>,
}

impl States {
    /// The move that an operation may make.
    pub(super) fn by_hand(&self, from: &str, to: &str) -> Option<&MoveFile> {
        let fits = |it: &&MoveFile| it.from == from && it.to == to;
        self.moves.iter().filter(|it| it.after_ms.is_none() && it.after_calls.is_none()).find(fits)
    }

    /// The move that time makes.
    pub(super) fn by_time(&self, from: &str) -> Option<(&MoveFile, u64)> {
        self.moves.iter().find_map(|it| Some((it, it.after_ms?)).filter(|_| it.from == from))
    }

    /// The move that being looked at makes.
    pub(super) fn by_calls(&self, from: &str) -> Option<(&MoveFile, u32)> {
        self.moves.iter().find_map(|it| Some((it, it.after_calls?)).filter(|_| it.from == from))
    }
}

pub(super) struct OperationPlan {
    pub(super) name: &'static str,
    pub(super) action: Action,
    /// The id of its row, where it has one.
    pub(super) row: Option<Node>,
    pub(super) accept: Option<Vec<String>>,
    pub(super) defaults: Node,
    pub(super) set: Node,
    pub(super) to: Option<String>,
    pub(super) filter: Vec<String>,
    pub(super) input: Option<Input>,
    pub(super) scope: Option<String>,
    pub(super) public: bool,
    pub(super) answer: Option<AnswerPlan>,
    pub(super) emit: Option<String>,
}

/// The numbers are places of tables.
pub(super) enum Action {
    Nothing,
    Create(usize),
    List(usize),
    Get(usize),
    Update(usize),
    Replace(usize),
    Delete(usize),
    Steps(Vec<Step>),
}

pub(super) enum Step {
    Find { table: usize, id: Node, name: String },
    Seek { table: usize, fields: Node, name: String },
    Require { that: Node, kind: &'static str, message: Text },
    Create { table: usize, row: Node, name: Option<String> },
    Update { table: usize, id: Node, set: Node, name: Option<String> },
    Delete { table: usize, id: Node },
    Let { name: String, value: Node },
    Emit { event: String, object: Node },
}

pub(super) struct Input {
    pub(super) schema: Json,
    pub(super) validator: Validator,
}

pub(super) struct AnswerPlan {
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(String, Text)>,
    pub(super) body: Option<Node>,
    pub(super) text: Option<Text>,
    pub(super) empty: bool,
}

pub(super) struct Webhooks {
    pub(super) prefix: String,
    pub(super) payload: Node,
    pub(super) sign: SignFile,
    pub(super) header: &'static str,
    pub(super) time_header: Option<&'static str>,
}

/// The first rows of each table, with the place of the table.
pub(super) type FirstRows = Vec<(usize, Map<String, Json>)>;
