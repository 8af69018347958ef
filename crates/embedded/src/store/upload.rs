//! A body on its way in: a file in the folder of temporary files that becomes an object only by the tree's rename.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::OwnedFd,
    sync::Arc,
};

use bytes::Bytes;

use super::{
    checksum::{Declared, Digested, Digests, Mismatch},
    directory,
    error::StoreError,
    record::{self, BLOCK, Checksums, Metadata, crc},
    turn::Turn,
};

/// A file that is removed unless it was renamed to its place.
pub(crate) struct Temporary {
    folder: Arc<OwnedFd>,
    name: String,
    file: File,
    placed: bool,
    /// Held until the file is renamed or removed.
    turn: Option<Turn>,
}

impl Temporary {
    fn create(folder: Arc<OwnedFd>, turn: Option<Turn>) -> io::Result<Self> {
        let name = novelfoundry_core::random_token(16).expose().to_owned();
        let file = directory::create(&folder, &name)?;
        Ok(Self { folder, name, file, placed: false, turn })
    }

    /// Renames the file to its place.
    pub(crate) fn place(&mut self, directory: &OwnedFd, name: &str) -> io::Result<()> {
        directory::rename(&self.folder, &self.name, directory, name)?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.placed {
            return;
        }
        let (folder, name) = (Arc::clone(&self.folder), std::mem::take(&mut self.name));
        let turn = self.turn.take();
        let unlink = move || {
            if let Err(error) = directory::unlink(&folder, &name) {
                tracing::warn!(%error, "temporary file not removed; the next start removes it");
            }
            drop(turn);
        };
        // Freeing a large file takes a while: not on a thread that serves sockets.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(unlink)),
            Err(_) => unlink(),
        }
    }
}

/// A body that is being received. Its methods block.
pub(crate) struct Upload {
    temporary: Temporary,
    digests: Digests,
    length: u64,
    /// The checksum of each full block, and what is not yet one.
    blocks: Vec<u32>,
    partial: Vec<u8>,
}

impl Upload {
    /// Begins an upload that will compute the checksums `wanted` names, and gives its turn back when its file is gone.
    pub(crate) fn create(
        folder: Arc<OwnedFd>,
        wanted: &Checksums,
        turn: Option<Turn>,
    ) -> Result<Self, StoreError> {
        let temporary = Temporary::create(folder, turn).map_err(StoreError::io("create a temporary file"))?;
        Ok(Self {
            temporary,
            digests: Digests::new(wanted),
            length: 0,
            blocks: Vec::new(),
            partial: Vec::with_capacity(BLOCK),
        })
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, pieces: &[Bytes]) -> Result<(), StoreError> {
        for piece in pieces {
            self.digests.update(piece);
            self.length += piece.len() as u64;
            let mut rest = &piece[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(BLOCK - self.partial.len()));
                self.partial.extend_from_slice(now);
                rest = later;
                if self.partial.len() == BLOCK {
                    self.flush()?;
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.blocks.push(crc(&self.partial));
        self.temporary.file.write_all(&self.partial).map_err(StoreError::io("write an object"))?;
        self.partial.clear();
        Ok(())
    }

    /// Compares the body with what was declared, writes the metadata behind it and waits until all of it is durable.
    pub(crate) fn finish(
        mut self,
        declared: &Declared,
        metadata: impl FnOnce(&Digested) -> Metadata,
    ) -> Result<(Temporary, Metadata), StoreError> {
        if !self.partial.is_empty() {
            self.flush()?;
        }
        if self.length != declared.length {
            return Err(Mismatch::Length.into());
        }
        let digested = self.digests.finish();
        digested.verify(declared)?;
        let metadata = metadata(&digested);
        let ending = record::ending(self.length, &self.blocks, &metadata)?;
        self.temporary.file.write_all(&ending).map_err(StoreError::io("write an object's metadata"))?;
        self.temporary.file.sync_all().map_err(StoreError::io("make an object durable"))?;
        Ok((self.temporary, metadata))
    }
}
