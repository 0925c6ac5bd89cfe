-- With how many service and diplomatic books travellers came to gates that seal class and reasons, a day at a time, as each gate itself counted
-- them (gate/audit/tally.py): numbers of lanes and days, nothing of one traveller.

create table tally (
    gate          text not null,
    day           date not null,            -- by the checkpoint's calendar; told once it was over
    checkpoint    text generated always as (left(gate, 3)) stored,
    log_no        integer not null,
    seq           bigint not null,
    demonstration boolean not null,
    unread        integer not null,         -- travellers of the day whom the gate could not count
    counts        jsonb not null,           -- direction, passed, since, document_class, cause, count
    received      timestamptz not null default now(),
    primary key (gate, day),
    unique (log_no, seq)
);
create index on tally (day);

create view page_tally as
    select t.checkpoint as airport, c.passed, c.cause, sum(c.count)::bigint as crossings, max(t.day) as until
    from tally t
        cross join lateral jsonb_to_recordset(t.counts) as c (passed boolean, document_class text, cause text, count bigint)
    where t.day >= (now() at time zone 'UTC')::date - 7 and c.document_class <> ''
    group by t.checkpoint, c.passed, c.cause;

grant select on page_tally to autogate_page;
