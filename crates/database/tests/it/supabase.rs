//! A database as Supabase leaves it, migrated by its `postgres`, called and attacked by each of its roles.
//!
//! On a server of its own: roles belong to all databases of one.

mod opened;

use novelfoundry_core::{IdSource, Secret, UserId};
use novelfoundry_database::{
    DatabaseUrl, Migrator, NewWorkspace, Passwords, PoolOptions, RoleNames, RuntimeLogins, Statements,
    TenantDb, workspaces,
};
use novelfoundry_testkit::{TestIssuer, Testbed};
use serde_json::{Value, json};
use tokio_postgres::Client;

const PASSWORD: &str = "not-a-secret";
/// Whom the platform lets in besides `postgres`.
const ROLES: [&str; 5] = ["anon", "authenticated", "service_role", "authenticator", "supabase_auth_admin"];

/// Roles, grants and the schema of the platform's own accounts, as its documentation and source describe them.
const PLATFORM: &str = "
    grant anon, authenticated, service_role to authenticator;
    grant anon, authenticated, service_role to postgres;
    grant create, connect, temporary on database novelist to postgres;
    grant usage on schema public to anon, authenticated, service_role;
    grant create on schema public to postgres;
    alter default privileges for role postgres in schema public
      grant all on tables to anon, authenticated, service_role;
    alter default privileges for role postgres in schema public
      grant all on functions to anon, authenticated, service_role;
    alter default privileges for role postgres in schema public
      grant all on sequences to anon, authenticated, service_role;
    create schema auth authorization supabase_auth_admin;
    grant usage on schema auth to anon, authenticated, service_role, postgres;
    create table auth.users (id uuid primary key, email text);
    alter table auth.users owner to supabase_auth_admin;
    insert into auth.users values (gen_random_uuid(), 'anna@example.com');
    create function auth.uid() returns uuid language sql stable
      as $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
    alter function auth.uid() owner to supabase_auth_admin;";

/// Everything of the platform's that a migration could change.
const PLATFORM_STATE: &str = "
    select string_agg(line, E'\\n' order by line) from (
      select format('%s %s %s', oid::regclass, relacl, relowner::regrole) as line
        from pg_class where relnamespace in ('auth'::regnamespace, 'public'::regnamespace)
      union all
      select format('%s %s %s', oid::regprocedure, proacl, proowner::regrole)
        from pg_proc where pronamespace in ('auth'::regnamespace, 'public'::regnamespace)
      union all
      select format('%s %s', nspname, nspacl) from pg_namespace where nspname in ('auth', 'public')
      union all
      select format('%s %s %s', defaclrole::regrole, defaclnamespace, defaclacl) from pg_default_acl
       where defaclnamespace <> 0
      union all
      select format('%s %s %s %s %s', rolname, rolsuper, rolbypassrls, rolcreaterole, rolconfig) from pg_roles
       where rolname in ('postgres', 'anon', 'authenticated', 'service_role', 'authenticator', 'supabase_auth_admin')
    ) lines";

struct Supabase {
    testbed: Testbed,
    /// A superuser, whom nobody is on the platform.
    admin: DatabaseUrl,
    logins: RuntimeLogins,
}

impl Supabase {
    async fn make() -> Self {
        let testbed = Testbed::start(false).await;
        let make = [
            format!(
                "create role postgres login nosuperuser createdb createrole bypassrls password '{PASSWORD}'"
            ),
            "create role anon nologin noinherit".to_owned(),
            "create role authenticated nologin noinherit".to_owned(),
            "create role service_role nologin noinherit bypassrls".to_owned(),
            format!("create role authenticator login noinherit password '{PASSWORD}'"),
            format!("create role supabase_auth_admin login noinherit password '{PASSWORD}'"),
            "create database novelist owner postgres".to_owned(),
        ];
        for statement in make {
            testbed.database.sql(&statement).await.unwrap();
        }
        let admin = DatabaseUrl { database: "novelist".into(), ..testbed.database.admin.clone() };
        let database = &testbed.database;
        database.sql_as(&admin, PLATFORM).await.unwrap();
        let before = database.sql_as(&admin, PLATFORM_STATE).await.unwrap();

        let postgres = login(&admin, "postgres");
        let names = RoleNames::with_prefix("novelist").unwrap();
        let mut migrator = Migrator::connect(&postgres, names).await.unwrap();
        assert!(!migrator.migrate(|_| {}).await.unwrap().is_empty());
        let logins = migrator.set_passwords(&postgres, Passwords::generate()).await.unwrap();
        assert_eq!(
            database.sql_as(&admin, PLATFORM_STATE).await.unwrap(),
            before,
            "the platform stays as it was"
        );
        Self { testbed, admin, logins }
    }

    /// Connects as the platform does: its REST interface logs in as one role and becomes another.
    async fn connect(&self, role: &str) -> Client {
        let login_role = if role.starts_with("supabase") { role } else { "authenticator" };
        let client = self.testbed.database.connect_as(&login(&self.admin, login_role)).await.unwrap();
        if role != login_role {
            client.batch_execute(&format!("set role {role}")).await.unwrap();
        }
        client
    }

    async fn tenant_db(&self) -> TenantDb {
        let options = PoolOptions { size: 1, statements: Statements::Named };
        TenantDb::connect(&self.logins.tenant, "novelfoundry/test", options).await.unwrap()
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.testbed.database.sql_as(&self.admin, sql).await.unwrap();
        rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
    }
}

fn login(url: &DatabaseUrl, role: &str) -> DatabaseUrl {
    DatabaseUrl { user: role.into(), password: Some(Secret::new(PASSWORD)), ..url.clone() }
}

/// Returns the SQLSTATE that a statement is refused with; `None` where it is not.
async fn refusal(client: &Client, sql: &str) -> Option<String> {
    let error = client.simple_query(sql).await.err()?;
    Some(error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned()))
}

async fn refused(client: &Client, role: &str, sql: &str) {
    assert_eq!(refusal(client, sql).await.as_deref(), Some("42501"), "{role}: {sql}");
}

#[tokio::test]
async fn the_hook_answers_the_platform_s_account_server_alone() {
    let supabase = Supabase::make().await;
    let issuer = TestIssuer::start().await;
    let db = supabase.tenant_db().await;
    let claims = issuer.writer(&db).await;
    let hostile = json!({"tenant_id": issuer.id(), "app_metadata": {"tenant_id": issuer.id(), "provider": "email"},
        "user_metadata": {"tenant_id": issuer.id()}, "session_id": issuer.id(), "aal": "aal1"});
    let event = json!({"user_id": claims.user_id(), "claims": hostile, "authentication_method": "password"});
    let call = format!("select app.custom_access_token_hook($${event}$$)::text");
    let answer = async |client: &Client| -> Value {
        let row = client.query_one(&call, &[]).await.unwrap();
        serde_json::from_str(row.get(0)).unwrap()
    };
    let server = supabase.connect("supabase_auth_admin").await;
    let found = answer(&server).await;
    assert_eq!(
        found["claims"]["app_metadata"],
        json!({"provider": "email", "tenant_id": claims.tenant_id()})
    );
    assert_eq!((found["claims"].get("tenant_id"), &found["claims"]["aal"]), (None, &json!("aal1")));
    let ours = supabase.testbed.database.connect_as(&supabase.logins.issuer).await.unwrap();
    assert_eq!(answer(&ours).await, found);
    for owner in ["bypassrls", "nobypassrls"] {
        let alter = format!("alter role novelist_owner {owner}");
        supabase.testbed.database.sql(&alter).await.unwrap();
        assert_eq!(answer(&server).await, found, "{owner}");
    }
    for role in ["anon", "authenticated", "service_role", "authenticator"] {
        refused(&supabase.connect(role).await, role, &call).await;
    }
    let may = "select rolname from pg_roles r
                where has_function_privilege(r.oid, 'app.custom_access_token_hook(jsonb)', 'execute')
                  and has_schema_privilege(r.oid, 'app', 'usage')
                  and not rolsuper and rolname <> 'novelist_owner'
                order by rolname collate \"C\"";
    // `postgres` has them as a member of the owner.
    assert_eq!(supabase.texts(may).await, ["novelist_issuer", "postgres", "supabase_auth_admin"]);
    supabase.testbed.stop().await;
}

/// What a table is tried with: reading, writing, and taking it over.
const VERBS: [&str; 15] = [
    "select * from {t} limit 1",
    "select count(*) from {t}",
    "select 1 from {t} for update",
    "insert into {t} default values",
    "update {t} set {c} = {c}",
    "delete from {t}",
    "truncate {t}",
    "copy {t} to stdout",
    "copy (select * from {t}) to stdout",
    "do $$ begin lock table {t}; end $$",
    "alter table {t} disable row level security",
    "alter table {t} no force row level security",
    "create policy open on {t} using (true)",
    "grant select on {t} to public",
    "drop table {t}",
];

#[tokio::test]
async fn the_platform_s_roles_reach_nothing() {
    let supabase = Supabase::make().await;
    let issuer = TestIssuer::start().await;
    let db = supabase.tenant_db().await;
    let claims = issuer.writer(&db).await;
    let tables = "select c.oid::regclass || ' ' || quote_ident(a.attname)
                    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum = 1
                   where c.relnamespace in ('app'::regnamespace, 'issuer'::regnamespace)
                     and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')";
    let tables = supabase.texts(tables).await;
    assert!(tables.len() > 20, "{tables:?}");
    let functions = "select oid::regprocedure::text from pg_proc
                      where pronamespace in ('app'::regnamespace, 'issuer'::regnamespace)";
    let functions = supabase.texts(functions).await;
    assert!(functions.len() > 10, "{functions:?}");
    let context = json!({"sub": claims.user_id(), "app_metadata": {"tenant_id": claims.tenant_id()}});
    for role in ROLES {
        let client = supabase.connect(role).await;
        let set = format!("select set_config('request.jwt.claims', '{context}', false)");
        client.batch_execute(&set).await.unwrap();
        for (table, column) in tables.iter().map(|line| line.split_once(' ').unwrap()) {
            for verb in VERBS {
                refused(&client, role, &verb.replace("{t}", table).replace("{c}", column)).await;
            }
        }
        for function in &functions {
            let (name, types) = function.trim_end_matches(')').split_once('(').unwrap();
            let nulls: Vec<_> = types
                .split(',')
                .filter(|text| !text.is_empty())
                .map(|text| format!("null::{text}"))
                .collect();
            let call = format!("select {name}({})", nulls.join(", "));
            if role == "supabase_auth_admin" && name == "app.custom_access_token_hook" {
                assert_eq!(refusal(&client, &call).await, None);
            } else {
                refused(&client, role, &call).await;
            }
        }
        for other in ["owner", "tenant", "control", "issuer"] {
            refused(&client, role, &format!("set role novelist_{other}")).await;
            refused(&client, role, &format!("set session authorization novelist_{other}")).await;
            refused(&client, role, &format!("grant novelist_{other} to current_user")).await;
            refused(&client, role, &format!("alter role novelist_{other} password 'mine'")).await;
        }
        for statement in [
            "set role postgres",
            "create schema mine",
            "create function app.mine() returns int language sql as 'select 1'",
            "alter function app.tenant_id() owner to current_user",
            "create or replace function app.tenant_id() returns uuid language sql as 'select gen_random_uuid()'",
            "create view app.mine as select 1",
        ] {
            refused(&client, role, statement).await;
        }
        // Statistics show values of rows.
        for seen in ["pg_stats", "pg_stats_ext"] {
            let sql = format!("select 1 from {seen} where schemaname in ('app', 'issuer')");
            assert!(client.query(&sql, &[]).await.unwrap().is_empty(), "{role}: {seen}");
        }
    }
    assert_eq!(supabase.texts("select count(*)::text from app.projects").await, ["0"]);
    supabase.testbed.stop().await;
}

/// Two writers with a workspace and a project each.
async fn writers(supabase: &Supabase) -> [String; 2] {
    let issuer = TestIssuer::start().await;
    let db = supabase.tenant_db().await;
    let mut tenants = Vec::new();
    for name in ["Annas", "Brunos"] {
        let user = UserId::from_uuid(issuer.id());
        let workspace = NewWorkspace::for_claims(&issuer.claims(user, None).await, &IdSource::default());
        workspaces::create(&db, &workspace, name, None).await.unwrap();
        let tenant = workspace.tenant_id().to_string();
        let project = format!(
            "insert into app.projects (tenant_id, project_id, title, created_by)
             values ('{tenant}', gen_random_uuid(), '{name}', '{user}')"
        );
        supabase.testbed.database.sql_as(&supabase.admin, &project).await.unwrap();
        tenants.push(tenant);
    }
    tenants.try_into().unwrap()
}
