//! Options of the embedded cluster that commands share.

use std::num::NonZeroUsize;

use bytesize::ByteSize;
use clap::Args;
use segmenta_engine::EngineError;
use segmenta_engine::cluster::EmbeddedOptions;
use segmenta_engine::runtime::MemoryPlan;

/// The least memory that a job is run with.
pub(crate) const LEAST_MEMORY: ByteSize = ByteSize::mib(256);

#[derive(Debug, Args)]
pub(crate) struct Embedded {
    /// Tasks that run at once [default: the machine's cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Memory to plan with, for example 16GiB [default: seven tenths of the machine's, or of its control group's]
    #[arg(long, value_name = "SIZE")]
    memory: Option<ByteSize>,
}

impl Embedded {
    pub(crate) fn options(&self) -> Result<EmbeddedOptions, EngineError> {
        let mut embedded = EmbeddedOptions::default();
        if let Some(threads) = self.threads {
            embedded.threads = threads.get();
        }
        if let Some(memory) = self.memory {
            if memory < LEAST_MEMORY {
                return Err(EngineError::spec(format!("--memory {memory}: a job needs at least {LEAST_MEMORY}")));
            }
            embedded.memory = MemoryPlan::new(memory.as_u64() as usize);
        }
        Ok(embedded)
    }
}
