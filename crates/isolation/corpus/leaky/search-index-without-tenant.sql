--: why = "A definer trigger keeps the words of all documents in search.entries; the table has no tenant column and no RLS, and the app role selects from it."
--: class = "derived"
--: [isolation]
--: app_role = "docs_app"
--: tenant_column = "team_id"
--: tenants = ["12", "13"]
--: context = "SET LOCAL docs.team = '{tenant}'"
--: [[expect]]
--: object = "search.entries"
--: verb = "select"
--: kind = "leak"
create role docs_app login;
create schema docs;
create schema search;
create table docs.documents (
  team_id int not null,
  doc_id uuid not null default gen_random_uuid(),
  title text not null,
  body text not null default '',
  archived boolean not null default false,
  primary key (team_id, doc_id)
);
create table search.entries (
  doc_id uuid primary key,
  words tsvector not null,
  snippet text generated always as (left(words::text, 120)) stored
);
create index on search.entries using gin (words);
create function search.reindex() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  if tg_op <> 'INSERT' then
    delete from search.entries e where e.doc_id = old.doc_id;
  end if;
  if tg_op <> 'DELETE' then
    insert into search.entries (doc_id, words) values (new.doc_id, to_tsvector('pg_catalog.simple', new.title || ' ' || new.body));
  end if;
  return null;
end $$;
revoke execute on function search.reindex() from public;
create trigger reindex after insert or update or delete on docs.documents for each row execute function search.reindex();
alter table docs.documents enable row level security;
alter table docs.documents force row level security;
create policy team on docs.documents using (team_id = nullif(current_setting('docs.team', true), '')::int)
  with check (team_id = nullif(current_setting('docs.team', true), '')::int);
grant usage on schema docs, search to docs_app;
grant select, insert, update, delete on docs.documents to docs_app;
grant select on search.entries to docs_app;
insert into docs.documents (team_id, title, body) values (12, 'Picnic', 'bring salad'), (13, 'Layoffs', 'eleven people in June');
--- fix
alter table search.entries enable row level security;
alter table search.entries force row level security;
create policy readable on search.entries for select using (exists (select from docs.documents d where d.doc_id = entries.doc_id));
