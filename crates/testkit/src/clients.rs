//! The client programs of the server that tests run on.

use std::{path::Path, process::Command};

/// Tells whether there is a `pg_dump` that dumps the server of the tests, and prints a line where there is none: a server
/// may come without its client programs, and an older `pg_dump` refuses.
pub fn can_dump() -> bool {
    let Some(directory) = std::env::var_os("NOVELFOUNDRY_PG_BIN") else { return true };
    let directory = Path::new(&directory);
    let major = |program: &Path| {
        let output = Command::new(program).arg("--version").output().ok()?;
        let line = String::from_utf8(output.stdout).ok()?;
        let digits = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok();
        line.split_whitespace().find_map(digits)
    };
    let beside = directory.join("pg_dump");
    let server = major(&directory.join("postgres"));
    let can = beside.exists() || server.is_some() && major(Path::new("pg_dump")) >= server;
    if !can {
        println!("skipped: there is no pg_dump of the server's version");
    }
    can
}
