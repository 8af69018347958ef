//! What the loader promises, on every layer at once.

use std::{collections::BTreeMap, error::Error as _, path::Path};

use proptest::prelude::*;

use super::{command, document, file, flags::SettingFlags, table::SECTIONS, *};

/// The layers of one test.
#[derive(Default)]
struct Given {
    flags: BTreeMap<&'static str, String>,
    env: BTreeMap<String, String>,
    file: Option<String>,
}

impl Given {
    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.flags.insert(key, value.to_owned());
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn file(mut self, text: &str) -> Self {
        self.file = Some(text.to_owned());
        self
    }

    fn load(self) -> Result<Loaded, Failure> {
        let directory = tempfile::tempdir().unwrap();
        if let Some(text) = &self.file {
            std::fs::write(directory.path().join(FILE_NAME), text).unwrap();
        }
        let flags = GlobalArgs {
            config: None,
            json: super::flags::JsonFlag(false),
            settings: SettingFlags(self.flags),
        };
        Config::load(&flags, |name| self.env.get(name).cloned(), directory.path())
    }

    /// Returns everything that anybody could read of the outcome.
    fn visible(self) -> String {
        match self.load() {
            Ok(loaded) => {
                let json = serde_json::to_string(&loaded.rows()).unwrap();
                format!("{}\n{json}", command::table(&loaded.rows()))
            }
            Err(failure) => format!("{failure:?}\n{}", tell(&failure)),
        }
    }
}

/// Returns a failure's parts.
fn tell(failure: &Failure) -> String {
    let why = failure.source().map(ToString::to_string).unwrap_or_default();
    format!("{failure} | {why} | {failure:?}")
}

fn refusal(given: Given) -> String {
    given.load().err().map(|failure| tell(&failure)).expect("it is refused")
}

/// Returns value and source of a key, as shown.
fn shown(loaded: &Loaded, key: &str) -> (String, String) {
    let rows = serde_json::to_value(loaded.rows()).unwrap();
    let row = rows.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone();
    (row["value"].as_str().unwrap_or("-").to_owned(), row["source"].as_str().unwrap().to_owned())
}

proptest! {
    #[test]
    fn the_strongest_layer_wins_and_is_named(
        flag in proptest::option::of(1_u32..=1000),
        env in proptest::option::of(1_u32..=1000),
        file in proptest::option::of(1_u32..=1000),
    ) {
        let mut given = Given::default().env("NOVELFOUNDRY_LOG_LEVEL", "");
        let mut expected = (16, "default");
        if let Some(number) = file {
            given = given.file(&format!("[database]\n\npool_size = {number}\n"));
            expected = (number, "novelfoundry.toml:3");
        }
        if let Some(number) = env {
            given = given.env("NOVELFOUNDRY_DATABASE_POOL_SIZE", &number.to_string());
            expected = (number, "environment NOVELFOUNDRY_DATABASE_POOL_SIZE");
        }
        if let Some(number) = flag {
            given = given.flag("database.pool_size", &number.to_string());
            expected = (number, "flag --database-pool-size");
        }
        let loaded = given.load().unwrap();
        prop_assert_eq!(loaded.config.database.pool_size.get(), expected.0);
        prop_assert_eq!(shown(&loaded, "database.pool_size"), (expected.0.to_string(), expected.1.to_owned()));
        prop_assert_eq!(shown(&loaded, "log.level").1, "default");
    }

    #[test]
    fn a_secret_is_never_visible(junk in "[ -~]{0,12}", place in 0..6, layer in 0..3) {
        let secret = format!("Zq{junk}Zq");
        let (key, name, value) = match place {
            0 => ("s3.secret_access_key", "AWS_SECRET_ACCESS_KEY", secret),
            1 => ("database.url", "DATABASE_URL", format!("postgres://tenant:{secret}@h:5432/db?sslmode=require")),
            2 => ("database.owner_url", "DATABASE_OWNER_URL", format!("postgres://o@h/db?password={secret}&port=1")),
            3 => ("database.control_url", "DATABASE_CONTROL_URL", secret),
            4 => ("supabase.url", "SUPABASE_URL", format!("https://user:{secret}@h")),
            _ => ("auth.jwks_url", "NOVELFOUNDRY_AUTH_JWKS_URL", format!("https://h/keys?key={secret}")),
        };
        let given = match layer {
            0 if key != "s3.secret_access_key" => Given::default().flag(key, &value),
            1 => Given::default().file(&format!("{key} = {}", toml::Value::String(value))),
            // Not even valid TOML, mostly.
            2 => Given::default().file(&format!("{key} = '{value}'\nlisten = \"")),
            _ => Given::default().env(name, &value),
        };
        let visible = given.visible();
        prop_assert!(!visible.contains("Zq"), "{visible}");
    }

    #[test]
    fn garbage_is_refused_and_does_not_panic(text in ".{0,40}", key in 0..SETTINGS.len(), in_file: bool) {
        let setting = SETTINGS[key];
        let given = if in_file {
            Given::default().file(&format!("{} = {text}", setting.key))
        } else {
            Given::default().env(&setting.env_names().next().unwrap(), &text)
        };
        if let Ok(loaded) = given.load() {
            prop_assert!(!command::table(&loaded.rows()).chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}

#[test]
fn earlier_names_in_the_environment_are_stronger() {
    let names = ["NOVELFOUNDRY_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"];
    for strongest in 0..names.len() {
        let given = names[strongest..]
            .iter()
            .fold(Given::default(), |given, name| given.env(name, &name.to_lowercase()));
        let loaded = given.load().unwrap();
        assert_eq!(loaded.config.s3.region.as_str(), names[strongest].to_lowercase());
        assert_eq!(shown(&loaded, "s3.region").1, format!("environment {}", names[strongest]));
    }
}

#[test]
fn a_supabase_project_gives_keys_issuer_and_store() {
    for url in ["https://abc.supabase.co", "https://abc.supabase.co/"] {
        let loaded = Given::default().env("SUPABASE_URL", url).load().unwrap();
        let Config { auth, s3, .. } = &loaded.config;
        assert_eq!(
            auth.jwks_url.need().unwrap().as_str(),
            "https://abc.supabase.co/auth/v1/.well-known/jwks.json"
        );
        assert_eq!(auth.issuer.need().unwrap().as_str(), "https://abc.supabase.co/auth/v1");
        assert_eq!(s3.endpoint.need().unwrap().as_str(), "https://abc.supabase.co/storage/v1/s3");
        assert_eq!(s3.public_url.need().unwrap().as_str(), "https://abc.supabase.co/storage/v1/s3");
        assert_eq!(shown(&loaded, "auth.issuer").1, "derived from SUPABASE_URL");
    }
    let file = "[supabase]\nurl = 'https://abc.supabase.co'\n[auth]\nissuer = 'https://own.example/'";
    let loaded = Given::default().file(file).env("AWS_ENDPOINT_URL", "http://garage:3900").load().unwrap();
    assert_eq!(shown(&loaded, "auth.jwks_url").1, "derived from supabase.url");
    assert_eq!(shown(&loaded, "auth.issuer"), ("https://own.example/".into(), "novelfoundry.toml:4".into()));
    assert_eq!(
        shown(&loaded, "s3.public_url"),
        ("http://garage:3900".into(), "derived from AWS_ENDPOINT_URL".into())
    );
}

#[test]
fn sign_up_is_open_by_default_only_where_nobody_else_can_reach_it() {
    for (listen, public_url, expected) in [
        ("127.0.0.1:8787", "", Signup::Open),
        ("[::1]:80", "http://localhost:3000", Signup::Open),
        ("127.0.0.1:8787", "https://novels.example", Signup::Invite),
        ("0.0.0.0:8787", "", Signup::Invite),
        ("0.0.0.0:8787", "http://localhost:8787", Signup::Invite),
        ("192.0.2.1:80", "", Signup::Invite),
    ] {
        let given =
            Given::default().env("NOVELFOUNDRY_LISTEN", listen).env("NOVELFOUNDRY_PUBLIC_URL", public_url);
        assert_eq!(given.load().unwrap().config.embedded.signup, expected, "{listen} {public_url}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_file_line_and_nearest_key() {
    for (text, at, key, near) in [
        ("lisen = ''", ":1", "`lisen`", "`listen`"),
        ("[database]\npoolsize = 3", ":2", "`database.poolsize`", "`database.pool_size`"),
        ("[log]\nlisten = 'x'", ":2", "`log.listen`", "`listen`"),
        ("owner_url = 'x'", ":1", "`owner_url`", "`database.owner_url`"),
        ("\n[databse]\nurl = 'x'", ":2", "`databse`", "`database`"),
        ("s3.secret_acces_key = 'x'", ":1", "`s3.secret_acces_key`", "`s3.secret_access_key`"),
        ("\"a\\nb\" = 1", ":1", "`a\\nb`", "config schema"),
        ("database = 3", ":1", "`database` is a section", "[database]"),
    ] {
        let told = refusal(Given::default().file(text));
        assert!(told.starts_with(&format!("novelfoundry.toml{at}: ")), "{told}");
        assert!(told.contains(key) && told.contains(near), "{told}");
    }
}

#[test]
fn a_bad_value_is_refused_with_its_source_and_what_is_accepted() {
    let loopback = "an IP address and a port";
    for (name, value, parts) in [
        ("NOVELFOUNDRY_LISTEN", "localhost", ["`localhost` is not", loopback]),
        ("NOVELFOUNDRY_METRICS_LISTEN", "of", ["`of` is not", "`off`, or"]),
        ("NOVELFOUNDRY_PUBLIC_URL", "example.com", ["`example.com` is not a URL", "http://"]),
        ("NOVELFOUNDRY_PUBLIC_URL", "ftp://example.com", ["does not begin with http://", "https://"]),
        ("AWS_ENDPOINT_URL_S3", "https://h/?x=1", ["has a query", "path"]),
        ("NOVELFOUNDRY_ALLOWED_ORIGINS", "*", ["every site", "origins such as"]),
        ("NOVELFOUNDRY_ALLOWED_ORIGINS", "https://A.example/", ["`https://a.example`", "without a path"]),
        ("DATABASE_URL", "mysql://h/db", ["the value is not a URL", "postgres://"]),
        ("DATABASE_URL", "postgres://u:a#b@h/db", ["%23", "percent-encoded"]),
        ("DATABASE_URL", "postgres://u:a/b@h/db", ["%2F", "percent-encoded"]),
        ("DATABASE_URL", "postgres://h:port/db", ["the value is not a URL", "postgres://"]),
        ("DATABASE_URL", "postgres://u@h/db?sslmod=require", ["an option that is not understood", "%26"]),
        ("DATABASE_URL", "postgres://u@h/db?sslmode=prefer", ["sslmode", "verify-full"]),
        ("NOVELFOUNDRY_DATABASE_POOL_SIZE", "0", ["`0` is not", "from 1 to 1000, or leave it out for `16`"]),
        ("NOVELFOUNDRY_DATABASE_STATEMENTS", "type", ["did you mean `typed`?", "named, typed"]),
        ("NOVELFOUNDRY_DATABASE_ROLE_PREFIX", "x\"; drop", ["`x\\\"; drop` is not", "lower-case"]),
        ("NOVELFOUNDRY_DATABASE_ROLE_PREFIX", "pg_novels", ["`pg_novels` is not", "not with `pg_`"]),
        ("NOVELFOUNDRY_WORKER_LEASE_SECONDS", "3601", ["`3601` is not", "from 5 to 3600"]),
        ("S3_BUCKET", "../x", ["`../x` is not", "letters, digits"]),
        ("AWS_SECRET_ACCESS_KEY", "abc\n", ["the value contains a line break", "a text"]),
    ] {
        let told = refusal(Given::default().env(name, value));
        assert!(told.starts_with(&format!("environment {name}: ")), "{told}");
        let plain = told.replace("\\\\", "\\").replace("\\\"", "\"");
        assert!(parts.iter().all(|part| told.contains(part) || plain.contains(part)), "{parts:?}: {told}");
    }
}

#[test]
fn a_value_of_another_shape_is_refused_by_file_and_line() {
    for (text, wanted) in [
        ("listen = 8787", "a text in quotes"),
        ("allowed_origins = 'https://a.example'", "a list of texts"),
        ("allowed_origins = [1]", "a list of texts"),
        ("worker.concurrency = '2'", "a whole number without quotes"),
        ("worker.concurrency = 2.5", "a whole number without quotes"),
        ("log = 'x'", "[log]"),
        ("[listen]", "a text in quotes"),
    ] {
        let told = refusal(Given::default().file(text));
        assert!(told.starts_with("novelfoundry.toml:1: ") && told.contains(wanted), "{told}");
    }
}

#[test]
fn a_bad_derivation_names_what_it_started_from() {
    let told = refusal(Given::default().env("SUPABASE_URL", "abc.supabase.co"));
    assert!(told.starts_with("environment SUPABASE_URL: "), "{told}");
}

#[test]
fn what_is_needed_and_missing_is_told_with_every_way_to_set_it() {
    let config = Given::default().load().unwrap().config;
    let told = tell(&config.database.owner_url.need().unwrap_err());
    for way in ["`database.owner_url`", "DATABASE_OWNER_URL", "--database-owner-url", "postgres://"] {
        assert!(told.contains(way), "{told}");
    }
    assert!(!tell(&config.s3.secret_access_key.need().unwrap_err()).contains("--s3"));
    assert!(config.s3.endpoint.get().is_none());
}

#[test]
fn the_schema_sets_every_key_once_the_marks_are_removed() {
    let marks =
        |line: &str| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
    let text = document::schema().lines().map(marks).collect::<Vec<_>>().join("\n");
    assert_eq!(file::parse(&text, "schema").unwrap().len(), SETTINGS.len());
    Given::default().file(&text).load().unwrap();
    // As printed it sets nothing.
    assert!(file::parse(&document::schema(), "schema").unwrap().is_empty());
}

#[test]
fn names_are_unique_and_derivations_start_earlier_in_the_table() {
    let mut names = std::collections::HashSet::new();
    for (index, setting) in SETTINGS.iter().enumerate() {
        for name in setting.env_names().chain(setting.flag()) {
            assert!(names.insert(name.clone()), "{name} stands for two settings");
        }
        let from = setting.derived.map_or(&[][..], |derived| derived.from);
        assert!(
            from.iter().all(|key| SETTINGS[..index].iter().any(|earlier| earlier.key == *key)),
            "{}",
            setting.key
        );
        let (section, _) = setting.split_key();
        assert!(
            SECTIONS.iter().any(|(prefix, _)| prefix.trim_end_matches('.') == section),
            "{}",
            setting.key
        );
    }
}

#[test]
fn the_page_of_documentation_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIGURATION.md");
    let page = std::fs::read_to_string(path).unwrap();
    let how = "run `novelfoundry config schema --markdown > docs/CONFIGURATION.md`";
    assert!(page == document::markdown(), "docs/CONFIGURATION.md is not up to date: {how}");
}

#[test]
fn a_bucket_s_name_is_one_for_the_object_store_too() {
    let bucket = |name: &str| Given::default().env("S3_BUCKET", name).load();
    for name in ["abc", "a.b-c_9", &"x".repeat(63)] {
        assert_eq!(bucket(name).unwrap().config.s3.bucket.as_str(), name);
    }
    for name in ["ab", &"x".repeat(64), "-ab", "ab-", "a b"] {
        assert!(bucket(name).is_err(), "{name}");
    }
}

#[test]
fn proxies_are_addresses() {
    let given = |text: &str| Given::default().env("NOVELFOUNDRY_TRUSTED_PROXIES", text);
    let proxies =
        given("127.0.0.1, ::1").load().unwrap().config.server.trusted_proxies.need().unwrap().0.clone();
    assert_eq!(proxies, ["127.0.0.1".parse::<std::net::IpAddr>().unwrap(), "::1".parse().unwrap()]);
    for text in ["10.0.0.0/8", "proxy.example", "127.0.0.1:80"] {
        assert!(refusal(given(text)).contains("is not an IP address"), "{text}");
    }
}
