//! The lean binary as a team with a schema of its own meets it.

use std::process::{Command, Output};

use novelfoundry_testkit::Database;

const SCHEMA: &str = "
create role {app} login;
create table notes (tenant_id uuid not null, note_id uuid not null default gen_random_uuid(), body text not null,
  primary key (tenant_id, note_id));
create table drafts (like notes including all);
alter table notes enable row level security, force row level security;
create policy tenant on notes using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
grant select, insert, update, delete on notes, drafts to {app};
insert into notes (tenant_id, body) values ('11111111-1111-4111-8111-111111111111', 'one''s own'),
  ('22222222-2222-4222-8222-222222222222', 'a secret of somebody else''s');
";

const REPAIR: &str = "
alter table drafts enable row level security, force row level security;
create policy tenant on drafts using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);
";

fn run(directory: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_novelfoundry-isolation"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("DATABASE_URL")
        .env_remove("GITHUB_ACTIONS")
        .output()
        .unwrap()
}

/// What the source consists of, as far as an attack could have changed it.
async fn state(database: &Database) -> String {
    let rows = database.sql("select string_agg(t::text, ',' order by t::text) from notes t").await.unwrap();
    let roles = database.sql("select count(*)::text from pg_roles").await.unwrap();
    let databases =
        database.sql("select count(*)::text from pg_database where datname = 'attacked'").await.unwrap();
    format!("{rows:?} {roles:?} {databases:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leak_fails_and_its_repair_passes_and_the_source_is_as_it_was() {
    let database = Database::empty().await;
    let app = format!("nf_app_{}", std::process::id());
    database.sql(&SCHEMA.replace("{app}", &app)).await.unwrap();
    let before = state(&database).await;
    let directory = tempfile::tempdir().unwrap();
    let url = database.admin.expose();
    std::fs::write(directory.path().join("isolation.toml"), format!("app_role = \"{app}\"\n")).unwrap();

    let output = run(directory.path(), &["attack", "--database-url", &url, "--json", "-"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let objects: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["kind"] == "leak")
        .map(|finding| finding["object"].as_str().unwrap())
        .collect();
    assert!(objects.iter().all(|object| *object == "public.drafts") && !objects.is_empty(), "{objects:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("a secret of"), "rows stay out of the report");
    assert_eq!(state(&database).await, before);

    database.sql(REPAIR).await.unwrap();
    let output = run(directory.path(), &["attack", "--database-url", &url]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let output = run(directory.path(), &["check", "--database-url", &url]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));

    std::fs::write(
        directory.path().join("isolation.toml"),
        format!("app_role = \"{app}\"\ncontext = \"SET LOCAL app.other = '{{tenant}}'\"\n"),
    )
    .unwrap();
    let output = run(directory.path(), &["attack", "--database-url", &url]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing was proved"));
    database.sql(&format!("drop owned by {app}; drop role {app}")).await.unwrap();
}

#[test]
fn pages_and_roles_are_printed_without_a_database() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(directory.path(), &["explain", "reads-foreign-rows"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("## Fix"));
    let output = run(directory.path(), &["check", "--print-role"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("CREATE ROLE"));
    let output = run(directory.path(), &["attack"]);
    assert_eq!(output.status.code(), Some(2));
}
