//! Object keys and the file names they become.
//!
//! A key is any text; a file name is not. The mapping here is reversible, uses only `[a-z0-9._%-]` (so that a file
//! system which folds case or normalises Unicode keeps distinct keys distinct), never yields `.`, `..` or a name
//! longer than `NAME_MAX`, and tells an object `a` from the directory of `a/b`:
//!
//! | part of the key | entry |
//! |---|---|
//! | the first [`CHUNK`] bytes of a component that has at least as many | directory `c…`, the rest inside it |
//! | a component followed by `/` | directory `d…` |
//! | the last component | file `o…` |
//!
//! A component of [`CHUNK`] bytes or more is *always* split, so within one directory no chunk equals a whole
//! component. Hence sorting the entries of a directory by [`Entry::bound`] sorts the keys below them.

use std::{fmt, sync::Arc};

/// The longest key, in bytes, as in S3.
pub(crate) const KEY_MAX: usize = 1024;
/// The number of bytes of a component that go into one directory name; escaped, they fill at most `NAME_MAX`.
const CHUNK: usize = 66;
/// The longest file name, in bytes.
#[cfg(test)]
const NAME_MAX: usize = 1 + 3 * CHUNK;

/// Says why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("the key is empty")]
    Empty,
    #[error("the key is longer than 1024 bytes")]
    TooLong,
    #[error("the key holds a NUL character")]
    Nul,
}

/// An object's key: 1 to 1,024 bytes of UTF-8 without NUL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(Arc<str>);

impl Key {
    pub(crate) fn parse(text: &str) -> Result<Self, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > KEY_MAX {
            return Err(KeyError::TooLong);
        }
        if text.contains('\0') {
            return Err(KeyError::Nul);
        }
        Ok(Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns where the object lies below its bucket's directory.
    pub(crate) fn place(&self) -> Place {
        let bytes = self.0.as_bytes();
        let (mut directories, start) = directories_of(bytes);
        split(&bytes[start..], &mut directories);
        let rest = remainder(&bytes[start..]);
        Place { directories, file: escape(Kind::Object, rest) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an object lies: directories from the bucket's downwards, then a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) directories: Vec<String>,
    pub(crate) file: String,
}

/// What a file name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Directory,
    Chunk,
}

impl Kind {
    const fn letter(self) -> u8 {
        match self {
            Self::Object => b'o',
            Self::Directory => b'd',
            Self::Chunk => b'c',
        }
    }
}

/// One decoded file name in the directory whose keys begin with a given prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The object's key, or what every key below the directory begins with.
    pub(crate) bound: Vec<u8>,
    pub(crate) kind: Kind,
    pub(crate) name: String,
}

impl Entry {
    /// Decodes a file name, or returns `None` where this store would not have written it.
    pub(crate) fn decode(prefix: &[u8], name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let kind = match name.bytes().next()? {
            b'o' => Kind::Object,
            b'd' => Kind::Directory,
            b'c' => Kind::Chunk,
            _ => return None,
        };
        let part = unescape(&name[1..])?;
        let fits = if kind == Kind::Chunk { part.len() == CHUNK } else { part.len() < CHUNK };
        if !fits || escape(kind, &part) != name {
            return None;
        }
        let mut bound = prefix.to_vec();
        bound.extend_from_slice(&part);
        if kind == Kind::Directory {
            bound.push(b'/');
        }
        Some(Self { bound, kind, name: name.to_owned() })
    }
}

/// Returns the deepest directory that holds every key with this prefix, and the prefix its own keys share.
pub(crate) fn directory_of_prefix(prefix: &[u8]) -> (Vec<String>, Vec<u8>) {
    let (mut directories, start) = directories_of(prefix);
    let rest = &prefix[start..];
    split(rest, &mut directories);
    let shared = prefix.len() - remainder(rest).len();
    (directories, prefix[..shared].to_vec())
}

/// Returns the directories of every component that is followed by a slash, and where the last one begins.
fn directories_of(bytes: &[u8]) -> (Vec<String>, usize) {
    let mut directories = Vec::new();
    let mut start = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
        let component = &bytes[start..at];
        split(component, &mut directories);
        directories.push(escape(Kind::Directory, remainder(component)));
        start = at + 1;
    }
    (directories, start)
}

/// Appends the chunk directories of a component.
fn split(component: &[u8], directories: &mut Vec<String>) {
    directories.extend(component.chunks_exact(CHUNK).map(|chunk| escape(Kind::Chunk, chunk)));
}

/// Returns what of a component is left after its chunks.
fn remainder(component: &[u8]) -> &[u8] {
    component.chunks_exact(CHUNK).remainder()
}

fn escape(kind: Kind, bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut name = String::with_capacity(1 + bytes.len());
    name.push(char::from(kind.letter()));
    for &byte in bytes {
        if matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-') {
            name.push(char::from(byte));
        } else {
            name.push('%');
            name.push(char::from(HEX[usize::from(byte >> 4)]));
            name.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
    name
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            let mut byte = [0_u8];
            hex::decode_to_slice(digits, &mut byte).ok()?;
            bytes.push(byte[0]);
            rest = tail;
        } else {
            bytes.push(first);
            rest = tail;
        }
    }
    Some(bytes)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Keys that try the mapping: few letters, so that prefixes collide, around every border of a chunk.
    pub(crate) fn any_key() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[abA./%~é-]{0,6}",
            1 => (60_usize..72).prop_map(|n| "x".repeat(n)),
            1 => (130_usize..135, "[!a/]{0,2}").prop_map(|(n, tail)| format!("{}{tail}", "x".repeat(n))),
            1 => any::<String>(),
        ];
        proptest::collection::vec(piece, 1..6)
            .prop_map(|pieces| pieces.concat())
            .prop_filter("is a key", |text| Key::parse(text).is_ok())
    }

    fn decode(place: &Place) -> Vec<u8> {
        let mut prefix = Vec::new();
        for name in place.directories.iter().chain([&place.file]) {
            prefix = Entry::decode(&prefix, name.as_bytes()).unwrap().bound;
        }
        prefix
    }

    proptest! {
        #[test]
        fn a_place_decodes_to_its_key(text in any_key()) {
            let place = Key::parse(&text).unwrap().place();
            prop_assert_eq!(decode(&place), text.into_bytes());
            for name in place.directories.iter().chain([&place.file]) {
                prop_assert!(name.len() <= NAME_MAX && name != "." && name != ".." && !name.contains('/'));
                prop_assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii_graphic()));
            }
        }

        #[test]
        fn distinct_keys_have_distinct_places_that_differ_in_more_than_case(a in any_key(), b in any_key()) {
            let (one, other) = (Key::parse(&a).unwrap().place(), Key::parse(&b).unwrap().place());
            prop_assert_eq!(a == b, one == other);
        }

        #[test]
        fn a_key_lies_below_the_directory_of_each_of_its_prefixes(text in any_key(), cut in any::<prop::sample::Index>()) {
            let prefix = &text.as_bytes()[..cut.index(text.len() + 1)];
            let (directories, shared) = directory_of_prefix(prefix);
            prop_assert!(prefix.starts_with(&shared));
            prop_assert!(Key::parse(&text).unwrap().place().directories.starts_with(&directories));
        }

        #[test]
        fn decoding_any_name_never_panics(name in any::<Vec<u8>>()) {
            let _ = Entry::decode(b"", &name);
        }
    }

    #[test]
    fn names_that_the_store_would_not_write_are_not_decoded() {
        for name in ["", "x", "oA", "o%4", "o%zz", "o%61", "o%2F", "cshort", &format!("o{}", "a".repeat(66))]
        {
            assert_eq!(Entry::decode(b"", name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn the_longest_keys_are_keys_and_longer_ones_are_not() {
        assert!(Key::parse(&"/".repeat(1024)).is_ok());
        assert!(Key::parse(&"é".repeat(512)).is_ok());
        assert_eq!(Key::parse(&"a".repeat(1025)), Err(KeyError::TooLong));
        assert_eq!(Key::parse(""), Err(KeyError::Empty));
        assert_eq!(Key::parse("a\0b"), Err(KeyError::Nul));
    }
}
