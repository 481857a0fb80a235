//! A coordinator and workers as child processes, on ports of the loopback interface.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use segmenta_engine::tls::TlsClient;
use segmenta_engine::{EngineError, Fault};
use segmenta_pipeline::process::{peak_memory_of, reset_peak_memory_of};
use segmenta_service::client::Target;
use segmenta_service::config::ENVIRONMENT;
use url::Url;

/// How long to wait until all members of a cluster are there.
const PATIENCE: Duration = Duration::from_secs(90);

/// Pause between two looks at a cluster.
const LOOK: Duration = Duration::from_millis(50);

/// The last lines of a process's log, which go into the message when it fails.
const LAST_LINES: usize = 5;

fn failed(message: impl Into<String>) -> EngineError {
    EngineError::new(Fault::Cluster, message)
}

/// A folder for what the processes of a load test write, removed at its end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self, EngineError> {
        let path = std::env::temp_dir().join(format!("segmenta-loadtest-{}", std::process::id()));
        fs::create_dir_all(&path)
            .map_err(|error| EngineError::output(format!("{}: cannot be created: {error}", path.display())))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A `segmenta` process that ends with its owner.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts this binary again with other arguments, and without the variables that configure this process. Its
    /// standard error goes into a log.
    pub(crate) fn start(name: &str, arguments: &[String], scratch: &Scratch) -> Result<Self, EngineError> {
        let log = scratch.path(&format!("{}.log", name.replace(' ', "-")));
        let start = || {
            let mut command = Command::new(std::env::current_exe()?);
            for (key, _) in std::env::vars_os() {
                if key.to_string_lossy().starts_with(ENVIRONMENT) {
                    command.env_remove(key);
                }
            }
            command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?).spawn()
        };
        let child = start().map_err(|error| EngineError::job(format!("{name} cannot be started: {error}")))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The last lines of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

/// The limits of a cluster's processes.
#[derive(Debug, Clone)]
pub(crate) struct Provision {
    /// Tasks that each worker runs at once.
    pub(crate) threads: usize,
    /// Bytes that each process plans with.
    pub(crate) memory: u64,
    /// Jobs that run at once.
    pub(crate) running_jobs: usize,
    /// Where jobs may read and write.
    pub(crate) allow: Vec<String>,
}

/// A coordinator and its workers.
pub(crate) struct LocalCluster {
    processes: Vec<Process>,
    pub(crate) target: Target,
}

fn free_port() -> Result<u16, EngineError> {
    let port = || TcpListener::bind("127.0.0.1:0")?.local_addr();
    port().map(|address| address.port()).map_err(|error| failed(format!("there is no free port: {error}")))
}

impl LocalCluster {
    /// Starts them, and waits until all workers have joined.
    ///
    /// # Errors
    /// A process that ends, or a cluster that is not complete in time.
    pub(crate) async fn start(workers: u32, provision: &Provision, scratch: &Scratch) -> Result<Self, EngineError> {
        let address = || Ok::<_, EngineError>(format!("127.0.0.1:{}", free_port()?));
        let (listen, scheduler, probes) = (address()?, address()?, address()?);
        let memory = provision.memory.to_string();
        // The jobs of an earlier cluster must not come back.
        let state = scratch.path("state");
        let _ = fs::remove_dir_all(&state);
        let state = folder_url(&state)?;
        let mut arguments = vec!["coordinator", "--listen", &listen, "--scheduler-listen", &scheduler];
        arguments.extend(["--probe-listen", &probes, "--state", &state, "--memory", &memory]);
        let running = provision.running_jobs.to_string();
        arguments.extend(["--max-running-jobs", &running]);
        arguments.extend(provision.allow.iter().flat_map(|url| ["--allow", url]));
        let owned = |arguments: &[&str]| arguments.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let mut processes = vec![Process::start("the coordinator", &owned(&arguments), scratch)?];
        let slots = provision.threads.to_string();
        let work = scratch.path("work").display().to_string();
        for worker in 1..=workers {
            let (flight, task) = (free_port()?.to_string(), free_port()?.to_string());
            let mut arguments = vec!["worker", "--scheduler", &scheduler, "--slots", &slots, "--memory", &memory];
            arguments.extend(["--flight-port", &flight, "--task-port", &task, "--work-dir", &work]);
            processes.push(Process::start(&format!("worker {worker}"), &owned(&arguments), scratch)?);
        }
        let url = format!("http://{listen}");
        let target = Target { coordinator: url, token: None, tls: TlsClient::default() };
        let mut cluster = Self { processes, target };
        cluster.complete(&probes, workers).await?;
        Ok(cluster)
    }

    async fn complete(&mut self, probes: &str, workers: u32) -> Result<(), EngineError> {
        let end = Instant::now() + PATIENCE;
        let mut joined = 0;
        while Instant::now() < end {
            if let Some(fault) = self.fault() {
                return Err(fault);
            }
            let probes = probes.to_owned();
            let look = move || {
                let is_ready = probe(&probes, "/readyz").is_some_and(|answer| answer.starts_with("HTTP/1.1 200"));
                if is_ready { probe(&probes, "/metrics") } else { None }
            };
            let metrics = tokio::task::spawn_blocking(look).await.ok().flatten().unwrap_or_default();
            let line = metrics.lines().find_map(|line| line.strip_prefix("segmenta_workers "));
            joined = line.and_then(|count| count.trim().parse().ok()).unwrap_or(0);
            if joined >= workers {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        let said = self.processes[0].last_words();
        Err(failed(format!("{joined} of {workers} workers joined within {} s; {said}", PATIENCE.as_secs())))
    }

    /// The first process that has ended, as a failure: none should end by itself.
    fn fault(&mut self) -> Option<EngineError> {
        self.processes.iter_mut().find_map(|process| {
            let status = process.ended()?;
            Some(failed(format!("{} ended with {status}; it said last: {}", process.name, process.last_words())))
        })
    }

    /// Completes when one of the processes has ended.
    pub(crate) async fn broken(&mut self) -> EngineError {
        loop {
            if let Some(fault) = self.fault() {
                return fault;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Starts measuring the workers' memory anew.
    pub(crate) fn reset_peak_memory(&self) {
        self.processes.iter().skip(1).for_each(|worker| reset_peak_memory_of(worker.child.id()));
    }

    /// The largest resident size of any worker since the last reset.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        self.processes.iter().skip(1).filter_map(|worker| peak_memory_of(worker.child.id())).max()
    }
}

fn folder_url(path: &Path) -> Result<String, EngineError> {
    let url = Url::from_directory_path(path);
    url.map(String::from).map_err(|()| EngineError::spec(format!("{}: is no absolute path", path.display())))
}

/// The whole HTTP answer of an address, with status line and headers.
fn probe(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address.parse().ok()?, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: segmenta\r\nConnection: close\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}
