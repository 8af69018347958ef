//! What `check`, `attack`, `init` and `explain` do: the lean binary and the whole product call the same.

use std::{fmt::Write as _, fs, io::Write as _, time::Duration};

use jiff::civil::Date;
use novelfoundry_connection::DatabaseUrl;
use serde_json::json;

use crate::{
    attack, catalog,
    check::{self, CheckOptions},
    cli::{
        ArgumentError, AttackArgs, CheckArgs, Command, ExplainArgs, InitArgs, Setting, Source, load_config,
    },
    config::{Config, ConfigError, Preset},
    copy::{self, Copy, DATABASE},
    finding::Finding,
    infer::{self, InferError, Subject},
    output::{self, Evidence, OutputError, Target},
    report::{Inferred, NotAttacked, Report},
    scratch::ScratchError,
    session::{Session, SessionError},
};

/// Why a command could not do its work; its exit code is 2.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The flags do not fit together.
    #[error(transparent)]
    Arguments(#[from] ArgumentError),
    /// The file of what is known cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be asked.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// There is no copy.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// It is not known whom to act as.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// Nothing was proved.
    #[error(transparent)]
    Attack(#[from] attack::SetupError),
    /// A database is not attacked where it is.
    #[error(transparent)]
    InPlace(#[from] attack::InPlaceError),
    /// The catalogue cannot be judged.
    #[error(transparent)]
    Check(#[from] check::CheckError),
    /// The report cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A file is there already.
    #[error("{0} exists; --force replaces it")]
    Exists(String),
    /// A file cannot be written.
    #[error("{0} cannot be written")]
    Write(String, #[source] std::io::Error),
}

impl CommandError {
    /// Returns a sentence that says what to do.
    pub fn next(&self) -> &'static str {
        match self {
            Self::Arguments(_) => "Look at the flags with --help.",
            Self::Config(_) => "Correct the file, or name another with --config.",
            Self::Session(SessionError::Connect(_)) => {
                "Look at host, port, login and password of --database-url, and whether the server runs."
            }
            Self::Session(_) => "Log in as the schema's owner or as a superuser, and try again.",
            Self::Scratch(_) => {
                "The copy needs PostgreSQL's server and client programs of the source's version or a newer one; \
                 NOVELFOUNDRY_PG_BIN names their directory."
            }
            Self::Infer(_) => "Write isolation.toml with `init isolation`, and name there what is not clear.",
            Self::Attack(_) => {
                "Say in isolation.toml what opens a tenant's context, and which two tenants have rows."
            }
            Self::InPlace(error) => error.next(),
            Self::Check(_) => "Name the app's role and the tenant column in isolation.toml.",
            Self::Output(_) | Self::Exists(_) | Self::Write(..) => "Name another file.",
        }
    }
}

/// Exit code of a run that proved nothing.
pub const PROVED_NOTHING: u8 = 2;

/// Exit code of a run that was told to stop, as shells have it for Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// Runs a command until it ends or is told to stop; returns the exit code.
pub async fn run(
    command: &Command,
    program: &str,
    today: Date,
    env: Environment<'_>,
) -> Result<u8, CommandError> {
    let work = async {
        match command {
            Command::Check(args) => check(args, program, today, env).await,
            Command::Attack(args) => attack(args, program, today, env).await,
            Command::Init(args) => init(args, env).await.map(|()| 0),
            Command::Explain(args) => explain(args).map(|()| 0),
        }
    };
    tokio::select! {
        result = Box::pin(work) => result,
        // The copy and its server go with what is dropped here.
        () = interrupted() => Ok(INTERRUPTED),
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without handlers the process ends by itself.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// From where environment variables are taken.
pub type Environment<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// Checks a schema by its catalogue; returns the exit code.
async fn check(
    args: &CheckArgs,
    program: &str,
    today: Date,
    env: Environment<'_>,
) -> Result<u8, CommandError> {
    if args.print_role {
        print(check::print_role())?;
        return Ok(0);
    }
    let source = args.target.source(env)?;
    let config = load_config(args.target.config.as_deref())?;
    let options = args.options(Setting { program, today, source: &source, config: &config }, env)?;
    let how = CheckOptions { config: config.clone(), ..CheckOptions::default() };
    let mut report = match &source {
        Source::Database(url) => {
            let mut session = Session::open(url, "novelfoundry isolation").await?;
            check::check(&mut session, &how).await?
        }
        Source::Sql { files, .. } => {
            let copy = copy::of_sql(files, prelude(&config)).await?;
            let mut session = copy.scratch.open(DATABASE).await?;
            let report = check::check(&mut session, &how).await;
            drop(session);
            // What did not load was not judged.
            let left_out = copy.left_out.clone();
            let mut report = finish(copy, report).await?;
            report.not_attacked.extend(left_out);
            report
        }
    };
    output::settle(&mut report, &options)?;
    output::write_all(&report, &options)?;
    Ok(output::exit_code(&report, &options))
}

/// Attacks a copy of a schema, or the schema in place; returns the exit code.
async fn attack(
    args: &AttackArgs,
    program: &str,
    today: Date,
    env: Environment<'_>,
) -> Result<u8, CommandError> {
    let source = args.source(env)?;
    let mut config = load_config(args.target.config.as_deref())?;
    if let Some(app) = args.app_login()?
        && !(args.in_place && config.app_role.is_some())
    {
        config.app_role = Some(app.user);
    }
    let options = args.options(Setting { program, today, source: &source, config: &config }, env)?;
    if let (true, Source::Database(url)) = (args.in_place, &source) {
        let mut report = attack_in_place(args, url, &config).await?;
        output::settle(&mut report, &options)?;
        output::write_all(&report, &options)?;
        return Ok(output::exit_code(&report, &options));
    }
    let copy = match &source {
        Source::Database(url) => copy::of_database(url, args.with_data).await?,
        Source::Sql { files, .. } => copy::of_sql(files, prelude(&config)).await?,
    };
    let attempt = attack_copy(args, &copy, &config).await;
    let left_out = copy.left_out.clone();
    let rows = copy.rows.clone();
    let mut report = finish(copy, attempt).await?;
    report.leave_out(left_out);
    report.inferred.insert("rows".to_owned(), Inferred { value: json!(rows.0), because: rows.1 });
    output::settle(&mut report, &options)?;
    output::write_all(&report, &options)?;
    Ok(output::exit_code(&report, &options))
}

async fn attack_copy(args: &AttackArgs, copy: &Copy, config: &Config) -> Result<Report, CommandError> {
    let subject = subject(copy, config).await?;
    let known = known(&subject, config);
    let mut session = copy.scratch.open(DATABASE).await?;
    let traps = check::traps(&mut session, &known).await;
    drop(session);
    let report = Box::pin(attack::attack(copy.scratch.url(DATABASE), subject, how(args))).await?;
    Ok(with_traps(report, traps))
}

/// Attacks the database itself: what it consists of is read by the first login, what is tried is tried by the app's where
/// it is given.
async fn attack_in_place(
    args: &AttackArgs,
    url: &DatabaseUrl,
    config: &Config,
) -> Result<Report, CommandError> {
    let mut session = Session::open(url, "novelfoundry isolation").await?;
    session.run("begin transaction isolation level repeatable read, read only").await?;
    session.run("set local statement_timeout = '20s'").await?;
    session.run("set local lock_timeout = '500ms'").await?;
    let catalog = catalog::load(&mut session).await;
    session.run("rollback").await?;
    let catalog = catalog?;
    let subject = infer::infer(&catalog, config)?;
    let traps = check::traps(&mut session, &known(&subject, config)).await;
    let login = args.app_login()?.unwrap_or_else(|| url.clone());
    let attempt = attack::attack_in_place(login, &mut session, catalog, subject, how(args));
    Ok(with_traps(Box::pin(attempt).await?, traps))
}

fn how(args: &AttackArgs) -> attack::Options {
    attack::Options {
        seed: args.seed,
        budget: args.budget.map(Duration::from_secs),
        only: None,
        full_evidence: args.report.evidence == Evidence::Full,
    }
}

/// Returns what a check is to take as known, once it is worked out.
fn known(subject: &Subject, config: &Config) -> Config {
    Config {
        app_role: Some(subject.app_role.clone()),
        tenant_column: subject.tenant_column.clone(),
        ..config.clone()
    }
}

/// Adds the traps that nothing was seen to fall into.
fn with_traps(mut report: Report, traps: Result<Vec<Finding>, check::CheckError>) -> Report {
    let traps = traps.unwrap_or_else(|error| {
        let reason = format!("was not looked through for traps: {}", novelfoundry_core::report(&error));
        report.not_attacked.push(NotAttacked { object: "catalogue".to_owned(), reason });
        Vec::new()
    });
    let leaky: Vec<String> = report.findings.iter().map(|finding| finding.object.clone()).collect();
    report.findings.extend(traps.into_iter().filter(|trap| !leaky.contains(&trap.object)));
    report
}

async fn subject(copy: &Copy, config: &Config) -> Result<Subject, CommandError> {
    let mut session = copy.scratch.open(DATABASE).await?;
    let catalog = catalog::load(&mut session).await?;
    Ok(infer::infer(&catalog, config)?)
}

/// Stops the server of a copy, whatever came out.
async fn finish<T, E: Into<CommandError>>(copy: Copy, result: Result<T, E>) -> Result<T, CommandError> {
    let stopped = copy.scratch.stop().await;
    let value = result.map_err(Into::into)?;
    stopped?;
    Ok(value)
}

/// Writes what can be worked out as a commented file.
async fn init(args: &InitArgs, env: Environment<'_>) -> Result<(), CommandError> {
    let source = args.source(env)?;
    let config = Config::default();
    let catalog = match &source {
        Source::Database(url) => {
            let mut session = Session::open(url, "novelfoundry isolation").await?;
            session.run("begin transaction read only").await?;
            let catalog = catalog::load(&mut session).await?;
            session.run("rollback").await?;
            catalog
        }
        Source::Sql { files, .. } => {
            let copy = copy::of_sql(files, None).await?;
            let mut session = copy.scratch.open(DATABASE).await?;
            let catalog = catalog::load(&mut session).await;
            drop(session);
            finish(copy, catalog).await?
        }
    };
    let text = match infer::infer(&catalog, &config) {
        Ok(subject) => file_of(&subject),
        Err(InferError::Ambiguous { what, candidates }) => {
            format!("# {what} is not clear; choose one:\n# app_role = \"{}\"\n", candidates.join("\" or \""))
        }
        Err(error @ InferError::Missing { .. }) => return Err(error.into()),
    };
    match &args.output {
        Target::Stdout => print(&text),
        Target::File(path) => {
            if path.exists() && !args.force {
                return Err(CommandError::Exists(path.display().to_string()));
            }
            fs::write(path, text).map_err(|error| CommandError::Write(path.display().to_string(), error))
        }
    }
}

/// Prints the page of a rule.
fn explain(args: &ExplainArgs) -> Result<(), CommandError> {
    print(&args.page().map_err(ArgumentError::from)?)
}

fn print(text: &str) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| CommandError::Write("standard output".to_owned(), error))
}

fn file_of(subject: &Subject) -> String {
    let mut text = String::from(
        "# What `attack` and `check` know of this schema. What is left out is worked out anew at each run.\n",
    );
    let mut line = |name: &str, value: &str, fallback: &str| {
        let because = subject.inferred.get(name).map_or(fallback, |inferred| inferred.because.as_str());
        // Writing to a String cannot fail.
        let _ = write!(text, "\n# {because}\n{value}\n");
    };
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    line("app_role", &format!("app_role = {}", quoted(&subject.app_role)), "the app's role");
    if let Some(column) = &subject.tenant_column {
        line(
            "tenant_column",
            &format!("tenant_column = {}", quoted(column)),
            "the column that holds the tenant",
        );
    }
    let statements: Vec<String> = subject.context.iter().map(|statement| quoted(statement)).collect();
    let context = match statements.as_slice() {
        [one] => format!("context = {one}"),
        many => format!("context = [{}]", many.join(", ")),
    };
    line("context", &context, "what opens a tenant's context");
    if let Some([one, other]) = &subject.principals {
        line(
            "principals",
            &format!("principals = [{}, {}]", quoted(one), quoted(other)),
            "who acts for each tenant",
        );
    }
    text.push_str(
        "\n# Two tenants that exist, attacker first; found or made in the copy when left out.\n# tenants = [\"…\", \"…\"]\n\
         \n# A waiver stays in every report, marked, and does not fail; it counts again from `until` on.\n\
         # [[accept]]\n# rule = \"…\"\n# object = \"public.t\"\n# reason = \"…\"\n# until = 2030-01-01\n",
    );
    text
}

/// What a platform brings along that files of SQL take for granted.
fn prelude(config: &Config) -> Option<&'static str> {
    match config.preset? {
        Preset::Supabase => Some(SUPABASE),
        Preset::Postgrest => Some("create role anon nologin; create role authenticated nologin;"),
    }
}

const SUPABASE: &str = "
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit;
grant anon, authenticated, service_role to authenticator;
create schema auth;
grant usage on schema auth to anon, authenticated, service_role;
create table auth.users (id uuid primary key, email text, raw_user_meta_data jsonb, raw_app_meta_data jsonb);
create function auth.jwt() returns jsonb language sql stable as
  $$ select coalesce(nullif(current_setting('request.jwt.claims', true), ''), '{}')::jsonb $$;
create function auth.uid() returns uuid language sql stable as
  $$ select nullif(auth.jwt() ->> 'sub', '')::uuid $$;
create function auth.role() returns text language sql stable as $$ select auth.jwt() ->> 'role' $$;
create function auth.email() returns text language sql stable as $$ select auth.jwt() ->> 'email' $$;
grant usage on schema public to anon, authenticated, service_role;
";
