//! `PutObject`.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, StatusCode};
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result, StdError, TrailingHeaders,
    dto::{
        ChecksumAlgorithm, ChecksumType, ETag, ObjectCannedACL, PutObjectInput, PutObjectOutput,
        StorageClass, StreamingBlob, TimestampFormat,
    },
    s3_error,
};

use super::{Operations, error};
use crate::store::{
    checksum::{self, Declared, Digested},
    condition::WriteCondition,
    error::blocking,
    key::Key,
    record::{BLOCK, Checksums, Metadata},
    server::BodyFault,
    turn::Superseded,
    upload::Upload,
};

/// S3's limit on the names and values of user metadata together.
const USER_METADATA_MAX: usize = 2048;

impl Operations {
    pub(super) async fn put(
        &self,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        self.admit(&request, &request.input.bucket)?;
        refuse_unsupported(&request.input)?;
        let input = &request.input;
        let key = Key::parse(&input.key).map_err(|error| error::of_store(error.into(), None, ""))?;
        let mut declared = declared(input, self.0.0.limits.object)?;
        let metadata = metadata(input, self.0.0.clock.now().as_millisecond())?;
        let condition =
            WriteCondition { if_match: input.if_match.clone(), if_none_match: input.if_none_match.clone() };
        let body = request.input.body.take();

        let fail = |error| error::of_store(error, request.extensions.get(), key.as_str());
        let (folder, wanted) = (self.0.0.tree.temporary(), declared.checksums.clone());
        let turn = self.0.0.turns.begin(&key).await.map_err(|Superseded| superseded())?;
        let newer = turn.superseded();
        let upload = blocking(move || Upload::create(folder, &wanted, Some(turn))).await.map_err(fail)?;
        let received = tokio::select! {
            biased;
            () = newer.cancelled() => Err(superseded()),
            received = self.receive(upload, body, declared.length, &request) => received,
        };
        let upload = received?;
        if let Some(trailers) = &request.trailing_headers {
            add_trailers(&mut declared.checksums, trailers, &request.headers)?;
        }

        let store = self.0.clone();
        let placed = key.clone();
        let metadata = blocking(move || {
            let (file, metadata) = upload.finish(&declared, |digested| complete(metadata, digested))?;
            store.0.tree.commit(&placed, file, &condition)?;
            Ok(metadata)
        });
        Ok(S3Response::new(output(metadata.await.map_err(fail)?)))
    }

    /// Writes the body to the upload in pieces of about a block, so that memory does not grow with it.
    async fn receive<I>(
        &self,
        mut upload: Upload,
        body: Option<StreamingBlob>,
        length: u64,
        request: &S3Request<I>,
    ) -> S3Result<Upload> {
        let Some(mut body) = body else { return Ok(upload) };
        let mut pieces: Vec<Bytes> = Vec::new();
        let (mut held, mut received) = (0, 0);
        loop {
            let piece = body.next().await.transpose();
            let piece =
                piece.map_err(|cause| broken_body(&cause, request.extensions.get::<Arc<BodyFault>>()))?;
            let ended = piece.is_none();
            if let Some(piece) = piece {
                held += piece.len();
                received += piece.len() as u64;
                pieces.push(piece);
            }
            if received > length {
                return Err(s3_error!(IncompleteBody, "the body is longer than declared"));
            }
            if held >= BLOCK || (ended && held > 0) {
                let full = std::mem::take(&mut pieces);
                held = 0;
                let written = blocking(move || {
                    upload.write(&full)?;
                    Ok(upload)
                });
                upload =
                    written.await.map_err(|error| error::of_store(error, request.extensions.get(), ""))?;
            }
            if ended {
                return Ok(upload);
            }
        }
    }
}

fn superseded() -> S3Error {
    s3_error!(OperationAborted, "another upload of the same key has begun since")
}

/// Says what is wrong with a body that ended in an error. `s3s` keeps the types of its own errors to itself.
fn broken_body(cause: &StdError, fault: Option<&Arc<BodyFault>>) -> S3Error {
    match fault.map(|fault| fault.get()) {
        Some(BodyFault::IDLE) => return s3_error!(RequestTimeout),
        Some(BodyFault::BROKEN) => return s3_error!(IncompleteBody),
        _ => {}
    }
    let text = cause.to_string();
    if text.contains("Sha256Mismatch") {
        let mut error = S3Error::new(S3ErrorCode::Custom("XAmzContentSHA256Mismatch".into()));
        error.set_status_code(StatusCode::BAD_REQUEST);
        return error;
    }
    if text.contains("SignatureMismatch") {
        return s3_error!(SignatureDoesNotMatch);
    }
    s3_error!(IncompleteBody, "the body is not framed as declared")
}

/// Refuses what would otherwise be dropped in silence.
fn refuse_unsupported(input: &PutObjectInput) -> S3Result<()> {
    let foreign = [
        ("grants", input.grant_full_control.is_some() || input.grant_read.is_some()),
        ("grants", input.grant_read_acp.is_some() || input.grant_write_acp.is_some()),
        ("ACLs", input.acl.as_ref().is_some_and(|acl| acl.as_str() != ObjectCannedACL::PRIVATE)),
        ("encryption", input.server_side_encryption.is_some() || input.sse_customer_algorithm.is_some()),
        ("encryption", input.sse_customer_key.is_some() || input.ssekms_key_id.is_some()),
        ("object lock", input.object_lock_mode.is_some() || input.object_lock_legal_hold_status.is_some()),
        ("object lock", input.object_lock_retain_until_date.is_some()),
        (
            "storage classes",
            input.storage_class.as_ref().is_some_and(|class| class.as_str() != StorageClass::STANDARD),
        ),
        ("tags", input.tagging.is_some()),
        ("redirects", input.website_redirect_location.is_some()),
        ("appending", input.write_offset_bytes.is_some()),
    ];
    match foreign.into_iter().find(|(_, present)| *present) {
        Some((what, _)) => Err(s3_error!(NotImplemented, "{what} are not supported")),
        None => Ok(()),
    }
}

fn declared(input: &PutObjectInput, limit: u64) -> S3Result<Declared> {
    let length = input.content_length.and_then(|length| u64::try_from(length).ok());
    let length = length.ok_or_else(|| s3_error!(MissingContentLength))?;
    if length > limit {
        return Err(s3_error!(EntityTooLarge));
    }
    let md5 = match &input.content_md5 {
        Some(header) => Some(checksum::parse_md5(header).ok_or_else(|| s3_error!(InvalidDigest))?),
        None => None,
    };
    let mut checksums = Checksums {
        crc32: input.checksum_crc32.clone(),
        crc32c: input.checksum_crc32c.clone(),
        crc64nvme: input.checksum_crc64nvme.clone(),
        sha1: input.checksum_sha1.clone(),
        sha256: input.checksum_sha256.clone(),
    };
    if !checksum::well_formed(&checksums) {
        return Err(s3_error!(InvalidRequest, "a checksum is not valid base64 of its length"));
    }
    // The value itself follows the body.
    let announced = match input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str) {
        Some(ChecksumAlgorithm::CRC32) => Some(&mut checksums.crc32),
        Some(ChecksumAlgorithm::CRC32C) => Some(&mut checksums.crc32c),
        Some(ChecksumAlgorithm::CRC64NVME) => Some(&mut checksums.crc64nvme),
        Some(ChecksumAlgorithm::SHA1) => Some(&mut checksums.sha1),
        Some(ChecksumAlgorithm::SHA256) => Some(&mut checksums.sha256),
        Some(_) => return Err(s3_error!(InvalidRequest, "the checksum algorithm is not supported")),
        None => None,
    };
    if let Some(announced) = announced {
        announced.get_or_insert_default();
    }
    Ok(Declared { length, md5, checksums })
}

/// Adds the checksums that came behind the body: the announced ones and no others, for only those were computed.
fn add_trailers(
    checksums: &mut Checksums,
    trailers: &TrailingHeaders,
    announced: &HeaderMap,
) -> S3Result<()> {
    let headers = trailers.take().unwrap_or_default();
    let announced = |name: &str| {
        let lists = announced.get_all("x-amz-trailer").iter().filter_map(|value| value.to_str().ok());
        lists.flat_map(|list| list.split(',')).any(|one| one.trim().eq_ignore_ascii_case(name))
    };
    let slots = [
        ("x-amz-checksum-crc32", &mut checksums.crc32),
        ("x-amz-checksum-crc32c", &mut checksums.crc32c),
        ("x-amz-checksum-crc64nvme", &mut checksums.crc64nvme),
        ("x-amz-checksum-sha1", &mut checksums.sha1),
        ("x-amz-checksum-sha256", &mut checksums.sha256),
    ];
    for (name, slot) in slots {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty());
        match (announced(name), value, slot) {
            (false, None, _) => {}
            (true, Some(value), Some(known)) if known.is_empty() || known == value => value.clone_into(known),
            _ => {
                return Err(s3_error!(InvalidRequest, "the trailing checksums are not the announced ones"));
            }
        }
    }
    Ok(())
}

fn metadata(input: &PutObjectInput, modified: i64) -> S3Result<Metadata> {
    let user: std::collections::BTreeMap<_, _> =
        input.metadata.iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    if user.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > USER_METADATA_MAX {
        return Err(s3_error!(MetadataTooLarge));
    }
    let expires = match &input.expires {
        Some(expires) => {
            let mut text = Vec::new();
            expires.format(TimestampFormat::HttpDate, &mut text).map_err(|_| s3_error!(InvalidArgument))?;
            String::from_utf8(text).ok()
        }
        None => None,
    };
    Ok(Metadata {
        key: input.key.clone(),
        modified,
        content_type: input.content_type.clone(),
        content_disposition: input.content_disposition.clone(),
        content_encoding: input.content_encoding.as_deref().and_then(stored_encoding),
        content_language: input.content_language.clone(),
        cache_control: input.cache_control.clone(),
        expires,
        user,
        ..Metadata::default()
    })
}

/// Drops `aws-chunked`, which is the request's encoding and not the object's.
fn stored_encoding(header: &str) -> Option<String> {
    let kept: Vec<_> =
        header.split(',').map(str::trim).filter(|one| *one != "aws-chunked" && !one.is_empty()).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

fn complete(metadata: Metadata, digested: &Digested) -> Metadata {
    Metadata { etag: hex::encode(digested.md5), checksums: digested.checksums.clone(), ..metadata }
}

fn output(metadata: Metadata) -> PutObjectOutput {
    let checksums = metadata.checksums;
    PutObjectOutput {
        e_tag: Some(ETag::Strong(metadata.etag)),
        checksum_type: (checksums != Checksums::default())
            .then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
        checksum_crc32: checksums.crc32,
        checksum_crc32c: checksums.crc32c,
        checksum_crc64nvme: checksums.crc64nvme,
        checksum_sha1: checksums.sha1,
        checksum_sha256: checksums.sha256,
        ..PutObjectOutput::default()
    }
}
