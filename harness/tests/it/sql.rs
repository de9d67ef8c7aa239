//! `sql` steps: a real Postgres as the subject, and files of `SQLite` that a subject wrote.

use harness::{SubjectConfig, TrialRecord, Verdict};

use crate::kit::{config, python_trial, refused};

fn postgres() -> SubjectConfig {
    config(
        "subject: database\nstart: { argv: [sh, postgres.sh], env: { PORT: \"{{ port }}\", DATA_DIR: \"{{ data_dir }}\" } }\n\
         ready: { log: \"ready to accept connections\", within: 60s }\nenv_allow: [FACTORY_TOOLS_DIR]\n",
    )
}

/// `DB` stands for the address.
async fn on_postgres(steps: &str) -> TrialRecord {
    let steps = steps.replace("DB", "postgres: \"postgres://ann@127.0.0.1:{{ subject.port }}/postgres\"");
    python_trial(postgres(), &steps).await
}

async fn on_files(steps: &str) -> TrialRecord {
    python_trial(config("subject: tool\n"), steps).await
}

/// A step that makes `shop.db` with the given statements.
fn made_by(statements: &str) -> String {
    let script = format!(
        "import sqlite3, os; c = sqlite3.connect(os.environ['D'] + '/shop.db', isolation_level=None); [c.execute(s) for s in '''{statements}'''.split(';')]; os._exit(0)"
    );
    format!(
        "  - exec: {{ argv: [python3, -c, {}], env: {{ D: \"{{{{ data_dir }}}}\" }} }}\n",
        serde_json::json!(script)
    )
}

#[tokio::test]
async fn rows_of_postgres_are_json_and_arguments_are_bound() {
    let record = on_postgres(
        r#"
vars: { name: "Robert'); drop table orders;--" }
setup:
  - sql: { DB, access: read_write, query: "create table orders (id bigint primary key, name text, total numeric(30, 10), tags text[], doc jsonb, at timestamptz, paid bool)" }
    expect: { rows: 0 }
  - sql:
      DB
      access: read_write
      query: insert into orders values ($1, $2, $3, $4, $5, $6, $7) returning id
      arguments: [9007199254740993, "{{ name }}", 12.5, [a, "b\"c", null], { n: [1] }, "2026-01-02T03:04:05.6+01:00", true]
    expect: { rows: 1, json: [{ id: 9007199254740993 }] }
steps:
  - sql: { DB, query: "select * from orders where name = $1", arguments: ["{{ name }}"] }
    expect:
      rows: 1
      json_exact:
        - { id: 9007199254740993, name: "{{ name }}", total: 12.5, tags: [a, "b\"c", null], doc: { n: [1] }, at: "2026-01-02T02:04:05.6Z", paid: true }
    capture: { total: "$[0].total" }
  - sql:
      DB
      query: >-
        select null::int as nothing, 1.5::float8 as real, 'NaN'::float8 as nan, 0.1::float4 as small,
        123456789012345678901234567890.12::numeric as big, -0.05::numeric as cents, '\x00ff'::bytea as bytes,
        '7b0a4a3e-7c5e-4d3f-9a56-2f3d9e0f1a2b'::uuid as id, date '2026-02-03' as day, time '04:05:06' as hour,
        timestamp '2026-02-03 04:05:06' as moment, array[1, null, 3] as numbers, '127.0.0.1'::inet as host, 'x'::char(3) as padded
    expect:
      json_exact:
        - { nothing: null, real: 1.5, nan: NaN, small: 0.1, big: "123456789012345678901234567890.12", cents: -0.05, bytes: 00ff, id: 7b0a4a3e-7c5e-4d3f-9a56-2f3d9e0f1a2b, day: 2026-02-03, hour: "04:05:06", moment: 2026-02-03T04:05:06, numbers: [1, null, 3], host: 127.0.0.1, padded: "x  " }
  - sql: { DB, access: read_write, query: update orders set paid = $1, arguments: [false] }
    expect: { rows: 1 }
  - sql: { DB, query: select count(*) as n from orders where not paid }
    expect: { jsonpath: [{ path: "$[0].n", equals: 1 }] }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
    let evidence = serde_json::to_string(&record.steps[2].evidence).unwrap();
    assert!(evidence.contains("\"count\":1") && evidence.contains("postgres 127.0.0.1:"), "{evidence}");
}

#[tokio::test]
async fn what_postgres_refuses_fails_the_step_and_says_where() {
    let record = on_postgres(
        r#"
steps:
  - sql: { DB, query: "create table t (a int)", access: read_write }
  - sql: { DB, query: "select a from t" }
    expect: { rows: 0 }
teardown:
  - sql: { DB, query: "select b\nfrom t" }
  - sql: { DB, query: insert into t values (1) }
  - sql: { DB, query: select 1; select 2 }
  - sql: { DB, query: select $1::int }
  - sql: { DB, query: "select $1::int as n", arguments: [one] }
  - sql: { DB, query: select pg_sleep(600), timeout: 200ms }
  - sql: { DB, query: "select n, repeat('x', 1000) as x from generate_series(1, 20000) n" }
  - sql: { DB, query: "select 1 as a, 2 as a" }
  - sql: { DB, query: "select point(1, 2) as p" }
  - sql: { DB, query: select 1 as one }
    expect: { rows: 2, jsonpath: [{ path: "$[0].one", equals: 2 }] }
"#,
    )
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
    let said: Vec<_> = record.steps[2..].iter().map(|step| step.mismatches.join("\n")).collect();
    assert_eq!(
        said[0],
        "statement: expected an answer, got column \"b\" does not exist (42703)\n  select b\n         ^"
    );
    for (n, words) in [
        "cannot execute INSERT in a read-only transaction (25006); to write, add `access: read_write`",
        "cannot insert multiple commands into a prepared statement",
        "takes 1 arguments, and 0 are given",
        "invalid input syntax for type integer: \"one\"",
        "none within 200 ms",
        "more than 10000 rows or 4194304 bytes",
        "two columns named `a`; name them with `as`",
        "the type `point` is not read here: cast it, as in `column::text`",
        "rows: expected 2, got 1\njson $[0].one: expected 2, got 1",
    ]
    .iter()
    .enumerate()
    {
        assert!(said[n + 1].contains(words), "{words}: {}", said[n + 1]);
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_makes_the_trial_invalid() {
    let step =
        "steps: [{ sql: { postgres: 'postgres://ann:secret@127.0.0.1:1/x', query: select 1 }, expect: { rows: 1 } }]";
    let record = on_files(step).await;
    assert_eq!(record.verdict, Verdict::Infra);
    let message = record.failure.unwrap().message;
    assert!(message.starts_with("the database postgres 127.0.0.1:1/x: ") && message.contains("refused"), "{message}");
    assert!(!message.contains("secret"));
    let step = "steps: [{ sql: { postgres: 'nonsense', query: select 1 }, expect: { rows: 1 } }]";
    assert_eq!(on_files(step).await.verdict, Verdict::Infra);
}

#[tokio::test]
async fn rows_of_sqlite_are_json_and_arguments_are_bound() {
    let steps = made_by(
        "create table t (a integer, b real, c text, d blob); insert into t values (1, 1.5, 'x', x'00ff'), (null, 2, 'y', null)",
    );
    let record = on_files(&format!(
        r#"steps:
{steps}  - sql: {{ sqlite: shop.db, query: "select * from t where c = $1 or a is $2 order by c", arguments: [x, null] }}
    expect:
      json_exact: [{{ a: 1, b: 1.5, c: x, d: 00ff }}, {{ a: null, b: 2.0, c: y, d: null }}]
    capture: {{ c: "$[0].c" }}
  - sql: {{ sqlite: "{{{{ data_dir }}}}/shop.db", query: "update t set c = ? where c = ?", arguments: ["{{{{ c }}}}'", "{{{{ c }}}}"], access: read_write }}
    expect: {{ rows: 1 }}
  - sql: {{ sqlite: shop.db, query: "select c from t where a = 1" }}
    expect: {{ json: [{{ c: "x'" }}] }}
"#
    ))
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
}

#[tokio::test]
async fn what_a_killed_writer_left_in_its_log_is_read() {
    let steps = made_by("pragma journal_mode = wal; create table t (a); insert into t values (7)");
    let record = on_files(&format!(
        "steps:\n{steps}  - sql: {{ sqlite: shop.db, query: select a from t }}\n    expect: {{ json: [{{ a: 7 }}] }}\n"
    ))
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
}

#[tokio::test]
async fn what_sqlite_refuses_fails_the_step() {
    let made = made_by("create table t (a); insert into t values (1)");
    let links = "  - exec: { argv: [sh, -c, 'cd \"$D\"; ln -s /etc/passwd out.db; mkdir dir.db; head -c 5000 /dev/urandom > garbage.db'], env: { D: \"{{ data_dir }}\" } }\n";
    let record = on_files(&format!(
        r#"steps:
{made}{links}  - sql: {{ sqlite: shop.db, query: select a from t }}
    expect: {{ rows: 1 }}
teardown:
  - sql: {{ sqlite: none.db, query: select 1 }}
  - sql: {{ sqlite: out.db, query: select 1 }}
  - sql: {{ sqlite: "../x.db", query: select 1 }}
  - sql: {{ sqlite: dir.db, query: select 1 }}
  - sql: {{ sqlite: garbage.db, query: "select * from t" }}
  - sql: {{ sqlite: shop.db, query: insert into t values (2) }}
  - sql: {{ sqlite: shop.db, query: select nope from t }}
  - sql: {{ sqlite: shop.db, query: "select 1 as a; select 2 as b" }}
  - sql: {{ sqlite: shop.db, query: "attach '/etc/x.db' as x" }}
  - sql: {{ sqlite: shop.db, query: "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n", timeout: 200ms }}
  - sql: {{ sqlite: shop.db, query: "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n" }}
  - sql: {{ sqlite: shop.db, query: select $1 }}
"#
    ))
    .await;
    assert_eq!(record.verdict, Verdict::Satisfied, "{:#?}", record.failure);
    let said: Vec<_> = record.steps[3..].iter().map(|step| step.mismatches.join("\n")).collect();
    for (n, words) in [
        "No such file",
        "leads out of the subject's folders",
        "leads upwards",
        "unable to open database file",
        "file is not a database",
        "to write, add `access: read_write`",
        "no such column: nope\n  select nope from t\n         ^",
        "one statement is run, and several are written",
        "too many attached databases",
        "none within 200 ms",
        "more than 10000 rows",
        "takes 1 arguments, and 0 are given",
    ]
    .iter()
    .enumerate()
    {
        assert!(said[n].contains(words), "{words}: {}", said[n]);
    }
}

#[test]
fn what_makes_no_sense_in_a_statement_is_refused() {
    let step =
        |rest: &str| refused(&format!("vars: {{ a: 1 }}\nsteps: [{{ sql: {{ {rest} }}, expect: {{ rows: 1 }} }}]"));
    assert!(step("query: select 1").contains("either `postgres` or `sqlite`"));
    assert!(step("sqlite: a, postgres: b, query: select 1").contains("either `postgres` or `sqlite`"));
    assert!(step("sqlite: a, query: ' '").contains("is empty"));
    assert!(step("sqlite: a, query: 'select {{ a }}'").contains("never written into a statement"));
    assert!(step("sqlite: a, query: select 1, access: all").contains("unknown variant"));
}

#[tokio::test]
async fn one_wide_value_is_not_held() {
    let record = on_postgres(
        "steps:\n  - sql: { DB, query: \"select repeat('x', 100000000) as wide\" }\n    expect: { rows: 1 }\n",
    )
    .await;
    assert_eq!(record.verdict, Verdict::Unsatisfied, "{record:?}");
    assert_eq!(record.failure.unwrap().message, "statement: expected an answer, got more than 16777216 bytes");
}
