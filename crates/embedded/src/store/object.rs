//! Reading of stored objects: no byte is handed out before its block's checksum was compared.

use std::{
    fs::File,
    ops::Range,
    os::{fd::OwnedFd, unix::fs::FileExt as _},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::Stream;
use s3s::stream::{ByteStream, RemainingLength};
use tokio::task::JoinHandle;

use super::{
    directory,
    error::StoreError,
    key::Key,
    record::{self, BLOCK, Corruption, FOOTER, Footer, METADATA_MAX, Metadata, crc},
};

/// How much of a file's end is read at once: enough for the metadata of most objects.
const TAIL: usize = 4096;

/// An open object. It stays whole while another one takes its place.
#[derive(Debug)]
pub(crate) struct Object {
    file: File,
    footer: Footer,
    pub(crate) metadata: Metadata,
}

impl Object {
    /// Opens the object that lies in `directory` under `name`, or returns `None` where there is none.
    pub(crate) fn open(directory: &OwnedFd, name: &str, key: &Key) -> Result<Option<Self>, StoreError> {
        let Some(file) = directory::read(directory, name).map_err(StoreError::io("open an object"))? else {
            return Ok(None);
        };
        let status = file.metadata().map_err(StoreError::io("look at an object's file"))?;
        if !status.is_file() {
            return Err(Corruption::Kind.into());
        }
        let length = status.len();
        let mut tail = vec![0; usize::try_from(length).unwrap_or(TAIL).min(TAIL)];
        let start = length - tail.len() as u64;
        file.read_exact_at(&mut tail, start).map_err(StoreError::io("read an object's footer"))?;
        let footer = Footer::parse(tail.last_chunk::<FOOTER>().ok_or(Corruption::Short)?, length)?;
        let wanted =
            usize::try_from(footer.metadata_length.min(METADATA_MAX)).map_err(|_| Corruption::Length)?;
        let metadata = if let Some(from) = tail.len().checked_sub(FOOTER + wanted) {
            footer.metadata(&tail[from..from + wanted])?
        } else {
            let mut bytes = vec![0; wanted];
            let at = length - (FOOTER + wanted) as u64;
            file.read_exact_at(&mut bytes, at).map_err(StoreError::io("read an object's metadata"))?;
            footer.metadata(&bytes)?
        };
        if metadata.key != key.as_str() {
            return Err(Corruption::Key.into());
        }
        Ok(Some(Self { file, footer, metadata }))
    }

    /// The number of bytes of data.
    pub(crate) fn length(&self) -> u64 {
        self.footer.data_length
    }

    fn table(&self) -> Result<Vec<u32>, StoreError> {
        let (at, length) = self.footer.table();
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| Corruption::Length)?];
        self.file.read_exact_at(&mut bytes, at).map_err(StoreError::io("read an object's checksums"))?;
        Ok(record::parse_table(&bytes))
    }
}

/// The bytes of a range of an object, block by block, one read ahead of the receiver.
pub(crate) struct Data {
    source: Arc<Source>,
    /// What is not yet handed out.
    left: Range<u64>,
    ahead: Option<JoinHandle<Result<Bytes, StoreError>>>,
    first: Option<Bytes>,
}

struct Source {
    object: Object,
    blocks: Vec<u32>,
}

impl Source {
    /// Reads the part of `range` that lies in the block where it begins.
    fn read(&self, range: &Range<u64>) -> Result<Bytes, StoreError> {
        let block = range.start / BLOCK as u64;
        let start = block * BLOCK as u64;
        let end = (start + BLOCK as u64).min(self.object.length());
        let small = |n: u64| usize::try_from(n).map_err(|_| Corruption::Length);
        let mut bytes = vec![0; small(end.saturating_sub(start))?];
        self.object.file.read_exact_at(&mut bytes, start).map_err(StoreError::io("read an object's data"))?;
        if self.blocks.get(small(block)?) != Some(&crc(&bytes)) {
            return Err(Corruption::Data.into());
        }
        Ok(Bytes::from(bytes).slice(small(range.start - start)?..small(range.end.min(end) - start)?))
    }
}

impl Data {
    /// Prepares the bytes of a range, and reads the first block so that damage there is an error, not a broken body.
    pub(crate) fn open(object: Object, range: Range<u64>) -> Result<Self, StoreError> {
        let blocks = object.table()?;
        let source = Source { object, blocks };
        let first = if range.is_empty() { None } else { Some(source.read(&range)?) };
        Ok(Self { source: Arc::new(source), left: range, ahead: None, first })
    }

    fn read_ahead(&mut self) {
        if !self.left.is_empty() {
            let (source, range) = (Arc::clone(&self.source), self.left.clone());
            self.ahead = Some(tokio::task::spawn_blocking(move || source.read(&range)));
        }
    }

    fn handed_out(&mut self, bytes: &Bytes) {
        self.left.start += bytes.len() as u64;
        self.read_ahead();
    }
}

impl Stream for Data {
    type Item = Result<Bytes, s3s::StdError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            self.handed_out(&first);
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(ahead) = &mut self.ahead else { return Poll::Ready(None) };
        let read = ready!(Pin::new(ahead).poll(context)).unwrap_or(Err(StoreError::Interrupted));
        self.ahead = None;
        match read {
            Ok(bytes) => {
                self.handed_out(&bytes);
                Poll::Ready(Some(Ok(bytes)))
            }
            Err(error) => {
                // The status is sent already: the connection breaks, and the receiver sees a body cut short.
                tracing::error!(key = ?self.source.object.metadata.key, error = %novelfoundry_core::report(&error), "object unreadable");
                self.left = 0..0;
                Poll::Ready(Some(Err(Box::new(error))))
            }
        }
    }
}

impl ByteStream for Data {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.left.end - self.left.start)
            .map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}
