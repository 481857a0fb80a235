//! The text of a job spec.

#![no_main]

use libfuzzer_sys::fuzz_target;
use segmenta_spec::JobSpec;

fuzz_target!(|text: &str| {
    if let Err(errors) = JobSpec::parse(text, "spec") {
        assert!(!errors.to_string().is_empty());
    }
});
