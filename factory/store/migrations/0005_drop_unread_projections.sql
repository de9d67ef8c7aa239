-- Pages that show actions, trials and incidents fold the run's own events; a list needs no more than a number of builds.

alter table proj_runs add column builds integer not null default 0;
update proj_runs r set builds =
    coalesce((select max(visit) from proj_actions a where a.run = r.run and a.kind = 'agent'), 0);

drop table proj_actions;
drop table proj_trials;
drop table proj_incidents;
