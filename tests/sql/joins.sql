-- Joins: every kind by every kind of condition, and what may follow them. Made by make_answers.py: change it there.

-- name: inner_eq_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k
GROUP BY l.c

-- name: inner_eq_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k

-- name: left_eq_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k
GROUP BY l.c

-- name: left_eq_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k

-- name: right_eq_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k
GROUP BY l.c

-- name: right_eq_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k

-- name: full_eq_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k
GROUP BY l.c

-- name: full_eq_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k

-- name: inner_eq_left_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND l.a > 4
GROUP BY l.c

-- name: inner_eq_left_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > 4

-- name: left_eq_left_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND l.a > 4
GROUP BY l.c

-- name: left_eq_left_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > 4

-- name: right_eq_left_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND l.a > 4
GROUP BY l.c

-- name: right_eq_left_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > 4

-- name: full_eq_left_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND l.a > 4
GROUP BY l.c

-- name: full_eq_left_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > 4

-- name: inner_eq_right_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND r.a < 5
GROUP BY l.c

-- name: inner_eq_right_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND r.a < 5

-- name: left_eq_right_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND r.a < 5
GROUP BY l.c

-- name: left_eq_right_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND r.a < 5

-- name: right_eq_right_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND r.a < 5
GROUP BY l.c

-- name: right_eq_right_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND r.a < 5

-- name: full_eq_right_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND r.a < 5
GROUP BY l.c

-- name: full_eq_right_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND r.a < 5

-- name: inner_eq_both_filters_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND l.a > 2 AND r.a < 7
GROUP BY l.c

-- name: inner_eq_both_filters_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > 2 AND r.a < 7

-- name: left_eq_both_filters_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND l.a > 2 AND r.a < 7
GROUP BY l.c

-- name: left_eq_both_filters_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > 2 AND r.a < 7

-- name: right_eq_both_filters_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND l.a > 2 AND r.a < 7
GROUP BY l.c

-- name: right_eq_both_filters_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > 2 AND r.a < 7

-- name: full_eq_both_filters_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND l.a > 2 AND r.a < 7
GROUP BY l.c

-- name: full_eq_both_filters_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > 2 AND r.a < 7

-- name: inner_eq_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND l.a > r.a
GROUP BY l.c

-- name: inner_eq_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: left_eq_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND l.a > r.a
GROUP BY l.c

-- name: left_eq_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: right_eq_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND l.a > r.a
GROUP BY l.c

-- name: right_eq_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: full_eq_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND l.a > r.a
GROUP BY l.c

-- name: full_eq_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: inner_eq_ge_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND l.a >= r.a
GROUP BY l.c

-- name: inner_eq_ge_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a >= r.a

-- name: left_eq_ge_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND l.a >= r.a
GROUP BY l.c

-- name: left_eq_ge_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a >= r.a

-- name: right_eq_ge_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND l.a >= r.a
GROUP BY l.c

-- name: right_eq_ge_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a >= r.a

-- name: full_eq_ge_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND l.a >= r.a
GROUP BY l.c

-- name: full_eq_ge_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a >= r.a

-- name: inner_eq_ne_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND l.a <> r.a
GROUP BY l.c

-- name: inner_eq_ne_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a <> r.a

-- name: left_eq_ne_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND l.a <> r.a
GROUP BY l.c

-- name: left_eq_ne_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a <> r.a

-- name: right_eq_ne_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND l.a <> r.a
GROUP BY l.c

-- name: right_eq_ne_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a <> r.a

-- name: full_eq_ne_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND l.a <> r.a
GROUP BY l.c

-- name: full_eq_ne_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a <> r.a

-- name: inner_eq_sum_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND l.a + r.a > 7
GROUP BY l.c

-- name: inner_eq_sum_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a + r.a > 7

-- name: left_eq_sum_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND l.a + r.a > 7
GROUP BY l.c

-- name: left_eq_sum_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a + r.a > 7

-- name: right_eq_sum_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND l.a + r.a > 7
GROUP BY l.c

-- name: right_eq_sum_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a + r.a > 7

-- name: full_eq_sum_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND l.a + r.a > 7
GROUP BY l.c

-- name: full_eq_sum_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a + r.a > 7

-- name: inner_eq_abs_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND abs(l.c - r.a) < 3
GROUP BY l.c

-- name: inner_eq_abs_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND abs(l.c - r.a) < 3

-- name: left_eq_abs_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND abs(l.c - r.a) < 3
GROUP BY l.c

-- name: left_eq_abs_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND abs(l.c - r.a) < 3

-- name: right_eq_abs_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND abs(l.c - r.a) < 3
GROUP BY l.c

-- name: right_eq_abs_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND abs(l.c - r.a) < 3

-- name: full_eq_abs_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND abs(l.c - r.a) < 3
GROUP BY l.c

-- name: full_eq_abs_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND abs(l.c - r.a) < 3

-- name: inner_eq_or_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND (l.a > 6 OR r.a < 2)
GROUP BY l.c

-- name: inner_eq_or_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND (l.a > 6 OR r.a < 2)

-- name: left_eq_or_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND (l.a > 6 OR r.a < 2)
GROUP BY l.c

-- name: left_eq_or_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND (l.a > 6 OR r.a < 2)

-- name: right_eq_or_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND (l.a > 6 OR r.a < 2)
GROUP BY l.c

-- name: right_eq_or_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND (l.a > 6 OR r.a < 2)

-- name: full_eq_or_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND (l.a > 6 OR r.a < 2)
GROUP BY l.c

-- name: full_eq_or_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND (l.a > 6 OR r.a < 2)

-- name: inner_eq_isnull_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)
GROUP BY l.c

-- name: inner_eq_isnull_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)

-- name: left_eq_isnull_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)
GROUP BY l.c

-- name: left_eq_isnull_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)

-- name: right_eq_isnull_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)
GROUP BY l.c

-- name: right_eq_isnull_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)

-- name: full_eq_isnull_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)
GROUP BY l.c

-- name: full_eq_isnull_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)

-- name: inner_eq_two_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.a = r.a AND l.k2 = r.k
GROUP BY l.c

-- name: inner_eq_two_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.a = r.a AND l.k2 = r.k

-- name: left_eq_two_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.a = r.a AND l.k2 = r.k
GROUP BY l.c

-- name: left_eq_two_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.a = r.a AND l.k2 = r.k

-- name: right_eq_two_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.a = r.a AND l.k2 = r.k
GROUP BY l.c

-- name: right_eq_two_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.a = r.a AND l.k2 = r.k

-- name: full_eq_two_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.a = r.a AND l.k2 = r.k
GROUP BY l.c

-- name: full_eq_two_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.a = r.a AND l.k2 = r.k

-- name: inner_eq_expr_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id + 5 = r.k * 2 + 1
GROUP BY l.c

-- name: inner_eq_expr_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id + 5 = r.k * 2 + 1

-- name: left_eq_expr_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id + 5 = r.k * 2 + 1
GROUP BY l.c

-- name: left_eq_expr_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id + 5 = r.k * 2 + 1

-- name: right_eq_expr_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id + 5 = r.k * 2 + 1
GROUP BY l.c

-- name: right_eq_expr_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id + 5 = r.k * 2 + 1

-- name: full_eq_expr_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id + 5 = r.k * 2 + 1
GROUP BY l.c

-- name: full_eq_expr_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id + 5 = r.k * 2 + 1

-- name: inner_eq_expr_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id % 40 = r.k - 20 AND l.a > r.a
GROUP BY l.c

-- name: inner_eq_expr_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id % 40 = r.k - 20 AND l.a > r.a

-- name: left_eq_expr_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id % 40 = r.k - 20 AND l.a > r.a
GROUP BY l.c

-- name: left_eq_expr_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id % 40 = r.k - 20 AND l.a > r.a

-- name: right_eq_expr_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id % 40 = r.k - 20 AND l.a > r.a
GROUP BY l.c

-- name: right_eq_expr_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id % 40 = r.k - 20 AND l.a > r.a

-- name: full_eq_expr_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id % 40 = r.k - 20 AND l.a > r.a
GROUP BY l.c

-- name: full_eq_expr_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id % 40 = r.k - 20 AND l.a > r.a

-- name: inner_eq_double_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.f = r.f AND l.c = r.a
GROUP BY l.c

-- name: inner_eq_double_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.f = r.f AND l.c = r.a

-- name: left_eq_double_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.f = r.f AND l.c = r.a
GROUP BY l.c

-- name: left_eq_double_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.f = r.f AND l.c = r.a

-- name: right_eq_double_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.f = r.f AND l.c = r.a
GROUP BY l.c

-- name: right_eq_double_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.f = r.f AND l.c = r.a

-- name: full_eq_double_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.f = r.f AND l.c = r.a
GROUP BY l.c

-- name: full_eq_double_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.f = r.f AND l.c = r.a

-- name: inner_eq_double_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.id = r.k AND l.f > r.f
GROUP BY l.c

-- name: inner_eq_double_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.f > r.f

-- name: left_eq_double_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.id = r.k AND l.f > r.f
GROUP BY l.c

-- name: left_eq_double_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.f > r.f

-- name: right_eq_double_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.id = r.k AND l.f > r.f
GROUP BY l.c

-- name: right_eq_double_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.f > r.f

-- name: full_eq_double_gt_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.id = r.k AND l.f > r.f
GROUP BY l.c

-- name: full_eq_double_gt_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.f > r.f

-- name: inner_eq_k2_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.k2 = r.k
GROUP BY l.c

-- name: inner_eq_k2_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.k2 = r.k

-- name: left_eq_k2_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.k2 = r.k
GROUP BY l.c

-- name: left_eq_k2_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.k2 = r.k

-- name: right_eq_k2_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.k2 = r.k
GROUP BY l.c

-- name: right_eq_k2_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.k2 = r.k

-- name: full_eq_k2_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.k2 = r.k
GROUP BY l.c

-- name: full_eq_k2_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.k2 = r.k

-- name: inner_eq_k2_many_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
GROUP BY l.c

-- name: inner_eq_k2_many_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: left_eq_k2_many_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
GROUP BY l.c

-- name: left_eq_k2_many_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: right_eq_k2_many_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
GROUP BY l.c

-- name: right_eq_k2_many_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: full_eq_k2_many_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
GROUP BY l.c

-- name: full_eq_k2_many_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: inner_eq_varchar_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.s = r.s AND l.c > r.a
GROUP BY l.c

-- name: inner_eq_varchar_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.s = r.s AND l.c > r.a

-- name: left_eq_varchar_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.s = r.s AND l.c > r.a
GROUP BY l.c

-- name: left_eq_varchar_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.s = r.s AND l.c > r.a

-- name: right_eq_varchar_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.s = r.s AND l.c > r.a
GROUP BY l.c

-- name: right_eq_varchar_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.s = r.s AND l.c > r.a

-- name: full_eq_varchar_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.s = r.s AND l.c > r.a
GROUP BY l.c

-- name: full_eq_varchar_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.s = r.s AND l.c > r.a

-- name: inner_no_key_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l INNER JOIN r r ON l.a > r.a AND l.id < 20
GROUP BY l.c

-- name: inner_no_key_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l INNER JOIN sr r ON l.a > r.a AND l.id < 4

-- name: left_no_key_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l LEFT JOIN r r ON l.a > r.a AND l.id < 20
GROUP BY l.c

-- name: left_no_key_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l LEFT JOIN sr r ON l.a > r.a AND l.id < 4

-- name: right_no_key_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l RIGHT JOIN r r ON l.a > r.a AND l.id < 20
GROUP BY l.c

-- name: right_no_key_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.a > r.a AND l.id < 4

-- name: full_no_key_group
SELECT l.c AS grp, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(r.d) AS total, MIN(r.d) AS least, MAX(l.id) AS greatest,
    AVG(l.id) AS mean, MIN(r.s) AS word
FROM l l FULL JOIN r r ON l.a > r.a AND l.id < 20
GROUP BY l.c

-- name: full_no_key_select
SELECT l.id AS id, l.c AS c, r.d AS d
FROM sl l FULL JOIN sr r ON l.a > r.a AND l.id < 4

-- name: exists_eq_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE EXISTS (SELECT 1 FROM r r WHERE l.id = r.k)
GROUP BY l.c

-- name: exists_eq_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE l.id = r.k)

-- name: not_exists_eq_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE NOT EXISTS (SELECT 1 FROM r r WHERE l.id = r.k)
GROUP BY l.c

-- name: not_exists_eq_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE NOT EXISTS (SELECT 1 FROM sr r WHERE l.id = r.k)

-- name: in_eq_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id IN (SELECT r.k FROM r r)
GROUP BY l.c

-- name: in_eq_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id IN (SELECT r.k FROM sr r)

-- name: not_in_eq_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id NOT IN (SELECT r.k FROM r r WHERE r.k IS NOT NULL)
GROUP BY l.c

-- name: not_in_eq_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id NOT IN (SELECT r.k FROM sr r WHERE r.k IS NOT NULL)

-- name: not_in_nulls_eq_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id NOT IN (SELECT r.k FROM r r)
GROUP BY l.c

-- name: not_in_nulls_eq_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id NOT IN (SELECT r.k FROM sr r)

-- name: left_semi_eq_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l SEMI JOIN r r ON l.id = r.k
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT SEMI JOIN r r ON l.id = r.k
GROUP BY l.c

-- name: left_semi_eq_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l SEMI JOIN sr r ON l.id = r.k
SELECT l.id AS id, l.s AS s
FROM sl l LEFT SEMI JOIN sr r ON l.id = r.k

-- name: left_anti_eq_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l ANTI JOIN r r ON l.id = r.k
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT ANTI JOIN r r ON l.id = r.k
GROUP BY l.c

-- name: left_anti_eq_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l ANTI JOIN sr r ON l.id = r.k
SELECT l.id AS id, l.s AS s
FROM sl l LEFT ANTI JOIN sr r ON l.id = r.k

-- name: right_semi_eq_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.id = r.k
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.id = r.k
GROUP BY r.s

-- name: right_semi_eq_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r SEMI JOIN sl l ON l.id = r.k
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT SEMI JOIN sr r ON l.id = r.k

-- name: right_anti_eq_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r ANTI JOIN l l ON l.id = r.k
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT ANTI JOIN r r ON l.id = r.k
GROUP BY r.s

-- name: right_anti_eq_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.id = r.k
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.id = r.k

-- name: exists_eq_left_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE EXISTS (SELECT 1 FROM r r WHERE l.id = r.k AND l.a > 4)
GROUP BY l.c

-- name: in_eq_left_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id IN (SELECT r.k FROM r r WHERE l.a > 4)
GROUP BY l.c

-- name: left_anti_eq_left_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l ANTI JOIN r r ON l.id = r.k AND l.a > 4
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT ANTI JOIN r r ON l.id = r.k AND l.a > 4
GROUP BY l.c

-- name: right_semi_eq_left_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r SEMI JOIN sl l ON l.id = r.k AND l.a > 4
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT SEMI JOIN sr r ON l.id = r.k AND l.a > 4

-- name: right_anti_eq_left_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r ANTI JOIN l l ON l.id = r.k AND l.a > 4
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT ANTI JOIN r r ON l.id = r.k AND l.a > 4
GROUP BY r.s

-- name: not_exists_eq_right_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE NOT EXISTS (SELECT 1 FROM r r WHERE l.id = r.k AND r.a < 5)
GROUP BY l.c

-- name: in_eq_right_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id IN (SELECT r.k FROM sr r WHERE r.a < 5)

-- name: not_in_eq_right_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id NOT IN (SELECT r.k FROM r r WHERE r.k IS NOT NULL AND r.a < 5)
GROUP BY l.c

-- name: not_in_nulls_eq_right_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id NOT IN (SELECT r.k FROM sr r WHERE r.a < 5)

-- name: left_semi_eq_right_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l SEMI JOIN r r ON l.id = r.k AND r.a < 5
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT SEMI JOIN r r ON l.id = r.k AND r.a < 5
GROUP BY l.c

-- name: right_semi_eq_right_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.id = r.k AND r.a < 5
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.id = r.k AND r.a < 5
GROUP BY r.s

-- name: right_anti_eq_right_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.id = r.k AND r.a < 5
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.id = r.k AND r.a < 5

-- name: exists_eq_both_filters_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE l.id = r.k AND l.a > 2 AND r.a < 7)

-- name: in_eq_both_filters_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id IN (SELECT r.k FROM sr r WHERE l.a > 2 AND r.a < 7)

-- name: left_anti_eq_both_filters_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l ANTI JOIN sr r ON l.id = r.k AND l.a > 2 AND r.a < 7
SELECT l.id AS id, l.s AS s
FROM sl l LEFT ANTI JOIN sr r ON l.id = r.k AND l.a > 2 AND r.a < 7

-- name: right_semi_eq_both_filters_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.id = r.k AND l.a > 2 AND r.a < 7
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.id = r.k AND l.a > 2 AND r.a < 7
GROUP BY r.s

-- name: right_anti_eq_both_filters_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.id = r.k AND l.a > 2 AND r.a < 7
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.id = r.k AND l.a > 2 AND r.a < 7

-- name: exists_eq_gt_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE EXISTS (SELECT 1 FROM r r WHERE l.id = r.k AND l.a > r.a)
GROUP BY l.c

-- name: exists_eq_gt_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE l.id = r.k AND l.a > r.a)

-- name: not_exists_eq_gt_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE NOT EXISTS (SELECT 1 FROM r r WHERE l.id = r.k AND l.a > r.a)
GROUP BY l.c

-- name: not_exists_eq_gt_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE NOT EXISTS (SELECT 1 FROM sr r WHERE l.id = r.k AND l.a > r.a)

-- name: in_eq_gt_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id IN (SELECT r.k FROM r r WHERE l.a > r.a)
GROUP BY l.c

-- name: in_eq_gt_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id IN (SELECT r.k FROM sr r WHERE l.a > r.a)

-- name: left_semi_eq_gt_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l SEMI JOIN r r ON l.id = r.k AND l.a > r.a
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT SEMI JOIN r r ON l.id = r.k AND l.a > r.a
GROUP BY l.c

-- name: left_semi_eq_gt_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l SEMI JOIN sr r ON l.id = r.k AND l.a > r.a
SELECT l.id AS id, l.s AS s
FROM sl l LEFT SEMI JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: left_anti_eq_gt_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l ANTI JOIN r r ON l.id = r.k AND l.a > r.a
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT ANTI JOIN r r ON l.id = r.k AND l.a > r.a
GROUP BY l.c

-- name: left_anti_eq_gt_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l ANTI JOIN sr r ON l.id = r.k AND l.a > r.a
SELECT l.id AS id, l.s AS s
FROM sl l LEFT ANTI JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: right_semi_eq_gt_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.id = r.k AND l.a > r.a
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.id = r.k AND l.a > r.a
GROUP BY r.s

-- name: right_semi_eq_gt_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r SEMI JOIN sl l ON l.id = r.k AND l.a > r.a
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT SEMI JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: right_anti_eq_gt_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r ANTI JOIN l l ON l.id = r.k AND l.a > r.a
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT ANTI JOIN r r ON l.id = r.k AND l.a > r.a
GROUP BY r.s

-- name: right_anti_eq_gt_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.id = r.k AND l.a > r.a
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: exists_eq_ge_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE EXISTS (SELECT 1 FROM r r WHERE l.id = r.k AND l.a >= r.a)
GROUP BY l.c

-- name: in_eq_ge_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id IN (SELECT r.k FROM r r WHERE l.a >= r.a)
GROUP BY l.c

-- name: left_anti_eq_ge_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l ANTI JOIN r r ON l.id = r.k AND l.a >= r.a
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT ANTI JOIN r r ON l.id = r.k AND l.a >= r.a
GROUP BY l.c

-- name: right_semi_eq_ge_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r SEMI JOIN sl l ON l.id = r.k AND l.a >= r.a
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT SEMI JOIN sr r ON l.id = r.k AND l.a >= r.a

-- name: right_anti_eq_ge_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r ANTI JOIN l l ON l.id = r.k AND l.a >= r.a
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT ANTI JOIN r r ON l.id = r.k AND l.a >= r.a
GROUP BY r.s

-- name: not_exists_eq_ne_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE NOT EXISTS (SELECT 1 FROM r r WHERE l.id = r.k AND l.a <> r.a)
GROUP BY l.c

-- name: in_eq_ne_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id IN (SELECT r.k FROM sr r WHERE l.a <> r.a)

-- name: left_semi_eq_ne_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l SEMI JOIN r r ON l.id = r.k AND l.a <> r.a
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT SEMI JOIN r r ON l.id = r.k AND l.a <> r.a
GROUP BY l.c

-- name: right_semi_eq_ne_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.id = r.k AND l.a <> r.a
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.id = r.k AND l.a <> r.a
GROUP BY r.s

-- name: right_anti_eq_ne_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.id = r.k AND l.a <> r.a
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.id = r.k AND l.a <> r.a

-- name: exists_eq_sum_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE l.id = r.k AND l.a + r.a > 7)

-- name: in_eq_sum_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id IN (SELECT r.k FROM sr r WHERE l.a + r.a > 7)

-- name: left_anti_eq_sum_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l ANTI JOIN sr r ON l.id = r.k AND l.a + r.a > 7
SELECT l.id AS id, l.s AS s
FROM sl l LEFT ANTI JOIN sr r ON l.id = r.k AND l.a + r.a > 7

-- name: right_semi_eq_sum_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.id = r.k AND l.a + r.a > 7
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.id = r.k AND l.a + r.a > 7
GROUP BY r.s

-- name: right_anti_eq_sum_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.id = r.k AND l.a + r.a > 7
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.id = r.k AND l.a + r.a > 7

-- name: not_exists_eq_abs_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE NOT EXISTS (SELECT 1 FROM sr r WHERE l.id = r.k AND abs(l.c - r.a) < 3)

-- name: in_eq_abs_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id IN (SELECT r.k FROM r r WHERE abs(l.c - r.a) < 3)
GROUP BY l.c

-- name: left_semi_eq_abs_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l SEMI JOIN sr r ON l.id = r.k AND abs(l.c - r.a) < 3
SELECT l.id AS id, l.s AS s
FROM sl l LEFT SEMI JOIN sr r ON l.id = r.k AND abs(l.c - r.a) < 3

-- name: right_semi_eq_abs_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r SEMI JOIN sl l ON l.id = r.k AND abs(l.c - r.a) < 3
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT SEMI JOIN sr r ON l.id = r.k AND abs(l.c - r.a) < 3

-- name: right_anti_eq_abs_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r ANTI JOIN l l ON l.id = r.k AND abs(l.c - r.a) < 3
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT ANTI JOIN r r ON l.id = r.k AND abs(l.c - r.a) < 3
GROUP BY r.s

-- name: exists_eq_or_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE EXISTS (SELECT 1 FROM r r WHERE l.id = r.k AND (l.a > 6 OR r.a < 2))
GROUP BY l.c

-- name: in_eq_or_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id IN (SELECT r.k FROM r r WHERE (l.a > 6 OR r.a < 2))
GROUP BY l.c

-- name: left_anti_eq_or_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l ANTI JOIN r r ON l.id = r.k AND (l.a > 6 OR r.a < 2)
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT ANTI JOIN r r ON l.id = r.k AND (l.a > 6 OR r.a < 2)
GROUP BY l.c

-- name: right_semi_eq_or_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r SEMI JOIN sl l ON l.id = r.k AND (l.a > 6 OR r.a < 2)
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT SEMI JOIN sr r ON l.id = r.k AND (l.a > 6 OR r.a < 2)

-- name: right_anti_eq_or_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r ANTI JOIN l l ON l.id = r.k AND (l.a > 6 OR r.a < 2)
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT ANTI JOIN r r ON l.id = r.k AND (l.a > 6 OR r.a < 2)
GROUP BY r.s

-- name: not_exists_eq_isnull_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE NOT EXISTS (SELECT 1 FROM r r WHERE l.id = r.k AND (r.s IS NULL OR l.s < r.s))
GROUP BY l.c

-- name: in_eq_isnull_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id IN (SELECT r.k FROM sr r WHERE (r.s IS NULL OR l.s < r.s))

-- name: left_semi_eq_isnull_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l SEMI JOIN r r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT SEMI JOIN r r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)
GROUP BY l.c

-- name: right_semi_eq_isnull_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)
GROUP BY r.s

-- name: right_anti_eq_isnull_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.id = r.k AND (r.s IS NULL OR l.s < r.s)

-- name: exists_eq_two_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE l.a = r.a AND l.k2 = r.k)

-- name: in_eq_two_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.a IN (SELECT r.a FROM sr r WHERE l.k2 = r.k)

-- name: left_anti_eq_two_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l ANTI JOIN sr r ON l.a = r.a AND l.k2 = r.k
SELECT l.id AS id, l.s AS s
FROM sl l LEFT ANTI JOIN sr r ON l.a = r.a AND l.k2 = r.k

-- name: right_semi_eq_two_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.a = r.a AND l.k2 = r.k
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.a = r.a AND l.k2 = r.k
GROUP BY r.s

-- name: right_anti_eq_two_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.a = r.a AND l.k2 = r.k
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.a = r.a AND l.k2 = r.k

-- name: not_exists_eq_expr_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE NOT EXISTS (SELECT 1 FROM sr r WHERE l.id + 5 = r.k * 2 + 1)

-- name: in_eq_expr_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id + 5 IN (SELECT r.k * 2 + 1 FROM r r)
GROUP BY l.c

-- name: not_in_eq_expr_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id + 5 NOT IN (SELECT r.k * 2 + 1 FROM sr r WHERE r.k * 2 + 1 IS NOT NULL)

-- name: not_in_nulls_eq_expr_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id + 5 NOT IN (SELECT r.k * 2 + 1 FROM r r)
GROUP BY l.c

-- name: left_semi_eq_expr_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l SEMI JOIN sr r ON l.id + 5 = r.k * 2 + 1
SELECT l.id AS id, l.s AS s
FROM sl l LEFT SEMI JOIN sr r ON l.id + 5 = r.k * 2 + 1

-- name: right_semi_eq_expr_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r SEMI JOIN sl l ON l.id + 5 = r.k * 2 + 1
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT SEMI JOIN sr r ON l.id + 5 = r.k * 2 + 1

-- name: right_anti_eq_expr_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r ANTI JOIN l l ON l.id + 5 = r.k * 2 + 1
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT ANTI JOIN r r ON l.id + 5 = r.k * 2 + 1
GROUP BY r.s

-- name: exists_eq_expr_gt_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE EXISTS (SELECT 1 FROM r r WHERE l.id % 40 = r.k - 20 AND l.a > r.a)
GROUP BY l.c

-- name: in_eq_expr_gt_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.id % 40 IN (SELECT r.k - 20 FROM r r WHERE l.a > r.a)
GROUP BY l.c

-- name: left_anti_eq_expr_gt_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l ANTI JOIN r r ON l.id % 40 = r.k - 20 AND l.a > r.a
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT ANTI JOIN r r ON l.id % 40 = r.k - 20 AND l.a > r.a
GROUP BY l.c

-- name: right_semi_eq_expr_gt_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r SEMI JOIN sl l ON l.id % 40 = r.k - 20 AND l.a > r.a
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT SEMI JOIN sr r ON l.id % 40 = r.k - 20 AND l.a > r.a

-- name: right_anti_eq_expr_gt_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r ANTI JOIN l l ON l.id % 40 = r.k - 20 AND l.a > r.a
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT ANTI JOIN r r ON l.id % 40 = r.k - 20 AND l.a > r.a
GROUP BY r.s

-- name: not_exists_eq_double_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE NOT EXISTS (SELECT 1 FROM r r WHERE l.f = r.f AND l.c = r.a)
GROUP BY l.c

-- name: in_eq_double_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.f IN (SELECT r.f FROM sr r WHERE l.c = r.a)

-- name: left_semi_eq_double_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l SEMI JOIN r r ON l.f = r.f AND l.c = r.a
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT SEMI JOIN r r ON l.f = r.f AND l.c = r.a
GROUP BY l.c

-- name: right_semi_eq_double_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.f = r.f AND l.c = r.a
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.f = r.f AND l.c = r.a
GROUP BY r.s

-- name: right_anti_eq_double_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.f = r.f AND l.c = r.a
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.f = r.f AND l.c = r.a

-- name: exists_eq_double_gt_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE l.id = r.k AND l.f > r.f)

-- name: in_eq_double_gt_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.id IN (SELECT r.k FROM sr r WHERE l.f > r.f)

-- name: left_anti_eq_double_gt_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l ANTI JOIN sr r ON l.id = r.k AND l.f > r.f
SELECT l.id AS id, l.s AS s
FROM sl l LEFT ANTI JOIN sr r ON l.id = r.k AND l.f > r.f

-- name: right_semi_eq_double_gt_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.id = r.k AND l.f > r.f
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.id = r.k AND l.f > r.f
GROUP BY r.s

-- name: right_anti_eq_double_gt_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.id = r.k AND l.f > r.f
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.id = r.k AND l.f > r.f

-- name: not_exists_eq_k2_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE NOT EXISTS (SELECT 1 FROM sr r WHERE l.k2 = r.k)

-- name: in_eq_k2_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.k2 IN (SELECT r.k FROM r r)
GROUP BY l.c

-- name: not_in_eq_k2_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.k2 NOT IN (SELECT r.k FROM sr r WHERE r.k IS NOT NULL)

-- name: not_in_nulls_eq_k2_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.k2 NOT IN (SELECT r.k FROM r r)
GROUP BY l.c

-- name: left_semi_eq_k2_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l SEMI JOIN sr r ON l.k2 = r.k
SELECT l.id AS id, l.s AS s
FROM sl l LEFT SEMI JOIN sr r ON l.k2 = r.k

-- name: right_semi_eq_k2_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r SEMI JOIN sl l ON l.k2 = r.k
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT SEMI JOIN sr r ON l.k2 = r.k

-- name: right_anti_eq_k2_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r ANTI JOIN l l ON l.k2 = r.k
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT ANTI JOIN r r ON l.k2 = r.k
GROUP BY r.s

-- name: exists_eq_k2_many_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE EXISTS (SELECT 1 FROM r r WHERE l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10)
GROUP BY l.c

-- name: in_eq_k2_many_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE l.k2 IN (SELECT r.k FROM r r WHERE l.a <> r.a AND l.c < 8 AND r.d > 10)
GROUP BY l.c

-- name: left_anti_eq_k2_many_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l ANTI JOIN r r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT ANTI JOIN r r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
GROUP BY l.c

-- name: right_semi_eq_k2_many_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r SEMI JOIN sl l ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT SEMI JOIN sr r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: right_anti_eq_k2_many_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r ANTI JOIN l l ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT ANTI JOIN r r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
GROUP BY r.s

-- name: not_exists_eq_varchar_group
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l
WHERE NOT EXISTS (SELECT 1 FROM r r WHERE l.s = r.s AND l.c > r.a)
GROUP BY l.c

-- name: in_eq_varchar_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE l.s IN (SELECT r.s FROM sr r WHERE l.c > r.a)

-- name: left_semi_eq_varchar_group
-- duckdb: SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
--   FROM l l SEMI JOIN r r ON l.s = r.s AND l.c > r.a
--   GROUP BY l.c
SELECT l.c AS grp, COUNT(*) AS n, SUM(l.id) AS total, MIN(l.s) AS least, MAX(l.k2) AS greatest, AVG(l.id) AS mean
FROM l l LEFT SEMI JOIN r r ON l.s = r.s AND l.c > r.a
GROUP BY l.c

-- name: right_semi_eq_varchar_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.s = r.s AND l.c > r.a
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.s = r.s AND l.c > r.a
GROUP BY r.s

-- name: right_anti_eq_varchar_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.s = r.s AND l.c > r.a
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.s = r.s AND l.c > r.a

-- name: exists_no_key_select
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE l.a > r.a AND l.id < 20)

-- name: left_anti_no_key_select
-- duckdb: SELECT l.id AS id, l.s AS s
--   FROM sl l ANTI JOIN sr r ON l.a > r.a AND l.id < 20
SELECT l.id AS id, l.s AS s
FROM sl l LEFT ANTI JOIN sr r ON l.a > r.a AND l.id < 20

-- name: right_semi_no_key_group
-- duckdb: SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
--   FROM r r SEMI JOIN l l ON l.a > r.a AND l.id < 20
--   GROUP BY r.s
SELECT r.s AS grp, COUNT(*) AS n, SUM(r.d) AS total, MIN(r.d) AS least, MAX(r.d) AS greatest, COUNT(r.k) AS keys
FROM l l RIGHT SEMI JOIN r r ON l.a > r.a AND l.id < 20
GROUP BY r.s

-- name: right_anti_no_key_select
-- duckdb: SELECT r.d AS d, r.s AS s
--   FROM sr r ANTI JOIN sl l ON l.a > r.a AND l.id < 20
SELECT r.d AS d, r.s AS s
FROM sl l RIGHT ANTI JOIN sr r ON l.a > r.a AND l.id < 20

-- name: inner_tiers_group
SELECT tiny.tier AS tier, COUNT(*) AS n, COUNT(ord.ts) AS orders, SUM(ord.price) AS total, MAX(ord.day) AS last
FROM tiny INNER JOIN ord ON ord.amt >= tiny.low AND ord.amt < tiny.high
GROUP BY tiny.tier

-- name: inner_tiers_select
SELECT tiny.tier AS tier, ord.ts AS ts, ord.cid AS cid
FROM tiny INNER JOIN (SELECT * FROM ord WHERE cid < 6) ord ON ord.amt >= tiny.low AND ord.amt < tiny.high

-- name: inner_tiers_turned_group
SELECT tiny.tier AS tier, COUNT(*) AS n, COUNT(ord.ts) AS orders, SUM(ord.price) AS total, MAX(ord.day) AS last
FROM ord INNER JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high
GROUP BY tiny.tier

-- name: inner_tiers_turned_select
SELECT tiny.tier AS tier, ord.ts AS ts, ord.cid AS cid
FROM (SELECT * FROM ord WHERE cid < 6) ord INNER JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high

-- name: left_tiers_group
SELECT tiny.tier AS tier, COUNT(*) AS n, COUNT(ord.ts) AS orders, SUM(ord.price) AS total, MAX(ord.day) AS last
FROM tiny LEFT JOIN ord ON ord.amt >= tiny.low AND ord.amt < tiny.high
GROUP BY tiny.tier

-- name: left_tiers_select
SELECT tiny.tier AS tier, ord.ts AS ts, ord.cid AS cid
FROM tiny LEFT JOIN (SELECT * FROM ord WHERE cid < 6) ord ON ord.amt >= tiny.low AND ord.amt < tiny.high

-- name: left_tiers_turned_group
SELECT tiny.tier AS tier, COUNT(*) AS n, COUNT(ord.ts) AS orders, SUM(ord.price) AS total, MAX(ord.day) AS last
FROM ord LEFT JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high
GROUP BY tiny.tier

-- name: left_tiers_turned_select
SELECT tiny.tier AS tier, ord.ts AS ts, ord.cid AS cid
FROM (SELECT * FROM ord WHERE cid < 6) ord LEFT JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high

-- name: right_tiers_group
SELECT tiny.tier AS tier, COUNT(*) AS n, COUNT(ord.ts) AS orders, SUM(ord.price) AS total, MAX(ord.day) AS last
FROM tiny RIGHT JOIN ord ON ord.amt >= tiny.low AND ord.amt < tiny.high
GROUP BY tiny.tier

-- name: right_tiers_select
SELECT tiny.tier AS tier, ord.ts AS ts, ord.cid AS cid
FROM tiny RIGHT JOIN (SELECT * FROM ord WHERE cid < 6) ord ON ord.amt >= tiny.low AND ord.amt < tiny.high

-- name: right_tiers_turned_group
SELECT tiny.tier AS tier, COUNT(*) AS n, COUNT(ord.ts) AS orders, SUM(ord.price) AS total, MAX(ord.day) AS last
FROM ord RIGHT JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high
GROUP BY tiny.tier

-- name: right_tiers_turned_select
SELECT tiny.tier AS tier, ord.ts AS ts, ord.cid AS cid
FROM (SELECT * FROM ord WHERE cid < 6) ord RIGHT JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high

-- name: full_tiers_group
SELECT tiny.tier AS tier, COUNT(*) AS n, COUNT(ord.ts) AS orders, SUM(ord.price) AS total, MAX(ord.day) AS last
FROM tiny FULL JOIN ord ON ord.amt >= tiny.low AND ord.amt < tiny.high
GROUP BY tiny.tier

-- name: full_tiers_select
SELECT tiny.tier AS tier, ord.ts AS ts, ord.cid AS cid
FROM tiny FULL JOIN (SELECT * FROM ord WHERE cid < 6) ord ON ord.amt >= tiny.low AND ord.amt < tiny.high

-- name: full_tiers_turned_group
SELECT tiny.tier AS tier, COUNT(*) AS n, COUNT(ord.ts) AS orders, SUM(ord.price) AS total, MAX(ord.day) AS last
FROM ord FULL JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high
GROUP BY tiny.tier

-- name: full_tiers_turned_select
SELECT tiny.tier AS tier, ord.ts AS ts, ord.cid AS cid
FROM (SELECT * FROM ord WHERE cid < 6) ord FULL JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high

-- name: exists_tiers_select
SELECT tier AS tier, high AS high
FROM tiny
WHERE EXISTS (SELECT 1 FROM ord WHERE ord.amt >= tiny.low AND ord.amt < tiny.high)

-- name: exists_tiers_turned_group
SELECT ord.cid AS cid, COUNT(*) AS n, SUM(ord.price) AS total
FROM ord
WHERE EXISTS (SELECT 1 FROM tiny WHERE ord.amt >= tiny.low AND ord.amt < tiny.high)
GROUP BY ord.cid

-- name: not_exists_tiers_select
SELECT tier AS tier, high AS high
FROM tiny
WHERE NOT EXISTS (SELECT 1 FROM ord WHERE ord.amt >= tiny.low AND ord.amt < tiny.high)

-- name: not_exists_tiers_turned_group
SELECT ord.cid AS cid, COUNT(*) AS n, SUM(ord.price) AS total
FROM ord
WHERE NOT EXISTS (SELECT 1 FROM tiny WHERE ord.amt >= tiny.low AND ord.amt < tiny.high)
GROUP BY ord.cid

-- name: left_semi_tiers_group
-- duckdb: SELECT ord.cid AS cid, COUNT(*) AS n, SUM(ord.price) AS total
--   FROM ord SEMI JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high
--   GROUP BY ord.cid
SELECT ord.cid AS cid, COUNT(*) AS n, SUM(ord.price) AS total
FROM ord LEFT SEMI JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high
GROUP BY ord.cid

-- name: right_semi_tiers_select
-- duckdb: SELECT tiny.tier AS tier
--   FROM tiny SEMI JOIN ord ON ord.amt >= tiny.low AND ord.amt < tiny.high
SELECT tiny.tier AS tier
FROM ord RIGHT SEMI JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high

-- name: left_anti_tiers_group
-- duckdb: SELECT ord.cid AS cid, COUNT(*) AS n, SUM(ord.price) AS total
--   FROM ord ANTI JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high
--   GROUP BY ord.cid
SELECT ord.cid AS cid, COUNT(*) AS n, SUM(ord.price) AS total
FROM ord LEFT ANTI JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high
GROUP BY ord.cid

-- name: right_anti_tiers_select
-- duckdb: SELECT tiny.tier AS tier
--   FROM tiny ANTI JOIN ord ON ord.amt >= tiny.low AND ord.amt < tiny.high
SELECT tiny.tier AS tier
FROM ord RIGHT ANTI JOIN tiny ON ord.amt >= tiny.low AND ord.amt < tiny.high

-- name: cross_group
SELECT l.c AS grp, tiny.tier AS tier, COUNT(*) AS n, SUM(l.id) AS total, MAX(tiny.high) AS high
FROM l CROSS JOIN tiny
GROUP BY l.c, tiny.tier

-- name: cross_select
SELECT sl.id AS id, tiny.tier AS tier
FROM sl CROSS JOIN tiny

-- name: cross_big_group
SELECT l.a AS a, COUNT(*) AS n, COUNT(r.k) AS keys, SUM(r.d) AS total, MIN(r.s) AS word
FROM l CROSS JOIN r
GROUP BY l.a

-- name: cross_comma_where
SELECT sl.id AS id, tiny.tier AS tier, sl.k2 AS k2
FROM sl, tiny
WHERE sl.k2 * 50 >= tiny.low AND sl.k2 * 50 < tiny.high

-- name: cross_window
SELECT tiny.tier AS tier, sl.id AS id, SUM(sl.id) OVER (PARTITION BY tiny.tier ORDER BY sl.id) AS running
FROM sl CROSS JOIN tiny

-- name: cross_exists
SELECT id AS id, c AS c
FROM sl
WHERE EXISTS (SELECT 1 FROM tiny WHERE high > 9000)

-- name: cross_not_exists
SELECT id AS id, c AS c
FROM sl
WHERE NOT EXISTS (SELECT 1 FROM tiny WHERE high > 99999)

-- name: inner_eq_gt_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: inner_eq_gt_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l INNER JOIN r ON l.id = r.k AND l.a > r.a

-- name: inner_eq_gt_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l INNER JOIN r ON l.id = r.k AND l.a > r.a
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: left_eq_gt_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: left_eq_gt_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l LEFT JOIN r ON l.id = r.k AND l.a > r.a

-- name: left_eq_gt_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l LEFT JOIN r ON l.id = r.k AND l.a > r.a
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: right_eq_gt_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: right_eq_gt_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l RIGHT JOIN r ON l.id = r.k AND l.a > r.a

-- name: right_eq_gt_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l RIGHT JOIN r ON l.id = r.k AND l.a > r.a
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: full_eq_gt_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: full_eq_gt_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l FULL JOIN r ON l.id = r.k AND l.a > r.a

-- name: full_eq_gt_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l FULL JOIN r ON l.id = r.k AND l.a > r.a
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: inner_eq_k2_many_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l INNER JOIN sr r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: inner_eq_k2_many_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l INNER JOIN r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: inner_eq_k2_many_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l INNER JOIN r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: left_eq_k2_many_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l LEFT JOIN sr r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: left_eq_k2_many_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l LEFT JOIN r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: left_eq_k2_many_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l LEFT JOIN r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: right_eq_k2_many_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l RIGHT JOIN sr r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: right_eq_k2_many_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l RIGHT JOIN r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: right_eq_k2_many_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l RIGHT JOIN r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: full_eq_k2_many_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l FULL JOIN sr r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: full_eq_k2_many_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l FULL JOIN r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10

-- name: full_eq_k2_many_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l FULL JOIN r ON l.k2 = r.k AND l.a <> r.a AND l.c < 8 AND r.d > 10
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: inner_no_key_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l INNER JOIN sr r ON l.a > r.a AND l.id < 4

-- name: inner_no_key_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l INNER JOIN r ON l.a > r.a AND l.id < 20

-- name: inner_no_key_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l INNER JOIN r ON l.a > r.a AND l.id < 20
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: left_no_key_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l LEFT JOIN sr r ON l.a > r.a AND l.id < 4

-- name: left_no_key_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l LEFT JOIN r ON l.a > r.a AND l.id < 20

-- name: left_no_key_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l LEFT JOIN r ON l.a > r.a AND l.id < 20
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: right_no_key_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l RIGHT JOIN sr r ON l.a > r.a AND l.id < 4

-- name: right_no_key_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l RIGHT JOIN r ON l.a > r.a AND l.id < 20

-- name: right_no_key_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l RIGHT JOIN r ON l.a > r.a AND l.id < 20
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: full_no_key_window
SELECT l.id AS id, r.d AS d, ROW_NUMBER() OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS place,
    SUM(r.d) OVER (PARTITION BY l.c ORDER BY l.id NULLS LAST, r.d NULLS LAST) AS running
FROM sl l FULL JOIN sr r ON l.a > r.a AND l.id < 4

-- name: full_no_key_distinct
SELECT DISTINCT l.c AS c, r.s AS s
FROM l FULL JOIN r ON l.a > r.a AND l.id < 20

-- name: full_no_key_top
-- ordered
SELECT l.id AS id, r.d AS d, r.s AS s
FROM l FULL JOIN r ON l.a > r.a AND l.id < 20
ORDER BY r.d DESC NULLS LAST, l.id DESC NULLS LAST
LIMIT 40

-- name: inner_eq_gt_union_all_left
SELECT l.id AS id, r.d AS d FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > r.a
UNION ALL
SELECT l.id AS id, r.d AS d FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.c >= r.a

-- name: inner_eq_sum_union_all_left
SELECT l.id AS id, r.d AS d FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a + r.a > 7
UNION ALL
SELECT l.id AS id, r.d AS d FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.c >= r.a

-- name: left_eq_gt_union_full
SELECT l.id AS id, r.d AS d FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a
UNION
SELECT l.id AS id, r.d AS d FROM sl l FULL JOIN sr r ON l.id = r.k AND l.c >= r.a

-- name: left_eq_sum_union_full
SELECT l.id AS id, r.d AS d FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a + r.a > 7
UNION
SELECT l.id AS id, r.d AS d FROM sl l FULL JOIN sr r ON l.id = r.k AND l.c >= r.a

-- name: full_eq_gt_except_right
SELECT l.id AS id, r.d AS d FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a
EXCEPT
SELECT l.id AS id, r.d AS d FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.c >= r.a

-- name: full_eq_sum_except_right
SELECT l.id AS id, r.d AS d FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a + r.a > 7
EXCEPT
SELECT l.id AS id, r.d AS d FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.c >= r.a

-- name: right_eq_gt_intersect_inner
SELECT l.id AS id, r.d AS d FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a
INTERSECT
SELECT l.id AS id, r.d AS d FROM sl l INNER JOIN sr r ON l.id = r.k AND l.c >= r.a

-- name: right_eq_sum_intersect_inner
SELECT l.id AS id, r.d AS d FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a + r.a > 7
INTERSECT
SELECT l.id AS id, r.d AS d FROM sl l INNER JOIN sr r ON l.id = r.k AND l.c >= r.a

-- name: union_all_of_joins_group
SELECT grp AS grp, COUNT(*) AS n, SUM(d) AS total
FROM (
    SELECT l.c AS grp, r.d AS d FROM l LEFT JOIN r ON l.id = r.k AND l.a > r.a
    UNION ALL
    SELECT r.a AS grp, r.d AS d FROM l RIGHT JOIN r ON l.id = r.k AND l.c > r.a
) both_joins
GROUP BY grp

-- name: inner_three
SELECT l.id AS id, r.d AS d, r2.d AS d2
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > r.a INNER JOIN sr r2 ON r.a = r2.a AND l.c > r2.a AND r2.d > 200

-- name: inner_three_group
SELECT r2.s AS s, COUNT(*) AS n, COUNT(l.id) AS n_left, SUM(r.d) AS total, SUM(r2.d) AS total2
FROM l INNER JOIN r ON l.id = r.k AND l.a <> r.a INNER JOIN r r2 ON l.k2 = r2.k AND l.c > r2.a
GROUP BY r2.s

-- name: inner_self
SELECT x.id AS id, y.id AS other
FROM sl x INNER JOIN sl y ON x.k2 = y.id AND x.a < y.a

-- name: inner_self_group
SELECT x.c AS c, COUNT(*) AS n, SUM(y.id) AS total
FROM l x INNER JOIN l y ON x.k2 = y.k2 AND x.id < y.id
GROUP BY x.c

-- name: inner_after_aggregation
SELECT l.id AS id, g.n AS n, g.total AS total
FROM sl l INNER JOIN (SELECT k, COUNT(*) AS n, SUM(d) AS total, MIN(a) AS least FROM sr GROUP BY k) g ON l.id = g.k AND l.a > g.least

-- name: inner_of_ctes
WITH x AS (SELECT id, a + c AS v, s FROM sl WHERE a > 1), y AS (SELECT k, d, a * 2 AS w FROM sr WHERE d > 0)
SELECT x.id AS id, x.s AS s, y.d AS d
FROM x INNER JOIN y ON x.id = y.k AND x.v > y.w

-- name: inner_using
SELECT a AS a, COUNT(*) AS n, SUM(id) AS ids, SUM(d) AS total
FROM l INNER JOIN r USING (a)
GROUP BY a

-- name: inner_using_two
SELECT a AS a, s AS s, id AS id, d AS d
FROM sl INNER JOIN sr USING (a, s)

-- name: inner_natural
SELECT id AS id, n AS n
FROM sl NATURAL INNER JOIN (SELECT k AS id, COUNT(*) AS n FROM sr GROUP BY k) g

-- name: inner_then_filter
SELECT l.id AS id, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > r.a
WHERE l.c < 6 OR l.c IS NULL OR r.s = 'oak'

-- name: inner_then_filter_isnull
SELECT l.id AS id, l.s AS s, r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a + r.a > 7
WHERE r.k IS NULL OR l.id IS NULL

-- name: inner_computed_columns
SELECT l.id * 2 AS twice, CASE WHEN r.d IS NULL THEN 'none' WHEN r.d > 300 THEN 'much' ELSE 'some' END AS size, COALESCE(r.s, l.s) AS word
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: inner_count_only
SELECT COUNT(*) AS n
FROM l INNER JOIN r ON l.id = r.k AND l.a > r.a

-- name: inner_constant_only
SELECT 1 AS one
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: inner_right_only
SELECT r.d AS d
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > r.a AND l.c > 2

-- name: inner_left_only
SELECT l.s AS s, l.id AS id
FROM sl l INNER JOIN sr r ON l.id = r.k AND l.a > r.a AND r.f > 0

-- name: inner_reordered
SELECT r.s AS rs, l.k2 AS k2, r.d AS d, l.id AS id
FROM sl l INNER JOIN sr r ON l.id = r.k AND r.a <= l.a AND l.s <> r.s

-- name: left_three
SELECT l.id AS id, r.d AS d, r2.d AS d2
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a LEFT JOIN sr r2 ON r.a = r2.a AND l.c > r2.a AND r2.d > 200

-- name: left_three_group
SELECT r2.s AS s, COUNT(*) AS n, COUNT(l.id) AS n_left, SUM(r.d) AS total, SUM(r2.d) AS total2
FROM l LEFT JOIN r ON l.id = r.k AND l.a <> r.a LEFT JOIN r r2 ON l.k2 = r2.k AND l.c > r2.a
GROUP BY r2.s

-- name: left_self
SELECT x.id AS id, y.id AS other
FROM sl x LEFT JOIN sl y ON x.k2 = y.id AND x.a < y.a

-- name: left_self_group
SELECT x.c AS c, COUNT(*) AS n, SUM(y.id) AS total
FROM l x LEFT JOIN l y ON x.k2 = y.k2 AND x.id < y.id
GROUP BY x.c

-- name: left_after_aggregation
SELECT l.id AS id, g.n AS n, g.total AS total
FROM sl l LEFT JOIN (SELECT k, COUNT(*) AS n, SUM(d) AS total, MIN(a) AS least FROM sr GROUP BY k) g ON l.id = g.k AND l.a > g.least

-- name: left_of_ctes
WITH x AS (SELECT id, a + c AS v, s FROM sl WHERE a > 1), y AS (SELECT k, d, a * 2 AS w FROM sr WHERE d > 0)
SELECT x.id AS id, x.s AS s, y.d AS d
FROM x LEFT JOIN y ON x.id = y.k AND x.v > y.w

-- name: left_using
SELECT a AS a, COUNT(*) AS n, SUM(id) AS ids, SUM(d) AS total
FROM l LEFT JOIN r USING (a)
GROUP BY a

-- name: left_using_two
SELECT a AS a, s AS s, id AS id, d AS d
FROM sl LEFT JOIN sr USING (a, s)

-- name: left_natural
SELECT id AS id, n AS n
FROM sl NATURAL LEFT JOIN (SELECT k AS id, COUNT(*) AS n FROM sr GROUP BY k) g

-- name: left_then_filter
SELECT l.id AS id, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a
WHERE l.c < 6 OR l.c IS NULL OR r.s = 'oak'

-- name: left_then_filter_isnull
SELECT l.id AS id, l.s AS s, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a + r.a > 7
WHERE r.k IS NULL OR l.id IS NULL

-- name: left_computed_columns
SELECT l.id * 2 AS twice, CASE WHEN r.d IS NULL THEN 'none' WHEN r.d > 300 THEN 'much' ELSE 'some' END AS size, COALESCE(r.s, l.s) AS word
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: left_count_only
SELECT COUNT(*) AS n
FROM l LEFT JOIN r ON l.id = r.k AND l.a > r.a

-- name: left_constant_only
SELECT 1 AS one
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: left_right_only
SELECT r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a AND l.c > 2

-- name: left_left_only
SELECT l.s AS s, l.id AS id
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a AND r.f > 0

-- name: left_reordered
SELECT r.s AS rs, l.k2 AS k2, r.d AS d, l.id AS id
FROM sl l LEFT JOIN sr r ON l.id = r.k AND r.a <= l.a AND l.s <> r.s

-- name: right_three
SELECT l.id AS id, r.d AS d, r2.d AS d2
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a RIGHT JOIN sr r2 ON r.a = r2.a AND l.c > r2.a AND r2.d > 200

-- name: right_three_group
SELECT r2.s AS s, COUNT(*) AS n, COUNT(l.id) AS n_left, SUM(r.d) AS total, SUM(r2.d) AS total2
FROM l RIGHT JOIN r ON l.id = r.k AND l.a <> r.a RIGHT JOIN r r2 ON l.k2 = r2.k AND l.c > r2.a
GROUP BY r2.s

-- name: right_self
SELECT x.id AS id, y.id AS other
FROM sl x RIGHT JOIN sl y ON x.k2 = y.id AND x.a < y.a

-- name: right_self_group
SELECT x.c AS c, COUNT(*) AS n, SUM(y.id) AS total
FROM l x RIGHT JOIN l y ON x.k2 = y.k2 AND x.id < y.id
GROUP BY x.c

-- name: right_after_aggregation
SELECT l.id AS id, g.n AS n, g.total AS total
FROM sl l RIGHT JOIN (SELECT k, COUNT(*) AS n, SUM(d) AS total, MIN(a) AS least FROM sr GROUP BY k) g ON l.id = g.k AND l.a > g.least

-- name: right_of_ctes
WITH x AS (SELECT id, a + c AS v, s FROM sl WHERE a > 1), y AS (SELECT k, d, a * 2 AS w FROM sr WHERE d > 0)
SELECT x.id AS id, x.s AS s, y.d AS d
FROM x RIGHT JOIN y ON x.id = y.k AND x.v > y.w

-- name: right_then_filter
SELECT l.id AS id, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a
WHERE l.c < 6 OR l.c IS NULL OR r.s = 'oak'

-- name: right_then_filter_isnull
SELECT l.id AS id, l.s AS s, r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a + r.a > 7
WHERE r.k IS NULL OR l.id IS NULL

-- name: right_computed_columns
SELECT l.id * 2 AS twice, CASE WHEN r.d IS NULL THEN 'none' WHEN r.d > 300 THEN 'much' ELSE 'some' END AS size, COALESCE(r.s, l.s) AS word
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: right_count_only
SELECT COUNT(*) AS n
FROM l RIGHT JOIN r ON l.id = r.k AND l.a > r.a

-- name: right_constant_only
SELECT 1 AS one
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: right_right_only
SELECT r.d AS d
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a AND l.c > 2

-- name: right_left_only
SELECT l.s AS s, l.id AS id
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a AND r.f > 0

-- name: right_reordered
SELECT r.s AS rs, l.k2 AS k2, r.d AS d, l.id AS id
FROM sl l RIGHT JOIN sr r ON l.id = r.k AND r.a <= l.a AND l.s <> r.s

-- name: full_three
SELECT l.id AS id, r.d AS d, r2.d AS d2
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a FULL JOIN sr r2 ON r.a = r2.a AND l.c > r2.a AND r2.d > 200

-- name: full_three_group
SELECT r2.s AS s, COUNT(*) AS n, COUNT(l.id) AS n_left, SUM(r.d) AS total, SUM(r2.d) AS total2
FROM l FULL JOIN r ON l.id = r.k AND l.a <> r.a FULL JOIN r r2 ON l.k2 = r2.k AND l.c > r2.a
GROUP BY r2.s

-- name: full_self
SELECT x.id AS id, y.id AS other
FROM sl x FULL JOIN sl y ON x.k2 = y.id AND x.a < y.a

-- name: full_self_group
SELECT x.c AS c, COUNT(*) AS n, SUM(y.id) AS total
FROM l x FULL JOIN l y ON x.k2 = y.k2 AND x.id < y.id
GROUP BY x.c

-- name: full_after_aggregation
SELECT l.id AS id, g.n AS n, g.total AS total
FROM sl l FULL JOIN (SELECT k, COUNT(*) AS n, SUM(d) AS total, MIN(a) AS least FROM sr GROUP BY k) g ON l.id = g.k AND l.a > g.least

-- name: full_of_ctes
WITH x AS (SELECT id, a + c AS v, s FROM sl WHERE a > 1), y AS (SELECT k, d, a * 2 AS w FROM sr WHERE d > 0)
SELECT x.id AS id, x.s AS s, y.d AS d
FROM x FULL JOIN y ON x.id = y.k AND x.v > y.w

-- name: full_then_filter
SELECT l.id AS id, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a
WHERE l.c < 6 OR l.c IS NULL OR r.s = 'oak'

-- name: full_then_filter_isnull
SELECT l.id AS id, l.s AS s, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a + r.a > 7
WHERE r.k IS NULL OR l.id IS NULL

-- name: full_computed_columns
SELECT l.id * 2 AS twice, CASE WHEN r.d IS NULL THEN 'none' WHEN r.d > 300 THEN 'much' ELSE 'some' END AS size, COALESCE(r.s, l.s) AS word
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: full_count_only
SELECT COUNT(*) AS n
FROM l FULL JOIN r ON l.id = r.k AND l.a > r.a

-- name: full_constant_only
SELECT 1 AS one
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: full_right_only
SELECT r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a AND l.c > 2

-- name: full_left_only
SELECT l.s AS s, l.id AS id
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a AND r.f > 0

-- name: full_reordered
SELECT r.s AS rs, l.k2 AS k2, r.d AS d, l.id AS id
FROM sl l FULL JOIN sr r ON l.id = r.k AND r.a <= l.a AND l.s <> r.s

-- name: mixed_three
SELECT l.id AS id, r.d AS d, o.ts AS ts
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a INNER JOIN ord o ON o.cid = l.k2 AND o.amt > 900

-- name: mixed_four_group
SELECT t.tier AS tier, l.c AS c, COUNT(*) AS n, COUNT(r.d) AS n_right, SUM(o.price) AS total
FROM l INNER JOIN ord o ON o.cid = l.id
    LEFT JOIN tiny t ON o.amt >= t.low AND o.amt < t.high
    LEFT JOIN r ON r.k = l.id AND l.a > r.a
GROUP BY t.tier, l.c

-- name: mixed_four_outer
SELECT l.id AS id, r.d AS d, g.n AS n, t.tier AS tier
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a >= r.a
    LEFT JOIN (SELECT cid, COUNT(*) AS n, MAX(amt) AS most FROM ord GROUP BY cid) g ON g.cid = l.id
    LEFT JOIN tiny t ON g.most >= t.low AND g.most < t.high

-- name: semi_over_outer
SELECT l.id AS id, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = r.k AND l.a > r.a
WHERE EXISTS (SELECT 1 FROM ord o WHERE o.cid = l.k2 AND o.price > r.d)

-- name: anti_over_outer
SELECT l.id AS id, r.d AS d
FROM sl l FULL JOIN sr r ON l.id = r.k AND l.a > r.a
WHERE NOT EXISTS (SELECT 1 FROM ord o WHERE o.cid = l.k2 AND o.price > r.d)

-- name: outer_over_semi
SELECT x.id AS id, r.d AS d
FROM (SELECT * FROM sl WHERE k2 IN (SELECT k FROM sr WHERE a > 3)) x LEFT JOIN sr r ON x.id = r.k AND x.a > r.a

-- name: aggregates_joined
SELECT x.c AS c, x.n AS n, y.n AS m, y.total AS total
FROM (SELECT c, COUNT(*) AS n FROM l GROUP BY c) x FULL JOIN (SELECT a + 2 AS c, COUNT(*) AS n, SUM(d) AS total FROM r GROUP BY a) y ON x.c = y.c AND x.n < y.n

-- name: exists_only_gt
SELECT l.id AS id
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE r.a > l.a AND r.d > 700)

-- name: exists_only_lt
SELECT l.id AS id
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE r.a < l.a AND r.d > 700)

-- name: exists_only_ne
SELECT l.id AS id
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE r.a <> l.a AND r.d > 700)

-- name: exists_key_twice
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r WHERE r.k = l.id AND r.a > l.a)
    AND EXISTS (SELECT 1 FROM sr r2 WHERE r2.k = l.k2)

-- name: exists_of_join
SELECT l.id AS id
FROM sl l
WHERE EXISTS (SELECT 1 FROM sr r JOIN ord o ON r.k = o.cid AND o.price > r.d WHERE r.k = l.id AND r.a < l.c)

-- name: not_exists_only_gt
SELECT l.id AS id
FROM sl l
WHERE NOT EXISTS (SELECT 1 FROM sr r WHERE r.a > l.a AND r.d > 700)

-- name: not_exists_only_lt
SELECT l.id AS id
FROM sl l
WHERE NOT EXISTS (SELECT 1 FROM sr r WHERE r.a < l.a AND r.d > 700)

-- name: not_exists_only_ne
SELECT l.id AS id
FROM sl l
WHERE NOT EXISTS (SELECT 1 FROM sr r WHERE r.a <> l.a AND r.d > 700)

-- name: not_exists_key_twice
SELECT l.id AS id, l.s AS s
FROM sl l
WHERE NOT EXISTS (SELECT 1 FROM sr r WHERE r.k = l.id AND r.a > l.a)
    AND EXISTS (SELECT 1 FROM sr r2 WHERE r2.k = l.k2)

-- name: not_exists_of_join
SELECT l.id AS id
FROM sl l
WHERE NOT EXISTS (SELECT 1 FROM sr r JOIN ord o ON r.k = o.cid AND o.price > r.d WHERE r.k = l.id AND r.a < l.c)

-- name: exists_or
SELECT l.id AS id
FROM sl l
WHERE l.c > 7 OR EXISTS (SELECT 1 FROM sr r WHERE r.k = l.id AND r.a > l.a)

-- name: in_two_columns_by_join
SELECT DISTINCT l.id AS id, l.a AS a
FROM l INNER JOIN r ON l.id = r.k AND l.a = r.a

-- name: inner_mixed_types
SELECT l.id AS id, r.d AS d
FROM sl l INNER JOIN sr r ON l.a = r.k AND l.c > r.a

-- name: left_mixed_types
SELECT l.id AS id, r.d AS d
FROM sl l LEFT JOIN sr r ON l.id = CAST(ROUND(r.d) AS BIGINT) - 100 OR l.id = r.k

-- name: inner_on_date
SELECT x.day AS day, COUNT(*) AS n, SUM(x.price) AS total
FROM ord x INNER JOIN ord y ON x.day = y.day AND x.ts < y.ts
WHERE x.day < DATE '2025-02-01'
GROUP BY x.day

-- name: left_on_month
SELECT m.month AS month, COUNT(o.ts) AS n, SUM(o.price) AS total
FROM (SELECT DISTINCT CAST(date_trunc('month', ts) AS DATE) AS month FROM ord) m LEFT JOIN ord o ON CAST(date_trunc('month', o.day) AS DATE) = m.month AND o.amt > 600
GROUP BY m.month

-- name: left_true
SELECT l.id AS id, t.tier AS tier
FROM sl l LEFT JOIN tiny t ON TRUE

-- name: left_false
SELECT l.id AS id, t.tier AS tier
FROM sl l LEFT JOIN tiny t ON FALSE

-- name: full_false
SELECT l.id AS id, t.tier AS tier
FROM sl l FULL JOIN tiny t ON l.id = -1

-- name: left_empty
SELECT l.id AS id, r.d AS d
FROM sl l LEFT JOIN (SELECT * FROM sr WHERE a > 100) r ON l.id = r.k AND l.a > r.a

-- name: right_empty
SELECT l.id AS id, r.d AS d
FROM (SELECT * FROM sl WHERE a > 100) l RIGHT JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: full_empty
SELECT l.id AS id, r.d AS d
FROM (SELECT * FROM sl WHERE a > 100) l FULL JOIN sr r ON l.id = r.k AND l.a > r.a

-- name: not_in_empty
SELECT id AS id
FROM sl
WHERE k2 NOT IN (SELECT k FROM sr WHERE a > 100)

-- name: left_not_distinct
SELECT l.id AS id, r.d AS d
FROM sl l LEFT JOIN sr r ON (l.s IS NOT DISTINCT FROM r.s) AND l.a > r.a AND l.c > r.a

-- name: inner_not_distinct_double
SELECT l.id AS id, r.d AS d
FROM sl l INNER JOIN sr r ON (l.f IS NOT DISTINCT FROM r.f) AND l.c > r.a

-- name: customers_features
SELECT l.id AS customer_id, COUNT(o.ts) AS frequency, SUM(o.price) AS monetary, MAX(o.day) AS last_day, COUNT(DISTINCT o.day) AS days
FROM l LEFT JOIN ord o ON o.cid = l.id AND o.price > 0 AND o.day < DATE '2025-07-01'
WHERE l.id < 80
GROUP BY l.id

-- name: customers_with_tier
WITH spent AS (SELECT cid, SUM(amt) AS total FROM ord WHERE amt > 0 GROUP BY cid)
SELECT spent.cid AS cid, tiny.tier AS tier
FROM spent LEFT JOIN tiny ON spent.total / 8 >= tiny.low AND spent.total / 8 < tiny.high
