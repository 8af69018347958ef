//! Which format a file is in: the content decides, the name only settles what content cannot tell.

use std::fmt;

use crate::{Document, ExtractError, Limits, formats};

/// A format that manuscripts are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Plain text in UTF-8, UTF-16 or Windows-1252.
    Text,
    /// Markdown in the same encodings.
    Markdown,
    /// Office Open XML text, as Word, `LibreOffice` and Google Docs write it.
    Docx,
}

/// Media types that say nothing against any format: browsers and systems without an entry for one send these.
const VAGUE_MEDIA_TYPES: &[&str] = &[
    "",
    "application/octet-stream",
    "binary/octet-stream",
    "application/zip",
    "application/x-zip-compressed",
    "application/msword",
];

impl Format {
    /// Every format, the ones with a distinctive content first.
    pub const ALL: &'static [Self] = &[Self::Docx, Self::Markdown, Self::Text];

    /// Returns the usual extension of a file name, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Markdown => "md",
            Self::Docx => "docx",
        }
    }

    /// Returns the registered media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::Markdown => "text/markdown",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        }
    }

    /// Says whether a file so named and declared may be one that is read; an empty media type says nothing.
    ///
    /// Where the name has an extension it decides, as long as the media type does not name something else.
    pub fn accepts(filename: &str, media_type: &str) -> bool {
        let media_type = essence(media_type);
        let vague = VAGUE_MEDIA_TYPES.contains(&media_type.as_str());
        match extension(filename) {
            Some(extension) => {
                Self::of_extension(&extension).is_some()
                    && (vague || Self::of_media_type(&media_type).is_some())
            }
            None => Self::of_media_type(&media_type).is_some(),
        }
    }

    /// Names the format of a file by its content; name and media type settle only Markdown against plain text.
    ///
    /// # Errors
    /// Whatever can be told without unpacking: empty, encrypted, broken off, or of an unsupported kind.
    pub fn detect(filename: &str, media_type: &str, bytes: &[u8]) -> Result<Self, ExtractError> {
        if bytes.is_empty() {
            return Err(ExtractError::Empty);
        }
        if formats::docx::is_archive(bytes) {
            return formats::docx::check_archive(bytes, &Limits::default()).map(|()| Self::Docx);
        }
        if formats::is_ole(bytes) {
            return Err(formats::ole_refusal(bytes));
        }
        if !formats::text::is_text(bytes) {
            return Err(ExtractError::UnsupportedType);
        }
        let declared = match extension(filename) {
            Some(extension) => Self::of_extension(&extension),
            None => Self::of_media_type(&essence(media_type)),
        };
        Ok(if declared == Some(Self::Markdown) { Self::Markdown } else { Self::Text })
    }

    fn of_extension(extension: &str) -> Option<Self> {
        match extension {
            "txt" | "text" => Some(Self::Text),
            "md" | "markdown" | "mkd" | "mdown" => Some(Self::Markdown),
            "docx" => Some(Self::Docx),
            _ => None,
        }
    }

    fn of_media_type(essence: &str) -> Option<Self> {
        match essence {
            "text/plain" => Some(Self::Text),
            "text/markdown" | "text/x-markdown" => Some(Self::Markdown),
            _ if essence == Self::Docx.media_type() => Some(Self::Docx),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

/// Reads a file of a known format, all of it or nothing.
pub fn extract(format: Format, bytes: &[u8], limits: &Limits) -> Result<Document, ExtractError> {
    if bytes.is_empty() {
        return Err(ExtractError::Empty);
    }
    match format {
        Format::Text => formats::text::extract(bytes, limits),
        Format::Markdown => formats::markdown::extract(bytes, limits),
        Format::Docx => formats::docx::extract(bytes, limits),
    }
}

/// Returns the extension in lower case; a leading dot starts a hidden name, not an extension.
fn extension(filename: &str) -> Option<String> {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default().trim_end();
    let (stem, extension) = name.rsplit_once('.')?;
    (!stem.is_empty()).then(|| extension.to_ascii_lowercase())
}

/// Returns the media type in lower case without its parameters.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_media_types_are_accepted_as_browsers_send_them() {
        let docx = Format::Docx.media_type();
        for (name, media_type) in [
            ("Novel.docx", docx),
            ("novel.DOCX", "application/octet-stream"),
            ("novel.docx", "application/msword"),
            ("ch. 1.md", ""),
            ("novel.markdown", "text/markdown; charset=UTF-8"),
            ("novel.txt", "TEXT/PLAIN"),
            ("novel", "text/plain"),
        ] {
            assert!(Format::accepts(name, media_type), "{name} {media_type}");
        }
        for (name, media_type) in [
            ("novel.pdf", "application/pdf"),
            ("novel.pdf", docx),
            ("novel.docx", "image/png"),
            ("novel.doc", "application/msword"),
            ("novel", ""),
            ("novel", "application/octet-stream"),
            (".md", ""),
            ("novel.exe", "text/plain"),
            ("a.docx/evil", ""),
        ] {
            assert!(!Format::accepts(name, media_type), "{name} {media_type}");
        }
    }
}
