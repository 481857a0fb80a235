-- NaN, infinities and NULL beside the statistics of Parquet files, which leave NaN out of the least and the greatest value.
-- NaN equals NaN and is greater than all else. Made by make_answers.py: change it there.

-- name: nan_one_all
SELECT id AS id, b AS b, g AS g
FROM nan_one

-- name: nan_one_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b > 0.5

-- name: nan_one_above_half_rows
SELECT id AS id, b AS b
FROM nan_one
WHERE b > 0.5

-- name: nan_one_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE g > 0.5

-- name: nan_one_above_half_float_rows
SELECT id AS id, g AS g
FROM nan_one
WHERE g > 0.5

-- name: nan_one_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b >= 1

-- name: nan_one_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b = 1

-- name: nan_one_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b <> 1

-- name: nan_one_not_one_rows
SELECT id AS id, b AS b
FROM nan_one
WHERE b <> 1

-- name: nan_one_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE g <> 1

-- name: nan_one_not_one_float_rows
SELECT id AS id, g AS g
FROM nan_one
WHERE g <> 1

-- name: nan_one_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b < 1

-- name: nan_one_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE NOT (b < 1)

-- name: nan_one_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b > 1000

-- name: nan_one_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b IS NULL

-- name: nan_one_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b IS NOT NULL

-- name: nan_one_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE isnan(b)

-- name: nan_one_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE NOT isnan(b)

-- name: nan_one_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b = CAST('NaN' AS DOUBLE)

-- name: nan_one_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b IN (1, 3, 50)

-- name: nan_one_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b NOT IN (0, 1)

-- name: nan_one_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b BETWEEN 0.5 AND 2

-- name: nan_one_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b + 1 > 1.5

-- name: nan_one_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one
WHERE b > 0.5 AND id >= 10

-- name: nan_one_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM nan_one

-- name: nan_one_min
SELECT MIN(b) + 0.0 AS least
FROM nan_one

-- name: nan_one_max
SELECT MAX(b) + 0.0 AS greatest
FROM nan_one

-- name: nan_one_count
SELECT COUNT(*) AS n
FROM nan_one

-- name: nan_one_count_known
SELECT COUNT(b) AS n
FROM nan_one

-- name: nan_one_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM nan_one
GROUP BY id % 3

-- name: nan_one_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM nan_one
WHERE b >= 0

-- name: nan_one_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM nan_one
GROUP BY b + 0.0

-- name: nan_one_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM nan_one

-- name: nan_one_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_one
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: nan_one_top_asc_plain
-- ordered
SELECT b AS b
FROM nan_one
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: nan_one_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_one
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: nan_one_top_desc_plain
-- ordered
SELECT b AS b
FROM nan_one
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: nan_one_joined
SELECT x.id AS id, y.id AS other
FROM nan_one x INNER JOIN nan_one y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 0

-- name: nan_one_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM nan_one x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b

-- name: nan_one_groups_all
SELECT id AS id, b AS b, g AS g
FROM nan_one_groups

-- name: nan_one_groups_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b > 0.5

-- name: nan_one_groups_above_half_rows
SELECT id AS id, b AS b
FROM nan_one_groups
WHERE b > 0.5

-- name: nan_one_groups_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE g > 0.5

-- name: nan_one_groups_above_half_float_rows
SELECT id AS id, g AS g
FROM nan_one_groups
WHERE g > 0.5

-- name: nan_one_groups_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b >= 1

-- name: nan_one_groups_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b = 1

-- name: nan_one_groups_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b <> 1

-- name: nan_one_groups_not_one_rows
SELECT id AS id, b AS b
FROM nan_one_groups
WHERE b <> 1

-- name: nan_one_groups_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE g <> 1

-- name: nan_one_groups_not_one_float_rows
SELECT id AS id, g AS g
FROM nan_one_groups
WHERE g <> 1

-- name: nan_one_groups_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b < 1

-- name: nan_one_groups_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE NOT (b < 1)

-- name: nan_one_groups_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b > 1000

-- name: nan_one_groups_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b IS NULL

-- name: nan_one_groups_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b IS NOT NULL

-- name: nan_one_groups_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE isnan(b)

-- name: nan_one_groups_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE NOT isnan(b)

-- name: nan_one_groups_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b = CAST('NaN' AS DOUBLE)

-- name: nan_one_groups_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b IN (1, 3, 50)

-- name: nan_one_groups_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b NOT IN (0, 1)

-- name: nan_one_groups_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b BETWEEN 0.5 AND 2

-- name: nan_one_groups_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b + 1 > 1.5

-- name: nan_one_groups_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_groups
WHERE b > 0.5 AND id >= 10

-- name: nan_one_groups_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM nan_one_groups

-- name: nan_one_groups_min
SELECT MIN(b) + 0.0 AS least
FROM nan_one_groups

-- name: nan_one_groups_max
SELECT MAX(b) + 0.0 AS greatest
FROM nan_one_groups

-- name: nan_one_groups_count
SELECT COUNT(*) AS n
FROM nan_one_groups

-- name: nan_one_groups_count_known
SELECT COUNT(b) AS n
FROM nan_one_groups

-- name: nan_one_groups_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM nan_one_groups
GROUP BY id % 3

-- name: nan_one_groups_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM nan_one_groups
WHERE b >= 0

-- name: nan_one_groups_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM nan_one_groups
GROUP BY b + 0.0

-- name: nan_one_groups_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM nan_one_groups

-- name: nan_one_groups_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_one_groups
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: nan_one_groups_top_asc_plain
-- ordered
SELECT b AS b
FROM nan_one_groups
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: nan_one_groups_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_one_groups
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: nan_one_groups_top_desc_plain
-- ordered
SELECT b AS b
FROM nan_one_groups
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: nan_one_groups_joined
SELECT x.id AS id, y.id AS other
FROM nan_one_groups x INNER JOIN nan_one_groups y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 0

-- name: nan_one_groups_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM nan_one_groups x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b

-- name: nan_one_bare_all
SELECT id AS id, b AS b, g AS g
FROM nan_one_bare

-- name: nan_one_bare_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b > 0.5

-- name: nan_one_bare_above_half_rows
SELECT id AS id, b AS b
FROM nan_one_bare
WHERE b > 0.5

-- name: nan_one_bare_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE g > 0.5

-- name: nan_one_bare_above_half_float_rows
SELECT id AS id, g AS g
FROM nan_one_bare
WHERE g > 0.5

-- name: nan_one_bare_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b >= 1

-- name: nan_one_bare_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b = 1

-- name: nan_one_bare_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b <> 1

-- name: nan_one_bare_not_one_rows
SELECT id AS id, b AS b
FROM nan_one_bare
WHERE b <> 1

-- name: nan_one_bare_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE g <> 1

-- name: nan_one_bare_not_one_float_rows
SELECT id AS id, g AS g
FROM nan_one_bare
WHERE g <> 1

-- name: nan_one_bare_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b < 1

-- name: nan_one_bare_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE NOT (b < 1)

-- name: nan_one_bare_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b > 1000

-- name: nan_one_bare_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b IS NULL

-- name: nan_one_bare_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b IS NOT NULL

-- name: nan_one_bare_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE isnan(b)

-- name: nan_one_bare_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE NOT isnan(b)

-- name: nan_one_bare_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b = CAST('NaN' AS DOUBLE)

-- name: nan_one_bare_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b IN (1, 3, 50)

-- name: nan_one_bare_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b NOT IN (0, 1)

-- name: nan_one_bare_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b BETWEEN 0.5 AND 2

-- name: nan_one_bare_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b + 1 > 1.5

-- name: nan_one_bare_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_bare
WHERE b > 0.5 AND id >= 10

-- name: nan_one_bare_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM nan_one_bare

-- name: nan_one_bare_min
SELECT MIN(b) + 0.0 AS least
FROM nan_one_bare

-- name: nan_one_bare_max
SELECT MAX(b) + 0.0 AS greatest
FROM nan_one_bare

-- name: nan_one_bare_count
SELECT COUNT(*) AS n
FROM nan_one_bare

-- name: nan_one_bare_count_known
SELECT COUNT(b) AS n
FROM nan_one_bare

-- name: nan_one_bare_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM nan_one_bare
GROUP BY id % 3

-- name: nan_one_bare_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM nan_one_bare
WHERE b >= 0

-- name: nan_one_bare_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM nan_one_bare
GROUP BY b + 0.0

-- name: nan_one_bare_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM nan_one_bare

-- name: nan_one_bare_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_one_bare
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: nan_one_bare_top_asc_plain
-- ordered
SELECT b AS b
FROM nan_one_bare
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: nan_one_bare_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_one_bare
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: nan_one_bare_top_desc_plain
-- ordered
SELECT b AS b
FROM nan_one_bare
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: nan_one_bare_joined
SELECT x.id AS id, y.id AS other
FROM nan_one_bare x INNER JOIN nan_one_bare y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 0

-- name: nan_one_bare_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM nan_one_bare x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b

-- name: nan_one_duckdb_all
SELECT id AS id, b AS b, g AS g
FROM nan_one_duckdb

-- name: nan_one_duckdb_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b > 0.5

-- name: nan_one_duckdb_above_half_rows
SELECT id AS id, b AS b
FROM nan_one_duckdb
WHERE b > 0.5

-- name: nan_one_duckdb_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE g > 0.5

-- name: nan_one_duckdb_above_half_float_rows
SELECT id AS id, g AS g
FROM nan_one_duckdb
WHERE g > 0.5

-- name: nan_one_duckdb_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b >= 1

-- name: nan_one_duckdb_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b = 1

-- name: nan_one_duckdb_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b <> 1

-- name: nan_one_duckdb_not_one_rows
SELECT id AS id, b AS b
FROM nan_one_duckdb
WHERE b <> 1

-- name: nan_one_duckdb_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE g <> 1

-- name: nan_one_duckdb_not_one_float_rows
SELECT id AS id, g AS g
FROM nan_one_duckdb
WHERE g <> 1

-- name: nan_one_duckdb_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b < 1

-- name: nan_one_duckdb_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE NOT (b < 1)

-- name: nan_one_duckdb_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b > 1000

-- name: nan_one_duckdb_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b IS NULL

-- name: nan_one_duckdb_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b IS NOT NULL

-- name: nan_one_duckdb_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE isnan(b)

-- name: nan_one_duckdb_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE NOT isnan(b)

-- name: nan_one_duckdb_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b = CAST('NaN' AS DOUBLE)

-- name: nan_one_duckdb_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b IN (1, 3, 50)

-- name: nan_one_duckdb_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b NOT IN (0, 1)

-- name: nan_one_duckdb_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b BETWEEN 0.5 AND 2

-- name: nan_one_duckdb_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b + 1 > 1.5

-- name: nan_one_duckdb_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_one_duckdb
WHERE b > 0.5 AND id >= 10

-- name: nan_one_duckdb_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM nan_one_duckdb

-- name: nan_one_duckdb_min
SELECT MIN(b) + 0.0 AS least
FROM nan_one_duckdb

-- name: nan_one_duckdb_max
SELECT MAX(b) + 0.0 AS greatest
FROM nan_one_duckdb

-- name: nan_one_duckdb_count
SELECT COUNT(*) AS n
FROM nan_one_duckdb

-- name: nan_one_duckdb_count_known
SELECT COUNT(b) AS n
FROM nan_one_duckdb

-- name: nan_one_duckdb_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM nan_one_duckdb
GROUP BY id % 3

-- name: nan_one_duckdb_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM nan_one_duckdb
WHERE b >= 0

-- name: nan_one_duckdb_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM nan_one_duckdb
GROUP BY b + 0.0

-- name: nan_one_duckdb_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM nan_one_duckdb

-- name: nan_one_duckdb_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_one_duckdb
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: nan_one_duckdb_top_asc_plain
-- ordered
SELECT b AS b
FROM nan_one_duckdb
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: nan_one_duckdb_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_one_duckdb
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: nan_one_duckdb_top_desc_plain
-- ordered
SELECT b AS b
FROM nan_one_duckdb
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: nan_one_duckdb_joined
SELECT x.id AS id, y.id AS other
FROM nan_one_duckdb x INNER JOIN nan_one_duckdb y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 0

-- name: nan_one_duckdb_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM nan_one_duckdb x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b

-- name: nan_groups_all
SELECT id AS id, b AS b, g AS g
FROM nan_groups

-- name: nan_groups_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b > 0.5

-- name: nan_groups_above_half_rows
SELECT id AS id, b AS b
FROM nan_groups
WHERE b > 0.5

-- name: nan_groups_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE g > 0.5

-- name: nan_groups_above_half_float_rows
SELECT id AS id, g AS g
FROM nan_groups
WHERE g > 0.5

-- name: nan_groups_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b >= 1

-- name: nan_groups_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b = 1

-- name: nan_groups_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b <> 1

-- name: nan_groups_not_one_rows
SELECT id AS id, b AS b
FROM nan_groups
WHERE b <> 1

-- name: nan_groups_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE g <> 1

-- name: nan_groups_not_one_float_rows
SELECT id AS id, g AS g
FROM nan_groups
WHERE g <> 1

-- name: nan_groups_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b < 1

-- name: nan_groups_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE NOT (b < 1)

-- name: nan_groups_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b > 1000

-- name: nan_groups_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b IS NULL

-- name: nan_groups_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b IS NOT NULL

-- name: nan_groups_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE isnan(b)

-- name: nan_groups_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE NOT isnan(b)

-- name: nan_groups_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b = CAST('NaN' AS DOUBLE)

-- name: nan_groups_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b IN (1, 3, 50)

-- name: nan_groups_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b NOT IN (0, 1)

-- name: nan_groups_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b BETWEEN 0.5 AND 2

-- name: nan_groups_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b + 1 > 1.5

-- name: nan_groups_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups
WHERE b > 0.5 AND id >= 10

-- name: nan_groups_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM nan_groups

-- name: nan_groups_min
SELECT MIN(b) + 0.0 AS least
FROM nan_groups

-- name: nan_groups_max
SELECT MAX(b) + 0.0 AS greatest
FROM nan_groups

-- name: nan_groups_count
SELECT COUNT(*) AS n
FROM nan_groups

-- name: nan_groups_count_known
SELECT COUNT(b) AS n
FROM nan_groups

-- name: nan_groups_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM nan_groups
GROUP BY id % 3

-- name: nan_groups_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM nan_groups
WHERE b >= 0

-- name: nan_groups_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM nan_groups
GROUP BY b + 0.0

-- name: nan_groups_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM nan_groups

-- name: nan_groups_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_groups
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: nan_groups_top_asc_plain
-- ordered
SELECT b AS b
FROM nan_groups
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: nan_groups_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_groups
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: nan_groups_top_desc_plain
-- ordered
SELECT b AS b
FROM nan_groups
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: nan_groups_joined
SELECT x.id AS id, y.id AS other
FROM nan_groups x INNER JOIN nan_groups y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 0

-- name: nan_groups_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM nan_groups x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b

-- name: nan_groups_duckdb_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b > 0.5

-- name: nan_groups_duckdb_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE g > 0.5

-- name: nan_groups_duckdb_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b >= 1

-- name: nan_groups_duckdb_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b = 1

-- name: nan_groups_duckdb_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b <> 1

-- name: nan_groups_duckdb_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE g <> 1

-- name: nan_groups_duckdb_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b < 1

-- name: nan_groups_duckdb_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE NOT (b < 1)

-- name: nan_groups_duckdb_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b > 1000

-- name: nan_groups_duckdb_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b IS NULL

-- name: nan_groups_duckdb_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b IS NOT NULL

-- name: nan_groups_duckdb_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE isnan(b)

-- name: nan_groups_duckdb_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE NOT isnan(b)

-- name: nan_groups_duckdb_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b = CAST('NaN' AS DOUBLE)

-- name: nan_groups_duckdb_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b IN (1, 3, 50)

-- name: nan_groups_duckdb_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b NOT IN (0, 1)

-- name: nan_groups_duckdb_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b BETWEEN 0.5 AND 2

-- name: nan_groups_duckdb_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b + 1 > 1.5

-- name: nan_groups_duckdb_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_groups_duckdb
WHERE b > 0.5 AND id >= 10

-- name: nan_groups_duckdb_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM nan_groups_duckdb

-- name: nan_groups_duckdb_min
SELECT MIN(b) + 0.0 AS least
FROM nan_groups_duckdb

-- name: nan_groups_duckdb_max
SELECT MAX(b) + 0.0 AS greatest
FROM nan_groups_duckdb

-- name: nan_groups_duckdb_count
SELECT COUNT(*) AS n
FROM nan_groups_duckdb

-- name: nan_groups_duckdb_count_known
SELECT COUNT(b) AS n
FROM nan_groups_duckdb

-- name: nan_groups_duckdb_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM nan_groups_duckdb
GROUP BY id % 3

-- name: nan_groups_duckdb_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM nan_groups_duckdb
WHERE b >= 0

-- name: nan_groups_duckdb_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM nan_groups_duckdb
GROUP BY b + 0.0

-- name: nan_groups_duckdb_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM nan_groups_duckdb

-- name: nan_groups_duckdb_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_groups_duckdb
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: nan_groups_duckdb_top_asc_plain
-- ordered
SELECT b AS b
FROM nan_groups_duckdb
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: nan_groups_duckdb_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_groups_duckdb
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: nan_groups_duckdb_top_desc_plain
-- ordered
SELECT b AS b
FROM nan_groups_duckdb
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: nan_groups_duckdb_joined
SELECT x.id AS id, y.id AS other
FROM nan_groups_duckdb x INNER JOIN nan_groups_duckdb y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 2060

-- name: nan_groups_duckdb_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM nan_groups_duckdb x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b

-- name: nan_files_all
SELECT id AS id, b AS b, g AS g
FROM nan_files

-- name: nan_files_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b > 0.5

-- name: nan_files_above_half_rows
SELECT id AS id, b AS b
FROM nan_files
WHERE b > 0.5

-- name: nan_files_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE g > 0.5

-- name: nan_files_above_half_float_rows
SELECT id AS id, g AS g
FROM nan_files
WHERE g > 0.5

-- name: nan_files_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b >= 1

-- name: nan_files_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b = 1

-- name: nan_files_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b <> 1

-- name: nan_files_not_one_rows
SELECT id AS id, b AS b
FROM nan_files
WHERE b <> 1

-- name: nan_files_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE g <> 1

-- name: nan_files_not_one_float_rows
SELECT id AS id, g AS g
FROM nan_files
WHERE g <> 1

-- name: nan_files_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b < 1

-- name: nan_files_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE NOT (b < 1)

-- name: nan_files_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b > 1000

-- name: nan_files_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b IS NULL

-- name: nan_files_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b IS NOT NULL

-- name: nan_files_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE isnan(b)

-- name: nan_files_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE NOT isnan(b)

-- name: nan_files_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b = CAST('NaN' AS DOUBLE)

-- name: nan_files_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b IN (1, 3, 50)

-- name: nan_files_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b NOT IN (0, 1)

-- name: nan_files_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b BETWEEN 0.5 AND 2

-- name: nan_files_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b + 1 > 1.5

-- name: nan_files_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM nan_files
WHERE b > 0.5 AND id >= 10

-- name: nan_files_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM nan_files

-- name: nan_files_min
SELECT MIN(b) + 0.0 AS least
FROM nan_files

-- name: nan_files_max
SELECT MAX(b) + 0.0 AS greatest
FROM nan_files

-- name: nan_files_count
SELECT COUNT(*) AS n
FROM nan_files

-- name: nan_files_count_known
SELECT COUNT(b) AS n
FROM nan_files

-- name: nan_files_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM nan_files
GROUP BY id % 3

-- name: nan_files_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM nan_files
WHERE b >= 0

-- name: nan_files_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM nan_files
GROUP BY b + 0.0

-- name: nan_files_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM nan_files

-- name: nan_files_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_files
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: nan_files_top_asc_plain
-- ordered
SELECT b AS b
FROM nan_files
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: nan_files_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM nan_files
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: nan_files_top_desc_plain
-- ordered
SELECT b AS b
FROM nan_files
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: nan_files_joined
SELECT x.id AS id, y.id AS other
FROM nan_files x INNER JOIN nan_files y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 0

-- name: nan_files_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM nan_files x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b

-- name: one_value_all
SELECT id AS id, b AS b, g AS g
FROM one_value

-- name: one_value_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b > 0.5

-- name: one_value_above_half_rows
SELECT id AS id, b AS b
FROM one_value
WHERE b > 0.5

-- name: one_value_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE g > 0.5

-- name: one_value_above_half_float_rows
SELECT id AS id, g AS g
FROM one_value
WHERE g > 0.5

-- name: one_value_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b >= 1

-- name: one_value_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b = 1

-- name: one_value_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b <> 1

-- name: one_value_not_one_rows
SELECT id AS id, b AS b
FROM one_value
WHERE b <> 1

-- name: one_value_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE g <> 1

-- name: one_value_not_one_float_rows
SELECT id AS id, g AS g
FROM one_value
WHERE g <> 1

-- name: one_value_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b < 1

-- name: one_value_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE NOT (b < 1)

-- name: one_value_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b > 1000

-- name: one_value_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b IS NULL

-- name: one_value_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b IS NOT NULL

-- name: one_value_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE isnan(b)

-- name: one_value_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE NOT isnan(b)

-- name: one_value_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b = CAST('NaN' AS DOUBLE)

-- name: one_value_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b IN (1, 3, 50)

-- name: one_value_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b NOT IN (0, 1)

-- name: one_value_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b BETWEEN 0.5 AND 2

-- name: one_value_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b + 1 > 1.5

-- name: one_value_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM one_value
WHERE b > 0.5 AND id >= 10

-- name: one_value_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM one_value

-- name: one_value_min
SELECT MIN(b) + 0.0 AS least
FROM one_value

-- name: one_value_max
SELECT MAX(b) + 0.0 AS greatest
FROM one_value

-- name: one_value_count
SELECT COUNT(*) AS n
FROM one_value

-- name: one_value_count_known
SELECT COUNT(b) AS n
FROM one_value

-- name: one_value_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM one_value
GROUP BY id % 3

-- name: one_value_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM one_value
WHERE b >= 0

-- name: one_value_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM one_value
GROUP BY b + 0.0

-- name: one_value_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM one_value

-- name: one_value_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM one_value
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: one_value_top_asc_plain
-- ordered
SELECT b AS b
FROM one_value
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: one_value_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM one_value
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: one_value_top_desc_plain
-- ordered
SELECT b AS b
FROM one_value
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: one_value_joined
SELECT x.id AS id, y.id AS other
FROM one_value x INNER JOIN one_value y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 0

-- name: one_value_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM one_value x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b

-- name: all_null_all
SELECT id AS id, b AS b, g AS g
FROM all_null

-- name: all_null_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b > 0.5

-- name: all_null_above_half_rows
SELECT id AS id, b AS b
FROM all_null
WHERE b > 0.5

-- name: all_null_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE g > 0.5

-- name: all_null_above_half_float_rows
SELECT id AS id, g AS g
FROM all_null
WHERE g > 0.5

-- name: all_null_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b >= 1

-- name: all_null_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b = 1

-- name: all_null_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b <> 1

-- name: all_null_not_one_rows
SELECT id AS id, b AS b
FROM all_null
WHERE b <> 1

-- name: all_null_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE g <> 1

-- name: all_null_not_one_float_rows
SELECT id AS id, g AS g
FROM all_null
WHERE g <> 1

-- name: all_null_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b < 1

-- name: all_null_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE NOT (b < 1)

-- name: all_null_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b > 1000

-- name: all_null_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b IS NULL

-- name: all_null_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b IS NOT NULL

-- name: all_null_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE isnan(b)

-- name: all_null_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE NOT isnan(b)

-- name: all_null_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b = CAST('NaN' AS DOUBLE)

-- name: all_null_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b IN (1, 3, 50)

-- name: all_null_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b NOT IN (0, 1)

-- name: all_null_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b BETWEEN 0.5 AND 2

-- name: all_null_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b + 1 > 1.5

-- name: all_null_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_null
WHERE b > 0.5 AND id >= 10

-- name: all_null_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM all_null

-- name: all_null_min
SELECT MIN(b) + 0.0 AS least
FROM all_null

-- name: all_null_max
SELECT MAX(b) + 0.0 AS greatest
FROM all_null

-- name: all_null_count
SELECT COUNT(*) AS n
FROM all_null

-- name: all_null_count_known
SELECT COUNT(b) AS n
FROM all_null

-- name: all_null_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM all_null
GROUP BY id % 3

-- name: all_null_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM all_null
WHERE b >= 0

-- name: all_null_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM all_null
GROUP BY b + 0.0

-- name: all_null_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM all_null

-- name: all_null_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM all_null
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: all_null_top_asc_plain
-- ordered
SELECT b AS b
FROM all_null
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: all_null_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM all_null
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: all_null_top_desc_plain
-- ordered
SELECT b AS b
FROM all_null
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: all_null_joined
SELECT x.id AS id, y.id AS other
FROM all_null x INNER JOIN all_null y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 0

-- name: all_null_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM all_null x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b

-- name: all_nan_all
SELECT id AS id, b AS b, g AS g
FROM all_nan

-- name: all_nan_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b > 0.5

-- name: all_nan_above_half_rows
SELECT id AS id, b AS b
FROM all_nan
WHERE b > 0.5

-- name: all_nan_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE g > 0.5

-- name: all_nan_above_half_float_rows
SELECT id AS id, g AS g
FROM all_nan
WHERE g > 0.5

-- name: all_nan_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b >= 1

-- name: all_nan_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b = 1

-- name: all_nan_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b <> 1

-- name: all_nan_not_one_rows
SELECT id AS id, b AS b
FROM all_nan
WHERE b <> 1

-- name: all_nan_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE g <> 1

-- name: all_nan_not_one_float_rows
SELECT id AS id, g AS g
FROM all_nan
WHERE g <> 1

-- name: all_nan_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b < 1

-- name: all_nan_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE NOT (b < 1)

-- name: all_nan_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b > 1000

-- name: all_nan_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b IS NULL

-- name: all_nan_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b IS NOT NULL

-- name: all_nan_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE isnan(b)

-- name: all_nan_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE NOT isnan(b)

-- name: all_nan_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b = CAST('NaN' AS DOUBLE)

-- name: all_nan_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b IN (1, 3, 50)

-- name: all_nan_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b NOT IN (0, 1)

-- name: all_nan_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b BETWEEN 0.5 AND 2

-- name: all_nan_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b + 1 > 1.5

-- name: all_nan_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM all_nan
WHERE b > 0.5 AND id >= 10

-- name: all_nan_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM all_nan

-- name: all_nan_min
SELECT MIN(b) + 0.0 AS least
FROM all_nan

-- name: all_nan_max
SELECT MAX(b) + 0.0 AS greatest
FROM all_nan

-- name: all_nan_count
SELECT COUNT(*) AS n
FROM all_nan

-- name: all_nan_count_known
SELECT COUNT(b) AS n
FROM all_nan

-- name: all_nan_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM all_nan
GROUP BY id % 3

-- name: all_nan_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM all_nan
WHERE b >= 0

-- name: all_nan_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM all_nan
GROUP BY b + 0.0

-- name: all_nan_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM all_nan

-- name: all_nan_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM all_nan
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: all_nan_top_asc_plain
-- ordered
SELECT b AS b
FROM all_nan
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: all_nan_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM all_nan
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: all_nan_top_desc_plain
-- ordered
SELECT b AS b
FROM all_nan
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: all_nan_joined
SELECT x.id AS id, y.id AS other
FROM all_nan x INNER JOIN all_nan y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 0

-- name: all_nan_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM all_nan x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b

-- name: inf_all
SELECT id AS id, b AS b, g AS g
FROM inf

-- name: inf_above_half_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b > 0.5

-- name: inf_above_half_rows
SELECT id AS id, b AS b
FROM inf
WHERE b > 0.5

-- name: inf_above_half_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE g > 0.5

-- name: inf_above_half_float_rows
SELECT id AS id, g AS g
FROM inf
WHERE g > 0.5

-- name: inf_at_least_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b >= 1

-- name: inf_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b = 1

-- name: inf_not_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b <> 1

-- name: inf_not_one_rows
SELECT id AS id, b AS b
FROM inf
WHERE b <> 1

-- name: inf_not_one_float_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE g <> 1

-- name: inf_not_one_float_rows
SELECT id AS id, g AS g
FROM inf
WHERE g <> 1

-- name: inf_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b < 1

-- name: inf_not_below_one_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE NOT (b < 1)

-- name: inf_above_all_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b > 1000

-- name: inf_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b IS NULL

-- name: inf_not_null_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b IS NOT NULL

-- name: inf_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE isnan(b)

-- name: inf_not_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE NOT isnan(b)

-- name: inf_equals_nan_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b = CAST('NaN' AS DOUBLE)

-- name: inf_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b IN (1, 3, 50)

-- name: inf_not_in_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b NOT IN (0, 1)

-- name: inf_between_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b BETWEEN 0.5 AND 2

-- name: inf_computed_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b + 1 > 1.5

-- name: inf_and_id_count
SELECT COUNT(*) AS n, SUM(id) AS ids, MIN(id) AS first_id, MAX(id) AS last_id
FROM inf
WHERE b > 0.5 AND id >= 10

-- name: inf_aggregates
SELECT MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, MIN(g) + 0.0 AS least_float, MAX(g) + 0.0 AS greatest_float,
    COUNT(b) AS known, COUNT(*) AS n, COUNT(g) AS known_float, SUM(b) AS total
FROM inf

-- name: inf_min
SELECT MIN(b) + 0.0 AS least
FROM inf

-- name: inf_max
SELECT MAX(b) + 0.0 AS greatest
FROM inf

-- name: inf_count
SELECT COUNT(*) AS n
FROM inf

-- name: inf_count_known
SELECT COUNT(b) AS n
FROM inf

-- name: inf_max_grouped
SELECT id % 3 AS rest, MIN(b) + 0.0 AS least, MAX(b) + 0.0 AS greatest, COUNT(b) AS n
FROM inf
GROUP BY id % 3

-- name: inf_max_filtered
SELECT MAX(b) + 0.0 AS greatest, COUNT(*) AS n
FROM inf
WHERE b >= 0

-- name: inf_grouped
SELECT b + 0.0 AS b, COUNT(*) AS n, SUM(id) AS ids
FROM inf
GROUP BY b + 0.0

-- name: inf_distinct_count
SELECT COUNT(DISTINCT b + 0.0) AS n
FROM inf

-- name: inf_top_asc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM inf
ORDER BY b + 0.0 ASC NULLS LAST, id
LIMIT 12

-- name: inf_top_asc_plain
-- ordered
SELECT b AS b
FROM inf
WHERE b <> 0
ORDER BY b ASC NULLS LAST
LIMIT 12

-- name: inf_top_desc
-- ordered
SELECT id AS id, b + 0.0 AS b
FROM inf
ORDER BY b + 0.0 DESC NULLS LAST, id
LIMIT 12

-- name: inf_top_desc_plain
-- ordered
SELECT b AS b
FROM inf
WHERE b <> 0
ORDER BY b DESC NULLS LAST
LIMIT 12

-- name: inf_joined
SELECT x.id AS id, y.id AS other
FROM inf x INNER JOIN inf y ON x.b = y.b AND y.id = x.id + 10
WHERE x.id >= 0

-- name: inf_joined_constant
SELECT COUNT(*) AS n, SUM(x.id) AS ids
FROM inf x INNER JOIN (SELECT DISTINCT b FROM one_value) y ON x.b >= y.b
