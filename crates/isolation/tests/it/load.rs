//! Others who work in a database while it is attacked, and what they notice.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::poll_fn};
use novelfoundry_testkit::Database;
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, NoTls};

/// What an attack must leave alone: it leads back to itself, counts, and speaks.
const SCHEMA: &str = "
create role {app} login password 'app';
create function context() returns int language sql stable as
  $$ select nullif(current_setting('app.tenant_id', true), '')::int $$;
create table tenants (tenant_id int primary key, name text not null, visits int not null default 0);
create table notes (tenant_id int not null references tenants, note_no bigint generated always as identity,
  body text not null, primary key (tenant_id, note_no));
create table drafts (tenant_id int not null references tenants, draft_no bigserial, body text not null,
  primary key (tenant_id, draft_no));
create table shouts (tenant_id int not null references tenants, shout_no bigserial, body text not null,
  primary key (tenant_id, shout_no));
create table counted (tenant_id int not null references tenants, number int not null default random() * 1000,
  body text not null, primary key (tenant_id));
create table quiet (tenant_id int not null references tenants, quiet_no serial, body text not null default '',
  primary key (tenant_id, quiet_no), unique (quiet_no));
create sequence shouted;
create function shout() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$ begin
  perform pg_notify('shouts', new.body || nextval('shouted')); return new; end $$;
create trigger shout after insert or update on shouts for each row execute function shout();
create function tell() returns text language plpgsql as $$ begin perform pg_notify('told', 'all'); return 'told'; end $$;
create function find(p_body text) returns setof notes language sql stable security definer set search_path = public, pg_temp
  as $$ select * from notes where body = p_body $$;
do $$ declare name text; begin
  foreach name in array array['tenants', 'notes', 'shouts', 'counted', 'quiet'] loop
    execute format('alter table %I enable row level security, force row level security', name);
    execute format('create policy tenant on %I using (tenant_id = context())', name);
  end loop;
end $$;
create extension postgres_fdw;
create server loop foreign data wrapper postgres_fdw options (host '{host}', port '{port}', dbname '{database}');
create user mapping for {app} server loop options (user '{user}', password '{password}');
create user mapping for current_user server loop options (user '{user}', password '{password}');
create foreign table notes_again (tenant_id int not null, note_no bigint, body text not null)
  server loop options (table_name 'notes');
create view again as select * from notes_again;
grant usage on schema public to {app};
grant usage on all sequences in schema public to {app};
grant select, insert, update, delete on all tables in schema public to {app};
insert into tenants select number, 'tenant ' || number from generate_series(1, 6) number;
insert into counted select tenant_id, 1, 'a secret of ' || name from tenants;
insert into notes (tenant_id, body) select tenant_id, 'a secret of ' || name from tenants, generate_series(1, 50);
insert into drafts (tenant_id, body) select tenant_id, 'a secret of ' || name from tenants, generate_series(1, 50);
insert into shouts (tenant_id, body) select tenant_id, 'a secret of ' || name from tenants;
insert into quiet (tenant_id, body) select tenant_id, 'a secret of ' || name from tenants;
";

/// The longest that a writer may have to wait.
const STALL: Duration = Duration::from_secs(1);

/// A database in which others work.
pub(crate) struct Load {
    pub(crate) database: Database,
    pub(crate) app: String,
    before: String,
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Writer>>,
    watcher: JoinHandle<BTreeSet<String>>,
    locks: Arc<Mutex<BTreeSet<String>>>,
    slowest: Arc<AtomicU64>,
    heard: Arc<Mutex<Vec<String>>>,
    _listener: Client,
}

/// What a writer has to say in the end.
struct Writer {
    errors: Vec<String>,
    pid: String,
    now: String,
    inserted: u64,
}

/// Returns everything that an attack could have changed: rows, sequences, roles.
pub(crate) async fn state(database: &Database) -> String {
    let tables = database
        .sql("select quote_ident(relname) from pg_class where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace order by 1")
        .await
        .unwrap();
    let mut all = String::new();
    for name in tables.iter().flatten().flatten() {
        all += &digest(database, name, "true").await;
    }
    let rest = "select (select string_agg(format('%s %s %s', sequencename, last_value, start_value), ',' order by sequencename) from pg_sequences), \
         (select md5(string_agg(r::text, ',' order by r::text)) from pg_roles r where rolname !~ '^nf_' or rolname ~ '_{pid}$'), \
         (select md5(string_agg(format('%s %s %s', relname, relacl, relowner), ',' order by oid)) from pg_class), \
         (select count(*)::text from pg_largeobject_metadata)";
    format!(
        "{all} {:?}",
        database.sql(&rest.replace("{pid}", &std::process::id().to_string())).await.unwrap()
    )
}

async fn digest(database: &Database, table: &str, condition: &str) -> String {
    let query = format!(
        "select count(*)::text, md5(string_agg(t::text || xmin::text, ',' order by t::text)) from {table} t where {condition}"
    );
    format!("{table} {:?}\n", database.sql(&query).await.unwrap())
}

/// What nobody writes to while the attack is on: the rows, with who wrote them last, and everything that stands.
async fn resting(database: &Database) -> String {
    let mut all = String::new();
    for (table, condition) in [
        ("tenants", "true"),
        ("notes", "tenant_id <= 2"),
        ("drafts", "tenant_id <= 2"),
        ("shouts", "tenant_id <= 2"),
        ("counted", "tenant_id <= 2"),
        ("quiet", "true"),
    ] {
        all += &digest(database, table, condition).await;
    }
    let rest = "select (select last_value::text from quiet_quiet_no_seq), (select md5(string_agg(r::text, ',' order by r::text)) from pg_roles r where rolname !~ '^nf_' or rolname ~ '_{pid}$'), \
         (select md5(string_agg(format('%s %s %s', relname, relacl, relowner), ',' order by oid)) from pg_class \
            where relnamespace = 'public'::regnamespace)";
    format!(
        "{all} {:?}",
        database.sql(&rest.replace("{pid}", &std::process::id().to_string())).await.unwrap()
    )
}

async fn connect(database: &Database, listen: Option<Arc<Mutex<Vec<String>>>>) -> Client {
    let admin = &database.admin;
    let mut config = tokio_postgres::Config::new();
    config.user(&admin.user).host(&admin.host).port(admin.port).dbname(&admin.database);
    config.password(admin.password.as_ref().unwrap().expose());
    let (client, mut connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(async move {
        let mut messages = std::pin::pin!(poll_fn(|context| connection.poll_message(context)));
        while let Some(Ok(message)) = messages.next().await {
            if let (AsyncMessage::Notification(told), Some(heard)) = (message, &listen) {
                heard.lock().unwrap().push(told.payload().to_owned());
            }
        }
    });
    client
}

async fn value(client: &Client, query: &str) -> String {
    let rows = client.simple_query(query).await.unwrap();
    let row = rows.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    row.unwrap_or_default()
}

impl Load {
    /// Makes a database and sets others to work in it.
    pub(crate) async fn start() -> Self {
        let database = Database::empty().await;
        let app = format!("nf_load_{}", std::process::id());
        let admin = &database.admin;
        let schema = SCHEMA
            .replace("{app}", &app)
            .replace("{host}", &admin.host)
            .replace("{port}", &admin.port.to_string())
            .replace("{database}", &admin.database)
            .replace("{user}", &admin.user)
            .replace("{password}", admin.password.as_ref().unwrap().expose());
        database.sql(&schema).await.unwrap();
        let before = resting(&database).await;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listener = connect(&database, Some(Arc::clone(&heard))).await;
        listener.batch_execute("listen shouts; listen told").await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let slowest = Arc::new(AtomicU64::new(0));
        let mut writers = Vec::new();
        for tenant in 3..=6 {
            let client = connect(&database, None).await;
            writers.push(tokio::spawn(write(client, tenant, Arc::clone(&stop), Arc::clone(&slowest))));
        }
        let locks = Arc::new(Mutex::new(BTreeSet::new()));
        let watcher =
            tokio::spawn(watch(connect(&database, None).await, Arc::clone(&stop), Arc::clone(&locks)));
        Self { database, app, before, stop, writers, watcher, locks, slowest, heard, _listener: listener }
    }

    /// Returns the modes of the locks on relations that attacks were seen to hold.
    pub(crate) fn locks(&self) -> Vec<String> {
        self.locks.lock().unwrap().iter().filter(|lock| !lock.starts_with("pg_catalog ")).cloned().collect()
    }

    /// Fails where anybody has noticed something.
    pub(crate) async fn unnoticed(self) {
        self.stop.store(true, Ordering::Relaxed);
        let mut inserted = 0;
        for writer in self.writers {
            let writer = writer.await.unwrap();
            assert_eq!(writer.errors, Vec::<String>::new());
            assert_eq!(writer.pid, writer.now, "the session was another one");
            inserted += writer.inserted;
        }
        let weak = ["AccessShareLock", "RowShareLock", "RowExclusiveLock"];
        let locks = self.watcher.await.unwrap();
        assert!(locks.iter().all(|lock| weak.contains(&lock.as_str())), "{locks:?}");
        let slowest = Duration::from_micros(self.slowest.load(Ordering::Relaxed));
        println!(
            "{inserted} insertions beside the attack; the slowest statement took {slowest:?}; locks: {locks:?}"
        );
        assert!(inserted > 20, "others have hardly worked");
        assert!(slowest < STALL, "a writer had to wait {slowest:?}");
        assert_eq!(resting(&self.database).await, self.before);
        // Each insertion has drawn one number, and nobody else any.
        let drawn = "select (select last_value from notes_note_no_seq)::text, (select last_value from shouted)::text, \
                     (select last_value from drafts_draft_no_seq)::text";
        let drawn = self.database.sql(drawn).await.unwrap();
        let numbers: Vec<u64> = drawn[0].iter().map(|cell| cell.as_ref().unwrap().parse().unwrap()).collect();
        assert_eq!(numbers, [300 + inserted, 6 + inserted, 300 + inserted]);
        let heard = self.heard.lock().unwrap().clone();
        assert!(heard.iter().all(|told| told.starts_with("at work")), "{heard:?}");
        self.database.sql(&format!("drop owned by {app}; drop role {app}", app = self.app)).await.unwrap();
    }
}

/// Works for a tenant until told to stop.
async fn write(client: Client, tenant: usize, stop: Arc<AtomicBool>, slowest: Arc<AtomicU64>) -> Writer {
    let pid = value(&client, "select pg_backend_pid()").await;
    let mut writer = Writer { errors: Vec::new(), pid, now: String::new(), inserted: 0 };
    let statements = [
        format!("insert into notes (tenant_id, body) values ({tenant}, 'at work')"),
        format!("insert into drafts (tenant_id, body) values ({tenant}, 'at work')"),
        format!("insert into shouts (tenant_id, body) values ({tenant}, 'at work')"),
        format!("update counted set number = number + 1 where tenant_id = {tenant}"),
        format!("update drafts set body = body || '.' where tenant_id = {tenant} and draft_no % 10 = 0"),
        format!("delete from notes where tenant_id = {tenant} and note_no % 7 = 0"),
        "begin isolation level serializable; select sum(number) from counted; update counted set body = body \
         where tenant_id = {tenant}; commit"
            .replace("{tenant}", &tenant.to_string()),
    ];
    while !crate::in_place::is_up(&stop) {
        for statement in &statements {
            let since = Instant::now();
            if let Err(error) = client.batch_execute(statement).await {
                // Writers that are serializable fail one another; that is not the attack's doing.
                if error.code().is_none_or(|code| code.code() != "40001") {
                    writer.errors.push(format!("{statement}: {error:?}"));
                }
                let _ = client.batch_execute("rollback").await;
            }
            crate::in_place::raise(&slowest, u64::try_from(since.elapsed().as_micros()).unwrap());
        }
        writer.inserted += 1;
    }
    writer.now = value(&client, "select pg_backend_pid()").await;
    writer
}

/// Looks at the locks on tables that attacks hold, until told to stop.
async fn watch(
    client: Client,
    stop: Arc<AtomicBool>,
    locks: Arc<Mutex<BTreeSet<String>>>,
) -> BTreeSet<String> {
    let query = "select distinct l.mode from pg_locks l join pg_stat_activity a using (pid) \
                 where a.application_name in ('novelfoundry isolation', 'pg_dump') and l.locktype in ('relation', 'advisory', 'object') \
                 and l.database = (select oid from pg_database where datname = current_database())";
    while !crate::in_place::is_up(&stop) {
        for message in client.simple_query(query).await.unwrap() {
            if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
                locks.lock().unwrap().insert(row.get(0).unwrap_or_default().to_owned());
            }
        }
    }
    let seen = locks.lock().unwrap();
    seen.clone()
}
