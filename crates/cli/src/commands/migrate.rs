//! `novelfoundry migrate`: the schema, and the runtime logins with their passwords, handed over in a file.

use std::{fmt::Write as _, io, path::PathBuf};

use novelfoundry_database::{DatabaseUrl, Migrator, Passwords, Progress as Step, RoleNames, connect_check};

use super::{Context, durable, failures};
use crate::output::{Exit, Failure};

/// Brings a database to this program's schema, as its owner (`DATABASE_OWNER_URL`), and makes the runtime logins
#[derive(clap::Args)]
pub(crate) struct Migrate {
    /// Writes the URLs of the runtime logins to FILE, readable by its owner only
    #[arg(long, value_name = "FILE")]
    write_env: Option<PathBuf>,
    /// Gives the runtime logins new passwords; programs that use the old ones must be given the new
    #[arg(long, requires = "write_env")]
    rotate: bool,
}

impl Migrate {
    /// Runs the command.
    pub(crate) async fn run(&self, context: Context) -> Result<Exit, Failure> {
        let config = &context.loaded.config;
        let owner = config.database.owner_url.need()?;
        failures::unless_session(owner)?;
        let roles = config.database.role_prefix.names();
        let mut progress = context.output.progress();
        progress.step("connecting as the owner");
        let mut migrator = Migrator::connect(owner, roles.clone()).await.map_err(failures::migrate)?;
        progress.step("migrating");
        let steps = std::cell::RefCell::new(&mut progress);
        let applied = migrator
            .migrate(|step| match step {
                Step::Waiting => steps.borrow_mut().step("waiting for another migration to end"),
                Step::Applying { name, .. } => steps.borrow_mut().step(&format!("applying {name}")),
            })
            .await
            .map_err(failures::migrate)?;
        progress.finish();

        let logins = self.hand_out(&context, &mut migrator, owner, roles).await?;
        if context.output.json {
            context.output.data_json(&serde_json::json!({ "applied": applied, "logins": logins }))?;
        } else {
            let schema = match applied.as_slice() {
                [] => "The schema was up to date.".to_owned(),
                applied => {
                    format!("The schema is up to date; {} applied.", count(applied.len(), "migration"))
                }
            };
            context.output.data(&format!("{schema} {logins}"))?;
        }
        Ok(Exit::Done)
    }

    /// Sets passwords where nobody has them yet, or where new ones are wanted, and tells what became of them.
    async fn hand_out(
        &self,
        context: &Context,
        migrator: &mut Migrator,
        owner: &DatabaseUrl,
        roles: &RoleNames,
    ) -> Result<String, Failure> {
        let names = format!("{}, {} and {}", roles.tenant, roles.control, roles.issuer);
        let Some(file) = &self.write_env else {
            return Ok(if migrator.made_logins() {
                format!(
                    "The logins {names} were made and have no password yet: run `novelfoundry migrate --rotate \
                     --write-env FILE`."
                )
            } else {
                format!("The logins {names} were left alone.")
            });
        };
        if !migrator.made_logins() && !self.rotate {
            return keep(file, owner, roles)
                .await
                .map(|()| format!("{} still holds logins that work.", file.display()));
        }
        let passwords = Passwords::generate();
        // Written before the passwords change, so that no failure leaves passwords that nobody knows.
        let prepared = durable::prepare(file, contents(owner, roles, &passwords).as_bytes())
            .map_err(|error| failures::file("write", file, error))?;
        migrator.set_passwords(owner, passwords).await.map_err(failures::migrate)?;
        prepared.put().map_err(|error| {
            let path = format!("{}.new", file.display());
            Failure::new(
                format!(
                    "The new passwords are in {path}, and could not be put in the place of {}",
                    file.display()
                ),
                format!("Move it there by hand: mv {path} {}", file.display()),
            )
            .because(error)
        })?;
        if self.rotate && !context.output.json {
            context.output.say("Programs that use the old passwords are refused from now on: restart them.");
        }
        Ok(format!("The URLs of {names} are in {}.", file.display()))
    }
}

/// Accepts a file of an earlier run, so that a deployment can call the command each time.
async fn keep(file: &std::path::Path, owner: &DatabaseUrl, roles: &RoleNames) -> Result<(), Failure> {
    let rotate = |what: String| {
        Failure::new(
            what,
            "Run the command with --rotate for new passwords; programs that use the old ones must be given the new.",
        )
    };
    let text = std::fs::read_to_string(file).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            rotate(format!("The logins exist already, and their passwords are not in {}", file.display()))
        }
        _ => failures::file("read", file, error),
    })?;
    for (name, login) in names(roles) {
        let url = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let url = url.and_then(|url| DatabaseUrl::parse(url.trim_matches('\'')).ok());
        let works = match url {
            Some(url) => {
                let right = (&url.host, url.port, &url.database, &url.user)
                    == (&owner.host, owner.port, &owner.database, &owner.login(login));
                right && connect_check(&url).await.is_ok()
            }
            None => false,
        };
        if !works {
            return Err(rotate(format!("{} has no {name} that works for this database", file.display())));
        }
    }
    Ok(())
}

fn names(roles: &RoleNames) -> [(&'static str, &str); 3] {
    [
        ("DATABASE_URL", &roles.tenant),
        ("DATABASE_CONTROL_URL", &roles.control),
        ("DATABASE_ISSUER_URL", &roles.issuer),
    ]
}

fn contents(owner: &DatabaseUrl, roles: &RoleNames, passwords: &Passwords) -> String {
    let secrets = [&passwords.tenant, &passwords.control, &passwords.issuer];
    let comments =
        ["Sees one tenant at a time.", "Sees the directory and the queue.", "Sees accounts and sessions."];
    let mut text =
        "# The runtime logins of NovelFoundry, for a shell or systemd's EnvironmentFile.\n".to_owned();
    for (((name, login), secret), comment) in names(roles).into_iter().zip(secrets).zip(comments) {
        let url = owner.with_login(login, secret.clone()).expose();
        let _ = writeln!(text, "# {comment}\n{name}='{}'", url.replace('\'', "%27"));
    }
    text
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("one {thing} was") } else { format!("{number} {thing}s were") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pooler_s_form_of_a_login_is_kept() {
        let pooler = "postgres://postgres.abc:p@aws-0-eu-central-1.pooler.supabase.com:5432/postgres";
        let owner = DatabaseUrl::parse(pooler).unwrap();
        let roles = RoleNames::with_prefix("nf").unwrap();
        let text = contents(&owner, &roles, &Passwords::generate());
        assert!(text.contains("\nDATABASE_URL='postgresql://nf_tenant.abc:"), "{text}");
        let direct = DatabaseUrl::parse("postgres://some.body:p@db.example.com/d").unwrap();
        assert_eq!(direct.login("nf_tenant"), "nf_tenant");
    }
}
