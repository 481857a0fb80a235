"""K-Means over k = 2..10 beside scikit-learn and Spark, on the same rows in one run, reading Parquet included.

    pip install scikit-learn pyarrow pyspark
    python3 benchmarks/kmeans.py [--rows 5000000] [--columns 3] [--spark] [--threads 2]

Customers come from `segmenta generate` for three columns, and from clusters of different widths for more. All are standardised before,
so that preparation is nobody's cost. scikit-learn: `KMeans(n_init=1)` for each k. Spark, with --spark: MLlib's `KMeans` on local[2] with
its silhouette for each k; ours then counts its evaluation too. The inertias of all are compared, each way from its own start.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--spark", action="store_true")
    parser.add_argument("--binary", default=str(ROOT / "target/release/segmenta"))
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="segmenta-kmeans-"))
    try:
        names = write(folder / "data", points(options.rows, options.columns))
        print(f"{options.rows:,} rows x {options.columns}, k = {KS[0]}..{KS[-1]}, {os.cpu_count()} cores")
        mine = ours(options.binary, folder, names, options.threads)
        fit = sum(mine["seconds"][stage] for stage in ("extract", "impute", "outliers", "scale", "kmeans"))
        judged = fit + mine["seconds"]["evaluate"]
        print(f"  segmenta      {fit:8.2f} s with reading and preparation; kmeans {mine['seconds']['kmeans']:.2f} s, {mine['passes']} passes for {mine['iterations']} iterations, peak {mine['peak_mib']:,.0f} MiB; with evaluation {judged:.2f} s")
        others = {"scikit-learn": sklearn_sweep(folder, names)}
        if options.spark:
            others["Spark"] = spark_sweep(folder, names)
        for name, other in others.items():
            beside = judged if name == "Spark" else fit
            worst = max(mine["inertia"][k] / other["inertia"][k] for k in KS)
            print(f"  {name:<12}  {other['seconds']:8.2f} s for {other['iterations']} iterations: {other['seconds'] / beside:.1f} x ours; our inertia is at most {worst:.4f} of its")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
