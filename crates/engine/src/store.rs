//! The partition store: what a process keeps decoded between passes, within a budget of bytes.
//!
//! A pass of K-Means reads the same parts as the pass before it. A worker keeps them as contiguous matrices or trees,
//! keyed by the checksum of the file they came from, and drops the least recently used ones beyond the budget. A job
//! never goes back to an earlier stage, so the values of one of its stages are dropped when parts of another stage come
//! in. A miss reads the part again: the store decides how long a pass takes, never what it computes.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use crate::artifact::Part;

/// The key of a value in the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoreKey {
    /// Checksum of the part, and the name of what was made of it.
    value: String,
    /// Job and stage that wrote the part.
    origin: Option<(String, String)>,
}

impl StoreKey {
    /// The key of something made of a part. `made` tells it apart from other things made of the same part.
    #[must_use]
    pub fn of(part: &Part, made: &str) -> Self {
        let origin = part.origin().map(|(job, stage)| (job.to_owned(), stage.to_owned()));
        Self { value: format!("{}#{made}", part.sha256), origin }
    }

    /// The key of something made of several parts of one artifact.
    #[must_use]
    pub fn of_all(parts: &[Part], made: &str) -> Self {
        let checksums: Vec<&str> = parts.iter().map(|part| part.sha256.as_str()).collect();
        let origin = parts.first().and_then(Part::origin).map(|(job, stage)| (job.to_owned(), stage.to_owned()));
        Self { value: format!("{}#{made}", checksums.join(",")), origin }
    }

    /// Whether the other key is from another stage of the same job.
    fn follows(&self, other: &Self) -> bool {
        match (&self.origin, &other.origin) {
            (Some((job, stage)), Some((other_job, other_stage))) => job == other_job && stage != other_stage,
            _ => false,
        }
    }
}

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
    entries: HashMap<StoreKey, Entry>,
    bytes: usize,
    clock: u64,
    statistics: Statistics,
}

/// What the store has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Values served from memory.
    pub hits: u64,
    /// Values that had to be loaded.
    pub misses: u64,
    /// Values dropped: to stay within the budget, or because a job went on to its next stage.
    pub evictions: u64,
    /// Bytes of the values that were served from memory.
    pub hit_bytes: u64,
    /// Bytes of the values that were loaded.
    pub loaded_bytes: u64,
    /// Bytes held now.
    pub bytes: u64,
}

/// A bounded cache of decoded parts. Each process has one.
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
    /// When the process has no store.
    pub fn of(context: &TaskContext) -> Result<Arc<Self>> {
        context
            .session_config()
            .get_extension::<Self>()
            .ok_or_else(|| DataFusionError::Configuration("this worker was set up without a partition store".into()))
    }

    /// What the store has done so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let inner = self.inner.lock();
        Statistics { bytes: inner.bytes as u64, ..inner.statistics }
    }

    /// The value under `key` if it is there.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self, key: &StoreKey) -> Option<Arc<T>> {
        let mut inner = self.inner.lock();
        inner.clock += 1;
        let now = inner.clock;
        let entry = inner.entries.get_mut(key)?;
        let value = Arc::clone(entry.cell.get()?).downcast::<T>().ok()?;
        entry.last_used = now;
        let bytes = entry.bytes as u64;
        inner.statistics.hits += 1;
        inner.statistics.hit_bytes += bytes;
        Some(value)
    }

    /// The value under `key`. If it is not there, `load` loads it and tells its size in bytes. Of several callers at
    /// once, one loads and the others wait. A value larger than the whole budget is handed out but not kept.
    ///
    /// # Errors
    /// Those of `load`. The next caller tries again.
    pub async fn get_or_load<T, F>(&self, key: &StoreKey, load: F) -> Result<Arc<T>>
    where
        T: Any + Send + Sync,
        F: Future<Output = Result<(T, usize)>>,
    {
        let cell = {
            let mut inner = self.inner.lock();
            inner.clock += 1;
            let now = inner.clock;
            let entry = inner.entries.entry(key.clone()).or_insert_with(|| Entry {
                cell: Cell::default(),
                bytes: 0,
                last_used: now,
            });
            entry.last_used = now;
            let (cell, bytes) = (Arc::clone(&entry.cell), entry.bytes as u64);
            if cell.initialized() {
                inner.statistics.hits += 1;
                inner.statistics.hit_bytes += bytes;
            } else {
                inner.statistics.misses += 1;
                inner.drop_what_was_before(key);
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
            .map_err(|_| DataFusionError::Internal(format!("partition store: `{}` holds another type", key.value)))
    }

    fn account(&self, key: &StoreKey, bytes: usize) {
        let mut inner = self.inner.lock();
        inner.statistics.loaded_bytes += bytes as u64;
        if let Some(entry) = inner.entries.get_mut(key) {
            entry.bytes = bytes;
            inner.bytes += bytes;
        }
        while inner.bytes > self.budget {
            let oldest = inner.entries.iter().filter(|(_, e)| e.bytes > 0).min_by_key(|(_, e)| e.last_used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else { break };
            inner.drop_entry(&oldest);
        }
    }
}

impl Inner {
    fn drop_entry(&mut self, key: &StoreKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
            self.statistics.evictions += 1;
        }
    }

    /// Values that are still being loaded stay.
    fn drop_what_was_before(&mut self, key: &StoreKey) {
        let before = self.entries.iter().filter(|(other, entry)| entry.bytes > 0 && key.follows(other));
        for other in before.map(|(other, _)| other.clone()).collect::<Vec<_>>() {
            self.drop_entry(&other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(value: &str, stage: &str) -> StoreKey {
        StoreKey { value: value.to_owned(), origin: Some(("job/".to_owned(), stage.to_owned())) }
    }

    async fn get(store: &PartitionStore, value: &str, bytes: usize) -> Arc<String> {
        store.get_or_load(&key(value, "scale"), async { Ok((value.to_owned(), bytes)) }).await.unwrap()
    }

    #[tokio::test]
    async fn stays_within_its_budget_and_drops_the_oldest() {
        let store = PartitionStore::new(100);
        get(&store, "a", 40).await;
        get(&store, "b", 40).await;
        get(&store, "a", 40).await;
        get(&store, "c", 40).await; // drops b
        get(&store, "a", 40).await;
        let expected = Statistics { hits: 2, misses: 3, evictions: 1, hit_bytes: 80, loaded_bytes: 120, bytes: 80 };
        assert_eq!(store.statistics(), expected);
        assert!(store.get::<String>(&key("b", "scale")).is_none());
        assert_eq!(store.get::<String>(&key("c", "scale")).as_deref().map(String::as_str), Some("c"));
        get(&store, "huge", 1000).await;
        assert!(store.statistics().bytes <= 100);
    }

    #[tokio::test]
    async fn the_next_stage_of_a_job_takes_the_place_of_the_one_before() {
        let store = PartitionStore::new(1_000);
        let load = async |key: StoreKey| store.get_or_load(&key, async { Ok((0_u8, 10)) }).await.unwrap();
        load(key("a", "impute")).await;
        load(key("b", "impute")).await;
        load(StoreKey { value: "c".into(), origin: Some(("other/".into(), "impute".into())) }).await;
        load(StoreKey { value: "d".into(), origin: None }).await;
        load(key("a", "outliers")).await;
        assert_eq!(store.statistics().bytes, 30);
        assert!(store.get::<u8>(&key("a", "impute")).is_none());
    }

    #[tokio::test]
    async fn a_failed_load_is_tried_again() {
        let store = PartitionStore::new(100);
        let load = async { Err(DataFusionError::Internal("no".into())) };
        assert!(store.get_or_load::<String, _>(&key("a", "scale"), load).await.is_err());
        assert_eq!(*get(&store, "a", 1).await, "a");
    }
}
