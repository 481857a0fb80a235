//! How much of the machine's memory a process uses.

/// Restarts the measurement of the peak, where the platform allows it (Linux).
pub fn reset_peak_memory() {
    // "5" resets the high-water mark; see proc(5). Elsewhere there is nothing to reset.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The largest resident size in bytes since the last reset, where the platform tells (Linux).
#[must_use]
pub fn peak_memory() -> Option<u64> {
    status("self", "VmHWM:")
}

/// The resident size in bytes, where the platform tells (Linux).
#[must_use]
pub fn resident_memory() -> Option<u64> {
    status("self", "VmRSS:")
}

/// As [`reset_peak_memory`], for a process that this one has started.
pub fn reset_peak_memory_of(id: u32) {
    let _ = std::fs::write(format!("/proc/{id}/clear_refs"), "5");
}

/// As [`peak_memory`], for any process.
#[must_use]
pub fn peak_memory_of(id: u32) -> Option<u64> {
    status(&id.to_string(), "VmHWM:")
}

fn status(process: &str, key: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
