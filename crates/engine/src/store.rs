//! The partition store: what a process keeps decoded between passes, within a budget of bytes.
//!
//! A pass of K-Means reads the same parts as the pass before it. A worker keeps them as contiguous matrices, keyed by the
//! checksum of the file they came from, and drops the least recently used ones beyond the budget. A miss reads the part
//! again: the store decides how long a pass takes, never what it computes.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

type Cell = Arc<OnceCell<Arc<dyn Any + Send + Sync>>>;

#[derive(Debug)]
struct Entry {
    cell: Cell,
    /// 0 until it is loaded.
    bytes: usize,
    last_used: u64,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<String, Entry>,
    bytes: usize,
    clock: u64,
    statistics: Statistics,
}

/// What the store did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Values served from memory.
    pub hits: u64,
    /// Values that had to be loaded.
    pub misses: u64,
    /// Values dropped to stay within the budget.
    pub evictions: u64,
}

/// A bounded cache of decoded parts, one a process.
#[derive(Debug)]
pub struct PartitionStore {
    budget: usize,
    inner: Mutex<Inner>,
}

impl PartitionStore {
    /// A store that holds at most `budget` bytes.
    #[must_use]
    pub fn new(budget: usize) -> Self {
        Self { budget, inner: Mutex::default() }
    }

    /// The store of the process that runs a task.
    ///
    /// # Errors
    /// When the process was set up without one.
    pub fn of(context: &TaskContext) -> Result<Arc<Self>> {
        context
            .session_config()
            .get_extension::<Self>()
            .ok_or_else(|| DataFusionError::Configuration("this worker was set up without a partition store".into()))
    }

    /// What the store did so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.inner.lock().statistics
    }

    /// Bytes held now.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inner.lock().bytes
    }

    /// The value under `key`, loaded by `load` (which also tells its bytes) if it is not there. Of several callers at
    /// once, one loads and the others wait. A value larger than the whole budget is handed out but not kept.
    ///
    /// # Errors
    /// Those of `load`, which the next caller tries again.
    pub async fn get_or_load<T, F>(&self, key: &str, load: F) -> Result<Arc<T>>
    where
        T: Any + Send + Sync,
        F: Future<Output = Result<(T, usize)>>,
    {
        let cell = {
            let mut inner = self.inner.lock();
            inner.clock += 1;
            let now = inner.clock;
            let entry = inner.entries.entry(key.to_owned()).or_insert_with(|| Entry {
                cell: Cell::default(),
                bytes: 0,
                last_used: now,
            });
            entry.last_used = now;
            let cell = Arc::clone(&entry.cell);
            if cell.initialized() {
                inner.statistics.hits += 1;
            } else {
                inner.statistics.misses += 1;
            }
            cell
        };
        let value = cell
            .get_or_try_init(|| async {
                let (value, bytes) = load.await?;
                self.account(key, bytes);
                Ok::<_, DataFusionError>(Arc::new(value) as Arc<dyn Any + Send + Sync>)
            })
            .await?;
        Arc::clone(value)
            .downcast::<T>()
            .map_err(|_| DataFusionError::Internal(format!("partition store: `{key}` holds another type")))
    }

    fn account(&self, key: &str, bytes: usize) {
        let mut inner = self.inner.lock();
        if let Some(entry) = inner.entries.get_mut(key) {
            entry.bytes = bytes;
            inner.bytes += bytes;
        }
        while inner.bytes > self.budget {
            let oldest = inner.entries.iter().filter(|(_, e)| e.bytes > 0).min_by_key(|(_, e)| e.last_used);
            let Some((oldest, bytes)) = oldest.map(|(key, e)| (key.clone(), e.bytes)) else { break };
            inner.entries.remove(&oldest);
            inner.bytes -= bytes;
            inner.statistics.evictions += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(store: &PartitionStore, key: &str, bytes: usize) -> Arc<String> {
        store.get_or_load(key, async { Ok((key.to_owned(), bytes)) }).await.unwrap()
    }

    #[tokio::test]
    async fn stays_within_its_budget_and_drops_the_oldest() {
        let store = PartitionStore::new(100);
        get(&store, "a", 40).await;
        get(&store, "b", 40).await;
        get(&store, "a", 40).await;
        get(&store, "c", 40).await; // drops b
        assert_eq!(store.bytes(), 80);
        get(&store, "a", 40).await;
        assert_eq!(store.statistics(), Statistics { hits: 2, misses: 3, evictions: 1 });
        get(&store, "huge", 1000).await;
        assert!(store.bytes() <= 100);
    }

    #[tokio::test]
    async fn a_failed_load_is_tried_again() {
        let store = PartitionStore::new(100);
        let failed = store.get_or_load::<String, _>("a", async { Err(DataFusionError::Internal("no".into())) }).await;
        assert!(failed.is_err());
        assert_eq!(*get(&store, "a", 1).await, "a");
    }
}
