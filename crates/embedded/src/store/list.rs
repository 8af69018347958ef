//! Listing in S3's order, the byte order of whole keys, straight from the directories.
//!
//! The walk enters only directories that can hold a key of the page, and keeps at most [`BATCH`] entries of each: a
//! larger directory is read again from where the last batch ended.

use std::collections::BinaryHeap;

use super::{
    error::StoreError,
    key::{Entry, KEY_MAX, Key, Kind, directory_of_prefix},
    object::Object,
    tree::Tree,
};

/// How many entries of one directory are held at a time; few in tests, so that directories are read again.
const BATCH: usize = if cfg!(test) { 3 } else { 1000 };

/// What to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pub(crate) prefix: String,
    /// Groups keys by what follows the prefix up to and with the delimiter; empty for none.
    pub(crate) delimiter: String,
    /// The first key that may come, as bytes; see [`after`] and [`Page::next`].
    pub(crate) from: Vec<u8>,
    pub(crate) limit: usize,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Object>,
    pub(crate) common_prefixes: Vec<String>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<Vec<u8>>,
}

/// Returns the least byte string behind `key`.
pub(crate) fn after(key: &str) -> Vec<u8> {
    [key.as_bytes(), &[0]].concat()
}

/// Returns the least byte string behind everything that begins with `prefix`, which must be UTF-8 and not empty.
fn beyond(prefix: &str) -> Vec<u8> {
    let mut bytes = prefix.as_bytes().to_vec();
    // No byte of UTF-8 is 255.
    if let Some(last) = bytes.last_mut() {
        *last += 1;
    }
    bytes
}

/// Lists one page.
pub(crate) fn list(tree: &Tree, query: &Query) -> Result<Page, StoreError> {
    let mut page = Page::default();
    if query.limit == 0 || query.prefix.len() > KEY_MAX {
        return Ok(page);
    }
    let mut walk = Walk::new(tree, query.prefix.as_bytes(), query.from.clone());
    while let Some(key) = walk.next()? {
        let full = page.objects.len() + page.common_prefixes.len() == query.limit;
        let common = group(key.as_str(), query);
        // An object may vanish between being found and being read.
        let object = if common.is_none() { walk.open(&key)? } else { None };
        if common.is_none() && object.is_none() {
            continue;
        }
        if full {
            page.next = Some(key.as_str().as_bytes().to_vec());
            break;
        }
        match common {
            Some(common) => {
                walk.from = beyond(common);
                page.common_prefixes.push(common.to_owned());
            }
            None => page.objects.extend(object),
        }
    }
    Ok(page)
}

/// Returns the common prefix that a key is grouped under.
fn group<'k>(key: &'k str, query: &Query) -> Option<&'k str> {
    if query.delimiter.is_empty() {
        return None;
    }
    let rest = key.get(query.prefix.len()..)?;
    let at = rest.find(&query.delimiter)?;
    key.get(..query.prefix.len() + at + query.delimiter.len())
}

/// A walk through the keys with a prefix, in order.
struct Walk<'t> {
    tree: &'t Tree,
    prefix: &'t [u8],
    /// The first key that may come.
    from: Vec<u8>,
    levels: Vec<Level>,
    /// The names from the bucket's directory to the first level.
    base: Vec<String>,
}

/// A directory the walk is in.
struct Level {
    /// Its name; that of the first level is in the walk's base.
    name: Option<String>,
    /// What its keys begin with.
    bound: Vec<u8>,
    /// What is still to be visited, last first.
    entries: Vec<Entry>,
    /// Where to read on, if the directory holds more than `entries`.
    more: bool,
    last: Option<Vec<u8>>,
}

impl<'t> Walk<'t> {
    fn new(tree: &'t Tree, prefix: &'t [u8], from: Vec<u8>) -> Self {
        let (base, bound) = directory_of_prefix(prefix);
        let first = Level { name: None, bound, entries: Vec::new(), more: true, last: None };
        Self { tree, prefix, from, levels: vec![first], base }
    }

    /// Returns the next key and moves behind it.
    fn next(&mut self) -> Result<Option<Key>, StoreError> {
        while let Some(level) = self.levels.last_mut() {
            let Some(entry) = level.entries.pop() else {
                if level.more {
                    self.fill()?;
                } else {
                    self.levels.pop();
                }
                continue;
            };
            level.last = Some(entry.bound.clone());
            if !may_hold(&entry, self.prefix, &self.from) {
                continue;
            }
            if entry.kind == Kind::Object {
                let key = std::str::from_utf8(&entry.bound).ok().and_then(|text| Key::parse(text).ok());
                let Some(key) = key else { continue };
                self.from = after(key.as_str());
                return Ok(Some(key));
            }
            if entry.bound.len() <= KEY_MAX {
                let (name, bound) = (Some(entry.name), entry.bound);
                self.levels.push(Level { name, bound, entries: Vec::new(), more: true, last: None });
            }
        }
        Ok(None)
    }

    /// Reads the next entries of the deepest level.
    fn fill(&mut self) -> Result<(), StoreError> {
        let names = self.names();
        let directory = self.tree.walk(&names)?;
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        level.more = false;
        // Another request may have removed it.
        let Some(directory) = directory else { return Ok(()) };

        let mut least: BinaryHeap<ByBound> = BinaryHeap::with_capacity(BATCH + 1);
        let mut more = false;
        super::directory::names(&directory, |name| {
            let Some(entry) = Entry::decode(&level.bound, name) else {
                tracing::warn!(name = ?String::from_utf8_lossy(name), "a foreign file in the object store is ignored");
                return;
            };
            let seen = level.last.as_ref().is_some_and(|last| entry.bound <= *last);
            if !seen && may_hold(&entry, self.prefix, &self.from) {
                least.push(ByBound(entry));
                if least.len() > BATCH {
                    least.pop();
                    more = true;
                }
            }
        })
        .map_err(StoreError::io("read a directory"))?;
        level.more = more;
        level.entries = least.into_sorted_vec().into_iter().rev().map(|entry| entry.0).collect();
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.base.iter().cloned().chain(self.levels.iter().filter_map(|level| level.name.clone())).collect()
    }

    /// Opens the object just found, unless it is gone.
    fn open(&self, key: &Key) -> Result<Option<Object>, StoreError> {
        match self.tree.open(key) {
            Ok(object) => Ok(Some(object)),
            Err(StoreError::NoSuchKey) => Ok(None),
            Err(error) => {
                tracing::error!(key = ?key, "the listing stops at an object that cannot be read");
                Err(error)
            }
        }
    }
}

/// Tells whether an entry is, or may hold, a key with the prefix that is not before `from`.
fn may_hold(entry: &Entry, prefix: &[u8], from: &[u8]) -> bool {
    let bound = &entry.bound[..];
    if entry.kind == Kind::Object {
        return bound.starts_with(prefix) && bound >= from;
    }
    (bound.starts_with(prefix) || prefix.starts_with(bound)) && (bound >= from || from.starts_with(bound))
}

struct ByBound(Entry);

impl PartialEq for ByBound {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByBound {}

impl PartialOrd for ByBound {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByBound {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.bound.cmp(&other.0.bound)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::store::{
        condition::WriteCondition,
        key::tests::any_key,
        tests::{tree, upload},
    };

    fn put(tree: &Tree, key: &str) {
        tree.commit(&Key::parse(key).unwrap(), upload(tree, key), &WriteCondition::default()).unwrap();
    }

    /// What S3 lists, by the book: all keys sorted, grouped, and no group twice.
    fn model(keys: &BTreeSet<String>, query: &Query) -> Vec<String> {
        let mut listed: Vec<String> = Vec::new();
        for key in
            keys.iter().filter(|key| key.starts_with(&query.prefix) && key.as_bytes() >= &query.from[..])
        {
            let item = match key[query.prefix.len()..].split_once(&query.delimiter) {
                Some((head, _)) if !query.delimiter.is_empty() => {
                    format!("group {}{head}{}", query.prefix, query.delimiter)
                }
                _ => key.clone(),
            };
            if listed.last() != Some(&item) {
                listed.push(item);
            }
        }
        listed
    }

    fn every_page(tree: &Tree, mut query: Query) -> Vec<String> {
        let mut listed = Vec::new();
        loop {
            let page = list(tree, &query).unwrap();
            let groups =
                page.common_prefixes.iter().map(|prefix| (prefix.clone(), format!("group {prefix}")));
            let objects =
                page.objects.iter().map(|object| (object.metadata.key.clone(), object.metadata.key.clone()));
            let mut items: Vec<_> = groups.chain(objects).collect();
            assert!(items.len() <= query.limit);
            items.sort();
            listed.extend(items.into_iter().map(|(_, item)| item));
            match page.next {
                Some(next) => {
                    assert!(next > query.from);
                    query.from = next;
                }
                None => return listed,
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_listing_is_the_sorted_model(
            keys in prop::collection::btree_set(any_key(), 0..25),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
            prefix in prop_oneof![Just(None), any::<(prop::sample::Index, prop::sample::Index)>().prop_map(Some)],
            start in prop_oneof![Just(None), any_key().prop_map(Some)],
            delimiter in prop_oneof![Just(""), Just("/"), Just("a"), Just("//"), Just("é")],
            limit in 1_usize..8,
        ) {
            let (_directory, tree) = tree();
            let mut keys = keys;
            for key in &keys {
                put(&tree, key);
            }
            for index in removed {
                let Some(key) = keys.iter().nth(index.index(keys.len().max(1))).cloned() else { continue };
                tree.delete(&Key::parse(&key).unwrap(), &WriteCondition::default()).unwrap();
                keys.remove(&key);
            }
            let prefix = prefix.and_then(|(key, cut)| {
                let key = keys.iter().nth(key.index(keys.len().max(1)))?;
                let cut = cut.index(key.len() + 1);
                key.get(..cut)
            });
            let query = Query {
                prefix: prefix.unwrap_or_default().to_owned(),
                delimiter: delimiter.to_owned(),
                from: start.as_deref().map(after).unwrap_or_default(),
                limit,
            };
            prop_assert_eq!(every_page(&tree, query.clone()), model(&keys, &query));
            for key in &keys {
                prop_assert_eq!(&tree.open(&Key::parse(key).unwrap()).unwrap().metadata.key, key);
                tree.delete(&Key::parse(key).unwrap(), &WriteCondition::default()).unwrap();
            }
            // Deleting every object leaves no directory behind.
            let mut left = 0;
            crate::store::directory::names(&tree.walk(&[]).unwrap().unwrap(), |_| left += 1).unwrap();
            prop_assert_eq!(left, 0);
        }
    }
}
