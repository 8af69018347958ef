//! What the operator does about people's accounts, and the public address that their tokens name.

use std::{
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Installation, Running, checkout, ended, poll};

/// Behind a reverse proxy of that name.
const PUBLIC: [&str; 4] =
    ["--public-url", "https://novels.example", "--s3-public-url", "https://files.novels.example"];

/// Calls the listener itself, as the proxy would.
async fn call(
    up: &Running,
    installation: &Installation,
    path: &str,
    token: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    assert_eq!(state(installation)["pid"], up.pid());
    send(installation, if body.is_some() { "POST" } else { "GET" }, path, token, body).await
}

async fn send(
    installation: &Installation,
    method: &str,
    path: &str,
    token: &str,
    body: Option<&Value>,
) -> (u16, Value) {
    let url = format!("http://{}{path}", state(installation)["listen"].as_str().unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.request(method.parse().unwrap(), &url);
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = request.bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

fn state(installation: &Installation) -> Value {
    let state = std::fs::read(installation.data_dir().join("state.json")).unwrap();
    serde_json::from_slice(&state).unwrap()
}

/// Speaks to the page of a mailed link.
async fn page(installation: &Installation, method: &str, query: &str, form: String) -> (u16, String) {
    let url = format!("http://{}/auth/v1/verify{query}", state(installation)["listen"].as_str().unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method.parse().unwrap(), url).body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn sign_in(up: &Running, installation: &Installation, email: &str, password: &str) -> (u16, String) {
    let body = json!({ "email": email, "password": password });
    let path = "/auth/v1/token?grant_type=password";
    let (status, session) = call(up, installation, path, "", Some(&body)).await;
    (status, session["access_token"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn off_loopback_the_operator_makes_accounts_whose_tokens_outlive_a_restart() {
    let installation = Installation::new();
    let up = installation.up(&PUBLIC);
    let signup = json!({ "email": "anna@example.com", "password": "a long password" });
    let (status, _) = call(&up, &installation, "/auth/v1/signup", "", Some(&signup)).await;
    assert!((400..500).contains(&status), "nobody signs up by themselves: {status}");
    journey_says_that_nobody_signs_up(&installation);

    let made = installation.run(&["user", "create", "anna@example.com"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let password = made.stdout.strip_suffix('\n').unwrap();
    assert!(password.len() >= 20 && !made.stderr.contains(password), "{made:?}");
    let (status, token) = sign_in(&up, &installation, "anna@example.com", password).await;
    assert_eq!(status, 200);
    let (status, projects) = call(&up, &installation, "/v1/projects", &token, None).await;
    assert_eq!(status, 200, "the account has a workspace: {projects}");

    let again = installation.run(&["user", "create", "ANNA@example.com", "--json"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(2), ""), "{again:?}");
    let wrong = installation.run(&["user", "create", "anna"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    given_password(&installation, "short\n", 2);
    given_password(&installation, "correct horse battery\n", 0);
    assert_eq!(sign_in(&up, &installation, "berta@example.com", "correct horse battery").await.0, 200);
    // The command's earlier name.
    let json = installation.run(&["account", "create", "carla@example.com", "--json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    let password = json["password"].as_str().unwrap();
    assert_eq!(sign_in(&up, &installation, "carla@example.com", password).await.0, 200);

    let before = up.summary.clone();
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));
    let stopped = installation.run(&["user", "create", "dora@example.com"]);
    assert_eq!((stopped.code, stopped.stdout.as_str()), (Some(3), ""), "{stopped:?}");
    assert!(stopped.stderr.contains("Nothing runs on"), "{stopped:?}");

    // The public addresses are not given again.
    let up = installation.up(&[]);
    assert_eq!(up.summary, before);
    let (status, projects) = call(&up, &installation, "/v1/projects", &token, None).await;
    assert_eq!(status, 200, "a token of before is still good: {projects}");
}

fn journey_says_that_nobody_signs_up(installation: &Installation) {
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl for script/journey");
        return;
    }
    let state = std::fs::read(installation.data_dir().join("state.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    let mut script = std::process::Command::new(checkout().join("script/journey"));
    script.arg(checkout().join("README.md")).env_remove("http_proxy");
    let refused =
        ended(script.env("NOVELFOUNDRY_URL", format!("http://{}", state["listen"].as_str().unwrap())));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("next: this installation admits only"), "{refused:?}");
}

/// Makes berta's account with the password of standard input.
fn given_password(installation: &Installation, input: &str, code: i32) {
    let mut create = installation.command(&["user", "create", "berta@example.com", "--password-stdin"]);
    create.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut create = create.spawn().unwrap();
    create.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = create.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "a password that was given is not shown: {output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_lists_people_shuts_them_out_and_lets_them_in_again() {
    let installation = Installation::new();
    let up = installation.up(&PUBLIC);
    let nobody = installation.run(&["user", "list"]);
    assert_eq!((nobody.code, nobody.stdout.as_str()), (Some(0), ""), "{nobody:?}");
    let anna = "anna@example.com";
    let password = installation.run(&["user", "create", anna]).stdout;
    let password = password.trim_end();
    assert_eq!(sign_in(&up, &installation, anna, password).await.0, 200);

    // Its public name leads nowhere here; the store's own listener is near.
    let applied = installation.run(&["tombstones", "apply"]);
    assert_eq!(applied.code, Some(0), "{applied:?}");

    let shut = installation.run(&["user", "disable", "Anna@example.com"]);
    assert_eq!((shut.code, shut.stdout.as_str()), (Some(0), ""), "{shut:?}");
    assert_eq!(sign_in(&up, &installation, anna, password).await.0, 403);
    let list = installation.run(&["user", "list"]);
    let row = list.stdout.lines().nth(1).unwrap();
    assert!(row.starts_with(anna) && row.contains(" disabled "), "{list:?}");
    let rows: Value = serde_json::from_str(&installation.run(&["user", "list", "--json"]).stdout).unwrap();
    assert_eq!((rows[0]["email"].as_str(), rows[0]["disabled"].as_bool()), (Some(anna), Some(true)));
    assert!(rows[0]["last_sign_in_at"].as_str().unwrap().ends_with('Z'), "{rows}");
    let none = installation.run(&["user", "reset-password", anna]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(2), ""), "{none:?}");
    assert!(none.stderr.contains("user enable"), "{none:?}");

    let open = installation.run(&["user", "enable", anna, "--json"]);
    let open: Value = serde_json::from_str(&open.stdout).unwrap();
    assert_eq!((open["disabled"].as_bool(), &open["user_id"]), (Some(false), &rows[0]["user_id"]));
    assert_eq!(sign_in(&up, &installation, anna, password).await.0, 200);
    for command in ["reset-password", "disable", "enable"] {
        let unknown = installation.run(&["user", command, "nobody@example.com"]);
        assert_eq!((unknown.code, unknown.stdout.as_str()), (Some(2), ""), "{command}: {unknown:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_password_is_replaced_by_a_link_printed_or_mailed() {
    let installation = Installation::new();
    let up = installation.up(&PUBLIC);
    let anna = "anna@example.com";
    let forgotten = installation.run(&["user", "create", anna]).stdout;
    let printed = installation.run(&["user", "reset-password", anna]);
    assert_eq!((printed.code, printed.stdout.lines().count()), (Some(0), 1), "{printed:?}");
    let start = "https://novels.example/auth/v1/verify?token=";
    let token = |link: &str| link.strip_prefix(start).unwrap().split('&').next().unwrap().to_owned();
    let first = token(printed.stdout.trim_end());
    assert!(!printed.stderr.contains(&first), "{printed:?}");

    let ask = json!({ "email": anna });
    assert_eq!(call(&up, &installation, "/auth/v1/recover", "", Some(&ask)).await, (200, json!({})));
    let outbox = installation.data_dir().join("outbox");
    let file = poll("the mail", || {
        let mut files = std::fs::read_dir(&outbox).ok()?.map(|entry| entry.unwrap().path());
        files.find(|file| file.extension().is_some_and(|it| it == "eml"))
    });
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mail = std::fs::read_to_string(file).unwrap();
    let mailed = token(mail.split_whitespace().find(|word| word.starts_with("https://")).unwrap());

    let (status, text) =
        page(&installation, "GET", &format!("?token={first}&type=recovery"), String::new()).await;
    assert!(status == 200 && text.contains("new-password"), "{text}");
    let form = |token: &str| format!("token={token}&type=recovery&password=a+wholly+new+one");
    assert_eq!(page(&installation, "POST", "", form(&first)).await.0, 200);
    let (status, text) = page(&installation, "POST", "", form(&mailed)).await;
    assert!(status == 403 && text.contains("used up"), "{text}");
    assert_eq!(sign_in(&up, &installation, anna, forgotten.trim_end()).await.0, 400);
    assert_eq!(sign_in(&up, &installation, anna, "a wholly new one").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_invites_people_by_a_link_to_choose_a_password_or_into_a_workspace() {
    let installation = Installation::new();
    let up = installation.up(&PUBLIC);
    let anna = "anna@example.com";
    let first = installation.run(&["user", "invite", anna]);
    let again = installation.run(&["user", "invite", anna, "--mail", "--json"]);
    assert_eq!((first.code, first.stdout.lines().count(), again.code), (Some(0), 1, Some(0)), "{again:?}");
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert!(again["mailed"] == false && again["link"] != first.stdout.trim_end());
    let mail = std::fs::read_to_string(again["outbox"].as_str().unwrap()).unwrap();
    assert!(mail.contains("To: anna@example.com") && mail.contains("choose your password"), "{mail}");
    let token = first.stdout.split("token=").nth(1).unwrap().split('&').next().unwrap();
    let form = format!("token={token}&type=recovery&password=my+very+own+one");
    assert_eq!(page(&installation, "POST", "", form).await.0, 200);
    let (status, session) = sign_in(&up, &installation, anna, "my very own one").await;
    assert_eq!(status, 200);
    let (_, me) = call(&up, &installation, "/v1/me", &session, None).await;
    let workspace = me["workspace"]["tenant_id"].as_str().unwrap();
    let late = installation.run(&["user", "invite", anna]);
    assert_eq!(
        (late.code, late.stdout.as_str()),
        (Some(2), ""),
        "who has signed in has a password: {late:?}"
    );

    // Into a workspace: by the link's token whoever brings it makes an account and joins.
    let invite = |tenant: &str| {
        installation.run(&["user", "invite", "bruno@example.com", "--tenant", tenant, "--role", "viewer"])
    };
    let invited = invite(workspace);
    assert_eq!(invited.code, Some(0), "{invited:?}");
    let token = invited.stdout.trim_end().strip_prefix("https://novels.example/invitation#token=").unwrap();
    let signup = json!({ "email": "bruno@example.com", "password": "a long password",
        "data": { "invitation_token": token } });
    let (status, bruno) = call(&up, &installation, "/auth/v1/signup", "", Some(&signup)).await;
    assert_eq!(status, 200, "{bruno}");
    let bruno = bruno["access_token"].as_str().unwrap();
    let accept = json!({ "token": token });
    let (status, joined) = call(&up, &installation, "/v1/invitations/accept", bruno, Some(&accept)).await;
    assert_eq!((status, &joined["tenant_id"], &joined["role"]), (200, &workspace.into(), &"viewer".into()));
    let nowhere = invite("00000000-0000-7000-8000-000000000000");
    assert_eq!((nowhere.code, nowhere.stdout.as_str()), (Some(2), ""), "{nowhere:?}");
    let role = installation.run(&["user", "invite", "carla@example.com", "--role", "viewer"]);
    assert_eq!(role.code, Some(2), "a role needs a workspace: {role:?}");
}

/// Nobody new comes in; who has an account goes where they are invited.
#[tokio::test(flavor = "multi_thread")]
async fn where_sign_up_is_closed_an_account_still_accepts_an_invitation() {
    let installation = Installation::new();
    let up = installation.up(&["--signup", "closed"]);
    let password = |email: &str| installation.run(&["user", "create", email]).stdout.trim_end().to_owned();
    let (annas, brunos) = (password("anna@example.com"), password("bruno@example.com"));
    let (_, anna) = sign_in(&up, &installation, "anna@example.com", &annas).await;
    let (_, bruno) = sign_in(&up, &installation, "bruno@example.com", &brunos).await;
    let invite = async || {
        let role = json!({ "role": "viewer" });
        let (status, made) = call(&up, &installation, "/v1/invitations", &anna, Some(&role)).await;
        assert_eq!(status, 201, "{made}");
        made["link"].as_str().unwrap().split_once("#token=").unwrap().1.to_owned()
    };
    let new = json!({ "email": "carla@example.com", "password": "a long password",
        "data": { "invitation_token": invite().await } });
    let (status, refused) = call(&up, &installation, "/auth/v1/signup", "", Some(&new)).await;
    assert!((400..500).contains(&status), "somebody new came in: {status} {refused}");
    let accept = json!({ "token": invite().await });
    let (status, joined) = call(&up, &installation, "/v1/invitations/accept", &bruno, Some(&accept)).await;
    assert_eq!(status, 200, "{joined}");
    let path = format!("/v1/tenants/{}/activate", joined["tenant_id"].as_str().unwrap());
    assert_eq!(call(&up, &installation, &path, &bruno, Some(&json!({}))).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_changes_neither_people_nor_workspaces() {
    let installation = Installation::new();
    let up = installation.up(&PUBLIC);
    let anna = "anna@example.com";
    let password = installation.run(&["user", "create", anna]).stdout;
    let (_, token) = sign_in(&up, &installation, anna, password.trim_end()).await;
    let (_, me) = call(&up, &installation, "/v1/me", &token, None).await;
    let invite = json!({ "role": "owner" });
    assert_eq!(call(&up, &installation, "/v1/invitations", &token, Some(&invite)).await.0, 201);
    assert_eq!(installation.run(&["user", "disable", anna]).code, Some(0));
    let own = format!("/v1/tenants/{}", me["workspace"]["tenant_id"].as_str().unwrap());
    for (method, path, body) in [
        ("POST", "/v1/invitations", Some(&invite)),
        ("POST", "/v1/tenants", Some(&json!({ "name": "Another" }))),
        ("DELETE", own.as_str(), None),
        ("DELETE", "/v1/me", None),
    ] {
        let (status, answer) = send(&installation, method, path, &token, body).await;
        assert_eq!((status, answer["code"].as_str()), (401, Some("invalid-token")), "{path}: {answer}");
    }
    assert_eq!(
        call(&up, &installation, "/v1/projects", &token, None).await.0,
        200,
        "what passes may be read"
    );
    let list = installation.run(&["user", "list"]).stdout;
    assert!(list.contains(" disabled "), "the account is there and shut: {list}");
}

#[test]
fn mail_settings_that_do_not_fit_are_refused() {
    for (settings, named) in [
        (&["--smtp-host", "mail.example.com"][..], "smtp.from"),
        (
            &["--smtp-host", "mail.example.com", "--smtp-from", "a@b.example", "--smtp-username", "me"],
            "smtp.password",
        ),
        (
            &["--smtp-host", "mail.example.com", "--smtp-from", "a@b.example", "--smtp-tls", "none"],
            "this machine only",
        ),
    ] {
        let installation = Installation::new();
        let mut arguments = vec!["up", "--listen", "127.0.0.1:0", "--metrics-listen", "off"];
        arguments.extend(settings);
        let refused = installation.run(&arguments);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(named), "{refused:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_nohup_started_outlives_its_terminal() {
    let installation = Installation::new();
    let mut nohup = Command::new("sh");
    installation.prepare(&mut nohup);
    let program = env!("CARGO_BIN_EXE_novelfoundry");
    nohup.args([
        "-c",
        "trap '' HUP; exec \"$0\" up --json --listen 127.0.0.1:0 --metrics-listen off",
        program,
    ]);
    let up = Running::start(nohup);
    let masks = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let mask = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap() & 1
        };
        (mask("SigIgn:"), mask("SigCgt:"))
    };
    assert_eq!(masks(up.pid()), (1, 0), "the hangup stays ignored");
    assert_eq!(up.stop(Signal::TERM).0.code(), Some(0));

    let up = installation.up(&[]);
    assert_eq!(masks(up.pid()), (0, 1));
    assert_eq!(up.stop(Signal::HUP).0.code(), Some(0));
}

#[test]
fn what_is_not_remembered_is_asked_for_where_it_seems_to_be_missing() {
    const PROXIES: &str = "note: `trusted_proxies` is not given";
    let trusted = ["--trusted-proxies", "127.0.0.1"];
    let installation = Installation::new();
    let said = installation.up(&[&PUBLIC[..], &trusted].concat()).said();
    assert!(!said.contains("note: "), "{said}");
    // The address is remembered, and so it is one line that is missing.
    let said = installation.up(&[]).said();
    assert_eq!(said.matches("note: ").count(), 1, "{said}");
    let line = said.lines().find(|line| line.starts_with(PROXIES)).unwrap();
    assert!(line.contains("https://novels.example"), "{line}");
    let said = installation.up(&[&trusted[..], &["--s3-bucket", "elsewhere"]].concat()).said();
    assert!(!said.contains(PROXIES), "{said}");
    let line = "are in the bucket `novelfoundry`, and `s3.bucket` is `elsewhere`.";
    assert!(said.contains(line), "{said}");
    // On this machine alone there is nothing to ask for.
    let said = Installation::new().up(&[]).said();
    assert!(!said.contains("note: "), "{said}");
}
