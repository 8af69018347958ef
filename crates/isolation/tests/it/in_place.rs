//! Attacks of a database where it is: what they find, and that nothing and nobody notices them.

use std::{
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use novelfoundry_testkit::Database;

use crate::load::{self, Load};

const TENANTS: &str =
    "tenants = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222']";

/// A leak of each kind that can be shown in place, among tables that must be left alone.
const LEAKY: &str = "
create role {app} login password 'app';
create function context() returns uuid language sql stable as
  $$ select nullif(current_setting('app.tenant_id', true), '')::uuid $$;
create table tenants (tenant_id uuid primary key, name text not null);
create table notes (tenant_id uuid not null references tenants, note_id bigint generated always as identity,
  body text not null, primary key (tenant_id, note_id));
create table drafts (tenant_id uuid not null references tenants, draft_id bigserial, body text not null,
  primary key (tenant_id, draft_id));
create table letters (tenant_id uuid not null references tenants, letter_id uuid not null default gen_random_uuid(),
  body text not null, primary key (tenant_id, letter_id));
create table posts (tenant_id uuid not null references tenants, post_id uuid not null default gen_random_uuid(),
  body text not null, primary key (tenant_id, post_id));
create table handles (tenant_id uuid not null references tenants, handle text not null,
  primary key (tenant_id, handle), constraint handles_handle_key unique (handle));
create table open_at_night (tenant_id uuid not null references tenants, item_id uuid not null default gen_random_uuid(),
  body text not null, primary key (tenant_id, item_id));
insert into tenants values ('11111111-1111-4111-8111-111111111111', 'one'),
  ('22222222-2222-4222-8222-222222222222', 'other');
insert into notes (tenant_id, body) select tenant_id, 'a secret of ' || name from tenants;
do $$ declare name text; begin
  foreach name in array array['tenants', 'notes', 'letters', 'posts', 'handles', 'open_at_night'] loop
    execute format('alter table %I enable row level security, force row level security', name);
  end loop;
  foreach name in array array['tenants', 'notes', 'handles'] loop
    execute format('create policy tenant on %I using (tenant_id = context())', name);
  end loop;
end $$;
create policy sees on letters for select using (tenant_id = context());
create policy adds on letters for insert with check (tenant_id = context());
create policy changes on letters for update using (true);
create policy sees on posts for select using (tenant_id = context());
create policy adds on posts for insert with check (true);
create policy tenant on open_at_night using (tenant_id = coalesce(context(), tenant_id));
create function bodies() returns setof text language sql stable security definer set search_path = public, pg_temp
  as $$ select body from notes where tenant_id is not null $$;
create function draws() returns bigint language sql security definer as $$ select nextval('drafts_draft_id_seq') $$;
grant usage on schema public to {app};
grant select on tenants to {app};
grant select, insert, update, delete on notes, drafts, letters, posts, handles, open_at_night to {app};
";

const REPAIR: &str = "
alter table drafts enable row level security, force row level security;
create policy tenant on drafts using (tenant_id = context());
drop policy changes on letters;
create policy changes on letters for update using (tenant_id = context());
drop policy adds on posts;
create policy adds on posts for insert with check (tenant_id = context());
alter table handles drop constraint handles_handle_key;
drop policy tenant on open_at_night;
create policy tenant on open_at_night using (tenant_id = context());
alter function bodies() security invoker;
";

pub(crate) fn attack(directory: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_novelfoundry-isolation"))
        .arg("attack")
        .args(arguments)
        .current_dir(directory)
        .env_remove("DATABASE_URL")
        .env_remove("GITHUB_ACTIONS")
        .output()
        .unwrap()
}

/// Returns a directory with what is known.
pub(crate) fn known(lines: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("isolation.toml"), lines.join("\n")).unwrap();
    directory
}

/// Returns the leaks of a report as `rule object verb`.
fn leaks(output: &Output) -> Vec<String> {
    let report: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let mut leaks: Vec<String> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["kind"] == "leak")
        .map(|finding| {
            let word = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            format!("{} {} {}", word("rule"), word("object"), word("verb"))
        })
        .collect();
    leaks.sort();
    leaks
}

async fn drop_role(database: &Database, app: &str) {
    database.sql(&format!("drop owned by {app}; drop role {app}")).await.unwrap();
}

fn login(database: &Database, app: &str) -> String {
    let admin = &database.admin;
    format!("postgresql://{app}:app@/{}?host={}&port={}", admin.database, admin.host, admin.port)
}

#[tokio::test(flavor = "multi_thread")]
async fn leaks_are_found_where_they_are_and_gone_after_their_repair() {
    let database = Database::empty().await;
    let app = format!("nf_place_{}", std::process::id());
    database.sql(&LEAKY.replace("{app}", &app)).await.unwrap();
    let admin = database.admin.expose();
    let directory = known(&[&format!("app_role = \"{app}\"")]);
    let before = load::state(&database).await;

    let found = attack(directory.path(), &["--in-place", "--database-url", &admin, "--json", "-"]);
    let all = leaks(&found);
    for leak in [
        "reads-foreign-rows public.drafts select",
        "writes-foreign-rows public.drafts update",
        "writes-foreign-rows public.drafts delete",
        "plants-rows public.drafts insert",
        "writes-foreign-rows public.letters update",
        "plants-rows public.posts insert",
        "existence-oracle public.handles existence",
        "reads-foreign-rows public.open_at_night select",
        "reveals-through-call public.bodies execute",
    ] {
        assert!(all.iter().any(|found| found == leak), "{leak} is missed: {all:#?}");
    }
    assert!(
        all.iter().all(|leak| !leak.contains("public.notes") && !leak.contains("public.tenants")),
        "{all:#?}"
    );
    let said = String::from_utf8_lossy(&found.stdout);
    assert!(said.contains("public.draws is volatile"), "{said}");
    assert!(!said.contains("a secret of"), "what rows say stays out: {said}");

    // The app's own login sees the same, but for what only a connection without a context shows.
    let own = known(&[TENANTS]);
    let url = login(&database, &app);
    let found = attack(own.path(), &["--in-place", "--app-url", &url, "--json", "-"]);
    let fewer = leaks(&found);
    for leak in all.iter().filter(|leak| !leak.contains("open_at_night")) {
        assert!(fewer.contains(leak), "{leak} is missed by the app's login: {fewer:#?}");
    }
    assert_eq!(load::state(&database).await, before);

    database.sql(REPAIR).await.unwrap();
    for (directory, url) in [(&directory, ["--database-url", &admin]), (&own, ["--app-url", &url])] {
        let clean = attack(directory.path(), &[&["--in-place", "--json", "-"], &url[..]].concat());
        assert_eq!(leaks(&clean), Vec::<String>::new());
        assert_eq!(clean.status.code(), Some(0), "{}", String::from_utf8_lossy(&clean.stdout));
    }
    drop_role(&database, &app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_attacked_in_place_is_said() {
    let database = Database::empty().await;
    let app = format!("nf_said_{}", std::process::id());
    database.sql(&LEAKY.replace("{app}", &app)).await.unwrap();
    let admin = database.admin.expose();
    let refused = |lines: &[&str], arguments: &[&str], word: &str| {
        let output = attack(known(lines).path(), &[&["--in-place"], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(word), "{said}");
    };
    let role = format!("app_role = \"{app}\"");
    let nobody = "tenants = ['33333333-3333-4333-8333-333333333333', '44444444-4444-4444-8444-444444444444']";
    refused(&[&role, nobody], &["--database-url", &admin], "there is no tenant 33333333");
    refused(&[], &["--app-url", &login(&database, &app)], "no two tenants are known");
    refused(&[&role], &["--sql", "."], "--in-place");
    refused(&[&role], &["--database-url", &admin, "--with-data"], "--in-place");
    database.sql(REPAIR).await.unwrap();
    let other = "context = \"SET LOCAL app.other = '{tenant}'\"";
    refused(&[&role, other], &["--database-url", &admin], "nothing was proved");
    database.sql("create function opens(text) returns text language sql as $$ select nextval('drafts_draft_id_seq')::text $$").await.unwrap();
    refused(&[&role, "context = \"select opens('{tenant}')\""], &["--database-url", &admin], "nextval");
    let read_only = |value: &str| {
        format!("alter database {} set default_transaction_read_only = {value}", database.admin.database)
    };
    database.sql(&read_only("on")).await.unwrap();
    let clean = attack(known(&[&role]).path(), &["--in-place", "--database-url", &admin, "--json", "-"]);
    assert_eq!(clean.status.code(), Some(0), "what a database falls back to is no limit");
    database.sql(&format!("begin read write; {}; commit", read_only("off"))).await.unwrap();
    // A coordinator in the eyes of who asks the catalogue.
    let citus = "set allow_system_table_mods = on; insert into pg_extension (oid, extname, extowner, extnamespace, \
                 extrelocatable, extversion) values (16000, 'citus', 10, 'public'::regnamespace, false, '13.2')";
    database.sql(citus).await.unwrap();
    refused(&[&role], &["--database-url", &admin], "Citus does not hear");
    database.sql("delete from pg_extension where extname = 'citus'").await.unwrap();
    drop_role(&database, &app).await;
}

/// Runs an attack beside others who work, and returns what was seen of it.
async fn under_load(arguments: &[&str], beside: bool) -> (Output, Load) {
    let load = Load::start().await;
    let directory = known(&[&format!("app_role = \"{}\"", load.app)]);
    let url = load.database.admin.expose();
    let all: Vec<String> = arguments
        .iter()
        .map(ToString::to_string)
        .chain(["--database-url".into(), url, "--json".into(), "-".into()])
        .collect();
    let output = tokio::task::spawn_blocking(move || {
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        // What is over in a second is done again, so that others meet it.
        for _ in 0..if beside { 4 } else { 0 } {
            attack(directory.path(), &all);
        }
        attack(directory.path(), &all)
    })
    .await
    .unwrap();
    assert_eq!(beside, load.locks().iter().any(|lock| lock == "RowExclusiveLock"), "{:?}", load.locks());
    (output, load)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_under_load_does_not_notice_an_attack_in_place() {
    let (output, load) = under_load(&["--in-place"], true).await;
    let all = leaks(&output);
    for leak in ["reads-foreign-rows public.drafts select", "writes-foreign-rows public.drafts update"] {
        assert!(all.iter().any(|found| found == leak), "{leak} is missed: {all:#?}");
    }
    let said = String::from_utf8_lossy(&output.stdout);
    for object in ["public.notes_again", "public.shouts", "public.counted"] {
        assert!(said.contains(object), "{object} is left alone, and that is said: {said}");
    }
    load.unnoticed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_under_load_does_not_notice_an_attack_of_its_copy() {
    if !novelfoundry_testkit::can_dump() {
        return;
    }
    let (output, load) = under_load(&[], false).await;
    assert!(!leaks(&output).is_empty());
    load.unnoticed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attack_in_place_that_is_killed_leaves_nothing() {
    let database = Database::empty().await;
    let app = format!("nf_kill_{}", std::process::id());
    database.sql(&LEAKY.replace("{app}", &app)).await.unwrap();
    let before = load::state(&database).await;
    let directory = known(&[&format!("app_role = \"{app}\"")]);
    let busy = "select count(*)::text from pg_stat_activity where application_name = 'novelfoundry isolation' \
                and datname = current_database() and backend_xid is not null";
    let mut caught = 0;
    for _ in 0..5 {
        let mut process = Command::new(env!("CARGO_BIN_EXE_novelfoundry-isolation"))
            .args(["attack", "--in-place", "--database-url", &database.admin.expose()])
            .current_dir(directory.path())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while process.try_wait().unwrap().is_none() {
            if database.sql(busy).await.unwrap()[0][0].as_deref() != Some("0") {
                caught += 1;
                break;
            }
        }
        let _ = process.kill();
        process.wait().unwrap();
    }
    assert!(caught > 0, "no transaction was caught under way");
    let until = Instant::now() + Duration::from_secs(10);
    let there = "select count(*)::text from pg_stat_activity where application_name = 'novelfoundry isolation' \
                 and datname = current_database()";
    while database.sql(there).await.unwrap()[0][0].as_deref() != Some("0") {
        assert!(Instant::now() < until, "a session stays");
    }
    assert_eq!(load::state(&database).await, before);
    drop_role(&database, &app).await;
}

/// Whether a flag that tasks share is up.
pub(crate) fn is_up(flag: &Arc<AtomicBool>) -> bool {
    flag.load(Ordering::Relaxed)
}

/// Raises a shared number to another.
pub(crate) fn raise(number: &Arc<AtomicU64>, to: u64) {
    number.fetch_max(to, Ordering::Relaxed);
}
