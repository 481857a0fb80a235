-- Window functions. Every order in a window is total, or the function gives the same for equal rows.

-- name: window_row_number
SELECT id AS id, ROW_NUMBER() OVER (PARTITION BY c ORDER BY a DESC NULLS LAST, id) AS place
FROM l
WHERE id < 200

-- name: window_ranks
SELECT id AS id, RANK() OVER (PARTITION BY c ORDER BY a) AS rank, DENSE_RANK() OVER (PARTITION BY c ORDER BY a) AS dense, PERCENT_RANK() OVER (PARTITION BY c ORDER BY a) AS share, CUME_DIST() OVER (PARTITION BY c ORDER BY a) AS cumulated
FROM l
WHERE id < 150

-- name: window_rank_nulls_first
SELECT id AS id, RANK() OVER (ORDER BY s NULLS FIRST) AS rank
FROM sl

-- name: window_rank_nulls_last
SELECT id AS id, RANK() OVER (ORDER BY s DESC NULLS LAST) AS rank
FROM sl

-- name: window_ntile
SELECT ts AS ts, NTILE(5) OVER (ORDER BY amt NULLS LAST, ts) AS fifth
FROM ord
WHERE cid < 15

-- name: window_ntile_partitioned
SELECT cid AS cid, ts AS ts, NTILE(4) OVER (PARTITION BY cid ORDER BY ts) AS quarter
FROM ord
WHERE cid < 12

-- name: window_lag_lead
SELECT ts AS ts, LAG(amt) OVER (PARTITION BY cid ORDER BY ts) AS before, LEAD(amt) OVER (PARTITION BY cid ORDER BY ts) AS after, LAG(amt, 2, -1.0) OVER (PARTITION BY cid ORDER BY ts) AS before_two
FROM ord
WHERE cid < 12

-- name: window_first_last
SELECT ts AS ts, FIRST_VALUE(ts) OVER (PARTITION BY cid ORDER BY ts) AS first_ts, LAST_VALUE(ts) OVER (PARTITION BY cid ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last_ts, NTH_VALUE(ts, 2) OVER (PARTITION BY cid ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS second_ts
FROM ord
WHERE cid < 12

-- name: window_running
SELECT id AS id, SUM(a) OVER (ORDER BY id) AS running, COUNT(k2) OVER (ORDER BY id) AS keys, MIN(c) OVER (ORDER BY id) AS least, MAX(s) OVER (ORDER BY id) AS word
FROM l
WHERE id < 120

-- name: window_whole
SELECT id AS id, COUNT(*) OVER () AS n, SUM(a) OVER () AS total, AVG(c) OVER () AS mean
FROM sl

-- name: window_partition_without_order
SELECT id AS id, c AS c, COUNT(*) OVER (PARTITION BY c) AS n, SUM(id) OVER (PARTITION BY c) AS total, MAX(k2) OVER (PARTITION BY c) AS most
FROM l
WHERE a > 4

-- name: window_rows_frame
SELECT id AS id, SUM(id) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING) AS around, AVG(a) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS moving, COUNT(*) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS rest
FROM l
WHERE id < 100

-- name: window_rows_frame_before
SELECT id AS id, SUM(a) OVER (PARTITION BY c ORDER BY id ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING) AS before
FROM l
WHERE id < 150

-- name: window_rows_frame_minmax
SELECT id AS id, MIN(a) OVER (ORDER BY id ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS least, MAX(a) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 3 FOLLOWING) AS most
FROM l
WHERE id < 100

-- name: window_range_frame
SELECT id AS id, COUNT(*) OVER (ORDER BY id RANGE BETWEEN 10 PRECEDING AND 5 FOLLOWING) AS near, SUM(a) OVER (ORDER BY id RANGE BETWEEN 10 PRECEDING AND CURRENT ROW) AS total
FROM l
WHERE id % 3 <> 0 AND id < 150

-- name: window_range_peers
SELECT id AS id, SUM(id) OVER (ORDER BY a) AS running, COUNT(*) OVER (ORDER BY a RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS n
FROM sl

-- name: window_range_days
SELECT ts AS ts, COUNT(*) OVER (PARTITION BY cid ORDER BY ts RANGE BETWEEN INTERVAL '30 days' PRECEDING AND CURRENT ROW) AS recent
FROM ord
WHERE cid < 15

-- name: window_groups_frame
SELECT id AS id, SUM(id) OVER (ORDER BY a GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS total
FROM sl

-- name: window_over_aggregate
SELECT cid AS cid, SUM(price) AS total, RANK() OVER (ORDER BY SUM(price) DESC NULLS LAST) AS place
FROM ord
GROUP BY cid

-- name: window_share_of_total
SELECT cid AS cid, COUNT(*) AS n, CAST(COUNT(*) AS DOUBLE) / SUM(COUNT(*)) OVER () AS share
FROM ord
GROUP BY cid

-- name: window_filtered_after
SELECT cid AS cid, ts AS ts, price AS price
FROM (SELECT cid, ts, price, ROW_NUMBER() OVER (PARTITION BY cid ORDER BY ts DESC) AS place FROM ord) x
WHERE place <= 2

-- name: window_filtered_first
SELECT c AS c, id AS id
FROM (SELECT c, id, RANK() OVER (PARTITION BY c ORDER BY a DESC, id) AS place FROM l) x
WHERE place = 1

-- name: window_named
SELECT id AS id, SUM(a) OVER w AS total, COUNT(*) OVER w AS n
FROM sl
WINDOW w AS (PARTITION BY c ORDER BY id)

-- name: window_many_partitions
SELECT id AS id, ROW_NUMBER() OVER (PARTITION BY a ORDER BY id) AS by_a, ROW_NUMBER() OVER (PARTITION BY c ORDER BY id) AS by_c, ROW_NUMBER() OVER (ORDER BY id DESC) AS back
FROM l
WHERE id < 150

-- name: window_null_partition
SELECT id AS id, COUNT(*) OVER (PARTITION BY s) AS n, SUM(id) OVER (PARTITION BY k2 ORDER BY id) AS total
FROM sl

-- name: window_nan_partition
SELECT id AS id, COUNT(*) OVER (PARTITION BY f + 0.0) AS n
FROM sl

-- name: window_nan_order
SELECT id AS id, RANK() OVER (ORDER BY f + 0.0 NULLS LAST) AS place
FROM sl

-- name: window_top
-- ordered
SELECT id AS id, SUM(a) OVER (PARTITION BY c ORDER BY id) AS total
FROM l
ORDER BY total DESC, id
LIMIT 30

-- name: window_lag_beside_descending
SELECT id AS id, LAG(c) OVER (ORDER BY id) AS before, ROW_NUMBER() OVER (ORDER BY id DESC) AS place
FROM sl

-- name: window_lead_beside_descending
SELECT id AS id, LEAD(c, 2) OVER (ORDER BY id) AS after, NTH_VALUE(c, 3) OVER (ORDER BY id) AS third,
    SUM(c) OVER (ORDER BY id DESC) AS total
FROM sl

-- name: window_lead_over_sorted
SELECT id AS id, LEAD(c, 2) OVER (ORDER BY id DESC) AS after
FROM (SELECT * FROM sl ORDER BY id LIMIT 17) x
