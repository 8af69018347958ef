//! The on-disk form of an object: data and metadata in one file, so that one rename replaces both at once.
//!
//! ```text
//! data      data_length bytes
//! table     one CRC-32C (4 bytes, little-endian) for each BLOCK of data, the last may be short
//! metadata  metadata_length bytes of JSON
//! footer    60 bytes, little-endian:
//!             0  data_length      u64
//!             8  metadata_length  u32
//!            12  block            u32   bytes of a block
//!            16  version          u32   1
//!            20  SHA-256 of the metadata and the first 20 bytes of the footer
//!            52  magic            "NFOBJECT"
//! ```
//!
//! The footer comes last because it holds what is known last; a file cut short therefore has none. A HEAD reads the
//! end of the file only, a ranged GET seeks to its block, and no byte leaves before its block's checksum was compared.

use std::collections::BTreeMap;

use s3s::crypto::{Checksum as _, Crc32c};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The unit of checking and of reading.
pub(crate) const BLOCK: usize = 256 * 1024;
/// The length of the footer.
pub(crate) const FOOTER: usize = 60;
/// The longest metadata a reader accepts.
pub(crate) const METADATA_MAX: u32 = 64 * 1024;

const MAGIC: &[u8; 8] = b"NFOBJECT";
const VERSION: u32 = 1;

/// Says how a file fails to be an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Corruption {
    #[error("the file is shorter than an object's footer")]
    Short,
    #[error("the file does not end as an object")]
    Magic,
    #[error("the object has an unknown version or block size")]
    Version,
    #[error("the lengths in the footer do not add up to the file's")]
    Length,
    #[error("the metadata does not have its checksum")]
    Metadata,
    #[error("the metadata cannot be read")]
    Json,
    #[error("the object belongs to another key")]
    Key,
    #[error("a block of data does not have its checksum")]
    Data,
    #[error("the entry is not a regular file")]
    Kind,
}

/// What is known of an object beside its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) key: String,
    /// Milliseconds since the epoch.
    pub(crate) modified: i64,
    /// Without quotes.
    pub(crate) etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    /// As an HTTP date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) user: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) checksums: Checksums,
}

/// The checksums that the uploader gave and the store verified, in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksums {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) crc32: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) crc32c: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) crc64nvme: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha1: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
}

/// The parsed footer of a file of known length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) data_length: u64,
    pub(crate) metadata_length: u32,
    head: [u8; 20],
    digest: [u8; 32],
}

impl Footer {
    /// Reads the footer of a file that is `file_length` bytes long.
    pub(crate) fn parse(bytes: &[u8; FOOTER], file_length: u64) -> Result<Self, Corruption> {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if &bytes[52..] != MAGIC {
            return Err(Corruption::Magic);
        }
        if u32_at(16) != VERSION || usize::try_from(u32_at(12)) != Ok(BLOCK) {
            return Err(Corruption::Version);
        }
        let mut head = [0; 20];
        head.copy_from_slice(&bytes[..20]);
        let mut digest = [0; 32];
        digest.copy_from_slice(&bytes[20..52]);
        let data_length = u64::from(u32_at(0)) | u64::from(u32_at(4)) << 32;
        let footer = Self { data_length, metadata_length: u32_at(8), head, digest };
        let sum = table_length(data_length)
            .checked_add(data_length)
            .and_then(|sum| sum.checked_add(u64::from(footer.metadata_length) + FOOTER as u64));
        if sum != Some(file_length) || footer.metadata_length > METADATA_MAX {
            return Err(Corruption::Length);
        }
        Ok(footer)
    }

    /// Reads the metadata, comparing its checksum first.
    pub(crate) fn metadata(&self, bytes: &[u8]) -> Result<Metadata, Corruption> {
        if digest(bytes, &self.head) != self.digest {
            return Err(Corruption::Metadata);
        }
        serde_json::from_slice(bytes).map_err(|_| Corruption::Json)
    }

    /// Returns where the table begins and how long it is.
    pub(crate) fn table(&self) -> (u64, u64) {
        (self.data_length, table_length(self.data_length))
    }
}

/// Reads a table.
pub(crate) fn parse_table(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|crc| u32::from_le_bytes([crc[0], crc[1], crc[2], crc[3]])).collect()
}

/// Returns the table, metadata and footer that end the file of an object.
pub(crate) fn ending(data_length: u64, blocks: &[u32], metadata: &Metadata) -> Result<Vec<u8>, Corruption> {
    let mut bytes: Vec<u8> = blocks.iter().flat_map(|crc| crc.to_le_bytes()).collect();
    let json = serde_json::to_vec(metadata).map_err(|_| Corruption::Json)?;
    let metadata_length = u32::try_from(json.len()).ok().filter(|length| *length <= METADATA_MAX);
    let metadata_length = metadata_length.ok_or(Corruption::Length)?;
    let block = u32::try_from(BLOCK).map_err(|_| Corruption::Version)?;

    let mut head = [0_u8; 20];
    head[..8].copy_from_slice(&data_length.to_le_bytes());
    head[8..12].copy_from_slice(&metadata_length.to_le_bytes());
    head[12..16].copy_from_slice(&block.to_le_bytes());
    head[16..].copy_from_slice(&VERSION.to_le_bytes());

    bytes.extend_from_slice(&json);
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&digest(&json, &head));
    bytes.extend_from_slice(MAGIC);
    Ok(bytes)
}

/// Computes the CRC-32C of a block.
pub(crate) fn crc(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(Crc32c::checksum(bytes))
}

fn table_length(data_length: u64) -> u64 {
    data_length.div_ceil(BLOCK as u64).saturating_mul(4)
}

fn digest(metadata: &[u8], head: &[u8; 20]) -> [u8; 32] {
    Sha256::new().chain_update(metadata).chain_update(head).finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(file: &[u8]) -> Result<(u64, Vec<u32>, Metadata), Corruption> {
        let footer: &[u8; FOOTER] = file.last_chunk().ok_or(Corruption::Short)?;
        let footer = Footer::parse(footer, file.len() as u64)?;
        let at = |n: u64| usize::try_from(n).unwrap();
        let (table, length) = footer.table();
        let metadata = &file[at(table + length)..file.len() - FOOTER];
        let blocks = parse_table(&file[at(table)..at(table + length)]);
        Ok((footer.data_length, blocks, footer.metadata(metadata)?))
    }

    fn metadata() -> impl Strategy<Value = Metadata> {
        (
            any::<String>(),
            any::<i64>(),
            any::<Option<String>>(),
            prop::collection::btree_map("[a-z]{1,5}", ".{0,9}", 0..4),
        )
            .prop_map(|(key, modified, content_type, user)| Metadata {
                key,
                modified,
                content_type,
                user,
                ..Metadata::default()
            })
    }

    proptest! {
        #[test]
        fn an_object_is_read_as_written(length in 0_usize..1_200_000, metadata in metadata()) {
            let blocks: Vec<u32> = vec![0; length].chunks(BLOCK).map(crc).collect();
            let mut file = vec![0; length];
            file.extend(ending(length as u64, &blocks, &metadata).unwrap());
            prop_assert_eq!(read(&file), Ok((length as u64, blocks, metadata)));
        }

        #[test]
        fn one_flipped_bit_behind_the_data_is_noticed(metadata in metadata(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut file = ending(0, &[], &metadata).unwrap();
            let at = at.index(file.len());
            file[at] ^= 1 << bit;
            prop_assert!(read(&file).is_err());
        }

        #[test]
        fn a_file_cut_short_or_random_is_noticed(metadata in metadata(), at in any::<prop::sample::Index>(), garbage in any::<Vec<u8>>()) {
            let file = ending(0, &[], &metadata).unwrap();
            prop_assert!(read(&file[..at.index(file.len())]).is_err());
            prop_assert!(read(&garbage).is_err());
        }
    }
}
