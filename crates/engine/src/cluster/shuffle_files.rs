//! A worker's shuffle files, which outlive its tasks: plans that have read from it once will do so again until they are over.
//!
//! Ballista stops serving them when the tasks of a worker that is asked to stop have ended; what other tasks had still to fetch
//! would then be made anew elsewhere. Here the server goes on until no running plan has files on this worker, or the time for
//! stopping is over.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use ballista_core::error::BallistaError;
use ballista_core::extension::EndpointOverrideFn;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{GetJobStatusParams, job_status};
use ballista_core::utils::create_grpc_server;
use ballista_executor::ArrowFlightServerProvider;
use ballista_executor::flight_service::BallistaFlightService;
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};

use crate::runtime::MAX_MESSAGE_BYTES;

/// The scheduler is asked so often which plans are over.
const LOOK: Duration = Duration::from_millis(500);

/// The driver begins to fetch the results of a plan when it hears that the plan is over, and has so long to be done: results
/// are small by their nature.
const RESULTS_FETCHED: Duration = Duration::from_secs(5);

/// Serves the shuffle files in a folder.
pub(super) fn shuffle_service(folder: String) -> FlightServiceServer<BallistaFlightService> {
    FlightServiceServer::new(BallistaFlightService::new(folder))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// Serves the shuffle files of a worker until it is dropped.
pub(super) struct ShuffleFiles {
    folder: PathBuf,
    closed: watch::Sender<bool>,
}

impl ShuffleFiles {
    /// Of a worker that writes to `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), closed: watch::Sender::new(false) }
    }

    /// What Ballista starts in the place of its own server. When Ballista shuts down, this one stays.
    pub(super) fn server(&self) -> Arc<ArrowFlightServerProvider> {
        let closed = self.closed.subscribe();
        Arc::new(move |folder, address, _ballistas_own, config| {
            let mut closed = closed.clone();
            tokio::spawn(async move {
                let closed = async move {
                    // Also when nobody is left who could say so.
                    let _ = closed.wait_for(|closed| *closed).await;
                };
                let served = create_grpc_server(&config)
                    .add_service(shuffle_service(folder))
                    .serve_with_shutdown(address, closed)
                    .await;
                served.map_err(BallistaError::TonicError)
            })
        })
    }

    /// Waits until no plan that runs has files here, or a scheduler cannot be asked, which then has no plans.
    pub(super) async fn needed(&self, scheduler: &str, connect: &EndpointOverrideFn) {
        let channel = async {
            let endpoint = Endpoint::from_shared(format!("http://{scheduler}"))?;
            let endpoint = connect(endpoint).map_err(|error| BallistaError::General(error.to_string()))?;
            endpoint.connect().await.map_err(BallistaError::TonicError)
        };
        let mut scheduler = match channel.await {
            Ok(channel) => SchedulerGrpcClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES),
            Err(error) => return tracing::debug!(%error, "the scheduler cannot be asked which plans are over"),
        };
        let mut over: HashMap<String, Instant> = HashMap::new();
        loop {
            let mut is_needed = false;
            for plan in plans(&self.folder) {
                match status_of(&mut scheduler, &plan).await {
                    Ok(Some(job_status::Status::Queued(_) | job_status::Status::Running(_))) => is_needed = true,
                    Ok(Some(job_status::Status::Successful(_))) => {
                        is_needed |= over.entry(plan).or_insert_with(Instant::now).elapsed() < RESULTS_FETCHED;
                    }
                    Ok(Some(job_status::Status::Failed(_)) | None) => {}
                    Err(error) => return tracing::debug!(%error, "the scheduler cannot be asked which plans are over"),
                }
            }
            if !is_needed {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for ShuffleFiles {
    fn drop(&mut self) {
        self.closed.send_replace(true);
    }
}

/// Whose files are in a worker's folder: each plan has a folder of its name.
fn plans(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// `None` of a plan that the scheduler does not know any more.
async fn status_of(
    scheduler: &mut SchedulerGrpcClient<Channel>,
    plan: &str,
) -> Result<Option<job_status::Status>, tonic::Status> {
    let asked = GetJobStatusParams { job_id: plan.to_owned() };
    Ok(scheduler.get_job_status(asked).await?.into_inner().status.and_then(|status| status.status))
}
