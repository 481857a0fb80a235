#!/usr/bin/env python3
"""Makes the scikit-learn parity fixtures of this folder (see README.md).

How to run (about five minutes on one thread, below 2 GB of memory):

    python3 -m venv /tmp/parityvenv
    /tmp/parityvenv/bin/pip install numpy==2.4.6 pyarrow==26.0.1 \
        scikit-learn==1.9.1 scipy==1.17.1
    /tmp/parityvenv/bin/python tests/parity/make_fixtures.py

The committed files were made with Python 3.11.7, numpy 2.4.6, scipy 1.17.1,
scikit-learn 1.9.1 and pyarrow 26.0.1; every JSON repeats the versions it was
made with.  Input: ../../examples/data/cdnow/*.parquet, relative to this file.
Output: this folder, or the folder given as the first argument.

Everything is seeded and runs on one thread, so a second run on the same
machine gives the same bytes.  Another BLAS may change last digits.
"""
import os

for _v in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_v] = "1"  # reductions in one fixed order

import datetime
import hashlib
import json
import platform
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy
import sklearn
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.impute import KNNImputer
from sklearn.metrics import (
    calinski_harabasz_score,
    davies_bouldin_score,
    silhouette_samples,
    silhouette_score,
)
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

HERE = Path(__file__).resolve().parent
DATA = HERE.parent.parent / "examples" / "data" / "cdnow"
OUT = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE
FEATURES = ["recency", "frequency", "monetary"]
REFERENCE_DATE = datetime.date(1998, 7, 1)
K_NEIGHBORS = 5
VERSIONS = {
    "python": platform.python_version(),
    "numpy": np.__version__,
    "scipy": scipy.__version__,
    "scikit_learn": sklearn.__version__,
    "pyarrow": pa.__version__,
}
EPS = np.finfo(float).eps


def plain(o):
    """numpy -> plain Python; NaN -> None (null)."""
    if isinstance(o, np.ndarray):
        return plain(o.tolist())
    if isinstance(o, np.generic):
        return plain(o.item())
    if isinstance(o, dict):
        return {str(k): plain(v) for k, v in o.items()}
    if isinstance(o, (list, tuple)):
        return [plain(v) for v in o]
    if isinstance(o, float) and o != o:
        return None
    return o


def write_json(name, body):
    body = {"versions": VERSIONS, **body}
    text = json.dumps(plain(body), separators=(",", ":"), allow_nan=False)
    (OUT / name).write_text(text + "\n")
    print(f"{name}: {len(text) + 1} bytes")


def write_parquet(table, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", compression_level=19)
    print(f"{path.relative_to(OUT)}: {table.num_rows} rows, {path.stat().st_size} bytes")


# --------------------------------------------------------------------------
# Features
# --------------------------------------------------------------------------
def load_features():
    files = sorted(DATA.glob("*.parquet"))
    assert files, f"no orders in {DATA}"
    t = pa.concat_tables(
        [pq.read_table(f, columns=["customer_id", "order_date", "amount"]) for f in files]
    )
    customer = t["customer_id"].to_numpy().astype(np.int64)
    day = t["order_date"].cast(pa.int32()).to_numpy().astype(np.int64)
    cents = np.rint(t["amount"].to_numpy() * 100.0).astype(np.int64)
    ids, inv = np.unique(customer, return_inverse=True)
    last = np.zeros(len(ids), dtype=np.int64)
    np.maximum.at(last, inv, day)
    freq = np.bincount(inv, minlength=len(ids))
    total = np.zeros(len(ids), dtype=np.int64)
    np.add.at(total, inv, cents)
    ref = (REFERENCE_DATE - datetime.date(1970, 1, 1)).days
    x = np.column_stack([ref - last, freq, total / 100.0]).astype(float)
    return ids, x


# --------------------------------------------------------------------------
# Direct nan-Euclidean KNN imputation: the check of tie-freeness, and the
# reference against which KNNImputer's rounding is measured
# --------------------------------------------------------------------------
def direct_knn(x, missing, k, chunk=256):
    """For every missing cell: (row, col, uniform, distance, ambiguous).

    Squared distances are sums of squared differences, so without the
    cancellation of KNNImputer's |a|^2 - 2ab + |b|^2.  `ambiguous` says that
    donors that tie with the k-th (1e-9 relative in the distance, or within
    the rounding that KNNImputer's formula could suffer) reach past the k-th
    place and do not all carry the same value."""
    n_feat = x.shape[1]
    filled = np.where(missing, 0.0, x)
    present = (~missing).astype(float)
    norm = (filled**2).sum(axis=1)
    rows = np.flatnonzero(missing.any(axis=1))
    out = []
    for at in range(0, len(rows), chunk):
        r = rows[at : at + chunk]
        d2 = np.zeros((len(r), len(x)))
        shared = np.zeros_like(d2)
        for f in range(n_feat):
            both = np.outer(present[r, f], present[:, f])
            d2 += both * (filled[r, f][:, None] - filled[:, f][None, :]) ** 2
            shared += both
        with np.errstate(divide="ignore", invalid="ignore"):
            d2 = np.where(shared > 0, d2 * n_feat / shared, np.inf)
        for f in range(n_feat):
            sel = np.flatnonzero(missing[r, f])
            if not len(sel):
                continue
            donors = np.flatnonzero(~missing[:, f])
            sub = d2[sel][:, donors]
            first = np.argpartition(sub, k, axis=1)[:, : k + 1]
            for i in range(len(sel)):
                row = r[sel[i]]
                near = first[i][np.argsort(sub[i, first[i]], kind="stable")]
                dk2 = sub[i, near[k - 1]]
                assert np.isfinite(sub[i, near[k]])
                noise = 16 * EPS * n_feat * (norm[row] + norm[donors[near]].max())
                tol = max(2.1e-9 * dk2, noise)
                ambiguous = False
                if sub[i, near[k]] - dk2 <= tol:
                    tied = x[donors[np.abs(sub[i] - dk2) <= tol], f]
                    ambiguous = bool((tied != tied[0]).any())
                best = near[:k]
                val = x[donors[best], f]
                d = np.sqrt(sub[i, best])
                w = (d == 0).astype(float) if (d == 0).any() else 1.0 / d
                out.append((row, f, val.mean(), (val * w).sum() / w.sum(), ambiguous))
    row, col, uni, dist, amb = (np.array(c) for c in zip(*out))
    order = np.lexsort((col, row))
    return row[order], col[order], uni[order], dist[order], amb[order]


def sklearn_knn(x, missing, k, weights):
    m = np.where(missing, np.nan, x)
    return KNNImputer(n_neighbors=k, weights=weights).fit_transform(m)


TARGET = {"recency": 943, "frequency": 943, "monetary": 150, "two_missing": 60}
MAX_WEIGHTED_NOISE = 1e-9


def knock_out(x):
    """The missing mask: random cells, less those whose imputation is ambiguous,
    less those where KNNImputer's distance-weighted value is off the direct
    one by more than MAX_WEIGHTED_NOISE.  So the agreement of the two that
    preparation.json states is a result of this choice, not a finding; the
    README says how far off the cells are that were left out."""
    rng = np.random.default_rng(20240701)
    n = len(x)
    missing = np.zeros((n, 3), dtype=bool)
    tried = np.zeros((n, 3), dtype=bool)
    busy = np.flatnonzero(x[:, 1] >= 8)  # where recency x frequency is sparse
    rich = np.flatnonzero(x[:, 2] >= 250)

    def propose(pool, cols, count):
        pool = pool[~tried[pool].any(axis=1)]
        got = rng.choice(pool, size=min(count, len(pool)), replace=False)
        for c in cols:
            missing[got, c] = True
            tried[got, c] = True

    def counts():
        return {
            **{f: int(missing[:, i].sum()) for i, f in enumerate(FEATURES)},
            "two_missing": int((missing.sum(axis=1) == 2).sum()),
        }

    dropped = {"ambiguous": 0, "noisy": 0}
    everyone = np.arange(n)
    for top_up in range(12):
        have = counts()
        need = {k: max(0, TARGET[k] - have[k]) for k in TARGET}
        if not any(need.values()):
            break
        if need["two_missing"]:
            propose(rich, [0, 1], 2 * need["two_missing"])
            propose(busy, [0, 2], need["two_missing"] // 2)
            propose(busy, [1, 2], need["two_missing"] // 2)
        propose(everyone, [0], 2 * need["recency"])
        propose(everyone, [1], int(1.1 * need["frequency"]))
        propose(busy, [2], 2 * need["monetary"])
        while True:  # restored cells become donors, so repeat till stable
            row, col, uni, dist, amb = direct_knn(x, missing, K_NEIGHBORS)
            noisy = np.zeros(len(row), dtype=bool)
            if not amb.any():
                su = sklearn_knn(x, missing, K_NEIGHBORS, "uniform")[row, col]
                sd = sklearn_knn(x, missing, K_NEIGHBORS, "distance")[row, col]
                noisy = (np.abs(su - uni) > 1e-12 * np.abs(uni)) | (
                    np.abs(sd - dist) > MAX_WEIGHTED_NOISE * np.abs(dist)
                )
            dropped["ambiguous"] += int(amb.sum())
            dropped["noisy"] += int(noisy.sum())
            bad = amb | noisy
            if not bad.any():
                break
            missing[row[bad], col[bad]] = False
        print(f"knock-out, top-up {top_up}: {counts()} restored so far {dropped}", flush=True)
    have = counts()
    assert missing.sum() >= 500 and all(have[f] >= 60 for f in FEATURES)
    assert have["two_missing"] >= 30 and not missing.all(axis=1).any()
    return missing, have, dropped


def feature_table(ids, x, missing):
    cols = [pa.array(ids, type=pa.int64())]
    cols += [pa.array(x[:, f], type=pa.float64(), mask=missing[:, f]) for f in range(3)]
    fields = [pa.field("customer_id", pa.int64(), nullable=False)]
    fields += [pa.field(f, pa.float64(), nullable=True) for f in FEATURES]
    return pa.Table.from_arrays(cols, schema=pa.schema(fields))


def write_features(ids, x, missing):
    write_parquet(feature_table(ids, x, missing), OUT / "features.parquet")
    perm = np.random.default_rng(5).permutation(len(ids))
    shares = [0.37, 0.05, 0.26, 0.11, 0.21]
    cuts = np.rint(np.cumsum([0.0] + shares) * len(ids)).astype(int)
    for p in range(5):
        rows = perm[cuts[p] : cuts[p + 1]]
        write_parquet(
            feature_table(ids[rows], x[rows], missing[rows]), OUT / "features" / f"part-{p}.parquet"
        )


# --------------------------------------------------------------------------
# Preparation
# --------------------------------------------------------------------------
def per_feature(values):
    return {f: values[i] for i, f in enumerate(FEATURES)}


def prepare(ids, x, missing, have, dropped):
    row, col, uni, dist, amb = direct_knn(x, missing, K_NEIGHBORS)
    assert not amb.any()
    full = sklearn_knn(x, missing, K_NEIGHBORS, "uniform")
    full_w = sklearn_knn(x, missing, K_NEIGHBORS, "distance")
    assert (full[~missing] == x[~missing]).all()
    cid, names = ids[row], [FEATURES[c] for c in col]

    def rel(a, b):
        return float(np.max(np.abs(a - b) / np.maximum(np.abs(b), 1e-300)))

    q1, q3 = np.percentile(full, [25, 75], axis=0)
    iqr = q3 - q1
    mean, std = full.mean(axis=0), full.std(axis=0)
    med = np.median(full, axis=0)
    mad = np.median(np.abs(full - med), axis=0)

    def fences(lo, hi):
        out = (full < lo) | (full > hi)
        return {"lo": per_feature(lo), "hi": per_feature(hi),
                "outside": per_feature(out.sum(axis=0))}, out.any(axis=1)

    f_iqr, bad = fences(q1 - 1.5 * iqr, q3 + 1.5 * iqr)
    f_z, bad_z = fences(mean - 3 * std, mean + 3 * std)
    f_m, bad_m = fences(med - 3.5 * mad / 0.6745, med + 3.5 * mad / 0.6745)
    gap, on_fence = np.inf, {}  # nearest value that is not on an IQR fence; values on one
    for f, name in enumerate(FEATURES):
        on_fence[name] = 0
        for fence in (f_iqr["lo"][name], f_iqr["hi"][name]):
            d = np.abs(full[:, f] - fence)
            on_fence[name] += int((d == 0).sum())
            gap = min(gap, float(d[d > 0].min() / max(abs(fence), 1.0)))
    assert gap > 1e-9
    kept = full[~bad]
    std_s, rob, mm = StandardScaler().fit(kept), RobustScaler().fit(kept), MinMaxScaler().fit(kept)
    write_json("preparation.json", {
        "features": FEATURES,
        "n_rows": len(ids),
        "n_missing_cells": int(missing.sum()),
        "missing": have,
        "restored_while_choosing": dropped,
        "knn": {
            "n_neighbors": K_NEIGHBORS,
            "uniform": {"customer_id": cid, "feature": names, "value": full[row, col]},
            "distance": {"customer_id": cid, "feature": names, "value": full_w[row, col]},
            "distance_direct": {"customer_id": cid, "feature": names, "value": dist},
            "max_relative_difference_sklearn_direct": {
                "uniform": rel(full[row, col], uni), "distance": rel(full_w[row, col], dist)},
        },
        "quartiles": {"q1": per_feature(q1), "q3": per_feature(q3)},
        "iqr": {"factor": 1.5, **f_iqr, "n_rejected": int(bad.sum()),
                "values_exactly_on_a_fence": on_fence,
                "smallest_other_relative_gap_to_a_fence": gap,
                "rejected_customer_ids": ids[bad]},
        "zscore": {"threshold": 3.0, "mean": per_feature(mean), "std": per_feature(std),
                   **f_z, "n_rejected": int(bad_z.sum())},
        "modified_zscore": {"threshold": 3.5, "scale": 0.6745, "median": per_feature(med),
                            "mad": per_feature(mad), **f_m, "n_rejected": int(bad_m.sum())},
        "n_kept": len(kept),
        "standard_scaler": {"mean": per_feature(std_s.mean_), "scale": per_feature(std_s.scale_)},
        "robust_scaler": {"center": per_feature(rob.center_), "scale": per_feature(rob.scale_)},
        "minmax_scaler": {"data_min": per_feature(mm.data_min_), "data_max": per_feature(mm.data_max_)},
    })
    print(f"IQR rejects {bad.sum()}, z {bad_z.sum()}, MAD {bad_m.sum()}, mad {mad}, gap {gap}")
    return ids[~bad], std_s.transform(kept)


# --------------------------------------------------------------------------
# K-Means
# --------------------------------------------------------------------------
def lloyd(x, start, tol_abs, max_iter=300):
    """Plain Lloyd as sklearn's, with direct differences; for checking, and for
    the margins.  Margin of a row: (second nearest - nearest) / second nearest."""
    c = start.copy()
    old = None
    margins, shifts, empties = [], [], []
    stop = "max_iter"
    for it in range(1, max_iter + 1):
        d = np.sqrt(np.stack([((x - m) ** 2).sum(axis=1) for m in c], axis=1))
        label = d.argmin(axis=1)
        two = np.partition(d, 1, axis=1)[:, :2]
        margins.append(float(np.min((two[:, 1] - two[:, 0]) / two[:, 1])))
        size = np.bincount(label, minlength=len(c)).astype(float)
        total = np.stack([np.bincount(label, x[:, f], len(c)) for f in range(x.shape[1])], axis=1)
        for e in np.flatnonzero(size == 0):
            dist2 = ((x - c[label]) ** 2).sum(axis=1)
            far = int(dist2.argmax())
            assert (size == 0).sum() == 1
            empties.append({"iteration": it, "cluster": int(e), "taken_from": int(label[far]),
                            "row": far, "distance": float(np.sqrt(dist2[far])),
                            "next_distance": float(np.sqrt(np.sort(dist2)[-2]))})
            total[label[far]] -= x[far]
            size[label[far]] -= 1
            total[e] = x[far]
            size[e] = 1
        new = total / size[:, None]
        shift = float(((new - c) ** 2).sum())
        shifts.append(shift)
        c = new
        if old is not None and (label == old).all():
            stop = "labels"
            break
        if shift <= tol_abs:
            stop = "tol"
            break
        old = label
    d = np.sqrt(np.stack([((x - m) ** 2).sum(axis=1) for m in c], axis=1))
    label = d.argmin(axis=1)
    two = np.partition(d, 1, axis=1)[:, :2]
    return {"label": label, "inertia": float((d.min(axis=1) ** 2).sum()), "n_iter": it, "c": c,
            "stop": stop, "shifts": shifts, "empties": empties,
            "margin_final": float(np.min((two[:, 1] - two[:, 0]) / two[:, 1])),
            "margin_all": min(margins)}


def run_kmeans(ids, x, start):
    k = len(start)
    km = KMeans(n_clusters=k, init=start, n_init=1, algorithm="lloyd", tol=1e-4, max_iter=300).fit(x)
    tol_abs = float(np.mean(np.var(x, axis=0)) * 1e-4)
    ref = lloyd(x, start, tol_abs)
    assert (km.labels_ == ref["label"]).all() and km.n_iter_ == ref["n_iter"]
    assert np.allclose(km.cluster_centers_, ref["c"], rtol=1e-10, atol=1e-12)
    assert abs(km.inertia_ - ref["inertia"]) <= 1e-10 * ref["inertia"]
    last, before = ref["shifts"][-1], ref["shifts"][-2]
    assert ref["stop"] == "labels" or last < tol_abs * 0.999 and before > tol_abs * 1.001
    case = {
        "k": k,
        "start": start,
        "n_iter": int(km.n_iter_),
        "stopped_by": ref["stop"],
        "last_center_shift_sq": last,
        "previous_center_shift_sq": before,
        "tol_absolute": tol_abs,
        "inertia": float(km.inertia_),
        "centers": km.cluster_centers_,
        "sizes": np.bincount(km.labels_, minlength=k),
        "labels_sha256": hashlib.sha256(",".join(map(str, km.labels_)).encode()).hexdigest(),
        "smallest_margin": ref["margin_final"],
        "smallest_margin_all_iterations": ref["margin_all"],
    }
    return km.labels_, case, ref


def silhouettes_direct(x, all_labels, chunk=1024):
    """Mean silhouettes from direct differences, many labelings in one pass."""
    onehot = [np.eye(l.max() + 1)[l] for l in all_labels]
    sizes = [o.sum(axis=0) for o in onehot]
    total = [0.0] * len(all_labels)
    for at in range(0, len(x), chunk):
        d = cdist(x[at : at + chunk], x)
        r = np.arange(len(d))
        for i, l in enumerate(all_labels):
            own = l[at : at + chunk]
            s = d @ onehot[i]
            size = sizes[i][own]
            a = s[r, own] / np.maximum(size - 1, 1)
            other = s / sizes[i]
            other[r, own] = np.inf
            b = other.min(axis=1)
            total[i] += float(np.where(size > 1, (b - a) / np.maximum(a, b), 0.0).sum())
    return [t / len(x) for t in total]


def kmeans_fixture(ids, x):
    cases, all_labels = [], []
    for k in range(2, 11):
        seed = 100 * k
        while True:  # another seed when some row is ever nearly equidistant
            start, _ = kmeans_plusplus(x, k, random_state=seed)
            labels, case, ref = run_kmeans(ids, x, start)
            if case["smallest_margin_all_iterations"] > 1e-9 and not ref["empties"]:
                break
            seed += 1
        case = {"k": k, "start_seed": seed, **case}
        if k == 4:
            write_parquet(pa.table({"customer_id": pa.array(ids, pa.int64()),
                                    "label": pa.array(labels, pa.int32())}),
                          OUT / "labels_k4.parquet")
        cases.append(case)
        all_labels.append(labels)
    direct = silhouettes_direct(x, all_labels)
    for case, labels, s in zip(cases, all_labels, direct):
        case["silhouette"] = float(silhouette_score(x, labels))
        case["silhouette_direct"] = s
        case["calinski_harabasz"] = float(calinski_harabasz_score(x, labels))
        case["davies_bouldin"] = float(davies_bouldin_score(x, labels))
        print(f"k={case['k']} seed {case['start_seed']} n_iter {case['n_iter']} by {case['stopped_by']} "
              f"margin {case['smallest_margin']:.2e} all {case['smallest_margin_all_iterations']:.2e} "
              f"silhouette {case['silhouette']:.6f} off by {case['silhouette'] - s:.1e}", flush=True)
    seed = 5000
    while True:
        start, _ = kmeans_plusplus(x, 5, random_state=seed)
        start[2] = [1000.0, -1000.0, 1000.0]
        _, empty, ref = run_kmeans(ids, x, start)
        if empty["smallest_margin_all_iterations"] > 1e-9 and len(ref["empties"]) == 1:
            break
        seed += 1
    e = ref["empties"][0]
    assert e["iteration"] == 1 and e["cluster"] == 2 and e["distance"] > e["next_distance"] * (1 + 1e-9)
    e["customer_id"] = int(ids[e.pop("row")])
    empty = {"start_seed": seed, **empty, "relocation": e}
    print(f"empty: n_iter {empty['n_iter']} by {empty['stopped_by']} {e}")
    write_json("kmeans.json", {
        "features": FEATURES, "n_rows": len(x),
        "tol": 1e-4, "max_iter": 300, "algorithm": "lloyd", "n_init": 1,
        "cases": cases, "empty_cluster": empty,
    })


# --------------------------------------------------------------------------
# Small exact cases
# --------------------------------------------------------------------------
def knn_small():
    rng = np.random.default_rng(77)

    def matrix(n):
        base = rng.normal(size=(n, 4)) @ rng.normal(size=(4, 4))
        return base + rng.normal(size=4) * 3

    def knock(m, share, cols):
        cells = [(r, c) for r in range(len(m)) for c in cols]
        for i in rng.permutation(len(cells))[: round(share * len(cells))]:
            m[cells[i]] = np.nan
        for r in np.flatnonzero(np.isnan(m).all(axis=1)):
            m[r, cols[0]] = rng.normal()

    # 20 % missing at random
    a = matrix(200)
    knock(a, 0.20, range(4))
    # x3 is known for few rows only, and rows 0, 1, 2 know nothing else: they
    # share no coordinate with most donors, and with fewer than 7 that know x0
    b = matrix(200)
    hidden = b[:, 3].copy()
    b[:, 3] = np.nan
    keep = np.concatenate([[0, 1, 2], rng.choice(np.arange(3, 200), 8, replace=False)])
    b[keep, 3] = hidden[keep]
    b[:3, :3] = np.nan
    b[keep[3:6], 0] = np.nan
    # a row that shares a coordinate with nobody (column means), and a column
    # with fewer donors than neighbours
    c = matrix(40)
    c[:, 3] = np.nan
    c[0] = [np.nan, np.nan, np.nan, 1.25]
    c[rng.choice(np.arange(1, 40), 35, replace=False), 2] = np.nan
    cases = []
    for name, m in [("random", a), ("disjoint", b), ("no_shared_coordinate", c)]:
        results = []
        for k in (1, 3, 7):
            for w in ("uniform", "distance"):
                results.append({"n_neighbors": k, "weights": w,
                                "output": KNNImputer(n_neighbors=k, weights=w).fit_transform(m)})
        assert all(np.isfinite(r["output"]).all() for r in results)
        cases.append({"name": name, "n_rows": len(m), "n_columns": 4,
                      "n_missing": int(np.isnan(m).sum()), "input": m, "results": results})
        print(name, m.shape, np.isnan(m).sum())
    write_json("knn_small.json", {"cases": cases})


def metrics_small():
    rng = np.random.default_rng(78)
    sizes = [170, 95, 34, 1]
    centre = np.array([[0, 0, 0], [3, 1, -1], [-1, 4, 2], [5, 5, 5]], dtype=float)
    labels = rng.permutation(np.repeat(np.arange(4), sizes))
    x = centre[labels] + rng.normal(size=(300, 3))
    write_json("metrics_small.json", {
        "n_rows": 300, "n_columns": 3, "n_clusters": 4, "sizes": sizes,
        "points": x, "labels": labels,
        "silhouette_samples": silhouette_samples(x, labels),
        "silhouette": float(silhouette_score(x, labels)),
        "calinski_harabasz": float(calinski_harabasz_score(x, labels)),
        "davies_bouldin": float(davies_bouldin_score(x, labels)),
    })


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    knn_small()
    metrics_small()
    ids, x = load_features()
    assert len(ids) == 23570
    missing, have, dropped = knock_out(x)
    write_features(ids, x, missing)
    kept_ids, z = prepare(ids, x, missing, have, dropped)
    kmeans_fixture(kept_ids, z)


if __name__ == "__main__":
    main()
