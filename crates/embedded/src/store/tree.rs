//! The bucket's tree of directories: the one place where objects appear and disappear.
//!
//! Two kinds of locks, both striped. A *key* lock holds from the look at the present object to the durable change, so
//! that conditions are decided and carried out as one. A *directory* lock, one for each top-level entry, is shared by
//! writers that find their directories, and exclusive while directories are made or removed. So an existing directory
//! seen under the lock is durable, and none vanishes between being found and being written to. Readers take no lock:
//! a file never changes once it has its name.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use super::{
    condition::WriteCondition,
    directory,
    error::StoreError,
    key::{Key, Place},
    object::Object,
    upload::Temporary,
};

const KEY_LOCKS: usize = 1024;
const DIRECTORY_LOCKS: usize = 64;

/// The directory of a bucket, and beside it the folder of temporary files on the same file system.
pub(crate) struct Tree {
    bucket: OwnedFd,
    temporary: Arc<OwnedFd>,
    keys: Vec<Mutex<()>>,
    directories: Vec<RwLock<()>>,
}

impl Tree {
    pub(crate) fn new(bucket: OwnedFd, temporary: OwnedFd) -> Self {
        Self {
            bucket,
            temporary: Arc::new(temporary),
            keys: (0..KEY_LOCKS).map(|_| Mutex::default()).collect(),
            directories: (0..DIRECTORY_LOCKS).map(|_| RwLock::default()).collect(),
        }
    }

    /// The folder of temporary files.
    pub(crate) fn temporary(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.temporary)
    }

    /// Opens an object.
    pub(crate) fn open(&self, key: &Key) -> Result<Object, StoreError> {
        let place = key.place();
        let directory = self.walk(&place.directories)?.ok_or(StoreError::NoSuchKey)?;
        Object::open(&directory, &place.file, key)?.ok_or(StoreError::NoSuchKey)
    }

    /// Opens the directory that these names lead to, or returns `None` where one of them is missing.
    pub(crate) fn walk(&self, names: &[String]) -> Result<Option<OwnedFd>, StoreError> {
        let mut at = None;
        for name in names {
            match directory::open(at.as_ref().unwrap_or(&self.bucket), name)
                .map_err(StoreError::io("open a directory"))?
            {
                Some(next) => at = Some(next),
                None => return Ok(None),
            }
        }
        at.map_or_else(|| self.bucket.try_clone().map_err(StoreError::io("open the bucket")), Ok).map(Some)
    }

    /// Makes a durable temporary file the object of a key, durably, if the conditions hold.
    pub(crate) fn commit(
        &self,
        key: &Key,
        mut upload: Temporary,
        condition: &WriteCondition,
    ) -> Result<(), StoreError> {
        let place = key.place();
        let _key = self.lock(key);
        {
            let _shared = self.directory_lock(&place).read().unwrap_or_else(PoisonError::into_inner);
            if let Some(directory) = self.walk(&place.directories)? {
                check(&directory, &place, key, condition)?;
                return put(&mut upload, &directory, &place);
            }
        }
        // No directory, so no object; and the key's lock keeps it so.
        condition.check(None)?;
        let _exclusive = self.directory_lock(&place).write().unwrap_or_else(PoisonError::into_inner);
        let result = self.make(&place).and_then(|directory| put(&mut upload, &directory, &place));
        if result.is_err() {
            self.prune(&place);
        }
        result
    }

    /// Removes the object of a key, durably, and the directories it leaves empty. A missing one is removed already.
    pub(crate) fn delete(&self, key: &Key, condition: &WriteCondition) -> Result<(), StoreError> {
        let place = key.place();
        let _key = self.lock(key);
        let _exclusive = self.directory_lock(&place).write().unwrap_or_else(PoisonError::into_inner);
        let Some(directory) = self.walk(&place.directories)? else { return condition.check(None) };
        check(&directory, &place, key, condition)?;
        if directory::unlink(&directory, &place.file).map_err(StoreError::io("remove an object"))? {
            directory::sync(&directory).map_err(StoreError::io("make a removal durable"))?;
        }
        drop(directory);
        self.prune(&place);
        Ok(())
    }

    /// Makes the directories of a place, each durable before the next.
    fn make(&self, place: &Place) -> Result<OwnedFd, StoreError> {
        let mut at = self.bucket.try_clone().map_err(StoreError::io("open the bucket"))?;
        for name in &place.directories {
            at = directory::open_or_create(&at, name).map_err(StoreError::io("create a directory"))?;
        }
        Ok(at)
    }

    /// Removes the empty directories of a place, deepest first. An empty one left behind does no harm.
    fn prune(&self, place: &Place) {
        let attempt = || -> std::io::Result<()> {
            let mut at = self.bucket.try_clone()?;
            let mut depth = 0;
            for name in &place.directories {
                let Some(next) = directory::open(&at, name)? else { break };
                at = next;
                depth += 1;
            }
            for name in place.directories[..depth].iter().rev() {
                let parent = directory::parent(&at)?;
                if !directory::remove(&parent, name)? {
                    break;
                }
                at = parent;
            }
            Ok(())
        };
        if let Err(error) = attempt() {
            tracing::debug!(%error, "empty directory not removed");
        }
    }

    fn lock(&self, key: &Key) -> MutexGuard<'_, ()> {
        self.keys[stripe(key.as_str(), KEY_LOCKS)].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn directory_lock(&self, place: &Place) -> &RwLock<()> {
        &self.directories[stripe(place.directories.first().unwrap_or(&place.file), DIRECTORY_LOCKS)]
    }
}

fn put(upload: &mut Temporary, directory: &OwnedFd, place: &Place) -> Result<(), StoreError> {
    upload.place(directory, &place.file).map_err(StoreError::io("rename an object to its place"))?;
    directory::sync(directory).map_err(StoreError::io("make a rename durable"))
}

fn check(
    directory: &OwnedFd,
    place: &Place,
    key: &Key,
    condition: &WriteCondition,
) -> Result<(), StoreError> {
    if condition.is_empty() {
        return Ok(());
    }
    let present = Object::open(directory, &place.file, key)?;
    condition.check(present.as_ref().map(|object| &object.metadata))
}

fn stripe(text: &str, stripes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    usize::try_from(hasher.finish() % stripes as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    };

    use s3s::dto::ETagCondition;

    use super::*;
    use crate::store::tests::{tree, upload};

    #[test]
    fn exactly_one_of_many_creators_wins() {
        let (_root, tree) = tree();
        let create = WriteCondition { if_none_match: Some(ETagCondition::Any), if_match: None };
        for round in 0..300 {
            // With and without directories to be made first.
            let text = if round % 2 == 0 { format!("x{round}") } else { format!("{round}/a/b") };
            let (key, start) = (Key::parse(&text).unwrap(), Barrier::new(4));
            let (tree, text, key, start, create) = (&tree, &text, &key, &start, &create);
            let won = std::thread::scope(|scope| {
                let racers = [(); 4].map(|()| {
                    scope.spawn(move || {
                        let file = upload(tree, text);
                        start.wait();
                        tree.commit(key, file, create).is_ok()
                    })
                });
                racers.into_iter().filter_map(|racer| racer.join().unwrap().then_some(())).count()
            });
            assert_eq!(won, 1);
            tree.open(key).unwrap();
        }
    }

    #[test]
    fn no_directory_vanishes_under_a_writer() {
        let (_root, tree) = tree();
        let (key, absent) = (Key::parse("t/u/p/a").unwrap(), Key::parse("t/u/p/b").unwrap());
        let (always, written) = (WriteCondition::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            // Directories come and go: even the removal of what is not there removes empty ones.
            scope.spawn(|| {
                let place = absent.place();
                while !written.load(Ordering::Relaxed) {
                    let exclusive = tree.directory_lock(&place).write();
                    tree.make(&place).unwrap();
                    drop(exclusive);
                    tree.delete(&absent, &always).unwrap();
                }
            });
            let writer = scope.spawn(|| {
                for _ in 0..8000 {
                    tree.commit(&key, upload(&tree, key.as_str()), &always).unwrap();
                    tree.open(&key).unwrap();
                    tree.delete(&key, &always).unwrap();
                    assert!(matches!(tree.open(&key), Err(StoreError::NoSuchKey)));
                }
            });
            let outcome = writer.join();
            written.store(true, Ordering::Relaxed);
            outcome.unwrap();
        });
    }
}
