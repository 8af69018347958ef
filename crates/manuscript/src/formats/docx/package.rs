//! The zip around a document: finding the parts without trusting a name in it.

use std::io::Cursor;

use zip::{CompressionMethod, ZipArchive, read::ZipFile, result::ZipError};

use super::super::xml::{self, Budget, Item};
use crate::{ExtractError, Limits};

/// Relationship types end alike in the transitional and the strict vocabulary.
const MAIN: &str = "/officeDocument";
const STYLES: &str = "/styles";

/// Says whether the content starts as a zip does, whole or broken.
pub(crate) fn is_archive(bytes: &[u8]) -> bool {
    [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"].iter().any(|signature| bytes.starts_with(*signature))
}

/// Says whether a zip is whole and a document by its list of parts.
pub(crate) fn check(bytes: &[u8], limits: &Limits) -> Result<(), ExtractError> {
    let package = Package::open(bytes, limits)?;
    if package.index(CONVENTIONAL_MAIN).is_some() {
        return Ok(());
    }
    // Its siblings, workbooks and presentations, have relationships too, but keep their parts elsewhere.
    let other = ["xl/", "ppt/", "visio/", "mimetype"];
    let is_other = package.names.iter().any(|name| other.iter().any(|start| name.starts_with(start)));
    if package.index("_rels/.rels").is_some() && !is_other {
        Ok(())
    } else {
        Err(ExtractError::UnsupportedType)
    }
}

const CONVENTIONAL_MAIN: &str = "word/document.xml";

/// An opened archive and its parts' names, normalised, in the order of its directory.
pub(crate) struct Package<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    names: Vec<String>,
}

impl<'a> Package<'a> {
    pub(crate) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, ExtractError> {
        // Counted before the directory is read, because the reader keeps a record of every entry.
        let listed = bytes.windows(4).filter(|window| *window == b"PK\x01\x02").count();
        if listed > limits.entries {
            return Err(ExtractError::TooManyEntries);
        }
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| ExtractError::Corrupt)?;
        let names = archive.file_names_raw().map(|name| normalise(&String::from_utf8_lossy(name))).collect();
        Ok(Self { archive, names })
    }

    /// Returns the name of the part that holds the text.
    pub(crate) fn main_part(&mut self, limits: &Limits, budget: &mut Budget) -> Result<String, ExtractError> {
        let related = self.related("", MAIN, limits, budget)?;
        [related.as_deref(), Some(CONVENTIONAL_MAIN)]
            .into_iter()
            .flatten()
            .find(|name| self.index(name).is_some())
            .map(ToOwned::to_owned)
            .ok_or(ExtractError::UnsupportedType)
    }

    /// Returns the name of the part that holds the main part's styles, if there is one.
    pub(crate) fn styles_part(
        &mut self,
        main: &str,
        limits: &Limits,
        budget: &mut Budget,
    ) -> Result<Option<String>, ExtractError> {
        let related = self.related(main, STYLES, limits, budget)?;
        let beside = resolve(main, "styles.xml");
        Ok([related, Some(beside)].into_iter().flatten().find(|name| self.index(name).is_some()))
    }

    /// Opens a part for reading to its end, where its checksum is verified.
    pub(crate) fn open_part(
        &mut self,
        name: &str,
        budget: &Budget,
    ) -> Result<ZipFile<'_, Cursor<&'a [u8]>>, ExtractError> {
        let index = self.index(name).ok_or(ExtractError::Corrupt)?;
        let part = self.archive.by_index(index).map_err(|error| match error {
            ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => ExtractError::PasswordProtected,
            _ => ExtractError::Corrupt,
        })?;
        if !budget.covers(part.size()) {
            return Err(ExtractError::TooLarge);
        }
        if !matches!(part.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return Err(ExtractError::Corrupt);
        }
        Ok(part)
    }

    /// Finds the first internal target of a relationship type of a part; the package itself is the part "".
    fn related(
        &mut self,
        part: &str,
        kind: &str,
        limits: &Limits,
        budget: &mut Budget,
    ) -> Result<Option<String>, ExtractError> {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let relationships = normalise(&format!("{folder}/_rels/{file}.rels"));
        if self.index(&relationships).is_none() {
            return Ok(None);
        }
        let mut found = None;
        xml::read(self.open_part(&relationships, budget)?, limits, budget, |item| {
            if let Item::Start(element) = item
                && found.is_none()
                && element.local_name().as_ref() == "Relationship"
                && xml::attribute(&element, "Type").is_some_and(|value| value.ends_with(kind))
                && xml::attribute(&element, "TargetMode").is_none_or(|mode| mode != "External")
            {
                found = xml::attribute(&element, "Target").map(|target| resolve(part, &target));
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|listed| listed == name)
    }
}

/// Resolves a target against the part it is written in; an absolute one starts at the package.
fn resolve(part: &str, target: &str) -> String {
    if target.starts_with(['/', '\\']) {
        return normalise(target);
    }
    let folder = part.rsplit_once('/').map_or("", |(folder, _)| folder);
    normalise(&format!("{folder}/{target}"))
}

/// Brings a part name to one form: forward slashes, ASCII lower case, no dot segments, no leading slash.
///
/// Names are compared and never opened, so one that climbs out of the package only names nothing.
fn normalise(name: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in name.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    segments.join("/").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_resolve_inside_the_package_only() {
        assert_eq!(resolve("", "word/Document.xml"), "word/document.xml");
        assert_eq!(resolve("word/document.xml", "styles.xml"), "word/styles.xml");
        assert_eq!(resolve("word/document.xml", "/other/styles.xml"), "other/styles.xml");
        assert_eq!(resolve("word/document.xml", "../../../etc/passwd"), "etc/passwd");
        assert_eq!(resolve("word/document.xml", "..\\a\\.\\b"), "a/b");
    }
}
