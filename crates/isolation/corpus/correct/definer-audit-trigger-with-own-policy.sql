--: why = "A SECURITY DEFINER trigger writes all changes into one audit table; the table has RLS and FORCE, the app may only read it, the trigger function cannot be attached to other tables, and the tenant is copied from the row that passed the check."
--: class = "trigger"
create role lab_app login;
create schema lab;
create table lab.samples (
  lab_id bigint not null,
  sample_code text not null check (sample_code ~ '^[A-Z]{2}[0-9]{5}$'),
  substance text not null,
  results numeric[] not null default '{}',
  taken_at timestamptz not null default now(),
  primary key (lab_id, sample_code)
);
create table lab.trail (
  lab_id bigint not null,
  trail_id uuid not null default gen_random_uuid(),
  sample_code text not null,
  op text not null check (op in ('INSERT', 'UPDATE', 'DELETE')),
  was jsonb,
  at timestamptz not null default clock_timestamp(),
  primary key (lab_id, trail_id)
);
create function lab.trace() returns trigger language plpgsql security definer set search_path = lab, pg_temp as $$
begin
  insert into lab.trail (lab_id, sample_code, op, was)
    values (coalesce(new.lab_id, old.lab_id), coalesce(new.sample_code, old.sample_code), tg_op, to_jsonb(old));
  return null;
end $$;
revoke execute on function lab.trace() from public;
create trigger trace after insert or update or delete on lab.samples for each row execute function lab.trace();
alter table lab.samples enable row level security;
alter table lab.samples force row level security;
alter table lab.trail enable row level security;
alter table lab.trail force row level security;
create policy lab on lab.samples using (lab_id = nullif(current_setting('lab.id', true), '')::bigint)
  with check (lab_id = nullif(current_setting('lab.id', true), '')::bigint);
create policy lab on lab.trail for select using (lab_id = nullif(current_setting('lab.id', true), '')::bigint);
grant usage on schema lab to lab_app;
grant select, insert, update, delete on lab.samples to lab_app;
grant select on lab.trail to lab_app;
insert into lab.samples (lab_id, sample_code, substance) values (1, 'AA00001', 'lead'), (2, 'AA00001', 'arsenic');
