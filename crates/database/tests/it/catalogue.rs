//! The schema against the rules it promises: the catalogue, keys, policies and grants, read from the live database.

use novelfoundry_database::{Kind, TABLES};
use novelfoundry_testkit::Database;

async fn texts(database: &Database, sql: &str) -> Vec<String> {
    let rows = database.sql(sql).await.unwrap();
    rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test]
async fn the_catalogue_lists_every_table_and_no_other() {
    let database = Database::shared().await;
    let mut listed: Vec<_> = TABLES.iter().map(|table| table.name.to_owned()).collect();
    listed.sort();
    let live = "select relname from pg_class where relnamespace = 'app'::regnamespace and relkind in ('r', 'p') order by relname collate \"C\"";
    assert_eq!(listed, texts(&database, live).await);
}

#[tokio::test]
async fn every_key_of_a_tenant_table_begins_with_the_tenant() {
    let database = Database::shared().await;
    for table in TABLES.iter().filter(|table| table.kind == Kind::Tenant) {
        let wrong = format!(
            "select conname from pg_constraint
              where conrelid = 'app.{0}'::regclass and contype in ('p', 'u', 'x', 'f')
                and conkey[1] <> (select attnum from pg_attribute where attrelid = 'app.{0}'::regclass and attname = 'tenant_id')
                and confrelid <> 'app.plans'::regclass
              union all
             select indexrelid::regclass::text from pg_index
              where indrelid = 'app.{0}'::regclass
                and indkey[0] <> (select attnum from pg_attribute where attrelid = 'app.{0}'::regclass and attname = 'tenant_id')",
            table.name
        );
        assert_eq!(texts(&database, &wrong).await, Vec::<String>::new(), "{}", table.name);
    }
    let forbidden = "select tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid
                      where c.relnamespace = 'app'::regnamespace and not t.tgisinternal
                      union all
                     select polname from pg_policy p join pg_class c on c.oid = p.polrelid
                      where c.relnamespace = 'app'::regnamespace and not p.polpermissive
                      union all
                     select relname from pg_class where relnamespace = 'app'::regnamespace and relkind = 'S'
                      union all
                     select conname from pg_constraint
                      where connamespace = 'app'::regnamespace and contype = 'f' and confdeltype in ('n', 'd', 'c')";
    assert_eq!(texts(&database, forbidden).await, Vec::<String>::new());
}

#[tokio::test]
async fn row_security_is_enabled_and_forced_wherever_a_tenant_is_named() {
    let database = Database::shared().await;
    let open = "select c.relname from pg_class c
                  join pg_attribute a on a.attrelid = c.oid and a.attname in ('tenant_id', 'user_id', 'default_tenant_id')
                 where c.relnamespace in ('app'::regnamespace, 'issuer'::regnamespace) and c.relkind in ('r', 'p')
                   and not (c.relrowsecurity and c.relforcerowsecurity)";
    assert_eq!(texts(&database, open).await, Vec::<String>::new());
    let subselects = "select polname from pg_policy p join pg_class c on c.oid = p.polrelid
                       where c.relnamespace = 'app'::regnamespace
                         and coalesce(pg_get_expr(polqual, polrelid), '') || coalesce(pg_get_expr(polwithcheck, polrelid), '') ilike '%select%'";
    assert_eq!(texts(&database, subselects).await, Vec::<String>::new());
}

/// Who may do what, on which table and column: a change of it is a decision, so it is a snapshot.
#[tokio::test]
async fn the_grant_matrix_is_as_decided() {
    let database = Database::shared().await;
    let matrix = "
        select line from (
          select format('%s %s %s', coalesce(r.rolname, 'PUBLIC'), c.oid::regclass,
                   string_agg(lower(a.privilege_type), ', ' order by a.privilege_type)) as line
            from pg_class c
            cross join lateral aclexplode(c.relacl) a
            left join pg_roles r on r.oid = a.grantee
           where c.relnamespace in ('app'::regnamespace, 'issuer'::regnamespace)
             and r.rolname is distinct from 'novelfoundry_owner'
           group by r.rolname, c.oid
          union all
          select format('%s %s (%s) %s', coalesce(r.rolname, 'PUBLIC'), c.oid::regclass,
                   string_agg(distinct t.attname, ', ' order by t.attname), lower(a.privilege_type))
            from pg_class c
            join pg_attribute t on t.attrelid = c.oid
            cross join lateral aclexplode(t.attacl) a
            left join pg_roles r on r.oid = a.grantee
           where c.relnamespace in ('app'::regnamespace, 'issuer'::regnamespace)
             and r.rolname is distinct from 'novelfoundry_owner'
           group by r.rolname, c.oid, a.privilege_type
          union all
          select format('%s %s execute', coalesce(r.rolname, 'PUBLIC'), p.oid::regprocedure)
            from pg_proc p
            cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            left join pg_roles r on r.oid = a.grantee
           where p.pronamespace in ('app'::regnamespace, 'issuer'::regnamespace)
             and r.rolname is distinct from 'novelfoundry_owner'
          union all
          select format('%s schema %s %s', coalesce(r.rolname, 'PUBLIC'), n.nspname, lower(a.privilege_type))
            from pg_namespace n
            cross join lateral aclexplode(n.nspacl) a
            left join pg_roles r on r.oid = a.grantee
           where n.nspname in ('app', 'issuer') and r.rolname is distinct from 'novelfoundry_owner'
        ) lines order by line collate \"C\"";
    insta::assert_snapshot!(texts(&database, matrix).await.join("\n"));
}

#[tokio::test]
async fn every_table_and_function_is_commented() {
    let database = Database::shared().await;
    let bare = "select c.relname from pg_class c
                 where c.relnamespace in ('app'::regnamespace, 'issuer'::regnamespace) and c.relkind in ('r', 'p')
                   and obj_description(c.oid, 'pg_class') is null
                 union all
                select p.proname from pg_proc p
                 where p.pronamespace in ('app'::regnamespace, 'issuer'::regnamespace)
                   and obj_description(p.oid, 'pg_proc') is null";
    assert_eq!(texts(&database, bare).await, Vec::<String>::new());
}

#[tokio::test]
async fn every_tenant_table_has_the_one_policy_and_no_other() {
    let database = Database::shared().await;
    for table in TABLES.iter().filter(|table| table.kind == Kind::Tenant) {
        let policies = format!(
            "select polcmd, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
               from pg_policy where polrelid = 'app.{}'::regclass",
            table.name
        );
        let found = texts(&database, &policies).await;
        let rule = "(tenant_id = app.tenant_id())";
        assert_eq!(found, [format!("* t {{novelfoundry_tenant}} {rule} {rule}")], "{}", table.name);
    }
    let volatility = "select provolatile from pg_proc where oid = 'app.tenant_id()'::regprocedure";
    assert_eq!(texts(&database, volatility).await, ["s"]);
}

/// What runs as its owner looks for nothing where its caller can put something.
#[tokio::test]
async fn functions_with_their_owner_s_rights_search_the_caller_s_schemas_last() {
    let database = Database::shared().await;
    let definers = "select proname, array_to_string(proconfig, '; ') from pg_proc
                     where pronamespace in ('app'::regnamespace, 'issuer'::regnamespace) and prosecdef";
    let found = texts(&database, &format!("{definers} order by proname")).await;
    let settings = "search_path=pg_catalog, pg_temp; row_security=on";
    // The second of one name is for programs of before.
    let room = "require_workspace_room";
    let expected = ["custom_access_token_hook", "invitation_is_open", room, room, "spend_allowance"];
    assert_eq!(found, expected.map(|name| format!("{name} {settings}")));
}

/// A cluster keeps control tables on one node and copies reference tables to all: keys must not cross these borders,
/// but for those of tenant tables to reference tables. A child's key begins with its parent's.
#[tokio::test]
async fn keys_stay_within_their_kind_and_children_begin_with_their_parents() {
    let database = Database::shared().await;
    let kind = |name: &str| TABLES.iter().find(|table| table.name == name).unwrap().kind;
    let keys = "select c.relname, p.relname, array_to_string(f.conkey, ','), array_to_string(k.conkey, ',')
                  from pg_constraint f
                  join pg_class c on c.oid = f.conrelid
                  join pg_class p on p.oid = f.confrelid
                  join pg_constraint k on k.conrelid = f.conrelid and k.contype = 'p'
                 where f.contype = 'f' and c.relnamespace = 'app'::regnamespace";
    let mut nested = std::collections::HashSet::new();
    for row in database.sql(keys).await.unwrap() {
        let [child, parent, key, primary] = [0, 1, 2, 3].map(|column: usize| row[column].clone().unwrap());
        match (kind(&child), kind(&parent)) {
            (Kind::Tenant, Kind::Tenant) if format!("{primary},").starts_with(&format!("{key},")) => {
                nested.insert(child);
            }
            (Kind::Tenant, Kind::Tenant | Kind::Reference) => {}
            other => panic!("{child} refers to {parent}: {other:?}"),
        }
    }
    for table in TABLES.iter().filter(|table| table.kind == Kind::Tenant && table.name != "tenants") {
        assert!(nested.contains(table.name), "no parent's key leads the key of {}", table.name);
    }
    let column = "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
                   where c.relnamespace = 'app'::regnamespace and c.relkind = 'r'";
    let with_tenant = texts(&database, column).await;
    for table in TABLES {
        match table.kind {
            Kind::Tenant => assert!(with_tenant.contains(&table.name.to_owned()), "{}", table.name),
            Kind::Reference => assert!(!with_tenant.contains(&table.name.to_owned()), "{}", table.name),
            Kind::Control => {}
        }
    }
}

/// Read from the source: every statement on a tenant table says `tenant_id = $1`, so that a cluster asks one shard.
#[test]
fn every_statement_on_a_tenant_table_names_the_tenant() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut statements, mut nested) = (0, 0);
    for file in files_below(&folder) {
        let source = std::fs::read_to_string(&file).unwrap();
        for statement in source.split("query!(").skip(1) {
            let text = statement.split(");").next().unwrap();
            let mut tables = TABLES.iter().filter(|table| table.kind == Kind::Tenant);
            if !tables.any(|table| names_table(text, table.name)) {
                continue;
            }
            statements += 1;
            nested += usize::from(file.parent() != Some(&folder.join("queries")));
            let names = text.contains("tenant_id = $1") || text.contains("values ($1");
            assert!(names, "{}: {text}", file.display());
        }
    }
    assert!(statements > 45, "only {statements} statements were found");
    assert!(nested >= 4, "only {nested} statements were found deeper down");
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Tells whether a text has `app.` and that name, and not the beginning of a longer one.
fn names_table(text: &str, name: &str) -> bool {
    let name = format!("app.{name}");
    text.split(&name)
        .skip(1)
        .any(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}
