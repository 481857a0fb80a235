//! The job service from the other side.

use std::path::Path;
use std::time::Duration;

use segmenta_engine::tls::TlsClient;
use segmenta_engine::{EngineError, Fault, Result};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::api::jobs_client::JobsClient;
use crate::coordinator::service::FAULT_KEY;

/// The longest that connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A coordinator that has not answered for this long is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// A client of the job service.
pub type Client = JobsClient<InterceptedService<Channel, Bearer>>;

/// Shows a token with every call.
#[derive(Clone)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// How a coordinator is reached.
#[derive(Debug, Clone)]
pub struct Target {
    /// `http://host:port` or `https://host:port`.
    pub coordinator: String,
    /// A bearer token, where the coordinator asks for one.
    pub token: Option<String>,
    /// How TLS is set up, for `https://`.
    pub tls: TlsClient,
}

impl Target {
    /// Connects.
    ///
    /// # Errors
    /// A URL or token that is not valid, or a coordinator that cannot be reached.
    pub async fn connect(&self) -> Result<Client> {
        let unreachable = |error: &dyn std::error::Error| {
            let why = std::iter::successors(error.source(), |error| error.source()).last();
            let why = why.map_or_else(|| error.to_string(), ToString::to_string);
            EngineError::new(
                Fault::Cluster,
                format!("the coordinator at {} cannot be reached: {why}", self.coordinator),
            )
        };
        let endpoint = Endpoint::from_shared(self.coordinator.clone())
            .map_err(|error| EngineError::spec(format!("--coordinator {}: {error}", self.coordinator)))?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEPALIVE)
            .tcp_nodelay(true);
        let is_tls = endpoint.uri().scheme_str() == Some("https");
        let endpoint = if is_tls {
            endpoint.tls_config(self.tls.config()?).map_err(|error| unreachable(&error))?
        } else {
            endpoint
        };
        let token = self.token.as_deref().map(|token| {
            let mut value: MetadataValue<Ascii> = format!("Bearer {}", token.trim())
                .parse()
                .map_err(|_| EngineError::spec("the token has characters that a token cannot have"))?;
            value.set_sensitive(true);
            Ok::<_, EngineError>(value)
        });
        let channel = endpoint.connect().await.map_err(|error| unreachable(&error))?;
        Ok(JobsClient::with_interceptor(channel, Bearer(token.transpose()?)))
    }
}

/// A token from a file.
///
/// # Errors
/// A file that cannot be read.
pub fn read_token(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| EngineError::spec(format!("{}: the token cannot be read: {error}", file.display())))?;
    Ok(text.trim().to_owned())
}

/// A refusal as an error of the caller's command.
#[must_use]
pub fn explain(status: &Status) -> EngineError {
    let told = status.metadata().get(FAULT_KEY).and_then(|fault| fault.to_str().ok()).and_then(Fault::by_name);
    // A refusal by the service itself says whose fault it is; any other comes from something in between.
    let fault = told.unwrap_or(match status.code() {
        Code::InvalidArgument
        | Code::Unauthenticated
        | Code::PermissionDenied
        | Code::NotFound
        | Code::OutOfRange
        | Code::ResourceExhausted => Fault::Spec,
        _ => Fault::Cluster,
    });
    let message = match (told, status.code()) {
        (Some(_), _) | (None, Code::Unauthenticated | Code::PermissionDenied) => status.message().to_owned(),
        (None, code) => format!("the coordinator: {}: {}", code.description(), status.message()),
    };
    EngineError::new(fault, message)
}
