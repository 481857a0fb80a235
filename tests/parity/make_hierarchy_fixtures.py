"""Makes hierarchy.json: what scipy and scikit-learn answer on small data, most of it without ties.

    python3 tests/parity/make_hierarchy_fixtures.py

Ran with Python 3.11, numpy 2.4.6, scikit-learn 1.9.1, scipy 1.17.1.
"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy.cluster.hierarchy import dendrogram, fcluster, linkage
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

HERE = pathlib.Path(__file__).parent
LINKAGES = ("ward", "average", "complete", "single")
CUTS = range(1, 9)


def data(seed: int, n: int, d: int) -> np.ndarray:
    """Blobs of several sizes and spreads."""
    rng = np.random.default_rng(seed)
    centers = rng.uniform(-6, 6, (4, d))
    return np.vstack(
        [rng.normal(c, s, (int(n * share), d)) for c, s, share in zip(centers, (0.4, 0.8, 1.2, 0.5), (0.4, 0.3, 0.2, 0.1))]
    ).round(4)


def result(x: np.ndarray, method: str, whole: bool) -> dict:
    z = linkage(x, method)
    thresholds = [float(z[-i, 2] + z[-i - 1, 2]) / 2 for i in (1, 3, 6)]
    answer = {
        "linkage": method,
        "heights": z[:, 2].tolist(),
        "maxclust": [fcluster(z, k, "maxclust").tolist() for k in CUTS],
        "thresholds": thresholds,
        "distance": [fcluster(z, t, "distance").tolist() for t in thresholds],
    }
    if whole:
        answer["nodes"] = z[:, [0, 1, 3]].astype(int).tolist()
        answer["top"] = sorted(dendrogram(z, p=6, truncate_mode="lastp", no_plot=True)["leaves"])
        answer["sklearn"] = AgglomerativeClustering(4, linkage=method).fit(x).labels_.tolist()
    return answer


def plain(seed: int, n: int, d: int) -> dict:
    x = data(seed, n, d)
    return {"points": x.tolist(), "weights": [1] * len(x), "results": [result(x, m, True) for m in LINKAGES]}


def weighted(seed: int, n: int, d: int) -> dict:
    """Labels are those of the first of the repeated points."""
    x = data(seed, n, d)
    weights = np.random.default_rng(seed).integers(1, 5, len(x))
    first = np.concatenate([[0], np.cumsum(weights)[:-1]])
    repeated = np.repeat(x, weights, axis=0)
    results = []
    for method in LINKAGES:
        answer = result(repeated, method, False)
        # Repeated points merge at 0 first.
        assert not any(answer["heights"][: len(repeated) - len(x)])
        answer["heights"] = answer["heights"][len(repeated) - len(x) :]
        for cuts in ("maxclust", "distance"):
            answer[cuts] = [np.array(labels)[first].tolist() for labels in answer[cuts]]
        results.append(answer)
    return {"points": x.tolist(), "weights": weights.tolist(), "results": results}


def tied(seed: int) -> dict:
    """On a grid: only single linkage has one answer there."""
    x = np.unique(np.random.default_rng(seed).integers(0, 9, (50, 2)).astype(float), axis=0)
    return {"points": x.tolist(), "weights": [1] * len(x), "results": [result(x, "single", False)]}


def agreement(seed: int, n: int, first: int, second: int) -> dict:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-1, first, n), rng.integers(-1, second, n)
    b = np.where(rng.random(n) < 0.5, a, b)
    return {"first": a.tolist(), "second": b.tolist(), "adjusted_rand_index": float(adjusted_rand_score(a, b))}


def main() -> None:
    fixture = {
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
        "cases": [plain(1, 90, 2), plain(2, 70, 3), plain(3, 60, 7), weighted(4, 60, 3), weighted(5, 50, 1), tied(6)],
        "agreement": [agreement(7, 200, 3, 3), agreement(8, 150, 1, 6), agreement(9, 40, 8, 2)],
    }
    path = HERE / "hierarchy.json"
    path.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
