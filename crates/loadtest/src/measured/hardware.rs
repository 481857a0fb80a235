//! The hardware of a machine.

use serde::{Deserialize, Serialize};
use sysinfo::{CpuRefreshKind, RefreshKind, System};

/// What determines how fast a machine is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hardware {
    /// Name of the processor.
    pub cpu: Option<String>,
    /// Threads that run at once, within the limits of the control group.
    pub cores: usize,
    /// Cores of the processor, where the platform tells.
    pub physical_cores: Option<usize>,
    /// Memory of the machine, or of the control group.
    pub memory_bytes: u64,
    /// Operating system and version.
    pub os: Option<String>,
    /// Its kernel.
    pub kernel: Option<String>,
}

impl Hardware {
    /// The machine that this process runs on.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let mut system = System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()));
        system.refresh_memory();
        let limit = system.cgroup_limits().map_or(u64::MAX, |limits| limits.total_memory);
        let names = system.cpus().iter().map(|cpu| cpu.brand().trim().to_owned());
        Self {
            cpu: { names }.find(|name| !name.is_empty()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            physical_cores: System::physical_core_count(),
            memory_bytes: system.total_memory().min(limit),
            os: System::long_os_version(),
            kernel: System::kernel_version(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_has_cores_and_memory() {
        let machine = Hardware::of_this_machine();
        assert!(machine.cores > 0 && machine.memory_bytes > 1 << 20, "{machine:?}");
    }
}
