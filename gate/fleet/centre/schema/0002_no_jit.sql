-- Compiling takes longer than any query here, and PostgreSQL guesses otherwise as soon as there are many days.
do $$
begin
    execute format('alter database %I set jit = off', current_database());
end
$$;
