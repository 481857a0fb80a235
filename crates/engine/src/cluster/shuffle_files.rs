//! A worker's shuffle files, which outlive its tasks: a plan that has read from them may do so again until it ends.
//!
//! A request names a file of a plan. If the job id in it is anything but the name of a folder, such as `../../x`, the
//! call is refused before Ballista makes a path of it.
//!
//! When a worker is asked to stop, Ballista stops serving its shuffle files as soon as its tasks have ended. Whatever
//! other tasks still had to fetch would then have to be made again elsewhere. Here the server goes on until no running
//! plan has files on this worker, or the time for stopping is over.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, PollInfo, SchemaResult, Ticket,
};
use ballista_core::error::BallistaError;
use ballista_core::extension::EndpointOverrideFn;
use ballista_core::serde::decode_protobuf;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{GetJobStatusParams, job_status};
use ballista_core::serde::scheduler::Action as BallistaAction;
use ballista_core::utils::create_grpc_server;
use ballista_executor::ArrowFlightServerProvider;
use ballista_executor::flight_service::BallistaFlightService;
use tokio::sync::watch;
use tokio::time::Instant;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status, Streaming};

use crate::runtime::MAX_MESSAGE_BYTES;

/// How often the scheduler is asked which plans are over.
const LOOK: Duration = Duration::from_millis(500);

/// The driver begins to fetch the results of a plan when it hears that the plan is over, and then has this long.
/// Results are always small.
const RESULTS_FETCHED: Duration = Duration::from_secs(5);

/// Serves the shuffle files in a folder.
pub(super) fn shuffle_service(folder: String) -> FlightServiceServer<OwnFiles> {
    FlightServiceServer::new(OwnFiles(BallistaFlightService::new(folder)))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// Longest id of a plan.
const LONGEST_ID: usize = 64;

/// Ballista's service, restricted to the files of its own folder.
pub(super) struct OwnFiles(BallistaFlightService);

/// Refuses a request for a file elsewhere.
fn check(action: &[u8]) -> Result<(), Status> {
    let BallistaAction::FetchPartition { job_id, .. } =
        decode_protobuf(action).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let id = job_id.to_string();
    let is_name = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if is_name && (1..=LONGEST_ID).contains(&id.len()) {
        Ok(())
    } else {
        Err(Status::invalid_argument("the id of a plan is letters, digits, `-` and `_`"))
    }
}

#[tonic::async_trait]
impl FlightService for OwnFiles {
    type DoActionStream = <BallistaFlightService as FlightService>::DoActionStream;
    type DoExchangeStream = <BallistaFlightService as FlightService>::DoExchangeStream;
    type DoGetStream = <BallistaFlightService as FlightService>::DoGetStream;
    type DoPutStream = <BallistaFlightService as FlightService>::DoPutStream;
    type HandshakeStream = <BallistaFlightService as FlightService>::HandshakeStream;
    type ListActionsStream = <BallistaFlightService as FlightService>::ListActionsStream;
    type ListFlightsStream = <BallistaFlightService as FlightService>::ListFlightsStream;

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        check(&request.get_ref().ticket)?;
        self.0.do_get(request).await
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        check(&request.get_ref().body)?;
        self.0.do_action(request).await
    }

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        self.0.handshake(request).await
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        self.0.list_flights(request).await
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        self.0.get_flight_info(request).await
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        self.0.poll_flight_info(request).await
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        self.0.get_schema(request).await
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        // Ballista's own handler reads the whole upload before it refuses it.
        Err(Status::unimplemented("nothing is put here"))
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        self.0.do_exchange(request).await
    }

    async fn list_actions(&self, request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        self.0.list_actions(request).await
    }
}

/// Serves the shuffle files of a worker until it is dropped.
pub(super) struct ShuffleFiles {
    folder: PathBuf,
    closed: watch::Sender<bool>,
}

impl ShuffleFiles {
    /// Serves the files of a worker that writes to `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), closed: watch::Sender::new(false) }
    }

    /// The server that Ballista starts in place of its own. It stays when Ballista shuts down.
    pub(super) fn server(&self) -> Arc<ArrowFlightServerProvider> {
        let closed = self.closed.subscribe();
        Arc::new(move |folder, address, _ballistas_own, config| {
            let mut closed = closed.clone();
            tokio::spawn(async move {
                let closed = async move {
                    // This also returns when the sender is gone.
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

    /// Waits until no running plan has files here. It also stops waiting when the scheduler does not answer, because
    /// then it has no plans.
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

/// The plans that have files in a worker's folder: each has a subfolder of its name.
fn plans(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// `None` for a plan that the scheduler no longer knows.
async fn status_of(
    scheduler: &mut SchedulerGrpcClient<Channel>,
    plan: &str,
) -> Result<Option<job_status::Status>, Status> {
    let asked = GetJobStatusParams { job_id: plan.to_owned() };
    Ok(scheduler.get_job_status(asked).await?.into_inner().status.and_then(|status| status.status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballista_core::serde::protobuf::{self, action::ActionType};
    use prost::Message;

    #[test]
    fn files_of_plans_alone_are_served() {
        let asked = |job_id: &str| {
            let partition = protobuf::FetchPartition { job_id: job_id.to_owned(), ..Default::default() };
            let action =
                protobuf::Action { action_type: Some(ActionType::FetchPartition(partition)), settings: vec![] };
            check(&action.encode_to_vec())
        };
        asked("a1B2c3d").unwrap();
        for elsewhere in ["", "..", "../../x", "/etc", "a/b", "a\\b", "%2e%2e", "a.b", &"a".repeat(65)] {
            assert_eq!(asked(elsewhere).unwrap_err().code(), tonic::Code::InvalidArgument, "{elsewhere}");
        }
        assert!(check(b"neither an action nor a ticket").is_err());
    }
}
