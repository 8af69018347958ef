--: why = "The group of all tenant roles is member of pg_read_all_stats: pg_stat_activity then shows each tenant the full text, literals included, of the others' running and last queries."
--: class = "statistics"
--: [isolation]
--: app_role = "law_gate"
--: tenant_column = "firm"
--: tenants = ["firm_adler", "firm_berg"]
--: principals = ["firm_adler", "firm_berg"]
--: context = "SET LOCAL ROLE {principal}"
--: [[expect]]
--: object = "role:pg_read_all_stats"
--: verb = "select"
--: kind = "leak"
create role law_gate login noinherit;
create role firms nologin;
create role firm_adler nologin;
create role firm_berg nologin;
grant firms to firm_adler, firm_berg;
grant firm_adler, firm_berg to law_gate;
grant pg_read_all_stats to firms;
create schema law;
create table law.cases (
  firm name not null default current_user,
  docket text not null check (docket ~ '^[0-9]{2,4}/[0-9]{2}$'),
  client text not null,
  opened date not null default current_date,
  primary key (firm, docket)
);
create table law.deadlines (
  firm name not null default current_user,
  docket text not null,
  due date not null,
  what text not null,
  primary key (firm, docket, due, what),
  foreign key (firm, docket) references law.cases on delete cascade
);
alter table law.cases enable row level security;
alter table law.cases force row level security;
alter table law.deadlines enable row level security;
alter table law.deadlines force row level security;
create policy firm on law.cases to firms using (firm = current_user) with check (firm = current_user);
create policy firm on law.deadlines to firms using (firm = current_user) with check (firm = current_user);
grant usage on schema law to firms;
grant select, insert, update, delete on law.cases, law.deadlines to firms;
insert into law.cases (firm, docket, client) values ('firm_adler', '12/25', 'Bakery Korn'), ('firm_berg', '77/24', 'Mayor Stein');
--- fix
revoke pg_read_all_stats from firms;
