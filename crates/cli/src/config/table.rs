//! The table of settings: the one place that names a key. The typed [`Config`], the flags, the environment's names, the
//! file's schema, `config show` and the documentation all follow from it.

#![expect(clippy::struct_field_names, reason = "a field is named like its key, which says its unit")]

use std::{net::SocketAddr, path::PathBuf};

use novelfoundry_core::Secret;
use novelfoundry_database::{DatabaseUrl, Statements};
use novelfoundry_mail::Sender;

use super::{
    setting::{Derivation, Field, Found, Optional, Setting, Value},
    urls::{BaseUrl, HttpUrl, Origins, is_loopback, origin_of},
    values::{Bucket, ListenOrOff, LogFormat, LogLevel, Proxies, RolePrefix, Signup, SmtpTls, Whole, Word},
};
use crate::output::Failure;

/// Declares the settings, a section after the other; a setting stands after those it is derived from.
macro_rules! settings {
    ($($(#[doc = $section_doc:literal])+ $section:ident: $struct:ident $prefix:literal {$(
        $(#[doc = $doc:literal])+
        $name:ident: $type:ty $(= $default:literal)? $(, derived $derived:path)? $(, env $($alias:literal)+)?;
    )+})+) => {
        $(
            $(#[doc = $section_doc])+
            #[derive(Clone)]
            pub(crate) struct $struct {
                $($(#[doc = $doc])+ pub(crate) $name: $type,)+
            }

            #[expect(non_upper_case_globals, reason = "each row is named like the field it describes")]
            impl $struct {
                $(const $name: Setting = Setting {
                    key: concat!($prefix, stringify!($name)),
                    doc: concat!($($doc),+),
                    aliases: &[$($($alias),+)?],
                    default: settings!(@option $($default)?),
                    derived: settings!(@option $($derived)?),
                    shape: <$type as Field>::Value::SHAPE,
                    secret: <$type as Field>::Value::SECRET,
                    example: <$type as Field>::Value::EXAMPLE,
                    accepts: <$type as Field>::Value::accepts,
                    show: <$type as Field>::Value::show,
                };)+
            }
        )+

        /// The configuration, checked and typed; without `Debug`, so that no log line can hold it.
        #[derive(Clone)]
        pub(crate) struct Config {
            $($(#[doc = $section_doc])+ pub(crate) $section: $struct,)+
        }

        impl Config {
            /// Checks what was found, in the table's order, and gives it types.
            pub(super) fn build(found: impl Fn(&'static Setting) -> Option<Found>) -> Result<Self, Failure> {
                Ok(Self {$(
                    $section: $struct {
                        $($name: Field::build(&$struct::$name, found(&$struct::$name).as_ref())?,)+
                    },
                )+})
            }
        }

        /// Every setting, in the order of the table.
        pub(crate) static SETTINGS: &[&Setting] = &[$($(&$struct::$name,)+)+];

        /// What the sections are for, by their names in the file.
        pub(super) const SECTIONS: &[(&str, &str)] = &[$(($prefix, concat!($($section_doc),+)),)+];
    };
    (@option) => { None };
    (@option $value:expr) => { Some($value) };
}

settings! {
    /// The address of the installation.
    server: Server "" {
        /// Where the API listens.
        listen: SocketAddr = "127.0.0.1:8787";
        /// Where metrics for Prometheus are served, apart from the API.
        metrics_listen: ListenOrOff = "127.0.0.1:9464";
        /// Where browsers reach the API. Links and the embedded issuer's name begin with it; `up` remembers it.
        public_url: Optional<BaseUrl>, derived PUBLIC_URL;
        /// The addresses of the reverse proxies in front, whose `X-Forwarded-For` the embedded issuer's rate limits believe.
        trusted_proxies: Optional<Proxies>;
        /// Which web origins may call the API, the embedded issuer and the embedded store.
        allowed_origins: Optional<Origins>, derived ALLOWED_ORIGINS;
    }
    /// A Supabase project, as a short way to the settings that follow from its address.
    supabase: Supabase "supabase." {
        /// The project's address.
        url: Optional<BaseUrl>, env "SUPABASE_URL";
    }
    /// PostgreSQL.
    database: Database "database." {
        /// The owner's login, for `migrate` and operator commands only.
        owner_url: Optional<DatabaseUrl>, env "DATABASE_OWNER_URL";
        /// The tenant login, for what is done inside one workspace.
        url: Optional<DatabaseUrl>, env "DATABASE_URL";
        /// The control login, for the directory and the queue.
        control_url: Optional<DatabaseUrl>, env "DATABASE_CONTROL_URL";
        /// The embedded issuer's login; of no use with another issuer.
        issuer_url: Optional<DatabaseUrl>, env "DATABASE_ISSUER_URL";
        /// How many connections each pool may open.
        pool_size: Whole<1, 1000> = "16";
        /// How statements are sent: `named` is faster, `typed` works through a transaction pooler.
        statements: Statements = "named";
        /// What the names of the database roles begin with.
        role_prefix: RolePrefix = "novelfoundry";
    }
    /// The object store.
    s3: S3 "s3." {
        /// The store's S3 endpoint, with its base path if it has one.
        endpoint: Optional<BaseUrl>, derived S3_ENDPOINT, env "AWS_ENDPOINT_URL_S3" "AWS_ENDPOINT_URL";
        /// Where browsers reach the store. Signed URLs begin with it; `up` remembers it.
        public_url: Optional<BaseUrl>, derived S3_PUBLIC_URL;
        /// The region that signatures name.
        region: Word = "us-east-1", env "AWS_REGION" "AWS_DEFAULT_REGION";
        /// The bucket of the documents.
        bucket: Bucket = "novelfoundry", env "S3_BUCKET";
        /// The name of the access key.
        access_key_id: Optional<Word>, env "AWS_ACCESS_KEY_ID";
        /// The secret of the access key.
        secret_access_key: Optional<Secret>, env "AWS_SECRET_ACCESS_KEY";
    }
    /// The issuer of tokens.
    auth: Auth "auth." {
        /// What the claim `iss` of a token must be, byte for byte.
        issuer: Optional<HttpUrl>, derived ISSUER;
        /// Where the issuer publishes its keys.
        jwks_url: Optional<HttpUrl>, derived JWKS_URL;
        /// What the claim `aud` of a token must be.
        audience: Word = "authenticated";
    }
    /// The data plane on one machine, which `up` runs.
    embedded: Embedded "embedded." {
        /// The directory of the database, the objects and the keys.
        data_dir: PathBuf = "novelfoundry-data", derived DATA_DIR;
        /// The directory of PostgreSQL's programs, where they are not found without it.
        postgres_bin: Optional<PathBuf>, env "NOVELFOUNDRY_PG_BIN";
        /// Where PostgreSQL listens besides its socket.
        postgres_listen: ListenOrOff = "off";
        /// Where the store listens.
        s3_listen: SocketAddr = "127.0.0.1:8788", derived S3_LISTEN;
        /// Who may sign up by themselves: everybody with `open`, whoever holds an open invitation to a workspace with
        /// `invite`, nobody with `closed`. `novelfoundry user create` makes accounts whatever it is.
        signup: Signup = "invite", derived SIGNUP;
    }
    /// The server that mail is sent by. Without one, each mail is a file in `outbox` in `embedded.data_dir`.
    smtp: Smtp "smtp." {
        /// The server's name; its certificate must have it.
        host: Optional<Word>;
        /// How the connection is encrypted; `none` is for a server on this machine only.
        tls: SmtpTls = "starttls";
        /// The server's port.
        port: Whole<1, 65_535> = "587", derived SMTP_PORT;
        /// The user to log in as, where the server asks for one.
        username: Optional<Word>;
        /// The user's password.
        password: Optional<Secret>;
        /// A file that holds the user's password, instead of `smtp.password`.
        password_file: Optional<PathBuf>;
        /// Whom mail comes from.
        from: Optional<Sender>;
    }
    /// The workers.
    worker: Worker "worker." {
        /// How many jobs run at a time.
        concurrency: Whole<1, 256> = "2";
        /// How many seconds a job stays with a worker that is no longer heard of.
        lease_seconds: Whole<5, 3600> = "60";
        /// For how many seconds a deleted file is deleted again whenever a restored copy brings it back: longer than your
        /// oldest backup is kept.
        backup_retention_seconds: Whole<0, 315_360_000> = "3024000";
    }
    /// The limits of the API.
    api: Api "api." {
        /// After how many seconds a request is given up.
        request_timeout_seconds: Whole<1, 600> = "30";
        /// For how many seconds an upload's signed URL is good.
        upload_expiry_seconds: Whole<60, 86_400> = "900";
        /// For how many seconds a download's signed URL is good.
        download_expiry_seconds: Whole<10, 86_400> = "300";
        /// For how many seconds the files of what was deleted are kept; a backup copies them within this time.
        purge_after_seconds: Whole<0, 2_592_000> = "86400";
    }
    /// The log, on standard error.
    log: Log "log." {
        /// How lines look; `auto` is text on a terminal and JSON elsewhere.
        format: LogFormat = "auto";
        /// From which severity on lines are written.
        level: LogLevel = "info";
    }
}

const PUBLIC_URL: Derivation = Derivation {
    from: &["listen"],
    result: "`http://` and `listen`, unless that names no one address and port",
    compute: |from| {
        let listen: SocketAddr = from.first()?.parse().ok()?;
        (!listen.ip().is_unspecified() && listen.port() != 0).then(|| format!("http://{listen}"))
    },
};

const ALLOWED_ORIGINS: Derivation = Derivation {
    from: &["public_url"],
    result: "the origin of `public_url`",
    compute: |from| origin_of(from.first()?),
};

const S3_ENDPOINT: Derivation = Derivation {
    from: &["supabase.url"],
    result: "`supabase.url` and `/storage/v1/s3`",
    compute: |from| below(from, "/storage/v1/s3"),
};

const S3_PUBLIC_URL: Derivation =
    Derivation { from: &["s3.endpoint"], result: "`s3.endpoint`", compute: |from| from.first().cloned() };

const ISSUER: Derivation = Derivation {
    from: &["supabase.url"],
    result: "`supabase.url` and `/auth/v1`",
    compute: |from| below(from, "/auth/v1"),
};

const JWKS_URL: Derivation = Derivation {
    from: &["supabase.url"],
    result: "`supabase.url` and `/auth/v1/.well-known/jwks.json`",
    compute: |from| below(from, "/auth/v1/.well-known/jwks.json"),
};

/// As root the database runs as another user, who could not pass through a checkout in root's home.
const DATA_DIR: Derivation = Derivation {
    from: &[],
    result: "`/var/lib/novelfoundry` where root runs the command",
    compute: |_| rustix::process::geteuid().is_root().then(|| "/var/lib/novelfoundry".to_owned()),
};

/// A second installation on one machine then needs one flag only.
const S3_LISTEN: Derivation = Derivation {
    from: &["listen"],
    result: "`listen` with the next port",
    compute: |from| {
        let mut listen: SocketAddr = from.first()?.parse().ok()?;
        // Port 0 is any free one.
        let port = if listen.port() == 0 { 0 } else { listen.port().checked_add(1)? };
        listen.set_port(port);
        Some(listen.to_string())
    },
};

const SMTP_PORT: Derivation = Derivation {
    from: &["smtp.tls"],
    result: "465 where `smtp.tls` is `implicit`, 25 where it is `none`",
    compute: |from| match from.first()?.as_str() {
        "implicit" => Some("465".to_owned()),
        "none" => Some("25".to_owned()),
        _ => None,
    },
};

/// Looks at both, since a proxy may publish what listens on loopback.
const SIGNUP: Derivation = Derivation {
    from: &["listen", "public_url"],
    result: "`open` where `listen` and `public_url` are both loopback",
    compute: |from| {
        let listen: SocketAddr = from.first()?.parse().ok()?;
        (listen.ip().is_loopback() && is_loopback(from.get(1)?)).then(|| "open".to_owned())
    },
};

fn below(from: &[String], path: &str) -> Option<String> {
    Some(format!("{}{path}", from.first()?.trim_end_matches('/')))
}
