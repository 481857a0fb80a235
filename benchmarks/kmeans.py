"""K-Means over k = 2..10 beside scikit-learn and Spark, on the same rows in one run, reading Parquet included.

    pip install scikit-learn pyarrow pyspark
    python3 benchmarks/kmeans.py [--rows 5000000] [--columns 3] [--spark] [--threads 2]
    python3 benchmarks/kmeans.py --passes

Customers come from `segmenta generate` for three columns, and from clusters of different widths for more. All are standardised before,
so that preparation is nobody's cost. scikit-learn: `KMeans(n_init=1)` for each k. Spark, with --spark: MLlib's `KMeans` on local[2] with
its silhouette for each k; ours then counts its evaluation too. The inertias of all are compared, each way from its own start, and the
silhouettes with Spark's where both found the same clusters.

--passes: how long a pass takes, for several numbers of rows, columns and clusters: the difference between a run of many steps and one of
few, from k rows as a start.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parent.parent
KS = range(2, 11)
SHARDS = 16


def points(rows: int, columns: int) -> np.ndarray:
    """Standardised points in a mixture of clusters of different sizes and widths, some of it noise."""
    random = np.random.default_rng(7)
    clusters = 8
    centers = random.normal(0, 3, (clusters, columns))
    share = random.dirichlet(np.full(clusters, 2.0))
    label = random.choice(clusters, rows, p=share)
    width = random.uniform(0.4, 1.5, clusters)
    x = centers[label] + random.normal(0, 1, (rows, columns)) * width[label, None]
    noise = random.random(rows) < 0.02
    x[noise] = random.uniform(-8, 8, (noise.sum(), columns))
    return (x - x.mean(0)) / x.std(0)


def write(folder: pathlib.Path, x: np.ndarray) -> list[str]:
    names = [f"f{j}" for j in range(x.shape[1])]
    folder.mkdir()
    for i, rows in enumerate(np.array_split(np.arange(len(x)), SHARDS)):
        table = pa.table({"id": rows, **{name: x[rows, j] for j, name in enumerate(names)}})
        pq.write_table(table, folder / f"part-{i:02}.parquet")
    return names


def ours(binary: str, folder: pathlib.Path, names: list[str], threads: int) -> dict:
    spec = folder / "job.yaml"
    spec.write_text(
        f"name: kmeans\nsource: {{tables: {{p: data/*.parquet}}, id: id, features: [{', '.join(names)}]}}\n"
        "impute: {method: none}\noutliers: {method: none}\nscale: {method: none}\n"
        f"kmeans: {{k: {{from: {KS[0]}, to: {KS[-1]}}}, seed: 7}}\noutput: out\n"
    )
    subprocess.run([binary, "run", str(spec), "--threads", str(threads)], check=True, capture_output=True)
    metrics = json.loads((folder / "out/metrics.json").read_text())
    seconds = {stage["stage"]: stage["seconds"] for stage in metrics["stages"]}
    candidates = {c["k"]: c for c in metrics["kmeans"]["candidates"]}
    peak = max(stage["peak_memory_bytes"] or 0 for stage in metrics["stages"] if stage["stage"] == "kmeans")
    return {
        "seconds": seconds,
        "passes": metrics["kmeans"]["passes"],
        "inertia": {k: c["inertia"] for k, c in candidates.items()},
        "silhouette": {k: c["silhouette_squared"] for k, c in candidates.items()},
        "iterations": sum(c["iterations"] for c in candidates.values()),
        "peak_mib": peak / 2**20,
    }


def sklearn_sweep(folder: pathlib.Path, names: list[str]) -> dict:
    from sklearn.cluster import KMeans

    started = time.perf_counter()
    table = pa.dataset.dataset(folder / "data").to_table(columns=names)
    x = np.column_stack([table[name].to_numpy() for name in names])
    read = time.perf_counter() - started
    inertia, iterations = {}, 0
    for k in KS:
        model = KMeans(k, n_init=1, random_state=7).fit(x)
        inertia[k] = model.inertia_
        iterations += model.n_iter_
    return {"seconds": time.perf_counter() - started, "read": read, "inertia": inertia, "iterations": iterations}


def spark_sweep(folder: pathlib.Path, names: list[str]) -> dict:
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.evaluation import ClusteringEvaluator
    from pyspark.ml.feature import VectorAssembler
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[2]").config("spark.driver.memory", "12g").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    spark.range(10).count()
    started = time.perf_counter()
    frame = VectorAssembler(inputCols=names, outputCol="features").transform(spark.read.parquet(str(folder / "data"))).select("features").cache()
    inertia, silhouette, iterations = {}, {}, 0
    for k in KS:
        model = KMeans(k=k, seed=7, maxIter=300).fit(frame)
        inertia[k] = model.summary.trainingCost
        iterations += model.summary.numIter
        silhouette[k] = ClusteringEvaluator().evaluate(model.transform(frame))
    seconds = time.perf_counter() - started
    spark.stop()
    return {"seconds": seconds, "inertia": inertia, "silhouette": silhouette, "iterations": iterations}


def pass_time(binary: str, folder: pathlib.Path, names: list[str], x: np.ndarray, k: int, threads: int) -> float:
    """Milliseconds of one pass for one candidate."""
    start = x[np.random.default_rng(k).choice(len(x), k, replace=False)].tolist()
    spec = folder / "job.yaml"
    took = {}
    for steps in (2, 22):
        spec.write_text(
            f"name: kmeans\nsource: {{tables: {{p: data/*.parquet}}, id: id, features: [{', '.join(names)}]}}\n"
            "impute: {method: none}\noutliers: {method: none}\nscale: {method: none}\n"
            f"kmeans: {{start: {start}, tolerance: 0, max_iterations: {steps}}}\nevaluate: {{silhouette_rows: 100}}\noutput: out\n"
        )
        subprocess.run([binary, "run", str(spec), "--threads", str(threads)], check=True, capture_output=True)
        metrics = json.loads((folder / "out/metrics.json").read_text())
        seconds = next(stage["seconds"] for stage in metrics["stages"] if stage["stage"] == "kmeans")
        took[metrics["kmeans"]["passes"]] = seconds
    (few, least), (many, most) = sorted(took.items())
    return (most - least) / (many - few) * 1000


def passes(binary: str, threads: int) -> None:
    cases = [(2_000_000, d, k) for d in (3, 16) for k in (2, 8, 32, 128)]
    cases += [(2_000_000, d, 8) for d in (2, 6, 8, 32)]
    cases += [(n, d, 8) for d in (3, 16) for n in (500_000, 4_000_000)]
    sizes = sorted({(n, d) for n, d, _ in cases})
    print("rows, columns, clusters: milliseconds of a pass")
    for n, d in sizes:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="segmenta-kmeans-"))
        try:
            x = points(n, d)
            names = write(folder / "data", x)
            for k in [k for rows, columns, k in cases if (rows, columns) == (n, d)]:
                print(f"  {n:>9,}  {d:>2}  {k:>3}: {pass_time(binary, folder, names, x, k, threads):8.1f}", flush=True)
        finally:
            shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--spark", action="store_true")
    parser.add_argument("--passes", action="store_true")
    parser.add_argument("--binary", default=str(ROOT / "target/release/segmenta"))
    options = parser.parse_args()
    if options.passes:
        return passes(options.binary, options.threads)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="segmenta-kmeans-"))
    try:
        names = write(folder / "data", points(options.rows, options.columns))
        print(f"{options.rows:,} rows x {options.columns}, k = {KS[0]}..{KS[-1]}, {os.cpu_count()} cores")
        mine = ours(options.binary, folder, names, options.threads)
        fit = sum(mine["seconds"][stage] for stage in ("extract", "impute", "outliers", "scale", "kmeans"))
        judged = fit + mine["seconds"]["evaluate"]
        print(f"  segmenta      {fit:8.2f} s with reading and preparation; kmeans {mine['seconds']['kmeans']:.2f} s, {mine['passes']} passes for {mine['iterations']} iterations, peak {mine['peak_mib']:,.0f} MiB; with evaluation {judged:.2f} s")
        print("                " + ", ".join(f"{stage} {took:.2f}" for stage, took in mine["seconds"].items()) + " s")
        others = {"scikit-learn": sklearn_sweep(folder, names)}
        if options.spark:
            others["Spark"] = spark_sweep(folder, names)
        for name, other in others.items():
            beside = judged if name == "Spark" else fit
            worst = max(mine["inertia"][k] / other["inertia"][k] for k in KS)
            print(f"  {name:<12}  {other['seconds']:8.2f} s for {other['iterations']} iterations: {other['seconds'] / beside:.1f} x ours; our inertia is at most {worst:.4f} of its")
        if options.spark:
            for k in KS:
                spark = others["Spark"]
                print(f"    k = {k:>2}: inertia {mine['inertia'][k]:.0f}, Spark's {spark['inertia'][k]:.0f}; silhouette of squared distances {mine['silhouette'][k]:.6f}, Spark's {spark['silhouette'][k]:.6f}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
