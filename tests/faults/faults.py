"""Faults against a real cluster: processes are killed, wires are cut, the object store fails, and the tables that come out
are compared byte for byte with those of an embedded run.

    pip install boto3 "moto[server]"
    cargo build --release
    python3 tests/faults/faults.py [--rows 2000000] [--only NAME ...] [--binary target/release/segmenta]

Starts an S3-compatible server (moto), a proxy before it that can misbehave, a coordinator and three workers, each worker in a
network namespace of its own where that is allowed (root and iproute2), and prints a table: fault, runs, survived, seconds
more than without it.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NETWORK = "10.77.0"
HERE = f"{NETWORK}.1"
WORKERS = 3
BUCKET = "lake"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_ALLOW_HTTP": "true"}


def sh(*arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(arguments, check=check, capture_output=True, text=True)


class Network:
    """A bridge, and a namespace for each worker; or loopback alone."""

    def __init__(self) -> None:
        self.namespaces = os.geteuid() == 0 and shutil.which("ip") is not None
        if self.namespaces:
            try:
                self.remove()
                sh("ip", "link", "add", "sgbr", "type", "bridge")
                sh("ip", "addr", "add", f"{HERE}/24", "dev", "sgbr")
                sh("ip", "link", "set", "sgbr", "up")
                for i in range(WORKERS + 1):
                    sh("ip", "netns", "add", f"sgw{i}")
                    sh("ip", "link", "add", f"sgv{i}", "type", "veth", "peer", "name", "eth0", "netns", f"sgw{i}")
                    sh("ip", "link", "set", f"sgv{i}", "master", "sgbr", "up")
                    for command in (["addr", "add", f"{self.address(i)}/24", "dev", "eth0"], ["link", "set", "eth0", "up"], ["link", "set", "lo", "up"]):
                        sh("ip", "-n", f"sgw{i}", *command)
            except subprocess.CalledProcessError as error:
                print(f"no network namespaces: {error.stderr.strip()}", file=sys.stderr)
                self.remove()
                self.namespaces = False

    def remove(self) -> None:
        sh("ip", "link", "del", "sgbr", check=False)
        for i in range(WORKERS + 1):
            sh("ip", "netns", "del", f"sgw{i}", check=False)
            sh("ip", "link", "del", f"sgv{i}", check=False)

    def host(self) -> str:
        return HERE if self.namespaces else "127.0.0.1"

    def address(self, worker: int) -> str:
        return f"{NETWORK}.{11 + worker}" if self.namespaces else "127.0.0.1"

    def inside(self, worker: int) -> list[str]:
        return ["ip", "netns", "exec", f"sgw{worker}"] if self.namespaces else []

    def cut(self, worker: int, is_cut: bool) -> None:
        sh("ip", "link", "set", f"sgv{worker}", "down" if is_cut else "up")


class Proxy:
    """Hands TCP connections on to the store, and misbehaves when it is told to: `faults` is the share of requests that are
    answered with 503 or cut off, `delay` the seconds that each waits, `away` refuses everybody."""

    def __init__(self, host: str, port: int, to: int) -> None:
        self.to, self.faults, self.delay, self.away, self.refused = to, 0.0, 0.0, False, 0
        self.random = random.Random(7)
        self.listener = socket.create_server((host, port), backlog=256)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if self.away:
                return
            with socket.create_connection(("127.0.0.1", self.to)) as store:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                store.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pump, args=(store, client), daemon=True).start()
                first = True
                while data := client.recv(1 << 16):
                    is_request = data.split(b" ", 1)[0] in (b"GET", b"PUT", b"POST", b"HEAD", b"DELETE")
                    if self.away:
                        return
                    if is_request:
                        if self.delay:
                            time.sleep(self.delay)
                        if self.faults and self.random.random() < self.faults:
                            self.refused += 1
                            if self.random.random() < 0.5 and first:
                                client.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                            return
                    first = False
                    store.sendall(data)

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if self.away:
                    break
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


class Site:
    def __init__(self, binary: str, folder: pathlib.Path, network: Network, rows: int) -> None:
        self.binary, self.folder, self.network, self.rows = binary, folder, network, rows
        self.processes: dict[str, subprocess.Popen] = {}
        self.store_port, self.proxy_port = 9900, 9901
        server = [str(pathlib.Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(self.store_port)]
        self.moto = subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.proxy = Proxy(network.host(), self.proxy_port, self.store_port)
        config = botocore.config.Config(retries={"max_attempts": 10})
        self.s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.store_port}", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test", config=config)
        for _ in range(100):
            with contextlib.suppress(Exception):
                self.s3.create_bucket(Bucket=BUCKET)
                break
            time.sleep(0.1)
        self.count = 0
        # As the program has them.
        self.stages: list[str] = []

    def environment(self) -> dict[str, str]:
        return {**os.environ, **CREDENTIALS, "AWS_ENDPOINT": f"http://{self.network.host()}:{self.proxy_port}"}

    def start(self, name: str, arguments: list[str], inside: list[str] | None = None) -> None:
        log = open(self.folder / f"{name}.log", "a")
        command = [*(inside or []), self.binary, *arguments]
        self.processes[name] = subprocess.Popen(command, env=self.environment(), stdout=log, stderr=log)

    # All ports are below those that systems give to connections that go out, of which there are thousands here.
    def coordinator(self, name: str = "coordinator", port: int = 0, state: str = "state") -> None:
        host = self.network.host()
        arguments = ["coordinator", "--insecure", "--listen", f"{host}:{27050 + port}", "--scheduler-listen", f"{host}:{27060 + port}"]
        arguments += ["--state", f"s3://{BUCKET}/{state}", "--allow", f"s3://{BUCKET}/", "--memory", "2GiB"]
        self.start(name, arguments + ["--lease-seconds", "5", "--worker-timeout-seconds", "10"])

    def worker(self, i: int, work_dir: str | None = None) -> None:
        host = self.network.host()
        ports = ["--flight-port", "27061", "--task-port", "27062"]
        if not self.network.namespaces:
            ports = ["--flight-port", str(27161 + 2 * i), "--task-port", str(27162 + 2 * i)]
        arguments = ["worker", "--insecure", "--scheduler", f"{host}:27060", "--bind", self.network.address(i), *ports]
        arguments += ["--host", self.network.address(i), "--slots", "1", "--memory", "2GiB"]
        arguments += ["--work-dir", work_dir or str(self.folder / f"work{i}")]
        self.start(f"worker{i}", arguments, self.network.inside(i))

    def kill(self, name: str, how: int = signal.SIGKILL) -> None:
        process = self.processes.pop(name)
        # Of a process in a namespace this is `ip`, which has become the program.
        process.send_signal(how)
        process.wait()

    def all(self) -> None:
        self.coordinator()
        for i in range(WORKERS):
            self.worker(i)

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def client(self, *arguments: str, check: bool = True, port: int = 0) -> subprocess.CompletedProcess:
        url = f"http://{self.network.host()}:{27050 + port}"
        return subprocess.run([self.binary, *arguments, "--coordinator", url], check=check, capture_output=True, text=True)

    def upload(self, folder: pathlib.Path, prefix: str) -> None:
        for file in sorted(folder.glob("*.parquet")):
            self.s3.upload_file(str(file), BUCKET, f"{prefix}/{file.name}")

    def spec(self, kind: str, **changes: str) -> tuple[pathlib.Path, str]:
        self.count += 1
        output = f"s3://{BUCKET}/out/{self.count}"
        if kind == "cdnow":
            text = (ROOT / "examples/cdnow.yaml").read_text()
            text = text.replace("data/cdnow/*.parquet", f"s3://{BUCKET}/cdnow/*.parquet").replace("../runs/cdnow", output)
            text += "hierarchy: {clusters: 4}\n"
        else:
            text = f"""name: customers
source:
  tables: {{customers: s3://{BUCKET}/{changes.get("data", "customers")}/*.parquet}}
  {changes.get("sql", "")}
  id: customer_id
  features: [recency, frequency, monetary]
kmeans: {{k: {{from: 2, to: 6}}}}
hierarchy: {{clusters: 4}}
hdbscan: {{min_cluster_size: 5000, budget: 100000}}
output: {output}
"""
        path = self.folder / f"job{self.count}.yaml"
        path.write_text(text)
        return path, output

    def submit(self, path: pathlib.Path, port: int = 0) -> str:
        for _ in range(120):
            said = self.client("submit", str(path), check=False, port=port)
            if said.returncode == 0:
                return said.stdout.strip()
            if said.returncode != 4:
                raise SystemExit(said.stderr)
            time.sleep(0.5)
        raise SystemExit(said.stderr)

    def stage(self, job: str) -> str:
        """The stage that a job is at; empty before the first, `over` after the last."""
        said = self.client("status", job, check=False).stdout
        if any(f": {state}" in said.split("\n")[0] for state in ("done", "failed", "cancelled")):
            return "over"
        lines = [line.split() for line in said.splitlines() if line.startswith("  ") and line.split()[0] in self.stages]
        return lines[-1][0] if lines else ""

    def wait_for(self, job: str, stage: str) -> None:
        while self.stages.index(at) < self.stages.index(stage) if (at := self.stage(job)) in self.stages else at != "over":
            time.sleep(0.02)

    def tables(self, output: str) -> dict[str, str]:
        """The checksums of the published tables, of what is there and not of what the manifest says."""
        prefix = output.removeprefix(f"s3://{BUCKET}/")
        manifest = json.loads(self.s3.get_object(Bucket=BUCKET, Key=f"{prefix}/manifest.json")["Body"].read())
        tables = {entry["name"]: entry["path"] for entry in manifest["outputs"] if entry["rows"] is not None}
        read = lambda path: self.s3.get_object(Bucket=BUCKET, Key=f"{prefix}/{path}")["Body"].read()
        return {name: hashlib.sha256(read(path)).hexdigest() for name, path in tables.items()}

    def watch(self, job: str, port: int = 0) -> subprocess.CompletedProcess:
        return self.client("watch", job, check=False, port=port)


class Trial:
    """One run of a job with something that happens to it."""

    def __init__(self, site: Site, kind: str, expected: dict[str, dict[str, str]]) -> None:
        self.site, self.kind, self.expected = site, kind, expected[kind]

    def run(self, happens) -> tuple[bool, float, str]:
        path, output = self.site.spec(self.kind)
        started = time.monotonic()
        job = self.site.submit(path)
        happens(job)
        said = self.site.watch(job)
        seconds = time.monotonic() - started
        if said.returncode != 0:
            return False, seconds, said.stderr.strip().splitlines()[-1]
        same = self.site.tables(output) == self.expected
        return same, seconds, "" if same else "other bytes"


def restart_worker(site: Site, i: int) -> None:
    site.kill(f"worker{i}")
    time.sleep(1)
    site.worker(i)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--only", nargs="*", default=[], help="faults whose names hold one of these")
    parser.add_argument("--binary", default=str(ROOT / "target/release/segmenta"))
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="segmenta-faults-"))
    network = Network()
    site = Site(options.binary, folder, network, options.rows)
    try:
        faults(site, options)
    finally:
        site.stop()
        site.moto.kill()
        if network.namespaces:
            network.remove()
    print(f"logs: {folder}")


def faults(site: Site, options: argparse.Namespace) -> None:
    sh(site.binary, "generate", "--rows", str(options.rows), "--shards", "8", str(site.folder / "customers"))
    site.upload(site.folder / "customers", "customers")
    site.upload(ROOT / "examples/data/cdnow", "cdnow")
    expected, alone = {}, {}
    for kind in ("cdnow", "customers"):
        path, output = site.spec(kind)
        started = time.monotonic()
        checked = subprocess.run([site.binary, "check", "--json", str(path)], env=site.environment(), check=True, capture_output=True)
        site.stages = [stage["stage"] for stage in json.loads(checked.stdout)["stages"]]
        subprocess.run([site.binary, "run", str(path), "--threads", "2"], env=site.environment(), check=True, capture_output=True)
        alone[kind] = time.monotonic() - started
        expected[kind] = site.tables(output)
    site.all()
    baseline = {}
    for kind in ("cdnow", "customers"):
        same, baseline[kind], why = Trial(site, kind, expected).run(lambda job: None)
        if not same:
            raise SystemExit(f"without any fault, {kind}: {why}")
        print(f"{kind}: embedded {alone[kind]:.1f} s, on {WORKERS} workers {baseline[kind]:.1f} s", flush=True)
    print(f"{'fault':<46} {'runs':>4} {'survived':>8} {'seconds lost':>12}")

    def trial(name: str, kind: str, happens, runs: int = 1) -> None:
        if options.only and not any(word in name for word in options.only):
            return
        survived, lost, reasons = 0, [], []
        for _ in range(runs):
            same, seconds, why = Trial(site, kind, expected).run(happens)
            survived += same
            lost.append(seconds - baseline[kind])
            reasons += [why] if why else []
        print(f"{name + ' (' + kind + ')':<46} {runs:>4} {survived:>8} {sum(lost) / runs:>12.1f}  {'; '.join(reasons)}", flush=True)

    def kill_worker_in(stage: str):
        def happens(job: str) -> None:
            site.wait_for(job, stage)
            restart_worker(site, 1)
        return happens

    def kill_coordinator_in(stage: str):
        def happens(job: str) -> None:
            site.wait_for(job, stage)
            site.kill("coordinator")
            site.coordinator()
        return happens

    def all_workers(job: str) -> None:
        site.wait_for(job, "kmeans")
        for i in range(WORKERS):
            site.kill(f"worker{i}")
        time.sleep(2)
        for i in range(WORKERS):
            site.worker(i)

    def cut(job: str) -> None:
        site.wait_for(job, "kmeans")
        site.network.cut(1, True)
        time.sleep(30)
        site.network.cut(1, False)

    def join(job: str) -> None:
        site.wait_for(job, "outliers")
        site.worker(WORKERS)

    def drain_in(stage: str):
        def happens(job: str) -> None:
            site.wait_for(job, stage)
            site.kill("worker2", signal.SIGTERM)
            site.worker(2)
        return happens

    def store(seconds: float | None = None, **how):
        def happens(job: str) -> None:
            if seconds:
                site.wait_for(job, "scale")
            for key, value in how.items():
                setattr(site.proxy, key, value)
            if seconds:
                time.sleep(seconds)
                site.proxy.away = False
        return happens

    for kind in ("cdnow", "customers"):
        for stage in site.stages:
            trial(f"worker killed in {stage}", kind, kill_worker_in(stage))
    trial("all workers killed", "customers", all_workers)
    if site.network.namespaces:
        trial("a worker's network cut for 30 s", "customers", cut)
    trial("a worker joins late", "customers", join)
    if f"worker{WORKERS}" in site.processes:
        site.kill(f"worker{WORKERS}")
    for stage in ("extract", "kmeans", "hdbscan"):
        trial(f"SIGTERM of a worker in {stage}", "customers", drain_in(stage))
    for kind in ("cdnow", "customers"):
        for stage in site.stages:
            trial(f"coordinator killed in {stage}", kind, kill_coordinator_in(stage))
    trial("a tenth of the requests fail", "customers", store(faults=0.1))
    site.proxy.faults = 0.0
    print(f"  ({site.proxy.refused} requests were answered with 503 or cut off)")
    trial("the store is slow by 200 ms", "cdnow", store(delay=0.2))
    site.proxy.delay = 0.0
    trial("the store is away for 20 s", "customers", store(seconds=20, away=True))
    refused(site, options, expected)


def refused(site: Site, options: argparse.Namespace, expected: dict) -> None:
    """Faults that a job does not survive, and has to say why."""

    def report(name: str, said: subprocess.CompletedProcess, word: str, started: float) -> None:
        why = said.stderr.strip().splitlines()[-1] if said.stderr.strip() else ""
        good = said.returncode not in (0, 4) and word in said.stderr
        print(f"{name:<46} {1:>4} {'named' if good else 'NOT NAMED':>8} {time.monotonic() - started:>12.1f}  {why[:160]}", flush=True)

    def wanted(name: str) -> bool:
        return not options.only or any(word in name for word in options.only)

    if wanted("two coordinators"):
        site.coordinator("other", 100, "other-state")
        path, output = site.spec("customers")
        first = site.submit(path)
        other = site.submit(path, 100)
        said = site.watch(first)
        site.kill("other")
        good = said.returncode == 0 and site.tables(output) == expected["customers"]
        print(f"{'two coordinators, one output':<46} {1:>4} {int(good):>8}  {other}", flush=True)
    if wanted("replaced"):
        started = time.monotonic()
        site.upload(site.folder / "customers", "moving")
        path, _ = site.spec("customers", data="moving")
        job = site.submit(path)
        site.wait_for(job, "extract")
        shard = sorted((site.folder / "customers").glob("*.parquet"))[0]
        other = sorted((site.folder / "customers").glob("*.parquet"))[1]
        site.s3.upload_file(str(other), BUCKET, f"moving/{shard.name}")
        report("a shard is replaced", site.watch(job), "while the job read it", started)
    if wanted("poison"):
        started = time.monotonic()
        sql = "sql: SELECT customer_id, recency, frequency, monetary / (CASE WHEN customer_id > 0 THEN 0 ELSE 1 END) AS monetary FROM (SELECT customer_id, recency, frequency, CAST(1 AS BIGINT) AS monetary FROM customers)"
        path, _ = site.spec("customers", sql=sql)
        report("a task that always fails", site.watch(site.submit(path)), "DivideByZero", started)
    if wanted("disk") and os.geteuid() == 0:
        started = time.monotonic()
        for i in range(WORKERS):
            site.kill(f"worker{i}")
        small = site.folder / "small"
        small.mkdir()
        sh("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small))
        site.worker(0, str(small))
        path, _ = site.spec("customers")
        report("a worker's disk is full", site.watch(site.submit(path)), "disk is full", started)
        site.kill("worker0")
        sh("umount", str(small))


if __name__ == "__main__":
    main()
