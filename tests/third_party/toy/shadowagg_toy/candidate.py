"""The candidate's way: Arrow."""

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg_toy import SALES, TURNOVER


def turnover(context):
    columns = ["sold_at", "shop", "amount"]
    sales = context.source.lake(SALES, columns, context.start, context.day_after)
    sales = sales.append_column("day", pc.cast(sales.column("sold_at"), pa.date32(), safe=False))
    totals = sales.group_by(["day", "shop"], use_threads=False).aggregate([("amount", "sum")])
    source = pa.repeat(context.window.source_uuid, totals.num_rows)
    return (
        totals.rename_columns({"amount_sum": "amount"})
        .append_column("source", source)
        .select(TURNOVER.schema.names)
    )
