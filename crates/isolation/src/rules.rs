//! The rules, in one table: their names, how much they matter, and a page each.

use crate::finding::{Kind, Level};

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, in kebab case; never changes its meaning.
    pub id: &'static str,
    /// How much a finding of it matters.
    pub level: Level,
    /// What sort of statement a finding of it is.
    pub kind: Kind,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Its page, Markdown: why it matters, a bad and a good example, the fix.
    pub page: &'static str,
}

macro_rules! rules {
    ($($name:ident $id:literal $level:ident $kind:ident $title:literal;)*) => {
        $(
            #[doc = $title]
            pub static $name: Rule = Rule {
                id: $id,
                level: Level::$level,
                kind: Kind::$kind,
                title: $title,
                page: include_str!(concat!("../rules/", $id, ".md")),
            };
        )*
        /// Every rule, those of `attack` first.
        pub static ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    READS "reads-foreign-rows" Error Leak "One tenant reads another's rows";
    WRITES "writes-foreign-rows" Error Leak "One tenant changes or removes another's rows";
    PLANTS "plants-rows" Error Leak "One tenant puts rows among another's";
    TRUNCATES "truncates" Error Leak "One tenant empties a table that all share";
    REVEALS "reveals-through-call" Error Leak "A function hands out another tenant's data";
    ACTS "acts-through-call" Error Leak "A function changes another tenant's data";
    EXISTENCE "existence-oracle" Error Leak "An answer tells whether another tenant has a value";
    INTERFERES "interferes" Error Leak "Another tenant's rows change what is answered";
    LEAKY_VIEW "leaky-view" Error Leak "A condition runs before a view has left out others' rows";
    ERROR_TEXT "error-text" Error Leak "An error or notice quotes another tenant's data";
    BECOMES "becomes-other-role" Error Leak "The app's role can act as one that isolation does not bind";
    UNDOES "undoes-isolation" Error Leak "The app's role can lift what isolates";
    CHAIN "editable-membership" Error Leak "A tenant edits what decides whom it belongs to";
    STALE "stale-context" Error Leak "A connection goes on showing the tenant before";
    SEQUENCE "shared-sequence" Error Leak "One tenant bends a sequence that others draw from";
    HEARS "hears-notifications" Error Leak "Notifications carry another tenant's data to whoever listens";
    LARGE_OBJECT "large-object" Error Leak "Large objects are open to every tenant";
    STATISTICS "statistics" Error Leak "Statistics quote another tenant's data";
    HIJACK "hijacked-name" Error Leak "A definer function takes names from the caller";
    UNUSED_WAIVER "unused-waiver" Warning Warning "A waiver covers nothing";
}

/// Returns the rule of an id.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

/// Returns the id that was probably meant.
pub fn nearest(id: &str) -> Option<&'static str> {
    ALL.iter()
        .map(|rule| (strsim::jaro_winkler(id, rule.id), rule.id))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, id)| id)
}
