#!/usr/bin/env python3
"""Makes the tables, joins.sql, statistics.sql, and what DuckDB answers to the queries: see README.md.

    python3 tests/sql/make_answers.py [--answers-only]

With --answers-only the tables stay as they are: for a change of the queries alone.
"""

import datetime
import decimal
import importlib.metadata
import json
import math
import pathlib
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
TABLES = HERE / "tables"
TPCH = HERE / "tpch"
ANSWERS = HERE / "answers"
SCALE = "0.004"
EXACT_INTEGERS = 2**53
NAN, INF = math.nan, math.inf
WORDS = ["ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "oak", "Pine", "yew", "", "ä ö", "it's"]
DECIMAL = pa.decimal128(10, 2)
VERSIONS = {
    "python": platform.python_version(),
    "duckdb": duckdb.__version__,
    "pyarrow": pa.__version__,
    "tpchgen-cli": importlib.metadata.version("tpchgen-cli"),
}


# ---------------------------------------------------------------------------------------------------------------- tables


def write(table: pa.Table, folder: pathlib.Path, sizes: list[int], group: int, **options) -> None:
    """Cuts the rows into files of these sizes. The second file has many row groups, the others one each."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    assert sum(sizes) == table.num_rows, folder
    start = 0
    for i, size in enumerate(sizes):
        rows = table.slice(start, size)
        start += size
        pq.write_table(
            rows,
            folder / f"part-{i}.parquet",
            row_group_size=group if i == 1 or len(sizes) == 1 else size,
            compression="zstd",
            compression_level=19,
            **options,
        )


def cents(rng: random.Random, low: int, high: int) -> decimal.Decimal:
    return decimal.Decimal(rng.randint(low, high)).scaleb(-2)


def sides(seed: int, left: int, right: int, keys: int) -> tuple[pa.Table, pa.Table]:
    """The two sides of the join matrix. `l.id` and `r.d` are unique: they tell rows apart."""
    rng = random.Random(seed)
    floats = [-0.0, 0.0, NAN, INF, -INF, None, NAN, None] + [x / 4 for x in range(-8, 24)]
    words = WORDS + [None, None]
    l = pa.table(
        {
            "id": pa.array(range(left), pa.int64()),
            "a": pa.array([rng.randint(0, 9) for _ in range(left)], pa.int32()),
            "c": pa.array([rng.randint(0, 9) for _ in range(left)], pa.int32()),
            "f": pa.array([rng.choice(floats) for _ in range(left)], pa.float64()),
            "s": pa.array([rng.choice(words) for _ in range(left)], pa.string()),
            "k2": pa.array([None if rng.random() < 0.1 else rng.randint(0, keys // 3) for _ in range(left)], pa.int64()),
        }
    )
    decimals = rng.sample(range(-20_000, 80_000), right)
    r = pa.table(
        {
            "k": pa.array([None if rng.random() < 0.08 else rng.randint(-5, keys) for _ in range(right)], pa.int64()),
            "a": pa.array([None if rng.random() < 0.05 else rng.randint(0, 9) for _ in range(right)], pa.int32()),
            "f": pa.array([rng.choice(floats) for _ in range(right)], pa.float64()),
            "s": pa.array([rng.choice(words) for _ in range(right)], pa.string()),
            "d": pa.array([decimal.Decimal(x).scaleb(-2) for x in decimals], DECIMAL),
        }
    )
    return l, r


def make_tables() -> None:
    l, r = sides(11, 300, 600, 420)
    write(l, TABLES / "l", [120, 100, 80], 30)
    write(r, TABLES / "r", [200, 150, 150, 100], 40)
    # Small twins, for the answers that list rows.
    l, r = sides(12, 50, 80, 60)
    write(l, TABLES / "sl", [20, 20, 10], 6)
    write(r, TABLES / "sr", [30, 20, 20, 10], 5)

    # No order is of the last tier, and some are of none.
    tiny = pa.table(
        {
            "tier": pa.array(["bronze", "silver", "gold", "platinum"], pa.string()),
            "low": pa.array([0.0, 100.0, 500.0, 5000.0], pa.float64()),
            "high": pa.array([100.0, 500.0, 1000.0, 9999.0], pa.float64()),
        }
    )
    write(tiny, TABLES / "tiny", [2, 1, 1], 1)

    rng = random.Random(13)
    ords = []
    for i in range(800):
        ts = datetime.datetime(2024, 11, 20) + datetime.timedelta(minutes=i * 617 + rng.randint(0, 600), seconds=rng.randint(0, 59))
        ts += datetime.timedelta(microseconds=rng.choice([0, 0, 0, 250_000, 123_456]))
        ords.append(
            {
                "cid": None if rng.random() < 0.02 else rng.randint(0, 59),
                "amt": None if rng.random() < 0.02 else rng.randint(-40, 4800) / 4,
                "day": None if rng.random() < 0.02 else ts.date(),
                "ts": ts,
                "price": None if rng.random() < 0.02 else cents(rng, -5_000, 90_000),
            }
        )
    rng.shuffle(ords)
    schema = pa.schema(
        [("cid", pa.int64()), ("amt", pa.float64()), ("day", pa.date32()), ("ts", pa.timestamp("us")), ("price", DECIMAL)]
    )
    write(pa.Table.from_pylist(ords, schema), TABLES / "ord", [250, 250, 200, 100], 60)

    rng = random.Random(14)
    lists = [None if i % 11 == 3 else [rng.choice([None, *range(10)]) for _ in range(rng.randint(0, 5))] for i in range(60)]
    tags = [None if i % 13 == 5 else rng.sample(WORDS[:9], rng.randint(0, 3)) for i in range(60)]
    nested = pa.table(
        {
            "id": pa.array(range(60), pa.int64()),
            "grp": pa.array([i % 7 for i in range(60)], pa.int64()),
            "items": pa.array(lists, pa.list_(pa.int64())),
            "tags": pa.array(tags, pa.list_(pa.string())),
        }
    )
    write(nested, TABLES / "nested", [25, 20, 15], 6)

    make_statistics_tables()


def make_statistics_tables() -> None:
    """What a reader may wrongly conclude from the statistics in a file: the least and the greatest value leave NaN out."""

    def table(values: list, start: int = 0) -> pa.Table:
        return pa.table(
            {
                "id": pa.array(range(start, start + len(values)), pa.int64()),
                "b": pa.array(values, pa.float64()),
                "g": pa.array(values, pa.float32()),
            }
        )

    def by_duckdb(rows: pa.Table, path: pathlib.Path) -> None:
        """DuckDB writes neither the least nor the greatest value of a row group with a NaN. Its row groups have 2048 rows."""
        with duckdb.connect() as db:
            db.execute("SET threads = 1")
            db.register("rows", rows)
            db.execute(f"COPY (SELECT * FROM rows ORDER BY id) TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 2048)")

    alternating = [NAN if i % 2 else 1.0 for i in range(60)]
    mixed = [NAN if i % 5 == 2 else float(i) for i in range(97)]
    write(table(alternating), TABLES / "nan_one", [60], 60)
    write(table(alternating), TABLES / "nan_one_groups", [60], 7)
    # The same without any statistics.
    write(table(alternating), TABLES / "nan_one_bare", [60], 60, write_statistics=False)
    write(table(alternating), TABLES / "nan_one_duckdb", [60], 60)
    by_duckdb(table(alternating), TABLES / "nan_one_duckdb" / "part-0.parquet")

    # One file of two row groups: a constant, and numbers with NaN.
    write(table([0.0] * 20 + mixed), TABLES / "nan_groups", [20, 97], 97)
    (TABLES / "nan_groups" / "part-1.parquet").unlink()
    pq.write_table(table([0.0] * 97 + mixed), TABLES / "nan_groups" / "part-0.parquet", row_group_size=97, compression="zstd")
    write(table([0.0] * 2048 + mixed), TABLES / "nan_groups_duckdb", [2145], 2145)
    by_duckdb(table([0.0] * 2048 + mixed), TABLES / "nan_groups_duckdb" / "part-0.parquet")

    # A file by DuckDB between two by pyarrow.
    rows = [2.0, 3.0, None, -0.0, 0.5] * 6 + mixed[:40] + [1.0] * 30
    write(table(rows), TABLES / "nan_files", [30, 40, 30], 40)
    by_duckdb(table(mixed[:40], 30), TABLES / "nan_files" / "part-1.parquet")

    for name, values in {
        "one_value": [1.0] * 50,
        "all_null": [None] * 50,
        "all_nan": [NAN] * 50,
        "inf": [[INF, -INF, 1.0, 0.0, -0.0, -2.5, None, INF, 1.0][i % 9] for i in range(50)],
    }.items():
        write(table(values), TABLES / name, [20, 20, 10], 7)
        by_duckdb(table(values[40:], 40), TABLES / name / "part-2.parquet")


def make_tpch() -> None:
    files = {"lineitem": 3, "orders": 3, "customer": 2, "partsupp": 2, "part": 1, "supplier": 1, "nation": 1, "region": 1}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["tpchgen-cli", "parquet", "-q", "-s", SCALE, "--output-dir", folder], check=True, stdout=subprocess.DEVNULL
        )
        for name, count in files.items():
            table = pq.read_table(pathlib.Path(folder) / f"{name}.parquet")
            # Views of strings are a matter of the writer's memory: other readers know them as plain strings. Its metadata goes too.
            table = table.cast(
                pa.schema(
                    [pa.field(f.name, pa.string() if pa.types.is_string_view(f.type) else f.type, f.nullable) for f in table.schema]
                )
            )
            size = -(-table.num_rows // count)
            sizes = [min(size, table.num_rows - i * size) for i in range(count)]
            write(table, TPCH / name, sizes, 2000 if name == "lineitem" else 100_000)


# -------------------------------------------------------------------------------------------------------- the join matrix

# name: key of the left, key of the right, what else has to hold (any may be missing)
CONDITIONS = {
    "eq": ("l.id", "r.k", None),
    "eq_left": ("l.id", "r.k", "l.a > 4"),
    "eq_right": ("l.id", "r.k", "r.a < 5"),
    "eq_both_filters": ("l.id", "r.k", "l.a > 2 AND r.a < 7"),
    "eq_gt": ("l.id", "r.k", "l.a > r.a"),
    "eq_ge": ("l.id", "r.k", "l.a >= r.a"),
    "eq_ne": ("l.id", "r.k", "l.a <> r.a"),
    "eq_sum": ("l.id", "r.k", "l.a + r.a > 7"),
    "eq_abs": ("l.id", "r.k", "abs(l.c - r.a) < 3"),
    "eq_or": ("l.id", "r.k", "(l.a > 6 OR r.a < 2)"),
    "eq_isnull": ("l.id", "r.k", "(r.s IS NULL OR l.s < r.s)"),
    "eq_two": ("l.a", "r.a", "l.k2 = r.k"),
    "eq_expr": ("l.id + 5", "r.k * 2 + 1", None),
    "eq_expr_gt": ("l.id % 40", "r.k - 20", "l.a > r.a"),
    "eq_double": ("l.f", "r.f", "l.c = r.a"),
    "eq_double_gt": ("l.id", "r.k", "l.f > r.f"),
    "eq_k2": ("l.k2", "r.k", None),
    "eq_k2_many": ("l.k2", "r.k", "l.a <> r.a AND l.c < 8 AND r.d > 10"),
    "eq_varchar": ("l.s", "r.s", "l.c > r.a"),
    "no_key": (None, None, "l.a > r.a AND l.id < 20"),
}
# Conditions whose NOT IN DataFusion does not answer as it should, even without NULL on the right: known_faults.sql has some.
ROW_WISE_NOT_IN = ("eq_two", "eq_double", "eq_k2_many", "eq_varchar")
# Where each pair of rows meets, the answers that list rows take fewer of the left.
FEWER = ("l.id < 20", "l.id < 4")
OUTER = {"inner": "INNER JOIN", "left": "LEFT JOIN", "right": "RIGHT JOIN", "full": "FULL JOIN"}
# What follows an inner or outer join. Neither the keys nor the columns of the conditions are selected.
BOTH_GROUP = """SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM {l} l {join} {r} r{on}
GROUP BY l.c"""
BOTH_SELECT = """SELECT l.id AS id, l.c AS c, r.d AS d
FROM {l} l {join} {r} r{on}"""
# The same of a join that keeps one side alone.
LEFT_GROUP = """SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM {source}
GROUP BY l.c"""
LEFT_SELECT = """SELECT l.id AS id, l.s AS s
FROM {source}"""
RIGHT_GROUP = """SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM {source}
GROUP BY r.s"""
RIGHT_SELECT = """SELECT r.d AS d, r.s AS s
FROM {source}"""


class Queries:
    def __init__(self) -> None:
        self.blocks: list[str] = []

    def add(self, name: str, sql: str, duck: str | None = None, notes: tuple[str, ...] = ()) -> None:
        lines = [f"-- name: {name}", *(f"-- {note}" for note in notes)]
        if duck:
            first, *rest = duck.splitlines()
            lines += [f"-- duckdb: {first}", *(f"--   {line}" for line in rest)]
        self.blocks.append("\n".join([*lines, sql]))


def both(*parts: str | None) -> str:
    return " AND ".join(part for part in parts if part)


def existential(kind: str, l: str, r: str, left: str | None, right: str | None, extra: str | None) -> tuple[str, str | None] | None:
    """The source of a join that keeps the rows of one side, and what DuckDB calls it where that differs."""
    on = both(f"{left} = {right}" if left else None, extra)
    if kind in ("exists", "not_exists"):
        word = "NOT EXISTS" if kind == "not_exists" else "EXISTS"
        return f"{l} l\nWHERE {word} (SELECT 1 FROM {r} r WHERE {on})", None
    if kind in ("in", "not_in", "not_in_nulls"):
        if left is None:
            return None
        word = "IN" if kind == "in" else "NOT IN"
        where = both(f"{right} IS NOT NULL" if kind == "not_in" else None, extra)
        where = f" WHERE {where}" if where else ""
        return f"{l} l\nWHERE {left} {word} (SELECT {right} FROM {r} r{where})", None
    side, word = kind.split("_")
    ours = f"{l} l {side.upper()} {word.upper()} JOIN {r} r ON {on}"
    theirs = f"{l} l {word.upper()} JOIN {r} r ON {on}" if side == "left" else f"{r} r {word.upper()} JOIN {l} l ON {on}"
    return ours, theirs


def join_matrix(out: Queries) -> None:
    big, small = {"l": "l", "r": "r"}, {"l": "sl", "r": "sr"}
    for condition, (left, right, extra) in CONDITIONS.items():
        on = " ON " + both(f"{left} = {right}" if left else None, extra)
        for kind, join in OUTER.items():
            out.add(f"{kind}_{condition}_group", BOTH_GROUP.format(join=join, on=on, **big))
            out.add(f"{kind}_{condition}_select", BOTH_SELECT.format(join=join, on=on.replace(*FEWER), **small))
    kinds = ["exists", "not_exists", "in", "not_in", "not_in_nulls", "left_semi", "left_anti", "right_semi", "right_anti"]
    for i, (condition, keys) in enumerate(CONDITIONS.items()):
        for j, kind in enumerate(kinds):
            # EXISTS becomes a semi join and NOT EXISTS an anti join: the two ways to write it, and the two followings, take turns.
            if condition in ("eq", "eq_gt"):
                followings = ["group", "select"]
            elif kind == ("exists", "left_semi")[i % 2] or kind == ("left_anti", "not_exists")[i % 2]:
                continue
            else:
                followings = [["group", "select"][(i // 2 + j) % 2]]
            # NOT IN of rows that depend on the outer one is in known_faults.sql.
            if kind in ("not_in", "not_in_nulls") and "l." in (keys[2] or ""):
                continue
            for following in followings:
                made = existential(kind, *(big if following == "group" else small).values(), *keys)
                if made is None:
                    continue
                ours, theirs = made
                text = {
                    (False, "group"): LEFT_GROUP,
                    (False, "select"): LEFT_SELECT,
                    (True, "group"): RIGHT_GROUP,
                    (True, "select"): RIGHT_SELECT,
                }[(kind.startswith("right"), following)]
                duck = text.format(source=theirs) if theirs else None
                out.add(f"{kind}_{condition}_{following}", text.format(source=ours), duck)


def joins_with_tiers(out: Queries) -> None:
    """A small dimension without an equality, each way round."""
    band = "ord.amt >= tiny.low AND ord.amt < tiny.high"
    group = "SELECT tiny.tier AS tier, COUNT(*) AS n, COUNT(ord.ts) AS orders, SUM(ord.price) AS total, MAX(ord.day) AS last\nFROM {}\nGROUP BY tiny.tier"
    select = "SELECT tiny.tier AS tier, ord.ts AS ts, ord.cid AS cid\nFROM {}"
    fewer = "(SELECT * FROM ord WHERE cid < 6) ord"
    for kind, join in OUTER.items():
        out.add(f"{kind}_tiers_group", group.format(f"tiny {join} ord ON {band}"))
        out.add(f"{kind}_tiers_select", select.format(f"tiny {join} {fewer} ON {band}"))
        out.add(f"{kind}_tiers_turned_group", group.format(f"ord {join} tiny ON {band}"))
        out.add(f"{kind}_tiers_turned_select", select.format(f"{fewer} {join} tiny ON {band}"))
    for kind, word in {"exists": "EXISTS", "not_exists": "NOT EXISTS"}.items():
        out.add(f"{kind}_tiers_select", f"SELECT tier AS tier, high AS high\nFROM tiny\nWHERE {word} (SELECT 1 FROM ord WHERE {band})")
        out.add(
            f"{kind}_tiers_turned_group",
            f"SELECT ord.cid AS cid, COUNT(*) AS n, SUM(ord.price) AS total\nFROM ord\nWHERE {word} (SELECT 1 FROM tiny WHERE {band})\nGROUP BY ord.cid",
        )
    for word in ("SEMI", "ANTI"):
        text = "SELECT ord.cid AS cid, COUNT(*) AS n, SUM(ord.price) AS total\nFROM {}\nGROUP BY ord.cid"
        out.add(
            f"left_{word.lower()}_tiers_group",
            text.format(f"ord LEFT {word} JOIN tiny ON {band}"),
            text.format(f"ord {word} JOIN tiny ON {band}"),
        )
        text = "SELECT tiny.tier AS tier\nFROM {}"
        out.add(
            f"right_{word.lower()}_tiers_select",
            text.format(f"ord RIGHT {word} JOIN tiny ON {band}"),
            text.format(f"tiny {word} JOIN ord ON {band}"),
        )
    out.add("cross_group", "SELECT l.c AS grp, tiny.tier AS tier, COUNT(*) AS n, SUM(l.id) AS total, MAX(tiny.high) AS high\nFROM l CROSS JOIN tiny\nGROUP BY l.c, tiny.tier")
    out.add("cross_select", "SELECT sl.id AS id, tiny.tier AS tier\nFROM sl CROSS JOIN tiny")
    out.add("cross_big_group", "SELECT l.a AS a, COUNT(*) AS n, COUNT(r.k) AS keys, SUM(r.d) AS total, MIN(r.s) AS word\nFROM l CROSS JOIN r\nGROUP BY l.a")
    out.add("cross_comma_where", "SELECT sl.id AS id, tiny.tier AS tier, sl.k2 AS k2\nFROM sl, tiny\nWHERE sl.k2 * 50 >= tiny.low AND sl.k2 * 50 < tiny.high")
    out.add("cross_window", "SELECT tiny.tier AS tier, sl.id AS id, SUM(sl.id) OVER (PARTITION BY tiny.tier ORDER BY sl.id) AS running\nFROM sl CROSS JOIN tiny")
    out.add("cross_exists", "SELECT id AS id, c AS c\nFROM sl\nWHERE EXISTS (SELECT 1 FROM tiny WHERE high > 9000)")
    out.add("cross_not_exists", "SELECT id AS id, c AS c\nFROM sl\nWHERE NOT EXISTS (SELECT 1 FROM tiny WHERE high > 99999)")


def joins_followed(out: Queries) -> None:
    """Windows, DISTINCT, set operations and ordered limits over joins."""
    followed = ["eq_gt", "eq_k2_many", "no_key"]
    for condition in followed:
        left, right, extra = CONDITIONS[condition]
        on = both(f"{left} = {right}" if left else None, extra)
        for kind, join in OUTER.items():
            source = f"sl l {join} sr r ON {on.replace(*FEWER)}"
            out.add(
                f"{kind}_{condition}_window",
                "SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,\n"
                "    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running\n"
                f"FROM {source}",
            )
            big = f"l {join} r ON {on}"
            out.add(f"{kind}_{condition}_distinct", f"SELECT DISTINCT l.c AS c, r.s AS s\nFROM {big}")
            out.add(
                f"{kind}_{condition}_top",
                f"SELECT l.id AS id, r.d AS d, r.s AS s\nFROM {big}\nORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST\nLIMIT 40",
                notes=("ordered",),
            )
    sets = [("UNION ALL", "union_all"), ("UNION", "union"), ("EXCEPT", "except"), ("INTERSECT", "intersect")]
    pairs = [("inner", "left"), ("left", "full"), ("full", "right"), ("right", "inner")]
    for (word, name), (first, second) in zip(sets, pairs):
        for condition in ("eq_gt", "eq_sum"):
            left, right, extra = CONDITIONS[condition]
            # The second join is on another condition, so that neither set holds the other.
            out.add(
                f"{first}_{condition}_{name}_{second}",
                f"SELECT l.id AS id, r.d AS d FROM sl l {OUTER[first]} sr r ON {left} = {right} AND {extra}\n{word}\n"
                f"SELECT l.id AS id, r.d AS d FROM sl l {OUTER[second]} sr r ON l.id = r.k AND l.c >= r.a",
            )
    out.add(
        "union_all_of_joins_group",
        "SELECT grp AS grp, COUNT(*) AS n, SUM(d) AS total\nFROM (\n"
        "    SELECT l.c AS grp, r.d AS d FROM l LEFT JOIN r ON l.id = r.k AND l.a > r.a\n    UNION ALL\n"
        "    SELECT r.a AS grp, r.d AS d FROM l RIGHT JOIN r ON l.id = r.k AND l.c > r.a\n) both_joins\nGROUP BY grp",
    )


def joins_of_many(out: Queries) -> None:
    add = out.add
    for kind, join in OUTER.items():
        add(f"{kind}_three", f"SELECT l.id AS id, r.d AS d, r2.d AS d2\nFROM sl l {join} sr r ON l.id = r.k AND l.a > r.a {join} sr r2 ON r.a = r2.a AND l.c > r2.a AND r2.d > 200")
        add(
            f"{kind}_three_group",
            f"SELECT r2.s AS s, COUNT(*) AS n, COUNT(l.id) AS n_left, SUM(r.d) AS total, SUM(r2.d) AS total2\nFROM l {join} r ON l.id = r.k AND l.a <> r.a {join} r r2 ON l.k2 = r2.k AND l.c > r2.a\nGROUP BY r2.s",
        )
        add(f"{kind}_self", f"SELECT x.id AS id, y.id AS other\nFROM sl x {join} sl y ON x.k2 = y.id AND x.a < y.a")
        add(f"{kind}_self_group", f"SELECT x.c AS c, COUNT(*) AS n, SUM(y.id) AS total\nFROM l x {join} l y ON x.k2 = y.k2 AND x.id < y.id\nGROUP BY x.c")
        add(
            f"{kind}_after_aggregation",
            f"SELECT l.id AS id, g.n AS n, g.total AS total\nFROM sl l {join} (SELECT k, COUNT(*) AS n, SUM(d) AS total, MIN(a) AS least FROM sr GROUP BY k) g ON l.id = g.k AND l.a > g.least",
        )
        add(
            f"{kind}_of_ctes",
            f"WITH x AS (SELECT id, a + c AS v, s FROM sl WHERE a > 1), y AS (SELECT k, d, a * 2 AS w FROM sr WHERE d > 0)\nSELECT x.id AS id, x.s AS s, y.d AS d\nFROM x {join} y ON x.id = y.k AND x.v > y.w",
        )
        # DataFusion gives NULL for the column of both where only the right side has a row: see known_faults.sql.
        if kind in ("inner", "left"):
            add(f"{kind}_using", f"SELECT a AS a, COUNT(*) AS n, SUM(id) AS ids, SUM(d) AS total\nFROM l {join} r USING (a)\nGROUP BY a")
            add(f"{kind}_using_two", f"SELECT a AS a, s AS s, id AS id, d AS d\nFROM sl {join} sr USING (a, s)")
            add(f"{kind}_natural", f"SELECT id AS id, n AS n\nFROM sl NATURAL {join} (SELECT k AS id, COUNT(*) AS n FROM sr GROUP BY k) g")
        add(
            f"{kind}_then_filter",
            f"SELECT l.id AS id, r.d AS d\nFROM sl l {join} sr r ON l.id = r.k AND l.a > r.a\nWHERE l.c < 6 OR l.c IS NULL OR r.s = 'oak'",
        )
        add(f"{kind}_then_filter_isnull", f"SELECT l.id AS id, l.s AS s, r.d AS d\nFROM sl l {join} sr r ON l.id = r.k AND l.a + r.a > 7\nWHERE r.k IS NULL OR l.id IS NULL")
        add(
            f"{kind}_computed_columns",
            f"SELECT l.id * 2 AS twice, CASE WHEN r.d IS NULL THEN 'none' WHEN r.d > 300 THEN 'much' ELSE 'some' END AS size, COALESCE(r.s, l.s) AS word\nFROM sl l {join} sr r ON l.id = r.k AND l.a > r.a",
        )
        add(f"{kind}_count_only", f"SELECT COUNT(*) AS n\nFROM l {join} r ON l.id = r.k AND l.a > r.a")
        add(f"{kind}_constant_only", f"SELECT 1 AS one\nFROM sl l {join} sr r ON l.id = r.k AND l.a > r.a")
        add(f"{kind}_right_only", f"SELECT r.d AS d\nFROM sl l {join} sr r ON l.id = r.k AND l.a > r.a AND l.c > 2")
        add(f"{kind}_left_only", f"SELECT l.s AS s, l.id AS id\nFROM sl l {join} sr r ON l.id = r.k AND l.a > r.a AND r.f > 0")
        add(f"{kind}_reordered", f"SELECT r.s AS rs, l.k2 AS k2, r.d AS d, l.id AS id\nFROM sl l {join} sr r ON l.id = r.k AND r.a <= l.a AND l.s <> r.s")
    add(
        "mixed_three",
        "SELECT l.id AS id, r.d AS d, o.ts AS ts\nFROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a INNER JOIN ord o ON o.cid = l.k2 AND o.amt > 900",
    )
    add(
        "mixed_four_group",
        "SELECT t.tier AS tier, l.c AS c, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(o.price) AS total\nFROM l INNER JOIN ord o ON o.cid = l.id\n    LEFT JOIN tiny t ON o.amt >= t.low AND o.amt < t.high\n    LEFT JOIN r ON r.k = l.id AND l.a > r.a\nGROUP BY t.tier, l.c",
    )
    add(
        "mixed_four_outer",
        "SELECT l.id AS id, r.d AS d, g.n AS n, t.tier AS tier\nFROM sl l FULL JOIN sr r ON l.id = r.k AND l.a >= r.a\n    LEFT JOIN (SELECT cid, COUNT(*) AS n, MAX(amt) AS most FROM ord GROUP BY cid) g ON g.cid = l.id\n    LEFT JOIN tiny t ON g.most >= t.low AND g.most < t.high",
    )
    add(
        "semi_over_outer",
        "SELECT l.id AS id, r.d AS d\nFROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a\nWHERE EXISTS (SELECT 1 FROM ord o WHERE o.cid = l.k2 AND o.price > r.d)",
    )
    add(
        "anti_over_outer",
        "SELECT l.id AS id, r.d AS d\nFROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a\nWHERE NOT EXISTS (SELECT 1 FROM ord o WHERE o.cid = l.k2 AND o.price > r.d)",
    )
    add("outer_over_semi", "SELECT x.id AS id, r.d AS d\nFROM (SELECT * FROM sl WHERE k2 IN (SELECT k FROM sr WHERE a > 3)) x LEFT JOIN sr r ON x.id = r.k AND x.a > r.a")
    add(
        "aggregates_joined",
        "SELECT x.c AS c, x.n AS n, y.n AS m, y.total AS total\nFROM (SELECT c, COUNT(*) AS n FROM l GROUP BY c) x FULL JOIN (SELECT a + 2 AS c, COUNT(*) AS n, SUM(d) AS total FROM r GROUP BY a) y ON x.c = y.c AND x.n < y.n",
    )
    for word in ("EXISTS", "NOT EXISTS"):
        name = word.lower().replace(" ", "_")
        for sign, operator in {"gt": ">", "lt": "<", "ne": "<>"}.items():
            add(f"{name}_only_{sign}", f"SELECT l.id AS id\nFROM sl l\nWHERE {word} (SELECT 1 FROM sr r WHERE r.a {operator} l.a AND r.d > 700)")
        add(f"{name}_key_twice", f"SELECT l.id AS id, l.s AS s\nFROM sl l\nWHERE {word} (SELECT 1 FROM sr r WHERE r.k = l.id AND r.a > l.a)\n    AND EXISTS (SELECT 1 FROM sr r2 WHERE r2.k = l.k2)")
        add(f"{name}_of_join", f"SELECT l.id AS id\nFROM sl l\nWHERE {word} (SELECT 1 FROM sr r JOIN ord o ON r.k = o.cid AND o.price > r.d WHERE r.k = l.id AND r.a < l.c)")
    add("exists_or", "SELECT l.id AS id\nFROM sl l\nWHERE l.c > 7 OR EXISTS (SELECT 1 FROM sr r WHERE r.k = l.id AND r.a > l.a)")
    add("in_two_columns_by_join", "SELECT DISTINCT l.id AS id, l.a AS a\nFROM l INNER JOIN r ON l.id = r.k AND l.a = r.a")
    # Keys of two types: an INTEGER beside a BIGINT, a DECIMAL beside a BIGINT.
    add("inner_mixed_types", "SELECT l.id AS id, r.d AS d\nFROM sl l INNER JOIN sr r ON l.a = r.k AND l.c > r.a")
    add("left_mixed_types", "SELECT l.id AS id, r.d AS d\nFROM sl l LEFT JOIN sr r ON l.id = CAST(ROUND(r.d) AS BIGINT) - 100 OR l.id = r.k")
    add("inner_on_date", "SELECT x.day AS day, COUNT(*) AS n, SUM(x.price) AS total\nFROM ord x INNER JOIN ord y ON x.day = y.day AND x.ts < y.ts\nWHERE x.day < DATE '2025-02-01'\nGROUP BY x.day")
    add("left_on_month", "SELECT m.month AS month, COUNT(o.ts) AS n, SUM(o.price) AS total\nFROM (SELECT DISTINCT CAST(date_trunc('month', ts) AS DATE) AS month FROM ord) m LEFT JOIN ord o ON CAST(date_trunc('month', o.day) AS DATE) = m.month AND o.amt > 600\nGROUP BY m.month")
    add("left_true", "SELECT l.id AS id, t.tier AS tier\nFROM sl l LEFT JOIN tiny t ON TRUE")
    add("left_false", "SELECT l.id AS id, t.tier AS tier\nFROM sl l LEFT JOIN tiny t ON FALSE")
    add("full_false", "SELECT l.id AS id, t.tier AS tier\nFROM sl l FULL JOIN tiny t ON l.id = -1")
    add("left_empty", "SELECT l.id AS id, r.d AS d\nFROM sl l LEFT JOIN (SELECT * FROM sr WHERE a > 100) r ON l.id = r.k AND l.a > r.a")
    add("right_empty", "SELECT l.id AS id, r.d AS d\nFROM (SELECT * FROM sl WHERE a > 100) l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a")
    add("full_empty", "SELECT l.id AS id, r.d AS d\nFROM (SELECT * FROM sl WHERE a > 100) l FULL JOIN sr r ON l.id = r.k AND l.a > r.a")
    add("not_in_empty", "SELECT id AS id\nFROM sl\nWHERE k2 NOT IN (SELECT k FROM sr WHERE a > 100)")
    add("left_not_distinct", "SELECT l.id AS id, r.d AS d\nFROM sl l LEFT JOIN sr r ON (l.s IS NOT DISTINCT FROM r.s) AND l.a > r.a AND l.c > r.a")
    add("inner_not_distinct_double", "SELECT l.id AS id, r.d AS d\nFROM sl l INNER JOIN sr r ON (l.f IS NOT DISTINCT FROM r.f) AND l.c > r.a")
    # What the extraction of a job looks like: customers, their orders, and the tier of what they spent.
    add(
        "customers_features",
        "SELECT l.id AS customer_id, COUNT(o.ts) AS frequency, SUM(o.price) AS monetary, MAX(o.day) AS last_day, COUNT(DISTINCT o.day) AS days\nFROM l LEFT JOIN ord o ON o.cid = l.id AND o.price > 0 AND o.day < DATE '2025-07-01'\nWHERE l.id < 80\nGROUP BY l.id",
    )
    add(
        "customers_with_tier",
        "WITH spent AS (SELECT cid, SUM(amt) AS total FROM ord WHERE amt > 0 GROUP BY cid)\nSELECT spent.cid AS cid, tiny.tier AS tier\nFROM spent LEFT JOIN tiny ON spent.total / 8 >= tiny.low AND spent.total / 8 < tiny.high",
    )


def joins_sql() -> str:
    out = Queries()
    join_matrix(out)
    joins_with_tiers(out)
    joins_followed(out)
    joins_of_many(out)
    head = "-- Joins: every kind by every kind of condition, and what may follow them. Made by make_answers.py: change it there.\n\n"
    return head + "\n\n".join(out.blocks) + "\n"


# --------------------------------------------------------------------------------------------- what statistics may mislead

PREDICATES = {
    "above_half": "{b} > 0.5",
    "at_least_one": "{b} >= 1",
    "one": "{b} = 1",
    "not_one": "{b} <> 1",
    "below_one": "{b} < 1",
    "not_below_one": "NOT ({b} < 1)",
    "above_all": "{b} > 1000",
    "null": "{b} IS NULL",
    "not_null": "{b} IS NOT NULL",
    "nan": "isnan({b})",
    "not_nan": "NOT isnan({b})",
    "equals_nan": "{b} = CAST('NaN' AS DOUBLE)",
    "in": "{b} IN (1, 3, 50)",
    "not_in": "{b} NOT IN (0, 1)",
    "between": "{b} BETWEEN 0.5 AND 2",
    "computed": "{b} + 1 > 1.5",
    "and_id": "{b} > 0.5 AND id >= 10",
}
# The predicates that are tried with the 32-bit column too.
OF_FLOATS = ("above_half", "not_one")


def statistics_sql() -> str:
    out = Queries()
    tables = [
        "nan_one", "nan_one_groups", "nan_one_bare", "nan_one_duckdb", "nan_groups", "nan_groups_duckdb", "nan_files",
        "one_value", "all_null", "all_nan", "inf",
    ]  # fmt: skip
    for table in tables:
        # The file with row groups of 2048 rows is not listed in full.
        large = table == "nan_groups_duckdb"
        if not large:
            out.add(f"{table}_all", f"SELECT id AS id, b AS b, g AS g\nFROM {table}")
        for name, predicate in PREDICATES.items():
            for column in ["b", "g"] if name in OF_FLOATS else ["b"]:
                where = predicate.format(b=column)
                suffix = name if column == "b" else f"{name}_float"
                out.add(f"{table}_{suffix}_count", f"SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id\nFROM {table}\nWHERE {where}")
                if not large and name in ("above_half", "not_one"):
                    out.add(f"{table}_{suffix}_rows", f"SELECT id AS id, {column} AS {column}\nFROM {table}\nWHERE {where}")
        # A MIN or MAX of both zeros may be either of them.
        out.add(
            f"{table}_aggregates",
            "SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,\n"
            f"    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total\nFROM {table}",
        )
        out.add(f"{table}_min", f"SELECT MIN(b) + 0.0 AS least\nFROM {table}")
        out.add(f"{table}_max", f"SELECT MAX(b) + 0.0 AS greatest\nFROM {table}")
        out.add(f"{table}_count", f"SELECT COUNT(*) AS n\nFROM {table}")
        out.add(f"{table}_count_known", f"SELECT COUNT(b) AS n\nFROM {table}")
        out.add(f"{table}_max_grouped", f"SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n\nFROM {table}\nGROUP BY id % 3")
        out.add(f"{table}_max_filtered", f"SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n\nFROM {table}\nWHERE b >= 0")
        out.add(f"{table}_grouped", f"SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids\nFROM {table}\nGROUP BY b + 0.0")
        out.add(f"{table}_distinct_count", f"SELECT COUNT(DISTINCT b + 0.0) AS n\nFROM {table}")
        for direction in ("ASC", "DESC"):
            out.add(
                f"{table}_top_{direction.lower()}",
                f"SELECT id AS id, b + 0.0 AS b\nFROM {table}\nORDER BY b + 0.0 {direction} NULLS LAST, id\nLIMIT 12",
                notes=("ordered",),
            )
            out.add(
                f"{table}_top_{direction.lower()}_plain",
                f"SELECT b AS b\nFROM {table}\nWHERE b <> 0\nORDER BY b {direction} NULLS LAST\nLIMIT 12",
                notes=("ordered",),
            )
        out.add(f"{table}_joined", f"SELECT x.id AS id, y.id AS other\nFROM {table} x INNER JOIN {table} y ON x.b = y.b AND y.id = x.id + 10\nWHERE x.id >= {2060 if large else 0}")
        out.add(f"{table}_joined_constant", f"SELECT COUNT(*) AS n, SUM(x.id) AS ids\nFROM {table} x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b")
    head = (
        "-- NaN, infinities and NULL beside the statistics of Parquet files, which leave NaN out of the least and the greatest value.\n"
        "-- NaN equals NaN and is greater than all else. Made by make_answers.py: change it there.\n\n"
    )
    return head + "\n\n".join(out.blocks) + "\n"


# ---------------------------------------------------------------------------------------------------- queries and answers


class Query:
    def __init__(self, name: str, block: str, origin: str) -> None:
        self.name = name
        self.ordered = re.search(r"^-- ordered$", block, re.M) is not None
        code, duck, in_duck = [], [], False
        for line in block.splitlines():
            if line.startswith("-- duckdb: "):
                duck.append(line.removeprefix("-- duckdb: "))
                in_duck = True
            elif in_duck and line.startswith("--   "):
                duck.append(line.removeprefix("--   "))
            else:
                in_duck = False
                if not line.startswith("--"):
                    code.append(line)
        self.sql = "\n".join(code).strip()
        self.for_duckdb = "\n".join(duck) or self.sql
        assert self.sql and ";" not in self.sql, f"{origin}: {name}"


def read_queries(path: pathlib.Path) -> list[Query]:
    blocks = re.split(r"^-- name: (\w+)$", path.read_text(), flags=re.M)
    return [Query(name, block, path.name) for name, block in zip(blocks[1::2], blocks[2::2])]


def digits(value: decimal.Decimal) -> str:
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def cell(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value if abs(value) <= EXACT_INTEGERS else str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, decimal.Decimal):
        return digits(value)
    if isinstance(value, datetime.datetime):
        text = value.isoformat()
        return text.rstrip("0") if "." in text else text
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, list):
        return [cell(item) for item in value]
    raise TypeError(f"{type(value)} has no form in the answers")


def as_json(value) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def answer(db: duckdb.DuckDBPyConnection, query: Query) -> tuple[list[str], list[list]]:
    result = db.execute(query.for_duckdb)
    columns = [column[0] for column in result.description]
    assert len(set(columns)) == len(columns), f"{query.name}: {columns}"
    rows = [[cell(value) for value in row] for row in result.fetchall()]
    if not query.ordered:
        rows.sort(key=as_json)
    return columns, rows


def write_answers(path: pathlib.Path, answers: dict[str, tuple[list[str], list[list]]]) -> None:
    """JSON, with one row a line for readable differences."""
    parts = []
    for name, (columns, rows) in answers.items():
        lines = ",\n".join(as_json(row) for row in rows)
        parts.append(f'{as_json(name)}: {{"columns": {as_json(columns)}, "rows": [\n{lines}\n]}}')
    text = f'{{"versions": {as_json(VERSIONS)},\n"answers": {{\n' + ",\n".join(parts) + "\n}}\n"
    json.loads(text)
    path.write_text(text)


def load(db: duckdb.DuckDBPyConnection) -> None:
    """Reads the files by pyarrow, into tables of DuckDB's own: what the files' statistics say must not matter to the answers."""
    for folder in sorted([*TABLES.iterdir(), *(path for path in TPCH.iterdir() if path.is_dir())]):
        files = sorted(folder.glob("part-*.parquet"))
        rows = pa.concat_tables([pq.read_table(file).cast(pq.read_schema(files[0])) for file in files])
        db.register("rows", rows)
        db.execute(f'CREATE TABLE "{folder.name}" AS SELECT * FROM rows')
        db.unregister("rows")


def main() -> None:
    if "--answers-only" not in sys.argv[1:]:
        shutil.rmtree(TABLES, ignore_errors=True)
        make_tables()
        make_tpch()
    (HERE / "joins.sql").write_text(joins_sql())
    (HERE / "statistics.sql").write_text(statistics_sql())
    ANSWERS.mkdir(exist_ok=True)
    for stale in ANSWERS.glob("*.json"):
        stale.unlink()

    db = duckdb.connect()
    db.execute("SET threads = 1")
    load(db)
    themes = {path.stem: read_queries(path) for path in sorted(HERE.glob("*.sql"))}
    themes["tpch"] = [query for path in sorted(TPCH.glob("q*.sql")) for query in read_queries(path)]
    seen: set[str] = set()
    failed = 0
    for theme, queries in themes.items():
        answers = {}
        for query in queries:
            assert query.name not in seen, f"{query.name} is there twice"
            seen.add(query.name)
            try:
                answers[query.name] = answer(db, query)
            except (duckdb.Error, TypeError) as error:
                failed += 1
                print(f"{theme}: {query.name}: {error}", file=sys.stderr)
        path = ANSWERS / f"{theme}.json"
        write_answers(path, answers)
        empty = [name for name, (_, rows) in answers.items() if not rows]
        most = max((len(rows) for _, rows in answers.values()), default=0)
        print(f"{theme}: {len(answers)} queries, at most {most} rows, {path.stat().st_size:,} bytes; without a row: {', '.join(empty) or 'none'}")

    readme = HERE / "README.md"
    versions = ", ".join(f"{name} {version}" for name, version in VERSIONS.items())
    if readme.exists():
        readme.write_text(re.sub(r"(?<=^Made with ).*(?=\.$)", versions, readme.read_text(), flags=re.M))
    print(versions)
    if failed:
        sys.exit(f"{failed} queries failed")


if __name__ == "__main__":
    main()
