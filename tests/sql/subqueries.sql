-- Subqueries: scalar ones, correlated ones, EXISTS and IN, derived tables and CTEs.

-- name: scalar_uncorrelated
SELECT id AS id, a AS a
FROM sl
WHERE a > (SELECT AVG(a) FROM sl)

-- name: scalar_as_column
SELECT id AS id, (SELECT MAX(d) FROM sr) AS most, (SELECT COUNT(*) FROM ord) AS orders
FROM sl
WHERE id < 10

-- name: scalar_empty_is_null
SELECT id AS id, (SELECT MAX(d) FROM sr WHERE a > 100) AS most
FROM sl
WHERE id < 5

-- name: scalar_correlated_max
SELECT l.id AS id, (SELECT MAX(r.d) FROM sr r WHERE r.k = l.id) AS most
FROM sl l

-- name: scalar_correlated_count
SELECT l.id AS id, (SELECT COUNT(*) FROM sr r WHERE r.k = l.id) AS n
FROM sl l

-- name: scalar_correlated_count_of_column
SELECT l.id AS id, (SELECT COUNT(r.s) FROM sr r WHERE r.k = l.id AND r.d > 100) AS n
FROM sl l

-- name: scalar_correlated_sum_and_count
SELECT x.c AS c, SUM(x.n) AS n, SUM(x.total) AS total
FROM (
    SELECT l.c AS c, (SELECT COUNT(*) FROM sr r WHERE r.k = l.id) AS n, (SELECT SUM(r.d) FROM sr r WHERE r.k = l.id) AS total
    FROM sl l
) x
GROUP BY x.c

-- name: scalar_correlated_coalesce
SELECT l.id AS id, COALESCE((SELECT SUM(r.d) FROM sr r WHERE r.k = l.id), 0) AS total
FROM sl l

-- name: scalar_correlated_two_keys
SELECT l.id AS id, (SELECT MIN(r.d) FROM r WHERE r.k = l.k2 AND r.a = l.a) AS least
FROM l
WHERE l.id < 120

-- name: scalar_correlated_where
SELECT o.cid AS cid, o.ts AS ts, o.amt AS amt
FROM ord o
WHERE o.amt = (SELECT MAX(p.amt) FROM ord p WHERE p.cid = o.cid)

-- name: scalar_correlated_above_average
SELECT o.cid AS cid, COUNT(*) AS n, SUM(o.amt) AS total
FROM ord o
WHERE o.amt > (SELECT AVG(p.amt) FROM ord p WHERE p.cid = o.cid)
GROUP BY o.cid

-- name: scalar_correlated_count_zero
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE (SELECT COUNT(*) FROM sr r WHERE r.k = l.id) = 0

-- name: scalar_in_having
SELECT cid AS cid, COUNT(*) AS n
FROM ord
GROUP BY cid
HAVING COUNT(*) > (SELECT COUNT(*) / 60.0 FROM ord) + 3

-- name: scalar_in_case
SELECT id AS id, CASE WHEN a > (SELECT AVG(a) FROM sl) THEN 'above' ELSE 'below' END AS place
FROM sl

-- name: in_list
SELECT id AS id, s AS s
FROM sl
WHERE a IN (1, 3, 5, 99)

-- name: not_in_list_with_null
SELECT id AS id
FROM sl
WHERE a NOT IN (1, 3, NULL)

-- name: in_list_with_null
SELECT id AS id
FROM sl
WHERE a IN (1, 3, NULL)

-- name: not_in_list_nullable_column
SELECT id AS id, s AS s
FROM sl
WHERE s NOT IN ('oak', 'fir')

-- name: in_subquery_grouped
SELECT id AS id, c AS c
FROM sl
WHERE id IN (SELECT k FROM sr GROUP BY k HAVING COUNT(*) > 1)

-- name: in_subquery_distinct
SELECT c AS c, COUNT(*) AS n
FROM l
WHERE k2 IN (SELECT DISTINCT k FROM r WHERE d > 0)
GROUP BY c

-- name: in_subquery_limited
SELECT id AS id, s AS s
FROM l
WHERE id IN (SELECT k FROM r WHERE k IS NOT NULL ORDER BY d LIMIT 30)

-- name: in_subquery_union
SELECT id AS id
FROM sl
WHERE id IN (SELECT k FROM sr WHERE a = 1 UNION ALL SELECT cid FROM ord WHERE amt > 1000)

-- name: in_nested
SELECT id AS id
FROM sl
WHERE id IN (SELECT k FROM sr WHERE a IN (SELECT c FROM sl WHERE id < 5))

-- name: in_and_not_in
SELECT id AS id
FROM l
WHERE id IN (SELECT k FROM r WHERE a > 3) AND id NOT IN (SELECT k FROM r WHERE k IS NOT NULL AND d > 400)

-- name: in_or_in
SELECT id AS id
FROM sl
WHERE id IN (SELECT k FROM sr WHERE a > 6) OR k2 IN (SELECT k FROM sr WHERE a < 2)

-- name: exists_in_exists
SELECT l.id AS id
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE r.k = l.id AND EXISTS (SELECT 1 FROM ord o WHERE o.cid = r.k AND o.price > 500))

-- name: exists_with_aggregate_source
SELECT l.id AS id
FROM sl l
WHERE EXISTS (SELECT 1 FROM (SELECT cid, SUM(price) AS total FROM ord GROUP BY cid) o WHERE o.cid = l.id AND o.total > 5000)

-- name: not_exists_both_keys
SELECT o.cid AS cid, MAX(o.ts) AS last
FROM ord o
WHERE NOT EXISTS (SELECT 1 FROM ord p WHERE p.cid = o.cid AND p.amt > o.amt AND p.day < o.day)
GROUP BY o.cid

-- name: last_order_of_each
SELECT o.cid AS cid, o.ts AS ts, o.price AS price
FROM ord o
WHERE NOT EXISTS (SELECT 1 FROM ord p WHERE p.cid = o.cid AND p.ts > o.ts)

-- name: derived_tables
SELECT x.grp AS grp, x.n AS n, x.total AS total
FROM (SELECT y.grp, COUNT(*) AS n, SUM(y.v) AS total FROM (SELECT c AS grp, a * 2 + c AS v FROM l WHERE k2 IS NOT NULL) y GROUP BY y.grp) x
WHERE x.n > 20

-- name: cte_used_twice
WITH totals AS (SELECT cid, SUM(price) AS total FROM ord GROUP BY cid)
SELECT x.cid AS cid, x.total AS total, y.total AS next_total
FROM totals x INNER JOIN totals y ON x.cid + 1 = y.cid
WHERE x.total > y.total

-- name: cte_of_cte
WITH a AS (SELECT cid, COUNT(*) AS n FROM ord GROUP BY cid), b AS (SELECT n, COUNT(*) AS customers FROM a GROUP BY n)
SELECT n AS n, customers AS customers
FROM b

-- name: cte_above_its_average
WITH totals AS (SELECT cid, SUM(price) AS total FROM ord GROUP BY cid)
SELECT cid AS cid, total AS total
FROM totals
WHERE total > (SELECT AVG(total) FROM totals)

-- name: values_list
SELECT v.code AS code, v.label AS label, COUNT(l.id) AS n
FROM (VALUES (1, 'one'), (2, 'two'), (50, 'fifty')) AS v(code, label) LEFT JOIN l ON l.a = v.code
GROUP BY v.code, v.label

-- name: limit_in_subquery
SELECT c AS c, COUNT(*) AS n
FROM (SELECT id, c FROM l ORDER BY id DESC LIMIT 77) x
GROUP BY c

-- name: limit_offset
-- ordered
SELECT id AS id, a AS a
FROM l
ORDER BY id
LIMIT 20 OFFSET 95

-- name: order_by_many
-- ordered
SELECT a AS a, s AS s, id AS id
FROM l
ORDER BY a DESC NULLS LAST, s ASC NULLS FIRST, id
LIMIT 60

-- name: order_by_expression
-- ordered
SELECT id AS id, a + c AS v
FROM l
ORDER BY a + c DESC NULLS LAST, id
LIMIT 50

-- name: where_false
SELECT COUNT(*) AS n, SUM(id) AS total, MAX(s) AS word
FROM l
WHERE 1 = 0

-- name: scalar_beside_aggregate
SELECT cid AS id, (SELECT MAX(amt) FROM ord) - MAX(amt) AS below, (SELECT COUNT(*) FROM ord) - COUNT(*) AS others
FROM ord
WHERE amt IS NOT NULL
GROUP BY cid
