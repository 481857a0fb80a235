"""Hierarchical clustering beside scikit-learn at 20,000 rows, and how it goes on where scikit-learn cannot follow.

    pip install scikit-learn pyarrow
    python3 benchmarks/hierarchy.py [--rows 5000000] [--threads 2]

Rows are standardised clusters of different sizes and widths, some of it noise. At 20,000 rows the cuts at 3 to 10 clusters are set against
those of scikit-learn's AgglomerativeClustering with Ward's linkage: the adjusted Rand index, and the sum of squares within clusters,
once with all rows linked and once with 2,000 micro-clusters. Then --rows, with the defaults: seconds and peak memory of the stage.
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
import pyarrow.dataset
from kmeans import points, write

ROOT = pathlib.Path(__file__).resolve().parent.parent


def ours(binary: str, folder: pathlib.Path, names: list[str], section: str, threads: int) -> tuple[np.ndarray, dict]:
    spec = folder / "job.yaml"
    spec.write_text(
        f"name: hierarchy\nsource: {{tables: {{p: data/*.parquet}}, id: id, features: [{', '.join(names)}]}}\n"
        "impute: {method: none}\noutliers: {method: none}\nscale: {method: none}\nkmeans: {k: 3}\n"
        f"evaluate: {{silhouette_rows: 100}}\nhierarchy: {section}\noutput: out\n"
    )
    subprocess.run([binary, "run", str(spec), "--threads", str(threads)], check=True, capture_output=True)
    metrics = json.loads((folder / "out/metrics.json").read_text())
    metrics["stage"] = next(stage for stage in metrics["stages"] if stage["stage"] == "hierarchy")
    table = pyarrow.dataset.dataset(folder / "out/assignments").to_table(columns=["id", "hierarchy_cluster"]).sort_by("id")
    return table["hierarchy_cluster"].to_numpy(), metrics


def within(x: np.ndarray, labels: np.ndarray) -> float:
    return sum(((x[labels == label] - x[labels == label].mean(0)) ** 2).sum() for label in np.unique(labels))


def beside_sklearn(binary: str, folder: pathlib.Path, threads: int) -> None:
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.metrics import adjusted_rand_score

    x = points(20_000, 3)
    names = write(folder / "data", x)
    started = time.perf_counter()
    model = AgglomerativeClustering(n_clusters=3, linkage="ward", compute_full_tree=True).fit(x)
    print(f"20,000 rows x 3: scikit-learn {time.perf_counter() - started:.1f} s")
    for section, what in (("", "all rows linked"), (", budget: 10000, micro_clusters: 2000", "2,000 micro-clusters")):
        agreement, objective = [], []
        for k in range(3, 11):
            labels, metrics = ours(binary, folder, names, f"{{clusters: {k}{section}}}", threads)
            theirs = AgglomerativeClustering(n_clusters=k, linkage="ward").fit_predict(x) if k != 3 else model.labels_
            agreement.append(adjusted_rand_score(labels, theirs))
            objective.append(within(x, labels) / within(x, theirs))
        print(f"  {what}: {metrics['stage']['seconds']:.2f} s; for k = 3..10 adjusted Rand index {' '.join(f'{a:.3f}' for a in agreement)}; "
              f"sum of squares {' '.join(f'{o:.3f}' for o in objective)} of scikit-learn's")
        if not section:
            assert min(agreement) > 0.999 and max(objective) < 1.001, "the exact linkage is another one"
    shutil.rmtree(folder / "data")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--binary", default=str(ROOT / "target/release/segmenta"))
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="segmenta-hierarchy-"))
    print(f"{os.cpu_count()} cores")
    try:
        beside_sklearn(options.binary, folder, options.threads)
        for rows in (options.rows // 10, options.rows):
            names = write(folder / "data", points(rows, 3))
            labels, metrics = ours(options.binary, folder, names, "{}", options.threads)
            stage, hierarchy = metrics["stage"], metrics["hierarchy"]
            assert len(labels) == rows and sum(hierarchy["clusters"]) == rows, "rows are lost"
            steps = ", ".join(f"{step['step']} {step['seconds']:.2f}" for step in stage["steps"])
            print(f"{rows:,} rows x 3: {stage['seconds']:.2f} s ({steps}), peak {stage['peak_memory_bytes'] >> 20:,} MiB; "
                  f"{hierarchy['points']:,} micro-clusters lose {hierarchy['reduction']['lost_variance']:.2%} of the variance")
            shutil.rmtree(folder / "data")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
