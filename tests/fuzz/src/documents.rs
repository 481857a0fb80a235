//! Documents that lie in an output or in a state folder, where somebody else may have written them: the manifest, the model, the
//! manifest of a stage, and a job's record.

#![no_main]

use std::sync::{Arc, LazyLock};

use datafusion::execution::SessionState;
use libfuzzer_sys::fuzz_target;
use object_store::memory::InMemory;
use segmenta_engine::artifact::put;
use segmenta_engine::runtime::planning_state;
use segmenta_pipeline::score::ScoreJob;
use segmenta_pipeline::stages::evaluate::Evaluated;
use segmenta_pipeline::stages::extract::Extracted;
use segmenta_pipeline::work::Work;
use segmenta_results::published::Published;
use segmenta_service::coordinator::record::Record;
use segmenta_spec::ScoreSpec;
use tokio::runtime::{Builder, Runtime};
use url::Url;

static PROCESS: LazyLock<(Runtime, SessionState)> = LazyLock::new(|| {
    let state = planning_state().unwrap();
    let store = Url::parse("trial://store").unwrap();
    state.runtime_env().register_object_store(&store, Arc::new(InMemory::new()));
    (Builder::new_current_thread().enable_all().build().unwrap(), state)
});

fuzz_target!(|bytes: &[u8]| {
    let (runtime, state) = &*PROCESS;
    let stores = state.runtime_env();
    let _ = serde_json::from_slice::<Record>(bytes);
    runtime.block_on(async {
        let out = "trial://store/out/";
        for name in ["manifest.json", "model.json", "metrics.json", "_work/stage/manifest.json"] {
            put(stores, &format!("{out}{name}"), bytes.to_vec()).await.unwrap();
        }
        let _ = Published::read(stores, out).await;
        let work = Work::new(Arc::clone(stores), out);
        let _ = work.complete::<Extracted>("stage", "a").await;
        let _ = work.complete::<Evaluated>("stage", "a").await;
        for model in [out.to_owned(), format!("{out}model.json")] {
            let spec = ScoreSpec {
                name: "trial".to_owned(),
                model,
                input: vec!["trial://store/in/".to_owned()],
                tables: vec![],
                sql: None,
                output: "trial://store/scores/".to_owned(),
            };
            assert!(ScoreJob::new(spec, "/").check(state).await.is_err());
        }
    });
});
