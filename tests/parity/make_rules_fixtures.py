#!/usr/bin/env python3
"""Makes rules.json: decision trees and principal components by scikit-learn, assignments by scipy.

    python3 tests/parity/make_rules_fixtures.py

Ran with Python 3.11, numpy 2.4.6, scikit-learn 1.9.1, scipy 1.17.1. scikit-learn's trees take values as 32-bit floats: they are
multiples of 1/16 here. Where features tie, scikit-learn draws one: limits under which another draw predicts otherwise are left out.
"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import PCA
from sklearn.tree import DecisionTreeClassifier

HERE = pathlib.Path(__file__).parent
LIMITS = ((2, 8, 0.0), (5, 2, 0.0), (6, 8, 0.0), (12, 4, 0.0), (12, 12, 0.05), (40, 12, 0.0), (40, 6, 0.01))


def rows(seed: int, n: int, d: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Blobs that overlap, of skewed features, and classes with some noise."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, k, n)
    x = rng.normal(0, 3, (k, d))[classes] + rng.normal(0, 1.5, (n, d))
    x[:, 0] = np.exp(x[:, 0] / 3)
    noisy = rng.random(n) < 0.05
    classes[noisy] = rng.integers(0, k, noisy.sum())
    return np.round(x * 16) / 16, classes


def trees(seed: int, n: int, d: int, k: int, weighting: str) -> dict:
    x, y = rows(seed, n, d, k)
    rng = np.random.default_rng(seed + 1)
    weights = {"ones": np.ones(n), "whole": rng.integers(1, 9, n), "any": rng.lognormal(0, 1.5, n)}[weighting]
    results = []
    for leaves, depth, share in LIMITS:
        options = {"max_leaf_nodes": leaves, "max_depth": depth, "min_weight_fraction_leaf": share}
        fits = [DecisionTreeClassifier(random_state=draw, **options).fit(x, y, weights) for draw in range(10)]
        predicted = fits[0].predict(x)
        if not all((fit.predict(x) == predicted).all() for fit in fits):
            print("features tie:", weighting, options)
            continue
        results.append(
            {
                "max_leaves": leaves,
                "max_depth": depth,
                "min_leaf_share": share,
                "predicted": predicted.tolist(),
                "accuracy": fits[0].score(x, y, weights),
            }
        )
    return {
        "points": x.tolist(),
        "classes": y.tolist(),
        "class_count": k,
        "weights": weights.tolist(),
        "results": results,
    }


def components(seed: int, n: int, d: int) -> dict:
    """Rows of whole weights: scikit-learn's answer is that of repeated ones."""
    rng = np.random.default_rng(seed)
    x = np.round(rng.normal(0, 1, (n, d)) @ rng.normal(0, 1, (d, d)) + rng.normal(0, 9, d), 4)
    weights = rng.integers(1, 5, n)
    model = PCA(svd_solver="full").fit(np.repeat(x, weights, axis=0))
    return {
        "points": x.tolist(),
        "weights": weights.tolist(),
        "means": model.mean_.tolist(),
        "components": model.components_.tolist(),
        "explained": model.explained_variance_ratio_.tolist(),
    }


def assignment(seed: int, rows: int, columns: int) -> dict:
    scores = np.round(np.random.default_rng(seed).normal(0, 1, (rows, columns)), 4)
    matched, to = linear_sum_assignment(scores, maximize=True)
    column_of = [None] * rows
    for row, column in zip(matched, to):
        column_of[row] = int(column)
    return {"scores": scores.tolist(), "columns": column_of, "total": float(scores[matched, to].sum())}


def main() -> None:
    body = {
        "versions": {"numpy": np.__version__, "scikit_learn": sklearn.__version__, "scipy": scipy.__version__},
        "trees": [
            trees(1, 400, 3, 4, "ones"),
            trees(2, 300, 5, 3, "whole"),
            trees(3, 500, 4, 7, "any"),
            trees(4, 200, 1, 2, "any"),
        ],
        "components": [components(1, 40, 2), components(2, 60, 6), components(3, 8, 12)],
        "assignments": [assignment(1, 12, 12), assignment(2, 7, 20), assignment(3, 20, 7), assignment(4, 40, 40)],
    }
    (HERE / "rules.json").write_text(json.dumps(body, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
