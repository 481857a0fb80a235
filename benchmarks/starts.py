"""How good K-Means' default start is: its inertia beside scikit-learn's best of ten, on published benchmark shapes.

    pip install scikit-learn pyarrow
    python3 benchmarks/starts.py [--data FOLDER] [--start kmeans++]

The shapes are those of Fränti and Sieranoja, "K-means properties on six clustering benchmark datasets" (Applied Intelligence 2018), made
anew from their description: unbalanced sizes, a grid and a sine curve of a hundred clusters, sixteen clusters in many dimensions, two
that overlap. With --data, the sets themselves as well: text files NAME.data.gz of NAME s1 to s4, a1 to a3, d31, r15, unbalance, birch1 and
birch2, as github.com/gagolews/clustering-data-v1 has them in its folder sipu.

Fails when an inertia is more than 1 % above scikit-learn's.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.cluster import KMeans

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLUSTERS = {"s1": 15, "s2": 15, "s3": 15, "s4": 15, "a1": 20, "a2": 35, "a3": 50, "d31": 31, "r15": 15, "unbalance": 8, "birch1": 100, "birch2": 100}


def shapes() -> dict[str, tuple[np.ndarray, int]]:
    random = np.random.default_rng(7)

    def blobs(centers: np.ndarray, sizes: list[int], spread: float) -> np.ndarray:
        return np.vstack([c + random.normal(0, spread, (n, len(c))) for c, n in zip(centers, sizes)])

    grid = np.array([[x, y] for x in range(10) for y in range(10)], dtype=float)
    sine = np.array([[i, 5 * np.sin(2 * np.pi * i / 25)] for i in range(100)], dtype=float)
    unbalance = np.array([[0, 0], [2, 0], [1, 2], [30, 0], [34, 0], [32, 4], [30, 8], [34, 8]], dtype=float)
    return {
        "unbalanced sizes": (blobs(unbalance, [2000] * 3 + [100] * 5, 0.4), 8),
        "grid of 100": (blobs(grid, [1000] * 100, 0.25), 100),
        "sine of 100": (blobs(sine, [1000] * 100, 0.2), 100),
        "16 in 32 dimensions": (blobs(random.uniform(0, 10, (16, 32)), [64] * 16, 0.5), 16),
        "16 in 64 dimensions": (blobs(random.uniform(0, 10, (16, 64)), [64] * 16, 0.5), 16),
        "two that overlap": (blobs(np.array([[0.0] * 8, [1.5] * 8]), [1024] * 2, 1.0), 2),
    }


def ours(binary: str, x: np.ndarray, k: int, start: str) -> float:
    with tempfile.TemporaryDirectory(prefix="segmenta-starts-") as folder:
        here = pathlib.Path(folder)
        names = [f"f{j}" for j in range(x.shape[1])]
        pq.write_table(pa.table({"id": np.arange(len(x)), **{name: x[:, j] for j, name in enumerate(names)}}), here / "t.parquet")
        (here / "job.yaml").write_text(
            f"name: starts\nsource: {{tables: {{t: t.parquet}}, id: id, features: [{', '.join(names)}]}}\n"
            f"outliers: {{method: none}}\nscale: {{method: none}}\nkmeans: {{k: {k}, start: {start}}}\noutput: out\n"
        )
        subprocess.run([binary, "run", str(here / "job.yaml")], check=True, capture_output=True)
        return json.loads((here / "out/metrics.json").read_text())["kmeans"]["candidates"][0]["inertia"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--start", default="kmeans++")
    parser.add_argument("--binary", default=str(ROOT / "target/release/segmenta"))
    options = parser.parse_args()
    sets = shapes()
    if options.data:
        sets |= {name: (np.loadtxt(options.data / f"{name}.data.gz"), k) for name, k in CLUSTERS.items() if (options.data / f"{name}.data.gz").exists()}
    worst = 0.0
    for name, (x, k) in sets.items():
        theirs = KMeans(k, n_init=10, random_state=7).fit(x).inertia_
        mine = ours(options.binary, x, k, options.start)
        worst = max(worst, mine / theirs)
        print(f"  {name:<20} {len(x):>7,} x {x.shape[1]:<2} k = {k:>3}: {mine / theirs:.4f} of scikit-learn's best of ten", flush=True)
    if worst > 1.01:
        sys.exit(f"the worst is {worst:.4f}")


if __name__ == "__main__":
    main()
