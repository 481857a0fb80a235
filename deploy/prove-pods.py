#!/usr/bin/env python3
"""Runs the chart's pods without Kubernetes: renders it with the values of production, and starts what the manifests say.

    python3 deploy/prove-pods.py target/release/segmenta

Each pod is a network namespace of its own, with what image-root.sh makes as its read-only root, user 65532 without any
capability, its ConfigMaps and secrets where they are mounted, and its arguments and variables; a file of hosts stands for
Services, and leads to whichever coordinator is ready. Then, one after the other: a second coordinator stands by; strangers
are refused; the CronJob's pod has its job done; connections are those that the network policies let through; the active
coordinator is killed in the middle of a job, and the other one finishes it, with the same bytes; all stop when asked to.

Needs root, iproute2, util-linux and openssl. What it does not have is Kubernetes itself: no scheduling, no kubelet, no
enforcement of limits and policies.
"""

import copy
import hashlib
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from rendering import DEPLOY, Rendered, helm, pods_of

import yaml

PROJECT = DEPLOY.parent
NETWORK, BRIDGE = "10.77.9", "segmenta-pods"
USER = 65532
PORTS = {"jobs": 50050, "scheduler": 50060, "flight": 50061, "tasks": 50062, "probes": 8080}

# Over those of production: local files are the store, and leases are short.
VALUES = """
state: file:///data/state/
allow: [file:///data/cdnow/, file:///data/out/]
drainTimeoutSeconds: 20
client: {tokenSecret: segmenta-nightly}
coordinator: {config: {memory: 1GiB, lease_seconds: 6}}
worker: {config: {memory: 1GiB, slots: 1, connect_timeout_seconds: 600}}
"""


def sh(*command: object, check: bool = True) -> str:
    return subprocess.run([str(part) for part in command], check=check, capture_output=True, text=True).stdout


def expect(is_right: object, what: str) -> None:
    if not is_right:
        raise SystemExit(f"prove-pods: {what}")
    print(f"  {what}: as it should be" if what.startswith("that ") else f"  {what}")


class Pod:
    def __init__(self, name: str, role: str, number: int, process: subprocess.Popen, folder: pathlib.Path) -> None:
        self.name, self.role, self.number, self.process, self.folder = name, role, number, process, folder
        self.address = f"{NETWORK}.{10 + number}"

    def inner(self) -> int:
        """The program itself, which unshare started."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()[0])

    def send(self, what: signal.Signals) -> None:
        os.kill(self.inner(), what)

    def answers(self, path: str) -> bool:
        command = ["ip", "netns", "exec", f"segmenta-{self.number}", "curl", "--silent", "--fail", "--max-time", "2", f"http://{self.address}:{PORTS['probes']}{path}"]
        return self.process.poll() is None and subprocess.run(command, capture_output=True).returncode == 0

    def ends(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise SystemExit(f"prove-pods: {self.name} does not end:\n{self.log()[-2000:]}") from None

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def said(self) -> str:
        return (self.folder / "said").read_text()


class Site:
    def __init__(self, work: pathlib.Path, rendered: Rendered, binary: str) -> None:
        self.work, self.rendered, self.pods = work, rendered, {}
        self.root, self.data, self.secrets, self.hosts = work / "root", work / "data", work / "secrets", work / "hosts"
        print(f"image: {sh(DEPLOY / 'image-root.sh', binary, self.root).strip()}")
        for _, _, _, spec in pods_of(rendered):
            for mount in spec["containers"][0].get("volumeMounts", []):
                (self.root / mount["mountPath"].lstrip("/")).mkdir(parents=True, exist_ok=True)
        (self.root / "data").mkdir()
        (self.data / "out").mkdir(parents=True)
        shutil.copytree(PROJECT / "examples/data/cdnow", self.data / "cdnow")
        sh("chown", "-R", f"{USER}:{USER}", self.data)
        self.hosts.write_text("127.0.0.1 localhost\n")
        self.make_secrets()
        sh("ip", "link", "del", BRIDGE, check=False)
        sh("ip", "link", "add", BRIDGE, "type", "bridge")
        sh("ip", "link", "set", BRIDGE, "up")

    def close(self) -> None:
        for pod in self.pods.values():
            if pod.process.poll() is None:
                pod.send(signal.SIGKILL)
            sh("ip", "netns", "del", f"segmenta-{pod.number}", check=False)
        sh("ip", "link", "del", BRIDGE, check=False)

    def make_secrets(self) -> None:
        new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

        def certificate(secret: str, authority: str, name: str) -> None:
            signer, folder = self.work / "authorities" / authority, self.secrets / secret
            folder.mkdir(parents=True)
            if not signer.exists():
                signer.mkdir(parents=True)
                sh("openssl", "req", "-x509", *new_key, "-keyout", signer / "key", "-out", signer / "crt", "-subj", f"/CN={authority}", "-days", "2")
            extensions = self.work / "extensions"
            extensions.write_text(f"subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth,clientAuth\n")
            sh("openssl", "req", *new_key, "-keyout", folder / "tls.key", "-out", self.work / "request", "-subj", "/CN=segmenta")
            sh("openssl", "x509", "-req", "-in", self.work / "request", "-CA", signer / "crt", "-CAkey", signer / "key", "-CAcreateserial", "-out", folder / "tls.crt", "-days", "2", "-extfile", extensions)
            shutil.copy(signer / "crt", folder / "ca.crt")

        certificate("segmenta-tls", "jobs", "segmenta-coordinator.segmenta.svc")
        certificate("segmenta-members-tls", "members", "segmenta-members")
        certificate("of-another-authority", "strangers", "segmenta-members")
        token = secrets.token_hex(32)
        for secret, file, text in [
            ("segmenta-tokens", "tokens.toml", f'[[tokens]]\nname = "nightly"\nrole = "submit"\nsha256 = "{hashlib.sha256(token.encode()).hexdigest()}"\n'),
            ("segmenta-nightly", "token", token),
        ]:
            (self.secrets / secret).mkdir()
            (self.secrets / secret / file).write_text(text)

    def spec(self, kind: str, name: str) -> dict:
        return next(spec for _, item, _, spec in pods_of(self.rendered) if (item["kind"], item["metadata"]["name"]) == (kind, name))

    def volume(self, volume: dict, folder: pathlib.Path, other_secrets: dict[str, str]) -> None:
        folder.mkdir()
        if "configMap" in volume:
            for file, text in self.rendered.get("ConfigMap", volume["configMap"]["name"])["data"].items():
                (folder / file).write_text(text)
        elif "secret" in volume:
            secret = volume["secret"]
            source = self.secrets / other_secrets.get(secret["secretName"], secret["secretName"])
            for item in secret.get("items") or [{"key": file.name, "path": file.name} for file in source.iterdir()]:
                shutil.copy(source / item["key"], folder / item["path"])
                os.chown(folder / item["path"], 0, USER)
                (folder / item["path"]).chmod(secret["defaultMode"])
        else:
            os.chown(folder, 0, USER)
            folder.chmod(0o2775)

    def start(self, name: str, role: str, spec: dict, other_secrets: dict[str, str] | None = None) -> Pod:
        number = len(self.pods)
        namespace, address = f"segmenta-{number}", f"{NETWORK}.{10 + number}"
        sh("ip", "netns", "del", namespace, check=False)
        sh("ip", "netns", "add", namespace)
        sh("ip", "link", "add", f"sgpod{number}", "type", "veth", "peer", "name", "eth0", "netns", namespace)
        sh("ip", "link", "set", f"sgpod{number}", "master", BRIDGE, "up")
        for command in (["addr", "add", f"{address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"], ["link", "set", "lo", "up"]):
            sh("ip", "-n", namespace, *command)

        container, folder = spec["containers"][0], self.work / "pods" / name
        folder.mkdir(parents=True)
        mounts = [(self.hosts, "/etc/hosts", False), (self.data, "/data", False)]
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        for mount in container.get("volumeMounts", []):
            self.volume(volumes[mount["name"]], folder / mount["name"], other_secrets or {})
            mounts.append((folder / mount["name"], mount["mountPath"], mount.get("readOnly", False)))
        variables = {variable["name"]: variable.get("value", address) for variable in container.get("env", [])}
        steps = ["mount --make-rprivate /", f"mount --bind {self.root} {self.root}", f"mount -t tmpfs -o size=64k dev {self.root}/dev"]
        steps += [f": >{self.root}/dev/{device} && mount --bind /dev/{device} {self.root}/dev/{device}" for device in ["null", "zero", "random", "urandom"]]
        steps += [f"mount -t proc proc {self.root}/proc"]
        for source, target, read_only in mounts:
            steps.append(f"mount --bind {source} {self.root}{target}")
            steps += [f"mount -o remount,bind,ro {self.root}{target}"] if read_only else []
        steps.append(f"mount -o remount,bind,ro {self.root}")
        program = ["setpriv", "--no-new-privs", "--bounding-set=-all,+sys_chroot,+setuid,+setgid", "--inh-caps=-all", "env", "-i", "PATH=/usr/local/bin"]
        program += [f"{key}={value}" for key, value in variables.items()]
        program += [shutil.which("chroot"), f"--userspec={USER}:{USER}", f"--groups={USER}", str(self.root), "/usr/local/bin/segmenta", *container["args"]]
        script = "\n".join(["set -e", *steps, 'exec "$@"'])
        command = ["ip", "netns", "exec", namespace, "unshare", "--mount", "--pid", "--fork", "--kill-child=SIGKILL", "bash", "-c", script, "pod", *program]
        with open(folder / "log", "w") as log, open(folder / "said", "w") as said:
            process = subprocess.Popen(command, stdout=said, stderr=log)
        self.pods[name] = Pod(name, role, number, process, folder)
        return self.pods[name]

    def endpoints(self) -> list[str]:
        """Leads Services to the coordinators that are ready, as Kubernetes would."""
        ready = [pod for pod in self.pods.values() if pod.role == "coordinator" and pod.answers("/readyz")]
        names = "segmenta-scheduler segmenta-coordinator segmenta-coordinator.segmenta.svc"
        self.hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{pod.address} {names}\n" for pod in ready))
        return [pod.name for pod in ready]

    def wait(self, what: str, seconds: float, condition) -> None:
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                logs = "\n".join(f"-- {pod.name}\n{pod.log()[-1500:]}" for pod in self.pods.values())
                raise SystemExit(f"prove-pods: waited {seconds} s in vain for {what}\n{logs}")
            time.sleep(0.2)


class Connections:
    """Who is connected to which port of whom, by role, as long as it is looked at."""

    def __init__(self, site: Site) -> None:
        self.site, self.found, self.stopped = site, set(), threading.Event()
        self.thread = threading.Thread(target=self.look)

    def __enter__(self) -> set[tuple[str, str, str]]:
        self.thread.start()
        return self.found

    def __exit__(self, *_) -> None:
        self.stopped.set()
        self.thread.join()

    def look(self) -> None:
        names = {f"{port:04X}": name for name, port in PORTS.items()}
        while not self.stopped.wait(0.05):
            roles = {pod.address: pod.role for pod in list(self.site.pods.values())}
            for pod in list(self.site.pods.values()):
                try:
                    lines = pathlib.Path(f"/proc/{pod.inner()}/net/tcp").read_text().splitlines()[1:]
                except (OSError, IndexError):
                    continue
                for _, local, remote, state, *_ in map(str.split, lines):
                    host = ".".join(str(byte) for byte in bytes.fromhex(remote.split(":")[0])[::-1])
                    # 01: established. What TLS hands on within a pod is nobody's business.
                    if state == "01" and local.split(":")[1] in names and not host.startswith("127."):
                        self.found.add((roles.get(host, host), pod.role, names[local.split(":")[1]]))


def tables(folder: pathlib.Path) -> dict[str, str]:
    files = [file for file in folder.rglob("*.parquet") if "_work" not in file.parts]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def prove(binary: str, work: pathlib.Path) -> None:
    job = (PROJECT / "examples/cdnow.yaml").read_text().replace("data/cdnow/", "file:///data/cdnow/").replace("../runs/cdnow", "file:///data/out/OUTPUT")
    schedules = {"first": {"schedule": "0 2 * * *", "spec": job.replace("OUTPUT", "first")}, "second": {"schedule": "0 3 * * *", "spec": job.replace("OUTPUT", "second")}}
    values = work / "values.yaml"
    values.write_text(yaml.safe_dump({**yaml.safe_load(VALUES), "schedules": schedules}))
    site = Site(work, helm("prod", values, name="production"), binary)
    try:
        coordinator, worker = site.spec("Deployment", "segmenta-coordinator"), site.spec("Deployment", "segmenta-worker")
        test = site.spec("Pod", "segmenta-test")
        first = site.start("coordinator-a", "coordinator", coordinator)
        site.wait("a coordinator", 30, lambda: site.endpoints() == ["coordinator-a"])
        second = site.start("coordinator-b", "coordinator", coordinator)
        workers = [site.start(f"worker-{i}", "worker", worker) for i in range(2)]
        site.wait("the workers", 30, lambda: all(pod.answers("/readyz") for pod in workers))
        expect(second.answers("/livez") and not second.answers("/readyz"), "that the second coordinator lives and is not ready")
        expect(site.start("test", "client", test).ends(30) == 0, "that `helm test` passes")

        without = copy.deepcopy(test)
        without["containers"][0]["args"] = [argument for argument in without["containers"][0]["args"] if not argument.startswith("--token")]
        refused = site.start("without-a-token", "client", without)
        expect(refused.ends(30) != 0 and "token" in refused.log(), "that a caller without a token is refused")
        stranger = site.start("stranger", "worker", worker, {"segmenta-members-tls": "of-another-authority"})
        time.sleep(5)
        expect(stranger.answers("/livez") and not stranger.answers("/readyz"), "that a worker with a certificate of another authority does not join")
        stranger.send(signal.SIGKILL)

        with Connections(site) as connections:
            nightly = site.start("first", "client", site.spec("CronJob", "segmenta-first"))
            expect(nightly.ends(120) == 0 and "published" in nightly.said(), "that the CronJob's pod has its job done")
        allowed = {("client", "coordinator", "jobs"), ("worker", "coordinator", "scheduler"), ("coordinator", "worker", "flight"), ("worker", "worker", "flight"), ("coordinator", "worker", "tasks")}
        expect(connections == allowed, f"that connections are those of the network policies ({len(connections)} kinds)")

        again = site.start("second", "client", site.spec("CronJob", "segmenta-second"))
        site.wait("the second job's first stage", 60, lambda: "extract" in again.log())
        first.send(signal.SIGKILL)
        site.wait("the other coordinator", 60, lambda: site.endpoints() == ["coordinator-b"])
        expect(again.ends(120) == 0, "that a job goes on with the other coordinator when the active one is killed")
        published = [tables(site.data / "out" / name) for name in ["first", "second"]]
        expect(published[0] and published[0] == published[1], f"that both jobs have the same bytes ({len(published[0])} tables)")

        for pod in [*workers, second]:
            pod.send(signal.SIGTERM)
        expect([pod.ends(40) for pod in [*workers, second]] == [0, 0, 0], "that all end well when they are asked to stop")
    finally:
        site.close()


def main() -> int:
    if len(sys.argv) != 2 or os.geteuid() != 0:
        print("usage, as root: deploy/prove-pods.py BINARY", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as work:
        prove(os.path.realpath(sys.argv[1]), pathlib.Path(work))
    print("proved: the chart's pods, without Kubernetes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
