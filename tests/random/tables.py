"""Random columns and tables, and Parquet files of every shape that hold them."""

import dataclasses
import datetime
import decimal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

EPOCH = datetime.date(1970, 1, 1)
# How values are spread. `near53` are whole numbers that a double just holds or just does not.
SPREADS = (
    "normal", "uniform", "small_whole", "skewed", "constant", "two", "tiny", "huge", "offset", "near53", "wide", "mostly_zero", "duplicates",
)
# What a clustering can tell apart at all.
GENTLE = ("normal", "uniform", "small_whole", "skewed", "two", "mostly_zero", "duplicates")
ARROW = {
    "int32": pa.int32(), "int64": pa.int64(), "float": pa.float32(), "double": pa.float64(), "date": pa.date32(),
    "text": pa.string(), "bool": pa.bool_(),
}


@dataclasses.dataclass
class Column:
    name: str
    kind: str  # a key of ARROW, or "decimal"
    spread: str
    array: pa.Array
    scale: int = 0  # of a decimal

    @property
    def is_number(self) -> bool:
        return self.kind in ("int32", "int64", "float", "double", "decimal")

    @property
    def is_exact(self) -> bool:
        """Whether sums of it depend on no order."""
        return self.kind in ("int32", "int64", "decimal")

    def known(self) -> list:
        """Its distinct values that are finite."""
        values = {v for v in self.array.to_pylist() if v is not None}
        return sorted(v for v in values if not isinstance(v, float) or np.isfinite(v))

    def doubles(self) -> np.ndarray:
        """As a feature sees it: NaN where there is no finite value."""
        x = np.array([np.nan if v is None else float(v) for v in self.array.to_pylist()])
        return np.where(np.isfinite(x), x, np.nan)


@dataclasses.dataclass
class Table:
    name: str
    rows: int
    columns: list[Column]

    def arrow(self) -> pa.Table:
        return pa.table({c.name: c.array for c in self.columns})

    def __getitem__(self, name: str) -> Column:
        return next(c for c in self.columns if c.name == name)


def spread_values(rng: np.random.Generator, spread: str, n: int) -> np.ndarray:
    match spread:
        case "normal":
            x = rng.normal(rng.uniform(-50, 50), rng.uniform(0.1, 30), n)
        case "uniform":
            x = rng.uniform(0, 10 ** rng.integers(0, 5), n)
        case "small_whole":
            x = rng.integers(0, rng.integers(2, 40), n).astype(float)
        case "skewed":
            x = rng.lognormal(rng.uniform(0, 4), rng.uniform(0.5, 2.5), n)
        case "constant":
            x = np.full(n, rng.choice([0.0, 1.0, -3.5, 1e5, 7.25]))
        case "two":
            x = rng.choice(rng.choice([0.0, 1.0, -2.0, 100.0, 0.1, 5.5], 2, replace=False), n, p=[0.8, 0.2])
        case "tiny":
            x = rng.normal(0, 1, n) * 1e-300
        case "huge":
            x = rng.normal(0, 1, n) * 1e100
        case "offset":
            x = 1e5 + rng.uniform(-1, 1, n)
        case "near53":
            x = 2.0**53 + 2 * rng.integers(-6, 6, n)
        case "wide":
            x = 10.0 ** rng.uniform(-300, 100, n) * rng.choice([-1, 1], n)
        case "mostly_zero":
            x = np.where(rng.random(n) < 0.7, 0.0, rng.exponential(20, n))
        case "duplicates":
            x = rng.choice(rng.normal(0, 10, max(2, n // 20)).round(2), n)
    if rng.random() < 0.2 and spread in ("normal", "uniform", "skewed"):
        x = x.round(int(rng.integers(0, 3)))
    # Engines differ on whether 0 and -0 are equal, so there is but one zero.
    return x + 0.0


def number_column(rng: np.random.Generator, name: str, n: int, kind: str, spread: str, missing: float, odd: float) -> Column:
    """`missing` is the share of nulls, `odd` that of NaN and infinite cells, which only floats have."""
    x = spread_values(rng, spread, n)
    nulls = rng.random(n) < missing
    scale = 0
    if kind in ("float", "double"):
        strange = rng.random(n) < odd
        x = np.where(strange, rng.choice(rng.choice([np.nan, np.nan, np.inf, -np.inf], 2), n), x)
        if kind == "float":
            finite = np.isfinite(x)
            x = np.where(finite, np.clip(x, -1e30, 1e30), x).astype(np.float32) + np.float32(0)
            # Numbers below the least normal float are flushed by some processors' settings.
            x = np.where(np.abs(x) < 1e-30, np.float32(0), x).astype(np.float32)
        array = pa.array(x, mask=nulls, from_pandas=False)
    elif kind == "decimal":
        scale = int(rng.integers(0, 5))
        precision = int(rng.integers(max(9, scale + 1), 16))
        limit = 10 ** min(precision - scale - 1, 9)
        values = [None if null else decimal.Decimal(repr(float(v))).quantize(decimal.Decimal(1).scaleb(-scale))
                  for v, null in zip(np.clip(x, -limit, limit), nulls)]
        # A negative zero is a zero.
        array = pa.array([v if v is None else v + 0 for v in values], type=pa.decimal128(precision, scale))
    else:
        limit = 10**6 if kind == "int32" else 2**53 + 64
        whole = np.clip(np.nan_to_num(x), -limit, limit).round().astype(np.int64)
        if spread == "near53" and kind == "int64":
            whole += rng.integers(0, 2, n)
        array = pa.array(whole.astype(np.int32 if kind == "int32" else np.int64), mask=nulls)
    return Column(name, kind, spread, array, scale)


def other_column(rng: np.random.Generator, name: str, n: int, kind: str, missing: float) -> Column:
    nulls = rng.random(n) < missing
    if kind == "date":
        values = [EPOCH + datetime.timedelta(days=int(d)) for d in rng.integers(9000, 9000 + rng.integers(1, 4000), n)]
    elif kind == "text":
        words = ["", "a", "b", "ab", "abc", "B", "zz", "%", "x y"]
        values = [words[i] for i in rng.integers(0, rng.integers(1, len(words) + 1), n)]
    else:
        values = [bool(b) for b in rng.random(n) < rng.uniform(0, 1)]
    return Column(name, kind, kind, pa.array([None if null else v for v, null in zip(values, nulls)], type=ARROW[kind]))


def share(rng: np.random.Generator) -> float:
    return float(rng.choice([0.0, 0.0, 0.02, 0.2, 0.6]))


def query_table(rng: np.random.Generator, name: str, n: int, prefix: str) -> Table:
    """`id` is unique, `k` is a key that repeats, and the rest is anything."""
    ids = rng.permutation(n) + int(rng.choice([0, 1, 1000, -5]))
    keys = max(1, int(n * rng.choice([0.02, 0.1, 0.5, 1.0])))
    columns = [
        Column("id", "int64", "key", pa.array(ids.astype(np.int64))),
        Column("k", "int64", "key", pa.array(rng.integers(0, keys, n), mask=rng.random(n) < share(rng) / 4)),
    ]
    for i in range(int(rng.integers(1, 7))):
        own = f"{prefix}{i}"
        kind = str(rng.choice(["int32", "int64", "float", "double", "double", "decimal", "decimal", "date", "text", "bool"]))
        if kind in ("date", "text", "bool"):
            columns.append(other_column(rng, own, n, kind, share(rng)))
        else:
            spreads = SPREADS if kind != "decimal" else GENTLE
            odd = float(rng.choice([0.0, 0.0, 0.05, 0.4]))
            columns.append(number_column(rng, own, n, kind, str(rng.choice(spreads)), share(rng), odd))
    if not any(c.is_number for c in columns[2:]):
        columns.append(number_column(rng, f"{prefix}9", n, "double", "normal", 0.1, 0.0))
    return Table(name, n, columns)


def write(rng: np.random.Generator, table: pa.Table, folder, sorted_by: str | None = None) -> None:
    """In one to four files, by pyarrow or by DuckDB, with whatever settings."""
    folder.mkdir(parents=True)
    if sorted_by is not None:
        table = table.sort_by([(sorted_by, "ascending")])
    n = table.num_rows
    files = int(rng.integers(1, 5))
    cuts = np.sort(rng.integers(0, n + 1, files - 1))
    for i, (start, end) in enumerate(zip([0, *cuts], [*cuts, n])):
        piece, path = table.slice(start, end - start), folder / f"part-{i}.parquet"
        if rng.random() < 0.3:
            with duckdb.connect() as connection:
                connection.execute("SET threads = 1").fetchall()
                connection.register("piece", piece)
                compression = rng.choice(["snappy", "zstd", "uncompressed"])
                version = rng.choice(["V1", "V2"])
                connection.execute(
                    f"COPY (SELECT * FROM piece) TO '{path}' (FORMAT parquet, COMPRESSION {compression}, PARQUET_VERSION {version}, "
                    f"ROW_GROUP_SIZE {int(rng.choice([2048, 100000]))})"
                ).fetchall()
            continue
        dictionary = rng.choice(["all", "none", "some"])
        some = [name for name in table.column_names if rng.random() < 0.5]
        statistics = rng.choice(["all", "all", "none", "some"])
        pq.write_table(
            piece, path,
            row_group_size=int(rng.choice([1, 3, 10, 50, 200, 5000])) if len(piece) <= 300 else int(rng.choice([20, 100, 500, 5000])),
            use_dictionary={"all": True, "none": False, "some": some}[dictionary],
            write_statistics={"all": True, "none": False, "some": some}[statistics],
            write_page_index=bool(rng.random() < 0.5),
            data_page_size=int(rng.choice([64, 1024, 2**20])),
            dictionary_pagesize_limit=int(rng.choice([64, 2**20])),
            data_page_version=str(rng.choice(["1.0", "2.0"])),
            compression=str(rng.choice(["none", "snappy", "zstd"])),
            store_schema=bool(rng.random() < 0.7),
        )
