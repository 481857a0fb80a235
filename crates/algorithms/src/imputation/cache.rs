//! A cache of the trees used last, within a number of bytes.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::tree::Tree;

/// Pattern of the donors, and the columns of it that a tree is over.
pub(super) type Key = (u64, u64);

/// A tree is built once it was asked for this many rows. Until then rows are compared with every donor, which costs
/// less than building a tree. A tree that is never built saves its cost; for one that is built, the comparisons cost at
/// most as much again.
const WORTH_A_TREE: usize = 32;
/// Keys whose rows are counted, at most.
const MOST_COUNTED: usize = 1 << 14;

/// The trees, shared by threads: one that several of them ask for is built once. What was dropped is built again.
///
/// A thread must hold no tree when it asks for one: it may have to wait until others give theirs back.
#[derive(Debug)]
pub(super) struct Cache {
    budget: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    slots: HashMap<Key, Slot>,
    asked: HashMap<Key, usize>,
    /// Bytes of all slots.
    bytes: usize,
    /// Trees that are being built or are in use.
    busy: usize,
    clock: u64,
}

#[derive(Debug)]
struct Slot {
    /// None while it is being built.
    tree: Option<Arc<Tree>>,
    bytes: usize,
    users: usize,
    used: u64,
}

/// A tree in use.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    cache: &'a Cache,
    key: Key,
    tree: Arc<Tree>,
}

impl Deref for Lease<'_> {
    type Target = Tree;

    fn deref(&self) -> &Tree {
        &self.tree
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        if let Some(slot) = state.slots.get_mut(&self.key) {
            slot.users -= 1;
            if slot.users == 0 {
                state.busy -= 1;
                self.cache.changed.notify_all();
            }
        }
    }
}

/// Takes a slot back if its build panics, so that nobody waits for it.
struct Building<'a> {
    cache: &'a Cache,
    key: Key,
}

impl Drop for Building<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        if state.slots.get(&self.key).is_some_and(|slot| slot.tree.is_none()) {
            state.drop_slot(self.key);
            state.busy -= 1;
            self.cache.changed.notify_all();
        }
    }
}

impl State {
    /// A tree that is ready, for one more user.
    fn lend(&mut self, key: Key) -> Option<Arc<Tree>> {
        self.clock += 1;
        let slot = self.slots.get_mut(&key)?;
        let tree = Arc::clone(slot.tree.as_ref()?);
        slot.used = self.clock;
        slot.users += 1;
        if slot.users == 1 {
            self.busy += 1;
        }
        Some(tree)
    }

    fn drop_slot(&mut self, key: Key) {
        if let Some(slot) = self.slots.remove(&key) {
            self.bytes -= slot.bytes;
        }
    }

    /// Drops idle trees, the one that was not used for longest first, until `bytes` more fit. False if they do not.
    fn make_room(&mut self, bytes: usize, budget: usize) -> bool {
        while self.bytes + bytes > budget {
            let idle = self.slots.iter().filter(|(_, slot)| slot.tree.is_some() && slot.users == 0);
            let Some(oldest) = idle.min_by_key(|(_, slot)| slot.used).map(|(key, _)| *key) else { return false };
            self.drop_slot(oldest);
        }
        true
    }
}

impl Cache {
    pub(super) fn new(budget: usize) -> Self {
        Self { budget, state: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes held now.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The tree for `rows` more rows. If need be, `build` builds it and takes up to `most_bytes`. `None` while a tree
    /// is not worth its cost.
    pub(super) fn get(
        &self,
        key: Key,
        rows: usize,
        most_bytes: usize,
        build: impl FnOnce() -> Tree,
    ) -> Option<Lease<'_>> {
        let mut state = self.lock();
        if !state.slots.contains_key(&key) {
            if state.asked.len() >= MOST_COUNTED {
                state.asked.clear();
            }
            let asked = state.asked.entry(key).or_default();
            *asked = asked.saturating_add(rows);
            if *asked < WORTH_A_TREE {
                return None;
            }
        }
        loop {
            if let Some(tree) = state.lend(key) {
                return Some(Lease { cache: self, key, tree });
            }
            // A single tree may always be built: the budget is at least that large.
            let in_the_making = state.slots.contains_key(&key);
            if !in_the_making && (state.make_room(most_bytes, self.budget) || state.busy == 0) {
                break;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let used = state.clock;
        state.slots.insert(key, Slot { tree: None, bytes: most_bytes, users: 1, used });
        state.asked.remove(&key);
        state.bytes += most_bytes;
        state.busy += 1;
        drop(state);

        let building = Building { cache: self, key };
        let tree = Arc::new(build());
        let mut state = self.lock();
        if let Some(slot) = state.slots.get_mut(&key) {
            slot.tree = Some(Arc::clone(&tree));
            slot.bytes = tree.bytes();
            state.bytes -= most_bytes;
            state.bytes += tree.bytes();
        }
        drop(state);
        drop(building);
        self.changed.notify_all();
        Some(Lease { cache: self, key, tree })
    }
}
