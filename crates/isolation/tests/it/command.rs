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
    // Other tests make roles meanwhile, with the ids of their processes.
    let pid = std::process::id();
    let count = format!("select count(*)::text from pg_roles where rolname !~ '^nf_' or rolname ~ '_{pid}$'");
    let roles = database.sql(&count).await.unwrap();
    let databases =
        database.sql("select count(*)::text from pg_database where datname = 'attacked'").await.unwrap();
    format!("{rows:?} {roles:?} {databases:?}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leak_fails_and_its_repair_passes_and_the_source_is_as_it_was() {
    if !novelfoundry_testkit::can_dump() {
        return;
    }
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

/// A database that leads back to itself, and acts on its own.
const LOOP: &str = "
create role {app} login;
create table notes (tenant_id int not null, note_no int not null, body text not null, primary key (tenant_id, note_no));
alter table notes enable row level security, force row level security;
create policy tenant on notes using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int);
create table happened (at timestamptz not null default clock_timestamp());
create function happens() returns event_trigger language plpgsql as $$ begin insert into happened default values; end $$;
create function find(p_body text) returns setof notes language sql security definer set search_path = public, pg_temp
  as $$ select * from notes where body = p_body $$;
create extension postgres_fdw;
create server loop foreign data wrapper postgres_fdw options (host '{host}', port '{port}', dbname '{database}');
create user mapping for {app} server loop options (user '{user}', password '{password}');
create foreign table notes_again (tenant_id int not null, note_no int not null, body text not null)
  server loop options (table_name 'notes');
grant select, insert, update, delete on notes, notes_again to {app};
insert into notes values (1, 1, 'one''s own'), (2, 1, 'a secret of somebody else''s');
create event trigger watches on ddl_command_end execute function happens();
";

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_leads_back_to_itself_is_left_as_it_was() {
    if !novelfoundry_testkit::can_dump() {
        return;
    }
    let database = Database::empty().await;
    let app = format!("nf_loop_{}", std::process::id());
    let admin = &database.admin;
    let schema = LOOP
        .replace("{app}", &app)
        .replace("{host}", &admin.host)
        .replace("{port}", &admin.port.to_string())
        .replace("{database}", &admin.database)
        .replace("{user}", &admin.user)
        .replace("{password}", admin.password.as_ref().unwrap().expose());
    database.sql(&schema).await.unwrap();
    let look = "select (select string_agg(t::text, ',' order by t::text) from notes t), (select count(*)::text from happened)";
    let before = database.sql(look).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("isolation.toml"), format!("app_role = \"{app}\"\n")).unwrap();
    let output = run(directory.path(), &["attack", "--database-url", &admin.expose(), "--json", "-"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(database.sql(look).await.unwrap(), before);
    // What the copy shows is seen all the same, and what was taken from it is said.
    for object in ["public.notes_again", "public.find"] {
        assert!(said.contains(object), "{object}: {said}");
    }
    assert!(said.contains("event triggers are switched off"), "{said}");
    assert!(!said.contains("a secret of"), "what rows say stays out: {said}");
    database.sql(&format!("drop event trigger watches; drop owned by {app}; drop role {app}")).await.unwrap();
}

/// Starts an attack whose copies lie in a directory, and waits until one is there.
fn underway(directory: &std::path::Path) -> std::process::Child {
    let mut process = Command::new(env!("CARGO_BIN_EXE_novelfoundry-isolation"))
        .args(["attack", "--sql", "schema.sql"])
        .current_dir(directory)
        .env("TMPDIR", directory.join("copies"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while !copies(directory).iter().any(|copy| copy.join("data/postgres.log").exists()) {
        assert!(
            process.try_wait().unwrap().is_none() && std::time::Instant::now() < until,
            "no copy appears"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    process
}

fn copies(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(directory.join("copies")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_run_that_is_stopped_leaves_no_copy_and_one_that_is_killed_leaves_it_to_the_next() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = tempfile::Builder::new().prefix("nf-iso-").tempdir_in("/tmp").unwrap();
    let directory = root.path();
    std::fs::create_dir(directory.join("copies")).unwrap();
    for place in [directory, &directory.join("copies")] {
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    std::fs::write(directory.join("schema.sql"), SCHEMA.replace("{app}", "app_user")).unwrap();
    let mut process = underway(directory);
    let pid = process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().code(), Some(130));
    assert_eq!(copies(directory), Vec::<std::path::PathBuf>::new());

    let mut process = underway(directory);
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(copies(directory).len(), 1);
    let output = Command::new(env!("CARGO_BIN_EXE_novelfoundry-isolation"))
        .args(["attack", "--sql", "schema.sql"])
        .current_dir(directory)
        .env("TMPDIR", directory.join("copies"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(copies(directory), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_attack_ask_alike_where_two_roles_could_be_the_apps() {
    if !novelfoundry_testkit::can_dump() {
        return;
    }
    let database = Database::empty().await;
    let roles = ["one", "other"].map(|name| format!("nf_either_{name}_{}", std::process::id()));
    for role in &roles {
        database.sql(&format!("create role {role} login")).await.unwrap();
    }
    let both = roles.join(", ");
    let schema = "create table notes (tenant_id int primary key); grant select, insert on notes to";
    database.sql(&format!("{schema} {both}")).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let url = database.admin.expose();
    for command in ["check", "attack"] {
        let output = run(directory.path(), &[command, "--database-url", &url]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}: {said}");
        assert!(roles.iter().all(|role| said.contains(role.as_str())), "{command}: {said}");
    }
    database.sql(&format!("drop owned by {both}; drop role {both}")).await.unwrap();
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
