#!/usr/bin/env python3
"""A random net: random tables, queries and job specs, run by the real binary, and every answer compared with references in Python.

    python3 tests/random/random_net.py --segmenta target/debug/segmenta --minutes 10 --seed 1
    python3 tests/random/random_net.py --segmenta target/debug/segmenta --case 1000017 --keep runs/net

A case is determined by its seed. README.md says what is compared.
"""

import argparse
import collections
import concurrent.futures
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import adjusted_rand_score

import clusterings
import preparation
import tables
from queries import Maker

KINDS = ("sql", "impute", "outliers", "scale", "kmeans", "hierarchy", "hdbscan")
TIMEOUT = 120
FILL = -12345.5


def family(seed: int) -> str:
    """What a case is about."""
    return "sql" if seed % 10 < 5 else "preparation" if seed % 10 < 7 else "clusterings"


FAMILY = {"sql": "sql", "impute": "preparation", "outliers": "preparation", "scale": "preparation"}


class Refused(Exception):
    """A clear message in the place of an answer."""


class Skipped(Exception):
    """The reference has no answer."""


class Case:
    """Gathers what one case finds."""

    def __init__(self, seed: int, options, folder: Path):
        self.seed, self.options, self.folder = seed, options, folder
        self.failures: list[str] = []
        self.counts: collections.Counter = collections.Counter()
        self.notes: list[tuple[str, float]] = []

    def check(self, holds, message) -> None:
        if not holds and len(self.failures) < 5:
            self.failures.append(message())

    def equal(self, what: str, ours: np.ndarray, theirs: np.ndarray) -> None:
        if ours.shape != theirs.shape:
            self.check(False, lambda: f"{what}: shape {ours.shape}, reference {theirs.shape}")
            return
        differ = np.argwhere(ours != theirs)
        self.check(not len(differ), lambda: f"{what}: {len(differ)} differ, first at {differ[0]}: {ours[tuple(differ[0])]}, reference {theirs[tuple(differ[0])]}")

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def note(self, what: str, value: float) -> None:
        self.notes.append((what, float(value)))

    # -- the binary ----------------------------------------------------------------------------------------------------------------

    def segmenta(self, *arguments: str) -> str:
        command = [str(self.options.segmenta), *arguments]
        with (self.folder / "commands.txt").open("a") as log:
            log.write(" ".join(command) + "\n")
        environment = {k: v for k, v in os.environ.items() if k not in ("RUST_LOG", "OMP_NUM_THREADS")}
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, cwd=self.folder, env=environment)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"no end within {TIMEOUT} s: {' '.join(arguments)}") from None
        (self.folder / "said.txt").write_text(done.stdout + done.stderr)
        if "panicked" in done.stderr:
            raise AssertionError(f"a panic: {done.stderr[done.stderr.index('panicked'):][:300]}")
        # What a library says of itself is no refusal.
        if done.returncode in (2, 3) and not re.search("Internal error|Optimizer rule|not implemented", done.stderr):
            raise Refused(done.stderr.strip())
        if done.returncode != 0:
            raise AssertionError(f"exit code {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def run(self, rng: np.random.Generator, spec: dict, name: str = "job") -> "Published":
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(spec, indent=1))
        flags = ["--threads", str(rng.integers(1, 4))] if rng.random() < 0.5 else []
        flags += ["--partitions-per-shard", str(rng.integers(1, 5))] if rng.random() < 0.4 else []
        self.segmenta("run", str(path), "--quiet", *flags)
        return Published(self.folder / spec["output"], spec)


class Published:
    def __init__(self, folder: Path, spec: dict):
        self.folder = folder
        self.model = json.loads((folder / "model.json").read_text())
        self.metrics = json.loads((folder / "metrics.json").read_text())
        self.features = spec["source"]["features"]
        self.action = self.model["outliers"]["action"]
        self.assignments, self.rejected = self.table("assignments"), self.table("rejected")

    def table(self, name: str) -> pa.Table | None:
        parts = sorted((self.folder / name).glob("*.parquet"))
        return pa.concat_tables([pq.read_table(p) for p in parts]).sort_by("id") if parts else None

    def column(self, name: str) -> np.ndarray:
        return self.assignments[name].to_numpy()

    def everything(self):
        """Of all rows by id: ids, raw features, flags of what was imputed, and which are no outliers."""
        both = [(self.assignments, ~self.assignments["outlier"].to_numpy(zero_copy_only=False))]
        if self.action == "drop" and self.rejected is not None:
            both.append((self.rejected, np.zeros(len(self.rejected), dtype=bool)))
        ids = np.concatenate([t["id"].to_numpy() for t, _ in both])
        x = np.concatenate([np.column_stack([t[f].to_numpy() for f in self.features]) for t, _ in both])
        flags = np.concatenate([np.column_stack([t[f + "_imputed"].to_numpy(zero_copy_only=False) for f in self.features]) for t, _ in both])
        kept = np.concatenate([k for _, k in both])
        order = np.argsort(ids, kind="stable")
        return ids[order], x[order], flags[order], kept[order]

    def points(self) -> np.ndarray:
        """The kept rows as the clusterings see them."""
        raw = np.column_stack([self.column(f) for f in self.features])
        return preparation.scaled(raw, self.model["scale"]["scalers"])


# -- SQL ---------------------------------------------------------------------------------------------------------------------------


def sql_case(case: Case, rng: np.random.Generator) -> None:
    maker = Maker(rng)
    count = int(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15]))
    most = {1: 2000, 2: 150 if rng.random() < 0.6 else 500, 3: 80}[count]
    made = []
    for i in range(count):
        n = int(20 * (most / 20) ** rng.random())
        made.append(tables.query_table(rng, f"t{i}", n, "xyz"[i]))
    for table in made:
        by = str(rng.choice([c.name for c in table.columns])) if rng.random() < 0.5 else None
        tables.write(rng, table.arrow(), case.folder / table.name, by)
    connection = duckdb.connect()
    connection.execute("SET threads = 1").fetchall()
    for table in made:
        connection.register("arrow", table.arrow())
        connection.execute(f"CREATE TABLE {table.name} AS SELECT * FROM arrow").fetchall()
        connection.unregister("arrow")
    answer = None
    for last in (False, False, False, True):
        query = maker.query(made)
        try:
            answer = connection.sql(query.reference).to_arrow_table()
        except duckdb.Error as error:
            if last:
                raise Skipped(f"DuckDB: {re.sub('[0-9.]+', 'N', str(error).splitlines()[0])[:90]}") from None
            continue
        # Queries without a row, or with a column without a value, tell little: one in a few is enough.
        plain_columns = [answer[name] for name in answer.column_names if name.startswith("f")]
        if answer.num_rows > 0 and all(column.null_count < len(column) for column in plain_columns):
            break
    (case.folder / "query.sql").write_text(query.text + ";\n\n-- With the scales of sums:\n-- " + query.reference + ";\n")
    names = [f"f{i}" for i in range(len(query.features))]
    wanted = {"id": answer["id"].to_pylist()}
    if None in wanted["id"] or len(set(wanted["id"])) < len(wanted["id"]):
        raise Skipped("an id that is null or not unique")
    for name in answer.column_names[1:]:
        values = [math.nan if v is None else float(v) for v in answer[name].to_pylist()]
        wanted[name] = np.array(values, dtype=float)
    spec = {
        "name": "net",
        "source": {"tables": {t.name: f"{t.name}/*.parquet" for t in made}, "sql": query.text, "id": "id", "features": names},
        "impute": {"method": "constant", "value": FILL},
        "outliers": {"method": "none"},
        "scale": {"method": "none"},
        "kmeans": {"k": 1},
        "output": "out",
    }
    if len(wanted["id"]) == 0:
        try:
            case.run(rng, spec)
        except Refused as refused:
            if "gives no row" in str(refused):
                case.count("queries without a row, refused")
                return
            raise
        case.check(False, lambda: "DuckDB finds no row")
        return
    published = None
    try:
        published = case.run(rng, spec)
    except Refused as refused:
        absent = re.search(r"no row has a value of `(f\d+)`", str(refused))
        if absent:
            case.check(not np.isfinite(wanted[absent[1]]).any(), lambda: f"refused: {refused}, but DuckDB has values")
            case.count("features without a value, refused")
            return
        if "gives no row" in str(refused):
            case.check(False, lambda: f"refused: {refused}, but DuckDB has {len(wanted['id'])} rows")
            return
        if "duplicate id" in str(refused):
            case.check(False, lambda: f"refused: {refused}, but DuckDB has each id once")
            return
        large = re.search(r"feature `(f\d+)` goes up to", str(refused))
        if large:
            finite = wanted[large[1]][np.isfinite(wanted[large[1]])]
            case.check(np.abs(finite).max(initial=0) > 1e140, lambda: f"refused: {refused}, but DuckDB has {np.abs(finite).max(initial=0)!r}")
            case.count("features that are too large, refused")
            return
        raise
    ids, x, flags, _ = published.everything()
    order = np.argsort(wanted["id"], kind="stable")
    theirs = np.array(wanted["id"], dtype=np.int64)[order]
    if not np.array_equal(ids, theirs):
        only = sorted(set(ids.tolist()) - set(theirs.tolist())), sorted(set(theirs.tolist()) - set(ids.tolist()))
        case.check(False, lambda: f"{len(ids)} rows, DuckDB {len(theirs)}; only here {only[0][:5]}, only in DuckDB {only[1][:5]}")
        return
    for j, feature in enumerate(query.features):
        expected, scale = wanted[f"f{j}"][order], wanted[f"scale{j}"][order]
        missing = ~np.isfinite(expected)
        ours = np.where(flags[:, j], np.nan, x[:, j])
        with np.errstate(invalid="ignore"):
            away = np.abs(ours - expected)
            match feature.mode:
                case "sum":
                    allowed = 1e-12 * scale
                case "average":
                    # Of whole numbers, four digits are kept.
                    allowed = 1.01e-4 + 1e-9 * np.abs(expected)
                case _:
                    # A double of a decimal may be off by its last bit.
                    allowed = 3e-16 * np.abs(expected)
            wrong = (flags[:, j] != missing) | (~missing & ~(away <= allowed))
        # Sums of doubles that overflow on the way do so by their order.
        if feature.mode == "sum":
            wrong &= ~(np.isinf(scale) | (scale > 1e300))
        if wrong.any():
            i = int(np.argmax(wrong))
            case.check(
                False,
                lambda: f"f{j} = {feature.sql}: {wrong.sum()} of {len(ids)} differ; id {ids[i]}: {ours[i]!r}, DuckDB {expected[i]!r}",
            )
    case.count("queries compared")


# -- what the other families share -------------------------------------------------------------------------------------------------


def write_points(case: Case, rng: np.random.Generator, columns: list[tables.Column], name: str = "points") -> np.ndarray:
    n = len(columns[0].array)
    ids = rng.permutation(np.arange(n) * int(rng.integers(1, 1000)) - int(rng.choice([0, 0, 50])))
    table = pa.table({"id": pa.array(ids, pa.int64()), **{c.name: c.array for c in columns}})
    tables.write(rng, table, case.folder / name, str(rng.choice(table.column_names)) if rng.random() < 0.2 else None)
    return ids


def maybe_own(rng: np.random.Generator, names: list[str], every: dict, make) -> tuple[dict, list[dict]]:
    """A section of the spec with settings for all features and for some their own, and the settings of each."""
    section, each = dict(every), [dict(every) for _ in names]
    if rng.random() < 0.3 and len(names) > 1:
        own = {name: make() for name in names if rng.random() < 0.4}
        if own:
            section["features"] = own
            each = [own.get(name, each[j]) for j, name in enumerate(names)]
    return section, each


def run_again(case: Case, rng: np.random.Generator, spec: dict, published: Published, columns, ids: np.ndarray) -> None:
    """The same rows in another order, in other files and on other threads give the same bytes."""
    order = rng.permutation(len(ids))
    table = pa.table({"id": pa.array(ids, pa.int64()), **{c.name: c.array for c in columns}}).take(pa.array(order))
    tables.write(rng, table, case.folder / "again", None)
    spec = json.loads(json.dumps(spec))
    spec["source"]["tables"], spec["output"] = {"points": "again/*.parquet"}, "out-again"
    other = case.run(rng, spec, "again")
    for name in ("assignments", "rejected"):
        ours, theirs = sorted((published.folder / name).glob("*.parquet")), sorted((other.folder / name).glob("*.parquet"))
        # Names end in what tells publications apart.
        parts = [[p.name.split("-")[:2] for p in of] for of in (ours, theirs)]
        same = parts[0] == parts[1] and all(a.read_bytes() == b.read_bytes() for a, b in zip(ours, theirs))
        case.check(same, lambda: f"{name} of the same rows in other files are other bytes")
    case.count("jobs run again over other files")


def score_again(case: Case, published: Published) -> None:
    """The model gives the rows that it was made from the segments that they have."""
    case.segmenta("score", "--model", str(published.folder / "model.json"), "--input", "points/*.parquet", "--output", "scores", "--quiet")
    parts = sorted((case.folder / "scores" / "scores").glob("*.parquet"))
    scores = pa.concat_tables([pq.read_table(p) for p in parts]).sort_by("id")
    ids, _, flags, kept = published.everything()
    case.equal("ids of the scores", scores["id"].to_numpy(), ids)
    whole = ~flags.any(axis=1)
    outside = np.array([v is not None for v in scores["outside"].to_pylist()])
    case.equal("outside, of rows without a missing cell", outside[whole], ~kept[whole])
    # The outliers too, unless they are in no segment.
    assigned = kept if published.action == "drop" else np.ones(len(kept), dtype=bool)
    ours = scores["kmeans_cluster"].to_numpy()[assigned & whole]
    case.equal("clusters of the scores", ours, published.column("kmeans_cluster")[whole[assigned]])
    distances, theirs = scores["kmeans_distance"].to_numpy()[assigned & whole], published.column("kmeans_distance")[whole[assigned]]
    case.check(np.allclose(distances, theirs, rtol=1e-12, atol=0), lambda: "kmeans_distance of the scores is not that of the assignments")
    case.count("jobs scored again")


def check_quality(case: Case, published: Published, raw: np.ndarray) -> None:
    rows = pq.read_table(published.folder / "quality.parquet").to_pylist()
    _, x, flags, kept = published.everything()
    fitted = preparation.fitted(x, kept, published.model["outliers"])
    for j, name in enumerate(published.features):
        steps = {r["step"]: r for r in rows if r["feature"] == name}
        missing = int(np.isnan(raw[:, j]).sum())
        extracted = steps["extracted"]
        case.check(extracted["missing"] == missing, lambda: f"quality: {extracted['missing']} cells of {name} missing, reference {missing}")
        for step, values in (("extracted", raw[~np.isnan(raw[:, j]), j]), ("imputed", x[:, j]), ("kept", fitted[:, j])):
            found = steps[step]
            case.check(
                found["min"] == values.min() and found["max"] == values.max(),
                lambda: f"quality of {name}, {step}: {found['min']!r} to {found['max']!r}, reference {values.min()!r} to {values.max()!r}",
            )
            for q in (5, 50, 95):
                theirs, ours = float(np.quantile(values, q / 100)), found[f"p{q:02}"]
                lower = float(np.quantile(values, q / 100, method="lower"))
                higher = float(np.quantile(values, q / 100, method="higher"))
                slack = 0.004 * max(abs(lower), abs(higher))
                case.check(abs(ours - theirs) <= slack, lambda: f"quality of {name}, {step}: p{q:02} {ours!r}, reference {theirs!r}")


# -- preparation -------------------------------------------------------------------------------------------------------------------


def preparation_case(case: Case, rng: np.random.Generator) -> None:
    n = int(20 * 100 ** rng.random())
    d = int(rng.integers(1, 7))
    names = [f"x{j}" for j in range(d)]
    spread_of = tables.SPREADS if rng.random() < 0.6 else tables.GENTLE
    gaps = float(rng.choice([0.0, 0.05, 0.3])) if d > 1 else 0.05
    columns = []
    for name in names:
        kind = str(rng.choice(["double", "double", "float", "int32", "int64", "decimal"]))
        spread = str(rng.choice(spread_of if kind != "decimal" else tables.GENTLE))
        odd = float(rng.choice([0.0, 0.0, 0.05]))
        columns.append(tables.number_column(rng, name, n, kind, spread, gaps * float(rng.choice([0, 1, 1])), odd))
    ids = write_points(case, rng, columns)
    by_id = np.argsort(ids)
    raw = np.column_stack([c.doubles() for c in columns])[by_id]

    def fill() -> dict:
        method = str(rng.choice(["knn", "knn", "knn", "mean", "median", "constant"]))
        return {"method": method, "value": float(rng.choice([0.0, -1.5, 1e6]))} if method == "constant" else {"method": method}

    impute, fills = maybe_own(rng, names, fill(), fill)
    knn = {"neighbors": int(rng.choice([1, 2, 5, 20])), "weights": str(rng.choice(["uniform", "distance"])), "donors": "all"}
    if impute["method"] == "knn" or any(f["method"] == "knn" for f in fills):
        impute |= knn
    if not np.isnan(raw).any() and rng.random() < 0.5:
        impute, fills = {"method": "none"}, [{"method": "none"}] * d

    def rule() -> dict:
        match str(rng.choice(["iqr", "zscore", "mad", "percentile", "none"])):
            case "percentile":
                return {"method": "percentile", "low": float(rng.choice([0.0, 0.01, 0.1])), "high": float(rng.choice([0.9, 0.99, 1.0]))}
            case "none":
                return {"method": "none"}
            case method:
                return {"method": method} | ({"factor": round(float(rng.uniform(0.5, 4)), 2)} if rng.random() < 0.5 else {})

    def scaler() -> dict:
        transform = str(rng.choice(["auto", "auto", "none", "log1p", "signed_log1p", "yeo_johnson"]))
        return {"method": str(rng.choice(["standard", "robust", "minmax", "none"])), "transform": transform}

    outliers, rules = maybe_own(rng, names, rule(), rule)
    if "features" in outliers:
        # A feature keeps what its section does not name.
        for j, name in enumerate(names):
            if name in outliers["features"] and outliers["features"][name]["method"] == outliers["method"]:
                rules[j] = {**{k: v for k, v in outliers.items() if k != "features"}, **rules[j]}
    space = str(rng.choice(["transformed", "transformed", "raw"]))
    outliers |= {"action": str(rng.choice(["set_aside", "set_aside", "clip", "drop"])), "space": space}
    scale, scalings = maybe_own(rng, names, scaler(), scaler)
    spec = {
        "name": "net",
        "source": {"tables": {"points": "points/*.parquet"}, "id": "id", "features": names},
        "impute": impute,
        "outliers": outliers,
        "scale": scale,
        "kmeans": {"k": int(rng.integers(1, 4))},
        "output": "out",
    }
    published = case.run(rng, spec)
    got, x, flags, kept = published.everything()
    case.equal("ids", got, ids[by_id])
    if case.failures:
        return
    wants = case.options.only
    if wants in (None, "impute"):
        preparation.check_imputation(case, raw, x, flags, fills, knn)
        if all(f["method"] == "knn" for f in fills) and np.isnan(raw).any():
            preparation.check_knn_against_sklearn(case, raw, x, knn)
        check_quality(case, published, raw)
    if wants in (None, "outliers"):
        rejected = []
        if published.rejected is not None:
            place = {id: i for i, id in enumerate(got.tolist())}
            for row in published.rejected.to_pylist():
                rejected.append({
                    "row": place[row["id"]], "rule": row["rule"], "feature": names.index(row["feature"]), "value": row["value"],
                    "low": row["fence_low"], "high": row["fence_high"],
                })
        transforms = [s["transform"] for s in published.model["scale"]["scalers"]]
        of_fences = ["none"] * d if space == "raw" else transforms
        seen = np.column_stack([preparation.transformed(x[:, j], t) for j, t in enumerate(of_fences)])
        applied = preparation.check_widening(case, seen, rules, published.model["outliers"]["rules"])
        preparation.check_fences(case, x, seen, of_fences, applied, published.model["outliers"]["fences"], kept, rejected)
        reasons(case, published, got, kept)
    if wants in (None, "scale"):
        values = preparation.fitted(x, kept, published.model["outliers"])
        preparation.check_scalers(case, x, values, scalings, published.model["scale"]["scalers"])
    if wants is None:
        if rng.random() < 0.15:
            run_again(case, rng, spec, published, columns, ids)
        if rng.random() < 0.15:
            score_again(case, published)
    case.count("preparations compared")


def reasons(case: Case, published: Published, ids: np.ndarray, kept: np.ndarray) -> None:
    """The assignments say of outliers what the table of outliers says."""
    columns = ["rule", "feature", "value", "fence_low", "fence_high"]
    said = published.assignments.filter(published.assignments["outlier"]).select(["id"] + [f"outlier_{c}" for c in columns])
    said = said.rename_columns(["id"] + columns)
    if published.action == "set_aside":
        theirs = published.rejected.select(["id"] + columns).to_pylist() if published.rejected is not None else []
        case.check(said.to_pylist() == theirs, lambda: f"outliers of the assignments {said.to_pylist()[:3]}, rejected {theirs[:3]}")
    if published.action == "drop":
        case.check(len(said) == 0, lambda: f"{len(said)} outliers are in segments")
    else:
        case.equal("ids of the assignments", published.column("id"), ids)
    case.check(published.metrics["rows"]["outliers"] == int((~kept).sum()), lambda: f"{published.metrics['rows']} of {int((~kept).sum())} outliers")


# -- clusterings -------------------------------------------------------------------------------------------------------------------


def blobs(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    count = int(rng.integers(1, 6))
    centers = rng.uniform(-10, 10, (count, d)) * float(rng.choice([0.3, 1.0, 5.0]))
    spreads = rng.uniform(0.2, 1.5, count)
    member = rng.choice(count, n, p=rng.dirichlet(np.ones(count) * 3))
    x = centers[member] + rng.normal(0, 1, (n, d)) * spreads[member, None]
    noise = rng.random(n) < float(rng.choice([0.0, 0.05, 0.2]))
    return np.where(noise[:, None], rng.uniform(-15, 15, (n, d)), x)


def cluster_columns(rng: np.random.Generator, n: int, d: int) -> list[tables.Column]:
    form = rng.random()
    if form < 0.6:
        x = blobs(rng, n, d)
        if rng.random() < 0.15:
            x = x.round(int(rng.integers(0, 2)))
        if rng.random() < 0.15:
            x = x * float(rng.choice([1e-300, 1e-20, 1e30, 1e100]))
        if rng.random() < 0.1:
            x = x + float(rng.choice([1e5, 1e9]))
        if rng.random() < 0.1:
            x = x[rng.integers(0, n, n)]
        if rng.random() < 0.1:
            x[:, 0] = float(rng.choice([0.0, 7.5]))
        return [tables.Column(f"x{j}", "double", "blobs", pa.array(x[:, j] + 0.0)) for j in range(d)]
    spreads = tables.GENTLE if form < 0.8 else tables.SPREADS
    columns = []
    for j in range(d):
        kind = str(rng.choice(["double", "double", "float", "int32", "decimal"]))
        spread = str(rng.choice(spreads if kind != "decimal" else tables.GENTLE))
        columns.append(tables.number_column(rng, f"x{j}", n, kind, spread, 0.0, 0.0))
    return columns


def clustering_case(case: Case, rng: np.random.Generator) -> None:
    n = int(20 * (50 if rng.random() < 0.8 else 100) ** rng.random())
    d = int(rng.integers(1, 7))
    columns = cluster_columns(rng, n, d)
    names = [c.name for c in columns]
    ids = write_points(case, rng, columns)
    scale = {"method": str(rng.choice(["standard", "standard", "robust", "minmax", "none"]))}
    if rng.random() < 0.15:
        scale["transform"] = "signed_log1p"
    kmeans = {"k": int(rng.integers(1, min(12, n // 2) + 1)), "seed": int(rng.integers(0, 100))}
    if rng.random() < 0.2:
        kmeans["k"] = {"from": 2, "to": int(rng.integers(3, 8))}
        kmeans["select"] = str(rng.choice(["elbow", "silhouette", "calinski_harabasz", "davies_bouldin", "gap"]))
    form = rng.random()
    if form < 0.1:
        kmeans["algorithm"] = "bisecting"
    elif form < 0.2:
        kmeans["algorithm"] = "minibatch"
    elif form < 0.3:
        kmeans["start"] = "kmeans||"
    if rng.random() < 0.2:
        kmeans["restarts"] = int(rng.integers(2, 5))
    hierarchy = {"linkage": str(rng.choice(["ward", "average", "complete", "single"]))}
    if rng.random() < 0.25:
        hierarchy["height"] = round(float(10 ** rng.uniform(-1, 1.3)), 3)
    else:
        hierarchy["clusters"] = int(rng.integers(1, 12))
    if rng.random() < 0.08 and hierarchy["linkage"] != "single":
        hierarchy["budget"], hierarchy["micro_clusters"] = 100, 50
    sizes = sorted({int(s) for s in rng.integers(2, max(3, n // 5), int(rng.integers(1, 4)))})
    hdbscan = {"min_samples": int(rng.choice([1, 2, 3, 5, 10, 15])), "min_cluster_size": sizes if len(sizes) > 1 else sizes[0]}
    if rng.random() < 0.1:
        hdbscan["min_cluster_size"] = "auto"
    for chance, key, value in (
        (0.3, "selection", "leaf"), (0.2, "cluster_selection_epsilon", round(float(rng.uniform(0.05, 1.5)), 2)),
        (0.1, "allow_single_cluster", True), (0.2, "graph", "knn"), (0.15, "cell_rows", int(rng.choice([1000, 2000]))),
    ):
        if rng.random() < chance:
            hdbscan[key] = value
    if rng.random() < 0.1 and hdbscan.get("selection") is None:
        hdbscan["max_cluster_size"] = max(int(n * 0.4), max(sizes) + 1)
    if hdbscan.get("graph") == "knn" and rng.random() < 0.5:
        hdbscan["neighbors"] = int(rng.integers(max(2, hdbscan["min_samples"]), 30))
    spec = {
        "name": "net",
        "source": {"tables": {"points": "points/*.parquet"}, "id": "id", "features": names},
        "outliers": {"method": "none"},
        "scale": scale,
        "kmeans": kmeans,
        "hierarchy": hierarchy,
        "hdbscan": hdbscan,
        "output": "out",
    }
    published = case.run(rng, spec)
    got, x, _, kept = published.everything()
    by_id = np.argsort(ids)
    raw = np.column_stack([c.doubles() for c in columns])[by_id]
    case.equal("ids", got, ids[by_id])
    case.equal("features", x, raw)
    preparation.check_scalers(case, raw, raw, [scale] * d, published.model["scale"]["scalers"])
    if case.failures:
        return
    z = published.points()
    if not clusterings.has_digits(z):
        case.count("clusterings of values that differ in their last digits alone, not compared")
        return
    wants = case.options.only
    labels = {name: published.column(name) for name in published.assignments.column_names}
    if wants in (None, "kmeans"):
        clusterings.check_kmeans(
            case, z, labels["kmeans_cluster"], labels["kmeans_distance"], published.model["kmeans"], published.metrics["kmeans"], kmeans
        )
    if wants in (None, "hierarchy"):
        clusterings.check_hierarchy(case, z, labels["hierarchy_cluster"], published.model["hierarchy"], published.metrics["hierarchy"], hierarchy)
    if wants in (None, "hdbscan"):
        clusterings.check_hdbscan(case, z, labels, published.model["hdbscan"], published.metrics["hdbscan"], hdbscan)
    for pair in published.metrics["agreements"]:
        theirs = adjusted_rand_score(labels[pair["first"]], labels[pair["second"]])
        case.check(
            abs(pair["adjusted_rand_index"] - theirs) <= 1e-9,
            lambda: f"adjusted Rand index of {pair['first']} and {pair['second']}: {pair['adjusted_rand_index']!r}, scikit-learn {theirs!r}",
        )
    if wants is None:
        if rng.random() < 0.15:
            run_again(case, rng, spec, published, columns, ids)
        if rng.random() < 0.1:
            score_again(case, published)
    case.count("clusterings compared")


# -- the net -----------------------------------------------------------------------------------------------------------------------


def run_case(seed: int, options) -> dict:
    options.keep.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"case-{seed}-", dir=options.keep))
    case = Case(seed, options, folder)
    refused = skipped = None
    kind = family(seed)
    try:
        {"sql": sql_case, "preparation": preparation_case, "clusterings": clustering_case}[kind](case, np.random.default_rng(seed))
    except Refused as error:
        refused = str(error)
    except Skipped as error:
        skipped = str(error)
    except AssertionError as error:
        case.failures.append(str(error))
    except Exception:  # noqa: BLE001 - whatever goes wrong with one case, the net goes on
        case.failures.append("the net itself: " + traceback.format_exc()[-700:])
    kept = folder
    if not case.failures and not options.keep_all:
        shutil.rmtree(folder)
        kept = None
    elif kept is not None:
        kept = options.keep / f"case-{seed}"
        shutil.rmtree(kept, ignore_errors=True)
        folder.rename(kept)
    return {
        "seed": seed, "kind": kind, "failures": case.failures, "refused": refused, "skipped": skipped, "counts": case.counts,
        "notes": case.notes, "folder": kept,
    }


def plain(message: str) -> str:
    """A refusal without its numbers and names, so that equal ones are counted together."""
    lines = [line for line in message.splitlines() if line.strip()]
    line = next((line for line in lines if line.startswith("error")), lines[0] if lines else "")
    line = re.sub(r"\S*/case-\S*/", "", line)
    return re.sub(r"-?\d+(\.\d+)?(e[-+]?\d+)?", "N", line)[:200]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segmenta", type=Path, required=True, help="the binary")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--cases", type=int, help="end after so many, whatever the time")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other cases")
    parser.add_argument("--only", choices=KINDS, help="cases of its family alone, and of the preparation and the clusterings its checks alone")
    parser.add_argument("--case", type=int, nargs="+", help="run the cases of these seeds alone, and keep their folders")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "segmenta-random-net", help="where folders of failures stay")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="cases at a time")
    options = parser.parse_args()
    options.segmenta = options.segmenta.resolve()
    options.keep = options.keep.resolve()
    options.keep_all = options.case is not None
    seeds = iter(options.case) if options.case else (options.seed * 1_000_000 + i for i in range(1_000_000))
    if options.only and not options.case:
        wanted = FAMILY.get(options.only, "clusterings")
        seeds = (seed for seed in seeds if family(seed) == wanted)
    started, until = time.monotonic(), time.monotonic() + 60 * options.minutes
    kinds, counts, refusals, skips = (collections.Counter() for _ in range(4))
    first_refused: dict[str, int] = {}
    notes, failed = collections.defaultdict(list), []
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        waiting, given = set(), 0
        while True:
            while len(waiting) < 2 * options.jobs and (options.keep_all or time.monotonic() < until) and given != options.cases:
                seed = next(seeds, None)
                if seed is None:
                    break
                waiting.add(pool.submit(run_case, seed, options))
                given += 1
            if not waiting:
                break
            done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
            for result in (future.result() for future in done):
                kinds[result["kind"]] += 1
                counts.update(result["counts"])
                for name, value in result["notes"]:
                    notes[name].append(value)
                if result["refused"] is not None:
                    message = plain(result["refused"])
                    refusals[message] += 1
                    first_refused.setdefault(message, result["seed"])
                if result["skipped"] is not None:
                    skips[result["skipped"]] += 1
                if result["failures"]:
                    failed.append(result["seed"])
                    print(f"case {result['seed']} ({result['kind']}), kept in {result['folder']}")
                    for failure in result["failures"][:2]:
                        print(f"    {' '.join(failure.split())[:600]}", flush=True)
    print(f"\n{sum(kinds.values())} cases in {time.monotonic() - started:.0f} s: " + ", ".join(f"{n} {k}" for k, n in sorted(kinds.items())))
    for title, found in (("compared", counts), ("without a reference", skips)):
        if found:
            print(f"{title}:")
            for what, n in found.most_common():
                print(f"    {n:6} {what}")
    if refusals:
        print("refused:")
        for message, n in refusals.most_common():
            print(f"    {n:6} {message} (first: case {first_refused[message]})")
    for name, values in notes.items():
        print(f"{name}: least {min(values):.6g}, median {np.median(values):.6g}, largest {max(values):.6g}, of {len(values)}")
    print(f"{len(failed)} failures" + (": " + " ".join(map(str, failed)) if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
