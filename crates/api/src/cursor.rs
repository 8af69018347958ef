//! Opaque cursors: where a list goes on, bound to the list that handed them out.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use novelfoundry_core::{ProblemCode, TenantId};
use novelfoundry_database::Position;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::problem::Problem;

/// What a cursor is bound to. Nothing here is secret: a forged cursor shows no more than the list itself would.
pub(crate) struct Scope<'a> {
    pub(crate) tenant: TenantId,
    pub(crate) path: &'a str,
}

impl Scope<'_> {
    fn tag(&self, position: &[u8]) -> [u8; 8] {
        let digest = Sha256::new()
            .chain_update(b"cursor 1\0")
            .chain_update(self.tenant.as_uuid().as_bytes())
            .chain_update(self.path.as_bytes())
            .chain_update(b"\0")
            .chain_update(position)
            .finalize();
        let mut tag = [0; 8];
        tag.copy_from_slice(&digest[..8]);
        tag
    }

    pub(crate) fn encode(&self, position: Position) -> String {
        let mut bytes = [0_u8; 32];
        bytes[..8].copy_from_slice(&position.created_at.as_microsecond().to_be_bytes());
        bytes[8..24].copy_from_slice(position.id.as_bytes());
        let tag = self.tag(&bytes[..24]);
        bytes[24..].copy_from_slice(&tag);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn decode(&self, text: &str) -> Result<Position, Problem> {
        self.read(text).ok_or_else(|| Problem::new(ProblemCode::InvalidCursor))
    }

    fn read(&self, text: &str) -> Option<Position> {
        let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        if self.tag(&bytes[..24]) != bytes[24..] {
            return None;
        }
        let micros = i64::from_be_bytes(bytes[..8].try_into().ok()?);
        // Nothing was created before 1970; a forged time must stay within what the database can compare with.
        let micros = Some(micros).filter(|micros| *micros >= 0)?;
        Some(Position {
            created_at: Timestamp::from_microsecond(micros).ok()?,
            id: Uuid::from_slice(&bytes[8..24]).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_continues_only_its_own_list() {
        let tenant = TenantId::from_uuid(Uuid::from_u128(7));
        let scope = Scope { tenant, path: "/v1/projects" };
        let position = Position {
            created_at: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
            id: Uuid::from_u128(9),
        };
        let text = scope.encode(position);
        assert_eq!(scope.decode(&text).unwrap(), position);
        let other = Scope { tenant: TenantId::from_uuid(Uuid::from_u128(8)), path: "/v1/projects" };
        assert!(other.decode(&text).is_err());
        assert!(Scope { tenant, path: "/v1/x" }.decode(&text).is_err());
        let ancient = Position { created_at: Timestamp::MIN, id: Uuid::from_u128(9) };
        assert!(scope.decode(&scope.encode(ancient)).is_err());
        for garbled in ["", "x", &text[1..], "é"] {
            assert!(scope.decode(garbled).is_err(), "{garbled}");
        }
    }
}
