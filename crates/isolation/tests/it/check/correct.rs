//! Designs that are unusual and right raise no alarm.

use std::fmt::Write;

use novelfoundry_isolation::{
    config::{Config, Statements},
    finding::Level,
};
use novelfoundry_testkit::Database;

use super::support::{app, begin, findings, shown, sql, superuser};

/// A tenant table by composite key that every design below has beside its own.
const NOTES: &str = "
    create table notes (tenant_id uuid not null, id uuid not null, body text, primary key (tenant_id, id));
    alter table notes enable row level security, force row level security;
    create policy p on notes
      using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
      with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
    grant select, insert, update, delete on notes to app_user;";

/// Name, statements, and the warnings that it may raise: what is one step away there.
const DESIGNS: &[(&str, &str, &[&str])] = &[
    (
        "composite foreign keys",
        "create table lines (tenant_id uuid not null, note uuid not null, line int not null,
           primary key (tenant_id, note, line), foreign key (tenant_id, note) references notes (tenant_id, id) on delete cascade);
         alter table lines enable row level security, force row level security;
         create policy p on lines using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
           with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         grant select, insert, update, delete on lines to app_user;",
        &[],
    ),
    (
        "random keys and references to them",
        "create table docs (id uuid primary key default gen_random_uuid(), tenant_id uuid not null);
         create table pages (id uuid primary key default gen_random_uuid(), tenant_id uuid not null,
           doc uuid not null references docs (id) on delete cascade);
         alter table docs enable row level security, force row level security;
         alter table pages enable row level security, force row level security;
         create policy p on docs using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         create policy p on pages using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         grant select, insert, update, delete on docs, pages to app_user;",
        &[],
    ),
    (
        "reference tables that all read",
        "create table countries (code text primary key, name text not null unique);
         alter table notes add country text references countries;
         create table plans (plan int generated always as identity primary key, price int);
         alter table plans enable row level security, force row level security;
         create policy everyone on plans for select using (true);
         grant select on countries, plans to app_user;",
        &[],
    ),
    (
        "views of the caller, and of an owner who is bound",
        "create view recent with (security_invoker = on) as select * from notes;
         alter table notes owner to app_owner;
         create view own as select * from notes; alter view own owner to app_owner;
         create view counts as select count(*) from own; alter view counts owner to app_owner;
         grant select on recent, own, counts to app_user;",
        &[],
    ),
    (
        "a definer function that checks the tenant",
        "create function note_bodies() returns setof text language sql stable security definer
           set search_path = pg_catalog, pg_temp
           as $$ select n.body from public.notes n where n.tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid $$;
         create function rename(note uuid, name text) returns void language plpgsql security definer
           set search_path = '' as $$
         begin
           update public.notes set body = name
            where id = note and tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid;
         end $$;",
        &[],
    ),
    (
        "memberships decide",
        "create table members (tenant_id uuid not null, person uuid not null, primary key (tenant_id, person));
         alter table members enable row level security, force row level security;
         create policy own on members for select
           using (person = nullif(current_setting('app.user_id', true), '')::uuid);
         create table docs (tenant_id uuid not null, id uuid not null, primary key (tenant_id, id));
         alter table docs enable row level security, force row level security;
         create policy m on docs using (tenant_id in (select m.tenant_id from members m
           where m.person = nullif(current_setting('app.user_id', true), '')::uuid));
         grant select on members to app_user;
         grant select, insert, update, delete on docs to app_user;",
        &[],
    ),
    (
        "partitions, each protected, and children out of reach",
        "create table events (tenant_id uuid not null, at date not null, what text) partition by range (at);
         create table events_a partition of events for values from ('2026-01-01') to ('2026-07-01');
         create table events_b partition of events for values from ('2026-07-01') to ('2027-01-01');
         create index on events (tenant_id);
         alter table events enable row level security, force row level security;
         alter table events_a enable row level security, force row level security;
         create policy p on events using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         create policy p on events_a using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         grant select, insert on events, events_a to app_user;",
        &[],
    ),
    (
        "soft deletion by a restrictive policy",
        "alter table notes add deleted_at timestamptz;
         create policy alive on notes as restrictive for select using (deleted_at is null);",
        &[],
    ),
    (
        "an open policy that a restrictive one narrows",
        "create table docs (tenant_id uuid not null, id uuid not null, primary key (tenant_id, id));
         alter table docs enable row level security, force row level security;
         create policy anything on docs using (true) with check (true);
         create policy own on docs as restrictive
           using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         grant select, insert, update, delete on docs to app_user;",
        &[],
    ),
    (
        "share links by token",
        "create table shares (tenant_id uuid not null, note uuid not null, token_hash bytea not null unique,
           primary key (tenant_id, note), foreign key (tenant_id, note) references notes (tenant_id, id));
         alter table shares enable row level security, force row level security;
         create policy p on shares using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         create policy token on shares for select
           using (token_hash = sha256(convert_to(nullif(current_setting('app.share_token', true), ''), 'UTF8')));
         create function shared_note(token text) returns text language sql stable security definer
           set search_path = pg_catalog, pg_temp
           as $$ select n.body from public.notes n join public.shares s on s.tenant_id = n.tenant_id and s.note = n.id
                  where s.token_hash = sha256(convert_to(token, 'UTF8')) $$;
         revoke execute on function shared_note(text) from public;
         grant execute on function shared_note(text) to app_user;
         grant select, insert on shares to app_user;",
        &[],
    ),
    (
        "the tenants themselves, each its own",
        "create table tenants (id uuid primary key, name text not null);
         alter table notes add foreign key (tenant_id) references tenants (id) on delete cascade;
         alter table tenants enable row level security, force row level security;
         create policy own on tenants using (id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         grant select, update (name) on tenants to app_user;",
        &[],
    ),
    (
        "children without the column, through their parent",
        "create table docs (tenant_id uuid not null, id uuid not null, primary key (id));
         create table pages (doc uuid not null references docs (id), number int not null, primary key (doc, number));
         alter table docs enable row level security, force row level security;
         alter table pages enable row level security, force row level security;
         create policy p on docs using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         create policy p on pages using (exists (select from docs d where d.id = pages.doc));
         grant select, insert, update, delete on docs, pages to app_user;",
        &[],
    ),
    (
        "published rows for everybody",
        "alter table notes add published boolean not null default false;
         create policy published on notes for select using (published);",
        &["policy-ignores-tenant"],
    ),
    (
        "a wake-up without a payload, and a letter box",
        "create table outbox (id uuid primary key, body jsonb);
         create function wake() returns trigger language plpgsql as $$ begin perform pg_notify('work', ''); return null; end $$;
         create trigger wake after insert on notes for each statement execute function wake();
         grant insert on outbox to app_user;",
        &[],
    ),
    (
        "shared templates beside the tenants' own",
        "create table templates (tenant_id uuid, id uuid primary key, body text);
         create index on templates (tenant_id);
         alter table templates enable row level security, force row level security;
         create policy read on templates for select
           using (tenant_id is null or tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         create policy write on templates for insert
           with check (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
         grant select, insert on templates to app_user;",
        &[],
    ),
    (
        "an operator's role with a policy of its own",
        "create policy operator on notes for select to reporting using (true);
         grant select on notes to reporting;",
        &[],
    ),
];

#[tokio::test]
async fn designs_that_are_right_raise_no_alarm() {
    let database = Database::empty().await;
    let mut session = superuser(&database).await;
    let mut wrong = String::new();
    for (name, statements, allowed) in DESIGNS {
        begin(&mut session).await;
        sql(&mut session, name, NOTES).await;
        sql(&mut session, name, statements).await;
        let mut found = findings(&mut session, &app()).await;
        found.retain(|finding| !allowed.contains(&finding.rule.as_str()));
        let alarms = shown(&found, Level::Warning);
        if !alarms.is_empty() {
            writeln!(wrong, "{name}:\n{alarms}").unwrap();
        }
        session.run("rollback").await.unwrap();
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn a_role_for_each_tenant_is_no_escape() {
    let database = Database::empty().await;
    let mut session = superuser(&database).await;
    begin(&mut session).await;
    sql(
        &mut session,
        "a role a tenant",
        "create role tenants nologin; create role t_anna nologin; create role t_bruno nologin;
         grant tenants to t_anna, t_bruno;
         alter role app_user noinherit; grant t_anna, t_bruno to app_user;
         create table notes (tenant text not null default current_user, id uuid not null, primary key (tenant, id));
         alter table notes enable row level security, force row level security;
         create policy p on notes using (tenant = current_user) with check (tenant = current_user);
         grant select, insert, update, delete on notes to tenants;",
    )
    .await;
    let context = Some(Statements::One("SET LOCAL ROLE {principal}".to_owned()));
    for config in [Config { context, ..app() }, app()] {
        let found = findings(&mut session, &config).await;
        assert!(shown(&found, Level::Warning).is_empty(), "{}", shown(&found, Level::Warning));
    }
    session.run("rollback").await.unwrap();
}
