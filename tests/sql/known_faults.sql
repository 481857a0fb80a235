-- Queries that DataFusion 55 refuses, or answers otherwise than the SQL standard and DuckDB do. The line `-- datafusion:` says how.
-- The answers are those of DuckDB: when an upgrade makes DataFusion give them, the query moves to another file.

-- name: fault_not_in_correlated_gt
-- datafusion: wrong: a NULL of any row's subquery is taken as one of every row's, and no row is left
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id NOT IN (SELECT r.k FROM sr r WHERE l.a > r.a)

-- name: fault_not_in_correlated_left_filter
-- datafusion: wrong: as before
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id NOT IN (SELECT r.k FROM sr r WHERE l.a > 4)

-- name: fault_not_in_correlated_group
-- datafusion: wrong: as before
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total
FROM l
WHERE l.s NOT IN (SELECT r.s FROM r WHERE l.c > r.a AND r.d > 790)
GROUP BY l.c

-- name: fault_not_in_correlated_null_key
-- datafusion: wrong: a row whose key is NULL is left out though its own subquery has no row
SELECT l.id AS id, l.k2 AS k2
FROM sl l
WHERE l.k2 NOT IN (SELECT r.k FROM sr r WHERE r.k IS NOT NULL AND l.a <> r.a AND l.c < 3 AND r.d > 10)

-- name: fault_not_in_correlated_equality
-- datafusion: refuses: null_aware anti join only supports single column join key
SELECT l.id AS id, l.k2 AS k2
FROM sl l
WHERE l.k2 NOT IN (SELECT r.k FROM sr r WHERE r.k IS NOT NULL AND l.a = r.a)

-- name: fault_right_natural
-- datafusion: wrong: the column of both is the left one's, which is NULL in rows of the right alone
SELECT id AS id, n AS n
FROM sl NATURAL RIGHT JOIN (SELECT k AS id, COUNT(*) AS n FROM sr GROUP BY k) g

-- name: fault_full_natural
-- datafusion: wrong: as before
SELECT id AS id, n AS n
FROM sl NATURAL FULL JOIN (SELECT k AS id, COUNT(*) AS n FROM sr GROUP BY k) g

-- name: fault_right_using
-- datafusion: wrong: as before
SELECT a AS a, s AS s, id AS id, d AS d
FROM sl RIGHT JOIN sr USING (a, s)

-- name: fault_full_using
-- datafusion: wrong: as before
SELECT a AS a, s AS s, id AS id, d AS d
FROM sl FULL JOIN sr USING (a, s)

-- name: fault_exists_as_column
-- datafusion: refuses: Physical plan does not support logical expression Exists
SELECT l.id AS id, EXISTS (SELECT 1 FROM sr r WHERE r.k = l.id AND r.a > l.a) AS found
FROM sl l

-- name: fault_in_as_column
-- datafusion: refuses: Physical plan does not support logical expression InSubquery
SELECT l.id AS id, CASE WHEN l.id IN (SELECT k FROM sr WHERE k IS NOT NULL) THEN 'yes' ELSE 'no' END AS found
FROM sl l

-- name: fault_correlated_in_aggregate
-- datafusion: refuses: Physical plan does not support logical expression ScalarSubquery
SELECT l.c AS c, SUM((SELECT COUNT(*) FROM sr r WHERE r.k = l.id)) AS n
FROM sl l
GROUP BY l.c

-- name: fault_except_all
-- datafusion: wrong: a row of the left is left out whenever the right has it, and not once for each time it does
SELECT a AS a FROM sl
EXCEPT ALL
SELECT a AS a FROM sr WHERE d > 500

-- name: fault_intersect_all
-- datafusion: wrong: a row of the left is kept whenever the right has it, and not once for each time it does
SELECT a AS a FROM sl
INTERSECT ALL
SELECT a AS a FROM sr WHERE d > 500

-- name: fault_is_not_distinct_from_and
-- datafusion: refuses: IS NOT DISTINCT FROM takes all after it, up to the end of the AND, for its right side
SELECT l.id AS id, r.d AS d
FROM sl l INNER JOIN sr r ON l.s IS NOT DISTINCT FROM r.s AND l.a > r.a AND l.c > r.a

-- name: fault_except_all_unique
-- datafusion: wrong where rows repeat: they are not counted; here none does
SELECT id AS id FROM sl
EXCEPT ALL
SELECT id AS id FROM sl WHERE a < 5

-- name: fault_intersect_all_unique
-- datafusion: wrong where rows repeat: they are not counted; here none does
SELECT id AS id, s AS s FROM sl WHERE c < 7
INTERSECT ALL
SELECT id AS id, s AS s FROM sl WHERE a < 5

-- name: fault_right_using_group
-- datafusion: wrong where only the right side has a row; here none does
SELECT a AS a, COUNT(*) AS n, SUM(id) AS ids, SUM(d) AS total
FROM l RIGHT JOIN r USING (a)
GROUP BY a


-- name: fault_full_using_group
-- datafusion: wrong where only the right side has a row; here none does
SELECT a AS a, COUNT(*) AS n, SUM(id) AS ids, SUM(d) AS total
FROM l FULL JOIN r USING (a)
GROUP BY a

-- name: fault_any_subquery
-- datafusion: wrong: the comparison is lost
SELECT id AS id, s AS s
FROM sl
WHERE id = ANY (SELECT k FROM sr WHERE a > 2)

-- name: fault_not_any_subquery
-- datafusion: wrong: as before
SELECT id AS id, s AS s
FROM sl
WHERE NOT (id = ANY (SELECT k FROM sr WHERE k IS NOT NULL))

-- name: fault_window_lag_ignore_nulls
-- datafusion: wrong on a cluster: IGNORE NULLS is lost on the way to a worker
-- duckdb: SELECT id AS id, LAG(k2 IGNORE NULLS) OVER (ORDER BY id) AS before
--   FROM sl
SELECT id AS id, LAG(k2) IGNORE NULLS OVER (ORDER BY id) AS before
FROM sl

-- name: fault_window_filter_clause
-- datafusion: wrong on a cluster: FILTER is lost on the way to a worker
SELECT id AS id, COUNT(*) FILTER (WHERE a > 4) OVER (PARTITION BY c ORDER BY id) AS n
FROM sl

-- name: fault_recursive_cte
-- datafusion: refuses: it runs within one process only
WITH RECURSIVE steps AS (SELECT 1 AS n, 1 AS doubled UNION ALL SELECT n + 1, doubled * 2 FROM steps WHERE n < 12)
SELECT n AS n, doubled AS doubled
FROM steps

-- name: fault_recursive_cte_over_table
-- datafusion: refuses: as before
WITH RECURSIVE chain AS (
    SELECT id, k2, 0 AS depth FROM l WHERE id < 10
    UNION ALL
    SELECT l.id, l.k2, chain.depth + 1 FROM chain INNER JOIN l ON l.id = chain.k2 WHERE chain.depth < 4
)
SELECT depth AS depth, COUNT(*) AS n, SUM(id) AS total
FROM chain
GROUP BY depth
