//! The statements that read the catalogue. Each gives one JSON value, so that names of columns tie them to the model.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::model::Catalog;
use crate::session::{Session, SessionError};

/// Left out everywhere: what is not the schema's own.
const OURS: &str = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";

/// Privileges out of an access list, or the built-in ones where there is none.
fn grants(acl: &str, kind: char, owner: &str) -> String {
    format!(
        "(select coalesce(json_agg(json_build_object('grantee', a.grantee::int8, 'privilege', a.privilege_type) order by a.grantee, a.privilege_type), '[]') \
         from aclexplode(coalesce({acl}, acldefault('{kind}', {owner}))) a)"
    )
}

fn extension(class: &str, oid: &str) -> String {
    format!(
        "exists (select from pg_depend e where e.classid = '{class}'::regclass and e.objid = {oid} and e.deptype = 'e')"
    )
}

/// Reads the catalogue of the database that the session is in.
pub async fn load(session: &mut Session) -> Result<Catalog, SessionError> {
    let general = session.json(
        "select json_build_object('version', current_setting('server_version_num')::int, 'database', current_database(), \
         'owner', (select datdba::int8 from pg_database where datname = current_database()), \
         'citus', exists (select from pg_extension where extname = 'citus'), \
         'large', (select count(*) from pg_largeobject_metadata), \
         'extensions', (select coalesce(json_agg(extname order by extname), '[]') from pg_extension))",
    )
    .await?;
    let version = i32::try_from(general["version"].as_i64().unwrap_or_default()).unwrap_or_default();
    let set_option = if version >= 160_000 { "m.inherit_option, m.set_option" } else { "r.rolinherit, true" };
    let mut catalog = Catalog {
        version,
        database: general["database"].as_str().unwrap_or_default().to_owned(),
        citus: general["citus"].as_bool().unwrap_or_default(),
        database_owner: general["owner"].as_u64().and_then(|oid| u32::try_from(oid).ok()).unwrap_or_default(),
        large_objects: general["large"].as_i64().unwrap_or_default(),
        extensions: parse(general["extensions"].clone())?,
        ..Catalog::default()
    };
    catalog.database_grants = rows(
        session,
        "select a.grantee::int8 as grantee, a.privilege_type as privilege from pg_database d, \
         aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a where d.datname = current_database()",
    )
    .await?;
    catalog.roles = rows(
        session,
        "select oid::int8 as oid, rolname as name, rolsuper as superuser, rolinherit as inherit, rolcreaterole as createrole, \
         rolcreatedb as createdb, rolcanlogin as login, rolreplication as replication, rolbypassrls as bypassrls, \
         rolname like 'pg\\_%' as predefined from pg_roles order by rolname",
    )
    .await?;
    catalog.memberships = rows(
        session,
        &format!(
            "select m.roleid::int8 as role, m.member::int8 as member, m.admin_option as admin, inherit, set from pg_auth_members m \
             join pg_roles r on r.oid = m.member, lateral (values ({set_option})) as o(inherit, set) order by 1, 2"
        ),
    )
    .await?;
    catalog.schemas = rows(
        session,
        &format!(
            "select n.oid::int8 as oid, n.nspname as name, n.nspowner::int8 as owner, {} as grants from pg_namespace n where {OURS} order by 2",
            grants("n.nspacl", 'n', "n.nspowner")
        ),
    )
    .await?;
    catalog.relations = rows(session, &relations()).await?;
    for info in rows::<super::TypeInfo>(session, &types()).await? {
        catalog.types.insert(info.oid, info);
    }
    catalog.constraints = rows(session, &constraints()).await?;
    catalog.indexes = rows(session, &indexes()).await?;
    catalog.index_heads = rows(session, &index_heads()).await?;
    catalog.policies = rows(session, POLICIES).await?;
    catalog.functions = rows(session, &functions()).await?;
    catalog.triggers = rows(
        session,
        "select tgname as name, tgrelid::int8 as table, tgfoid::int8 as function, tgenabled <> 'D' as enabled, \
         pg_get_triggerdef(oid) as definition from pg_trigger where not tgisinternal order by tgrelid, tgname",
    )
    .await?;
    catalog.rules = rows(
        session,
        &format!(
            "select r.rulename as name, r.ev_class::int8 as table, pg_get_ruledef(r.oid) as definition from pg_rewrite r \
             join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace \
             where r.rulename <> '_RETURN' and {OURS} order by 2, 1"
        ),
    )
    .await?;
    catalog.sequences = rows(session, &sequences()).await?;
    catalog.default_grants = rows(
        session,
        "select d.defaclrole::int8 as owner, n.nspname as schema, d.defaclobjtype as kind, a.grantee::int8 as grantee, \
         a.privilege_type as privilege from pg_default_acl d left join pg_namespace n on n.oid = d.defaclnamespace, \
         aclexplode(d.defaclacl) a order by 1, 2, 3, 4, 5",
    )
    .await?;
    catalog.servers = rows(
        session,
        "select s.srvname as name, w.fdwname as wrapper, coalesce(s.srvoptions, '{}') as options, \
         (select coalesce(json_agg(m.usename order by m.usename), '[]') from pg_user_mappings m where m.srvid = s.oid) as mappings \
         from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw order by 1",
    )
    .await?;
    catalog.settings = rows(
        session,
        "select s.setrole::int8 as role, s.setdatabase <> 0 as here, unnest(s.setconfig) as setting from pg_db_role_setting s \
         where s.setdatabase in (0, (select oid from pg_database where datname = current_database())) order by 1, 2, 3",
    )
    .await?;
    Ok(catalog)
}

fn parse<T: DeserializeOwned>(value: Value) -> Result<T, SessionError> {
    serde_json::from_value(value).map_err(|error| SessionError::unexpected(&error))
}

async fn rows<T: DeserializeOwned>(session: &mut Session, query: &str) -> Result<Vec<T>, SessionError> {
    let answer = session.run(&format!("select coalesce(json_agg(q), '[]') from ({query}) q")).await?;
    serde_json::from_str(answer.value().unwrap_or("[]")).map_err(|error| SessionError::unexpected(&error))
}

fn relations() -> String {
    format!(
        "select c.oid::int8 as oid, n.nspname as schema, c.relname as name, c.relkind as kind, c.relowner::int8 as owner, \
         c.relrowsecurity as rls, c.relforcerowsecurity as force, coalesce(c.reloptions, '{{}}') as options, \
         (select coalesce(json_agg(i.inhparent::int8), '[]') from pg_inherits i where i.inhrelid = c.oid) as parents, \
         c.relispartition as partition, pg_get_expr(c.relpartbound, c.oid) as bound, \
         case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end as partition_key, \
         case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end as definition, \
         (select coalesce(json_agg(distinct d.refobjid::int8), '[]') from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass \
            and d.objid = r.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> c.oid \
            where r.ev_class = c.oid and c.relkind in ('v', 'm')) as reads, \
         (select s.srvname from pg_foreign_table f join pg_foreign_server s on s.oid = f.ftserver where f.ftrelid = c.oid) as server, \
         {grants} as grants, c.reltuples::float8 as rows, {extension} as extension, \
         (select coalesce(json_agg(json_build_object('number', a.attnum, 'name', a.attname, 'type_oid', a.atttypid::int8, \
            'type_name', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull, \
            'default', pg_get_expr(d.adbin, d.adrelid), 'identity', a.attidentity, 'generated', a.attgenerated <> '', \
            'grants', (select coalesce(json_agg(json_build_object('grantee', x.grantee::int8, 'privilege', x.privilege_type)), '[]') \
               from aclexplode(a.attacl) x)) order by a.attnum), '[]') \
          from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum \
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns \
         from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where c.relkind in ('r', 'p', 'v', 'm', 'f') and {OURS} order by n.nspname, c.relname",
        grants = grants("c.relacl", 'r', "c.relowner"),
        extension = extension("pg_class", "c.oid"),
    )
}

fn types() -> String {
    format!(
        "select t.oid::int8 as oid, n.nspname as schema, t.typname as name, t.typtype as kind, t.typcategory as category, \
         (case when t.typtype = 'd' then t.typbasetype when t.typtype = 'r' then (select r.rngsubtype from pg_range r where r.rngtypid = t.oid) \
            else t.typelem end)::int8 as base, \
         (select coalesce(json_agg(e.enumlabel order by e.enumsortorder), '[]') from pg_enum e where e.enumtypid = t.oid) as labels, \
         (select coalesce(json_agg(pg_get_expr(k.conbin, 0)), '[]') from pg_constraint k where k.contypid = t.oid and k.contype = 'c') as checks, \
         (select coalesce(json_agg(json_build_object('name', a.attname, 'type_oid', a.atttypid::int8) order by a.attnum), '[]') \
            from pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) as fields \
         from pg_type t join pg_namespace n on n.oid = t.typnamespace \
         where t.typtype in ('b', 'd', 'e', 'r', 'm', 'p') or {OURS}"
    )
}

fn constraints() -> String {
    format!(
        "select k.conname as name, k.contype as kind, k.conrelid::int8 as table, coalesce(k.conkey, '{{}}') as columns, \
         k.confrelid::int8 as references, coalesce(k.confkey, '{{}}') as referenced, k.confdeltype as on_delete, \
         k.confupdtype as on_update, pg_get_constraintdef(k.oid) as definition, \
         case when k.contype = 'c' then pg_get_expr(k.conbin, k.conrelid) end as expression, \
         (k.conparentid <> 0 or k.coninhcount > 0) as inherited \
         from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace \
         where k.contype <> 'n' and {OURS} order by k.conrelid, k.conname"
    )
}

fn indexes() -> String {
    format!(
        "select i.indexrelid::int8 as oid, x.relname as name, i.indrelid::int8 as table, \
         (select coalesce(json_agg(k.number order by k.position), '[]') from unnest(i.indkey::int2[]) with ordinality k(number, position) \
            where k.position <= i.indnkeyatts) as columns, \
         (select coalesce(json_agg(distinct d.refobjsubid), '[]') from pg_depend d where d.classid = 'pg_class'::regclass \
            and d.objid = i.indexrelid and d.refobjid = i.indrelid and d.refobjsubid > 0 and i.indexprs is not null) as expression_columns, \
         pg_get_expr(i.indpred, i.indrelid) as predicate, i.indisprimary as primary, pg_get_indexdef(i.indexrelid) as definition \
         from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class c on c.oid = i.indrelid \
         join pg_namespace n on n.oid = c.relnamespace where i.indisunique and {OURS} order by 3, 2"
    )
}

fn index_heads() -> String {
    format!(
        "select distinct i.indrelid::int8 as table, i.indkey[0] as column from pg_index i \
         join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace \
         where i.indkey[0] > 0 and i.indisvalid and i.indpred is null and {OURS} order by 1, 2"
    )
}

const POLICIES: &str = "select p.oid::int8 as oid, p.polname as name, p.polrelid::int8 as table, p.polcmd as command, \
     p.polpermissive as permissive, (select json_agg(r::int8) from unnest(p.polroles) r) as roles, \
     pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as check, \
     (select coalesce(json_agg(distinct d.refobjsubid), '[]') from pg_depend d where d.classid = 'pg_policy'::regclass and d.objid = p.oid \
        and d.refclassid = 'pg_class'::regclass and d.refobjid = p.polrelid and d.refobjsubid > 0) as columns, \
     (select coalesce(json_agg(distinct d.refobjid::int8), '[]') from pg_depend d where d.classid = 'pg_policy'::regclass and d.objid = p.oid \
        and d.refclassid = 'pg_class'::regclass and d.refobjid <> p.polrelid) as relations, \
     (select coalesce(json_agg(distinct case when d.refclassid = 'pg_operator'::regclass \
          then (select o.oprcode::oid from pg_operator o where o.oid = d.refobjid) else d.refobjid end::int8), '[]') \
        from pg_depend d where d.classid = 'pg_policy'::regclass and d.objid = p.oid \
        and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass)) as functions \
     from pg_policy p order by p.polrelid, p.polname";

fn functions() -> String {
    format!(
        "select p.oid::int8 as oid, n.nspname as schema, p.proname as name, p.prokind as kind, p.proowner::int8 as owner, \
         p.prosecdef as definer, p.proleakproof as leakproof, p.provolatile as volatility, l.lanname as language, \
         (select coalesce(json_agg(t::int8 order by o), '[]') from unnest(p.proargtypes::oid[]) with ordinality a(t, o)) as argument_types, \
         (select coalesce(json_agg(coalesce(p.proargnames[a.o], '') order by a.o), '[]') \
            from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality a(t, o) \
            where coalesce(p.proargmodes[a.o], 'i') in ('i', 'b', 'v')) as argument_names, \
         p.pronargdefaults as defaults, p.provariadic <> 0 as variadic, p.prorettype::int8 as returns, p.proretset as returns_set, \
         (p.prorettype <> 'record'::regtype or coalesce(p.proargmodes && '{{o,b,t}}', false)) as outputs, \
         (select json_build_object('kind', g.aggkind, 'direct', g.aggnumdirectargs, 'functions', (select coalesce(json_agg(distinct f::int8), '[]') \
            from unnest(array[g.aggtransfn, g.aggfinalfn, g.aggcombinefn, g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn]::oid[]) f where f <> 0)) \
            from pg_aggregate g where g.aggfnoid = p.oid) as aggregate, \
         coalesce(p.prosrc, '') || coalesce(pg_get_function_sqlbody(p.oid), '') as source, coalesce(p.proconfig, '{{}}') as config, \
         {grants} as grants, pg_get_function_identity_arguments(p.oid) as signature, {extension} as extension \
         from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang \
         where {OURS} order by n.nspname, p.proname, p.oid",
        grants = grants("p.proacl", 'f', "p.proowner"),
        extension = extension("pg_proc", "p.oid"),
    )
}

fn sequences() -> String {
    format!(
        "select c.oid::int8 as oid, n.nspname as schema, c.relname as name, c.relowner::int8 as owner, \
         coalesce((select d.refobjid::int8 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid \
            and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i') limit 1), 0) as table, \
         {grants} as grants, {extension} as extension \
         from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'S' and {OURS} order by 2, 3",
        grants = grants("c.relacl", 's', "c.relowner"),
        extension = extension("pg_class", "c.oid"),
    )
}
