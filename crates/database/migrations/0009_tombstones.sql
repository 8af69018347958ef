-- no transaction
-- A tombstone outlives the backups that know its object: it is applied again at every due_at until keep_until.
--
-- Each statement can run again. Programs before this one do not know due_at: rows of theirs are due at once, and stay
-- for as long as the newer program is told. object_tombstones_due, on keep_until, serves those programs alone.

alter table app.object_tombstones add column if not exists due_at timestamptz not null default now();
comment on column app.object_tombstones.due_at is
  'When the object is deleted again. Moved on by who takes that up, so that a failure neither blocks others nor is lost.';
comment on column app.object_tombstones.keep_until is
  'When no ticket and no backup can bring the object back: it is deleted a last time, then the tombstone goes.';
grant update (due_at) on app.object_tombstones to :"control";
comment on column app.session_tenants.activated_at is
  'When the session last activated a workspace. Forgotten after 400 days; the session is then in its person''s default.';
--;
create index concurrently if not exists object_tombstones_next on app.object_tombstones (due_at);
--;
create index concurrently if not exists session_tenants_oldest on app.session_tenants (activated_at);
