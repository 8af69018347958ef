//! Acts as the app's own role in a scratch copy and really tries: what is reported was seen to happen.

mod chain;
mod choices;
mod copies;
mod elsewhere;
mod existence;
mod fix;
mod functions;
mod hijack;
mod in_place;
mod interference;
mod links;
mod matrix;
mod neighbours;
mod papers;
mod pattern;
mod people;
mod reads;
mod reproduce;
mod roles;
mod seed;
mod setup;
mod stage;
mod stale;
mod tokens;
mod values;
mod writes;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
    time::{Duration, Instant},
};

use novelfoundry_connection::DatabaseUrl;

use crate::{
    catalog::{Relation, RelationKind},
    finding::{Finding, Kind, Level, TenantContext, Verb},
    infer::Subject,
    report::{NotAttacked, Report},
    rules::{self, Rule},
    session::{SessionError, identifier, literal},
};

use links::Link;
use matrix::Family;
use seed::{Row, Seeds};
use stage::{Stage, Tenant};
use tokens::Tokens;

pub use in_place::{InPlaceError, attack_in_place};
pub use setup::SetupError;

/// How an attack is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// From what everything that looks random is made.
    pub seed: u64,
    /// When to stop.
    pub budget: Option<Duration>,
    /// Whether evidence may quote rows.
    pub full_evidence: bool,
    /// The objects to attack; none is all. The rest is listed as not attacked.
    pub only: Option<BTreeSet<String>>,
}

/// The attack as it goes on.
struct Hunt {
    stage: Stage,
    seeds: Seeds,
    tokens: Tokens,
    /// The victim's fingerprint.
    baseline: String,
    /// Relations whose foreign rows can simply be read.
    read_leaks: HashSet<(u32, TenantContext)>,
    /// Relations that the attacker can read without being refused.
    readable: HashSet<u32>,
    findings: BTreeMap<String, Finding>,
    /// How each of them was shown, to be repeated.
    shown: BTreeMap<String, fix::Shown>,
    /// Objects and verbs that leaked, also where the finding is another object's.
    leaked: BTreeSet<(String, Verb)>,
    counted: BTreeSet<(String, Verb, TenantContext, String)>,
    /// The families of attacks that are through.
    done: BTreeSet<Family>,
    not_attacked: BTreeSet<NotAttacked>,
    options: Options,
    until: Option<Instant>,
}

/// Attacks the database at a URL, a copy's, as its superuser.
pub async fn attack(url: DatabaseUrl, subject: Subject, options: Options) -> Result<Report, SetupError> {
    let started = Instant::now();
    let inferred = subject.inferred.clone();
    let mut set = setup::set(url, subject, options.seed).await?;
    set.stage.only.clone_from(&options.only);
    let until = options.budget.map(|budget| started + budget);
    let mut hunt = Hunt::on(set.stage, options, until);
    (hunt.seeds, hunt.tokens) = (set.seeds, set.tokens);
    hunt.baseline = hunt.stage.baseline().await?;
    hunt.all().await?;
    fix::propose(&mut hunt).await?;
    Ok(hunt.report(started, inferred))
}

impl Hunt {
    /// Begins on a stage.
    fn on(stage: Stage, options: Options, until: Option<Instant>) -> Self {
        Self {
            stage,
            seeds: Seeds::default(),
            tokens: Tokens::default(),
            baseline: String::new(),
            read_leaks: HashSet::new(),
            readable: HashSet::new(),
            findings: BTreeMap::new(),
            shown: BTreeMap::new(),
            leaked: BTreeSet::new(),
            counted: BTreeSet::new(),
            done: BTreeSet::new(),
            not_attacked: BTreeSet::new(),
            options,
            until,
        }
    }

    async fn all(&mut self) -> Result<(), SessionError> {
        for family in Family::ALL {
            if self.spent() {
                break;
            }
            match family {
                Family::Roles => roles::run(self).await?,
                Family::Reads => reads::run(self).await?,
                Family::Writes => writes::run(self).await?,
                Family::Existence => existence::run(self).await?,
                Family::Functions => functions::run(self).await?,
                Family::Copies => copies::run(self).await?,
                Family::Interference => interference::run(self).await?,
                Family::Chain => chain::run(self).await?,
                Family::Hijack => hijack::run(self).await?,
                Family::Stale => stale::run(self).await?,
                Family::Elsewhere => elsewhere::run(self).await?,
            }
            self.done(family);
        }
        Ok(())
    }

    /// Tells whether the time is up.
    fn spent(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Counts an attack.
    fn count(&mut self, object: &str, verb: Verb, context: TenantContext, oracle: &str) {
        self.counted.insert((object.to_owned(), verb, context, oracle.to_owned()));
    }

    /// Writes a word of the victim's as evidence may show it.
    fn shown(&self, word: &str) -> String {
        if self.options.full_evidence {
            format!("`{word}`")
        } else {
            "what only another tenant's rows say".to_owned()
        }
    }

    /// Notes that something could not be judged.
    fn not_attacked(&mut self, object: impl Into<String>, reason: impl Into<String>) {
        self.not_attacked.insert(NotAttacked { object: object.into(), reason: reason.into() });
    }

    /// Reports a leak of a relation, or of the role where that is what lets it through.
    #[expect(clippy::too_many_arguments, reason = "these are what a finding consists of")]
    fn leak(
        &mut self,
        rule: &'static Rule,
        relation: u32,
        object: &str,
        verb: Verb,
        context: TenantContext,
        statements: &[String],
        evidence: &str,
    ) {
        self.leaked.insert((object.to_owned(), verb));
        if let Some(role) = self.unbound() {
            self.add(
                &rules::BECOMES,
                &format!("role:{role}"),
                verb,
                context,
                statements,
                &format!("{object}: {evidence}"),
                None,
            );
            return;
        }
        if self.derived(relation, verb, context) {
            return;
        }
        self.add(rule, object, verb, context, statements, evidence, Some(relation));
    }

    /// Reports a leak by a write, on what lets it through: the relation itself, what hangs on it, or a function between.
    #[expect(clippy::too_many_arguments, reason = "these are what a finding consists of")]
    fn leak_by_write(
        &mut self,
        rule: &'static Rule,
        relation: &Relation,
        verb: Verb,
        context: TenantContext,
        statements: &[String],
        evidence: &str,
        changed: &[u32],
    ) {
        let base = self.base_of(relation).map_or(relation.oid, |base| base.oid);
        let here = changed.is_empty() || changed.contains(&relation.oid) || changed.contains(&base);
        let between: Vec<String> = self
            .stage
            .catalog
            .triggers
            .iter()
            .filter(|trigger| trigger.table == relation.oid && trigger.enabled)
            .filter_map(|trigger| self.stage.catalog.function(trigger.function))
            .filter(|function| function.definer || relation.kind == RelationKind::View)
            .map(crate::catalog::Function::object)
            .collect();
        if self.unbound().is_none() {
            for object in &between {
                if !here || changed.is_empty() || relation.kind == RelationKind::View {
                    self.add(&rules::ACTS, object, verb, context, statements, evidence, None);
                }
            }
            if !here {
                for child in changed {
                    let refers = self.stage.catalog.foreign_keys(*child).any(|key| {
                        key.on_delete != "a" && key.on_delete != "r"
                            || key.on_update != "a" && key.on_update != "r"
                    });
                    if refers && let Some(child) = self.stage.catalog.relation(*child).map(Relation::object) {
                        self.add(rule, &child, verb, context, statements, evidence, None);
                    }
                }
            }
        }
        self.leak(rule, relation.oid, &relation.object(), verb, context, statements, evidence);
    }

    /// Leaves out of a text what rows say that were not planted, unless evidence may quote them.
    fn without_rows(&self, text: &str) -> String {
        if self.options.full_evidence {
            return text.to_owned();
        }
        let mut said: Vec<&String> =
            self.stage.rows_say.iter().filter(|value| value.chars().count() > 2).collect();
        said.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let mut shown = text.to_owned();
        for value in said {
            for value in [value.clone(), choices::nobodys("text", "S", value)] {
                shown = shown.replace(&literal(&value), "'…'");
            }
        }
        shown
    }

    /// Records a finding, once.
    #[expect(clippy::too_many_arguments, reason = "these are what a finding consists of")]
    fn add(
        &mut self,
        rule: &'static Rule,
        object: &str,
        verb: Verb,
        context: TenantContext,
        statements: &[String],
        evidence: &str,
        relation: Option<u32>,
    ) {
        let key = key(rule, object, verb);
        if self.findings.contains_key(&key) {
            if let Some(shown) = self.shown.get_mut(&key) {
                shown.also(context, statements);
            }
            return;
        }
        let asked = statements.join("; ");
        let finding = Finding::new(rule, object, Some(verb), "")
            .in_context(context)
            .evidence(self.without_rows(&format!("as {}: {asked}: {evidence}", self.stage.subject.app_role)));
        let statements = statements.to_vec();
        let object = object.to_owned();
        self.shown.insert(
            key.clone(),
            fix::Shown {
                rule,
                object,
                verb,
                context,
                statements,
                relation,
                suspected: false,
                others: Vec::new(),
            },
        );
        self.findings.insert(key, finding);
    }

    /// Records rows that are visible because their tenants said so.
    fn shared_on_purpose(
        &mut self,
        relation: &Relation,
        context: TenantContext,
        statements: &[String],
        evidence: &str,
    ) {
        let object = relation.object();
        let key = format!("shared {object}");
        let mut finding =
            Finding::new(&rules::READS, &object, Some(Verb::Select), "shared").in_context(context).evidence(
                format!("{}: {evidence}, all of them opened by a column that says so", statements.join("; ")),
            );
        finding.level = Level::Info;
        finding.kind = Kind::Info;
        self.findings.entry(key).or_insert(finding);
    }

    /// Returns the app's role where row security does not bind it at all.
    fn unbound(&self) -> Option<String> {
        let role = self.stage.catalog.role_by_oid(self.stage.app)?;
        (role.superuser || role.bypassrls).then(|| role.name.clone())
    }

    /// Tells whether a leak only passes on one of a relation below, which is reported itself.
    fn derived(&self, relation: u32, verb: Verb, context: TenantContext) -> bool {
        let Some(view) = self.stage.catalog.relation(relation) else { return false };
        view.kind == RelationKind::View
            && view.option("security_invoker")
            && view.reads.iter().any(|base| match verb {
                Verb::Select => self.read_leaks.contains(&(*base, context)),
                _ => self.stage.catalog.relation(*base).is_some_and(|base| {
                    let object = base.object();
                    self.findings
                        .values()
                        .any(|finding| finding.object == object && finding.verb == Some(verb))
                }),
            })
    }

    /// Returns the table behind a view or the like, by its definition.
    fn base_of(&self, relation: &Relation) -> Option<Relation> {
        if relation.is_table() {
            return Some(relation.clone());
        }
        let catalog = &self.stage.catalog;
        let mut best: Option<(usize, Relation)> = None;
        let mut open: Vec<u32> = relation.reads.clone();
        let mut seen = HashSet::new();
        while let Some(oid) = open.pop() {
            let Some(base) = catalog.relation(oid).filter(|_| seen.insert(oid)) else { continue };
            if !base.is_table() {
                open.extend(&base.reads);
                continue;
            }
            let alike =
                base.columns.iter().filter(|column| relation.column_named(&column.name).is_some()).count();
            if best.as_ref().is_none_or(|(most, _)| alike > *most) {
                best = Some((alike, base.clone()));
            }
        }
        if best.is_none() && relation.kind == RelationKind::Foreign {
            let named = catalog.relations.iter().find(|other| {
                other.is_table()
                    && other
                        .columns
                        .iter()
                        .map(|column| &column.name)
                        .eq(relation.columns.iter().map(|column| &column.name))
            });
            return named.cloned();
        }
        best.map(|(_, base)| base)
    }

    /// Returns a tenant's first row of a relation, or of the table behind it.
    fn row_behind(&self, relation: &Relation, tenant: &Tenant) -> Option<Row> {
        if let Some(row) = self.seeds.row(relation.oid, tenant) {
            return Some(row.clone());
        }
        if relation.is_table() {
            return relation.parents.iter().find_map(|parent| self.seeds.row(*parent, tenant).cloned());
        }
        let base = self.base_of(relation)?;
        self.seeds.row(base.oid, tenant).cloned()
    }

    /// Writes the query by which the victim sees what all tenants share of a relation.
    fn shared_view(&self, relation: &Relation) -> Option<String> {
        if !relation.is_table() || !self.stage.catalog.may(self.stage.app, relation, "SELECT") {
            return None;
        }
        let condition = match self.stage.links.get(&relation.oid) {
            None => "true".to_owned(),
            Some(Link::Tenant(column)) => {
                let nullable = relation.column_named(column).is_some_and(|column| !column.not_null);
                nullable.then(|| format!("{} is null", identifier(column)))?
            }
            Some(_) => return None,
        };
        let all: Vec<String> = relation
            .columns
            .iter()
            .filter(|column| self.stage.may_column(relation, column, "SELECT"))
            .map(|column| format!("{}::text", identifier(&column.name)))
            .collect();
        Some(format!(
            "select concat_ws('|', {}) from {} where {condition} order by 1 limit 3000",
            all.join(", "),
            relation.quoted()
        ))
    }
}

impl Hunt {
    /// Reports a leak of a function.
    fn call_leak(
        &mut self,
        rule: &'static Rule,
        function: &crate::catalog::Function,
        context: TenantContext,
        statements: &[String],
        evidence: &str,
    ) {
        self.call_leak_as(rule, Verb::Execute, function, context, statements, evidence);
    }

    /// Reports a leak of a function with a verb of its own.
    fn call_leak_as(
        &mut self,
        rule: &'static Rule,
        verb: Verb,
        function: &crate::catalog::Function,
        context: TenantContext,
        statements: &[String],
        evidence: &str,
    ) {
        self.leaked.insert((function.object(), verb));
        if let (Some(role), false) = (self.unbound(), function.definer) {
            self.add(&rules::BECOMES, &format!("role:{role}"), verb, context, statements, evidence, None);
            return;
        }
        self.add(rule, &function.object(), verb, context, statements, evidence, None);
        if !function.definer {
            return;
        }
        // Where row security would bind the function's owner but for FORCE, the table lacks it.
        let unforced: Vec<Relation> = self
            .stage
            .catalog
            .relations
            .iter()
            .filter(|table| table.is_table() && table.rls && !table.force && table.owner == function.owner)
            .filter(|table| crate::catalog::mentions(&function.source, &table.name))
            .filter(|table| {
                self.stage
                    .catalog
                    .role_by_oid(table.owner)
                    .is_some_and(|owner| !owner.superuser && !owner.bypassrls)
            })
            .cloned()
            .collect();
        for table in unforced {
            let reads = rule.id == rules::REVEALS.id;
            let (rule, verb) =
                if reads { (&rules::READS, Verb::Select) } else { (&rules::WRITES, Verb::Update) };
            let object = table.object();
            let known = self.has_verb(&object, verb);
            self.add(rule, &object, verb, context, statements, evidence, Some(table.oid));
            if let (false, Some(shown)) = (known, self.shown.get_mut(&key(rule, &object, verb))) {
                shown.suspected = true;
            }
        }
    }

    /// Tells whether an object has a finding.
    fn has(&self, object: &str) -> bool {
        self.findings.values().any(|finding| finding.object == object && finding.kind == Kind::Leak)
    }

    /// Tells whether an object has a finding of a verb.
    fn has_verb(&self, object: &str, verb: Verb) -> bool {
        self.findings.values().any(|finding| finding.object == object && finding.verb == Some(verb))
    }

    /// Tells whether an object has a finding by a write.
    fn has_write_leak(&self, object: &str) -> bool {
        [Verb::Insert, Verb::Update, Verb::Delete, Verb::Truncate]
            .into_iter()
            .any(|verb| self.has_verb(object, verb))
    }
}

/// Returns what a finding is kept under.
fn key(rule: &Rule, object: &str, verb: Verb) -> String {
    format!("{} {object} {}", rule.id, verb.word())
}

/// Puts the worst first, and the rest in an order that does not depend on the run.
fn precedence(finding: &Finding) -> (Reverse<Level>, String, String, Option<Verb>) {
    (Reverse(finding.level), finding.object.clone(), finding.rule.clone(), finding.verb)
}
