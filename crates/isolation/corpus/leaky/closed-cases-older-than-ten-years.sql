--: why = "A time window opens the policy: cases closed more than ten years ago match for every law firm, and since the policy is FOR ALL they can be deleted as well."
--: class = "policy-too-wide"
--: [isolation]
--: app_role = "firm_app"
--: tenant_column = "firm_id"
--: tenants = ["1", "2"]
--: context = "SET LOCAL app.firm = '{tenant}'"
--: [[expect]]
--: object = "law.cases"
--: verb = "select"
--: kind = "leak"
create role firm_app login;
create schema law;
create table law.firms (firm_id int primary key, name text not null);
create table law.cases (
  firm_id int not null references law.firms,
  case_no text not null check (case_no ~ '^[0-9]{4}/[0-9]+$'),
  client text not null,
  opened_on date not null,
  closed_on date,
  dossier jsonb not null default '{}',
  primary key (firm_id, case_no),
  constraint closes_after_opening check (closed_on >= opened_on)
);
alter table law.firms enable row level security, force row level security;
alter table law.cases enable row level security, force row level security;
create policy firm on law.firms for select using (firm_id = nullif(current_setting('app.firm', true), '')::int);
create policy firm on law.cases
  using (firm_id = nullif(current_setting('app.firm', true), '')::int or closed_on < current_date - interval '10 years')
  with check (firm_id = nullif(current_setting('app.firm', true), '')::int);
grant usage on schema law to firm_app;
grant select on law.firms to firm_app;
grant select, insert, update, delete on law.cases to firm_app;
insert into law.firms values (1, 'Ash & Oak'), (2, 'Thorn Partners');
insert into law.cases values
  (1, '2024/1', 'Mr. Pine', '2024-02-02', null, '{}'),
  (2, '1999/7', 'Mrs. Cedar', '1999-02-02', '2003-11-30', '{"verdict": "settled"}'),
  (2, '2024/3', 'Dr. Larch', '2024-03-03', null, '{}');
--- fix
alter policy firm on law.cases using (firm_id = nullif(current_setting('app.firm', true), '')::int);
