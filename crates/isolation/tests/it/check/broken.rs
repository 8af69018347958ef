//! Our own schema, broken in one place at a time: the check names the place.

use novelfoundry_isolation::{catalog, check::judge, config::Config, finding::Level, session::Session};
use novelfoundry_testkit::Database;

use super::support::{shown, superuser};

async fn alarms(session: &mut Session, statement: &str, object: &str) -> Result<(), String> {
    session.run("begin").await.unwrap();
    session.run(statement).await.unwrap();
    session.run("set local search_path = ''").await.unwrap();
    let catalog = catalog::load(session).await.unwrap();
    let config = Config { app_role: Some("novelfoundry_tenant".to_owned()), ..Config::default() };
    let found = judge(&catalog, &config).unwrap().findings;
    session.run("rollback").await.unwrap();
    if found.iter().any(|finding| finding.level >= Level::Warning && finding.object == object) {
        return Ok(());
    }
    Err(format!("{statement}\nis not seen at {object}:\n{}", shown(&found, Level::Info)))
}

#[tokio::test]
async fn every_table_is_missed_when_it_is_opened() {
    let database = Database::fresh().await;
    let mut session = superuser(&database).await;
    let tables = "select c.relname, (select p.polname from pg_policy p where p.polrelid = c.oid and p.polroles @> array['novelfoundry_tenant'::regrole::oid]) \
        from pg_class c where c.relnamespace = 'app'::regnamespace and c.relkind = 'r' and has_any_column_privilege('novelfoundry_tenant', c.oid, 'select') \
        and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') order by 1";
    let rows = session.run(tables).await.unwrap().rows;
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let (table, policy) = (row[0].clone().unwrap(), row[1].clone().unwrap());
        let object = format!("app.{table}");
        for statement in [
            format!("alter table {object} disable row level security"),
            format!("alter table {object} no force row level security"),
            format!("alter policy {policy} on {object} using (true)"),
            format!("alter policy {policy} on {object} using (tenant_id = tenant_id)"),
            format!(
                "alter policy {policy} on {object} using (app.tenant_id() is null or tenant_id = app.tenant_id())"
            ),
            format!("alter policy {policy} on {object} with check (true)"),
            format!("alter policy {policy} on {object} to public using (true)"),
            format!(
                "create policy more on {object} for delete using (true); grant delete on {object} to novelfoundry_tenant"
            ),
            format!("grant truncate on {object} to novelfoundry_tenant"),
            format!("grant trigger on {object} to public; grant usage on schema app to public"),
            format!(
                "create view app.leak as select * from {object}; grant select on app.leak to novelfoundry_tenant"
            ),
        ] {
            let at = if statement.contains("app.leak") { "app.leak" } else { &object };
            // Where the column is not the login's to write, WITH CHECK has nothing to hold back.
            if statement.ends_with("with check (true)") {
                let writes = format!(
                    "select has_column_privilege('novelfoundry_tenant', '{object}', 'tenant_id', 'insert')"
                );
                if session.run(&writes).await.unwrap().value() == Some("f") {
                    continue;
                }
            }
            alarms(&mut session, &statement, at).await.unwrap();
        }
    }
}

#[tokio::test]
async fn roles_functions_and_keys_are_missed_when_they_are_weakened() {
    let database = Database::fresh().await;
    let mut session = superuser(&database).await;
    for (statement, object) in [
        ("alter role novelfoundry_tenant bypassrls", "role:novelfoundry_tenant"),
        ("alter role novelfoundry_tenant superuser", "role:novelfoundry_tenant"),
        ("alter role novelfoundry_tenant createrole", "role:novelfoundry_tenant"),
        ("alter role novelfoundry_tenant replication", "role:novelfoundry_tenant"),
        ("grant novelfoundry_owner to novelfoundry_tenant", "role:novelfoundry_owner"),
        ("grant novelfoundry_control to novelfoundry_tenant", "role:novelfoundry_control"),
        ("grant pg_read_all_data to novelfoundry_tenant", "role:pg_read_all_data"),
        ("alter table app.projects owner to novelfoundry_tenant", "role:novelfoundry_tenant"),
        ("grant create on schema app to novelfoundry_tenant", "role:novelfoundry_tenant"),
        ("alter role novelfoundry_tenant set app.tenant_id = 'x'", "role:novelfoundry_tenant"),
        ("alter function app.tenant_id() immutable", "app.tenant_id"),
        ("alter function app.claimed_tenant_id() immutable", "app.claimed_tenant_id"),
        (
            "alter function app.require_workspace_room(uuid, uuid) reset search_path",
            "app.require_workspace_room",
        ),
        ("alter table app.projects add unique (title)", "app.projects"),
        (
            "alter table app.projects add number int unique; alter table app.manuscripts add number int references app.projects (number)",
            "app.manuscripts",
        ),
        (
            "alter table app.analyses add foreign key (tenant_id, project_id) references app.projects on delete set null",
            "app.analyses",
        ),
        (
            "alter default privileges for role novelfoundry_owner in schema app grant select on tables to novelfoundry_tenant",
            "role:novelfoundry_owner",
        ),
        ("grant insert on app.plans to novelfoundry_tenant", "app.plans"),
    ] {
        alarms(&mut session, statement, object).await.unwrap();
    }
}
