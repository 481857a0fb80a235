-- Lists, UNNEST, ordered aggregates, QUALIFY.

-- name: list_column
SELECT id AS id, items AS items, tags AS tags
FROM nested

-- name: unnest_column
SELECT id AS id, UNNEST(items) AS item
FROM nested

-- name: unnest_strings
SELECT grp AS grp, UNNEST(tags) AS tag
FROM nested

-- name: unnest_group
SELECT item AS item, COUNT(*) AS n, SUM(id) AS ids
FROM (SELECT id, UNNEST(items) AS item FROM nested) x
GROUP BY item

-- name: unnest_filtered
SELECT id AS id, item AS item
FROM (SELECT id, UNNEST(items) AS item FROM nested WHERE grp < 4) x
WHERE item > 4

-- name: unnest_filtered_by_id
SELECT id AS id, item AS item
FROM (SELECT id, grp, UNNEST(items) AS item FROM nested) x
WHERE grp = 3

-- name: unnest_join
SELECT x.id AS id, x.item AS item, r.d AS d
FROM (SELECT id, UNNEST(items) AS item FROM nested) x INNER JOIN sr r ON x.item = r.k AND x.id > r.a

-- name: unnest_literal
SELECT UNNEST([1, 2, 3]) AS v

-- name: unnest_literal_from
SELECT v AS v
FROM UNNEST([3, 5, 5, NULL]) AS t(v)

-- name: unnest_literal_group
SELECT v AS v, COUNT(*) AS n
FROM (SELECT UNNEST([3, 5, 5, 7]) AS v) x
GROUP BY v

-- name: unnest_literal_beside_table
SELECT id AS id, UNNEST([10, 20]) AS v
FROM sl
WHERE id < 12

-- name: unnest_literal_join
SELECT l.id AS id, x.v AS v
FROM sl l INNER JOIN (SELECT UNNEST([3, 5, 5, 99]) AS v) x ON l.a = x.v

-- name: unnest_literal_left_join
SELECT x.v AS v, COUNT(l.id) AS n
FROM (SELECT UNNEST([3, 5, 99]) AS v) x LEFT JOIN l ON l.a = x.v
GROUP BY x.v

-- name: unnest_strings_literal
SELECT UNNEST(['a', 'b', NULL]) AS v

-- name: unnest_count
SELECT COUNT(*) AS n
FROM (SELECT UNNEST(items) AS item FROM nested) x

-- name: unnest_union
SELECT id AS v FROM sl WHERE id < 5
UNION ALL
SELECT UNNEST([100, 101]) AS v

-- name: unnest_of_aggregate
SELECT c AS c, UNNEST(ids) AS id
FROM (SELECT c, array_agg(id ORDER BY id) AS ids FROM sl GROUP BY c) x

-- name: array_agg_ordered
SELECT c AS c, array_agg(id ORDER BY id DESC) AS ids
FROM l
GROUP BY c

-- name: array_agg_ordered_by_other
SELECT c AS c, array_agg(s ORDER BY id) AS words
FROM sl
GROUP BY c

-- name: array_agg_two_orders
SELECT c AS c, array_agg(id ORDER BY a DESC, id ASC) AS ids
FROM sl
GROUP BY c

-- name: array_agg_whole
SELECT array_agg(id ORDER BY id) AS ids
FROM sl

-- name: array_agg_filtered
SELECT c AS c, array_agg(id ORDER BY id) FILTER (WHERE a > 5) AS ids
FROM sl
GROUP BY c

-- name: array_agg_decimals
SELECT a AS a, array_agg(d ORDER BY d) AS ds
FROM sr
GROUP BY a

-- name: array_agg_dates
SELECT cid AS cid, array_agg(day ORDER BY ts) AS days
FROM ord
WHERE cid < 10
GROUP BY cid

-- name: array_agg_of_join
SELECT l.c AS c, array_agg(r.d ORDER BY r.d) AS ds
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a
GROUP BY l.c

-- name: first_last_ordered
-- duckdb: SELECT cid AS cid, FIRST(amt ORDER BY ts) AS first_amt, LAST(amt ORDER BY ts) AS last_amt
--   FROM ord
--   GROUP BY cid
SELECT cid AS cid, FIRST_VALUE(amt ORDER BY ts) AS first_amt, LAST_VALUE(amt ORDER BY ts) AS last_amt
FROM ord
GROUP BY cid

-- name: list_functions
SELECT id AS id, array_to_string(tags, '|') AS joined, array_length(items) AS n
FROM nested
WHERE items IS NOT NULL AND id % 2 = 0

-- name: list_element
SELECT id AS id, items[1] AS first_item, items[2] AS second_item, items[9] AS none
FROM nested

-- name: list_contains
SELECT id AS id, list_contains(items, 5) AS has_five
FROM nested

-- name: list_is_null
SELECT items IS NULL AS missing, COUNT(*) AS n
FROM nested
GROUP BY items IS NULL

-- name: qualify_first
SELECT cid AS cid, ts AS ts
FROM ord
QUALIFY ROW_NUMBER() OVER (PARTITION BY cid ORDER BY ts) = 1

-- name: qualify_alias
SELECT id AS id, c AS c, RANK() OVER (PARTITION BY c ORDER BY a DESC) AS place
FROM sl
QUALIFY place <= 2

-- name: qualify_where_group
SELECT cid AS cid, COUNT(*) AS n
FROM ord
WHERE amt > 100
GROUP BY cid
QUALIFY RANK() OVER (ORDER BY COUNT(*) DESC) <= 10

-- name: qualify_join
SELECT l.id AS id, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > r.a
QUALIFY ROW_NUMBER() OVER (PARTITION BY l.id ORDER BY r.d DESC) = 1

-- name: qualify_count
SELECT id AS id, k2 AS k2
FROM l
QUALIFY COUNT(*) OVER (PARTITION BY k2) = 1

-- name: distinct_on_with_key
SELECT DISTINCT ON (a) a AS a, id AS id, s AS s
FROM l
ORDER BY a, id

-- name: first_value_repeated_key
-- duckdb: SELECT a AS a, FIRST(s ORDER BY id DESC) AS last, FIRST(c ORDER BY id) AS first
--   FROM l
--   GROUP BY a
SELECT a AS a, FIRST_VALUE(s ORDER BY id DESC, id) AS last, FIRST_VALUE(c ORDER BY a, id) AS first
FROM l
GROUP BY a
