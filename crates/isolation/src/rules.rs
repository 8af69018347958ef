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
    RLS_OFF "rls-off" Error Warning "A table of tenants' rows has no row level security";
    PARTITION_OPEN "partition-unprotected" Error Warning "A partition can be reached around its parent's policies";
    NOT_FORCED "rls-not-forced" Warning Warning "Row level security does not bind the table's owner";
    NO_POLICIES "rls-without-policies" Info Info "Row level security is on and no policy lets anything through";
    OTHER_ROLE "policy-for-other-role" Warning Warning "The table's policies are for roles that the app is not";
    POLICY_TRUE "policy-always-true" Error Warning "A policy lets every row through";
    POLICY_UNSET "policy-open-without-context" Error Warning "A policy opens when no tenant is set";
    POLICY_IGNORES "policy-ignores-tenant" Warning Warning "A policy lets rows through without asking whose they are";
    POLICY_CHECK "policy-check-open" Error Warning "A policy lets a tenant write rows for another";
    CHECK_IMPLICIT "policy-check-implicit" Info Info "A policy for writes has no WITH CHECK of its own";
    TAUTOLOGY "policy-tautology" Error Warning "A policy compares a column with itself";
    LOSSY "policy-lossy-comparison" Warning Warning "A policy compares tenants so that two can be one";
    NULL_TENANT "policy-null-tenant" Warning Warning "Rows without a tenant are everybody's";
    READS_WRITABLE "policy-reads-writable-table" Warning Warning "A policy asks a table in which the app writes freely";
    DIFFER "policies-differ" Info Info "Policies compare the tenant with different things";
    SETTING_CAST "setting-cast-raises" Warning Warning "An emptied setting is cast and raises";
    SETTING_STRICT "setting-must-exist" Info Info "A setting that nobody has set raises";
    DEFAULT_CONTEXT "default-context" Warning Warning "Connections begin with a tenant set";
    OUTLIVES "context-outlives-transaction" Warning Warning "A function opens a context for the whole session";
    IMMUTABLE "immutable-reads-context" Error Warning "An IMMUTABLE function reads the context";
    VOLATILE "policy-function-volatile" Info Info "A policy calls a VOLATILE function";
    USER_METADATA "user-metadata-trusted" Warning Warning "A tenant is read from what the user edits";
    VIEW_OWNER "view-runs-as-owner" Error Warning "A view reads every tenant's rows with its owner's rights";
    VIEW_BARRIER "view-without-barrier" Warning Warning "A view that filters by itself is no security barrier";
    VIEW_CHECK "view-without-check-option" Warning Warning "A view lets rows be written that it does not show";
    MATVIEW "materialized-view-readable" Error Warning "A materialized view of tenants' rows is readable";
    FOREIGN "foreign-table-readable" Warning Warning "A foreign table of tenants' rows is reachable";
    REWRITE "rewrite-rule" Warning Warning "A rewrite rule writes with the owner's rights";
    DEFINER_PATH "definer-search-path" Warning Warning "A definer function looks names up in the caller's search path";
    DEFINER_WRITABLE "definer-path-writable" Warning Warning "The caller can make what a definer function looks up";
    DEFINER_PUBLIC "definer-public-execute" Warning Warning "Everybody may run a definer function";
    DEFINER_TENANT "definer-ignores-tenant" Warning Warning "A definer function does not ask for which tenant it acts";
    DEFINER_DYNAMIC "definer-dynamic-sql" Warning Warning "A definer function pastes what it is given into SQL";
    LEAKPROOF "function-leakproof" Warning Warning "A function is declared LEAKPROOF";
    NOTIFY "notify-in-function" Warning Warning "A function sends tenants' data to whoever listens";
    OPENS_TABLES "function-opens-tables" Warning Warning "A function makes tables that are open to every tenant";
    STATISTICS_READABLE "statistics-readable" Warning Warning "Statistics of tenants' rows are shown with other rights";
    ROLE_UNBOUND "role-unbound" Error Warning "Policies do not bind the app's role";
    ROLE_OWNS "role-owns-objects" Error Warning "The app's role owns what isolates";
    ROLE_BECOMES "role-becomes-unbound" Error Warning "The app's role may act as one that policies do not bind";
    CREATEROLE "role-createrole" Warning Warning "The app's role may make roles";
    PREDEFINED "role-predefined" Warning Warning "The app's role is member of a predefined role";
    OTHER_LOGIN "other-login-unbound" Warning Warning "Another login sees every tenant";
    TRUNCATE "truncate-granted" Error Warning "The app may empty a table for every tenant";
    DDL_PRIVILEGE "trigger-or-references-granted" Warning Warning "The app may hang triggers or foreign keys on a table";
    SEQUENCE_PRIVILEGE "sequence-privileges" Warning Warning "The app may read or set a sequence that all draw from";
    LARGE_OBJECT_COLUMN "large-object-column" Warning Warning "Tenants' contents are large objects";
    SCHEMA_CREATE "schema-create" Warning Warning "The app may make objects";
    DEFAULT_PRIVILEGES "default-privileges" Warning Warning "The next table is open before it has row level security";
    SHARED_WRITABLE "shared-table-writable" Warning Warning "All tenants write in one table that is nobody's";
    UNIQUE "unique-without-tenant" Warning Warning "A unique key tells what another tenant has";
    FOREIGN_KEY "foreign-key-without-tenant" Warning Warning "A foreign key reaches into another tenant";
    FK_ACTION "referential-action-crosses" Warning Warning "A foreign key's action changes another tenant's rows";
    SET_NULL "set-null-clears-tenant" Warning Warning "A foreign key's action takes a row from its tenant";
    NULLABLE "tenant-nullable" Info Info "The column of tenants may be NULL";
    TYPES "tenant-type-differs" Warning Warning "The column of tenants is of another type than elsewhere";
    INDEX "tenant-index-missing" Info Info "No index leads with the tenant";
    CITUS_SUBSELECT "citus-policy-subselect" Info Info "Citus refuses a sub-select in a policy";
    CITUS_RESTRICTIVE "citus-restrictive-policy" Info Info "Citus turns a restrictive policy into a permissive one";
    CITUS_TRIGGER "citus-trigger" Info Info "Citus refuses triggers on distributed tables";
    CITUS_SEQUENCE "citus-sequence-key" Info Info "A key is drawn from a sequence";
    CITUS_KEY "citus-key" Info Info "Citus refuses a key without the tenant";
    CITUS_UPDATE "citus-update-action" Info Info "Citus refuses a foreign key that acts on update of the tenant";
    CITUS_SET_NULL "citus-set-null" Info Info "Citus refuses SET NULL with the tenant in the key";
    CITUS_LOCAL "citus-reference-to-tenant" Info Info "Citus refuses a reference from a shared table to a tenant's";
    CITUS_HELPER "citus-policy-helper" Info Info "A policy's function may not reach Citus' workers";
    CITUS_SET_CONFIG "citus-set-config" Info Info "Citus' workers do not hear a context that a function sets";
    CITUS_PROPAGATION "citus-propagation" Info Info "Citus does not pass SET LOCAL on";
    CITUS_LOGIN "citus-login" Info Info "Citus reaches workers as a role that cannot log in";
    CITUS_OWNER "citus-forced-owner" Info Info "Tables moved by their owner arrive empty on Citus";
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
