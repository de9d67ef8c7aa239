-- What pages read. Everything here follows from evt_events and can be rebuilt from it.

create table proj_runs (
    run             text collate "C" not null,
    workspace       text not null,
    spec            text collate "C" not null,
    spec_title      text not null,
    spec_path       text not null,
    spec_digest     text not null,
    seed            text not null,
    state           text not null,
    worker          text,
    epoch           bigint not null,
    node            text,
    visit           integer,
    iteration       integer,
    parked_action   text,
    question        text,
    choices         json,
    verdict         text,
    reason          text,
    branch          text,
    commit          text,
    cost_usd_micros bigint not null default 0,
    input_tokens    bigint not null default 0,
    output_tokens   bigint not null default 0,
    model_calls     bigint not null default 0,
    budget          json not null,
    incidents       integer not null default 0,
    created_at      timestamptz not null,
    finished_at     timestamptz,
    constraint proj_runs_pkey primary key (run)
) with (fillfactor = 70);

create index proj_runs_by_spec on proj_runs (spec, run);

create table proj_actions (
    run             text collate "C" not null,
    action          text collate "C" not null,
    seq             bigint not null, -- of action.scheduled: the order of the walk
    node            text not null,
    visit           integer not null,
    attempt         integer not null,
    kind            text not null,
    state           text not null,
    worker          text,
    failure         text,
    cost_usd_micros bigint not null default 0,
    input_tokens    bigint not null default 0,
    output_tokens   bigint not null default 0,
    model_calls     bigint not null default 0,
    scheduled_at    timestamptz not null,
    started_at      timestamptz,
    finished_at     timestamptz,
    constraint proj_actions_pkey primary key (run, action)
) with (fillfactor = 70);

create table proj_trials (
    run          text collate "C" not null,
    seq          bigint not null, -- of trial.finished, where the whole record is
    action       text collate "C" not null,
    suite        text not null,
    scenario     text not null,
    requirements json not null,
    trial        integer not null,
    verdict      text not null,
    failure      text,
    duration_ms  bigint not null,
    finished_at  timestamptz not null,
    constraint proj_trials_pkey primary key (run, seq)
);

create table proj_scores (
    run       text collate "C" not null,
    seq       bigint not null,
    action    text not null,
    suite     text not null,
    iteration integer not null,
    tree      text not null,
    score     json not null,
    scored_at timestamptz not null,
    constraint proj_scores_pkey primary key (run, seq)
);

create table proj_gates (
    run          text collate "C" not null,
    seq          bigint not null,
    action       text not null,
    iteration    integer not null,
    satisfied    boolean not null,
    gate         json not null, -- the whole event: pages show the reasoning
    evaluated_at timestamptz not null,
    constraint proj_gates_pkey primary key (run, seq)
);

create table proj_incidents (
    incident  text collate "C" not null,
    run       text collate "C" not null,
    seq       bigint not null,
    code      text not null,
    summary   text not null,
    opened_at timestamptz not null,
    constraint proj_incidents_pkey primary key (incident)
);

create index proj_incidents_by_run on proj_incidents (run, seq);
