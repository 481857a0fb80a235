-- name: tpch_q06
-- The limits of the discount are written out: 0.06 + 0.01 is exact in DuckDB's decimals, but not in DataFusion's floats.
SELECT SUM(l_extendedprice * l_discount) AS revenue
FROM lineitem
WHERE l_shipdate >= DATE '1994-01-01'
    AND l_shipdate < DATE '1994-01-01' + INTERVAL '1' YEAR
    AND l_discount BETWEEN 0.05 AND 0.07
    AND l_quantity < 24
