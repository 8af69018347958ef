//! What is reported: one fault of isolation, the object whose repair ends it, and how it shows.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rules::Rule;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// A trap, one step away from a leak.
    Warning,
    /// Isolation is broken.
    Error,
}

/// What sort of statement a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Worth knowing.
    Info,
    /// Something that is not exploitable as it stands.
    Warning,
    /// One tenant reaches what is another's.
    Leak,
}

/// What is done to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Its rows are read.
    Select,
    /// A row is added.
    Insert,
    /// A row is changed.
    Update,
    /// A row is removed.
    Delete,
    /// It is emptied.
    Truncate,
    /// It is called.
    Execute,
    /// It answers differently for a value that another tenant has.
    Existence,
    /// Its notifications are heard.
    Listen,
}

impl Verb {
    /// Returns the word as in the JSON report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Truncate => "truncate",
            Self::Execute => "execute",
            Self::Existence => "existence",
            Self::Listen => "listen",
        }
    }
}

/// The context that an attack ran in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TenantContext {
    /// Opened for one tenant.
    Tenant,
    /// None: a fresh connection.
    Unset,
    /// Emptied: a connection that served a tenant before.
    Empty,
}

impl TenantContext {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Tenant, Self::Unset, Self::Empty];

    /// Returns the word as in the JSON report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Unset => "unset",
            Self::Empty => "empty",
        }
    }
}

/// Why a finding does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The reason that the waiver gives.
    pub reason: String,
    /// The day from which it counts again, as `2027-01-01`.
    pub until: Option<String>,
}

/// One fault, or trap, of isolation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The same for the same fault of the same schema, whatever else changes.
    pub id: String,
    /// The rule's id; `explain` has its page.
    pub rule: String,
    /// How much it matters.
    pub level: Level,
    /// What sort of statement it is.
    pub kind: Kind,
    /// The relation, function or sequence at fault with its schema, or `role:name`.
    pub object: String,
    /// What is done to it; none where it is no matter of one verb.
    pub verb: Option<Verb>,
    /// The context in which the effect was shown; none for what was read in the catalogue.
    pub tenant_context: Option<TenantContext>,
    /// What was seen, without the rows' own text unless asked for.
    pub evidence: String,
    /// The same with the rows' text; takes its place only where that was asked for.
    #[serde(skip)]
    pub evidence_full: Option<String>,
    /// Statements that repair it; a comment where that needs a decision.
    pub fix: String,
    /// A psql script that shows the effect now and not after the fix; empty for what was read in the catalogue.
    pub reproduce: String,
    /// The waiver that covers it.
    pub accepted: Option<Acceptance>,
}

impl Finding {
    /// Makes a finding of a rule about an object; `discriminator` tells apart two of one rule, object and verb.
    pub fn new(
        rule: &'static Rule,
        object: impl Into<String>,
        verb: Option<Verb>,
        discriminator: &str,
    ) -> Self {
        let object = object.into();
        let verb_word = verb.map_or("", Verb::word);
        let digest = Sha256::digest(format!("{}\0{object}\0{verb_word}\0{discriminator}", rule.id));
        Self {
            id: hex::encode(&digest[..6]),
            rule: rule.id.to_owned(),
            level: rule.level,
            kind: rule.kind,
            object,
            verb,
            tenant_context: None,
            evidence: String::new(),
            evidence_full: None,
            fix: String::new(),
            reproduce: String::new(),
            accepted: None,
        }
    }

    /// Adds what was seen.
    #[must_use]
    pub fn evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence = evidence.into();
        self
    }

    /// Adds what was seen with the rows' text, for those who ask for it.
    #[must_use]
    pub fn evidence_full(mut self, evidence: impl Into<String>) -> Self {
        self.evidence_full = Some(evidence.into());
        self
    }

    /// Adds the statements that repair it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// Adds the script that shows it.
    #[must_use]
    pub fn reproduce(mut self, script: impl Into<String>) -> Self {
        self.reproduce = script.into();
        self
    }

    /// Adds the context that it was shown in.
    #[must_use]
    pub fn in_context(mut self, context: TenantContext) -> Self {
        self.tenant_context = Some(context);
        self
    }
}
