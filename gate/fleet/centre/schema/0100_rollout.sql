-- What gates are assigned (gate/fleet/updates/director.py), and how a roll-out stands (gate/fleet/updates/rollout.py).

create table assignment (
    gate    text primary key,
    number  bigint not null,            -- only grows
    targets jsonb not null,             -- kind: path of a target
    changed timestamptz not null default now(),
    signed  timestamptz                 -- when it was last signed and laid out; null: not yet as it stands
);

create table rollout (
    name    text primary key,
    plan    jsonb not null,
    phase   text not null,
    stage   integer not null,
    since   timestamptz not null,
    why     text not null,
    next    text not null,              -- what a pause interrupts
    begun   timestamptz not null default now(),
    by      text not null
);
-- At any time there is one that has not ended, at most.
create unique index rollout_alone on rollout ((true)) where phase not in ('done', 'undone');

create table rollout_step (
    id      bigint generated always as identity primary key,
    rollout text not null references rollout,
    at      timestamptz not null default now(),
    phase   text not null,
    stage   integer not null,
    why     text not null
);
