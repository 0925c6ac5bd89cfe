-- What the centre holds of its gates' audit logs, and of how the gates do.
--
-- A log is known by a number; (log_no, seq) names a record for ever. Records lie by the day of their instant. A record whose instant cannot
-- be right (gate/fleet/centre/partitions.py) lies under the day 0001-01-01, so that no gate's clock makes partitions without end.
-- Personal fields are sealed by the gate before anything is sent, and there is no key to them here.

create table gate_log (
    no         integer generated always as identity primary key,
    gate       text not null,
    log        text not null,
    start      bytea not null,              -- what record 1 continues
    through    bigint not null default 0,   -- records 1 to through are here, and each continues the one before
    hash       bytea not null,              -- of record `through`
    first_seen timestamptz not null default now(),
    moved      timestamptz not null default now(),  -- when `through` last grew
    kept_from  bigint not null default 1,   -- records before it were dropped when their time was over
    edge       bytea[] not null default '{}',  -- of the Merkle tree over the dropped ones: its complete subtrees, largest first
    edge_hash  bytea,                       -- of the last dropped one
    unique (gate, log)
);

create table event (
    log_no      integer not null,
    seq         bigint not null,
    day         date not null,
    at          timestamptz not null,
    boot        double precision not null,
    transaction text not null,
    kind        text not null,
    body        bytea not null,
    previous    bytea not null,
    hash        bytea not null,
    received    timestamptz not null default now(),
    leaf        bytea,                      -- of the record as it was, where personal fields of `body` were destroyed since
    primary key (log_no, seq, day)
) partition by range (day);

create table crossing (
    log_no        integer not null,
    seq           bigint not null,
    day           date not null,
    gate          text not null,
    checkpoint    text generated always as (left(gate, 3)) stored,
    transaction   text not null,
    direction     text not null,
    started       timestamptz not null,
    ended         timestamptz not null,
    seconds       real not null,
    class         text not null,            -- empty where the gate sealed it, as in operation
    outcome       text not null,
    reasons       text[] not null,          -- likewise
    stages        jsonb not null,           -- name: milliseconds
    demonstration boolean not null,
    received      timestamptz not null default now(),
    primary key (log_no, seq, day)
) partition by range (day);
create index on crossing (gate, ended);
comment on table crossing is 'One row for each transaction that ended, out of its record: figures and words, no person';

-- Records that came before those between: they are in `event` too, and wait here for their turn.
create table pending (
    log_no   integer not null,
    seq      bigint not null,
    day      date not null,
    previous bytea not null,
    hash     bytea not null,
    received timestamptz not null default now(),
    primary key (log_no, seq)
);

-- What gates signed about their logs. Two roots for one size are both kept.
create table checkpoint (
    log_no   integer not null,
    size     bigint not null,
    root     bytea not null,
    head     bytea not null,
    at       timestamptz not null,
    note     text not null,
    received timestamptz not null default now(),
    primary key (log_no, size, root)
);

create table gate_status (
    gate         text primary key,
    told         timestamptz not null,      -- when the broker had it
    at           timestamptz not null,      -- what the gate's clock showed
    boot         double precision not null,
    log          text not null,
    head         bigint not null,
    receipted    bigint not null,
    state        text not null,
    troubles     text[] not null,
    waiting_s    double precision not null,
    versions     jsonb not null,
    freshness    jsonb not null,
    days_left    double precision,
    refused      jsonb not null,
    behind_since timestamptz                -- since when records are outstanding; null: none are
);

-- What was not believed. `gate` is the subject's word, not the sender's proof.
create table refusal (
    gate         text not null,
    day          date not null,
    code         text not null,
    count        bigint not null,
    first        timestamptz not null default now(),
    last         timestamptz not null default now(),
    first_sample bytea not null,            -- SHA-256 of the message
    last_sample  bytea not null,
    what         text not null,
    primary key (gate, day, code)
);

-- A gate told two different things under one number, or a record that does not continue the one before.
create table fork (
    log_no   integer not null,
    seq      bigint not null,
    told     bytea not null,                -- the hash that was refused
    held     bytea not null,                -- the one it was held against
    what     text not null,
    evidence bytea not null,                -- the signed message
    count    bigint not null default 1,
    first    timestamptz not null default now(),
    last     timestamptz not null default now(),
    settled  timestamptz,
    primary key (log_no, seq, told)
);

create table alert (
    id     bigint generated always as identity primary key,
    kind   text not null,
    gate   text not null,
    log    text not null default '',
    detail text not null,
    opened timestamptz not null default now(),
    closed timestamptz
);
create unique index alert_open on alert (kind, gate, log) where closed is null;

create table alert_rule (
    kind  text primary key,
    after interval not null
);
insert into alert_rule values
    ('gap', '5 minutes'), ('late', '5 minutes'), ('silent', '60 seconds'), ('clock', '30 seconds'), ('forged', '1 hour'), ('refused', '1 hour');
comment on column alert_rule.after is 'forged and refused: for how long after the last one; else: how long until it counts, or how far a clock may be off';

create table collector (
    name    text primary key,
    started timestamptz not null,
    seen    timestamptz not null,
    events  bigint not null,
    parcels bigint not null,
    refused bigint not null
);

create table destruction (
    digest  text primary key,               -- of the order
    log     text not null,
    because text not null,
    people  text[] not null,
    records bigint not null,
    at      timestamptz not null default now()
);

-- What is wrong now; gate/fleet/centre/alerts.py opens and closes alerts by it.
create view condition as
    select 'gap' as kind, l.gate, l.log, format('record %s is missing', l.through + 1) as detail
    from gate_log l join alert_rule r on r.kind = 'gap'
    where exists (select from pending p where p.log_no = l.no and p.received < now() - r.after) and l.moved < now() - r.after
union all
    select 'fork', l.gate, l.log, format('record %s and %s more: %s', min(f.seq), count(*) - 1, min(f.what))
    from fork f join gate_log l on l.no = f.log_no where f.settled is null group by l.gate, l.log
union all
    select 'late', s.gate, s.log, format('%s records outstanding', s.head - coalesce(l.through, 0))
    from gate_status s join alert_rule r on r.kind = 'late' left join gate_log l on l.gate = s.gate and l.log = s.log
    where s.head > coalesce(l.through, 0) and s.behind_since < now() - r.after and coalesce(l.moved, '-infinity') < now() - r.after
union all
    select 'silent', s.gate, '', format('last heard of at %s', date_trunc('second', s.told at time zone 'UTC'))
    from gate_status s join alert_rule r on r.kind = 'silent' where s.told < now() - r.after
union all
    select 'clock', s.gate, '', format('its clock differs by %s s', round(extract(epoch from s.at - s.told)))
    from gate_status s join alert_rule r on r.kind = 'clock' where abs(extract(epoch from s.at - s.told)) > extract(epoch from r.after)
union all
    select 'clock', l.gate, l.log, 'records of days that cannot be right'
    from gate_log l
    where exists (select from event e where e.log_no = l.no and e.day = '0001-01-01' and e.received > now() - interval '1 day')
union all
    select r.kind, f.gate, '', format('%s: %s', string_agg(distinct f.code, ', ' order by f.code), sum(f.count))
    from refusal f join alert_rule r
        on r.kind = case when f.code in ('forged', 'unknown_key', 'other_gate', 'revoked', 'expired') then 'forged' else 'refused' end
    where f.last > now() - r.after group by r.kind, f.gate;
