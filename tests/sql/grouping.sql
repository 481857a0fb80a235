-- Aggregation: grouping sets, DISTINCT, FILTER, HAVING, and the aggregate functions.

-- name: group_plain
SELECT a AS a, COUNT(*) AS n, SUM(id) AS total, MIN(s) AS least, MAX(s) AS most, AVG(c) AS mean
FROM l
GROUP BY a

-- name: group_two_keys
SELECT a AS a, c AS c, COUNT(*) AS n, COUNT(k2) AS keys
FROM l
GROUP BY a, c

-- name: group_null_key
SELECT s AS s, COUNT(*) AS n, COUNT(s) AS known, SUM(k2) AS total
FROM l
GROUP BY s

-- name: group_null_keys
SELECT s AS s, k2 % 5 AS k, COUNT(*) AS n
FROM l
GROUP BY s, k2 % 5

-- name: group_expression
SELECT id % 7 AS rest, a > 4 AS large, COUNT(*) AS n
FROM l
GROUP BY id % 7, a > 4

-- name: group_by_position
SELECT c AS c, COUNT(*) AS n
FROM l
GROUP BY 1

-- name: group_without_aggregate
SELECT a AS a, s AS s
FROM l
GROUP BY a, s

-- name: group_constant
SELECT 'all' AS label, COUNT(*) AS n, SUM(id) AS total
FROM l

-- name: group_none_left
SELECT a AS a, COUNT(*) AS n
FROM l
WHERE id < 0
GROUP BY a
HAVING COUNT(*) > 0

-- name: aggregate_none_left
SELECT COUNT(*) AS n, COUNT(a) AS known, SUM(a) AS total, MIN(a) AS least, AVG(a) AS mean
FROM l
WHERE id < 0

-- name: aggregate_all_null
SELECT COUNT(*) AS n, COUNT(s) AS known, MIN(s) AS least, MAX(s) AS most
FROM l
WHERE s IS NULL

-- name: rollup
SELECT a AS a, c AS c, COUNT(*) AS n, SUM(id) AS total
FROM l
WHERE c < 5
GROUP BY ROLLUP (a, c)

-- name: cube
SELECT a AS a, c AS c, COUNT(*) AS n, SUM(id) AS total
FROM l
WHERE a < 5 AND c < 5
GROUP BY CUBE (a, c)

-- name: grouping_sets
SELECT a AS a, s AS s, COUNT(*) AS n, MAX(id) AS last
FROM l
GROUP BY GROUPING SETS ((a), (s), ())

-- name: grouping_sets_with_both
SELECT a AS a, c AS c, COUNT(*) AS n
FROM l
WHERE c < 3
GROUP BY GROUPING SETS ((a, c), (c), ())

-- name: rollup_grouping
SELECT a AS a, s AS s, GROUPING(a) AS all_a, GROUPING(s) AS all_s, COUNT(*) AS n
FROM sl
GROUP BY ROLLUP (a, s)

-- name: cube_grouping_pair
SELECT a AS a, s AS s, GROUPING(a, s) AS sets, COUNT(*) AS n
FROM sl
WHERE a < 6
GROUP BY CUBE (a, s)

-- name: rollup_having
SELECT a AS a, c AS c, COUNT(*) AS n
FROM l
GROUP BY ROLLUP (a, c)
HAVING COUNT(*) > 5

-- name: rollup_over_join
SELECT t.tier AS tier, EXTRACT(YEAR FROM o.day) AS year, COUNT(*) AS n, SUM(o.price) AS total
FROM ord o LEFT JOIN tiny t ON o.amt >= t.low AND o.amt < t.high
GROUP BY ROLLUP (t.tier, EXTRACT(YEAR FROM o.day))

-- name: rollup_distinct
SELECT a AS a, c AS c, COUNT(DISTINCT s) AS words
FROM l
WHERE c < 4
GROUP BY ROLLUP (a, c)

-- name: count_distinct
SELECT COUNT(DISTINCT a) AS a, COUNT(DISTINCT s) AS s, COUNT(DISTINCT k2) AS k2
FROM l

-- name: count_distinct_grouped
SELECT c AS c, COUNT(DISTINCT a) AS n_a, COUNT(DISTINCT s) AS n_s, COUNT(*) AS n
FROM l
GROUP BY c

-- name: sum_distinct
SELECT c AS c, SUM(DISTINCT a) AS total, COUNT(DISTINCT a) AS n, SUM(a) AS with_all
FROM l
GROUP BY c

-- name: avg_distinct
SELECT c AS c, AVG(DISTINCT a) AS mean
FROM l
GROUP BY c

-- name: distinct_rows
SELECT DISTINCT a AS a, s AS s
FROM l

-- name: distinct_expression
SELECT DISTINCT id % 10 AS rest, k2 IS NULL AS missing
FROM l

-- name: distinct_on
SELECT DISTINCT ON (cid) cid AS cid, ts AS ts
FROM ord
ORDER BY cid NULLS LAST, ts DESC NULLS LAST

-- name: distinct_limit
-- ordered
SELECT DISTINCT c AS c, a AS a
FROM l
ORDER BY c DESC, a
LIMIT 25

-- name: filter_clause
SELECT c AS c, COUNT(*) FILTER (WHERE a > 5) AS large, SUM(id) FILTER (WHERE s IS NULL) AS nameless, MAX(id) FILTER (WHERE a = 0) AS last
FROM l
GROUP BY c

-- name: filter_clause_whole
SELECT COUNT(*) FILTER (WHERE a > 5) AS large, COUNT(*) FILTER (WHERE a > 50) AS none, SUM(a) FILTER (WHERE a > 50) AS nothing, COUNT(DISTINCT s) FILTER (WHERE c < 3) AS words
FROM l

-- name: sum_of_case
SELECT s AS s, SUM(CASE WHEN a > 4 THEN 1 ELSE 0 END) AS large, COUNT(CASE WHEN c < 3 THEN 1 END) AS low
FROM l
GROUP BY s

-- name: having_plain
SELECT cid AS cid, COUNT(*) AS n
FROM ord
GROUP BY cid
HAVING COUNT(*) >= 15

-- name: having_other_aggregate
SELECT cid AS cid, SUM(price) AS total
FROM ord
GROUP BY cid
HAVING MIN(price) < 0 AND MAX(amt) > 1000

-- name: having_without_group
SELECT COUNT(*) AS n
FROM l
HAVING COUNT(*) > 1000

-- name: aggregate_of_expressions
SELECT c AS c, SUM(a * c + 1) AS total, MAX(a - c) AS most, MIN(abs(a - c)) AS least
FROM l
GROUP BY c

-- name: aggregate_of_aggregates
SELECT MAX(n) AS most, MIN(n) AS least, AVG(n) AS mean
FROM (SELECT cid, COUNT(*) AS n FROM ord GROUP BY cid) x

-- name: variances
-- tolerance: 1e-8
SELECT c AS c, STDDEV_SAMP(a) AS deviation, STDDEV_POP(a) AS deviation_pop, VAR_SAMP(id) AS variance, VAR_POP(id) AS variance_pop
FROM l
GROUP BY c

-- name: variance_of_one
SELECT COUNT(*) AS n, STDDEV_SAMP(a) AS deviation, STDDEV_POP(a) AS deviation_pop
FROM l
WHERE id = 7

-- name: correlations
-- tolerance: 1e-8
SELECT CORR(amt, CAST(price AS DOUBLE)) AS correlation, COVAR_SAMP(amt, CAST(price AS DOUBLE)) AS covariance, COVAR_POP(amt, CAST(price AS DOUBLE)) AS covariance_pop
FROM ord
WHERE amt IS NOT NULL AND price IS NOT NULL

-- name: regression
-- tolerance: 1e-8
SELECT c AS c, REGR_SLOPE(CAST(id AS DOUBLE), CAST(a AS DOUBLE)) AS slope, REGR_COUNT(CAST(id AS DOUBLE), CAST(a AS DOUBLE)) AS n
FROM l
GROUP BY c

-- name: medians
SELECT cid AS cid, MEDIAN(amt) AS middle
FROM ord
GROUP BY cid

-- name: booleans
SELECT c AS c, BOOL_AND(a > 0) AS every_one, BOOL_OR(a > 8) AS any_one
FROM l
GROUP BY c

-- name: bits
SELECT c AS c, BIT_AND(id) AS bits_and, BIT_OR(id) AS bits_or, BIT_XOR(id) AS bits_xor
FROM l
GROUP BY c

-- name: string_agg
SELECT c AS c, STRING_AGG(s, ',' ORDER BY id) AS words
FROM sl
GROUP BY c

-- name: group_by_string_case
SELECT upper(s) AS word, COUNT(*) AS n
FROM l
GROUP BY upper(s)

-- name: group_by_many_types
SELECT day AS day, cid AS cid, COUNT(*) AS n, SUM(price) AS total
FROM ord
WHERE day < DATE '2025-01-20'
GROUP BY day, cid

-- name: order_by_aggregate
-- ordered
SELECT cid AS cid, COUNT(*) AS n, SUM(amt) AS total
FROM ord
GROUP BY cid
ORDER BY COUNT(*) DESC, cid NULLS LAST
LIMIT 25
