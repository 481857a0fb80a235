"""KNNImputer on matrices of 5 and 7 features with random patterns of missing cells.

    python tests/parity/make_imputation_fixtures.py

Writes knn_patterns.json next to this script. Values are real, so no donors tie; the script checks it. It also checks that
scikit-learn's distances, which it gets from |a|^2 - 2ab + |b|^2, were good enough for the values weighted by distance.
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.impute import KNNImputer

OUT = pathlib.Path(__file__).parent / "knn_patterns.json"


def direct(m, k, weights):
    """The definition with direct differences; also the smallest relative gap behind the k-th donor."""
    filled, gap = m.copy(), np.inf
    for i, j in np.argwhere(np.isnan(m)):
        both = ~np.isnan(m) & ~np.isnan(m[i])
        shared = both.sum(axis=1)
        squares = np.where(both, np.where(np.isnan(m), 0, m) - np.where(np.isnan(m[i]), 0, m[i]), 0) ** 2
        donors = np.flatnonzero(~np.isnan(m[:, j]) & (shared > 0))
        if len(donors) == 0:
            filled[i, j] = np.nanmean(m[:, j])
            continue
        distance = np.sqrt(squares.sum(axis=1)[donors] * m.shape[1] / shared[donors])
        order = np.argsort(distance, kind="stable")
        if len(order) > k:
            gap = min(gap, distance[order[k]] / distance[order[k - 1]] - 1)
        near = order[:k]
        w = np.ones(len(near)) if weights == "uniform" else 1 / distance[near]
        filled[i, j] = (w * m[donors[near], j]).sum() / w.sum()
    return filled, gap


def main():
    rng = np.random.default_rng(20260301)
    cases = []
    for name, n, d, share in [("five", 160, 5, 0.3), ("seven", 120, 7, 0.45)]:
        m = np.round(rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d), 6)
        m[rng.random((n, d)) < share] = np.nan
        results = []
        for k in (1, 5, 40):
            for weights in ("uniform", "distance"):
                output = KNNImputer(n_neighbors=k, weights=weights).fit_transform(m)
                expected, gap = direct(m, k, weights)
                assert gap > 1e-9, "donors tie"
                assert np.allclose(output, expected, rtol=0, atol=5e-10)
                results.append({"n_neighbors": k, "weights": weights, "output": output.tolist()})
        cells = [[None if np.isnan(cell) else cell for cell in row] for row in m.tolist()]
        patterns = len({tuple(row) for row in np.isnan(m)})
        cases.append({"name": name, "n_patterns": patterns, "input": cells, "results": results})
        print(name, m.shape, int(np.isnan(m).sum()), "missing,", patterns, "patterns")
    OUT.write_text(json.dumps({"scikit_learn": sklearn.__version__, "numpy": np.__version__, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
