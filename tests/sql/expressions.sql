-- Expressions: conditions, strings, casts, arithmetic, and columns with NULL, NaN, infinities and both zeros.

-- name: case_searched
SELECT id AS id, CASE WHEN a > 7 THEN 'high' WHEN a > 3 THEN 'middle' ELSE 'low' END AS size
FROM sl

-- name: case_simple
SELECT id AS id, CASE c WHEN 1 THEN 'one' WHEN 2 THEN 'two' END AS word
FROM sl

-- name: case_null_branch
SELECT id AS id, CASE WHEN s = 'oak' THEN 1 WHEN s <> 'oak' THEN 2 ELSE 3 END AS kind
FROM sl

-- name: case_mixed_numbers
SELECT id AS id, CASE WHEN a > 5 THEN a ELSE CAST(0.5 AS DOUBLE) END AS v
FROM sl

-- name: coalesce_columns
SELECT id AS id, COALESCE(s, 'none') AS s, COALESCE(k2, -1) AS k2, COALESCE(f, 0.0) + 0.0 AS f
FROM sl

-- name: nullif_columns
SELECT id AS id, NULLIF(a, 5) AS a, NULLIF(s, '') AS s, NULLIF(k2, id) AS k2
FROM sl

-- name: null_three_valued
SELECT id AS id, k2 > 5 AS above, k2 > 5 AND s = 'oak' AS both, k2 > 5 OR s = 'oak' AS either, NOT (k2 > 5) AS turned
FROM sl

-- name: null_comparisons
SELECT COUNT(*) AS n
FROM sl
WHERE k2 = NULL OR s <> NULL

-- name: is_distinct_from
SELECT id AS id, (k2 IS DISTINCT FROM 4) AS other, (k2 IS NOT DISTINCT FROM NULL) AS missing
FROM sl

-- name: is_true_is_false
SELECT id AS id, (k2 > 5) IS TRUE AS yes, (k2 > 5) IS FALSE AS no, (k2 > 5) IS NULL AS unknown, (k2 > 5) IS NOT TRUE AS not_yes
FROM sl

-- name: where_case
SELECT id AS id
FROM sl
WHERE CASE WHEN s IS NULL THEN a > 5 ELSE c > 5 END

-- name: string_case_and_length
SELECT id AS id, upper(s) AS upper, lower(s) AS lower, length(s) AS length, reverse(s) AS reversed
FROM sl

-- name: string_parts
SELECT id AS id, substr(s, 2, 3) AS middle, substr(s, 3) AS rest, left(s, 2) AS first_two, right(s, 2) AS last_two, strpos(s, 'r') AS place
FROM sl

-- name: string_pads
SELECT id AS id, lpad(s, 6, '*') AS l, rpad(s, 6, '-') AS r, repeat(s, 2) AS twice
FROM sl

-- name: string_trims
SELECT trim('  x y ') AS both_sides, ltrim('  x ') AS l, rtrim(' x  ') AS r, trim(BOTH 'z' FROM 'zzazz') AS z

-- name: string_replace
SELECT id AS id, replace(s, 'r', 'RR') AS replaced, translate(s, 'aeo', '430') AS translated, starts_with(s, 'b') AS b
FROM sl

-- name: string_concat
SELECT id AS id, s || '-' || CAST(a AS VARCHAR) AS joined, concat(s, '/', CAST(c AS VARCHAR)) AS concatenated, concat_ws('+', s, CAST(id AS VARCHAR), 'x') AS listed
FROM sl

-- name: string_split
SELECT split_part('a,b,c', ',', 2) AS b, split_part('a,b,c', ',', 9) AS none, ascii('A') AS code, chr(66) AS letter

-- name: string_compare
SELECT id AS id, s AS s
FROM sl
WHERE s >= 'cedar' AND s < 'oak'

-- name: string_empty
SELECT s = '' AS empty, COUNT(*) AS n
FROM l
GROUP BY s = ''

-- name: string_like
SELECT id AS id, s AS s
FROM sl
WHERE s LIKE '%r%' OR s LIKE '_ak'

-- name: string_not_like
SELECT id AS id, s AS s
FROM sl
WHERE s NOT LIKE '%r'

-- name: string_ilike
SELECT id AS id, s AS s
FROM sl
WHERE s ILIKE 'p%'

-- name: string_regexp
SELECT id AS id, regexp_replace(s, '[aeiou]', '.') AS replaced
FROM sl

-- name: string_min_max
SELECT a AS a, MIN(s) AS least, MAX(s) AS most
FROM l
GROUP BY a

-- name: string_order
-- ordered
SELECT s AS s, id AS id
FROM sl
ORDER BY s DESC NULLS LAST, id

-- name: string_group_unicode
SELECT s AS s, length(s) AS length, COUNT(*) AS n
FROM l
WHERE s IN ('ä ö', 'it''s', '', 'Pine')
GROUP BY s, length(s)

-- name: cast_integers
SELECT id AS id, CAST(a AS BIGINT) AS wide, CAST(id AS INTEGER) AS narrow, CAST(id AS SMALLINT) AS small, CAST(a AS DOUBLE) AS d, CAST(a AS VARCHAR) AS s
FROM sl

-- name: cast_strings
SELECT CAST('42' AS INTEGER) AS i, CAST('-7' AS BIGINT) AS b, CAST('2.5' AS DOUBLE) AS d, CAST('true' AS BOOLEAN) AS t, TRY_CAST('x' AS INTEGER) AS none, TRY_CAST('12' AS INTEGER) AS some

-- name: cast_booleans
SELECT id AS id, CAST(a > 5 AS INTEGER) AS i, CAST(a AS BOOLEAN) AS b
FROM sl

-- name: cast_double_string
SELECT CAST('NaN' AS DOUBLE) AS nan, CAST('inf' AS DOUBLE) AS inf, CAST('-inf' AS DOUBLE) AS negative, CAST('1e3' AS DOUBLE) AS thousand

-- name: arithmetic_integers
SELECT id AS id, a + c AS plus, a - c AS minus, a * c AS times, a % 3 AS rest, -a AS turned, (a - 5) % 3 AS rest_negative, abs(a - 5) AS size
FROM sl

-- name: arithmetic_null
SELECT id AS id, k2 + 1 AS plus, k2 * 0 AS zero, k2 - k2 AS none, a % NULLIF(c, 0) AS rest
FROM sl

-- name: arithmetic_doubles
SELECT ts AS ts, amt + 1 AS plus, amt * 0.5 AS half, amt / 4 AS quarter, -amt AS turned, amt - 0.25 AS minus
FROM ord
WHERE cid < 6

-- name: arithmetic_nan
SELECT id AS id, f + 1 AS plus, f * 2 AS twice, f - f AS none, 0 - f AS turned
FROM sl

-- name: arithmetic_inf
SELECT id AS id, f + CAST('inf' AS DOUBLE) AS plus, f * CAST('-inf' AS DOUBLE) AS times
FROM sl
WHERE f > 0

-- name: functions_of_doubles
-- tolerance: 1e-12
SELECT ts AS ts, abs(amt) AS size, floor(amt) AS below, ceil(amt) AS above, sqrt(abs(amt)) AS root, power(amt, 2) AS square, ln(abs(amt) + 1) AS log, exp(amt / 1000) AS e, sin(amt) AS sine
FROM ord
WHERE cid < 6

-- name: functions_of_doubles_nan
SELECT id AS id, abs(f) AS size, floor(f) AS below, isnan(f) AS nan, coalesce(f, 0) > 1 AS above
FROM sl

-- name: round_doubles
SELECT CAST(v AS DOUBLE) AS v, round(CAST(v AS DOUBLE)) AS rounded
FROM (VALUES (0.5), (1.5), (2.5), (-0.5), (-1.5), (2.4), (-2.6)) AS t(v)

-- name: greatest_least
SELECT id AS id, greatest(a, c) AS g, least(a, c) AS l, greatest(k2, id) AS g_null, least(k2, 3, a) AS l_null
FROM sl

-- name: precedence
SELECT 1 + 2 * 3 AS a, (1 + 2) * 3 AS b, 10 - 4 - 3 AS c, NOT TRUE OR TRUE AS d, TRUE OR FALSE AND FALSE AS e, -2 * -3 AS f, 7 % 4 * 2 AS g

-- name: nan_compare
SELECT id AS id, f > 1 AS gt, f >= 1 AS ge, f = 1 AS eq, f <> 1 AS ne, f < 1 AS lt, f <= 1 AS le, f = f AS itself
FROM sl

-- name: nan_compare_nan
SELECT id AS id, f = CAST('NaN' AS DOUBLE) AS eq, f < CAST('NaN' AS DOUBLE) AS lt, f >= CAST('NaN' AS DOUBLE) AS ge, f <> CAST('NaN' AS DOUBLE) AS ne
FROM sl

-- name: nan_where_above
SELECT id AS id, f AS f
FROM l
WHERE f > 4

-- name: nan_where_not_below
SELECT id AS id, f AS f
FROM l
WHERE NOT (f < 4)

-- name: nan_where_between
SELECT COUNT(*) AS n, SUM(id) AS ids
FROM l
WHERE f BETWEEN 1 AND CAST('inf' AS DOUBLE)

-- name: nan_where_in
SELECT COUNT(*) AS n, SUM(id) AS ids
FROM l
WHERE f IN (1, 2, CAST('NaN' AS DOUBLE))

-- name: nan_min_max
SELECT MIN(f) AS least, MAX(f) AS most, COUNT(f) AS known, COUNT(*) AS n
FROM l

-- name: nan_min_max_grouped
SELECT c AS c, MIN(f) + 0.0 AS least, MAX(f) + 0.0 AS most, COUNT(f) AS known
FROM l
GROUP BY c

-- name: nan_min_max_finite
SELECT c AS c, MIN(f) + 0.0 AS least, MAX(f) + 0.0 AS most, SUM(f) AS total
FROM l
WHERE NOT isnan(f) AND f < 1000 AND f > -1000
GROUP BY c

-- name: nan_sum
SELECT SUM(f) AS total, AVG(f) AS mean
FROM l

-- name: nan_sum_grouped
SELECT a AS a, c AS c, SUM(f) AS total, AVG(f) AS mean
FROM l
GROUP BY a, c

-- name: inf_sum
SELECT SUM(f) AS total, COUNT(*) AS n
FROM l
WHERE f > 1 AND NOT isnan(f)

-- name: inf_cancels
SELECT SUM(f) AS total
FROM l
WHERE f = CAST('inf' AS DOUBLE) OR f = CAST('-inf' AS DOUBLE)

-- name: nan_group
SELECT f + 0.0 AS f, COUNT(*) AS n, SUM(id) AS ids
FROM l
GROUP BY f + 0.0

-- name: zero_group
SELECT COUNT(*) AS keys, SUM(n) AS n
FROM (SELECT f, COUNT(*) AS n FROM l WHERE f = 0 GROUP BY f) x

-- name: zero_compare
SELECT id AS id, f = 0 AS eq, f < 0 AS lt, f >= 0 AS ge, f = -0.0 AS eq_negative
FROM sl
WHERE f > -1 AND f < 1

-- name: zero_where
SELECT COUNT(*) AS n, SUM(id) AS ids
FROM l
WHERE f = 0

-- name: zero_where_not_negative
SELECT COUNT(*) AS n, SUM(id) AS ids
FROM l
WHERE f >= 0 AND f < 0.25

-- name: zero_where_below
SELECT COUNT(*) AS n, SUM(id) AS ids
FROM l
WHERE f < 0

-- name: zero_in
SELECT COUNT(*) AS n, SUM(id) AS ids
FROM l
WHERE f IN (0, 0.25)

-- name: zero_join
SELECT COUNT(*) AS n, SUM(l.id) AS ids, SUM(r.d) AS total
FROM l INNER JOIN r ON l.f = r.f
WHERE l.f < 0.25 AND l.f > -0.25

-- name: zero_distinct
SELECT COUNT(DISTINCT f) AS n
FROM l
WHERE f = 0

-- name: nan_distinct
SELECT DISTINCT f + 0.0 AS f
FROM l

-- name: nan_count_distinct
SELECT c AS c, COUNT(DISTINCT f + 0.0) AS n
FROM l
GROUP BY c

-- name: nan_order_ascending
-- ordered
SELECT f + 0.0 AS f, id AS id
FROM sl
ORDER BY f + 0.0 ASC NULLS LAST, id

-- name: nan_order_descending
-- ordered
SELECT f + 0.0 AS f, id AS id
FROM sl
ORDER BY f + 0.0 DESC NULLS LAST, id

-- name: nan_order_limit
-- ordered
SELECT f + 0.0 AS f, id AS id
FROM l
ORDER BY f + 0.0 DESC NULLS FIRST, id DESC
LIMIT 70

-- name: zero_order
-- ordered
SELECT id AS id, f + 0.0 AS f
FROM l
WHERE f < 0.5 AND f > -0.5
ORDER BY f, id

-- name: nan_join_count
SELECT l.f + 0.0 AS f, COUNT(*) AS n, SUM(r.d) AS total
FROM l INNER JOIN r ON l.f = r.f
GROUP BY l.f + 0.0

-- name: nan_left_join
SELECT l.id AS id, COUNT(r.d) AS n
FROM sl l LEFT JOIN sr r ON l.f = r.f AND r.a < 6
GROUP BY l.id

-- name: nan_join_above
SELECT l.id AS id, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.f >= r.f

-- name: nan_semi
SELECT id AS id, f AS f
FROM sl
WHERE f IN (SELECT f FROM sr WHERE a < 4)

-- name: nan_exists
SELECT l.id AS id
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE r.f = l.f AND r.a < l.a)

-- name: nan_case
SELECT id AS id, CASE WHEN isnan(f) THEN 'nan' WHEN f > 1000 THEN 'inf' WHEN f IS NULL THEN 'null' ELSE 'finite' END AS kind
FROM l
WHERE id < 100

-- name: nan_nullif
SELECT COUNT(NULLIF(f, CAST('NaN' AS DOUBLE))) AS n
FROM l

-- name: double_group_key
SELECT amt * 2 AS v, COUNT(*) AS n
FROM ord
WHERE amt < 60
GROUP BY amt * 2

-- name: boolean_columns
SELECT a > 5 AS x, c > 5 AS y, COUNT(*) AS n
FROM l
GROUP BY a > 5, c > 5

-- name: large_integers
SELECT id AS id, id * 9007199254740993 AS v
FROM sl
WHERE id < 10

-- name: boolean_is_true_twice
SELECT x.c AS c, SUM(CASE WHEN x.b IS TRUE THEN 1 ELSE 0 END) AS yes, SUM(CASE WHEN x.b IS TRUE THEN 2 ELSE 0 END) AS twice,
    SUM(CASE WHEN x.b IS NOT TRUE THEN 1 ELSE 0 END) AS not_yes, SUM(CASE WHEN x.b IS FALSE THEN 1 ELSE 0 END) AS no,
    SUM(CASE WHEN x.b IS NOT FALSE THEN 1 ELSE 0 END) AS not_no
FROM (SELECT c, CASE WHEN a < 3 THEN true WHEN a > 6 THEN false END AS b FROM l) x
GROUP BY x.c
