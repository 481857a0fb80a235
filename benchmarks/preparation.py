"""KNN imputation beside scikit-learn, and the whole preparation beside Spark, on the same rows in one run.

    pip install scikit-learn pyarrow pyspark
    python3 benchmarks/preparation.py [--rows 5000000] [--spark] [--threads 2]

Customers: whole-number recency and frequency, skewed monetary sums, 4 % of the cells missing at random.

Imputation: `impute: {donors: all}` and scikit-learn's KNNImputer on 40,000 rows, the stage beside `fit_transform`; the values of both are
compared (where tied donors decide, they differ by right). Then all donors of 500,000 rows and of --rows, and how the time grows.

Preparation, with --spark: extract, impute by means, fences at 1.5 interquartile ranges, standardise and write, beside Spark on local[2]
with `Imputer`, `approxQuantile`, a filter, `StandardScaler` and a Parquet write. Rows kept, means and deviations are compared.
"""

import argparse
import json
import math
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
FEATURES = ["recency", "frequency", "monetary"]
SHARDS = 16


def customers(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells as they are, and with some missing."""
    random = np.random.default_rng(7)
    value = random.gamma(2.0, 1.0, rows)
    recency = np.floor(1 + 730 * random.beta(1.0, 1.0 + value))
    frequency = 1 + random.poisson(2 * value)
    monetary = np.round(frequency * np.exp(random.normal(3.3, 0.8, rows)), 2)
    x = np.column_stack([recency, frequency.astype(float), monetary])
    return x, np.where(random.random(x.shape) < 0.04, np.nan, x)


def write(folder: pathlib.Path, x: np.ndarray) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for i, rows in enumerate(np.array_split(np.arange(len(x)), SHARDS)):
        cells = {name: pa.array(x[rows, j], from_pandas=True) for j, name in enumerate(FEATURES)}
        pq.write_table(pa.table({"id": rows, **cells}), folder / f"part-{i:02}.parquet")


def ours(binary: str, folder: pathlib.Path, sections: str, threads: int) -> dict:
    spec = folder / "job.yaml"
    spec.write_text(
        f"name: preparation\nsource: {{tables: {{p: data/*.parquet}}, id: id, features: [{', '.join(FEATURES)}]}}\n"
        f"{sections}kmeans: {{k: 2}}\nevaluate: {{silhouette_rows: 100}}\noutput: out\n"
    )
    subprocess.run([binary, "run", "--fresh", str(spec), "--threads", str(threads)], check=True, capture_output=True)
    metrics = json.loads((folder / "out/metrics.json").read_text())
    metrics["model"] = json.loads((folder / "out/model.json").read_text())
    return metrics


def stage(metrics: dict, name: str) -> dict:
    return next(stage for stage in metrics["stages"] if stage["stage"] == name)


def beside_sklearn(binary: str, folder: pathlib.Path, threads: int) -> None:
    from sklearn.impute import KNNImputer

    truth, x = customers(40_000)
    write(folder / "data", x)
    metrics = ours(binary, folder, "impute: {donors: all}\noutliers: {method: none}\nscale: {method: none}\n", threads)
    mine = stage(metrics, "impute")["seconds"]
    started = time.perf_counter()
    theirs = KNNImputer(n_neighbors=5).fit_transform(x)
    seconds = time.perf_counter() - started
    table = pyarrow.dataset.dataset(folder / "out/assignments").to_table(columns=["id", *FEATURES]).sort_by("id")
    filled = np.column_stack([table[name].to_numpy() for name in FEATURES])
    missing = np.isnan(x)
    assert np.array_equal(filled[~missing], x[~missing]), "known cells were changed"
    # Ties are broken elsewhere in scikit-learn, so single cells differ; how well both do may not.
    same = np.isclose(filled[missing], theirs[missing], rtol=1e-9).mean()
    error = lambda y: np.sqrt((((y - truth) / truth.std(0)) ** 2)[missing].mean())
    assert error(filled) <= 1.02 * error(theirs), f"our error is {error(filled)}, scikit-learn's {error(theirs)}"
    print(f"KNN imputation of {len(x):,} rows x 3, all donors: scikit-learn {seconds:.1f} s, the stage {mine:.2f} s: {seconds / mine:.0f} x; "
          f"{same:.1%} of the cells equal, the others tied; error {error(filled):.4f} deviations, scikit-learn's {error(theirs):.4f}")


def growth(binary: str, folder: pathlib.Path, rows: int, threads: int) -> None:
    took = {}
    for n in (rows // 10, rows):
        write(folder / "data", customers(n)[1])
        metrics = ours(binary, folder, "impute: {donors: all}\n", threads)
        cost = stage(metrics, "impute")
        took[n] = cost["seconds"]
        errors = ", ".join(f"{f['feature']} {f['imputation_error']['all_rows']:.3f}" for f in metrics["features"])
        print(f"KNN imputation of {n:,} rows x 3, all donors: {cost['seconds']:.2f} s, {cost['passes']} passes, peak {cost['peak_memory_bytes'] >> 20:,} MiB; "
              f"error in deviations: {errors}")
    few, many = took
    print(f"  {many / few:.0f} times the rows took {took[many] / took[few]:.1f} times as long; n log n: {many * math.log(many) / few / math.log(few):.1f}")
    metrics = ours(binary, folder, "", threads)
    cost = stage(metrics, "impute")
    errors = ", ".join(f"{f['feature']} {f['imputation_error']['sample']:.3f}" for f in metrics["features"])
    print(f"  with a sample of 200,000 donors: {cost['seconds']:.2f} s, error {errors}")


def spark_preparation(folder: pathlib.Path) -> dict:
    from pyspark.ml.feature import Imputer, StandardScaler, VectorAssembler
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as F

    spark = SparkSession.builder.master("local[2]").config("spark.driver.memory", "8g").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    spark.range(10).count()
    started = time.perf_counter()
    frame = spark.read.parquet(str(folder / "data"))
    filled = Imputer(inputCols=FEATURES, outputCols=FEATURES).fit(frame).transform(frame).cache()
    quartiles = filled.approxQuantile(FEATURES, [0.25, 0.75], 0.0)
    within = F.lit(True)
    for name, (q1, q3) in zip(FEATURES, quartiles):
        within = within & F.col(name).between(q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1))
    kept = VectorAssembler(inputCols=FEATURES, outputCol="vector").transform(filled.filter(within))
    model = StandardScaler(inputCol="vector", outputCol="scaled", withMean=True).fit(kept)
    model.transform(kept).write.mode("overwrite").parquet(str(folder / "spark"))
    seconds = time.perf_counter() - started
    mean, std = list(model.mean), list(model.std)
    rows = spark.read.parquet(str(folder / "spark")).count()
    spark.stop()
    return {"seconds": seconds, "rows": rows, "mean": mean, "std": std}


def beside_spark(binary: str, folder: pathlib.Path, rows: int, threads: int) -> None:
    write(folder / "data", customers(rows)[1])
    metrics = ours(binary, folder, "impute: {method: mean}\n", threads)
    parts = {name: stage(metrics, name)["seconds"] for name in ("extract", "impute", "outliers", "scale")}
    mine = sum(parts.values())
    spark = spark_preparation(folder)
    kept = metrics["rows"]["assigned"]
    # Spark's quantiles are order statistics, ours are interpolated between two; and its deviation is that of a sample.
    assert abs(spark["rows"] - kept) <= 1e-3 * rows, f"Spark kept {spark['rows']} rows, we {kept}"
    for scaler, mean, std in zip(metrics["model"]["scale"]["scalers"], spark["mean"], spark["std"]):
        assert math.isclose(scaler["center"], mean, rel_tol=1e-2), (scaler, mean)
        assert math.isclose(scaler["scale"], std, rel_tol=1e-2), (scaler, std)
    print(f"Preparation of {rows:,} rows x 3: Spark {spark['seconds']:.1f} s, ours {mine:.1f} s ({', '.join(f'{k} {v:.1f}' for k, v in parts.items())}): {spark['seconds'] / mine:.1f} x; "
          f"{kept:,} rows kept, Spark {spark['rows']:,}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--spark", action="store_true")
    parser.add_argument("--binary", default=str(ROOT / "target/release/segmenta"))
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="segmenta-preparation-"))
    print(f"{os.cpu_count()} cores")
    try:
        beside_sklearn(options.binary, folder, options.threads)
        growth(options.binary, folder, options.rows, options.threads)
        if options.spark:
            beside_spark(options.binary, folder, options.rows, options.threads)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
