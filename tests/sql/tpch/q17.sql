-- name: tpch_q17
-- Two brands are taken, in any container, and half of the average: the standard ones meet no row at this scale.
SELECT CAST(SUM(l_extendedprice) AS DOUBLE) / 7.0 AS avg_yearly
FROM lineitem, part
WHERE p_partkey = l_partkey
    AND p_brand IN ('Brand#23', 'Brand#34')
    AND l_quantity < (
        SELECT 0.5 * AVG(l_quantity)
        FROM lineitem
        WHERE l_partkey = p_partkey
    )
