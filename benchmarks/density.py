"""HDBSCAN beside its peers, on the same prepared rows, with the results compared.

    pip install quitefastmst fast_hdbscan scikit-learn pyarrow
    python3 benchmarks/density.py [--rows 1000000] [--fast-hdbscan] [--approximations]

Builds `segmenta` and the kernel's example in release mode, generates customers, runs the job on them, and times: the
spanning tree in one process (ours and quitefastmst's, median of three), the `hdbscan` stage from prepared points to labels,
and, if asked, fast_hdbscan from rows to labels. Peers are told `min_samples` as they count it: without the row itself.
"""

import argparse
import glob
import json
import pathlib
import statistics
import subprocess
import time

import numpy as np
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parent.parent
FEATURES = ["recency", "frequency", "monetary"]
MIN_SAMPLES = 10


def sh(*arguments: str) -> str:
    return subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def timed(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def labels_of(binary: str, folder: pathlib.Path, name: str, section: str) -> np.ndarray:
    """Labels by customer of a job with another `hdbscan` section."""
    text = (folder / "job.yaml").read_text().splitlines()
    text = [f"hdbscan: {{{section}}}" if line.startswith("hdbscan:") else line for line in text]
    text[-1] = f"output: out-{name}"
    (folder / f"{name}.yaml").write_text("\n".join(text) + "\n")
    sh(binary, "run", "--fresh", str(folder / f"{name}.yaml"))
    table = pq.read_table(sorted(glob.glob(str(folder / f"out-{name}/assignments/*.parquet"))))
    return table["hdbscan_cluster"].to_numpy()[np.argsort(table["customer_id"].to_numpy())]


def approximations(binary: str, folder: pathlib.Path, rows: int, points: int) -> None:
    """How near `graph: knn` and a grid of a fifth of the points come to the exact clustering."""
    from sklearn.metrics import adjusted_rand_score

    for share in (100, 200, 500):
        common = f"min_cluster_size: {rows // share}, min_samples: {MIN_SAMPLES}"
        exact = labels_of(binary, folder, "exact", f"{common}, resolution: 0")
        knn = labels_of(binary, folder, "knn", f"{common}, resolution: 0, graph: knn")
        grid = labels_of(binary, folder, "grid", f"{common}, budget: {points // 5}")
        print(
            f"  min_cluster_size {rows // share}: ARI of graph: knn {adjusted_rand_score(exact, knn):.4f}, "
            f"of a fifth of the points {adjusted_rand_score(exact, grid):.4f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--fast-hdbscan", action="store_true", help="also fast_hdbscan, which takes minutes")
    parser.add_argument("--approximations", action="store_true", help="also graph: knn, and a grid of a fifth of the points")
    options = parser.parse_args()
    sh("cargo", "build", "--release", "--locked")
    sh("cargo", "build", "--release", "--locked", "-p", "segmenta-algorithms", "--example", "spanning_tree")
    target = pathlib.Path(json.loads(sh("cargo", "metadata", "--no-deps", "--format-version", "1"))["target_directory"])
    folder = ROOT / "runs" / "density" / str(options.rows)
    if not (folder / "data").exists():
        sh(str(target / "release/segmenta"), "generate", "--rows", str(options.rows), "--shards", "8", str(folder / "data"))
    sizes = [options.rows // 500, options.rows // 100]
    (folder / "job.yaml").write_text(
        f"""name: density
source: {{tables: {{c: data/*.parquet}}, id: customer_id, features: [{", ".join(FEATURES)}]}}
impute: {{method: mean}}
kmeans: {{k: 3}}
hdbscan: {{min_cluster_size: {sizes}, min_samples: {MIN_SAMPLES}, resolution: 0}}
output: out
"""
    )
    sh(str(target / "release/segmenta"), "run", "--fresh", str(folder / "job.yaml"))
    metrics = json.loads((folder / "out/metrics.json").read_text())
    stage = next(stage for stage in metrics["stages"] if stage["stage"] == "hdbscan")
    prepared = pq.read_table(sorted(glob.glob(str(folder / "out/_work/scale/*.parquet"))))
    x = np.ascontiguousarray(np.column_stack([prepared[name].to_numpy() for name in FEATURES]))
    x.tofile(folder / "points.bin")

    import quitefastmst

    kernel = str(target / "release/examples/spanning_tree")
    runs = [json.loads(sh(kernel, str(folder / "points.bin"), "3", str(MIN_SAMPLES), "2")) for _ in range(3)]
    ours = statistics.median(run["total"] for run in runs)
    theirs_runs = [timed(lambda: quitefastmst.mst_euclid(x, MIN_SAMPLES - 1)) for _ in range(3)]
    theirs = statistics.median(seconds for seconds, _ in theirs_runs)
    weight = float(theirs_runs[0][1][0].sum())
    for name, value in (("kernel", runs[0]["weight"]), ("engine", metrics["hdbscan"]["spanning_tree_weight"])):
        if abs(value - weight) > 1e-9 * weight:
            raise SystemExit(f"{name}: the spanning tree weighs {value}, quitefastmst's {weight}")
    print(f"{len(x):,} prepared rows x 3, min_samples {MIN_SAMPLES}; equal spanning trees ({weight:.6f})")
    print(f"  quitefastmst             {theirs:7.2f} s")
    print(f"  kernel, in the process   {ours:7.2f} s   {ours / theirs:.2f} x")
    memory = stage["peak_memory_bytes"] / len(x)
    print(f"  engine, points to labels {stage['seconds']:7.2f} s   {stage['seconds'] / theirs:.2f} x   peak {memory:.0f} B a row")
    if options.approximations:
        approximations(str(target / "release/segmenta"), folder, options.rows, metrics["hdbscan"]["points"])
    if options.fast_hdbscan:
        import fast_hdbscan
        from sklearn.metrics import adjusted_rand_score

        size = metrics["hdbscan"]["min_cluster_size"]
        fit = fast_hdbscan.HDBSCAN(min_cluster_size=size, min_samples=MIN_SAMPLES - 1).fit
        seconds, fitted = timed(lambda: fit(x))
        again, _ = timed(lambda: fit(x))
        labels = pq.read_table(sorted(glob.glob(str(folder / "out/_work/hdbscan/part-*.parquet"))))["hdbscan_cluster"]
        agreement = adjusted_rand_score(fitted.labels_, labels.to_numpy())
        print(f"  fast_hdbscan             {again:7.2f} s   {again / stage['seconds']:.1f} x the engine (first run {seconds:.1f} s); ARI {agreement:.4f}")


if __name__ == "__main__":
    main()
