//! The S3 operations, between `s3s`'s types and the store. What is not here answers `NotImplemented`.

mod error;
mod get;
mod list;
mod put;

use s3s::{
    S3, S3Request, S3Response, S3Result,
    auth::{S3Auth, SecretKey},
    config::{S3Config, StaticConfigProvider},
    dto::{
        BucketLocationConstraint, DeleteObjectInput, DeleteObjectOutput, GetBucketLocationInput,
        GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
        HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput,
        PutObjectOutput,
    },
    s3_error,
    service::{S3Service, S3ServiceBuilder},
};

pub(super) use error::{RequestId, xml};

use super::{
    ObjectStore,
    condition::WriteCondition,
    error::{StoreError, blocking},
    key::Key,
    tree::Tree,
};

/// The largest XML body that is read into memory; a full batch delete of the longest keys fits.
const XML_MAX: usize = 4 << 20;

/// Builds the service that `s3s` routes verified requests to.
pub(super) fn service(store: &ObjectStore) -> S3Service {
    let mut config = S3Config::default();
    config.xml_max_body_size = XML_MAX;
    config.post_object_max_file_size = 0;
    let mut builder = S3ServiceBuilder::new(Operations(store.clone()));
    builder.set_auth(Keys(store.clone()));
    builder.set_config(std::sync::Arc::new(StaticConfigProvider::new(std::sync::Arc::new(config))));
    builder.build()
}

struct Keys(ObjectStore);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let found = self.0.0.credentials.iter().find(|known| known.access_key_id == access_key);
        found
            .map(|known| known.secret_access_key.expose().into())
            .ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }
}

struct Operations(ObjectStore);

impl Operations {
    /// Refuses what is not for this bucket, or was signed for another region or service.
    fn admit<T>(&self, request: &S3Request<T>, bucket: &str) -> S3Result<()> {
        let region = request.region.as_ref().map(s3s::region::Region::as_str);
        if request.credentials.is_none() || request.service.as_deref() != Some("s3") {
            return Err(s3_error!(AccessDenied));
        }
        if region != Some(&self.0.0.region) {
            return Err(s3_error!(
                AuthorizationHeaderMalformed,
                "the region is wrong; expecting '{}'",
                self.0.0.region
            ));
        }
        if bucket != self.0.0.bucket {
            return Err(s3_error!(NoSuchBucket));
        }
        Ok(())
    }

    /// Runs work on the tree where it may block; errors are logged with the request's id and the key.
    async fn on_tree<I, T: Send + 'static>(
        &self,
        request: &S3Request<I>,
        key: &str,
        work: impl FnOnce(&Tree) -> Result<T, StoreError> + Send + 'static,
    ) -> S3Result<T> {
        let store = self.0.clone();
        let done = blocking(move || work(&store.0.tree)).await;
        done.map_err(|error| error::of_store(error, request.extensions.get(), key))
    }
}

#[async_trait::async_trait]
impl S3 for Operations {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.put(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.get(request).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.head(request).await
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.admit(&request, &request.input.bucket)?;
        let input = &request.input;
        if input.version_id.is_some()
            || input.if_match_size.is_some()
            || input.if_match_last_modified_time.is_some()
        {
            return Err(s3_error!(
                NotImplemented,
                "versions and conditions other than If-Match are not supported"
            ));
        }
        let condition = WriteCondition { if_match: input.if_match.clone(), if_none_match: None };
        let key = input.key.clone();
        self.on_tree(&request, &input.key, move |tree| tree.delete(&Key::parse(&key)?, &condition)).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.list(request).await
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.admit(&request, &request.input.bucket)?;
        let bucket_region = Some(self.0.0.region.clone());
        Ok(S3Response::new(HeadBucketOutput { bucket_region, ..HeadBucketOutput::default() }))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.admit(&request, &request.input.bucket)?;
        let region = BucketLocationConstraint::from(self.0.0.region.clone());
        // S3 spells its first region as an empty element.
        let location_constraint = (region.as_str() != "us-east-1").then_some(region);
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
    }
}
