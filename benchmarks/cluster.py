"""The same job embedded, and on a coordinator with 1, 2 and 4 workers of one task slot each: seconds, and whether the tables are
the same bytes.

    python3 benchmarks/cluster.py [--rows 2000000] [--shards 8] [--queue 50]

`--queue N` also submits N small jobs at once and waits until the queue is empty. Coordinator and workers are processes on
this machine: with more slots than cores, more workers only show what they cost.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COORDINATOR = "http://127.0.0.1:27050"


def sh(*arguments: str) -> str:
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def tables(output: pathlib.Path) -> list:
    manifest = json.loads((output / "manifest.json").read_text())
    return [(entry["name"], entry["sha256"]) for entry in manifest["outputs"] if entry["rows"] is not None]


class Cluster:
    def __init__(self, binary: str, folder: pathlib.Path, workers: int) -> None:
        arguments = ["coordinator", "--listen", "127.0.0.1:27050", "--scheduler-listen", "127.0.0.1:27060"]
        arguments += ["--state", str(folder / f"state{workers}"), "--allow", f"file://{folder}/", "--memory", "2GiB"]
        log = open(folder / "cluster.log", "a")
        self.processes = [subprocess.Popen([binary, *arguments], stderr=log)]
        for i in range(workers):
            ports = ["--flight-port", str(27070 + 2 * i), "--task-port", str(27071 + 2 * i)]
            more = ["--scheduler", "127.0.0.1:27060", "--slots", "1", "--memory", "3GiB", "--work-dir", str(folder)]
            self.processes.append(subprocess.Popen([binary, "worker", *more, *ports], stderr=log))
        time.sleep(2)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--queue", type=int, default=0)
    options = parser.parse_args()
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True, capture_output=True)
    target = json.loads(sh("cargo", "metadata", "--no-deps", "--format-version", "1", "--manifest-path", str(ROOT / "Cargo.toml")))
    binary = str(pathlib.Path(target["target_directory"]) / "release/segmenta")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="segmenta-cluster-"))
    sh(binary, "generate", "--rows", str(options.rows), "--shards", str(options.shards), str(folder / "data"))

    def spec(name: str, data: str = "data") -> str:
        path = folder / f"{name}.yaml"
        path.write_text(
            f"name: {name}\nsource: {{tables: {{c: {data}/*.parquet}}, id: customer_id, features: [recency, frequency, monetary]}}\n"
            f"hdbscan: {{min_cluster_size: {max(options.rows // 200, 50) if data == 'data' else 50}}}\noutput: out-{name}\n"
        )
        return str(path)

    def run(name: str, command: list[str]) -> float:
        """The faster of two runs."""
        seconds = []
        for i in range(2):
            shutil.rmtree(folder / f"out-{name}", ignore_errors=True)
            started = time.perf_counter()
            sh(binary, "run", spec(name), *command)
            seconds.append(time.perf_counter() - started)
        return min(seconds)

    embedded = {threads: run(f"embedded-{threads}", ["--threads", str(threads)]) for threads in (1, 2)}
    expected = tables(folder / "out-embedded-2")
    print(f"{options.rows:,} rows in {options.shards} shards, on {os.cpu_count()} cores")
    for threads, seconds in embedded.items():
        print(f"  embedded, {threads} threads   {seconds:7.2f} s")
    for workers in (1, 2, 4):
        cluster = Cluster(binary, folder, workers)
        try:
            name = f"workers-{workers}"
            seconds = run(name, ["--coordinator", COORDINATOR])
            same = [checksum for _, checksum in tables(folder / f"out-{name}")] == [checksum for _, checksum in expected]
            beside = embedded[min(workers, 2)]
            print(f"  {workers} workers             {seconds:7.2f} s   {seconds / beside:.2f} x embedded   {'same bytes' if same else 'OTHER BYTES'}")
            if workers == 2 and options.queue:
                sh(binary, "generate", "--rows", "2000", "--shards", "1", str(folder / "small"))
                started = time.perf_counter()
                ids = [sh(binary, "submit", spec(f"small-{i}", "small"), "--coordinator", COORDINATOR).strip() for i in range(options.queue)]
                for job in ids:
                    sh(binary, "watch", job, "--coordinator", COORDINATOR)
                seconds = time.perf_counter() - started
                results = {json.dumps([c for _, c in tables(folder / f"out-small-{i}")]) for i in range(options.queue)}
                print(f"  {len(ids)} jobs of 2,000 rows, two at once: {seconds:.1f} s, {len(results)} different results")
        finally:
            cluster.stop()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
