//! A [`Cluster`] is either embedded or remote, and a job cannot tell which.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::prelude::SessionContext;
use segmenta_engine::Fault;
use segmenta_engine::artifact::Part;
use segmenta_engine::cluster::Cluster;
use segmenta_engine::operators::{MapParts, OperatorExec, Sample, parts_table};
use segmenta_pipeline::job::{Job, RunOptions};

use crate::support::{cdnow_spec, folder, options, run, table_checksums};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_on_a_remote_scheduler() {
    let embedded = Cluster::embedded(options(2)).await.unwrap();
    let remote = Cluster::remote(embedded.scheduler_url()).unwrap();
    let here = folder();
    let job = Job::load(&cdnow_spec(here.path(), &[("to: 10", "to: 4")])).unwrap();
    let outcome = job.run(&remote, &RunOptions::default(), &()).await.unwrap();

    let there = folder();
    let job = Job::load(&cdnow_spec(there.path(), &[("to: 10", "to: 4")])).unwrap();
    let alone = tokio::task::spawn_blocking(move || run(&job, 1, &RunOptions::default()).unwrap()).await.unwrap();
    assert_eq!(table_checksums(&outcome), table_checksums(&alone));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_is_not_there() {
    let cluster = Cluster::remote("http://127.0.0.1:1").unwrap();
    let here = folder();
    let job = Job::load(&cdnow_spec(here.path(), &[])).unwrap();
    let failed = tokio::time::timeout(Duration::from_secs(60), job.run(&cluster, &RunOptions::default(), &())).await;
    let error = failed.expect("hangs").unwrap_err();
    assert_eq!(error.fault, Fault::Cluster, "{error}");
    assert!(error.message.contains("http://127.0.0.1:1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_of_dataframes_run_too() {
    let cluster = Cluster::embedded(options(2)).await.unwrap();
    let context = SessionContext::new_with_state(cluster.state().clone());
    let frame = context.sql("SELECT count(*) FROM (VALUES (1), (2), (3)) AS t(x)").await.unwrap();
    let batches = cluster.collect(frame.create_physical_plan().await.unwrap()).await.unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().values(), &[3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_task_names_its_part() {
    let cluster = Cluster::embedded(options(2)).await.unwrap();
    let part = |index| Part {
        index,
        url: format!("file:///no/such/part-{index}.parquet"),
        rows: 1,
        bytes: 100,
        sha256: format!("{index}"),
    };
    let task = Sample { columns: vec!["x".into()], seed: 1, rows: 1, threshold: u64::MAX, keep: false };
    let error = cluster.map_parts(task, &[vec![part(0)], vec![part(1)]]).await.unwrap_err();
    assert_eq!(error.fault, Fault::Input, "{error}");
    assert!(error.message.contains("file:///no/such/part-"), "{error}");
}

#[test]
fn operators_explain_themselves() {
    let part = Part { index: 3, url: "file:///p".into(), rows: 1, bytes: 1, sha256: "00".into() };
    let task = Sample { columns: vec!["x".into()], seed: 1, rows: 1, threshold: u64::MAX, keep: false };
    let plan: Arc<dyn ExecutionPlan> =
        Arc::new(OperatorExec::new(MapParts::new(task), parts_table(&[vec![part]]).unwrap()));
    let text = displayable(plan.as_ref()).indent(false).to_string();
    assert!(text.starts_with("MapPartsExec: task=sample\n  DataSourceExec"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_at_once_do_not_see_each_others_tables() {
    let cluster = Cluster::embedded(options(2)).await.unwrap();
    let (one, other) = (folder(), folder());
    let whole = Job::load(&cdnow_spec(one.path(), &[("to: 10", "to: 3")])).unwrap();
    let half = Job::load(&cdnow_spec(other.path(), &[("to: 10", "to: 3"), ("cdnow/*", "cdnow/orders-00")])).unwrap();
    let options = RunOptions::default();
    let (whole, half) = tokio::join!(whole.run(&cluster, &options, &()), half.run(&cluster, &options, &()));
    assert_eq!(whole.unwrap().customers, 23_570);
    assert!(half.unwrap().customers < 23_570);
}
