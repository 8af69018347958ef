//! The door that ships closed, opened in a scratch database: SELECT for `authenticated`, by the claims of its token.

use futures_util::TryStreamExt;
use serde_json::{Value, json};
use tokio_postgres::{Client, SimpleQueryMessage};

use super::{Supabase, VERBS, refusal, refused, writers};

/// What is opened.
const TABLES: [&str; 3] = ["app.tenants", "app.memberships", "app.projects"];

async fn open(supabase: &Supabase) {
    let run = async |sql: &str| {
        let postgres = super::login(&supabase.admin, "postgres");
        supabase.testbed.database.sql_as(&postgres, &format!("set role novelist_owner; {sql}")).await.unwrap()
    };
    run("grant usage on schema app to authenticated").await;
    run("grant execute on function app.tenant_id(), app.claimed_tenant_id() to authenticated").await;
    for table in TABLES {
        run(&format!("grant select on {table} to authenticated")).await;
    }
    let client = supabase.connect("authenticated").await;
    for table in TABLES {
        assert_eq!(rows(&client, None, &format!("select 1 from {table}")).await.unwrap().len(), 0, "{table}");
    }
    for table in TABLES {
        let policy = format!(
            "create policy rest on {table} for select to authenticated using (tenant_id = app.tenant_id())"
        );
        run(&policy).await;
    }
}

/// Runs statements, in one transaction, as the platform does: claims first. Returns the first fields of the last one.
async fn rows(
    client: &Client,
    claims: Option<&str>,
    sql: &str,
) -> Result<Vec<String>, tokio_postgres::Error> {
    client.batch_execute("begin").await?;
    let answer = async {
        if let Some(claims) = claims {
            client.execute("select set_config('request.jwt.claims', $1, true)", &[&claims]).await?;
        }
        client.simple_query(sql).await
    }
    .await;
    client.batch_execute("rollback").await?;
    let fields = answer?.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    });
    Ok(fields.collect())
}

fn claims(tenant: impl Into<Value>) -> String {
    json!({"sub": "x", "role": "authenticated", "app_metadata": {"tenant_id": tenant.into()}}).to_string()
}

#[tokio::test]
async fn opened_the_rest_role_reads_its_claims_tenant_and_no_other() {
    let supabase = Supabase::make().await;
    let [anna, bruno] = writers(&supabase).await;
    open(&supabase).await;
    let client = supabase.connect("authenticated").await;
    for (tenant, name) in [(&anna, "Annas"), (&bruno, "Brunos")] {
        let claims = claims(tenant.as_str());
        for table in TABLES {
            let found =
                rows(&client, Some(&claims), &format!("select tenant_id from {table}")).await.unwrap();
            assert_eq!(found, [tenant.as_str()], "{table}");
        }
        let title = rows(&client, Some(&claims), "select title from app.projects").await.unwrap();
        assert_eq!(title, [name]);
    }

    // Claims that name nobody, several, or something else.
    let both = format!(
        "{{\"app_metadata\":{{\"tenant_id\":\"{anna}\"}},\"app_metadata\":{{\"tenant_id\":\"{bruno}\"}}}}"
    );
    for hostile in [
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        json!({"tenant_id": bruno, "user_metadata": {"tenant_id": bruno}}).to_string(),
        json!({"user_metadata": {"app_metadata": {"tenant_id": bruno}}, "app_metadata": []}).to_string(),
        json!({"app_metadata": bruno}).to_string(),
        claims(Value::Null),
        claims(true),
        claims(json!([anna, bruno])),
        claims(json!({"0": bruno})),
        claims(format!("{anna},{bruno}")),
        claims(format!("{{{bruno}}}")),
        claims(format!("{bruno}' or true --")),
        claims(bruno.replace('-', "")),
        claims(format!(" {bruno}")),
        claims(format!("{bruno}\n")),
        claims("%"),
    ] {
        for table in TABLES {
            let found = rows(&client, Some(&hostile), &format!("select 1 from {table}")).await.unwrap();
            assert!(found.is_empty(), "{table}: {hostile}");
        }
    }
    let found = rows(&client, Some(&both), "select distinct tenant_id from app.projects").await.unwrap();
    assert!(found.len() <= 1, "two names are never two tenants");
    assert!(rows(&client, Some("{"), "select 1 from app.projects").await.is_err());

    // With claims there, the application's own setting opens nothing else.
    let set = format!("set local app.tenant_id = '{bruno}'");
    let read = "select title from app.projects";
    client.batch_execute("begin").await.unwrap();
    let own = claims(anna.as_str());
    client.execute("select set_config('request.jwt.claims', $1, true)", &[&own]).await.unwrap();
    client.batch_execute(&set).await.unwrap();
    assert!(client.query(read, &[]).await.unwrap().is_empty());
    client.batch_execute("rollback").await.unwrap();
    supabase.testbed.stop().await;
}

/// Each statement shows what it reads of Bruno's by failing, or by a row that is not Anna's.
const TRICKS: [&str; 9] = [
    "select tenant_id from app.projects where pg_temp.seen(title)",
    "select tenant_id from app.projects where 1 / (case when title = 'Brunos' then 0 else 1 end) = 1",
    "select tenant_id from app.projects where title::name::text = 'Brunos'",
    "select p.tenant_id from app.memberships m full join app.projects p on true",
    "create temp view through as select * from app.projects; select tenant_id from through",
    "create function pg_temp.definer() returns setof uuid language sql security definer
       as 'select tenant_id from app.projects'; select pg_temp.definer()",
    "set local search_path = pg_temp, pg_catalog; create domain pg_temp.uuid as pg_catalog.uuid;
     create domain pg_temp.text as pg_catalog.text; select tenant_id from app.projects",
    "create function pg_temp.current_setting(text, boolean) returns text language sql as 'select ''{}''';
     create table pg_temp.projects (tenant_id uuid); set local search_path = pg_temp, app, pg_catalog;
     select tenant_id from app.projects",
    "declare c cursor for select tenant_id from app.projects; reset request.jwt.claims; fetch all from c",
];

#[tokio::test]
async fn opened_the_rest_role_is_held_by_the_policies() {
    let supabase = Supabase::make().await;
    let [anna, _] = writers(&supabase).await;
    open(&supabase).await;
    let client = supabase.connect("authenticated").await;
    let own = claims(anna.as_str());
    // Cheap, so that a planner that may would run it before the policy.
    let seen = "create function pg_temp.seen(title text) returns boolean language plpgsql cost 0.0000001 as
        $$ begin if title = 'Brunos' then raise exception 'leaked'; end if; return true; end $$";
    client.batch_execute(seen).await.unwrap();
    for trick in TRICKS {
        let found = rows(&client, Some(&own), trick).await.unwrap();
        assert!(found.iter().all(|tenant| *tenant == anna), "{trick}: {found:?}");
    }
    for table in TABLES {
        // All but those that read; and what may not be passed on is passed on to nobody, with no more than a warning.
        for verb in
            VERBS.iter().skip(2).filter(|verb| !verb.starts_with("copy") && !verb.starts_with("grant"))
        {
            refused(&client, "authenticated", &verb.replace("{t}", table).replace("{c}", "tenant_id")).await;
        }
        client.batch_execute("begin; set local row_security = off").await.unwrap();
        assert_eq!(refusal(&client, &format!("select 1 from {table}")).await.as_deref(), Some("42501"));
        client.batch_execute("rollback").await.unwrap();

        client.batch_execute("begin").await.unwrap();
        client.execute("select set_config('request.jwt.claims', $1, true)", &[&own]).await.unwrap();
        let copied = client.copy_out(&format!("copy {table} to stdout")).await.unwrap();
        let bytes = copied.map_ok(|chunk| chunk.to_vec()).try_concat().await.unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.lines().count() == 1 && text.contains(&anna), "{text}");
        client.batch_execute("rollback").await.unwrap();
    }
    // Its rights are these, whatever else it tries; and the others got none by them.
    let closed = "select c.oid::regclass::text from pg_class c
                   where c.relnamespace in ('app'::regnamespace, 'issuer'::regnamespace) and c.relkind in ('r', 'p')
                     and c.oid::regclass::text not in ('app.tenants', 'app.memberships', 'app.projects')";
    for table in supabase.texts(closed).await {
        refused(&client, "authenticated", &format!("select 1 from {table}")).await;
    }
    for role in ["anon", "service_role", "authenticator", "supabase_auth_admin"] {
        let other = supabase.connect(role).await;
        other
            .batch_execute(&format!("select set_config('request.jwt.claims', '{own}', false)"))
            .await
            .unwrap();
        for table in TABLES {
            refused(&other, role, &format!("select 1 from {table}")).await;
        }
    }
    refused(&client, "authenticated", "select app.require_role(null, null, null)").await;
    refused(&client, "authenticated", "select app.custom_access_token_hook('{}')").await;
    // The platform's other roles may be become, ours may not.
    for other in ["novelist_owner", "novelist_tenant", "novelist_control", "postgres"] {
        refused(&client, "authenticated", &format!("set role {other}")).await;
    }
    supabase.testbed.stop().await;
}
