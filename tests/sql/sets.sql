-- UNION, INTERSECT and EXCEPT.

-- name: union_all_constant_row
SELECT cid AS id, COUNT(*) AS n
FROM (SELECT cid FROM ord UNION ALL SELECT 99) x
GROUP BY cid

-- name: union_all_constant_row_turned
SELECT cid AS id, COUNT(*) AS n
FROM (SELECT 99 AS cid UNION ALL SELECT cid FROM ord) x
GROUP BY cid

-- name: union_all_constant_rows
SELECT cid AS id, COUNT(*) AS n, SUM(amt) AS total
FROM (SELECT cid, amt FROM ord UNION ALL SELECT 99, 1.5 UNION ALL SELECT 7, 2.5 UNION ALL SELECT NULL, 3.5) x
GROUP BY cid

-- name: union_all_constant_count
SELECT COUNT(*) AS n, SUM(id) AS total
FROM (SELECT id FROM l UNION ALL SELECT 1000 UNION ALL SELECT 2000) x

-- name: union_all_constants_only
SELECT 1 AS id, 'one' AS s
UNION ALL
SELECT 2 AS id, 'two' AS s
UNION ALL
SELECT 1 AS id, 'one' AS s

-- name: union_all_constant_select
SELECT id AS id, s AS s FROM sl
UNION ALL
SELECT -1 AS id, 'none' AS s

-- name: union_all_constant_join
SELECT l.id AS id, x.label AS label
FROM sl l INNER JOIN (SELECT k, 'of r' AS label FROM sr UNION ALL SELECT 3, 'constant') x ON l.id = x.k

-- name: union_all_constant_anti
SELECT id AS id
FROM sl
WHERE NOT EXISTS (SELECT 1 FROM (SELECT k FROM sr UNION ALL SELECT 3) x WHERE x.k = sl.id)

-- name: union_all_constant_distinct
SELECT DISTINCT a AS a
FROM (SELECT a FROM l WHERE a > 3 UNION ALL SELECT 77) x

-- name: union_all_constant_window
SELECT id AS id, ROW_NUMBER() OVER (ORDER BY id) AS place
FROM (SELECT id FROM sl UNION ALL SELECT -5) x

-- name: union_all_constant_top
-- ordered
SELECT id AS id
FROM (SELECT id FROM l UNION ALL SELECT 150 UNION ALL SELECT 1000) x
ORDER BY id DESC
LIMIT 160

-- name: union_all_two_tables
SELECT id AS id, a AS a FROM sl
UNION ALL
SELECT k AS id, a AS a FROM sr

-- name: union_two_tables
SELECT id AS id, a AS a FROM sl
UNION
SELECT k AS id, a AS a FROM sr

-- name: union_same_table
SELECT a AS a, c AS c FROM l WHERE id < 150
UNION
SELECT a AS a, c AS c FROM l WHERE id > 100

-- name: union_all_same_table_group
SELECT a AS a, COUNT(*) AS n
FROM (SELECT a FROM l UNION ALL SELECT a FROM l WHERE a > 4 UNION ALL SELECT c FROM l) x
GROUP BY a

-- name: union_types_mixed
SELECT a AS v FROM sl
UNION
SELECT id AS v FROM sl

-- name: union_integer_double
SELECT v AS v, COUNT(*) AS n
FROM (SELECT CAST(a AS DOUBLE) AS v FROM l UNION ALL SELECT amt AS v FROM ord WHERE amt < 20) x
GROUP BY v

-- name: union_strings_null
SELECT s AS s FROM sl
UNION
SELECT s AS s FROM sr
UNION
SELECT NULL AS s

-- name: union_all_of_aggregates
SELECT 'l' AS side, COUNT(*) AS n, SUM(a) AS total FROM l
UNION ALL
SELECT 'r' AS side, COUNT(*) AS n, SUM(a) AS total FROM r
UNION ALL
SELECT 'ord' AS side, COUNT(*) AS n, SUM(cid) AS total FROM ord

-- name: union_all_filtered_above
SELECT id AS id, side AS side
FROM (SELECT id, a, 'l' AS side FROM sl UNION ALL SELECT k AS id, a, 'r' AS side FROM sr) x
WHERE a > 5 AND side <> 'none'

-- name: union_all_empty_side
SELECT id AS id FROM sl WHERE a > 100
UNION ALL
SELECT k AS id FROM sr WHERE a = 1

-- name: union_order_limit
-- ordered
SELECT id AS id, a AS a FROM l
UNION
SELECT k AS id, a AS a FROM r
ORDER BY id DESC NULLS LAST, a NULLS LAST
LIMIT 50

-- name: union_nan
SELECT f + 0.0 AS f FROM l
UNION
SELECT f + 0.0 AS f FROM r

-- name: intersect_keys
SELECT id AS id FROM l
INTERSECT
SELECT k AS id FROM r

-- name: intersect_nulls
SELECT k2 AS k FROM sl
INTERSECT
SELECT k AS k FROM sr

-- name: intersect_pairs
SELECT a AS a, s AS s FROM l
INTERSECT
SELECT a AS a, s AS s FROM r

-- name: intersect_nan
SELECT f + 0.0 AS f FROM l
INTERSECT
SELECT f + 0.0 AS f FROM r

-- name: except_keys
SELECT id AS id FROM l
EXCEPT
SELECT k AS id FROM r

-- name: except_nulls
SELECT k AS k FROM sr
EXCEPT
SELECT k2 AS k FROM sl

-- name: except_pairs
SELECT a AS a, s AS s FROM l
EXCEPT
SELECT a AS a, s AS s FROM r WHERE d > 0

-- name: except_nan
SELECT f + 0.0 AS f FROM sl
EXCEPT
SELECT f + 0.0 AS f FROM sr WHERE a > 5

-- name: except_constant
SELECT a AS a FROM l
EXCEPT
SELECT 4 AS a

-- name: except_removes_duplicates
SELECT a AS a FROM l
EXCEPT
SELECT c AS a FROM l WHERE c < 4

-- name: set_of_sets
(SELECT id AS id FROM l WHERE a > 2 INTERSECT SELECT k AS id FROM r)
EXCEPT
SELECT cid AS id FROM ord WHERE amt > 900

-- name: set_of_aggregates
SELECT cid AS cid, COUNT(*) AS n FROM ord WHERE amt > 500 GROUP BY cid
EXCEPT
SELECT cid AS cid, COUNT(*) AS n FROM ord WHERE price > 400 GROUP BY cid

-- name: set_group_above
SELECT a AS a, COUNT(*) AS n
FROM (SELECT a, c FROM l EXCEPT SELECT a, CAST(k AS INTEGER) FROM r) x
GROUP BY a
