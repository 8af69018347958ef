//! The database, login by login, and the traps that managed databases set.

use std::net::{IpAddr, SocketAddr};

use novelfoundry_core::report;
use novelfoundry_database::{
    ControlDb, DatabaseUrl, DbError, IssuerDb, LoginError, SslMode, Statements, TenantDb, probe,
};
use tokio::net::lookup_host;

use super::{Finding, advice::advice};
use crate::{
    commands::{failures, planes},
    config::Config,
};

const HOST: &str = "database host";

/// Looks at the logins that are configured.
pub(super) async fn look(config: &Config) -> Vec<Finding> {
    let mut findings = all_traps(config);
    let (tenant, control) = match (config.database.url.need(), config.database.control_url.need()) {
        (Ok(tenant), Ok(control)) => (tenant, control),
        (tenant, control) => {
            let missing = [("tenant login", tenant.err()), ("control login", control.err())];
            findings.extend(
                missing.into_iter().filter_map(|(part, missing)| Some(Finding::failure(part, &missing?))),
            );
            return findings;
        }
    };
    findings.extend(host(tenant).await);
    let options = novelfoundry_database::PoolOptions { size: 1, ..planes::pool_options(config) };
    let opened = TenantDb::connect(tenant, "novelfoundry/doctor", options).await.map(drop);
    findings.push(login("tenant login", tenant, opened));
    let opened = ControlDb::connect(control, "novelfoundry/doctor", options).await.map(drop);
    findings.push(login("control login", control, opened));
    if let Some(issuer) = config.database.issuer_url.get() {
        let opened = IssuerDb::connect(issuer, "novelfoundry/doctor", options).await.map(drop);
        findings.push(login("issuer's login", issuer, opened));
    }
    match probe::settings(tenant).await {
        Ok(settings) => findings.extend(server(&settings)),
        // The login has said why.
        Err(_) if findings.iter().any(|finding| finding.verdict == super::Verdict::Fail) => {}
        Err(error) => {
            findings.push(Finding::fail("database server", report(&error), "Look whether the server runs."));
        }
    }
    findings
}

fn login(part: &str, url: &DatabaseUrl, opened: Result<(), LoginError>) -> Finding {
    match opened {
        Ok(()) => Finding::ok(part, format!("{} may what it should and no more; the schema fits", url.user)),
        Err(LoginError::Database(error)) => unreachable(part, url, &error),
        Err(error) => {
            let next = match &error {
                LoginError::Privileged { .. } => {
                    "Give the login that `novelfoundry migrate --write-env FILE` hands out."
                }
                LoginError::Mistaken { .. } => "Look whether the URLs of two logins were swapped.",
                LoginError::ProgramTooOld { .. } => "Install the newer NovelFoundry here too.",
                _ => "Run `novelfoundry migrate` as the owner.",
            };
            Finding::fail(part, error.to_string(), next)
        }
    }
}

fn unreachable(part: &str, url: &DatabaseUrl, error: &DbError) -> Finding {
    let why = report(error);
    let next =
        advice(&why).unwrap_or("Look whether the server runs, and whether a firewall lets this machine in.");
    Finding::fail(part, format!("{}: {why}", url.redacted()), next)
}

/// Looks the host up: a host with IPv6 addresses only is out of reach for many machines.
async fn host(url: &DatabaseUrl) -> Option<Finding> {
    if url.is_socket() || url.host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let found: Vec<SocketAddr> = match lookup_host((url.host.as_str(), url.port)).await {
        Ok(found) => found.collect(),
        Err(error) => {
            let next = "Look for a misspelling, and whether this machine has a working DNS.";
            return Some(Finding::fail(HOST, format!("{}: {error}", url.host), next));
        }
    };
    let has_ipv6 = has_ipv6_route(&found).await;
    Some(resolved(&url.host, &found, has_ipv6))
}

fn resolved(host: &str, found: &[SocketAddr], has_ipv6: bool) -> Finding {
    let addresses = found.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    if found.iter().all(SocketAddr::is_ipv6) && !has_ipv6 {
        Finding::fail(
            HOST,
            format!("{host} has an IPv6 address only ({addresses}), and this machine has no IPv6"),
            "Use the provider's session pooler (on Supabase `aws-…pooler.supabase.com:5432`), or its IPv4 add-on.",
        )
    } else {
        Finding::ok(HOST, format!("{host} is {addresses}"))
    }
}

/// Asks the routing table; nothing is sent.
async fn has_ipv6_route(addresses: &[SocketAddr]) -> bool {
    let Some(address) = addresses.iter().find(|address| address.is_ipv6()) else { return false };
    match tokio::net::UdpSocket::bind("[::]:0").await {
        Ok(socket) => socket.connect(address).await.is_ok(),
        Err(_) => false,
    }
}

/// Reads every URL that is configured; most share a host, whose traps are told once.
fn all_traps(config: &Config) -> Vec<Finding> {
    let database = &config.database;
    let mut findings: Vec<Finding> = Vec::new();
    let mut add = |found: Vec<Finding>| {
        for finding in found {
            if !findings.iter().any(|earlier| earlier.detail == finding.detail) {
                findings.push(finding);
            }
        }
    };
    for url in [&database.url, &database.control_url, &database.issuer_url] {
        add(url.get().map_or_else(Vec::new, |url| traps(url, database.statements)));
    }
    if let Some(owner) = database.owner_url.get() {
        add(failures::unless_session(owner)
            .err()
            .iter()
            .map(|failure| Finding::failure("owner login", failure))
            .collect());
        // Which statements are sent does not matter to the owner, for it is told to keep off that port anyhow.
        add(traps(owner, Statements::Typed));
    }
    findings
}

/// Reads the URL for what its provider is known to stumble over.
fn traps(url: &DatabaseUrl, statements: Statements) -> Vec<Finding> {
    let mut findings = Vec::new();
    if failures::is_transaction_pooler(url) && statements == Statements::Named {
        findings.push(Finding::fail(
            "pooler",
            "port 6543 is a transaction pooler, which loses named statements under load",
            "Set `database.statements` to `typed`, or use the direct connection or session pooler on port 5432.",
        ));
    }
    let pooler = url.host.ends_with(".pooler.supabase.com");
    if pooler && !url.user.contains('.') {
        findings.push(Finding::fail(
            "pooler",
            format!("the pooler needs the project in the login, and `{}` has none", url.user),
            format!("Write the login as `{}.projectref`.", url.user),
        ));
    }
    if url.host.ends_with(".supabase.co") && url.user.contains('.') {
        findings.push(Finding::fail(
            "pooler",
            "the direct connection takes the login without the project",
            "Leave out the dot and what follows it, or use the pooler's host.",
        ));
    }
    if url.ssl_mode != SslMode::VerifyFull && !url.is_socket() && !is_loopback(&url.host) {
        findings.push(Finding::warn(
            "database TLS",
            "the server's certificate is not verified, so somebody in between could read everything",
            "Leave out `sslmode` from the URL, which verifies it; `sslrootcert=FILE` names an authority of your own.",
        ));
    }
    findings
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn server(settings: &probe::ServerSettings) -> Vec<Finding> {
    let mut findings = vec![if settings.version_number >= 150_000 {
        Finding::ok("database server", format!("PostgreSQL {}", settings.version))
    } else {
        Finding::fail(
            "database server",
            format!("PostgreSQL {} is too old", settings.version),
            "Upgrade to PostgreSQL 15 or newer.",
        )
    }];
    let switch = |name: &str, on: bool, loss: &str| {
        if on {
            Finding::ok(name, "on")
        } else {
            Finding::fail(
                name,
                format!("off: {loss}"),
                format!("Set `{name} = on` in postgresql.conf and restart."),
            )
        }
    };
    findings.push(switch("fsync", settings.fsync, "a power failure can destroy the database"));
    findings.push(switch(
        "full_page_writes",
        settings.full_page_writes,
        "a power failure can tear a page for good",
    ));
    findings.push(match settings.synchronous_commit.as_str() {
        value @ ("on" | "remote_apply" | "remote_write" | "local") => {
            Finding::ok("synchronous_commit", value)
        }
        value => Finding::fail(
            "synchronous_commit",
            format!("{value}: what was acknowledged last can be lost by a crash"),
            "Set `synchronous_commit = on` for the server, the database and the logins.",
        ),
    });
    if !settings.data_checksums {
        findings.push(Finding::warn(
            "data_checksums",
            "off: a page that the disk damaged is not noticed",
            "Stop the server and run `pg_checksums --enable`.",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;

    fn verdicts(url: &str, statements: Statements) -> Vec<(String, Verdict)> {
        traps(&DatabaseUrl::parse(url).unwrap(), statements)
            .into_iter()
            .map(|finding| (finding.part, finding.verdict))
            .collect()
    }

    #[test]
    fn the_traps_of_poolers_are_read_from_the_url() {
        let pooler =
            |login, port| format!("postgres://{login}:p@aws-0-x.pooler.supabase.com:{port}/postgres");
        let fail = || vec![("pooler".to_owned(), Verdict::Fail)];
        assert_eq!(verdicts(&pooler("nf_tenant.abc", 5432), Statements::Named), []);
        assert_eq!(verdicts(&pooler("nf_tenant", 5432), Statements::Named), fail());
        assert_eq!(verdicts(&pooler("nf_tenant.abc", 6543), Statements::Named), fail());
        assert_eq!(verdicts(&pooler("nf_tenant.abc", 6543), Statements::Typed), []);
        assert_eq!(verdicts("postgres://u.abc:p@db.abc.supabase.co/postgres", Statements::Named), fail());
        let warn = vec![("database TLS".to_owned(), Verdict::Warn)];
        assert_eq!(verdicts("postgres://u:p@db.example/d?sslmode=require", Statements::Named), warn);
        assert_eq!(verdicts("postgres://u:p@localhost/d", Statements::Named), []);
    }

    #[test]
    fn every_url_is_read_and_a_trap_told_once() {
        let pooler = |login: &str| format!("postgres://{login}:p@aws-0-x.pooler.supabase.com:6543/postgres");
        let load = |variables: &[(&str, String)]| {
            let flags = crate::config::GlobalArgs::none();
            let env = |name: &str| Some(variables.iter().find(|(key, _)| *key == name)?.1.clone());
            all_traps(&Config::load(&flags, env, std::path::Path::new("/nonexistent")).unwrap().config)
        };
        let parts = |variables: &[(&str, String)]| {
            load(variables).into_iter().map(|finding| finding.part).collect::<Vec<_>>()
        };
        let (owner, tenant) = (pooler("postgres.abc"), pooler("nf_tenant.abc"));
        assert_eq!(parts(&[("DATABASE_OWNER_URL", owner)]), ["owner login"]);
        assert_eq!(parts(&[("DATABASE_CONTROL_URL", tenant.clone())]), ["pooler"]);
        assert_eq!(parts(&[("DATABASE_CONTROL_URL", tenant.clone()), ("DATABASE_URL", tenant)]), ["pooler"]);
        assert_eq!(parts(&[("DATABASE_CONTROL_URL", pooler("nf_control"))]).len(), 2);
    }

    #[test]
    fn a_host_with_ipv6_addresses_only_is_out_of_reach_where_there_is_no_ipv6() {
        let six: SocketAddr = "[2001:db8::1]:5432".parse().unwrap();
        let four: SocketAddr = "192.0.2.1:5432".parse().unwrap();
        for (found, has_ipv6, expected) in [
            (&[six][..], false, Verdict::Fail),
            (&[six], true, Verdict::Ok),
            (&[six, four], false, Verdict::Ok),
            (&[four], false, Verdict::Ok),
        ] {
            assert_eq!(resolved("db.example", found, has_ipv6).verdict, expected, "{found:?} {has_ipv6}");
        }
        let told = resolved("db.example", &[six], false);
        assert!(told.detail.contains("2001:db8::1") && told.next.unwrap().contains("IPv4 add-on"));
    }

    #[test]
    fn unsafe_settings_fail() {
        let mut settings = probe::ServerSettings {
            version: "15.1".to_owned(),
            version_number: 150_001,
            fsync: true,
            full_page_writes: true,
            synchronous_commit: "on".to_owned(),
            data_checksums: true,
        };
        assert!(server(&settings).iter().all(|finding| finding.verdict == Verdict::Ok));
        settings.fsync = false;
        settings.full_page_writes = false;
        settings.synchronous_commit = "off".to_owned();
        let fails = server(&settings).into_iter().filter(|finding| finding.verdict == Verdict::Fail);
        assert_eq!(
            fails.map(|finding| finding.part).collect::<Vec<_>>(),
            ["fsync", "full_page_writes", "synchronous_commit"]
        );
        settings.version_number = 140_020;
        assert_eq!(
            (server(&settings)[0].part.as_str(), server(&settings)[0].verdict),
            ("database server", Verdict::Fail)
        );
    }
}
