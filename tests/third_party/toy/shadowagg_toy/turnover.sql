-- The control's way: one SELECT in Trino's dialect.
SELECT
    source,
    CAST(sold_at AS date) AS day,
    shop,
    sum(amount) AS amount
FROM sales
WHERE source = :source
  AND sold_at >= :start_date
  AND sold_at < date_add('day', 1, :end_date)
GROUP BY source, CAST(sold_at AS date), shop
