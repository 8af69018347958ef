//! The preconditions of RFC 9110, section 13, for reading and for writing.

use s3s::dto::{ETag, ETagCondition, Timestamp};

use super::{error::StoreError, record::Metadata};

/// The conditions of a write; none by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct WriteCondition {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
}

impl WriteCondition {
    /// Tells whether the present object need not be looked at.
    pub(crate) fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Compares with the present object, if there is one.
    pub(crate) fn check(&self, present: Option<&Metadata>) -> Result<(), StoreError> {
        if let Some(wanted) = &self.if_match {
            match present {
                None => return Err(StoreError::NoSuchKey),
                Some(present) if !names(wanted, present, true) => return Err(StoreError::Precondition),
                Some(_) => {}
            }
        }
        match (&self.if_none_match, present) {
            (Some(unwanted), Some(present)) if names(unwanted, present, false) => {
                Err(StoreError::Precondition)
            }
            _ => Ok(()),
        }
    }
}

/// The conditions of a read; none by default.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the names of the headers")]
pub(crate) struct ReadCondition {
    pub(crate) if_match: Option<ETagCondition>,
    pub(crate) if_none_match: Option<ETagCondition>,
    pub(crate) if_modified_since: Option<Timestamp>,
    pub(crate) if_unmodified_since: Option<Timestamp>,
}

impl ReadCondition {
    /// Compares with the object; an entity tag outweighs a date.
    pub(crate) fn check(&self, object: &Metadata) -> Result<(), StoreError> {
        // HTTP dates have whole seconds.
        let modified = timestamp(object.modified - object.modified.rem_euclid(1000));
        let fails = match (&self.if_match, &self.if_unmodified_since) {
            (Some(wanted), _) => !names(wanted, object, true),
            (None, Some(since)) => modified > *since,
            (None, None) => false,
        };
        if fails {
            return Err(StoreError::Precondition);
        }
        let unmodified = match (&self.if_none_match, &self.if_modified_since) {
            (Some(known), _) => names(known, object, false),
            (None, Some(since)) => modified <= *since,
            (None, None) => false,
        };
        if unmodified { Err(StoreError::NotModified) } else { Ok(()) }
    }
}

fn names(condition: &ETagCondition, object: &Metadata, strong: bool) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => {
            let own = ETag::Strong(object.etag.clone());
            if strong { tag.strong_cmp(&own) } else { tag.weak_cmp(&own) }
        }
    }
}

/// Converts milliseconds since the epoch; what lies before it is the epoch.
pub(crate) fn timestamp(milliseconds: i64) -> Timestamp {
    let since = std::time::Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    std::time::UNIX_EPOCH.checked_add(since).unwrap_or(std::time::UNIX_EPOCH).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Metadata {
        Metadata { etag: "e1".into(), modified: 1_000_500, ..Metadata::default() }
    }

    fn strong(value: &str) -> ETagCondition {
        ETagCondition::ETag(ETag::Strong(value.into()))
    }

    #[test]
    fn writes() {
        let any = Some(ETagCondition::Any);
        let write =
            |if_match: &Option<ETagCondition>, if_none_match: &Option<ETagCondition>, present: bool| {
                let condition =
                    WriteCondition { if_match: if_match.clone(), if_none_match: if_none_match.clone() };
                condition.check(present.then(object).as_ref()).map_err(|error| error.to_string())
            };
        assert!(write(&None, &None, true).is_ok() && write(&None, &None, false).is_ok());
        assert!(write(&Some(strong("e1")), &None, true).is_ok());
        assert!(write(&Some(strong("e2")), &None, true).is_err());
        assert!(write(&any, &None, true).is_ok());
        assert!(write(&any, &None, false).is_err());
        assert!(write(&None, &any, true).is_err());
        assert!(write(&None, &any, false).is_ok());
        assert!(write(&None, &Some(strong("e1")), true).is_err());
        assert!(write(&None, &Some(strong("e2")), true).is_ok());
    }

    #[test]
    fn reads() {
        let none = ReadCondition::default();
        let is = |condition: &ReadCondition| match condition.check(&object()) {
            Ok(()) => 200,
            Err(StoreError::NotModified) => 304,
            Err(_) => 412,
        };
        // Last-Modified is shown as second 1000.
        let (before, exactly) = (Some(timestamp(999_000)), Some(timestamp(1_000_000)));
        assert_eq!(is(&none), 200);
        assert_eq!(is(&ReadCondition { if_match: Some(strong("e2")), ..none.clone() }), 412);
        assert_eq!(is(&ReadCondition { if_none_match: Some(strong("e1")), ..none.clone() }), 304);
        assert_eq!(
            is(&ReadCondition {
                if_none_match: Some(ETagCondition::ETag(ETag::Weak("e1".into()))),
                ..none.clone()
            }),
            304
        );
        assert_eq!(is(&ReadCondition { if_modified_since: exactly.clone(), ..none.clone() }), 304);
        assert_eq!(is(&ReadCondition { if_modified_since: before.clone(), ..none.clone() }), 200);
        assert_eq!(is(&ReadCondition { if_unmodified_since: before.clone(), ..none.clone() }), 412);
        assert_eq!(is(&ReadCondition { if_unmodified_since: exactly.clone(), ..none.clone() }), 200);
        assert_eq!(
            is(&ReadCondition { if_match: Some(strong("e1")), if_unmodified_since: before, ..none.clone() }),
            200
        );
        assert_eq!(
            is(&ReadCondition { if_none_match: Some(strong("e2")), if_modified_since: exactly, ..none }),
            200
        );
    }
}
