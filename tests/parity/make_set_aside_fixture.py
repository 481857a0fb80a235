"""What becomes of outliers of the CDNOW customers, by scikit-learn: makes set_aside.json from the other fixtures.

    python make_set_aside_fixture.py [folder of the fixtures]

Frequency and monetary value are transformed by log1p. Fences of 2.2 interquartile ranges are found among the transformed
values. Scaler and K-Means are fitted to the customers within, and label the others too; or to all, with their values moved
to the fences. Needs numpy, pyarrow and scikit-learn, in the versions of README.md.
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
import pyarrow.parquet as pq
import sklearn
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

FEATURES = ["recency", "frequency", "monetary"]
FACTOR, K = 2.2, 4
folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
table = pq.read_table(folder / "features.parquet").to_pandas().set_index("customer_id").sort_index()
cells = json.loads((folder / "preparation.json").read_text())["knn"]["uniform"]
for feature, customer, value in zip(cells["feature"], cells["customer_id"], cells["value"]):
    table.loc[customer, feature] = value
ids = table.index.to_numpy()
x = table[FEATURES].to_numpy(copy=True)
x[:, 1:] = np.log1p(x[:, 1:])
q1, q3 = np.percentile(x, [25, 75], axis=0)
low, high = q1 - FACTOR * (q3 - q1), q3 + FACTOR * (q3 - q1)
outside = (x < low) | (x > high)
first = np.where(outside.any(1), outside.argmax(1), -1)


def fit(rows: np.ndarray, all_rows: np.ndarray) -> dict:
    scaler = StandardScaler().fit(rows)
    points = scaler.transform(rows)
    # Any start does; both begin with the same one.
    start = points[np.linspace(0, len(points) - 1, K).astype(int)]
    model = KMeans(K, init=start, n_init=1, tol=1e-4, algorithm="lloyd").fit(points)
    labels = model.predict(scaler.transform(all_rows))
    return {
        "start": start.tolist(),
        "scaler_mean": scaler.mean_.tolist(),
        "scaler_scale": scaler.scale_.tolist(),
        "centers": model.cluster_centers_.tolist(),
        "sizes_of_fit": np.bincount(model.labels_, minlength=K).tolist(),
        "sizes": np.bincount(labels, minlength=K).tolist(),
        "labels_sha256": hashlib.sha256(",".join(map(str, labels)).encode()).hexdigest(),
    }


unscale = lambda ends: [float(ends[0]), *np.expm1(ends[1:]).tolist()]
result = {
    "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
    "fences": {"low": unscale(low), "high": unscale(high)},
    "outliers": {name: ids[first == j].tolist() for j, name in enumerate(FEATURES)},
    "set_aside": fit(x[first < 0], x),
    "clip": fit(np.clip(x, low, high), np.clip(x, low, high)),
}
(folder / "set_aside.json").write_text(json.dumps(result, indent=1) + "\n")
