//! A coordinator and workers as processes of their own, and the commands that talk to them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::support::{self, Said, cdnow_spec, folder, root, run, segmenta, segmenta_with, table_checksums};
use segmenta_pipeline::job::{Job, RunOptions};
use serde_json::json;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process that is killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
    said: Vec<String>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(arguments: &[&str], environment: &[(String, String)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_segmenta"))
            .args(arguments)
            .env_remove("RUST_LOG")
            .envs(environment.iter().cloned())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines, said: vec![] }
    }

    /// Waits for a line of its log.
    pub(crate) fn says(&mut self, expected: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("no `{expected}` in:\n{}", self.said.join("\n")));
            let found = line.contains(expected);
            self.said.push(line);
            if found {
                return;
            }
        }
    }

    pub(crate) fn terminate(mut self) -> i32 {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("does not stop:\n{}", self.said.join("\n"));
    }
}

/// The orders of the example.
fn cdnow_orders() -> String {
    root().join("examples/data/cdnow/*.parquet").display().to_string()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Addresses and folders of a coordinator and its workers.
pub(crate) struct Site {
    listen: String,
    scheduler: String,
    probes: String,
    state: PathBuf,
    allowed: String,
    environment: Vec<(String, String)>,
}

impl Site {
    pub(crate) fn new(folder: &Path) -> Self {
        let address = || format!("127.0.0.1:{}", free_port());
        Self {
            listen: address(),
            scheduler: address(),
            probes: address(),
            state: folder.join("state"),
            allowed: "file:///".to_owned(),
            environment: vec![],
        }
    }

    /// The same, with variables that its processes have.
    pub(crate) fn with_environment(self, environment: &[(&str, &str)]) -> Self {
        let environment = environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Self { environment: environment.collect(), ..self }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Where its scheduler listens.
    pub(crate) fn scheduler_url(&self) -> String {
        format!("http://{}", self.scheduler)
    }

    pub(crate) fn coordinator(&self, more: &[&str]) -> Process {
        let state = self.state.display().to_string();
        let mut arguments = vec!["coordinator", "--listen", &self.listen, "--scheduler-listen", &self.scheduler];
        arguments.extend(["--probe-listen", &self.probes, "--state", &state, "--allow", &self.allowed]);
        arguments.extend(["--memory", "1GiB", "--lease-seconds", "2"]);
        arguments.extend(more);
        Process::start(&arguments, &self.environment)
    }

    pub(crate) fn worker(&self) -> Process {
        self.worker_with(&[])
    }

    fn worker_with(&self, more: &[&str]) -> Process {
        let (flight, task) = (free_port().to_string(), free_port().to_string());
        let arguments =
            ["worker", "--scheduler", &self.scheduler, "--flight-port", &flight, "--task-port", &task, "--slots", "1"];
        Process::start(&[&arguments[..], &["--memory", "1GiB"], more].concat(), &self.environment)
    }

    pub(crate) fn client(&self, arguments: &[&str]) -> Said {
        segmenta(&[arguments, &["--coordinator", &self.url()]].concat())
    }

    fn probe(&self, path: &str) -> (String, String) {
        probe(&self.probes, path)
    }
}

/// The first line of an answer to a request over HTTP, and its body.
fn probe(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// The checksums of the tables that a run published.
fn published(output: &Path) -> Vec<(String, u64, String)> {
    let manifest = support::json(&output.join("manifest.json"));
    let tables = manifest["outputs"].as_array().unwrap().iter().filter(|output| !output["rows"].is_null());
    tables
        .map(|output| {
            let text = |key: &str| output[key].as_str().unwrap().to_owned();
            (text("name"), output["bytes"].as_u64().unwrap(), text("sha256"))
        })
        .collect()
}

#[test]
fn a_job_from_submission_to_its_result() {
    let here = folder();
    let site = Site::new(here.path());
    let mut coordinator = site.coordinator(&[]);
    coordinator.says("ready for jobs");
    let worker_probes = format!("127.0.0.1:{}", free_port());
    let (_one, _other) = (site.worker_with(&["--probe-listen", &worker_probes]), site.worker());
    let spec = cdnow_spec(here.path(), &[("to: 10", "to: 4")]);
    let spec = spec.to_str().unwrap();

    let said = site.client(&["submit", spec, "--wait"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let id = said.out.lines().next().unwrap();
    assert!(said.out.contains("published: ") && said.err.matches("stage complete").count() == 10, "{}", said.err);
    let there = folder();
    let alone = run(&Job::load(&cdnow_spec(there.path(), &[("to: 10", "to: 4")])).unwrap(), 2, &RunOptions::default());
    assert_eq!(published(&here.path().join("out")), table_checksums(&alone.unwrap()));

    let listed = site.client(&["jobs", "--state", "done"]);
    assert!(listed.out.contains(id), "{}", listed.out);
    assert!(site.client(&["jobs", "--state", "failed"]).out.contains("no jobs"));
    let status = site.client(&["status", id]);
    assert!(status.out.contains("done") && status.out.contains("kmeans"), "{}", status.out);
    assert_eq!(site.client(&["watch", id]).code, 0);
    for refused in ["cancel", "resume"] {
        let said = site.client(&[refused, id]);
        assert!(said.code == 2 && said.err.contains("is done"), "{}", said.err);
    }
    assert_eq!(site.client(&["status", "nobody"]).code, 2);

    // The model labels rows on the same workers, with the bytes that it labels them with here.
    let path = |name: &str| here.path().join(name).display().to_string();
    let score = ["score", "--model", &path("out/model.json"), "--input", &path("out/assignments"), "--output"];
    let said = site.client(&[&score[..], &[&path("scores")]].concat());
    assert!(said.code == 0 && said.out.contains("published: "), "{} {}", said.out, said.err);
    let said = segmenta(&[&score[..], &[&path("alone")]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(published(&here.path().join("scores")), published(&here.path().join("alone")));
    let document = path("score.yaml");
    fs::write(&document, "name: again\nmodel: out/model.json\ninput: out/rejected\noutput: scores\n").unwrap();
    let said = site.client(&["submit", &document]);
    assert!(said.code == 2 && said.err.contains("holds files already"), "{}", said.err);
    fs::write(&document, "name: again\nmodel: out/model.json\ninput: out/rejected\noutput: more\n").unwrap();
    let said = segmenta(&["check", &document]);
    assert!(said.code == 0 && said.out.contains("score"), "{} {}", said.out, said.err);
    assert_eq!(segmenta(&["run", &document]).code, 0);

    for probes in [&site.probes, &worker_probes] {
        assert_eq!(segmenta(&["health", probes]).code, 0);
        assert_eq!(segmenta_with(&[("SEGMENTA_PROBE_LISTEN", probes)], &["health", "--ready"]).code, 0);
    }
    assert_eq!(segmenta(&["health", &format!("127.0.0.1:{}", free_port())]).code, 4);
    let (head, metrics) = site.probe("/metrics");
    assert!(head.contains("200"), "{head}");
    for expected in [
        "segmenta_workers 2",
        "segmenta_jobs{state=\"done\"} 2",
        "segmenta_stages_total{stage=\"kmeans\"} 1",
        "segmenta_plans_failed_total 0",
        "segmenta_job_time_seconds_count{state=\"done\"} 2",
        "segmenta_job_wait_seconds_count 2",
        "segmenta_build_info{version=",
        "segmenta_tasks_waiting 0",
    ] {
        assert!(metrics.contains(expected), "no `{expected}` in:\n{metrics}");
    }
    let metrics = probe(&worker_probes, "/metrics").1;
    let value = |name: &str| -> u64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("segmenta_worker_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in:\n{metrics}")).parse().unwrap()
    };
    assert!(value("tasks_done_total") > 10 && value("rows_total") > 0 && value("store_hits_total") > 0, "{metrics}");
    assert!(value("store_hit_bytes_total") > 0 && value("store_loaded_bytes_total") > 0, "{metrics}");
    assert_eq!(value("tasks_failed_total"), 0, "{metrics}");
    assert!(site.probe("/readyz").0.contains("200") && site.probe("/livez").0.contains("200"));
    assert_eq!(coordinator.terminate(), 0);
}

#[test]
fn what_a_coordinator_refuses() {
    let here = folder();
    let mut site = Site::new(here.path());
    site.allowed = format!("file://{}/", here.path().display());
    let tokens = here.path().join("tokens.toml");
    // printf %s hands | sha256sum
    fs::write(
        &tokens,
        "[[tokens]]\nname = \"eyes\"\nrole = \"read\"\n\
         sha256 = \"aafd45e379d56fdcf12fd93a2f09ca6bb0a41bd9aa63f8d9dcaa0bba6dd6ec33\"\n",
    )
    .unwrap();
    let spec = cdnow_spec(here.path(), &[]);
    let spec = spec.to_str().unwrap();
    {
        let mut open = site.coordinator(&[]);
        open.says("ready for jobs");
        let outside = site.client(&["submit", spec]);
        assert!(outside.code == 2 && outside.err.contains("is not below a location"), "{}", outside.err);
        let wrong = here.path().join("wrong.yaml");
        fs::write(&wrong, "name: x\nsauce: {}\n").unwrap();
        let (checked, submitted) =
            (segmenta(&["check", wrong.to_str().unwrap()]), site.client(&["submit", wrong.to_str().unwrap()]));
        assert_eq!((submitted.code, checked.code), (2, 2));
        for line in checked.err.lines().filter(|line| line.contains("sauce")) {
            let mistake = line.split_once("wrong.yaml").unwrap().1;
            assert!(submitted.err.contains(mistake), "no `{mistake}` in:\n{}", submitted.err);
        }
        fs::write(&wrong, format!("name: {}\n", "x".repeat(3 << 20))).unwrap();
        let long = site.client(&["submit", wrong.to_str().unwrap()]);
        assert!(long.code != 0 && !long.err.contains("panic"), "{}", long.err);
        assert_eq!(site.client(&["jobs"]).code, 0);
    }
    let mut closed = site.coordinator(&["--token-file", tokens.to_str().unwrap()]);
    closed.says("ready for jobs");
    let said = site.client(&["jobs"]);
    assert!(said.code == 2 && said.err.contains("token"), "{}", said.err);
}

/// What a stranger may submit costs others nothing: while their specs are refused, a job that runs comes to its end.
#[cfg(unix)]
#[test]
fn hostile_specs_leave_the_jobs_of_others_alone() {
    let here = folder();
    let site = Site::new(here.path());
    let mut coordinator = site.coordinator(&["--check-timeout-seconds", "20"]);
    coordinator.says("ready for jobs");
    let mut worker = site.worker();
    worker.says("worker started");
    let victim = site.client(&["submit", cdnow_spec(here.path(), &[]).to_str().unwrap()]).out.trim().to_owned();

    let many = |what: &str, between: &str, times: usize| vec![what; times].join(between);
    let doubling: Vec<String> =
        (1..=24).map(|i| format!("t{i} AS (SELECT * FROM t{0} UNION ALL SELECT * FROM t{0})", i - 1)).collect();
    let query = |sql: String| {
        json!({
            "name": "hostile",
            "source": {
                "tables": {"t0": cdnow_orders()},
                "sql": sql,
                "id": "customer_id",
                "features": ["x"],
            },
            "output": "hostile",
        })
        .to_string()
    };
    let pipe = here.path().join("pipe.parquet");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let hostile = [
        ("a sum", query(format!("SELECT customer_id, {} AS x FROM t0", many("amount", " + ", 2_000))), "nests"),
        (
            "a condition",
            query(format!("SELECT customer_id, 1 AS x FROM t0 WHERE {}", many("amount > 1", " OR ", 2_000))),
            "nests",
        ),
        ("unions", query(many("SELECT customer_id, 1 AS x FROM t0", " UNION ALL ", 3_000)), "source.sql"),
        ("doubling", query(format!("WITH {} SELECT customer_id, 1 AS x FROM t24", doubling.join(", "))), "source.sql"),
        (
            "a text of a gigabyte",
            query("SELECT customer_id, length(repeat('x', 1000000000)) AS x FROM t0".to_owned()),
            "check_memory",
        ),
        ("a list of lists", format!("name: x\nsource:\n  {}1\n", "- ".repeat(5_000)), "nests"),
        (
            "a pipe",
            query("SELECT customer_id, 1 AS x FROM t0".to_owned()).replace(&cdnow_orders(), pipe.to_str().unwrap()),
            "is a pipe or a device",
        ),
    ];
    let submit = |name: &str, spec: &str, i: usize| {
        let file = here.path().join(format!("{}-{i}.yaml", name.replace(' ', "-")));
        fs::write(&file, spec).unwrap();
        site.client(&["submit", file.to_str().unwrap()])
    };
    std::thread::scope(|scope| {
        for (name, spec, expected) in &hostile {
            let attempts: Vec<_> = (0..5).map(|i| scope.spawn(move || submit(name, spec, i))).collect();
            for said in attempts.into_iter().map(|attempt| attempt.join().unwrap()) {
                assert!(
                    [2, 3].contains(&said.code) && said.err.contains(expected),
                    "{name}: {} {}",
                    said.code,
                    said.err
                );
            }
        }
    });
    assert!(site.probe("/readyz").0.contains("200"));
    let said = site.client(&["watch", &victim]);
    assert_eq!(said.code, 0, "{}", said.err);
    let status = site.client(&["status", &victim]).out;
    assert!(!status.contains("attempt 2"), "{status}");
}

#[test]
fn a_coordinator_that_is_killed_goes_on_where_it_was() {
    let here = folder();
    let site = Site::new(here.path());
    let mut first = site.coordinator(&[]);
    first.says("ready for jobs");
    let mut worker = site.worker();
    worker.says("worker started");
    let spec = cdnow_spec(here.path(), &[]);
    let id = site.client(&["submit", spec.to_str().unwrap()]).out.trim().to_owned();
    let manifest = here.path().join("out/_work/impute/manifest.json");
    let end = Instant::now() + PATIENCE;
    while !manifest.exists() {
        assert!(Instant::now() < end, "{}", site.client(&["status", &id]).out);
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(first);

    let mut second = site.coordinator(&[]);
    second.says("ready for jobs");
    let said = site.client(&["watch", &id]);
    assert_eq!(said.code, 0, "{}", said.err);
    let status = site.client(&["status", &id]).out;
    assert!(status.contains("attempt 2"), "{status}");
    for stage in ["extract", "impute"] {
        let line = status.lines().find(|line| line.trim_start().starts_with(stage)).unwrap();
        assert!(line.contains("done by an earlier run"), "{status}");
    }
    let there = folder();
    let alone = run(&Job::load(&cdnow_spec(there.path(), &[])).unwrap(), 2, &RunOptions::default()).unwrap();
    assert_eq!(published(&here.path().join("out")), table_checksums(&alone));
}

#[test]
fn jobs_wait_and_are_cancelled_and_resumed() {
    let here = folder();
    let site = Site::new(here.path());
    let mut coordinator = site.coordinator(&["--max-running-jobs", "1", "--max-waiting-jobs", "1"]);
    coordinator.says("ready for jobs");
    // Without a worker the first one stays at its first stage.
    let spec = |name: &str| {
        let folder = here.path().join(name);
        fs::create_dir(&folder).unwrap();
        cdnow_spec(&folder, &[("to: 10", "to: 3")]).display().to_string()
    };
    let submit = |spec: &str| site.client(&["submit", spec]);
    let first = submit(&spec("a")).out.trim().to_owned();
    let end = Instant::now() + PATIENCE;
    while !site.client(&["status", &first]).out.contains("running") {
        assert!(Instant::now() < end);
    }
    // Its tasks wait for one, and the metrics say so.
    let waiting = || {
        let metrics = site.probe("/metrics").1;
        metrics.lines().find_map(|line| line.strip_prefix("segmenta_tasks_waiting ")?.parse::<u64>().ok())
    };
    while waiting().is_none_or(|tasks| tasks == 0) {
        assert!(Instant::now() < end, "{:?}", waiting());
    }
    let second = submit(&spec("b")).out.trim().to_owned();
    assert!(site.client(&["status", &second]).out.contains("waiting"));
    let third = submit(&spec("c"));
    assert!(third.code == 1 && third.err.contains("1 jobs wait already"), "{}", third.err);

    let cancelled = site.client(&["cancel", &first]);
    assert!(cancelled.code == 0 && cancelled.out.contains("cancelled"), "{}{}", cancelled.out, cancelled.err);
    let _worker = site.worker();
    let said = site.client(&["watch", &second]);
    assert_eq!(said.code, 0, "{}", said.err);
    let resumed = site.client(&["resume", &first]);
    assert!(resumed.code == 0 && resumed.out.contains("waiting"), "{}{}", resumed.out, resumed.err);
    let said = site.client(&["watch", &first]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(published(&here.path().join("a/out")), published(&here.path().join("b/out")));
}

#[test]
fn jobs_that_are_long_over_are_forgotten() {
    let here = folder();
    let site = Site::new(here.path());
    let mut coordinator = site.coordinator(&["--max-finished-jobs", "1"]);
    coordinator.says("ready for jobs");
    let over = ["a", "b"].map(|name| {
        let folder = here.path().join(name);
        fs::create_dir(&folder).unwrap();
        let spec = cdnow_spec(&folder, &[]);
        let id = site.client(&["submit", spec.to_str().unwrap()]).out.trim().to_owned();
        assert_eq!(site.client(&["cancel", &id]).code, 0);
        id
    });
    let listed = || site.client(&["jobs"]).out;
    let end = Instant::now() + PATIENCE;
    while listed().contains(&over[0]) {
        assert!(Instant::now() < end, "{}", listed());
    }
    assert!(listed().contains(&over[1]));
    assert_eq!(coordinator.terminate(), 0);
    let records = fs::read_dir(site.state.join("jobs")).unwrap();
    assert_eq!(records.count(), 1);
}

#[test]
fn a_second_coordinator_stands_by_and_takes_over() {
    let here = folder();
    let site = Site::new(here.path());
    let mut first = site.coordinator(&[]);
    first.says("ready for jobs");
    let standby = Site { state: site.state.clone(), ..Site::new(here.path()) };
    let mut second = standby.coordinator(&[]);
    second.says("waiting for another process");
    assert!(standby.probe("/livez").0.contains("200") && standby.probe("/readyz").0.contains("503"));
    assert_eq!(first.terminate(), 0);
    second.says("ready for jobs");
    assert!(standby.probe("/readyz").0.contains("200"));
}

#[test]
fn a_worker_that_is_killed_costs_its_tasks_alone() {
    let here = folder();
    let site = Site::new(here.path());
    let mut coordinator = site.coordinator(&["--worker-timeout-seconds", "9"]);
    coordinator.says("ready for jobs");
    let (survivor, mut victim) = (site.worker(), site.worker());
    victim.says("worker started");
    let spec = cdnow_spec(here.path(), &[]);
    let id = site.client(&["submit", spec.to_str().unwrap()]).out.trim().to_owned();
    let manifest = here.path().join("out/_work/extract/manifest.json");
    let end = Instant::now() + PATIENCE;
    while !manifest.exists() {
        assert!(Instant::now() < end, "{}", site.client(&["status", &id]).out);
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(victim);
    let said = site.client(&["watch", &id]);
    assert_eq!(said.code, 0, "{}", said.err);
    let there = folder();
    let alone = run(&Job::load(&cdnow_spec(there.path(), &[])).unwrap(), 2, &RunOptions::default()).unwrap();
    assert_eq!(published(&here.path().join("out")), table_checksums(&alone));
    assert_eq!(survivor.terminate(), 0);
}

#[test]
fn configuration_by_file_and_variables() {
    let here = folder();
    let file = here.path().join("coordinator.toml");
    fs::write(&file, "max_running_jobs = 3\nmax_waiting_jobs = 5\n").unwrap();
    let printed = |variable: &str, value: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_segmenta"))
            .args(["coordinator", "--print-config"])
            .env("SEGMENTA_CONFIG", &file)
            .env("SEGMENTA_TOKEN", "a client's")
            .env(variable, value)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = printed("SEGMENTA_MAX_RUNNING_JOBS", "4");
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("max_running_jobs = 4") && out.contains("max_waiting_jobs = 5"), "{out}");
    let (code, _, err) = printed("SEGMENTA_MAX_RUNING_JOBS", "4");
    assert!(code == 2 && err.contains("max_runing_jobs"), "{err}");
}

/// An authority of certificates.
struct Authority(rcgen::Issuer<'static, rcgen::KeyPair>, String);

impl Authority {
    fn new() -> Self {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let text = params.self_signed(&key).unwrap().pem();
        Self(Issuer::new(params, key), text)
    }

    /// Writes a certificate for a name and an address: paths of authority, certificate and key.
    fn certify(&self, folder: &Path, name: &str) -> [String; 3] {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec![name.to_owned(), "127.0.0.1".to_owned()];
        let member = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        let write = |file: &str, text: &str| {
            let path = folder.join(format!("{name}-{file}.pem"));
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        [write("authority", &self.1), write("certificate", &member.pem()), write("key", &key.serialize_pem())]
    }
}

#[test]
fn everything_over_mutual_tls() {
    let here = folder();
    let site = Site::new(here.path());
    let members = Authority::new();
    let [authority, certificate, key] = members.certify(here.path(), "members");
    let [callers, caller, caller_key] = Authority::new().certify(here.path(), "callers");
    let member = ["--cluster-certificate", &certificate, "--cluster-key", &key, "--cluster-authority", &authority];
    let member = [&member[..], &["--cluster-name", "members"]].concat();
    let own = ["--certificate", &certificate, "--key", &key, "--client-authority", &callers];
    let mut coordinator = site.coordinator(&[&member[..], &own].concat());
    coordinator.says("ready for jobs");
    let (mut one, _other) =
        (site.worker_with(&[&member[..], &["--drain-timeout-seconds", "1"]].concat()), site.worker_with(&member));
    one.says("worker started");

    let spec = cdnow_spec(here.path(), &[("to: 10", "to: 3")]);
    let url = format!("https://{}", site.listen);
    let submit = ["submit", spec.to_str().unwrap(), "--wait", "--coordinator", &url, "--authority", &authority];
    let said = segmenta(&[&submit[..], &["--certificate", &caller, "--key", &caller_key]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    let there = folder();
    let alone = run(&Job::load(&cdnow_spec(there.path(), &[("to: 10", "to: 3")])).unwrap(), 2, &RunOptions::default());
    assert_eq!(published(&here.path().join("out")), table_checksums(&alone.unwrap()));

    // Without a certificate, with one of another authority, without TLS: nothing.
    let jobs = ["jobs", "--coordinator", &url, "--authority", &authority];
    for more in [&[][..], &["--certificate", &certificate, "--key", &key]] {
        let refused = segmenta(&[&jobs[..], more].concat());
        assert_eq!(refused.code, 4, "{}", refused.err);
    }
    assert_eq!(site.client(&["jobs"]).code, 4);
    let mut stranger = site.worker_with(&["--connect-timeout-seconds", "2"]);
    stranger.says("error");

    // A certificate that is made anew is taken up.
    members.certify(here.path(), "members");
    one.says("the certificate changed");
    one.says("worker started");
}
