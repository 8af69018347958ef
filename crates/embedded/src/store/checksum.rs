//! The checksums of a body: those that the uploader declared are compared before the object becomes visible.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use s3s::{
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256},
};

use super::record::Checksums;

/// Says which declaration the body does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    #[error("the body has not the declared length")]
    Length,
    #[error("the body has not the declared {0}")]
    Digest(&'static str),
}

/// What the uploader declared about the body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    pub(crate) length: u64,
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) checksums: Checksums,
}

/// Computes the entity tag and the wanted checksums in one pass.
pub(crate) struct Digests {
    md5: Md5,
    wanted: ChecksumHasher,
}

/// What a body turned out to be.
pub(crate) struct Digested {
    pub(crate) md5: [u8; 16],
    pub(crate) checksums: Checksums,
}

impl Digests {
    /// Prepares the checksums that `wanted` names with `Some` of anything.
    pub(crate) fn new(wanted: &Checksums) -> Self {
        let wanted = ChecksumHasher {
            crc32: wanted.crc32.as_ref().map(|_| Crc32::new()),
            crc32c: wanted.crc32c.as_ref().map(|_| Crc32c::new()),
            sha1: wanted.sha1.as_ref().map(|_| Sha1::new()),
            sha256: wanted.sha256.as_ref().map(|_| Sha256::new()),
            crc64nvme: wanted.crc64nvme.as_ref().map(|_| Crc64Nvme::new()),
        };
        Self { md5: Md5::new(), wanted }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.wanted.update(bytes);
    }

    pub(crate) fn finish(self) -> Digested {
        let computed = self.wanted.finalize();
        Digested {
            md5: self.md5.finalize(),
            checksums: Checksums {
                crc32: computed.checksum_crc32,
                crc32c: computed.checksum_crc32c,
                crc64nvme: computed.checksum_crc64nvme,
                sha1: computed.checksum_sha1,
                sha256: computed.checksum_sha256,
            },
        }
    }
}

impl Digested {
    /// Compares the body with what was declared of it; an empty checksum declares nothing.
    pub(crate) fn verify(&self, declared: &Declared) -> Result<(), Mismatch> {
        if declared.md5.is_some_and(|md5| md5 != self.md5) {
            return Err(Mismatch::Digest("Content-MD5"));
        }
        let (want, have) = (&declared.checksums, &self.checksums);
        let pairs = [
            ("CRC32", &want.crc32, &have.crc32),
            ("CRC32C", &want.crc32c, &have.crc32c),
            ("CRC64NVME", &want.crc64nvme, &have.crc64nvme),
            ("SHA1", &want.sha1, &have.sha1),
            ("SHA256", &want.sha256, &have.sha256),
        ];
        for (name, want, have) in pairs {
            if want.as_ref().is_some_and(|want| !want.is_empty() && Some(want) != have.as_ref()) {
                return Err(Mismatch::Digest(name));
            }
        }
        Ok(())
    }
}

/// Reads a `Content-MD5` header.
pub(crate) fn parse_md5(header: &str) -> Option<[u8; 16]> {
    BASE64_STANDARD.decode(header).ok()?.try_into().ok()
}

/// Tells whether every given checksum has the form of one.
pub(crate) fn well_formed(given: &Checksums) -> bool {
    [(&given.crc32, 4), (&given.crc32c, 4), (&given.crc64nvme, 8), (&given.sha1, 20), (&given.sha256, 32)]
        .into_iter()
        .all(|(text, length)| {
            text.as_ref().is_none_or(|text| BASE64_STANDARD.decode(text).is_ok_and(|raw| raw.len() == length))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Checksums {
        let text = Some(text.to_owned());
        Checksums {
            crc32: text.clone(),
            crc32c: text.clone(),
            crc64nvme: text.clone(),
            sha1: text.clone(),
            sha256: text,
        }
    }

    fn digested(body: &[u8]) -> Digested {
        let mut digests = Digests::new(&all(""));
        for piece in body.chunks(3) {
            digests.update(piece);
        }
        digests.finish()
    }

    /// The published check values of the text `123456789`.
    #[test]
    fn the_algorithms_are_the_ones_of_s3() {
        let digested = digested(b"123456789");
        let hex_of =
            |text: &Option<String>| hex::encode(BASE64_STANDARD.decode(text.as_ref().unwrap()).unwrap());
        assert_eq!(hex::encode(digested.md5), "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(hex_of(&digested.checksums.crc32), "cbf43926");
        assert_eq!(hex_of(&digested.checksums.crc32c), "e3069283");
        assert_eq!(hex_of(&digested.checksums.crc64nvme), "ae8b14860a799888");
        assert_eq!(hex_of(&digested.checksums.sha1), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        assert!(
            hex_of(&digested.checksums.sha256)
                .starts_with("15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225")
        );
    }

    #[test]
    fn each_declaration_is_compared() {
        let (right, wrong) = (digested(b"right"), digested(b"wrong"));
        let declared = |md5, checksums| Declared { length: 5, md5, checksums };
        assert_eq!(right.verify(&declared(Some(right.md5), right.checksums.clone())), Ok(()));
        assert_eq!(right.verify(&declared(None, Checksums::default())), Ok(()));
        assert!(right.verify(&declared(Some(wrong.md5), Checksums::default())).is_err());
        let w = &wrong.checksums;
        for checksums in [
            Checksums { crc32: w.crc32.clone(), ..Checksums::default() },
            Checksums { crc32c: w.crc32c.clone(), ..Checksums::default() },
            Checksums { crc64nvme: w.crc64nvme.clone(), ..Checksums::default() },
            Checksums { sha1: w.sha1.clone(), ..Checksums::default() },
            Checksums { sha256: w.sha256.clone(), ..Checksums::default() },
        ] {
            assert!(well_formed(&checksums));
            assert!(right.verify(&declared(None, checksums)).is_err());
        }
    }

    #[test]
    fn a_checksum_of_the_wrong_length_or_alphabet_is_refused() {
        assert!(!well_formed(&Checksums { sha256: Some("AAAA".into()), ..Checksums::default() }));
        assert!(!well_formed(&Checksums { crc32: Some("!!!!!!==".into()), ..Checksums::default() }));
        assert_eq!(parse_md5("AAAA"), None);
    }
}
