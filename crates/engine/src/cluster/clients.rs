//! Connections to other workers, kept for the next fetch. Ballista's own pool cannot be named from outside its crate,
//! and an executor with an engine of ours gets no pool.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ballista_core::client::BallistaClient;
use ballista_core::client_pool::{BallistaClientPool, PooledClient};
use ballista_core::error::Result;
use ballista_core::extension::BallistaConfigGrpcEndpoint;
use ballista_core::utils::GrpcClientConfig;
use parking_lot::Mutex;

/// A connection that nobody has used for this long is closed.
const KEPT: Duration = Duration::from_secs(30);

type Peer = (String, u16, GrpcClientConfig);
/// The idle connections and since when each is idle; the one idle longest is at the front.
type Idle = Mutex<HashMap<Peer, Vec<(Instant, BallistaClient)>>>;

/// The pool. Dropping it closes its idle connections.
pub(super) struct ClientPool {
    idle: Arc<Idle>,
}

impl std::fmt::Debug for ClientPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientPool").finish_non_exhaustive()
    }
}

impl ClientPool {
    /// Makes an empty pool and starts a task of the runtime that closes idle connections.
    pub(super) fn start() -> Self {
        let idle: Arc<Idle> = Arc::default();
        let kept: Weak<Idle> = Arc::downgrade(&idle);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(KEPT / 2);
            loop {
                ticks.tick().await;
                match kept.upgrade() {
                    Some(idle) => close(&idle),
                    None => return,
                }
            }
        });
        Self { idle }
    }
}

fn close(idle: &Idle) {
    idle.lock().retain(|_, clients| {
        clients.retain(|(since, _)| since.elapsed() < KEPT);
        !clients.is_empty()
    });
}

#[async_trait]
impl BallistaClientPool for ClientPool {
    async fn acquire(
        &self,
        host: &str,
        port: u16,
        config: &GrpcClientConfig,
        customize_endpoint: Option<Arc<BallistaConfigGrpcEndpoint>>,
    ) -> Result<PooledClient> {
        let peer = (host.to_owned(), port, config.clone());
        let idle = self.idle.lock().get_mut(&peer).and_then(Vec::pop);
        let client = match idle {
            Some((_, client)) => client,
            None => {
                BallistaClient::try_new(
                    host,
                    port,
                    config.max_message_size,
                    config.use_tls,
                    customize_endpoint,
                    config.io_retries_times,
                    config.io_retry_wait_time_ms,
                    config.initial_connection_window_size,
                    config.initial_stream_window_size,
                )
                .await?
            }
        };
        let pool = Arc::clone(&self.idle);
        let give_back = move |client| pool.lock().entry(peer).or_default().push((Instant::now(), client));
        Ok(PooledClient::new(client, Box::new(give_back)))
    }

    async fn evict_idle(&self) {
        close(&self.idle);
    }
}
