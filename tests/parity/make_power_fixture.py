"""Yeo-Johnson's lambdas of the CDNOW customers, by scikit-learn and by scipy: makes power.json from the other fixtures.

    python make_power_fixture.py [folder of the fixtures]

Needs numpy, pyarrow, scikit-learn and scipy, in the versions of README.md.
"""

import json
import pathlib
import sys

import numpy as np
import pyarrow.parquet as pq
import scipy
import scipy.stats
import sklearn
from sklearn.preprocessing import PowerTransformer

FEATURES = ["recency", "frequency", "monetary"]
folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
table = pq.read_table(folder / "features.parquet").to_pandas().set_index("customer_id").sort_index()
preparation = json.loads((folder / "preparation.json").read_text())
cells = preparation["knn"]["uniform"]
for feature, customer, value in zip(cells["feature"], cells["customer_id"], cells["value"]):
    table.loc[customer, feature] = value
assert not table[FEATURES].isna().any().any()
x = table[FEATURES].to_numpy()
transformer = PowerTransformer("yeo-johnson", standardize=False).fit(x)
y = transformer.transform(x)
result = {
    "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "scipy": scipy.__version__},
    "rows": len(x),
    "lambda": dict(zip(FEATURES, transformer.lambdas_.tolist())),
    "lambda_scipy": {name: float(scipy.stats.yeojohnson(x[:, j])[1]) for j, name in enumerate(FEATURES)},
    "center": dict(zip(FEATURES, y.mean(0).tolist())),
    "scale": dict(zip(FEATURES, y.std(0).tolist())),
}
(folder / "power.json").write_text(json.dumps(result, indent=1) + "\n")
