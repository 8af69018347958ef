//! `ListObjectsV2`.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{CommonPrefix, ETag, EncodingType, ListObjectsV2Input, ListObjectsV2Output, ObjectStorageClass},
    s3_error,
};

use super::Operations;
use crate::store::{
    condition::timestamp,
    list::{self, Page, Query},
    object::Object,
};

/// The largest page, as in S3.
const PAGE_MAX: i32 = 1000;
/// Begins every continuation token, so that its form may change.
const TOKEN_VERSION: u8 = 1;

impl Operations {
    pub(super) async fn list(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.admit(&request, &request.input.bucket)?;
        let input = &request.input;
        let encode = match input.encoding_type.as_ref().map(EncodingType::as_str) {
            None => false,
            Some(EncodingType::URL) => true,
            Some(_) => return Err(s3_error!(InvalidArgument, "the encoding type is not supported")),
        };
        let max_keys = input.max_keys.unwrap_or(PAGE_MAX);
        if max_keys < 0 {
            return Err(s3_error!(InvalidArgument, "max-keys is negative"));
        }
        let max_keys = max_keys.min(PAGE_MAX);
        let from = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => parse_token(token)
                .ok_or_else(|| s3_error!(InvalidArgument, "the continuation token is not valid"))?,
            (None, Some(key)) => list::after(key),
            (None, None) => Vec::new(),
        };
        let query = Query {
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone().unwrap_or_default(),
            from,
            limit: usize::try_from(max_keys).unwrap_or(0),
        };
        let shown = query.prefix.clone();
        let page = self.on_tree(&request, &shown, move |tree| list::list(tree, &query)).await?;
        Ok(S3Response::new(output(request.input, max_keys, encode, page)))
    }
}

fn output(input: ListObjectsV2Input, max_keys: i32, encode: bool, page: Page) -> ListObjectsV2Output {
    let text = |text: &str| if encode { percent_encode(text) } else { text.to_owned() };
    let prefixes: Vec<_> =
        page.common_prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(text(prefix)) }).collect();
    let contents: Vec<_> = page.objects.into_iter().map(|object| entry(&object, &text)).collect();
    ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(text(input.prefix.as_deref().unwrap_or_default())),
        delimiter: input.delimiter.as_deref().map(text),
        start_after: input.start_after.as_deref().map(text),
        encoding_type: input.encoding_type,
        max_keys: Some(max_keys),
        key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(token),
        contents: Some(contents),
        common_prefixes: Some(prefixes),
        ..ListObjectsV2Output::default()
    }
}

fn entry(object: &Object, text: &impl Fn(&str) -> String) -> s3s::dto::Object {
    let metadata = &object.metadata;
    s3s::dto::Object {
        key: Some(text(&metadata.key)),
        size: i64::try_from(object.length()).ok(),
        e_tag: Some(ETag::Strong(metadata.etag.clone())),
        last_modified: Some(timestamp(metadata.modified)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..s3s::dto::Object::default()
    }
}

fn token(from: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode([&[TOKEN_VERSION], from].concat())
}

fn parse_token(token: &str) -> Option<Vec<u8>> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    bytes.strip_prefix(&[TOKEN_VERSION]).map(<[u8]>::to_vec)
}

/// Encodes what XML or a URL could not carry; slashes stay, as in S3's own answers.
fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}
