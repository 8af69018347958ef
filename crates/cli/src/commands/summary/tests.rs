//! What a terminal shows at the end of `up`, as a person reads it.

use super::*;

fn summary(demo: bool) -> Summary {
    let text = str::to_owned;
    let url = text("postgresql://owner:secret@/novelfoundry?host=/srv/novels/run");
    Summary {
        api: text("http://127.0.0.1:8787"),
        docs: text("http://127.0.0.1:8787/docs"),
        s3: S3 {
            endpoint: text("http://127.0.0.1:8788"),
            region: text("us-east-1"),
            bucket: text("novelfoundry"),
            credentials_file: text("/srv/my novels/secrets/s3-credentials"),
        },
        database_url: url.clone(),
        tenant_database_url: url.clone(),
        control_database_url: url.clone(),
        issuer_database_url: url.clone(),
        logins: Sees {
            database_url: SEES_ALL,
            tenant_database_url: SEES_ONE,
            control_database_url: SEES_DIRECTORY,
            issuer_database_url: SEES_CREDENTIALS,
        },
        auth: Auth { issuer: text(""), jwks_url: text(""), audience: text("") },
        metrics: demo.then(|| text("http://127.0.0.1:9464/metrics")),
        data_dir: text("/srv/my novels"),
        version: text("1.2.3"),
        postgres_version: text("15.14"),
        demo: demo.then(|| Demo {
            email: DEMO_EMAIL.to_owned(),
            password_file: text("/srv/my novels/secrets/demo-password"),
        }),
        owner: DatabaseUrl::parse(&url).unwrap(),
    }
}

/// How the program was called is the machine's.
fn shown(summary: &Summary, demo_password: Option<&Secret>, sign_up: bool) -> String {
    let text = summary.ready(Duration::from_millis(4321), demo_password, sign_up);
    assert!(!text.contains("owner:secret"), "a password is shown: {text}");
    text.replace(&program(), "novelfoundry")
}

const HEAD: &str = "\
NovelFoundry 1.2.3 with PostgreSQL 15.14 is ready after 4.3 s.

  API      http://127.0.0.1:8787
  docs     http://127.0.0.1:8787/docs
  S3       http://127.0.0.1:8788  bucket novelfoundry, region us-east-1
  S3 keys  /srv/my novels/secrets/s3-credentials
";
const SIGN_UP: &str = "\n\
Try next, in another terminal:
  NOVELFOUNDRY_URL=http://127.0.0.1:8787 script/journey README.md
  curl -s http://127.0.0.1:8787/auth/v1/signup -H 'content-type: application/json' -d '{\"email\":\"me@example.com\",\"password\":\"a long password\"}'
";
const CREATE: &str = "\n\
Try next, in another terminal:
  novelfoundry user create me@example.com --data-dir '/srv/my novels'
";
const END: &str = "  novelfoundry env --data-dir '/srv/my novels'

Ctrl-C stops it all; the data stays in '/srv/my novels' and is there at the next start.";

#[test]
fn up_ends_with_what_there_is_what_to_try_and_how_to_stop() {
    let data = "  data     /srv/my novels\n";
    let plain = summary(false);
    assert_eq!(shown(&plain, None, true), format!("{HEAD}{data}{SIGN_UP}{END}"));
    assert_eq!(shown(&plain, None, false), format!("{HEAD}{data}{CREATE}{END}"));
}

#[test]
fn the_demo_s_password_is_shown_when_it_is_new_and_named_by_its_file_later() {
    let demo = summary(true);
    let rows = "  metrics  http://127.0.0.1:9464/metrics\n  data     /srv/my novels\n";
    let file = "/srv/my novels/secrets/demo-password";
    let new = format!("  demo     demo@novelfoundry.local, password opal (also in {file})\n");
    let old = format!("  demo     demo@novelfoundry.local, password in {file}\n");
    assert_eq!(shown(&demo, Some(&Secret::new("opal")), true), format!("{HEAD}{rows}{new}{SIGN_UP}{END}"));
    assert_eq!(shown(&demo, None, false), format!("{HEAD}{rows}{old}{CREATE}{END}"));
}
