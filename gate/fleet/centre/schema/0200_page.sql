-- What the fleet page may read, and nothing else: gates, open alerts, and counts of crossings. Whoever shows the page logs in as a member of
-- autogate_page, which sees no table. Counts look at days by partition; instants are the gates' own.

do $$
begin
    create role autogate_page nologin;
exception
    when duplicate_object or unique_violation then null;  -- another database of this cluster has it
end
$$;

-- Few crossings are of these; all others are not looked at for them.
create index crossing_official on crossing (ended) where class in ('service', 'diplomatic');

create view page_gate as
    select g.gate, s.told as heard, coalesce(s.state, '') as state, coalesce(c.direction, '') as direction,
        coalesce(s.troubles, '{}') as troubles, coalesce(s.waiting_s, 0) as waiting_s,
        greatest(0, coalesce(s.head, 0) - coalesce(l.through, 0)) as behind,
        coalesce(s.versions, '{}') as versions, coalesce(s.freshness, '{}') as freshness, s.days_left
    from (select gate from gate_status union select gate from gate_log) g
        left join gate_status s using (gate)
        left join gate_log l on l.gate = s.gate and l.log = s.log
        left join lateral (
            select direction from crossing
            where gate = g.gate and day >= (now() at time zone 'UTC')::date - 1 order by ended desc limit 1
        ) c on true;

-- Alerts are opened by collectors: where none works, nothing else says so.
create view page_collector as
    select max(seen) as seen from collector;

create view page_alert as
    select kind as code, coalesce(nullif(gate, ''), log) as gate, opened, detail from alert where closed is null;

create view page_hour as
    select checkpoint as airport, count(*) as crossings, count(*) filter (where outcome = 'OPEN') as passed,
        percentile_cont(0.5) within group (order by seconds) filter (where outcome = 'OPEN') as median_s,
        percentile_cont(0.95) within group (order by seconds) filter (where outcome = 'OPEN') as p95_s,
        count(*) filter (where class = '') as sealed
    from crossing
    where day >= (now() at time zone 'UTC')::date - 1 and ended > now() - interval '60 minutes' and ended <= now() and outcome <> 'RETRY'
    group by checkpoint;

create view page_throughput as
    select checkpoint as airport, date_bin('30 minutes', ended, '2000-01-01 00:00+00') as at,
        count(*) as crossings, count(*) filter (where outcome = 'OPEN') as passed
    from crossing
    where day >= (now() at time zone 'UTC')::date - 1 and outcome <> 'RETRY' and ended <= now()
        and ended >= date_bin('30 minutes', now(), '2000-01-01 00:00+00') - interval '690 minutes'
    group by checkpoint, at;

-- Up to the last full hour, so that a change on the page is nobody who just stood at a gate.
create view page_books as
    select checkpoint as airport, outcome, reasons, count(*) as crossings
    from crossing
    where class in ('service', 'diplomatic') and outcome <> 'RETRY'
        and day >= (now() at time zone 'UTC')::date - 8 and ended < date_trunc('hour', now())
        and ended >= date_trunc('hour', now()) - interval '7 days'
    group by checkpoint, outcome, reasons;

grant select on page_gate, page_alert, page_collector, page_hour, page_throughput, page_books to autogate_page;
