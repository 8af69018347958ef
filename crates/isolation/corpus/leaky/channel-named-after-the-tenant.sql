--: why = "Row ids and states go out on channel 'tenant_<id>'; ids are small numbers, so anyone can LISTEN on the channels of the others."
--: class = "listen"
--: [isolation]
--: app_role = "app_user"
--: tenant_column = "tenant_id"
--: tenants = ["1", "2"]
--: context = "SET LOCAL app.tenant_id = '{tenant}'"
--: [[expect]]
--: object = "jobs.announce"
--: verb = "listen"
--: kind = "leak"
create role app_user login;
create schema jobs;
create table jobs.tenants (
  tenant_id int primary key,
  name text not null
);
create table jobs.prints (
  tenant_id int not null references jobs.tenants,
  job_no int not null,
  file_name text not null,
  pages int not null default 1 check (pages > 0),
  state text not null default 'queued' check (state in ('queued', 'printing', 'done', 'failed')),
  primary key (tenant_id, job_no)
);
create function jobs.announce() returns trigger language plpgsql security definer set search_path = jobs, pg_temp as $$
begin
  perform pg_notify('tenant_' || new.tenant_id, format('%s %s %s', new.job_no, new.state, new.file_name));
  return null;
end $$;
revoke execute on function jobs.announce() from public;
create trigger announce after insert or update on jobs.prints for each row execute function jobs.announce();
alter table jobs.tenants enable row level security;
alter table jobs.tenants force row level security;
alter table jobs.prints enable row level security;
alter table jobs.prints force row level security;
create policy t on jobs.tenants for select using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int);
create policy t on jobs.prints using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int)
  with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int);
grant usage on schema jobs to app_user;
grant select on jobs.tenants to app_user;
grant select, insert, update, delete on jobs.prints to app_user;
insert into jobs.tenants (tenant_id, name) values (1, 'Copy Corner'), (2, 'Plot House');
insert into jobs.prints (tenant_id, job_no, file_name) values (1, 1, 'menu.pdf'), (2, 1, 'merger.pdf');
--- fix
drop trigger announce on jobs.prints;
