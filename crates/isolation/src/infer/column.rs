//! The column that says whose a row is, by its name and by the policies that ask for it.

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::{all_text, context::settings_read};
use crate::catalog::Catalog;

/// Names that a column of tenants usually has, likeliest first.
const TENANT_NAMES: &[&str] = &[
    "tenant_id",
    "tenant",
    "tenant_uuid",
    "organization_id",
    "organisation_id",
    "org_id",
    "org",
    "workspace_id",
    "workspace",
    "account_id",
    "account",
    "company_id",
    "company",
    "customer_id",
    "client_id",
    "team_id",
    "group_id",
    "site_id",
    "shop_id",
    "store_id",
    "school_id",
    "clinic_id",
    "hotel_id",
    "club_id",
    "firm_id",
    "business_id",
    "merchant_id",
    "household_id",
    "owner_id",
    "user_id",
    "owner",
    "tenant_name",
    "realm",
];

pub(super) fn tenant_column(catalog: &Catalog) -> Option<(String, String)> {
    let mut votes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for relation in catalog.relations.iter().filter(|relation| relation.is_table() && !relation.extension) {
        for column in &relation.columns {
            let in_policies = catalog.policies.iter().any(|policy| {
                policy.table == relation.oid
                    && policy.columns.contains(&column.number)
                    && compares(policy, &column.name)
            });
            let known = TENANT_NAMES.contains(&column.name.to_ascii_lowercase().as_str());
            if in_policies || known {
                let vote = votes.entry(column.name.as_str()).or_default();
                vote.0 += usize::from(in_policies);
                vote.1 += 1;
            }
        }
    }
    let rank = |name: &str| {
        let lower = name.to_ascii_lowercase();
        TENANT_NAMES.iter().position(|known| *known == lower)
    };
    let named: Vec<String> = settings_read(&all_text(catalog))
        .iter()
        .filter_map(|setting| Some(setting.rsplit_once('.')?.1.to_ascii_lowercase()))
        .collect();
    let by_setting = |name: &str| {
        let lower = name.to_ascii_lowercase();
        named.iter().any(|setting| *setting == lower || format!("{setting}_id") == lower)
    };
    for relation in catalog.relations.iter().filter(|relation| relation.is_table() && !relation.extension) {
        for column in relation.columns.iter().filter(|column| by_setting(&column.name)) {
            let known = votes.contains_key(column.name.as_str())
                || TENANT_NAMES.contains(&column.name.to_ascii_lowercase().as_str());
            if !known || votes.get(column.name.as_str()).is_some_and(|(_, tables)| *tables == 0) {
                votes.insert(&column.name, (0, 1));
            }
        }
    }
    let score = |name: &str, (policies, tables): (usize, usize)| {
        let by_name =
            rank(name).map_or(0.0, |rank| 3.0 - f64::from(u32::try_from(rank).unwrap_or(40)) / 15.0);
        let by_name = if by_setting(name) { by_name.max(2.5) } else { by_name };
        let plain = if name == "id" { 1.0 } else { 0.0 };
        let (policies, tables) = (u32::try_from(policies).unwrap_or(99), u32::try_from(tables).unwrap_or(99));
        f64::from(policies) * 2.0 + f64::from(tables) * 0.4 + by_name * 2.0 - plain * 4.0
    };
    let (name, (policies, tables)) =
        votes.iter().max_by(|one, other| score(one.0, *one.1).total_cmp(&score(other.0, *other.1)))?;
    let because = format!("{policies} tables' policies read it, {tables} tables have it");
    Some(((*name).to_owned(), because))
}

/// Tells whether a policy compares a column with something, rather than asking whether it is null.
fn compares(policy: &crate::catalog::Policy, column: &str) -> bool {
    let pattern =
        format!(r"\b{column}\b[^=<>~]{{0,40}}?(?:=|~~|\bIN\b|\^@)|(?:=|ANY \(|~~)\s*\(*(?:\w+\.)?{column}\b");
    let Ok(pattern) = Regex::new(&pattern) else { return true };
    [&policy.using, &policy.check].into_iter().flatten().any(|text| {
        pattern.find_iter(text).any(|found| !found.as_str().contains(" IS "))
            || text.contains('(') && !text.contains(&format!("{column} IS "))
    })
}
