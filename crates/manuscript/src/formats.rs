//! One module a format: its bytes in, a document out.

pub(crate) mod docx;
mod encoding;
pub(crate) mod markdown;
pub(crate) mod text;
mod xml;

use crate::ExtractError;

/// The signature of an OLE compound file: old Office formats, and the wrapper of encrypted new ones.
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

pub(crate) fn is_ole(bytes: &[u8]) -> bool {
    bytes.starts_with(OLE)
}

/// Tells an encrypted document from an old binary one by the stream that holds the encrypted package.
pub(crate) fn ole_refusal(bytes: &[u8]) -> ExtractError {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    // Directory entries are 128 bytes and start their sector, so the name stands on such a boundary.
    let encrypted = bytes.chunks_exact(128).any(|entry| entry.starts_with(&name));
    if encrypted { ExtractError::PasswordProtected } else { ExtractError::UnsupportedType }
}
