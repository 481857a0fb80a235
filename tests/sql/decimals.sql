-- DECIMAL: its arithmetic, sums, averages, comparisons and casts. `price` is DECIMAL(10,2), with negative values and NULL.

-- name: decimal_arithmetic
SELECT ts AS ts, price + CAST('1.50' AS DECIMAL(10,2)) AS more, price - CAST('1000.00' AS DECIMAL(10,2)) AS less, price * CAST('1.075' AS DECIMAL(6,3)) AS taxed, -price AS turned
FROM ord
WHERE cid < 8

-- name: decimal_with_integers
SELECT ts AS ts, price + 1 AS more, price * 3 AS thrice, 100 - price AS rest
FROM ord
WHERE cid < 6

-- name: decimal_scales_mixed
SELECT d AS d, d + CAST('0.0005' AS DECIMAL(12,4)) AS finer, d * CAST('-0.25' AS DECIMAL(5,2)) AS quarter
FROM sr

-- name: decimal_sum
SELECT SUM(price) AS total, MIN(price) AS least, MAX(price) AS greatest, COUNT(price) AS n
FROM ord

-- name: decimal_sum_grouped
SELECT cid AS cid, SUM(price) AS total, SUM(price * 2) AS twice, MIN(price) AS least, MAX(price) AS greatest
FROM ord
GROUP BY cid

-- name: decimal_sum_of_products
SELECT cid AS cid, SUM(price * CAST('0.19' AS DECIMAL(4,2))) AS tax, SUM(price * price) AS squares
FROM ord
GROUP BY cid

-- name: decimal_sum_none
SELECT SUM(price) AS total, MAX(price) AS greatest
FROM ord
WHERE price > 100000

-- name: decimal_average
-- tolerance: 1e-5
SELECT cid AS cid, CAST(AVG(price) AS DOUBLE) AS mean
FROM ord
GROUP BY cid

-- name: decimal_average_filtered
-- tolerance: 1e-5
SELECT CAST(AVG(price) FILTER (WHERE price > 0) AS DOUBLE) AS mean, CAST(AVG(price) FILTER (WHERE price < 0) AS DOUBLE) AS mean_negative
FROM ord

-- name: decimal_average_by_sum
SELECT cid AS cid, CAST(SUM(price) AS DOUBLE) / COUNT(price) AS mean
FROM ord
GROUP BY cid

-- name: decimal_deviation
-- tolerance: 1e-9
SELECT cid AS cid, STDDEV_SAMP(CAST(price AS DOUBLE)) AS deviation, VAR_POP(CAST(price AS DOUBLE)) AS variance
FROM ord
WHERE cid < 40
GROUP BY cid

-- name: decimal_compare
SELECT ts AS ts, price AS price
FROM ord
WHERE price >= CAST('850.00' AS DECIMAL(10,2)) OR price < CAST('-40.5' AS DECIMAL(8,1))

-- name: decimal_compare_integer
SELECT COUNT(*) AS n, SUM(price) AS total
FROM ord
WHERE price > 500 AND price <> 501

-- name: decimal_compare_literal
SELECT COUNT(*) AS n, SUM(price) AS total
FROM ord
WHERE price > 123.45

-- name: decimal_between
SELECT ts AS ts, price AS price
FROM ord
WHERE price BETWEEN CAST('-20.00' AS DECIMAL(10,2)) AND CAST('20.00' AS DECIMAL(10,2))

-- name: decimal_in
SELECT d AS d, k AS k
FROM sr
WHERE CAST(d AS DECIMAL(10,0)) IN (1, 2, 3) OR d IN (CAST('333.33' AS DECIMAL(10,2)), CAST('133.80' AS DECIMAL(10,2)))

-- name: decimal_is_negative
SELECT price < 0 AS negative, COUNT(*) AS n, SUM(price) AS total
FROM ord
GROUP BY price < 0

-- name: decimal_as_double
SELECT ts AS ts, CAST(price AS DOUBLE) AS price, CAST(price AS DOUBLE) / 7 AS seventh
FROM ord
WHERE cid < 6

-- name: decimal_wider
SELECT d AS d, CAST(d AS DECIMAL(20,6)) AS wide, CAST(CAST(d AS DECIMAL(20,6)) AS DECIMAL(10,2)) AS back
FROM sr

-- name: decimal_from_double
SELECT ts AS ts, CAST(amt AS DECIMAL(12,2)) AS amount
FROM ord
WHERE cid < 6

-- name: decimal_from_string
SELECT CAST('12.345' AS DECIMAL(10,3)) AS a, CAST('-0.001' AS DECIMAL(10,3)) AS b, CAST('7' AS DECIMAL(10,3)) AS c

-- name: decimal_from_integer
SELECT id AS id, CAST(id AS DECIMAL(18,4)) AS d
FROM sl
WHERE id < 10

-- name: decimal_round
SELECT d AS d, ROUND(CAST(d AS DOUBLE)) AS whole, ROUND(CAST(d AS DOUBLE), -2) AS hundred
FROM sr

-- name: decimal_round_as_decimal
SELECT d AS d, ROUND(d, 1) AS tenth
FROM sr

-- name: decimal_abs
SELECT d AS d, ABS(d) AS size
FROM sr
WHERE d < 0

-- name: decimal_coalesce
SELECT cid AS cid, SUM(COALESCE(price, 0)) AS total, SUM(CASE WHEN price > 0 THEN price ELSE 0 END) AS positive
FROM ord
GROUP BY cid

-- name: decimal_group_key
SELECT CAST(d AS DECIMAL(10,0)) AS whole, COUNT(*) AS n
FROM sr
WHERE d > 0 AND d - CAST(100 AS DECIMAL(10,2)) < 300
GROUP BY CAST(d AS DECIMAL(10,0))

-- name: decimal_distinct
SELECT DISTINCT price AS price
FROM ord
WHERE cid < 12

-- name: decimal_count_distinct
SELECT COUNT(DISTINCT price) AS n, SUM(DISTINCT price) AS total
FROM ord

-- name: decimal_order
-- ordered
SELECT price AS price, ts AS ts
FROM ord
ORDER BY price DESC NULLS LAST, ts
LIMIT 50

-- name: decimal_order_nulls_first
-- ordered
SELECT price AS price, ts AS ts
FROM ord
ORDER BY price ASC NULLS FIRST, ts
LIMIT 50

-- name: decimal_window
SELECT ts AS ts, SUM(price) OVER (PARTITION BY cid ORDER BY ts) AS running, LAG(price) OVER (PARTITION BY cid ORDER BY ts) AS before
FROM ord
WHERE cid < 10

-- name: decimal_join
SELECT x.ts AS ts, x.price AS price, r.k AS k
FROM ord x INNER JOIN r ON CAST(x.price AS DECIMAL(10,0)) = CAST(r.d AS DECIMAL(10,0)) AND x.price > r.d

-- name: decimal_large
SELECT SUM(CAST(price AS DECIMAL(20,2)) * CAST(1000000 AS DECIMAL(10,0))) AS total
FROM ord

-- name: integer_sum_large
SELECT SUM(id * 1000000000000) AS total, SUM(id * 30000000000000) AS greater
FROM l

-- name: decimal_literal_sum
SELECT x.id AS id, COUNT(*) AS n, SUM(x.m) AS total
FROM (SELECT id, CAST(CASE WHEN id % 3 = 0 THEN '8.63' WHEN id % 3 = 1 THEN '-8.63' ELSE '1.10' END AS DECIMAL(11, 2)) AS m FROM l) x
WHERE x.m = 8.63 OR x.m <= -8.63
GROUP BY x.id

-- name: decimal_literal_filter
SELECT x.c AS c, COUNT(*) FILTER (WHERE x.m >= 8.63) AS at_least, COUNT(*) FILTER (WHERE x.m > -8.63) AS above,
    COUNT(*) FILTER (WHERE x.m IN (8.63, 1.1)) AS among, COUNT(*) FILTER (WHERE x.m BETWEEN -8.63 AND 8.63) AS between
FROM (SELECT c, CAST(CASE WHEN id % 3 = 0 THEN '8.63' WHEN id % 3 = 1 THEN '-8.63' ELSE '1.10' END AS DECIMAL(11, 2)) AS m FROM l) x
GROUP BY x.c

-- name: decimal_literal_having
SELECT k AS k, SUM(d) AS total FROM r GROUP BY k HAVING SUM(d) > 287.71 AND MIN(d) <> 39.47
