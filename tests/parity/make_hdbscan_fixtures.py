"""Makes hdbscan.json: what scikit-learn and the hdbscan package answer on small data without ties.

    python3 tests/parity/make_hdbscan_fixtures.py

Ran with Python 3.11, numpy 2.4.6, scikit-learn 1.9.1, hdbscan 0.8.44, scipy 1.17.1.
"""

import json
import pathlib

import hdbscan
import numpy as np
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn.cluster import HDBSCAN

HERE = pathlib.Path(__file__).parent


def data(seed: int, d: int) -> np.ndarray:
    """Blobs of several densities, one of them in two halves, and noise."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-6, 6, (4, d))
    blobs = [rng.normal(c, s, (60, d)) for c, s in zip(centers, (0.3, 0.6, 0.9, 0.4))]
    half = rng.normal(centers[3] + 1.7 / np.sqrt(d), 0.4, (40, d))
    noise = rng.uniform(-8, 8, (40, d))
    return np.vstack([*blobs, half, noise])


def spanning_weight(x: np.ndarray, min_samples: int) -> float:
    distances = cdist(x, x)
    core = np.sort(distances, axis=1)[:, min_samples - 1]
    reach = np.maximum(np.maximum(distances, core[:, None]), core[None, :])
    np.fill_diagonal(reach, 0)
    return float(minimum_spanning_tree(reach).sum())


class Bridged(Exception):
    """A point joins two clusters at its own core distance."""


def refuse_bridges(tree: np.ndarray) -> None:
    """Two edges of the point then have the same length, and which of the clusters gets it depends on the order of the rows.
    Segmenta, which merges all at once, gives it to neither."""
    born = {row["child"]: row["lambda_val"] for row in tree if row["child_size"] > 1}
    if any(row["child_size"] == 1 and row["lambda_val"] == born.get(row["parent"]) for row in tree):
        raise Bridged


def case(x: np.ndarray, **options) -> dict:
    min_samples, min_cluster_size = options.pop("min_samples"), options.pop("min_cluster_size")
    # scikit-learn 1.9.1 fails with numpy 2.4 once an epsilon makes it climb the tree: the hdbscan package answers then.
    climbs = "cluster_selection_epsilon" in options
    theirs = None if climbs else HDBSCAN(
        min_samples=min_samples, min_cluster_size=min_cluster_size, algorithm="kd_tree", copy=True,
        max_cluster_size=options.get("max_cluster_size"),
        **{k: v for k, v in options.items() if k != "max_cluster_size"},
    ).fit(x)
    # The hdbscan package does not count the point itself.
    other = hdbscan.HDBSCAN(
        min_samples=min_samples - 1, min_cluster_size=min_cluster_size, gen_min_span_tree=True,
        approx_min_span_tree=False, algorithm="generic", max_cluster_size=options.get("max_cluster_size", 0),
        **{k: v for k, v in options.items() if k != "max_cluster_size"},
    ).fit(x)
    refuse_bridges(other.condensed_tree_._raw_tree)
    return {
        "min_samples": min_samples,
        "min_cluster_size": min_cluster_size,
        "options": options,
        "rows": len(x),
        "labels": (theirs or other).labels_.tolist(),
        "probabilities": (theirs or other).probabilities_.tolist(),
        "outlier_scores": other.outlier_scores_.tolist(),
        "persistence": np.asarray(other.cluster_persistence_).tolist(),
        "validity": float(other.relative_validity_),
        "spanning_weight": spanning_weight(x, min_samples),
        "predicted": None if "allow_single_cluster" in options else predicted(other, x, min_samples),
    }


def predicted(fitted: hdbscan.HDBSCAN, x: np.ndarray, min_samples: int) -> dict:
    """New rows near the data and away from it. The package keeps core distances for predictions that are one neighbour short of
    those it clustered by; here they are the same."""
    rng = np.random.default_rng(len(x))
    near = x[rng.integers(0, len(x), 40)] + rng.normal(0, 0.2, (40, x.shape[1]))
    new = np.vstack([near, rng.uniform(-8, 8, (20, x.shape[1]))])
    fitted.generate_prediction_data()
    fitted.prediction_data_.core_distances = np.sort(cdist(x, x), axis=1)[:, min_samples - 1]
    labels, probabilities = hdbscan.approximate_predict(fitted, new)
    return {"points": new.tolist(), "labels": labels.tolist(), "probabilities": probabilities.tolist()}


def settings(d: int) -> list[dict]:
    found = [
        {"min_samples": m, "min_cluster_size": s, "cluster_selection_method": method}
        for m, s in ((5, 10), (10, 15))
        for method in ("eom", "leaf")
    ]
    if d <= 3:
        eom = {"min_samples": 5, "min_cluster_size": 10, "cluster_selection_method": "eom"}
        single = eom | {"rows": 60, "min_cluster_size": 20, "allow_single_cluster": True}
        found += [
            eom | {"cluster_selection_method": "leaf", "cluster_selection_epsilon": 0.5 * d},
            eom | {"cluster_selection_epsilon": 0.5 * d},
            eom | {"max_cluster_size": 70},
            single,
            single | {"cluster_selection_epsilon": 0.3 * d},
            # The root alone, above clusters of which some rows fall out beyond the epsilon.
            single | {"min_cluster_size": 6, "cluster_selection_epsilon": 0.12 * d},
        ]
    return found


def main() -> None:
    sets = []
    for d in (2, 3, 5, 10):
        waiting, seed = settings(d), 0
        while waiting:
            x, done, bridged = data(seed, d), [], []
            for options in waiting:
                rows = options.get("rows", len(x))
                try:
                    done.append(case(x[:rows], **{k: v for k, v in options.items() if k != "rows"}))
                except Bridged:
                    bridged.append(options)
            if done:
                sets.append({"dimensions": d, "seed": seed, "points": x.tolist(), "cases": done})
            waiting, seed = bridged, seed + 1
    (HERE / "hdbscan.json").write_text(json.dumps(sets) + "\n")


if __name__ == "__main__":
    main()
