//! `GetObject` and `HeadObject`.

use s3s::{
    S3Error, S3Request, S3Response, S3Result,
    dto::{
        ChecksumMode, ChecksumType, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
        Range, StreamingBlob, Timestamp, TimestampFormat,
    },
    s3_error,
};

use super::{Operations, error};
use crate::store::{
    condition::{ReadCondition, timestamp},
    error::{StoreError, blocking},
    key::Key,
    object::{Data, Object},
    record::{Checksums, Metadata},
};

impl Operations {
    pub(super) async fn get(
        &self,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        self.admit(&request, &request.input.bucket)?;
        let input = &request.input;
        refuse_unsupported(
            input.part_number.is_some(),
            input.version_id.is_some(),
            input.sse_customer_key.is_some(),
        )?;
        let condition = ReadCondition {
            if_match: input.if_match.clone(),
            if_none_match: input.if_none_match.clone(),
            if_modified_since: input.if_modified_since.clone(),
            if_unmodified_since: input.if_unmodified_since.clone(),
        };
        let object = self.open(&request, &input.key, condition).await?;
        let length = object.length();
        let range = satisfied(input.range, length)?;
        let metadata = object.metadata.clone();
        let bytes = range.clone().unwrap_or(0..length);
        let content_length = bytes.end - bytes.start;
        let data = blocking(move || Data::open(object, bytes)).await;
        let data = data.map_err(|error| error::of_store(error, request.extensions.get(), &input.key))?;

        // The checksums are the whole object's.
        let shown = range.is_none() && wants_checksums(input.checksum_mode.as_ref());
        let checksums = if shown { metadata.checksums.clone() } else { Checksums::default() };
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            body: Some(StreamingBlob::new(data)),
            content_length: i64::try_from(content_length).ok(),
            content_range: range.map(|range| format!("bytes {}-{}/{length}", range.start, range.end - 1)),
            content_type: Some(content_type(&metadata)),
            content_disposition: metadata.content_disposition.clone(),
            content_encoding: metadata.content_encoding.clone(),
            content_language: metadata.content_language.clone(),
            cache_control: metadata.cache_control.clone(),
            expires: expires(&metadata),
            last_modified: Some(timestamp(metadata.modified)),
            e_tag: Some(ETag::Strong(metadata.etag)),
            metadata: (!metadata.user.is_empty()).then(|| metadata.user.into_iter().collect()),
            checksum_type: checksum_type(&checksums),
            checksum_crc32: checksums.crc32,
            checksum_crc32c: checksums.crc32c,
            checksum_crc64nvme: checksums.crc64nvme,
            checksum_sha1: checksums.sha1,
            checksum_sha256: checksums.sha256,
            ..GetObjectOutput::default()
        }))
    }

    pub(super) async fn head(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.admit(&request, &request.input.bucket)?;
        let input = &request.input;
        refuse_unsupported(
            input.part_number.is_some(),
            input.version_id.is_some(),
            input.sse_customer_key.is_some(),
        )?;
        let condition = ReadCondition {
            if_match: input.if_match.clone(),
            if_none_match: input.if_none_match.clone(),
            if_modified_since: input.if_modified_since.clone(),
            if_unmodified_since: input.if_unmodified_since.clone(),
        };
        let object = self.open(&request, &input.key, condition).await?;
        let length = object.length();
        let metadata = object.metadata;
        let shown = wants_checksums(input.checksum_mode.as_ref());
        let checksums = if shown { metadata.checksums.clone() } else { Checksums::default() };
        // RFC 9110 gives a range a meaning for GET only, so a HEAD tells of the whole object.
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: i64::try_from(length).ok(),
            content_type: Some(content_type(&metadata)),
            content_disposition: metadata.content_disposition.clone(),
            content_encoding: metadata.content_encoding.clone(),
            content_language: metadata.content_language.clone(),
            cache_control: metadata.cache_control.clone(),
            expires: expires(&metadata),
            last_modified: Some(timestamp(metadata.modified)),
            e_tag: Some(ETag::Strong(metadata.etag)),
            metadata: (!metadata.user.is_empty()).then(|| metadata.user.into_iter().collect()),
            checksum_type: checksum_type(&checksums),
            checksum_crc32: checksums.crc32,
            checksum_crc32c: checksums.crc32c,
            checksum_crc64nvme: checksums.crc64nvme,
            checksum_sha1: checksums.sha1,
            checksum_sha256: checksums.sha256,
            ..HeadObjectOutput::default()
        }))
    }

    async fn open<I>(&self, request: &S3Request<I>, key: &str, condition: ReadCondition) -> S3Result<Object> {
        let wanted = key.to_owned();
        let object = self.on_tree(request, key, move |tree| tree.open(&Key::parse(&wanted)?)).await?;
        match condition.check(&object.metadata) {
            Ok(()) => Ok(object),
            Err(StoreError::NotModified) => Err(error::not_modified(&object.metadata.etag)),
            Err(error) => Err(error::of_store(error, request.extensions.get(), key)),
        }
    }
}

/// Refuses what would otherwise be dropped in silence.
fn refuse_unsupported(part: bool, version: bool, encryption: bool) -> S3Result<()> {
    if part || version || encryption {
        return Err(s3_error!(NotImplemented, "part numbers, versions and encryption are not supported"));
    }
    Ok(())
}

/// Returns the bytes that a range names, or `None` where all are wanted.
fn satisfied(range: Option<Range>, length: u64) -> Result<Option<std::ops::Range<u64>>, S3Error> {
    let Some(range) = range else { return Ok(None) };
    match range.check(length) {
        Ok(bytes) if !bytes.is_empty() => Ok(Some(bytes)),
        _ => Err(error::unsatisfiable_range(length)),
    }
}

fn wants_checksums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

fn content_type(metadata: &Metadata) -> String {
    metadata.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned())
}

fn expires(metadata: &Metadata) -> Option<Timestamp> {
    Timestamp::parse(TimestampFormat::HttpDate, metadata.expires.as_deref()?).ok()
}

fn checksum_type(checksums: &Checksums) -> Option<ChecksumType> {
    (*checksums != Checksums::default()).then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT))
}
