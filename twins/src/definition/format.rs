//! A definition as written. Every text in `set`, `row`, `body`, `payload` and envelopes is a template.

use std::collections::BTreeMap;

use jiff::Timestamp;
use located::Spanned;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::{engine::outbox::Endpoint, stub::StubFile};

const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A twin, declared.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The twin's name in scenarios, in the journal and below the admin API.
    #[schemars(with = "String")]
    pub(super) twin: Spanned<String>,
    /// The version of the API that it imitates.
    #[serde(default)]
    pub(super) version: String,
    /// An admin API on the twin's own port, for clients that expect one there: `wiremock`. None, where left out: the
    /// product under test could reset what it is judged by.
    #[serde(default)]
    pub(super) admin: Option<AdminFile>,
    /// Larger bodies are refused. Default 1 MiB.
    #[serde(default = "body_bytes_max")]
    pub(super) body_bytes_max: usize,
    /// Nobody is asked who they are, where left out.
    pub(super) auth: Option<AuthFile>,
    #[serde(default)]
    pub(super) style: StyleFile,
    #[serde(default)]
    #[schemars(with = "PagingFile")]
    pub(super) paging: PagingFile,
    /// JSON Schemas by name, for `$ref: "#/$defs/<name>"` in an `input`.
    #[serde(default)]
    pub(super) schemas: BTreeMap<String, Json>,
    #[serde(default)]
    pub(super) tables: BTreeMap<String, TableFile>,
    #[serde(default)]
    pub(super) operations: BTreeMap<String, OperationFile>,
    /// By kind of error; `all` is for those without an entry.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ErrorFile>")]
    pub(super) errors: BTreeMap<String, Spanned<ErrorFile>>,
    pub(super) idempotency: Option<IdempotencyFile>,
    pub(super) rate_limit: Option<RateFile>,
    pub(super) webhooks: Option<WebhooksFile>,
    /// They are asked before the operations.
    #[serde(default)]
    #[schemars(with = "Vec<StubFile>")]
    pub(super) stubs: Vec<Spanned<StubFile>>,
}

fn body_bytes_max() -> usize {
    BODY_BYTES_MAX
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthFile {
    pub(super) by: AuthBy,
    /// Of the header or the query parameter, for `header` and `query`.
    #[schemars(with = "Option<String>")]
    pub(super) name: Option<Spanned<String>>,
    /// What is let in: tokens, or `user:password` for `basic`.
    pub(super) keys: BTreeMap<String, KeyFile>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AuthBy {
    Bearer,
    Basic,
    Header,
    Query,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeyFile {
    /// What it may do; everything, where left out.
    pub(super) scopes: Option<Vec<String>>,
    /// In virtual time.
    #[schemars(with = "Option<String>")]
    pub(super) expires_at: Option<Timestamp>,
}

/// How answers look.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StyleFile {
    /// The envelope of one row. Default: the row itself.
    pub(super) row: Json,
    /// The envelope of a list; it sees `items`, `has_more`, `total`, `limit`, `offset`, `page`, `pages`, `next`, `url`.
    #[schemars(with = "Json")]
    pub(super) list: Spanned<Json>,
    /// What a deletion answers. Default: nothing, with status 204.
    pub(super) deleted: Option<Json>,
    /// Default 201.
    pub(super) created_status: u16,
    /// Headers of every answer.
    pub(super) headers: BTreeMap<String, String>,
    /// Of the columns that tables name in `created` and `updated`.
    pub(super) timestamps: Stamp,
}

impl Default for StyleFile {
    fn default() -> Self {
        let place = located::Location::UNKNOWN;
        let list = serde_json::json!({"data": "{{ items }}", "has_more": "{{ has_more }}"});
        Self {
            row: "{{ row }}".into(),
            list: Spanned { value: list, referenced: place, defined: place },
            deleted: None,
            created_status: 201,
            headers: BTreeMap::new(),
            timestamps: Stamp::Iso,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stamp {
    Iso,
    Unix,
    UnixMs,
}

/// How lists come in pages.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PagingFile {
    pub(super) by: PagingBy,
    /// The parameter with the number of rows. Default `limit`.
    pub(super) limit: String,
    /// Rows of a page where the client does not say. Default 20.
    pub(super) default: usize,
    /// Default 100.
    pub(super) max: usize,
    /// A larger number is refused, or means `max`.
    pub(super) over: Over,
    /// The parameter that says where a page begins: `after`, `cursor`, `offset` or `page` by default.
    pub(super) param: Option<String>,
    /// For `by: id`: the parameter with the id that a page ends before.
    pub(super) before: Option<String>,
    pub(super) newest_first: bool,
    /// A `Link` header with `next`, `prev`, `first` and `last`.
    pub(super) link: bool,
}

impl Default for PagingFile {
    fn default() -> Self {
        Self {
            by: PagingBy::Cursor,
            limit: "limit".to_owned(),
            default: 20,
            max: 100,
            over: Over::Clamp,
            param: None,
            before: None,
            newest_first: false,
            link: false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PagingBy {
    /// After the row of this id.
    Id,
    /// After an opaque text that the last page gave.
    Cursor,
    Offset,
    /// From 1 on.
    Page,
    /// All rows at once.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Over {
    Clamp,
    Refuse,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TableFile {
    pub(super) id: IdFile,
    /// Fields whose values no two rows share.
    pub(super) unique: Vec<String>,
    /// The column with the instant of creation.
    pub(super) created: Option<String>,
    /// The column with the instant of the last change.
    pub(super) updated: Option<String>,
    /// The first rows. One without an id gets one.
    #[schemars(with = "Vec<Map<String, Json>>")]
    pub(super) rows: Vec<Spanned<Map<String, Json>>>,
    pub(super) states: Option<StatesFile>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct IdFile {
    /// Default `id`.
    pub(super) field: String,
    pub(super) by: IdBy,
    pub(super) prefix: String,
    /// Letters and digits after the prefix. Default 16.
    pub(super) length: usize,
    /// The client's own, where it sends one.
    pub(super) from_client: bool,
}

impl Default for IdFile {
    fn default() -> Self {
        let (field, prefix) = ("id".to_owned(), String::new());
        Self { field, by: IdBy::Letters, prefix, length: 16, from_client: false }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum IdBy {
    Letters,
    /// 1, 2, 3, …; a number, unless there is a prefix.
    Sequence,
    Uuid,
    Ulid,
}

/// What a field may become, and when.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StatesFile {
    pub(super) field: String,
    pub(super) initial: String,
    #[schemars(with = "Vec<MoveFile>")]
    pub(super) moves: Vec<Spanned<MoveFile>>,
}

/// One step. Without `after_ms` and `after_calls` an operation makes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MoveFile {
    pub(super) from: String,
    pub(super) to: String,
    /// By itself, after so much virtual time in `from`.
    pub(super) after_ms: Option<u64>,
    /// By itself, when the row is read for this time since it came to `from`.
    pub(super) after_calls: Option<u32>,
    /// The webhook that tells of it.
    pub(super) emit: Option<String>,
}

/// One operation: a route, at most one action, and what is answered.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OperationFile {
    /// `POST /v1/parcels/{id}/ship`
    #[schemars(with = "String")]
    pub(super) route: Option<Spanned<String>>,
    /// Makes a row of this table from the body.
    #[schemars(with = "Option<String>")]
    pub(super) create: Option<Spanned<String>>,
    #[schemars(with = "Option<String>")]
    pub(super) list: Option<Spanned<String>>,
    #[schemars(with = "Option<String>")]
    pub(super) get: Option<Spanned<String>>,
    /// Changes the fields that the body has.
    #[schemars(with = "Option<String>")]
    pub(super) update: Option<Spanned<String>>,
    /// Changes all fields; makes the row where the table's ids may come from the client.
    #[schemars(with = "Option<String>")]
    pub(super) replace: Option<Spanned<String>>,
    #[schemars(with = "Option<String>")]
    pub(super) delete: Option<Spanned<String>>,
    /// One after the other; where one fails none has happened.
    #[schemars(with = "Vec<StepFile>")]
    pub(super) steps: Vec<Spanned<StepFile>>,
    /// The id of the row. Default: the last parameter of the route.
    #[schemars(with = "Option<String>")]
    pub(super) row: Option<Spanned<String>>,
    /// The fields of the body that are taken. All, where left out.
    pub(super) accept: Option<Vec<String>>,
    /// For `create` and `replace`: fields that the client may leave out.
    #[schemars(with = "Option<Map<String, Json>>")]
    pub(super) defaults: Option<Spanned<Map<String, Json>>>,
    /// Fields that the service sets itself.
    #[schemars(with = "Option<Map<String, Json>>")]
    pub(super) set: Option<Spanned<Map<String, Json>>>,
    /// The state that the row goes to, where a move of its table leads there.
    #[schemars(with = "Option<String>")]
    pub(super) to: Option<Spanned<String>>,
    /// Query parameters (or parameters of the route) that rows of a list must equal.
    pub(super) filter: Vec<String>,
    /// A JSON Schema of the body, or of the query where there is no body.
    #[schemars(with = "Option<Json>")]
    pub(super) input: Option<Spanned<Json>>,
    /// What a key must be allowed.
    pub(super) scope: Option<String>,
    /// Nobody is asked who they are.
    pub(super) public: bool,
    #[schemars(with = "Option<AnswerFile>")]
    pub(super) answer: Option<Spanned<AnswerFile>>,
    /// The webhook that tells of it.
    pub(super) emit: Option<String>,
}

/// What is answered instead of the usual.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AnswerFile {
    pub(super) status: Option<u16>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<Json>,
    pub(super) text: Option<String>,
    /// No body.
    pub(super) empty: bool,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum StepFile {
    /// A row by its id; an error where there is none.
    Find {
        table: String,
        id: String,
        r#as: String,
    },
    /// The first row whose fields equal these; null where there is none.
    Seek {
        table: String,
        r#where: Map<String, Json>,
        r#as: String,
    },
    /// An expression that must hold.
    Require {
        that: String,
        r#else: String,
        message: Option<String>,
    },
    Create {
        table: String,
        row: Map<String, Json>,
        r#as: Option<String>,
    },
    Update {
        table: String,
        id: String,
        set: Map<String, Json>,
        r#as: Option<String>,
    },
    Delete {
        table: String,
        id: String,
    },
    /// A value for later steps.
    Let {
        name: String,
        value: Json,
    },
    Emit {
        event: String,
        object: Json,
    },
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ErrorFile {
    pub(super) status: Option<u16>,
    pub(super) headers: BTreeMap<String, String>,
    /// It sees `kind`, `status`, `message`, `field`, `request`, `retry_after_s`.
    pub(super) body: Option<Json>,
    /// Instead of the usual words.
    pub(super) message: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IdempotencyFile {
    /// Default `idempotency-key`.
    #[serde(default = "idempotency_key")]
    pub(super) header: String,
    /// Default `POST`.
    #[serde(default = "post")]
    pub(super) method: String,
    /// The header that marks an answer which is not the first. Default `idempotent-replayed`.
    #[serde(default = "idempotent_replayed")]
    pub(super) replayed: String,
}

fn idempotency_key() -> String {
    "idempotency-key".to_owned()
}

fn post() -> String {
    "POST".to_owned()
}

fn idempotent_replayed() -> String {
    "idempotent-replayed".to_owned()
}

/// So many requests per key in each window of virtual time.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RateFile {
    pub(super) requests: u64,
    pub(super) per_ms: u64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhooksFile {
    /// Who gets them: `{to: /hooks, secret: whsec_1, events: ["*"]}`.
    #[serde(default)]
    #[schemars(with = "Vec<Json>")]
    pub(super) to: Vec<Endpoint>,
    /// Of the event's id. Default `evt_`.
    #[serde(default = "event_prefix")]
    pub(super) prefix: String,
    /// It sees `event.id`, `event.type`, `object`, `previous`, `now`.
    #[schemars(with = "Option<Json>")]
    pub(super) payload: Option<Spanned<Json>>,
    #[serde(default)]
    pub(super) sign: SignFile,
}

fn event_prefix() -> String {
    "evt_".to_owned()
}

/// HMAC-SHA256 with the receiver's secret. In `over` and `value`, `{t}` is the unix time, `{body}` the payload and
/// `{mac}` the signature.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SignFile {
    /// Default `x-signature`.
    pub(super) header: String,
    /// Default `{body}`; Stripe's is `{t}.{body}`, Slack's `v0:{t}:{body}`.
    pub(super) over: String,
    /// Default `sha256={mac}`, as GitHub's; Stripe's is `t={t},v1={mac}`.
    pub(super) value: String,
    pub(super) encoding: Encoding,
    /// A header with the unix time of signing.
    pub(super) time_header: Option<String>,
}

impl Default for SignFile {
    fn default() -> Self {
        Self {
            header: "x-signature".to_owned(),
            over: "{body}".to_owned(),
            value: "sha256={mac}".to_owned(),
            encoding: Encoding::Hex,
            time_header: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Encoding {
    Hex,
    Base64,
}

/// What whoever serves the twin may set: instead of the file's.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Config {
    /// First rows by table.
    pub(super) rows: BTreeMap<String, Vec<Map<String, Json>>>,
    pub(super) keys: Option<BTreeMap<String, KeyFile>>,
    #[schemars(with = "Option<Vec<Json>>")]
    pub(super) webhooks: Option<Vec<Endpoint>>,
}

/// Below `/__admin`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AdminFile {
    Wiremock,
}
