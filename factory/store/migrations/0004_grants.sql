-- The role that the factory works as: it may append to the log and read it, never change it.

do $$
begin
    if not exists (select from pg_roles where rolname = 'factory_app') then
        create role factory_app nologin;
        execute format('grant factory_app to %I', current_user);
    end if;
exception
    -- Two databases of one server may be migrated at once.
    when duplicate_object or unique_violation then null;
    -- A managed database without the right to make roles: the triggers still hold.
    when insufficient_privilege then raise notice 'role factory_app could not be made; only triggers guard the log';
end
$$;

do $$
begin
    if exists (select from pg_roles where rolname = 'factory_app') then
        grant usage on schema public to factory_app;
        grant select, insert on evt_events to factory_app;
        grant select, insert, update on evt_stream_heads to factory_app;
        grant select, insert, update on run_queue, blobs to factory_app;
        grant select, insert on audit_checks to factory_app;
        grant select, insert, update, delete on proj_runs, proj_actions, proj_trials, proj_scores, proj_gates, proj_incidents to factory_app;
    end if;
end
$$;
