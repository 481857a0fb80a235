"""Random queries that DuckDB and DataFusion define alike.

Where they differ, the queries steer round: they divide doubles alone, compare with literals of the column's own kind, say where nulls go
in an order, and order totally.
"""

import dataclasses

import numpy as np

from tables import GENTLE, Column, Table


@dataclasses.dataclass
class Feature:
    """`scale` is an expression for what the rounding of `sql` is relative to; `mode` how close they have to be: `exact`, `sum` or `average`
    (of decimals, which DataFusion keeps to four digits more)."""

    sql: str
    mode: str = "exact"
    scale: str | None = None
    duckdb: str | None = None  # where it has another name there


@dataclasses.dataclass
class Query:
    text: str
    features: list[Feature]
    reference: str  # the same query, with the scales as further columns


class Maker:
    def __init__(self, rng: np.random.Generator):
        self.rng = rng

    def one(self, items):
        return items[int(self.rng.integers(len(items)))]

    def chance(self, p: float) -> bool:
        return bool(self.rng.random() < p)

    # -- literals and predicates ---------------------------------------------------------------------------------------------------

    def literal(self, column: Column) -> str:
        known = column.known()
        if column.kind == "date":
            return f"DATE '{self.one(known) if known else '1995-01-01'}'"
        if column.kind == "text":
            return "'" + (self.one(known) if known else "a") + "'"
        value = self.one(known) if known and self.chance(0.85) else None
        if column.kind in ("int32", "int64"):
            return str((value if value is not None else 3) + self.one([0, 0, 0, 1, -1]))
        if column.kind == "decimal":
            return f"{value}" if value is not None and "E" not in str(value) else "1"
        value = 0.5 if value is None else value
        if column.kind == "double" and self.chance(0.2):
            value = value / 2
        # With an exponent it is a double in both dialects.
        return f"{float(value) + 0.0:.17e}"

    def predicate(self, columns: list[tuple[str, Column]], depth: int = 0) -> str:
        if depth < 2 and self.chance(0.3):
            parts = [self.predicate(columns, depth + 1) for _ in range(int(self.rng.integers(2, 4)))]
            return "(" + self.one([" AND ", " OR "]).join(parts) + ")"
        if depth < 2 and self.chance(0.1):
            return f"NOT ({self.predicate(columns, depth + 1)})"
        alias, column = self.one(columns)
        name = f"{alias}.{column.name}"
        form = self.rng.random()
        if form < 0.12:
            return f"{name} IS {self.one(['', 'NOT '])}NULL"
        if column.kind == "bool":
            return self.one([name, f"NOT {name}", f"{name} IS TRUE", f"{name} IS NOT TRUE"])
        if column.kind == "text" and form < 0.35:
            return f"{name} {self.one(['LIKE', 'NOT LIKE'])} '{self.one(['a%', '%b', '%', 'a_', ''])}'"
        if form < 0.27:
            return f"{name} BETWEEN {self.literal(column)} AND {self.literal(column)}"
        if form < 0.42:
            listed = ", ".join(self.literal(column) for _ in range(int(self.rng.integers(1, 5))))
            return f"{name} {self.one(['IN', 'IN', 'NOT IN'])} ({listed})"
        peers = [(a, c) for a, c in columns if c.kind == column.kind and (a, c.name) != (alias, column.name)]
        if peers and form < 0.55:
            other, peer = self.one(peers)
            return f"{name} {self.one(['=', '<>', '<', '<=', '>'])} {other}.{peer.name}"
        if column.is_number and form < 0.65 and column.kind != "decimal":
            # Computed from the column: no statistics say anything about it at once.
            changed = f"CAST({name} AS DOUBLE) + 1e0"
            return f"{changed} {self.one(['<', '>=', '>'])} {float(self.one(column.known() or [1])) + 1.25:.17e}"
        if column.kind in ("int32", "int64") and form < 0.72:
            return f"{name} % 3 = {self.one([0, 1, 2])}"
        return f"{name} {self.one(['=', '<>', '<', '<=', '>', '>='])} {self.literal(column)}"

    # -- features ------------------------------------------------------------------------------------------------------------------

    def value(self, columns: list[tuple[str, Column]]) -> Feature:
        """Of one row."""
        alias, column = self.one([(a, c) for a, c in columns if c.kind != "text"])
        name = f"{alias}.{column.name}"
        if column.kind == "date":
            return Feature(f"DATE '2001-05-01' - {name}")
        if column.kind == "bool":
            return Feature(f"CASE WHEN {name} THEN 1 ELSE 0 END")
        form = self.rng.random()
        if form < 0.5:
            return Feature(name)
        if form < 0.65:
            return Feature(f"CASE WHEN {self.predicate(columns)} THEN {name} END")
        if form < 0.75:
            return Feature(f"COALESCE(CAST({name} AS DOUBLE), -1e0)")
        if form < 0.85:
            return Feature(f"ABS(CAST({name} AS DOUBLE))")
        others = [(a, c) for a, c in columns if c.is_number]
        other, peer = self.one(others)
        sql = f"CAST({name} AS DOUBLE) {self.one(['+', '-'])} CAST({other}.{peer.name} AS DOUBLE)"
        return Feature(sql, "sum", f"ABS(CAST({name} AS DOUBLE)) + ABS(CAST({other}.{peer.name} AS DOUBLE))")

    def aggregate(self, columns: list[tuple[str, Column]]) -> Feature:
        where = f" FILTER (WHERE {self.predicate(columns)})" if self.chance(0.2) else ""
        alias, column = self.one(columns)
        name = f"{alias}.{column.name}"
        form = self.rng.random()
        if form < 0.1:
            return Feature(f"COUNT(*){where}")
        if form < 0.2:
            return Feature(f"COUNT({name}){where}")
        if form < 0.3:
            return Feature(f"COUNT(DISTINCT {name}){where}")
        if column.kind == "date":
            return Feature(f"DATE '2001-05-01' - {self.one(['MAX', 'MIN'])}({name})")
        if not column.is_number or form < 0.4:
            return Feature(f"SUM(CASE WHEN {self.predicate(columns)} THEN {self.one(['1', '2'])} ELSE 0 END){where}")
        if form < 0.55:
            return Feature(f"{self.one(['MIN', 'MAX'])}({name}){where}")
        wide = f"CAST({name} AS DOUBLE)"
        if form < 0.7:
            if column.kind == "decimal":
                return Feature(f"AVG({name}){where}", "average")
            return Feature(f"AVG({name}){where}", "sum", f"AVG(ABS({wide})){where}")
        if form < 0.8:
            other, peer = self.one([(a, c) for a, c in columns if c.is_number])
            ratio = f"{wide} {self.one(['+', '-'])} CAST({other}.{peer.name} AS DOUBLE)"
            return Feature(f"SUM({ratio}){where}", "sum", f"SUM(ABS({wide}) + ABS(CAST({other}.{peer.name} AS DOUBLE))){where}")
        if column.kind == "int64" and column.spread == "near53":
            # A sum of BIGINT is a BIGINT in DataFusion.
            return Feature(f"SUM(CAST({name} AS DECIMAL(20, 0))){where}")
        if column.is_exact and form < 0.85:
            return Feature(f"SUM(CASE WHEN {self.predicate(columns)} THEN {name} END){where}")
        if column.is_exact:
            return Feature(f"SUM({name}){where}")
        if form < 0.88:
            chosen = f"CASE WHEN {self.predicate(columns)} THEN {wide} ELSE 0e0 END"
            return Feature(f"SUM({chosen}){where}", "sum", f"SUM(ABS({chosen})){where}")
        return Feature(f"SUM({name}){where}", "sum", f"SUM(ABS({wide})){where}")

    def ordered(self, table: Table) -> Feature:
        """An aggregate that depends on an order, or one of the whole table beside that of a group."""
        column = self.one([c for c in table.columns if c.is_number])
        name, form = f"a.{column.name}", self.rng.random()
        if form < 0.4:
            by = self.one([c for c in table.columns if c.kind not in ("bool", "float")]).name
            order = f"a.{by} {self.one(['ASC', 'DESC'])} NULLS {self.one(['FIRST', 'LAST'])}" + (", a.id" if by != "id" else "")
            which = self.one(["FIRST", "LAST"])
            return Feature(f"{which}_VALUE({name} ORDER BY {order})", duckdb=f"{which}({name} ORDER BY {order})")
        dates = [c for c in table.columns if c.kind == "date" or c.is_exact]
        if form < 0.7 and dates:
            whole = self.one(dates)
            return Feature(f"(SELECT MAX(q.{whole.name}) FROM {table.name} q) - {self.one(['MIN', 'MAX'])}(a.{whole.name})")
        gentle = [c for c in table.columns if c.is_number and c.spread in GENTLE and not np.isinf(c.array.drop_null().to_numpy(False).astype(float)).any()
                  and not np.isnan(c.array.drop_null().to_numpy(False).astype(float)).any()]
        if not gentle:
            return Feature("COUNT(*)")
        wide = f"CAST(a.{self.one(gentle).name} AS DOUBLE)"
        if form < 0.85:
            return Feature(f"MEDIAN({wide})", "sum", f"1e1 * MAX(ABS({wide}))")
        return Feature(f"STDDEV_POP({wide})", "sum", f"1e6 * MAX(ABS({wide}))")

    def having(self, columns: list[tuple[str, Column]]) -> str:
        """Over what depends on no order, so that it holds in both or in neither."""
        exact = [(a, c) for a, c in columns if c.is_exact and c.spread not in ("near53", "huge", "wide")]
        if exact and self.chance(0.5):
            alias, column = self.one(exact)
            return f"SUM({alias}.{column.name}) {self.one(['>', '<=', '<>'])} {self.literal(column)}"
        alias, column = self.one([(a, c) for a, c in columns if c.kind not in ("bool",)])
        if self.chance(0.5):
            return f"{self.one(['MIN', 'MAX'])}({alias}.{column.name}) {self.one(['>', '<='])} {self.literal(column)}"
        return f"COUNT({alias}.{column.name}) {self.one(['>', '<', '>='])} {self.one([1, 2, 3])}"

    # -- joins ---------------------------------------------------------------------------------------------------------------------

    def on(self, left: list[tuple[str, Column]], right: list[tuple[str, Column]], wide: bool) -> str:
        """`wide` where the tables are small enough for every pair of rows."""
        same = [(a, c, b, d) for a, c in left for b, d in right if c.kind == d.kind and c.name != "id" and d.name != "id"
                and (c.kind != "decimal" or c.array.type == d.array.type) and c.kind not in ("float", "bool")]
        keys = [s for s in same if s[1].name == "k" and s[3].name == "k"]
        parts = []
        if not wide or self.chance(0.6):
            a, c, b, d = self.one(keys) if keys and self.chance(0.75) or not wide else self.one(same)
            parts.append(f"{a}.{c.name} = {b}.{d.name}")
        if self.chance(0.2) and same:
            a, c, b, d = self.one(same)
            parts.append(f"{a}.{c.name} = {b}.{d.name}")
        if self.chance(0.3):
            parts.append(self.predicate(left))
        if self.chance(0.3):
            parts.append(self.predicate(right))
        whole = lambda side: [(a, c) for a, c in side if c.kind in ("int32", "int64")]
        if self.chance(0.15) and whole(left) and whole(right):
            (a, c), (b, d) = self.one(whole(left)), self.one(whole(right))
            parts.append(self.one([
                f"{a}.{c.name} % 5 = {b}.{d.name} % 5",
                f"CAST({a}.{c.name} AS BIGINT) + 1 = CAST({b}.{d.name} AS BIGINT)",
                f"ABS(CAST({a}.{c.name} AS BIGINT) - CAST({b}.{d.name} AS BIGINT)) < 3",
            ]))
        if self.chance(0.2) and same:
            a, c, b, d = self.one(same)
            parts.append(f"{a}.{c.name} {self.one(['<', '<=', '>', '<>'])} {b}.{d.name}")
        if self.chance(0.07):
            parts.append(f"({self.predicate(left)} OR {self.predicate(right)})")
        self.rng.shuffle(parts)
        return " AND ".join(parts) or "TRUE"

    def scope(self, alias: str, table: Table) -> list[tuple[str, Column]]:
        return [(alias, c) for c in table.columns]

    def source(self, alias: str, table: Table) -> str:
        """The table, or a query over it that has the same columns."""
        if self.chance(0.75):
            return f"{table.name} {alias}"
        names = ", ".join(c.name for c in table.columns)
        form = self.rng.random()
        if form < 0.4:
            return f"(SELECT * FROM {table.name} s WHERE {self.predicate(self.scope('s', table))}) {alias}"
        if form < 0.6:
            limit, offset = int(self.rng.integers(1, table.rows + 1)), int(self.rng.integers(0, 3))
            by = self.one(table.columns).name
            order = f"{by} {self.one(['ASC', 'DESC'])} NULLS {self.one(['FIRST', 'LAST'])}, id"
            return f"(SELECT {names} FROM {table.name} ORDER BY {order} LIMIT {limit} OFFSET {offset}) {alias}"
        if form < 0.8:
            return f"(SELECT DISTINCT {names} FROM {table.name}) {alias}"
        first, second = self.predicate(self.scope("s", table)), self.predicate(self.scope("s", table))
        return (f"(SELECT {names} FROM {table.name} s WHERE {first} UNION ALL SELECT {names} FROM {table.name} s "
                f"WHERE ({first}) IS NOT TRUE AND ({second})) {alias}")

    def condition(self, scope, tables: list[Table]) -> str:
        """A predicate, or one with a subquery."""
        if self.chance(0.7):
            return self.predicate(scope)
        table = self.one(tables)
        inner = self.scope("q", table)
        alias, column = self.one([(a, c) for a, c in scope if c.kind in ("int32", "int64", "date", "text")])
        peers = [c for _, c in inner if c.kind == column.kind]
        form = self.rng.random()
        if form < 0.35 and peers:
            peer = self.one(peers).name
            no = self.one(["", "", "NOT "])
            known = f" AND q.{peer} IS NOT NULL" if no and self.chance(0.6) else ""
            return f"{alias}.{column.name} {no}IN (SELECT q.{peer} FROM {table.name} q WHERE {self.predicate(inner)}{known})"
        if form < 0.7:
            extra = f" AND {self.predicate(inner)}" if self.chance(0.5) else ""
            return f"{self.one(['', 'NOT '])}EXISTS (SELECT 1 FROM {table.name} q WHERE q.k = {scope[0][0]}.k{extra})"
        numbers = [c for c in table.columns if c.is_exact]
        chosen = self.one(numbers)
        bound = f"SELECT {self.one(['MIN', 'MAX'])}(CAST(q.{chosen.name} AS DOUBLE)) FROM {table.name} q"
        correlated = f" WHERE q.k = {scope[0][0]}.k" if self.chance(0.4) else ""
        own = [(a, c) for a, c in scope if c.is_exact]
        a, c = self.one(own)
        return f"CAST({a}.{c.name} AS DOUBLE) {self.one(['<', '>=', '='])} ({bound}{correlated})"

    # -- whole queries -------------------------------------------------------------------------------------------------------------

    def query(self, tables: list[Table]) -> Query:
        shapes = [self.scan, self.group, self.window, self.union]
        weights = [2, 3, 1.5, 1]
        if len(tables) > 1:
            shapes, weights = [self.join_group, self.join_group, self.scan, self.group, self.join_scan, self.window], [4, 2, 1, 1, 2, 0.5]
        shape = shapes[int(self.rng.choice(len(shapes), p=np.array(weights) / sum(weights)))]
        return shape(tables)

    def finish(self, features: list[Feature], build) -> Query:
        """`build` puts a select list into the query."""
        plain = [f"{f.sql} AS f{i}" for i, f in enumerate(features)]
        theirs = [f"{f.duckdb or f.sql} AS f{i}" for i, f in enumerate(features)]
        scales = [f"{f.scale or 'NULL'} AS scale{i}" for i, f in enumerate(features)]
        return Query(build(plain), features, build(theirs + scales))

    def some(self, make, scope) -> list[Feature]:
        return [make(scope) for _ in range(int(self.rng.integers(1, 7)))]

    def scan(self, tables: list[Table]) -> Query:
        table = tables[0]
        scope = self.scope("a", table)
        where = f" WHERE {self.condition(scope, tables)}" if self.chance(0.8) else ""
        source = self.source("a", table)
        return self.finish(self.some(self.value, scope), lambda s: f"SELECT a.id AS id, {', '.join(s)} FROM {source}{where}")

    def group(self, tables: list[Table]) -> Query:
        table = tables[0]
        scope = self.scope("a", table)
        where = " WHERE a.k IS NOT NULL" + (f" AND {self.condition(scope, tables)}" if self.chance(0.6) else "")
        having = f" HAVING {self.having(scope)}" if self.chance(0.3) else ""
        source = self.source("a", table)
        features = self.some(self.aggregate, scope)
        if self.chance(0.4):
            features.append(self.ordered(table))
        return self.finish(
            features, lambda s: f"SELECT a.k AS id, {', '.join(s)} FROM {source}{where} GROUP BY a.k{having}"
        )

    def joined(self, tables: list[Table]):
        """What is joined, the columns in scope, and the names whose rows may be absent."""
        small = all(t.rows <= 150 for t in tables)
        sources = [f"{self.source('a', tables[0])}"]
        scope = self.scope("a", tables[0])
        kinds = []
        for alias, table in zip("bc", tables[1:]):
            kind = self.one(["JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
            own = self.scope(alias, table)
            sources.append(f"{kind} {self.source(alias, table)} ON {self.on(scope, own, small)}")
            scope = scope + own
            kinds.append(kind)
        return " ".join(sources), scope, kinds

    def join_group(self, tables: list[Table]) -> Query:
        source, scope, _ = self.joined(tables)
        column = self.one(["id", "k"])
        keys = ", ".join(f"{alias}.{column}" for alias, _ in zip("abc", tables))
        key = self.one([f"COALESCE({keys}, -77)", f"COALESCE(a.{column}, -77)"])
        where = f" WHERE {self.condition(scope, tables)}" if self.chance(0.4) else ""
        having = f" HAVING {self.having(scope)}" if self.chance(0.2) else ""
        return self.finish(
            self.some(self.aggregate, scope), lambda s: f"SELECT {key} AS id, {', '.join(s)} FROM {source}{where} GROUP BY {key}{having}"
        )

    def join_scan(self, tables: list[Table]) -> Query:
        """A row a customer, beside sums over the second table."""
        first, second = tables[0], tables[1]
        outer, inner = self.scope("a", first), self.scope("b", second)
        features = self.some(self.aggregate, inner)
        where = f" WHERE {self.condition(inner, tables)}" if self.chance(0.5) else ""
        kind = self.one(["JOIN", "LEFT JOIN", "LEFT JOIN"])
        on = "g.gk = a.k" + (f" AND {self.predicate(outer)}" if self.chance(0.4) else "")
        outside = f" WHERE {self.condition(outer, tables)}" if self.chance(0.4) else ""

        def build(select: list[str]) -> str:
            names = ", ".join("g." + s.rsplit(" AS ", 1)[1] for s in select)
            grouped = f"SELECT b.k AS gk, {', '.join(select)} FROM {second.name} b{where} GROUP BY b.k"
            if with_first:
                return f"WITH g AS ({grouped}) SELECT a.id AS id, {names} FROM {first.name} a {kind} g ON {on}{outside}"
            return f"SELECT a.id AS id, {names} FROM {first.name} a {kind} ({grouped}) g ON {on}{outside}"

        with_first = self.chance(0.5)
        return self.finish(features, build)

    def window(self, tables: list[Table]) -> Query:
        table = tables[0]
        scope = self.scope("a", table)
        exact = [c for _, c in scope if c.is_exact and c.spread != "near53"]
        features = []
        sorts = [c for _, c in scope if c.kind != "bool"]
        # Windows over one order, to and fro, share a sort.
        shared = self.one(sorts).name if self.chance(0.5) else None
        for _ in range(int(self.rng.integers(1, 5))):
            part = self.one(["", "PARTITION BY a.k ", f"PARTITION BY a.{self.one([c for _, c in scope if c.kind != 'float']).name} "])
            way = self.one(["ASC NULLS FIRST", "DESC NULLS LAST", "ASC NULLS LAST", "DESC NULLS FIRST"])
            tie = "DESC" if "DESC" in way and self.chance(0.5) else "ASC"
            order = f"ORDER BY a.{shared or self.one(sorts).name} {way}, a.id {tie}"
            column = self.one(exact).name
            frame = self.one(["", " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW", " ROWS BETWEEN 1 PRECEDING AND 3 FOLLOWING",
                              " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"])
            number = self.one([c for _, c in scope if c.is_number]).name
            nulls = self.one(["", "", " IGNORE NULLS"])
            features.append(self.one([
                Feature(f"{self.one(['ROW_NUMBER()', 'RANK()', 'DENSE_RANK()', 'NTILE(3)'])} OVER ({part}{order})"),
                Feature(f"{self.one(['PERCENT_RANK()', 'CUME_DIST()'])} OVER ({part}{order})", "sum", "1e0"),
                Feature(f"SUM(a.{column}) OVER ({part}{order}{frame})"),
                Feature(f"COUNT(a.{number}) OVER ({part}{order}{frame})"),
                Feature(f"{self.one(['MIN', 'MAX'])}(a.{column}) OVER ({part}{order}{frame})"),
                Feature(f"{self.one(['LAG', 'LEAD'])}(a.{number}, {self.one([1, 2])}{nulls}) OVER ({part}{order})"),
                Feature(f"{self.one(['FIRST_VALUE', 'LAST_VALUE'])}(a.{number}{nulls}) OVER ({part}{order}{frame})"),
                Feature(f"NTH_VALUE(a.{number}, 2) OVER ({part}{order}{frame})"),
                Feature(f"COUNT(*) OVER ({part.strip()})"),
            ]))
        where = f" WHERE {self.condition(scope, tables)}" if self.chance(0.4) else ""
        only = self.one(["", "", " WHERE w.f0 IS NOT NULL", " WHERE w.f0 <= 3"])
        source = self.source("a", table)

        def build(select: list[str]) -> str:
            inner = f"SELECT a.id AS id, {', '.join(select)} FROM {source}{where}"
            return f"SELECT * FROM ({inner}) w{only}" if only else inner

        return self.finish(features, build)

    def union(self, tables: list[Table]) -> Query:
        table = tables[0]
        scope = self.scope("a", table)
        numbers = [c for _, c in scope if c.is_number]
        chosen = [self.one(numbers) for _ in range(2)]
        pieces = []
        for _ in range(int(self.rng.integers(2, 4))):
            columns = ", ".join(f"CAST(a.{c.name} AS DOUBLE) AS v{i}" for i, c in enumerate(chosen))
            pieces.append(f"SELECT {self.one(['a.id', 'a.k'])} AS u, {columns} FROM {table.name} a WHERE {self.condition(scope, tables)}")
        source = f" {self.one(['UNION ALL', 'UNION ALL', 'UNION', 'EXCEPT', 'INTERSECT'])} ".join(pieces)
        features = []
        for i in range(2):
            features += [Feature(f"SUM(v{i})", "sum", f"SUM(ABS(v{i}))"), Feature(f"MAX(v{i})"), Feature(f"COUNT(v{i})")]
        features.append(Feature("COUNT(*)"))
        return self.finish(features, lambda s: f"SELECT u AS id, {', '.join(s)} FROM ({source}) WHERE u IS NOT NULL GROUP BY u")
