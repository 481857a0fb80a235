//! The configuration of a process. Flags override the environment (`SEGMENTA_…`), which overrides a file, which
//! overrides the defaults.
//!
//! Every key of a configuration has a flag (`--max-running-jobs`), a variable (`SEGMENTA_MAX_RUNNING_JOBS`) and a key in the
//! file (`max_running_jobs`, TOML). A key that is not known is an error that says where it stands.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use clap::Args;
use config::{Config, ConfigError, File, FileFormat};
use segmenta_engine::cluster::MemberTls;
use segmenta_engine::runtime::MemoryPlan;
use segmenta_engine::tls::TlsFiles;
use segmenta_engine::{EngineError, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The prefix of variables.
pub const ENVIRONMENT: &str = "SEGMENTA_";

/// Variables of the command line, which are no keys of a configuration: where its file is, and how a coordinator is reached.
const OF_THE_COMMAND_LINE: &[&str] = &["config", "coordinator", "token"];

/// Reads a configuration.
///
/// # Errors
/// A file that cannot be read; a key that is not known, or a value that does not fit its key, and where it stands.
pub fn load<C, F>(file: Option<&Path>, flags: &F) -> Result<C>
where
    C: Serialize + DeserializeOwned + Default,
    F: Serialize,
{
    layered(file, std::env::vars_os(), flags)
}

fn layered<C, F>(file: Option<&Path>, environment: impl Iterator<Item = (OsString, OsString)>, flags: &F) -> Result<C>
where
    C: Serialize + DeserializeOwned + Default,
    F: Serialize,
{
    let mut layers = Config::builder().add_source(Config::try_from(&C::default()).map_err(|error| refused(&error))?);
    if let Some(file) = file {
        let name = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| EngineError::spec(format!("{name}: the configuration file cannot be read: {error}")))?;
        // By itself, so that a mistake is told with its line.
        toml::from_str::<C>(&text).map_err(|error| EngineError::spec(format!("configuration: {name}: {error}")))?;
        layers = layers.add_source(File::from_str(&text, FileFormat::Toml));
    }
    for source in [Config::try_from(&variables(&C::default(), environment)), Config::try_from(flags)] {
        layers = layers.add_source(source.map_err(|error| refused(&error))?);
    }
    layers.build().and_then(Config::try_deserialize).map_err(|error| refused(&error))
}

/// The file has been checked, and flags have types: what is wrong comes from a variable.
fn refused(error: &ConfigError) -> EngineError {
    let key = match error {
        ConfigError::At { key: Some(key), .. } | ConfigError::Type { key: Some(key), .. } => key.to_ascii_uppercase(),
        _ => "…".to_owned(),
    };
    EngineError::spec(format!("configuration: a variable {ENVIRONMENT}{key}: {error}"))
}

/// The variables that are keys of a configuration, by these keys. Their texts are read as what the key is, so that a name may be
/// `007`; a list is written with commas.
fn variables(
    defaults: &impl Serialize,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> BTreeMap<String, Value> {
    let known = serde_json::to_value(defaults).unwrap_or_default();
    let of_ours = |(name, value): (OsString, OsString)| {
        let key = name.to_str()?.strip_prefix(ENVIRONMENT)?.to_ascii_lowercase();
        let is_other = OF_THE_COMMAND_LINE.contains(&key.as_str()) || is_service_link(&key);
        let is_key = known.get(&key).is_some() || !is_other;
        let text = value.to_string_lossy();
        let value = match known.get(&key) {
            Some(Value::Array(_)) => text.split(',').map(|item| item.trim()).filter(|item| !item.is_empty()).collect(),
            _ => Value::String(text.into_owned()),
        };
        is_key.then_some((key, value))
    };
    environment.filter_map(of_ours).collect()
}

/// Kubernetes puts variables for every service into every pod; those of a service named `segmenta…` look like ours.
fn is_service_link(key: &str) -> bool {
    key.contains("_service_") || key.ends_with("_port") || key.contains("_port_")
}

/// A configuration as a file that would set it.
///
/// # Errors
/// Never for the configurations here.
pub fn print<C: Serialize>(config: &C) -> Result<String> {
    toml::to_string(config).map_err(|error| EngineError::job(format!("the configuration cannot be written: {error}")))
}

/// The plan for a configured size, or for what the machine offers.
fn memory_plan(memory: Option<ByteSize>) -> MemoryPlan {
    memory.map_or_else(MemoryPlan::detect, |memory| MemoryPlan::new(memory.as_u64() as usize))
}

fn member_tls(
    certificate: &Option<PathBuf>,
    key: &Option<PathBuf>,
    authority: &Option<PathBuf>,
    name: Option<&str>,
) -> Result<Option<MemberTls>> {
    match (certificate, key, authority, name) {
        (None, None, None, None) => Ok(None),
        (Some(certificate), Some(key), Some(authority), Some(name)) => Ok(Some(MemberTls {
            certificate: certificate.clone(),
            key: key.clone(),
            authority: authority.clone(),
            name: name.to_owned(),
        })),
        _ => Err(EngineError::spec(
            "cluster_certificate, cluster_key, cluster_authority and cluster_name: TLS between the members of the cluster \
             needs all four of them",
        )),
    }
}

/// Refuses to listen where strangers can connect if there are no certificates that tell members from strangers.
fn check_exposed(key: &str, address: IpAddr, has_certificate: bool, insecure: bool) -> Result<()> {
    if has_certificate || insecure || address.is_loopback() {
        return Ok(());
    }
    Err(EngineError::spec(format!(
        "{key}: {address} is reached by others than this machine, and whoever reaches it can run any plan and read what plans leave: set \
         cluster_certificate, cluster_key, cluster_authority and cluster_name, or `insecure` where only members reach it"
    )))
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How a coordinator runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoordinatorConfig {
    /// Where the job service listens.
    pub listen: SocketAddr,
    /// Where the scheduler listens, for workers alone: whoever reaches it can run any plan.
    pub scheduler_listen: SocketAddr,
    /// Where probes and metrics are served over HTTP; nowhere, if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_listen: Option<SocketAddr>,
    /// Host that workers reach the scheduler at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// File of the tokens; callers have to show one of them. Everybody may do everything, if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Certificate of the job service, in PEM. With it the service speaks TLS, and `key` is needed as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Authority that callers' certificates have to come from; callers need none, if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_authority: Option<PathBuf>,
    /// Certificate of this process towards the other members of the cluster, in PEM. With it, coordinator and workers speak
    /// mutual TLS; then `cluster_key`, `cluster_authority` and `cluster_name` are needed as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_certificate: Option<PathBuf>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_key: Option<PathBuf>,
    /// Authority that every member's certificate has to come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_authority: Option<PathBuf>,
    /// The name that every member's certificate has to be for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Listen beyond loopback without members' certificates. Set it only where nobody but members reaches these ports.
    pub insecure: bool,
    /// URL of the folder that the coordinator keeps its jobs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// URLs that jobs may read and write below.
    pub allow: Vec<String>,
    /// Jobs that run at once.
    pub max_running_jobs: usize,
    /// Jobs that may wait.
    pub max_waiting_jobs: usize,
    /// Jobs of one owner that run at once; an owner is the name of a token. As many as of all, if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_running_jobs_per_owner: Option<usize>,
    /// Jobs of one owner that may wait; as many as of all, if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_waiting_jobs_per_owner: Option<usize>,
    /// Seconds that the check of a spec against its sources may take.
    pub check_timeout_seconds: u64,
    /// Memory that a check may take, in a process of its own.
    pub check_memory: ByteSize,
    /// Jobs that are over and are still listed; if there are more, those that ended first are forgotten.
    pub max_finished_jobs: usize,
    /// Seconds that a job may run; 0 for no limit.
    pub job_timeout_seconds: u64,
    /// Longest spec in bytes.
    pub max_spec_bytes: usize,
    /// Seconds that the lease on a job lasts without being renewed.
    pub lease_seconds: u64,
    /// Seconds after which a worker that is silent is lost.
    pub worker_timeout_seconds: u64,
    /// Seconds that a worker which is shutting down has for its tasks.
    pub drain_timeout_seconds: u64,
    /// Attempts at a task.
    pub task_attempts: usize,
    /// Attempts at a stage of a plan whose shuffle files were lost.
    pub stage_attempts: usize,
    /// Memory to plan with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(LOOPBACK, 50050),
            scheduler_listen: SocketAddr::new(LOOPBACK, 50060),
            probe_listen: None,
            host: None,
            token_file: None,
            certificate: None,
            key: None,
            client_authority: None,
            cluster_certificate: None,
            cluster_key: None,
            cluster_authority: None,
            cluster_name: None,
            insecure: false,
            state: None,
            allow: vec![],
            max_running_jobs: 2,
            max_waiting_jobs: 1000,
            max_running_jobs_per_owner: None,
            max_waiting_jobs_per_owner: None,
            check_timeout_seconds: 120,
            check_memory: ByteSize::mib(256),
            max_finished_jobs: 10_000,
            job_timeout_seconds: 0,
            max_spec_bytes: 1 << 20,
            lease_seconds: 60,
            worker_timeout_seconds: 30,
            drain_timeout_seconds: 30,
            task_attempts: 4,
            stage_attempts: 4,
            memory: None,
        }
    }
}

impl CoordinatorConfig {
    /// Memory of the process.
    #[must_use]
    pub fn memory_plan(&self) -> MemoryPlan {
        memory_plan(self.memory)
    }

    /// TLS with the other members of the cluster.
    ///
    /// # Errors
    /// Some of its keys without the others.
    pub fn member_tls(&self) -> Result<Option<MemberTls>> {
        member_tls(&self.cluster_certificate, &self.cluster_key, &self.cluster_authority, self.cluster_name.as_deref())
    }

    /// Whether strangers are kept from the scheduler.
    ///
    /// # Errors
    /// An address that others can reach, with neither certificates nor `insecure`.
    pub fn check_exposed(&self) -> Result<()> {
        let address = self.scheduler_listen.ip();
        check_exposed("scheduler_listen", address, self.cluster_certificate.is_some(), self.insecure)
    }

    /// TLS of the job service.
    ///
    /// # Errors
    /// Some of its keys without the others.
    pub fn job_service_tls(&self) -> Result<Option<TlsFiles>> {
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
                authority: self.client_authority.clone(),
            })),
            (None, None) if self.client_authority.is_none() => Ok(None),
            _ => Err(EngineError::spec("certificate, key and client_authority: TLS needs a certificate and its key")),
        }
    }
}

/// The flags of [`CoordinatorConfig`].
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct CoordinatorFlags {
    /// Where the job service listens [default: 127.0.0.1:50050]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<SocketAddr>,
    /// Where the scheduler listens, for workers alone: whoever reaches it can run any plan [default: 127.0.0.1:50060]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduler_listen: Option<SocketAddr>,
    /// Where probes and metrics are served over HTTP [default: nowhere]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    probe_listen: Option<SocketAddr>,
    /// File of the tokens; callers have to show one of them [default: everybody may do everything]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<PathBuf>,
    /// Host that workers reach the scheduler at [default: the address it listens on, or the host's name]
    #[arg(long, value_name = "HOST")]
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Certificate of the job service, which speaks TLS with it
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<PathBuf>,
    /// Key of that certificate
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<PathBuf>,
    /// Authority that callers' certificates have to come from [default: callers need no certificate]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    client_authority: Option<PathBuf>,
    /// Certificate of this process towards the other members of the cluster: with it, they speak mutual TLS
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_certificate: Option<PathBuf>,
    /// Key of that certificate
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_key: Option<PathBuf>,
    /// Authority that every member's certificate has to come from
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_authority: Option<PathBuf>,
    /// The name that every member's certificate has to be for
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Option<String>,
    /// Listen beyond loopback without members' certificates; set it only where nobody but members reaches these ports
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    insecure: bool,
    /// Folder or URL that the coordinator keeps its jobs in
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// A URL that jobs may read and write below; may be given several times
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    /// Jobs that run at once [default: 2]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_running_jobs: Option<usize>,
    /// Jobs that may wait [default: 1000]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_waiting_jobs: Option<usize>,
    /// Jobs of one owner (the name of a token) that run at once [default: as many as of all]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_running_jobs_per_owner: Option<usize>,
    /// Jobs of one owner that may wait [default: as many as of all]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_waiting_jobs_per_owner: Option<usize>,
    /// Seconds that the check of a spec against its sources may take [default: 120]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    check_timeout_seconds: Option<u64>,
    /// Memory that a check may take, in a process of its own [default: 256MiB]
    #[arg(long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    check_memory: Option<ByteSize>,
    /// Jobs that are over and are still listed [default: 10000]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_finished_jobs: Option<usize>,
    /// Seconds that a job may run; 0 for no limit [default: 0]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    job_timeout_seconds: Option<u64>,
    /// Longest spec in bytes [default: 1048576]
    #[arg(long, value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    max_spec_bytes: Option<usize>,
    /// Seconds that the lease on a job lasts without being renewed [default: 60]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_seconds: Option<u64>,
    /// Seconds after which a worker that is silent is lost [default: 30]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    worker_timeout_seconds: Option<u64>,
    /// Seconds that a worker which is shutting down has for its tasks [default: 30]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    drain_timeout_seconds: Option<u64>,
    /// Attempts at a task [default: 4]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    task_attempts: Option<usize>,
    /// Attempts at a stage of a plan whose shuffle files were lost [default: 4]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    stage_attempts: Option<usize>,
    /// Memory to plan with, for example 4GiB [default: seven tenths of the machine's, or of its control group's]
    #[arg(long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<ByteSize>,
}

/// How a worker runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// The coordinator's scheduler, `host:port`.
    pub scheduler: String,
    /// Address to listen on.
    pub bind: IpAddr,
    /// Host that the scheduler and other workers reach this one at; what the scheduler sees, if none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Port that shuffle files are served on.
    pub flight_port: u16,
    /// Port that tasks come in on.
    pub task_port: u16,
    /// Where probes and metrics are served over HTTP; nowhere, if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_listen: Option<SocketAddr>,
    /// Tasks that run at once; 0 for as many as the machine has cores.
    pub slots: usize,
    /// Memory to plan with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// Folder for shuffle files; spills go to the temporary folder (`TMPDIR`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_dir: Option<PathBuf>,
    /// Certificate of this process towards the other members of the cluster, in PEM. With it, coordinator and workers speak
    /// mutual TLS; then `cluster_key`, `cluster_authority` and `cluster_name` are needed as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_certificate: Option<PathBuf>,
    /// Its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_key: Option<PathBuf>,
    /// Authority that every member's certificate has to come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_authority: Option<PathBuf>,
    /// The name that every member's certificate has to be for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_name: Option<String>,
    /// Listen beyond loopback without members' certificates. Set it only where nobody but members reaches these ports.
    pub insecure: bool,
    /// Seconds after which a task is tried again elsewhere; 0 for no limit.
    pub task_timeout_seconds: u64,
    /// Seconds that it has for its tasks and shuffle files when it is asked to stop.
    pub drain_timeout_seconds: u64,
    /// Seconds to wait for the scheduler to be there.
    pub connect_timeout_seconds: u64,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            scheduler: "127.0.0.1:50060".to_owned(),
            bind: LOOPBACK,
            host: None,
            flight_port: 50061,
            task_port: 50062,
            probe_listen: None,
            slots: 0,
            memory: None,
            work_dir: None,
            cluster_certificate: None,
            cluster_key: None,
            cluster_authority: None,
            cluster_name: None,
            insecure: false,
            task_timeout_seconds: 3600,
            drain_timeout_seconds: 30,
            connect_timeout_seconds: 60,
        }
    }
}

impl WorkerConfig {
    /// Memory of the process.
    #[must_use]
    pub fn memory_plan(&self) -> MemoryPlan {
        memory_plan(self.memory)
    }

    /// Whether strangers are kept from the worker.
    ///
    /// # Errors
    /// An address that others can reach, with neither certificates nor `insecure`.
    pub fn check_exposed(&self) -> Result<()> {
        check_exposed("bind", self.bind, self.cluster_certificate.is_some(), self.insecure)
    }

    /// TLS with the other members of the cluster.
    ///
    /// # Errors
    /// Some of its keys without the others.
    pub fn member_tls(&self) -> Result<Option<MemberTls>> {
        member_tls(&self.cluster_certificate, &self.cluster_key, &self.cluster_authority, self.cluster_name.as_deref())
    }
}

/// The flags of [`WorkerConfig`].
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct WorkerFlags {
    /// The coordinator's scheduler, host:port [default: 127.0.0.1:50060]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduler: Option<String>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    bind: Option<IpAddr>,
    /// Host that the scheduler and other workers reach this one at [default: what the scheduler sees]
    #[arg(long, value_name = "HOST")]
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Port that shuffle files are served on [default: 50061]
    #[arg(long, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    flight_port: Option<u16>,
    /// Port that tasks come in on [default: 50062]
    #[arg(long, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    task_port: Option<u16>,
    /// Where probes and metrics are served over HTTP [default: nowhere]
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    probe_listen: Option<SocketAddr>,
    /// Tasks that run at once [default: the machine's cores]
    #[arg(long, value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    slots: Option<usize>,
    /// Memory to plan with, for example 16GiB [default: seven tenths of the machine's, or of its control group's]
    #[arg(long, value_name = "SIZE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<ByteSize>,
    /// Folder for shuffle files; spills go to the temporary folder, TMPDIR [default: one of its own in the temporary folder]
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    work_dir: Option<PathBuf>,
    /// Certificate of this process towards the other members of the cluster: with it, they speak mutual TLS
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_certificate: Option<PathBuf>,
    /// Key of that certificate
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_key: Option<PathBuf>,
    /// Authority that every member's certificate has to come from
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_authority: Option<PathBuf>,
    /// The name that every member's certificate has to be for
    #[arg(long, value_name = "NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Option<String>,
    /// Listen beyond loopback without members' certificates; set it only where nobody but members reaches these ports
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    insecure: bool,
    /// Seconds after which a task is tried again elsewhere; 0 for no limit [default: 3600]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    task_timeout_seconds: Option<u64>,
    /// Seconds that it has for its tasks and shuffle files when it is asked to stop [default: 30]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    drain_timeout_seconds: Option<u64>,
    /// Seconds to wait for the scheduler to be there [default: 60]
    #[arg(long, value_name = "SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_timeout_seconds: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_over_the_file_and_the_file_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("coordinator.toml");
        std::fs::write(&file, "max_running_jobs = 5\nmax_waiting_jobs = 7\nmemory = \"3GiB\"\n").unwrap();
        let flags = CoordinatorFlags { max_waiting_jobs: Some(9), ..CoordinatorFlags::default() };
        let config: CoordinatorConfig = load(Some(&file), &flags).unwrap();
        let expected = CoordinatorConfig {
            max_running_jobs: 5,
            max_waiting_jobs: 9,
            memory: Some(ByteSize::gib(3)),
            ..CoordinatorConfig::default()
        };
        assert_eq!(config, expected);
        let again = folder.path().join("printed.toml");
        std::fs::write(&again, print(&config).unwrap()).unwrap();
        assert_eq!(load::<CoordinatorConfig, _>(Some(&again), &CoordinatorFlags::default()).unwrap(), expected);
    }

    #[test]
    fn mistakes_say_where_they_stand() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("worker.toml");
        for (content, expected) in
            [("slot = 5\n", "slot"), ("slots = \"many\"\n", "slots"), ("slots = [\n", "worker.toml")]
        {
            std::fs::write(&file, content).unwrap();
            let error = load::<WorkerConfig, _>(Some(&file), &WorkerFlags::default()).unwrap_err();
            assert!(error.message.contains(expected) && error.message.contains("worker.toml"), "{error}");
        }
        let gone = load::<WorkerConfig, _>(Some(Path::new("gone.toml")), &WorkerFlags::default()).unwrap_err();
        assert!(gone.message.contains("gone.toml"), "{gone}");
    }

    #[test]
    fn variables_are_read_as_what_their_keys_are() {
        let load = |name: &str, value: &str| {
            let variables = [(name, value), ("SEGMENTA_MAX_RUNNING_JOBS", "3"), ("PATH", "/bin")];
            let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
            layered::<CoordinatorConfig, _>(None, variables.into_iter(), &CoordinatorFlags::default())
        };
        for name in ["007", "1e5", "true", "members.example"] {
            let config = load("SEGMENTA_CLUSTER_NAME", name).unwrap();
            assert_eq!((config.cluster_name.as_deref(), config.max_running_jobs), (Some(name), 3));
        }
        let allowed = load("SEGMENTA_ALLOW", "s3://lake/in/, s3://lake/2026/").unwrap().allow;
        assert_eq!(allowed, ["s3://lake/in/", "s3://lake/2026/"]);
        assert_eq!(load("SEGMENTA_ALLOW", "s3://lake/").unwrap().allow, ["s3://lake/"]);
        assert_eq!(load("SEGMENTA_MEMORY", "512MiB").unwrap().memory, Some(ByteSize::mib(512)));
        let error = load("SEGMENTA_MAX_WAITING_JOBS", "many").unwrap_err();
        assert!(error.message.contains("SEGMENTA_MAX_WAITING_JOBS"), "{error}");
        assert!(load("SEGMENTA_MAX_JOBS", "3").unwrap_err().message.contains("max_jobs"));
    }

    #[test]
    fn variables_of_kubernetes_services_are_not_ours() {
        assert!(is_service_link("coordinator_service_host"));
        assert!(is_service_link("coordinator_port_50050_tcp_addr"));
        assert!(!is_service_link("max_running_jobs"));
    }
}
