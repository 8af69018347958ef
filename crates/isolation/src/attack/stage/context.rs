//! Who acts: the app's role, and the statements that open a tenant's context.

use super::{Actor, Stage, Tenant};
use crate::session::{identifier, literal};

impl Stage {
    /// Returns the statements that make the session act as somebody.
    pub(in crate::attack) fn enter(&self, actor: Actor) -> Vec<String> {
        // What never ends, or waits for a lock, is refused like anything else.
        let mut statements = vec!["set local statement_timeout = '10s'".to_owned()];
        statements.extend(self.role_settings());
        statements.push(format!("set local session authorization {}", identifier(&self.subject.app_role)));
        match actor {
            Actor::Attacker => statements.extend(self.context_of(&self.attacker)),
            Actor::Victim => statements.extend(self.context_of(&self.victim)),
            Actor::Unset => {}
            Actor::Empty => statements.extend(self.emptied()),
        }
        statements
    }

    /// Returns what empties a context.
    pub(in crate::attack) fn emptied(&self) -> Vec<String> {
        let settings = self.subject.context.iter().filter_map(|statement| setting_of(statement));
        settings.map(|name| format!("set local {name} = ''")).collect()
    }

    /// Returns what opens a tenant's context.
    pub(in crate::attack) fn context_of(&self, tenant: &Tenant) -> Vec<String> {
        fill(&self.subject.context, tenant)
    }

    /// Settings that the app's role brings along when it logs in.
    pub(in crate::attack) fn role_settings(&self) -> Vec<String> {
        self.catalog
            .settings
            .iter()
            .filter(|setting| setting.role == self.app)
            .filter_map(|setting| setting.setting.split_once('='))
            .map(|(name, value)| {
                let value = if name == "search_path" { value.to_owned() } else { literal(value) };
                format!("set local {name} = {value}")
            })
            .collect()
    }
}

/// Fills a context's statements in for a tenant.
fn fill(statements: &[String], tenant: &Tenant) -> Vec<String> {
    let escape = |text: &str| text.replace('\'', "''");
    statements
        .iter()
        .map(|statement| {
            let role = crate::infer::is_role_change(statement);
            let write = |text: &str| if role { identifier(text) } else { escape(text) };
            let person = tenant.principal.as_deref().unwrap_or(&tenant.id);
            let quoted = |text: &str, name: &str| {
                // A role may stand in quotes already.
                text.replace(&format!("\"{{{name}}}\""), &format!("{{{name}}}"))
            };
            let statement =
                if role { quoted(&quoted(statement, "tenant"), "principal") } else { statement.clone() };
            statement.replace("{tenant}", &write(&tenant.id)).replace("{principal}", &write(person))
        })
        .collect()
}

/// Returns the name of the setting that a statement sets, as it is written.
pub(in crate::attack) fn setting_of(statement: &str) -> Option<String> {
    let words: Vec<&str> = statement.split_whitespace().collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let at = match lower.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["set", "local" | "session", ..] => 2,
        ["set", ..] => 1,
        _ => {
            let call = statement.to_ascii_lowercase().find("set_config(")?;
            let rest = &statement[call..];
            let start = rest.find('\'')? + 1;
            let end = start + rest[start..].find('\'')?;
            return Some(rest[start..end].to_owned());
        }
    };
    let name = words.get(at)?.split('=').next()?.trim_end_matches(',');
    (!matches!(lower.get(at)?.as_str(), "role" | "session" | "authorization") && name.contains('.'))
        .then(|| name.to_owned())
}

/// Returns the role that a statement becomes.
pub(in crate::attack) fn role_of(statement: &str) -> Option<String> {
    if !crate::infer::is_role_change(statement) {
        return None;
    }
    let name = statement.split_whitespace().last()?.trim_end_matches(';');
    Some(name.trim_matches(['"', '\'']).to_owned())
}
