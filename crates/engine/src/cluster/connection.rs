//! How the processes of a cluster connect to each other.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ballista_core::extension::EndpointOverrideFn;
use tonic::transport::Endpoint;

use crate::error::Result;
use crate::tls::{TlsClient, TlsFiles, TlsServer};

/// A connection that takes longer to set up has failed.
const CONNECT: Duration = Duration::from_secs(10);

/// How often a peer is asked whether it is still there, and how long it has to answer. After that, a call that a cut
/// wire left hanging fails and is tried again.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Mutual TLS between coordinator and workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberTls {
    /// This member's certificate, in PEM.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authority that every member's certificate must come from.
    pub authority: PathBuf,
    /// The name that every member's certificate must be for. It is one name for all, because members find each other by
    /// addresses that change.
    pub name: String,
}

impl MemberTls {
    pub(super) fn server(&self) -> Result<TlsServer> {
        TlsServer::open(self.files())
    }

    /// When each of its files was last changed, where the file system tells.
    #[must_use]
    pub fn modified(&self) -> Vec<Option<SystemTime>> {
        self.files().modified()
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            authority: Some(self.authority.clone()),
        }
    }

    fn client(&self) -> TlsClient {
        TlsClient {
            authority: Some(self.authority.clone()),
            identity: Some((self.certificate.clone(), self.key.clone())),
            server_name: Some(self.name.clone()),
        }
    }
}

/// What is set on each endpoint that Ballista connects to.
pub(super) fn endpoints(tls: Option<MemberTls>) -> EndpointOverrideFn {
    let client = tls.map(|tls| tls.client());
    Arc::new(move |endpoint: Endpoint| {
        let endpoint = match (&client, endpoint.uri().authority()) {
            // Ballista writes `http://` even where the peer speaks TLS.
            (Some(client), Some(authority)) => {
                Endpoint::from_shared(format!("https://{authority}"))?.tls_config(client.config()?)?
            }
            _ => endpoint,
        };
        Ok(endpoint
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .tcp_keepalive(Some(KEEPALIVE))
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE)
            .keep_alive_while_idle(true))
    })
}
