//! What `up`, `status` and `env` tell of an installation. Programs read it: a key is only ever added.

use std::{fmt::Write as _, path::Path, time::Duration};

use novelfoundry_core::Secret;
use novelfoundry_database::{DatabaseUrl, RoleNames, SslMode};
use novelfoundry_embedded::postgres::ADMIN_USER;
use serde::Serialize;

use super::{secrets::Secrets, state::State};
use crate::output::Failure;

/// The demo account's address; the domain is reserved for what leaves no machine.
pub(crate) const DEMO_EMAIL: &str = "demo@novelfoundry.local";
/// The database of an embedded installation.
pub(crate) const DATABASE: &str = "novelfoundry";

const SEES_ALL: &str = "sees every tenant";
const SEES_ONE: &str = "sees one";
const SEES_DIRECTORY: &str = "sees the directory and the queue of every tenant";
const SEES_CREDENTIALS: &str = "sees accounts and sessions";

/// The URLs of an embedded installation's logins.
pub(crate) struct Logins {
    /// The superuser: sees every tenant.
    pub(crate) owner: DatabaseUrl,
    /// Sees one tenant at a time.
    pub(crate) tenant: DatabaseUrl,
    /// Sees the directory and the queue.
    pub(crate) control: DatabaseUrl,
    /// Sees accounts and sessions.
    pub(crate) issuer: DatabaseUrl,
    /// The names of the roles.
    pub(crate) roles: RoleNames,
}

impl Logins {
    /// Returns those of an installation that was started before.
    pub(crate) fn of(data_dir: &Path, state: &State, secrets: &Secrets) -> Result<Self, Failure> {
        let roles = RoleNames::with_prefix(&state.role_prefix).ok_or_else(|| {
            Failure::new(
                format!("{} is damaged", data_dir.join("state.json").display()),
                "Remove it and run `novelfoundry up`, which writes it anew.",
            )
        })?;
        Ok(Self::new(&state.socket_dir, state.postgres_port, &roles, secrets))
    }

    /// Puts the URLs together. `roles` are the names of the runtime logins.
    pub(crate) fn new(socket_dir: &Path, port: u16, roles: &RoleNames, secrets: &Secrets) -> Self {
        let owner = DatabaseUrl {
            user: ADMIN_USER.to_owned(),
            password: Some(secrets.admin.clone()),
            host: socket_dir.display().to_string(),
            port,
            database: DATABASE.to_owned(),
            ssl_mode: SslMode::Disable,
            ssl_root_cert: None,
        };
        let login = |name: &str, password: &Secret| owner.with_login(name, password.clone());
        Self {
            tenant: login(&roles.tenant, &secrets.passwords.tenant),
            control: login(&roles.control, &secrets.passwords.control),
            issuer: login(&roles.issuer, &secrets.passwords.issuer),
            roles: roles.clone(),
            owner,
        }
    }
}

/// What programs are told.
#[derive(Serialize)]
pub(crate) struct Summary {
    api: String,
    docs: String,
    s3: S3,
    database_url: String,
    tenant_database_url: String,
    control_database_url: String,
    issuer_database_url: String,
    /// What each login sees, by the key of its URL.
    logins: Sees,
    auth: Auth,
    metrics: Option<String>,
    data_dir: String,
    version: String,
    postgres_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    demo: Option<Demo>,
    #[serde(skip)]
    owner: DatabaseUrl,
}

#[derive(Serialize)]
struct S3 {
    endpoint: String,
    region: String,
    bucket: String,
    credentials_file: String,
}

#[derive(Serialize)]
struct Sees {
    database_url: &'static str,
    tenant_database_url: &'static str,
    control_database_url: &'static str,
    issuer_database_url: &'static str,
}

#[derive(Serialize)]
struct Auth {
    issuer: String,
    jwks_url: String,
    audience: String,
}

/// The demo account.
#[derive(Serialize)]
struct Demo {
    email: String,
    password_file: String,
}

impl Summary {
    /// Collects what there is to tell.
    pub(crate) fn new(data_dir: &Path, state: &State, secrets: &Secrets) -> Result<Self, Failure> {
        let logins = Logins::of(data_dir, state, secrets)?;
        let api = &state.public_url;
        Ok(Self {
            api: api.clone(),
            docs: format!("{api}/docs"),
            s3: S3 {
                endpoint: state.s3_public_url.clone(),
                region: state.region.clone(),
                bucket: state.bucket.clone(),
                credentials_file: secrets.s3_file().display().to_string(),
            },
            database_url: logins.owner.expose(),
            tenant_database_url: logins.tenant.expose(),
            control_database_url: logins.control.expose(),
            issuer_database_url: logins.issuer.expose(),
            logins: Sees {
                database_url: SEES_ALL,
                tenant_database_url: SEES_ONE,
                control_database_url: SEES_DIRECTORY,
                issuer_database_url: SEES_CREDENTIALS,
            },
            auth: Auth {
                issuer: format!("{api}/auth/v1"),
                jwks_url: format!("{api}/auth/v1/.well-known/jwks.json"),
                audience: state.audience.clone(),
            },
            metrics: state.metrics_listen.map(|address| format!("http://{address}/metrics")),
            data_dir: data_dir.display().to_string(),
            version: state.version.clone(),
            postgres_version: state.postgres_version.clone(),
            demo: secrets.demo_file().exists().then(|| Demo {
                email: DEMO_EMAIL.to_owned(),
                password_file: secrets.demo_file().display().to_string(),
            }),
            owner: logins.owner,
        })
    }

    /// Writes the lines that a shell takes in: with them, `serve`, `worker`, `migrate`, `doctor`, psql and S3's clients
    /// find this installation.
    pub(crate) fn shell(&self, secrets: &Secrets) -> String {
        let mut text = String::new();
        let mut export = |comment: &str, name: &str, value: &str| {
            if !comment.is_empty() {
                let _ = writeln!(text, "# {comment}");
            }
            let _ = writeln!(text, "export {name}='{}'", value.replace('\'', r"'\''"));
        };
        export("The API.", "NOVELFOUNDRY_URL", &self.api);
        export(&format!("The owner's login: {SEES_ALL}."), "DATABASE_OWNER_URL", &self.database_url);
        export("The same for psql, pg_dump and pg_restore.", "PGHOST", &self.owner.host);
        export("", "PGPORT", &self.owner.port.to_string());
        export("", "PGUSER", &self.owner.user);
        export("", "PGPASSWORD", self.owner.password.as_ref().map_or("", Secret::expose));
        export("", "PGDATABASE", &self.owner.database);
        export(&format!("The tenant login: {SEES_ONE}."), "DATABASE_URL", &self.tenant_database_url);
        export(
            &format!("The control login: {SEES_DIRECTORY}."),
            "DATABASE_CONTROL_URL",
            &self.control_database_url,
        );
        export(
            &format!("The issuer's login: {SEES_CREDENTIALS}."),
            "DATABASE_ISSUER_URL",
            &self.issuer_database_url,
        );
        export("The object store.", "AWS_ENDPOINT_URL_S3", &self.s3.endpoint);
        export("", "AWS_REGION", &self.s3.region);
        export("", "S3_BUCKET", &self.s3.bucket);
        export("", "AWS_ACCESS_KEY_ID", &secrets.s3.access_key_id);
        export("", "AWS_SECRET_ACCESS_KEY", secrets.s3.secret_access_key.expose());
        export("The issuer of tokens.", "NOVELFOUNDRY_AUTH_ISSUER", &self.auth.issuer);
        export("", "NOVELFOUNDRY_AUTH_JWKS_URL", &self.auth.jwks_url);
        export("", "NOVELFOUNDRY_AUTH_AUDIENCE", &self.auth.audience);
        text
    }

    /// Writes the addresses for people, aligned.
    pub(crate) fn addresses(&self) -> String {
        let mut rows = vec![
            ("API", self.api.clone()),
            ("docs", self.docs.clone()),
            ("S3", format!("{}  bucket {}, region {}", self.s3.endpoint, self.s3.bucket, self.s3.region)),
            ("S3 keys", self.s3.credentials_file.clone()),
        ];
        rows.extend(self.metrics.clone().map(|metrics| ("metrics", metrics)));
        rows.push(("data", self.data_dir.clone()));
        rows.into_iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "  {name:<8} {value}");
            text
        })
    }

    /// Writes what `up` ends with on a terminal.
    pub(crate) fn ready(&self, took: Duration, demo_password: Option<&Secret>, sign_up: bool) -> String {
        let mut text = format!(
            "NovelFoundry {} with PostgreSQL {} is ready after {:.1} s.\n\n{}",
            self.version,
            self.postgres_version,
            took.as_secs_f64(),
            self.addresses()
        );
        if let Some(demo) = &self.demo {
            let password = demo_password.map_or_else(
                || format!("password in {}", demo.password_file),
                |new| format!("password {} (also in {})", new.expose(), demo.password_file),
            );
            let _ = writeln!(text, "  {:<8} {}, {password}", "demo", demo.email);
        }
        text.push_str("\nTry next, in another terminal:\n  ");
        let _ = if sign_up {
            write!(
                text,
                "NOVELFOUNDRY_URL={api} script/journey README.md\n  \
                 curl -s {api}/auth/v1/signup -H 'content-type: application/json' \
                 -d '{{\"email\":\"me@example.com\",\"password\":\"a long password\"}}'",
                api = self.api,
            )
        } else {
            // Nobody can sign up by themselves.
            write!(text, "{} user create me@example.com --data-dir {}", program(), quoted(&self.data_dir))
        };
        let _ = write!(
            text,
            "\n  {program} env --data-dir {data_dir}\n\n\
             Ctrl-C stops it all; the data stays in {data_dir} and is there at the next start.",
            data_dir = quoted(&self.data_dir),
            program = program(),
        );
        text
    }
}

/// Returns how this program was called, so that what is shown can be pasted.
fn program() -> String {
    let name = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned());
    quoted(&name.unwrap_or_else(|| "novelfoundry".to_owned()))
}

fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
