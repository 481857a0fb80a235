//! What the log says about a panic: that it is a defect and where in the sources it is, but nothing about the machine
//! that built the binary.

use segmenta_engine::error::{is_foreseen, panic_text};

/// Logs panics in place of Rust's own message, which names folders of the machine that built the binary.
pub(crate) fn log_them() {
    std::panic::set_hook(Box::new(|panic| {
        if is_foreseen() {
            return;
        }
        let place =
            panic.location().map_or_else(String::new, |at| format!("{}:{}", within_its_crate(at.file()), at.line()));
        tracing::error!(place, "panicked: {}", panic_text(panic.payload()));
        // For whoever looks for the defect. In a release binary it names functions, but no files.
        let backtrace = std::backtrace::Backtrace::capture();
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            tracing::error!("{backtrace}");
        }
    }));
}

/// The path of a source file, shortened to begin with its crate's folder: `datafusion-sql-55.2.0/src/lib.rs`.
fn within_its_crate(file: &str) -> &str {
    // Paths of dependencies are …/registry/src/<registry>/<crate>-<version>/src/…; our own are mostly relative already.
    match file.split_once("/registry/src/").and_then(|(_, path)| path.split_once('/')) {
        Some((_, path)) => path,
        None => file.rfind("/crates/").map_or(file, |at| &file[at + 1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_within_a_crate_is_named() {
        let registry = "/home/someone/.cargo/registry/src/index.crates.io-1949cf8c/arrow-59.0.0/src/lib.rs";
        assert_eq!(within_its_crate(registry), "arrow-59.0.0/src/lib.rs");
        assert_eq!(within_its_crate("/build/segmenta/crates/cli/src/main.rs"), "crates/cli/src/main.rs");
        assert_eq!(within_its_crate("crates/cli/src/main.rs"), "crates/cli/src/main.rs");
    }
}
