//! A message to the job service, from its bytes to where the service would look at the sources.

#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use segmenta_pipeline::submission::Submission;
use segmenta_service::api::{JobSource, SubmitRequest};
use segmenta_service::coordinator::allowed::Allowed;

fuzz_target!(|bytes: &[u8]| {
    let Ok(SubmitRequest { source: Some(JobSource { spec, base }), .. }) = SubmitRequest::decode(bytes) else { return };
    let Ok(job) = Submission::parse(&spec, "spec", base) else { return };
    let allowed = Allowed::new(&["s3://lake/a/".to_owned(), "file:///data/".to_owned()], "file:///data/state/");
    if let Ok(()) = allowed.and_then(|allowed| allowed.check(&job)) {
        // What is let through is where it says it is.
        let places = job.sources().into_iter().flatten().chain(job.output());
        for place in places {
            assert!(place.starts_with("s3://lake/a/") || place.starts_with("file:///data/"), "{place}");
            assert!(!place.starts_with("file:///data/state/"), "{place}");
        }
    }
});
