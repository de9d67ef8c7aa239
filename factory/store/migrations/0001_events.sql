-- The log, the heads of its streams, and what keeps both honest.

create table evt_stream_heads (
    stream      text collate "C" not null,
    workspace   text,
    head_seq    bigint not null default 0,
    head_hash   bytea not null default decode(repeat('00', 32), 'hex'),
    epoch       bigint not null default 0,
    event_count bigint not null default 0,
    constraint evt_stream_heads_pkey primary key (stream),
    constraint evt_stream_heads_gap_free check (event_count = head_seq and head_seq >= 0 and epoch >= 0),
    constraint evt_stream_heads_hash_size check (octet_length(head_hash) = 32)
) with (fillfactor = 50); -- room for the next version of a row on its own page

create table evt_events (
    stream          text collate "C" not null,
    seq             bigint not null,
    id              uuid not null,
    epoch           bigint not null,
    kind            text not null,
    version         smallint not null,
    data            json not null, -- json keeps the text as it was hashed; jsonb would not
    actor_kind      text not null,
    actor_name      text not null,
    correlation_id  text not null,
    causation_id    uuid,
    idempotency_key text,
    recorded_at     timestamptz not null,
    hash            bytea not null,
    xid             xid8 not null default pg_current_xact_id(),
    pos             bigint generated always as identity,
    constraint evt_events_pkey primary key (stream, seq),
    constraint evt_events_seq_positive check (seq > 0),
    constraint evt_events_hash_size check (octet_length(hash) = 32),
    constraint evt_events_actor_kind check (actor_kind in ('user', 'agent', 'service'))
);

create unique index evt_events_idempotency on evt_events (stream, idempotency_key) where idempotency_key is not null;
create index evt_events_feed on evt_events (xid, pos);

create function evt_refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'evt_events is append-only: % refused', tg_op
        using errcode = 'restrict_violation', hint = 'append a new event that corrects the old one';
end
$$;

create trigger evt_events_append_only before update or delete on evt_events
    for each row execute function evt_refuse_change();
create trigger evt_events_no_truncate before truncate on evt_events
    for each statement execute function evt_refuse_change();
create trigger evt_stream_heads_no_delete before delete on evt_stream_heads
    for each row execute function evt_refuse_change();
create trigger evt_stream_heads_no_truncate before truncate on evt_stream_heads
    for each statement execute function evt_refuse_change();
