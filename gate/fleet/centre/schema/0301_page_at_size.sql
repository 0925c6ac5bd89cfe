-- What the page asks for at 3,000 gates and 8.6 million crossings a day, without reading all of these each time.

-- Crossings by gate and half hour, of the last days. Counted where they are stored and taken out, in the same transaction, so that a record which
-- comes twice counts once.
create table crossing_count (
    gate      text not null,
    at        timestamptz not null,         -- when the half hour begins
    direction text not null,
    outcome   text not null,
    crossings bigint not null,
    primary key (gate, at, direction, outcome)
);
create index on crossing_count (at);

create function count_crossings() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into crossing_count as c
        select gate, date_bin('30 minutes', ended, '2000-01-01 00:00+00') as at, direction, outcome, count(*) from changed group by 1, 2, 3, 4
        on conflict (gate, at, direction, outcome) do update set crossings = c.crossings + excluded.crossings;
    else
        update crossing_count c set crossings = c.crossings - g.number
        from (
            select gate, date_bin('30 minutes', ended, '2000-01-01 00:00+00') as at, direction, outcome, count(*) as number
            from changed group by 1, 2, 3, 4
        ) g
        where (c.gate, c.at, c.direction, c.outcome) = (g.gate, g.at, g.direction, g.outcome);
    end if;
    return null;
end
$$;
insert into crossing_count
    select gate, date_bin('30 minutes', ended, '2000-01-01 00:00+00'), direction, outcome, count(*)
    from crossing where day >= (now() at time zone 'UTC')::date - 2 group by 1, 2, 3, 4;
create trigger counted after insert on crossing referencing new table as changed for each statement execute function count_crossings();
create trigger uncounted after delete on crossing referencing old table as changed for each statement execute function count_crossings();

-- The last hour's crossings lie together in the last pages of a day.
create index crossing_ended on crossing using brin (ended) with (autosummarize = on);

create or replace view page_throughput as
    select left(gate, 3) as airport, at, sum(crossings)::bigint as crossings,
        coalesce(sum(crossings) filter (where outcome = 'OPEN'), 0)::bigint as passed
    from crossing_count
    where outcome <> 'RETRY' and at <= now() and at >= date_bin('30 minutes', now(), '2000-01-01 00:00+00') - interval '690 minutes'
    group by left(gate, 3), at having sum(crossings) > 0;

create or replace view page_gate as
    select g.gate, s.told as heard, coalesce(s.state, '') as state, coalesce(c.direction, '') as direction,
        coalesce(s.troubles, '{}') as troubles, coalesce(s.waiting_s, 0) as waiting_s,
        greatest(0, coalesce(s.head, 0) - coalesce(l.through, 0)) as behind,
        coalesce(s.versions, '{}') as versions, coalesce(s.freshness, '{}') as freshness, s.days_left
    from (select gate from gate_status union select gate from gate_log where moved > now() - interval '1 day') g  -- others were taken away
        left join gate_status s using (gate)
        left join gate_log l on l.gate = s.gate and l.log = s.log
        left join lateral (
            select direction from crossing_count where gate = g.gate and crossings > 0 and at > now() - interval '1 day' order by at desc limit 1
        ) c on true;
