-- Runs that wait for a worker, and bytes by their digest.

create table run_queue (
    run         text collate "C" not null,
    workspace   text not null,
    state       text not null default 'ready',
    worker      text,
    epoch       bigint not null default 0,
    lease_until timestamptz,
    attempts    integer not null default 0,
    enqueued_at timestamptz not null default clock_timestamp(),
    constraint run_queue_pkey primary key (run),
    constraint run_queue_state check (state in ('ready', 'claimed', 'parked', 'done')),
    constraint run_queue_lease check ((state = 'claimed') = (lease_until is not null and worker is not null))
) with (fillfactor = 50);

create index run_queue_ready on run_queue (enqueued_at, run) where state = 'ready';
create index run_queue_leases on run_queue (lease_until) where state = 'claimed';

create table blobs (
    digest      bytea not null,
    size_bytes  bigint not null,
    data        bytea, -- small ones
    pack        text,  -- large ones: a file of the pack folder
    pack_offset bigint,
    constraint blobs_pkey primary key (digest),
    constraint blobs_digest_size check (octet_length(digest) = 32),
    constraint blobs_place check ((data is null) = (pack is not null and pack_offset is not null))
);

-- When the log was checked, for people who look at a dashboard.
create table audit_checks (
    checked_at timestamptz not null default clock_timestamp(),
    streams    bigint not null,
    events     bigint not null,
    anchored   bigint,
    first_bad  text,
    constraint audit_checks_pkey primary key (checked_at)
);
