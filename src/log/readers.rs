//! A few connections that only read, each used by one blocking call at a time: SQLite never runs on an async thread.
//! Whoever asks while all are busy waits in line; the line is as long as there are sessions, since a session asks one
//! thing at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::store::{Reader, StoreError};

#[derive(Clone)]
pub struct Readers {
    inner: Arc<Inner>,
}

struct Inner {
    data_dir: PathBuf,
    permits: Semaphore,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    /// Opens one connection at once, to find faults early; the others when they are needed.
    pub fn open(data_dir: &Path, most: usize) -> Result<Readers, StoreError> {
        let first = Reader::open(data_dir)?;
        let inner =
            Inner { data_dir: data_dir.to_owned(), permits: Semaphore::new(most.max(1)), idle: vec![first].into() };
        Ok(Readers { inner: Arc::new(inner) })
    }

    /// Runs `work` with a connection, away from the async threads.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        let stopped = |_| StoreError::other("the server is stopping");
        let permit = self.inner.permits.acquire().await.map_err(|_| StoreError::other("the server is stopping"))?;
        let result = tokio::task::spawn_blocking(move || {
            let idle = inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let reader = match idle {
                Some(reader) => reader,
                None => Reader::open(&inner.data_dir)?,
            };
            let result = work(&reader);
            inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            result
        });
        let result = result.await.map_err(|_: tokio::task::JoinError| ()).map_err(stopped)?;
        drop(permit);
        result
    }
}
