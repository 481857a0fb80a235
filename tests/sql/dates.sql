-- DATE and TIMESTAMP: parts, truncation, intervals, comparisons.

-- name: date_parts
SELECT ts AS ts, EXTRACT(YEAR FROM day) AS year, EXTRACT(MONTH FROM day) AS month, EXTRACT(DAY FROM day) AS day_of_month, EXTRACT(QUARTER FROM day) AS quarter, EXTRACT(WEEK FROM day) AS week, EXTRACT(DOY FROM day) AS day_of_year, EXTRACT(DOW FROM day) AS day_of_week
FROM ord
WHERE cid < 15

-- name: date_part_function
SELECT date_part('year', day) AS year, date_part('month', day) AS month, COUNT(*) AS n
FROM ord
GROUP BY date_part('year', day), date_part('month', day)

-- name: timestamp_parts
SELECT ts AS ts, EXTRACT(HOUR FROM ts) AS hour, EXTRACT(MINUTE FROM ts) AS minute, EXTRACT(YEAR FROM ts) AS year
FROM ord
WHERE cid < 8

-- name: timestamp_epoch
SELECT ts AS ts, CAST(EXTRACT(EPOCH FROM date_trunc('second', ts)) AS BIGINT) AS seconds
FROM ord
WHERE cid < 8

-- name: date_epoch_days
SELECT day AS day, CAST(EXTRACT(EPOCH FROM CAST(day AS TIMESTAMP)) AS BIGINT) AS seconds, COUNT(*) AS n
FROM ord
WHERE day < DATE '2025-01-15'
GROUP BY day

-- name: date_recency
SELECT cid AS cid, CAST((CAST(EXTRACT(EPOCH FROM TIMESTAMP '2025-11-01 00:00:00') AS BIGINT) - CAST(EXTRACT(EPOCH FROM CAST(MAX(day) AS TIMESTAMP)) AS BIGINT)) AS DOUBLE) / 86400 AS recency
FROM ord
GROUP BY cid

-- name: date_truncated
SELECT CAST(date_trunc('month', day) AS DATE) AS month, COUNT(*) AS n, SUM(price) AS total
FROM ord
GROUP BY CAST(date_trunc('month', day) AS DATE)

-- name: date_truncated_many
SELECT ts AS ts, CAST(date_trunc('year', ts) AS DATE) AS year, CAST(date_trunc('quarter', ts) AS DATE) AS quarter, CAST(date_trunc('week', ts) AS DATE) AS week, CAST(date_trunc('day', ts) AS TIMESTAMP) AS day, CAST(date_trunc('hour', ts) AS TIMESTAMP) AS hour
FROM ord
WHERE cid < 8

-- name: date_plus_interval
SELECT ts AS ts, CAST(day + INTERVAL '1 month' AS DATE) AS next_month, CAST(day - INTERVAL '10 days' AS DATE) AS before, CAST(day + INTERVAL '1 year' AS DATE) AS next_year
FROM ord
WHERE cid < 12

-- name: date_month_ends
SELECT CAST(DATE '2024-01-31' + INTERVAL '1 month' AS DATE) AS leap, CAST(DATE '2025-01-31' + INTERVAL '1 month' AS DATE) AS plain, CAST(DATE '2024-02-29' + INTERVAL '1 year' AS DATE) AS year, CAST(DATE '2025-03-31' - INTERVAL '1 month' AS DATE) AS back

-- name: timestamp_plus_interval
SELECT ts AS ts, ts + INTERVAL '90 minutes' AS later, ts - INTERVAL '1 day' AS earlier, ts + INTERVAL '1 month' AS next_month
FROM ord
WHERE cid < 8

-- name: date_compare
SELECT COUNT(*) AS n, SUM(price) AS total, MIN(day) AS first_day, MAX(day) AS last_day
FROM ord
WHERE day >= DATE '2025-01-01' AND day < DATE '2025-04-01'

-- name: date_compare_interval
SELECT cid AS cid, COUNT(*) AS n
FROM ord
WHERE day > DATE '2025-10-01' - INTERVAL '90 days' AND day <= DATE '2025-10-01'
GROUP BY cid

-- name: date_between
SELECT ts AS ts, day AS day
FROM ord
WHERE day BETWEEN DATE '2025-02-27' AND DATE '2025-03-05'

-- name: date_in
SELECT ts AS ts, day AS day
FROM ord
WHERE day IN (DATE '2025-02-28', DATE '2025-03-01', DATE '1999-01-01')

-- name: date_not_equal
SELECT COUNT(*) AS n
FROM ord
WHERE day <> DATE '2025-03-01'

-- name: date_is_null
SELECT day IS NULL AS missing, COUNT(*) AS n, MIN(ts) AS first_time, MAX(ts) AS last_time
FROM ord
GROUP BY day IS NULL

-- name: timestamp_compare
SELECT ts AS ts, cid AS cid
FROM ord
WHERE ts >= TIMESTAMP '2025-05-01 12:30:00' AND ts < TIMESTAMP '2025-05-15 00:00:00'

-- name: timestamp_compare_date
SELECT COUNT(*) AS n, MAX(ts) AS last
FROM ord
WHERE ts < DATE '2025-03-01'

-- name: timestamp_as_date
SELECT CAST(ts AS DATE) AS day, COUNT(*) AS n
FROM ord
WHERE ts < TIMESTAMP '2025-01-10 00:00:00'
GROUP BY CAST(ts AS DATE)

-- name: timestamp_fraction
SELECT ts AS ts
FROM ord
WHERE date_trunc('second', ts) <> ts AND cid < 20

-- name: date_as_string
SELECT ts AS ts, CAST(day AS VARCHAR) AS text, SUBSTR(CAST(day AS VARCHAR), 1, 7) AS month
FROM ord
WHERE cid < 10

-- name: date_from_string
SELECT CAST('2026-01-31' AS DATE) AS d, CAST('2026-01-31 10:00:00' AS TIMESTAMP) AS t, CAST(TIMESTAMP '2026-01-31 10:00:00' AS DATE) AS cut

-- name: date_first_and_last
SELECT cid AS cid, MIN(day) AS first_day, MAX(day) AS last_day, COUNT(DISTINCT day) AS days
FROM ord
GROUP BY cid

-- name: date_distinct_months
SELECT cid AS cid, COUNT(DISTINCT date_trunc('month', ts)) AS months
FROM ord
GROUP BY cid

-- name: date_order
-- ordered
SELECT day AS day, ts AS ts
FROM ord
ORDER BY day DESC NULLS LAST, ts DESC
LIMIT 60

-- name: date_order_nulls_first
-- ordered
SELECT day AS day, ts AS ts
FROM ord
ORDER BY day NULLS FIRST, ts
LIMIT 40

-- name: date_coalesce
SELECT cid AS cid, COUNT(*) AS n, MIN(COALESCE(day, DATE '2000-01-01')) AS first_day
FROM ord
GROUP BY cid

-- name: date_case_of_season
SELECT CASE WHEN EXTRACT(MONTH FROM day) IN (12, 1, 2) THEN 'winter' WHEN EXTRACT(MONTH FROM day) BETWEEN 3 AND 5 THEN 'spring' WHEN day IS NULL THEN 'unknown' ELSE 'other' END AS season, COUNT(*) AS n
FROM ord
GROUP BY CASE WHEN EXTRACT(MONTH FROM day) IN (12, 1, 2) THEN 'winter' WHEN EXTRACT(MONTH FROM day) BETWEEN 3 AND 5 THEN 'spring' WHEN day IS NULL THEN 'unknown' ELSE 'other' END

-- name: date_join_next_day
SELECT x.ts AS ts, y.ts AS next_ts
FROM ord x INNER JOIN ord y ON x.cid = y.cid AND y.ts > x.ts AND y.ts < x.ts + INTERVAL '3 days'

-- name: date_window_gap
SELECT ts AS ts, LAG(day) OVER (PARTITION BY cid ORDER BY ts) AS before, CAST(EXTRACT(EPOCH FROM date_trunc('day', ts)) AS BIGINT) - CAST(EXTRACT(EPOCH FROM date_trunc('day', LAG(ts) OVER (PARTITION BY cid ORDER BY ts))) AS BIGINT) AS gap
FROM ord
WHERE cid < 10
