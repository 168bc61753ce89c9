"""Rows as COPY reads them, and the ids that they get."""

import uuid
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from shadowagg.candidate.writer.rows import CsvStream, columns_to_write, random_ids
from shadowagg.rowset import (
    DATE,
    DOUBLE,
    INTEGER,
    TEXT,
    UUID,
    Column,
    Role,
    RowKind,
    RowSet,
    RowSetSpec,
    numeric,
)

SPEC = RowSetSpec(
    name="x:rows",
    table="rows",
    home="postgres",
    day="day",
    source="source",
    kinds=(RowKind("row", ("source",)),),
    columns=(
        Column("id", UUID, Role.LEFT_OUT, random_id=True),
        Column("day", DATE),
        Column("source", TEXT),
        Column("amount", numeric(33, 15), Role.MEASURE),
        Column("count", INTEGER),
        Column("share", DOUBLE, Role.MEASURE),
        Column("later", TEXT, Role.LEFT_OUT),
    ),
)


def rows(**columns):
    table = pa.table(columns)
    return RowSet.conform(SPEC, table)


def some(count=3):
    return rows(
        day=pa.array([20_000] * count, pa.date32()),
        source=pa.array(["a", "", None][:count]).dictionary_encode(),
        amount=pa.array([Decimal("1E-15"), None, Decimal("-2.5")][:count], pa.decimal128(33, 15)),
        count=pa.array([1, None, -3][:count], pa.int32()),
        share=pa.array([0.1, None, 1e-300][:count]),
    )


def test_null_is_nothing_and_empty_text_is_two_quotes():
    columns = ("day", "source", "amount", "count", "share")
    text = CsvStream(some(), columns, batch_rows=10).read().decode()
    assert [
        '2024-10-04,"a",1E-15,1,0.1',
        '2024-10-04,"",,,',
        "2024-10-04,,-2.500000000000000,-3,1e-300",
    ] == text.splitlines()


@pytest.mark.parametrize("batch_rows", [1, 2, 3, 100])
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_batches_and_reads_of_any_size_give_the_same_text(batch_rows, size):
    columns = ("day", "source", "amount", "count", "share")
    expected = CsvStream(some(), columns, batch_rows=1000).read()
    stream = CsvStream(some(), columns, batch_rows=batch_rows)
    pieces = []
    while piece := stream.read(size):
        assert len(piece) <= size
        pieces.append(piece)
    assert expected == b"".join(pieces)
    assert b"" == stream.read(size)


def test_only_one_batch_is_text_at_a_time():
    many = rows(
        day=pa.array([1] * 1000, pa.date32()),
        source=pa.array(["s" * 100] * 1000),
        amount=pa.nulls(1000, pa.decimal128(33, 15)),
        count=pa.nulls(1000, pa.int32()),
        share=pa.nulls(1000, pa.float64()),
    )
    stream = CsvStream(many, ("day", "source"), batch_rows=10)
    assert 0 < len(stream.read(1 << 30)) < 11 * 120


def test_a_column_left_out_is_written_only_if_it_has_values():
    assert ("id", "day", "source", "amount", "count", "share") == columns_to_write(some())
    later = rows(
        **{n: some().table.column(n) for n in SPEC.schema.names[1:6]}, later=["x", None, None]
    )
    assert "later" in columns_to_write(later)


def test_random_ids_are_version_four_and_never_the_same():
    ids = [uuid.UUID(text) for text in random_ids(10_000).to_pylist()]
    assert 10_000 == len(set(ids))
    assert {4} == {one.version for one in ids}
    assert {uuid.RFC_4122} == {one.variant for one in ids}
    assert {"8", "9", "a", "b"} == {str(one)[19] for one in ids}
    assert 0 == len(random_ids(0))


def test_ids_that_came_with_the_rows_are_replaced():
    given = RowSet(SPEC, some().table.set_column(0, "id", [pa.array([str(uuid.UUID(int=1))] * 3)]))
    text = CsvStream(given, ("id",), batch_rows=10).read().decode()
    assert str(uuid.UUID(int=1)).replace("-", "") not in text.replace("-", "")
    assert 3 == len(set(text.splitlines()))


def test_text_in_any_of_arrows_forms_is_the_same_text():
    plain = some().table
    for form in (pa.large_string(), pa.string_view()):
        column = plain.column("source").cast(pa.string()).cast(form)
        other = RowSet(SPEC, plain.set_column(2, "source", [column.combine_chunks()]))
        expected = CsvStream(some(), ("source",), batch_rows=2).read()
        assert expected == CsvStream(other, ("source",), batch_rows=2).read()


def test_a_spec_may_name_what_is_not_there_neither_as_owner_nor_as_partition():
    from shadowagg.errors import RowSetInvalid

    with pytest.raises(RowSetInvalid, match="nothing"):
        replace(SPEC, deleted_by={"accessor": {"nothing": "source_uuid"}})
    with pytest.raises(RowSetInvalid, match="nowhere"):
        replace(SPEC, partitions=("nowhere",))
