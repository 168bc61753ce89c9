"""The comparison of two row sets.

::

    comparison.py       compare(): the whole flow on one page
    differences.py      which rows and values differ: exact for all rows, from Arrow alone
      codes.py            columns of both sides as integers that mean the same
      sets.py json_values.py  lists without order, JSON texts by value
      pairing.py          rows that belong together by their key
      multiset.py         rows that no key tells apart
      numbers.py          numbers within their tolerance
    datacompy_check.py  a second judge for what is left
    ignored.py          what ignore rules cover
    totals.py           totals per day and group, and how far they may lie apart
      sums.py             sums that cannot run over
    samples.py texts.py some of the rows, as text
    result.py           StageDiff: what is recorded
    fenced.py           the comparison as a task of a fenced process
"""

from __future__ import annotations

from shadowagg.diff.comparison import compare
from shadowagg.diff.fenced import observe
from shadowagg.diff.result import ColumnDiff, DayTotal, Sample, StageDiff, Totals

__all__ = ["ColumnDiff", "DayTotal", "Sample", "StageDiff", "Totals", "compare", "observe"]
