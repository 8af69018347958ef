//! Why a file could not be read, in words its writer can act on.

/// Says why no text could be taken from a file; the same bytes fail the same way again, so none is worth a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractError {
    /// The file has no bytes.
    #[error("The file is empty. Save the manuscript again and upload that copy.")]
    Empty,
    /// The file is sound but holds not one word.
    #[error("No text was found in the file. If its pages are pictures or scans, export the text itself.")]
    NoText,
    /// The content is encrypted.
    #[error("The file is protected by a password. Remove the password, save, and upload it again.")]
    PasswordProtected,
    /// The file breaks off, fails a checksum or is not well formed.
    #[error("The file is damaged. Open it in the program that wrote it, save a new copy, and upload that.")]
    Corrupt,
    /// The file, or what it unpacks to, is larger than any manuscript.
    #[error("The file is too large once unpacked. Split the manuscript, or remove what is not text.")]
    TooLarge,
    /// Elements stand inside each other deeper than any manuscript needs.
    #[error(
        "The file's tables or boxes are nested too deep. Paste the text into a new document and upload that."
    )]
    NestedTooDeep,
    /// The archive lists more parts than any manuscript has.
    #[error("The file consists of too many parts. Paste the text into a new document and upload that.")]
    TooManyEntries,
    /// The XML declares a document type, which no word processor does and attacks do.
    #[error(
        "The file declares an XML document type (DTD), which is not accepted. \
         Paste the text into a new document and upload that."
    )]
    ForbiddenXml,
    /// The content is of another kind, whatever the file's name says.
    #[error("This kind of file cannot be read. Save the manuscript as .docx, .md or .txt and upload that.")]
    UnsupportedType,
}

impl ExtractError {
    /// Every reason there is.
    pub const ALL: &'static [Self] = &[
        Self::Empty,
        Self::NoText,
        Self::PasswordProtected,
        Self::Corrupt,
        Self::TooLarge,
        Self::NestedTooDeep,
        Self::TooManyEntries,
        Self::ForbiddenXml,
        Self::UnsupportedType,
    ];

    /// Returns the stable kebab-case name that programs match on.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "file-empty",
            Self::NoText => "no-text",
            Self::PasswordProtected => "password-protected",
            Self::Corrupt => "file-corrupt",
            Self::TooLarge => "too-large-unpacked",
            Self::NestedTooDeep => "nested-too-deep",
            Self::TooManyEntries => "too-many-entries",
            Self::ForbiddenXml => "forbidden-xml",
            Self::UnsupportedType => "unsupported-type",
        }
    }
}
