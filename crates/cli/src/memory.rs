//! How a process keeps to little memory.

use segmenta_engine::runtime::MemoryPlan;

use crate::anew;

/// From so many bytes on, the allocator may keep what was freed for a while: several hundred megabytes, which save a fifth of the time.
const PLENTY: usize = 1 << 30;

/// What makes the allocator give memory back at once. It reads this when it starts.
const GIVE_BACK: [(&str, &str); 2] = [("MIMALLOC_PURGE_DELAY", "0"), ("MIMALLOC_ARENA_EAGER_COMMIT", "0")];

/// Starts this process anew with an allocator that keeps nothing, where there is little memory to plan with; what it holds beyond the plan
/// is then some tens of megabytes. Whoever sets the allocator's variables is left to it.
pub(crate) fn keep_to(plan: MemoryPlan) -> anyhow::Result<()> {
    let is_set = GIVE_BACK.iter().any(|(name, _)| std::env::var_os(name).is_some());
    if is_set || plan.pool + plan.store >= PLENTY || cfg!(not(unix)) {
        return Ok(());
    }
    anew::start_anew_with(&GIVE_BACK)
}
