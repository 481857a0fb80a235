//! How a process gets by with little memory.

use segmenta_engine::runtime::MemoryPlan;

use crate::anew;

/// With at least this many bytes to plan with, the allocator may keep freed memory for a while. It keeps several
/// hundred megabytes, which saves a fifth of the time.
const PLENTY: usize = 1 << 30;

/// The variables that make the allocator give memory back at once. It reads them only when the process starts.
const GIVE_BACK: [(&str, &str); 2] = [("MIMALLOC_PURGE_DELAY", "0"), ("MIMALLOC_ARENA_EAGER_COMMIT", "0")];

/// Where there is little memory to plan with, starts this process anew with an allocator that keeps no freed memory.
/// The process then holds only some tens of megabytes beyond the plan. Does nothing if the user has set one of the
/// allocator's variables.
pub(crate) fn keep_to(plan: MemoryPlan) -> anyhow::Result<()> {
    let is_set = GIVE_BACK.iter().any(|(name, _)| std::env::var_os(name).is_some());
    if is_set || plan.pool + plan.store >= PLENTY || cfg!(not(unix)) {
        return Ok(());
    }
    anew::start_anew_with(&GIVE_BACK)
}
