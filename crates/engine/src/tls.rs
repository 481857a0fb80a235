//! TLS between processes, with certificates that are read again when their files change.
//!
//! A server reads the files' current content for each incoming connection, and a client for each connection it makes.
//! Open connections keep what they began with.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::Stream;
use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::connections::{Connection, Door};
use crate::error::{EngineError, Result};

/// How often the files are checked for changes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A peer that has not completed the handshake after this long is disconnected.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Connections that have completed the handshake and wait to be accepted.
const BACKLOG: usize = 64;

/// Where certificates are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// This process's certificate, followed by those between it and the authority's.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The certificates that a peer's certificate must come from. A server with this set accepts no client without a
    /// certificate.
    pub authority: Option<PathBuf>,
}

impl TlsFiles {
    fn all(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.certificate), Some(&self.key), self.authority.as_ref()].into_iter().flatten().map(PathBuf::as_path)
    }

    pub(crate) fn modified(&self) -> Vec<Option<SystemTime>> {
        self.all().map(|file| fs::metadata(file).and_then(|metadata| metadata.modified()).ok()).collect()
    }
}

fn unusable(file: &Path, error: impl fmt::Display) -> EngineError {
    EngineError::spec(format!("{}: {error}", file.display()))
}

/// The server's side of TLS. Clones share it.
#[derive(Clone)]
pub struct TlsServer(Arc<Shared>);

struct Shared {
    files: TlsFiles,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    modified: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl TlsServer {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file cannot be read, or holds no certificate or key.
    pub fn open(files: TlsFiles) -> Result<Self> {
        let (modified, config) = (files.modified(), server_config(&files)?);
        let loaded = Mutex::new(Loaded { config, modified, looked: Instant::now() });
        Ok(Self(Arc::new(Shared { files, loaded })))
    }

    fn acceptor(&self) -> TlsAcceptor {
        let mut loaded = self.0.loaded.lock();
        if loaded.looked.elapsed() >= LOOK_AGAIN {
            loaded.looked = Instant::now();
            let now = self.0.files.modified();
            if now != loaded.modified {
                match server_config(&self.0.files) {
                    Ok(config) => {
                        tracing::info!(certificate = %self.0.files.certificate.display(), "the certificate was read again");
                        (loaded.config, loaded.modified) = (config, now);
                    }
                    Err(error) => tracing::error!(%error, "the certificate cannot be read again; the one before stays"),
                }
            }
        }
        TlsAcceptor::from(Arc::clone(&loaded.config))
    }

    /// The connections of a listener, for tonic. Those whose handshake fails are closed.
    pub fn incoming(
        &self,
        listener: TcpListener,
    ) -> impl Stream<Item = io::Result<Connection<TlsStream<TcpStream>>>> + use<> {
        let (sender, receiver) = mpsc::channel(BACKLOG);
        let tls = self.clone();
        tokio::spawn(async move {
            let closed = sender.clone();
            let take = move |stream| {
                let sender = sender.clone();
                async move {
                    // Nobody receives it when the server is shutting down.
                    let _ = sender.send(Ok(stream)).await;
                }
            };
            tokio::select! {
                () = tls.accept(listener, take) => {}
                () = closed.closed() => {}
            }
        });
        ReceiverStream::new(receiver)
    }

    /// Forwards the connections of a listener to a server without TLS in this same process.
    #[must_use]
    pub fn forward(&self, listener: TcpListener, to: SocketAddr) -> JoinHandle<()> {
        let tls = self.clone();
        tokio::spawn(async move {
            let carry = move |mut stream: Connection<TlsStream<TcpStream>>| async move {
                let Ok(mut inner) = TcpStream::connect(to).await else { return };
                let _ = inner.set_nodelay(true);
                // Either side may end the connection at any time.
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut inner).await;
            };
            tls.accept(listener, carry).await;
        })
    }

    /// Does the handshake with each peer, in a task of its own.
    async fn accept<F>(
        &self,
        listener: TcpListener,
        take: impl Fn(Connection<TlsStream<TcpStream>>) -> F + Clone + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let door = Door::new(listener);
        loop {
            let (stream, place) = door.next().await;
            let (acceptor, take) = (self.acceptor(), take.clone());
            tokio::spawn(async move {
                match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => take(Connection::new(stream, place)).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a connection was refused"),
                    Err(_) => tracing::debug!("a connection did not shake hands in time"),
                }
            });
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(file).map_err(|error| unusable(file, error))?;
    let found: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| unusable(file, error))?;
    if found.is_empty() { Err(unusable(file, "holds no certificate in PEM")) } else { Ok(found) }
}

fn server_config(files: &TlsFiles) -> Result<Arc<ServerConfig>> {
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| unusable(&files.key, error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| EngineError::job(format!("TLS: {error}")))?;
    let builder = match &files.authority {
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| unusable(file, error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| unusable(file, error))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(certificates(&files.certificate)?, key)
        .map_err(|error| unusable(&files.certificate, error))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// The client's side of TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsClient {
    /// The certificates that the server's certificate must come from; the system's, if none is given.
    pub authority: Option<PathBuf>,
    /// This process's certificate and key, where the server asks for one.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that the server's certificate must be for; the host that is connected to, if none is given.
    pub server_name: Option<String>,
}

impl TlsClient {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn config(&self) -> Result<ClientTlsConfig> {
        let read = |file: &Path| fs::read(file).map_err(|error| unusable(file, error));
        let mut config = ClientTlsConfig::new();
        config = match &self.authority {
            Some(file) => config.ca_certificate(Certificate::from_pem(read(file)?)),
            None => config.with_native_roots(),
        };
        if let Some((certificate, key)) = &self.identity {
            config = config.identity(Identity::from_pem(read(certificate)?, read(key)?));
        }
        if let Some(name) = &self.server_name {
            config = config.domain_name(name);
        }
        Ok(config)
    }
}
