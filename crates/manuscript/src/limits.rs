//! What reading one file may cost.

/// Bounds what one extraction may take; whatever exceeds one is refused, never cut short.
///
/// With the defaults an extraction stays below 250 MiB of memory besides the file's own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that all parts read from an archive may unpack to together.
    pub unpacked_bytes: u64,
    /// Bytes of one tag, text run, comment or instruction of XML.
    pub token_bytes: u64,
    /// UTF-8 bytes of text in the document; at most 4 GiB - 1 counts.
    pub text_bytes: usize,
    /// Blocks (paragraphs and headings) in the document.
    pub blocks: usize,
    /// Parts that an archive may list.
    pub entries: usize,
    /// Open elements inside each other.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked_bytes: 256 << 20,
            token_bytes: 16 << 20,
            text_bytes: 48 << 20,
            blocks: 500_000,
            entries: 20_000,
            depth: 256,
        }
    }
}
