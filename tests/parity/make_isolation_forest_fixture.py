"""Rows with outliers that no single feature shows, and scikit-learn's isolation forests of them: makes isolation_forest.json.

    python make_isolation_forest_fixture.py [output folder]

Needs numpy, scipy and scikit-learn, in the versions of README.md.
"""

import json
import pathlib
import sys

import numpy as np
import scipy
import sklearn
from scipy.stats import spearmanr
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
random = np.random.default_rng(5)
common = random.normal(0, 2, 570)
cloud = np.column_stack([common + random.normal(0, 0.3, 570), common + random.normal(0, 0.3, 570), random.normal(0, 1, 570)])
side = random.uniform(1.5, 3.5, 30) * random.choice([-1, 1], 30)
planted = np.column_stack([side, -side, random.normal(0, 1, 30)])
rows = np.round(np.vstack([cloud, planted]), 3)
outlier = np.r_[np.zeros(570), np.ones(30)]
scores = [-IsolationForest(n_estimators=200, max_samples=256, random_state=seed).fit(rows).score_samples(rows) for seed in range(8)]
mean = np.mean(scores, axis=0)
result = {
    "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "scipy": scipy.__version__},
    "trees": 200,
    "rows_per_tree": 256,
    "rows": rows.tolist(),
    "outlier": outlier.astype(int).tolist(),
    "score": np.round(mean, 5).tolist(),
    # Between single forests of scikit-learn's and their mean: what another forest can be expected to come to.
    "spearman_least": min(spearmanr(score, mean)[0] for score in scores),
    "auc": [roc_auc_score(outlier, score) for score in scores],
}
(folder / "isolation_forest.json").write_text(json.dumps(result) + "\n")
print(result["spearman_least"], result["auc"], mean.min(), mean.max())
