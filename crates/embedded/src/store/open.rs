//! Opening a store: the directories are made, other processes kept out, leftovers of a crash removed.

use std::{
    fs::{DirBuilder, File, OpenOptions, Permissions},
    io,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::Path,
    sync::Arc,
};

use novelfoundry_core::IdSource;
use rustix::fs::FlockOperation;

use super::{ObjectStore, Options, Shared, directory, tree::Tree, turn::Turns};

/// Says why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The bucket's name breaks S3's rules.
    #[error(
        "the bucket's name is not valid: 3 to 63 of a-z, 0-9, '-' and '.', beginning and ending with a letter or digit"
    )]
    Bucket,
    /// The region's name cannot stand in a signature.
    #[error("the region's name is not valid: a-z, 0-9 and '-'")]
    Region,
    /// No one could sign a request.
    #[error(
        "there are no credentials, or one of them has an empty or repeated access key id, or an empty secret"
    )]
    Credentials,
    /// Another process has the store open.
    #[error("another process has the object store open")]
    InUse,
    /// The file system refused.
    #[error("cannot {0}")]
    Io(&'static str, #[source] io::Error),
}

impl ObjectStore {
    /// Opens the store, creating it where it is missing. It blocks.
    ///
    /// The root is made accessible to this user only, temporary files of an earlier process are removed, and what that
    /// process wrote is made durable before anyone can see it.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        validate(&options)?;
        create(&options.root)?;
        let root = open_directory(&options.root)?;
        let lock = lock(&options.root)?;
        let temporary = child(&root, "temporary")?;
        remove_leftovers(&temporary)?;
        let buckets = child(&root, "buckets")?;
        let bucket = child(&buckets, &options.bucket)?;
        // A killed process may have left files and directories that only the page cache knows.
        rustix::fs::syncfs(&root).map_err(io_error("make the object store durable"))?;
        let Options { bucket: name, region, credentials, allowed_origins, clock, limits, .. } = options;
        Ok(Self(Arc::new(Shared {
            bucket: name,
            region,
            credentials,
            allowed_origins,
            request_ids: IdSource::new(Arc::clone(&clock)),
            clock,
            limits,
            tree: Tree::new(bucket, temporary),
            turns: Turns::default(),
            _lock: lock,
        })))
    }
}

fn validate(options: &Options) -> Result<(), OpenError> {
    if !s3s::path::check_bucket_name(&options.bucket) {
        return Err(OpenError::Bucket);
    }
    options.region.parse::<s3s::region::Region>().map_err(|_| OpenError::Region)?;
    let credentials = &options.credentials;
    let usable = credentials.iter().enumerate().all(|(at, one)| {
        !one.access_key_id.is_empty()
            && !one.secret_access_key.expose().is_empty()
            && credentials[..at].iter().all(|other| other.access_key_id != one.access_key_id)
    });
    if credentials.is_empty() || !usable {
        return Err(OpenError::Credentials);
    }
    Ok(())
}

fn create(root: &Path) -> Result<(), OpenError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .map_err(io_error("create the object store"))?;
    let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)
        .and_then(|parent| parent.sync_all())
        .map_err(io_error("make the object store durable"))?;
    std::fs::set_permissions(root, Permissions::from_mode(0o700))
        .map_err(io_error("protect the object store"))
}

fn open_directory(path: &Path) -> Result<OwnedFd, OpenError> {
    let flags = libc::O_DIRECTORY | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    Ok(file.map_err(io_error("open the object store"))?.into())
}

fn lock(root: &Path) -> Result<File, OpenError> {
    let mut file = OpenOptions::new();
    let file = file.create(true).truncate(false).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let file = file.open(root.join("lock")).map_err(io_error("open the object store's lock"))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse),
        Err(error) => Err(OpenError::Io("lock the object store", error.into())),
    }
}

fn child(at: &OwnedFd, name: &str) -> Result<OwnedFd, OpenError> {
    directory::open_or_create(at, name).map_err(io_error("create a directory of the object store"))
}

fn remove_leftovers(temporary: &OwnedFd) -> Result<(), OpenError> {
    let mut names = Vec::new();
    directory::names(temporary, |name| names.extend(std::str::from_utf8(name).map(str::to_owned)))
        .map_err(io_error("read the folder of temporary files"))?;
    for name in names {
        directory::unlink(temporary, &name).map_err(io_error("remove a temporary file"))?;
    }
    Ok(())
}

fn io_error<E: Into<io::Error>>(doing: &'static str) -> impl FnOnce(E) -> OpenError {
    move |error| OpenError::Io(doing, error.into())
}
