//! What a process tells about itself over HTTP: whether it lives (`/livez`), whether it is ready (`/readyz`), and its
//! metrics in the format of Prometheus (`/metrics`).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The media type of the OpenMetrics text format.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Ready = Box<dyn Fn() -> bool + Send + Sync>;
type Refresh = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// What answers the probes.
pub struct Probes {
    ready: Ready,
    /// Brings those metrics up to date that are not counted as things happen.
    refresh: Refresh,
    registry: Mutex<Registry>,
}

impl Probes {
    /// Probes with the metrics of a registry, which are refreshed before each look.
    pub fn new(
        registry: Registry,
        ready: impl Fn() -> bool + Send + Sync + 'static,
        refresh: impl Fn() -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self { ready: Box::new(ready), refresh: Box::new(refresh), registry: Mutex::new(registry) }
    }

    /// Answers on `listener` for as long as the returned task is not aborted.
    #[must_use]
    pub fn serve(self, listener: TcpListener) -> JoinHandle<()> {
        let router = Router::new()
            .route("/livez", get(async || "alive\n"))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(Arc::new(self));
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the probes stopped");
            }
        })
    }
}

async fn ready(State(probes): State<Arc<Probes>>) -> impl IntoResponse {
    if (probes.ready)() { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") }
}

async fn metrics(State(probes): State<Arc<Probes>>) -> impl IntoResponse {
    (probes.refresh)().await;
    let mut text = String::new();
    match encode(&mut text, &probes.registry.lock()) {
        Ok(()) => (StatusCode::OK, [(header::CONTENT_TYPE, OPEN_METRICS)], text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], error.to_string()),
    }
}
