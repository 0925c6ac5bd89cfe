-- A roll-out that goes back, or waits for a person, is an alert beside those of the gates.

alter view condition rename to condition_of_gates;
create view condition as
    select kind, gate, log, detail from condition_of_gates
union all
    select 'rollout', '', name, format('%s: %s', case phase when 'paused' then 'waits for a person' else 'goes back' end, why)
    from rollout where phase in ('paused', 'back');
