--: why = "lib.add_note is a SECURITY DEFINER procedure that takes the branch as an argument and writes there, whatever branch the caller's context says."
--: class = "definer-function"
--: [isolation]
--: app_role = "library_app"
--: tenant_column = "branch"
--: tenants = ["north", "south"]
--: context = "SET LOCAL library.branch = '{tenant}'"
--: [[expect]]
--: object = "lib.add_note"
--: verb = "execute"
--: kind = "leak"
create role library_app login;
create schema lib;
create table lib.copies (
  branch text not null,
  barcode text not null check (barcode ~ '^[0-9]{6}$'),
  title text not null,
  shelf text,
  state text not null default 'in' check (state in ('in', 'out', 'lost')),
  primary key (branch, barcode)
);
create table lib.notes (
  branch text not null,
  barcode text not null,
  note_id uuid not null default gen_random_uuid(),
  body text not null check (body <> ''),
  written timestamptz not null default now(),
  primary key (branch, note_id),
  foreign key (branch, barcode) references lib.copies on delete cascade
);
alter table lib.copies enable row level security;
alter table lib.copies force row level security;
alter table lib.notes enable row level security;
alter table lib.notes force row level security;
create policy b on lib.copies using (branch = nullif(current_setting('library.branch', true), ''))
  with check (branch = nullif(current_setting('library.branch', true), ''));
create policy b on lib.notes for select using (branch = nullif(current_setting('library.branch', true), ''));
create procedure lib.add_note(p_branch text, p_barcode text, p_body text)
language plpgsql security definer set search_path = lib, pg_temp as $$
begin
  insert into lib.notes (branch, barcode, body)
    select c.branch, c.barcode, btrim(p_body) from lib.copies c where c.branch = p_branch and c.barcode = p_barcode;
end $$;
grant usage on schema lib to library_app;
grant select, insert, update, delete on lib.copies to library_app;
grant select on lib.notes to library_app;
insert into lib.copies (branch, barcode, title) values
  ('north', '100001', 'Kidnapped'), ('north', '100002', 'Emma'), ('south', '100001', 'Dracula');
insert into lib.notes (branch, barcode, body) values ('north', '100001', 'spine torn'), ('south', '100001', 'signed by a reader');
--- fix
create or replace procedure lib.add_note(p_branch text, p_barcode text, p_body text)
language plpgsql security definer set search_path = lib, pg_temp as $$
begin
  insert into lib.notes (branch, barcode, body)
    select c.branch, c.barcode, btrim(p_body) from lib.copies c where c.branch = p_branch and c.barcode = p_barcode
      and c.branch = nullif(current_setting('library.branch', true), '');
end $$;
