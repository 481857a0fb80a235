#!/usr/bin/env python3
"""Makes kmeans_dimensions.json: K-Means from the same start in 2 to 64 dimensions, with and without weights.

    pip install numpy==2.4.6 scikit-learn==1.9.1
    python3 tests/parity/make_kmeans_fixtures.py

The committed file was made with these versions and Python 3.11, on one thread; another BLAS may change last digits. Points are
rounded to eight bits after the point, so that they are the same numbers in JSON. A case whose result hangs on rounding is left out:
the script fails if a point is nearly as far from a second centroid, or if the last step lies near the tolerance.
"""
import json
import os
import pathlib

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import sklearn
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

HERE = pathlib.Path(__file__).resolve().parent
TOLERANCE = 1e-4


def case(dimensions: int, k: int, rows: int, weighted: bool) -> dict:
    random = np.random.default_rng(1000 * dimensions + k + weighted)
    centers = random.normal(0, 1.5, (k, dimensions))
    points = centers[random.integers(0, k, rows)] + random.normal(0, 1, (rows, dimensions))
    points = np.round(points * 256) / 256
    weights = random.integers(1, 9, rows) if weighted else np.ones(rows, dtype=int)
    start = points[random.choice(rows, k, replace=False)]
    model = KMeans(k, init=start, n_init=1, tol=TOLERANCE, max_iter=300).fit(points, sample_weight=weights)
    distances = np.sort(((points[:, None, :] - model.cluster_centers_[None]) ** 2).sum(2), axis=1)
    assert ((distances[:, 1] - distances[:, 0]) / distances[:, 1]).min() > 1e-6, "a point between two centroids"
    # scikit-learn's tolerance is relative to the mean of the unweighted variances.
    return {
        "dimensions": dimensions,
        "tolerance": TOLERANCE * points.var(axis=0).mean(),
        "points": points.tolist(),
        "weights": weights.tolist() if weighted else None,
        "start": start.tolist(),
        "centers": model.cluster_centers_.tolist(),
        "labels": model.labels_.tolist(),
        "inertia": model.inertia_,
        # Of rows repeated as often as they weigh; of squared distances, this is Spark's definition too.
        "silhouette": silhouette_score(points.repeat(weights, 0), model.labels_.repeat(weights)),
        "silhouette_squared": silhouette_score(points.repeat(weights, 0), model.labels_.repeat(weights), metric="sqeuclidean"),
        "iterations": model.n_iter_,
    }


def main() -> None:
    cases = [case(d, k, 160, weighted) for d in (2, 3, 8, 16, 64) for k, weighted in ((3, False), (6, True))]
    body = {"versions": {"numpy": np.__version__, "scikit_learn": sklearn.__version__}, "cases": cases}
    (HERE / "kmeans_dimensions.json").write_text(json.dumps(body, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
