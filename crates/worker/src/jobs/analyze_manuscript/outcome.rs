//! What is stored of an analysis: its result or its problem, as the API shows them.

use novelfoundry_core::ProblemCode;
use novelfoundry_manuscript::{Analysis, ExtractError, Warning};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{blocking::BlockingError, jobs::JobError};

/// Why there is no result, in a stable code and a sentence for the writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The revision's file was never confirmed.
    NotStored,
    /// The file is not the declared one.
    Mismatch,
    /// The file cannot be read.
    Extract(ExtractError),
    /// It took too long.
    TooSlow,
    /// The fault is ours.
    Internal,
}

impl Problem {
    /// Names what a job that failed for good shows to the writer.
    pub(super) const fn of(error: &JobError) -> Self {
        match error {
            JobError::Text(BlockingError::TimedOut) => Self::TooSlow,
            _ => Self::Internal,
        }
    }

    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::NotStored => ProblemCode::RevisionNotStored.definition().code,
            Self::Mismatch => ProblemCode::UploadMismatch.definition().code,
            Self::Extract(error) => error.code(),
            Self::TooSlow => "analysis-timeout",
            Self::Internal => ProblemCode::Internal.definition().code,
        }
    }

    fn detail(self) -> String {
        match self {
            Self::NotStored => "The file was not uploaded completely. Upload it again.".to_owned(),
            Self::Mismatch => {
                "The stored file differs from the one that was announced in size or checksum. Upload it again."
                    .to_owned()
            }
            Self::Extract(error) => error.to_string(),
            Self::TooSlow => "Reading the file took too long. Save it anew, or split it, and upload that.".to_owned(),
            Self::Internal => {
                "Something went wrong on the server; the file is safe. The operator has been told.".to_owned()
            }
        }
    }

    pub(super) fn to_json(self) -> Value {
        json!({"code": self.code(), "detail": self.detail()})
    }
}

/// Returns the result as it is stored.
pub(super) fn result(analysis: &Analysis) -> Result<Value, JobError> {
    /// A warning with its sentence for the writer.
    #[derive(Serialize)]
    struct Worded {
        #[serde(flatten)]
        warning: Warning,
        message: String,
    }

    let mut result = serde_json::to_value(analysis).map_err(JobError::Result)?;
    let warnings: Vec<_> =
        analysis.warnings.iter().map(|&warning| Worded { warning, message: warning.message() }).collect();
    result["warnings"] = serde_json::to_value(warnings).map_err(JobError::Result)?;
    replace_nul(&mut result);
    Ok(result)
}

/// Replaces the one character that PostgreSQL's JSON cannot hold.
fn replace_nul(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = text.replace('\0', "\u{fffd}"),
        Value::Array(items) => items.iter_mut().for_each(replace_nul),
        Value::Object(members) => members.values_mut().for_each(replace_nul),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use novelfoundry_manuscript::Chapter;
    use proptest::prelude::*;

    use super::*;

    fn analysis(titles: Vec<String>) -> Analysis {
        Analysis {
            words: 12,
            sentences: 3,
            paragraphs: 2,
            chapters: titles.into_iter().map(|title| Chapter { title, words: 6 }).collect(),
            front_matter_words: 0,
            reading_time_seconds: 3,
            warnings: vec![Warning::InvalidBytesReplaced { count: 2 }],
        }
    }

    proptest! {
        #[test]
        fn whatever_the_titles_hold_the_result_can_be_stored(
            titles in proptest::collection::vec(proptest::collection::vec(any::<char>(), 0..12), 0..6),
            nul in any::<bool>(),
        ) {
            let titles: Vec<String> = titles
                .into_iter()
                .map(|title| title.into_iter().chain(nul.then_some('\0')).collect())
                .collect();
            let stored = result(&analysis(titles.clone())).unwrap();
            prop_assert!(!stored.to_string().contains("\\u0000"));
            prop_assert_eq!(stored["chapters"].as_array().unwrap().len(), titles.len());
            for (chapter, title) in stored["chapters"].as_array().unwrap().iter().zip(&titles) {
                let kept = chapter["title"].as_str().unwrap();
                prop_assert_eq!(kept.chars().count(), title.chars().count());
            }
        }
    }

    #[test]
    fn the_result_has_the_documented_shape() {
        assert_eq!(
            result(&analysis(vec!["One".into()])).unwrap(),
            json!({
                "words": 12, "sentences": 3, "paragraphs": 2, "chapters": [{"title": "One", "words": 6}],
                "front_matter_words": 0, "reading_time_seconds": 3,
                "warnings": [{
                    "code": "invalid-bytes-replaced", "count": 2,
                    "message": Warning::InvalidBytesReplaced { count: 2 }.message(),
                }],
            })
        );
    }

    #[test]
    fn problems_have_a_code_and_a_sentence() {
        let extract = ExtractError::ALL.iter().copied().map(Problem::Extract);
        for problem in [Problem::NotStored, Problem::Mismatch, Problem::TooSlow, Problem::Internal]
            .into_iter()
            .chain(extract)
        {
            let code = problem.code();
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
            assert!(problem.to_json()["detail"].as_str().unwrap().ends_with('.'), "{code}");
        }
    }
}
