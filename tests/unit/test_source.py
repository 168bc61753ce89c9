"""Reading the lake and the side tables (`inputs.md` 1.1, 1.2)."""

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from shadowagg.candidate.lake_file import RowGroupTimes, milliseconds
from shadowagg.candidate.source import Source
from shadowagg.errors import InputRefused, InputUnreadable
from shadowagg.inputs import Inputs
from shadowagg.provider import InputColumn, InputTable
from shadowagg.window import Window

UUID = "00000000-0000-0000-0000-000000000001"
OTHER = "00000000-0000-0000-0000-000000000002"
USAGE = InputTable(
    name="usage",
    home="lake",
    time="at",
    columns=(
        InputColumn("at", "time"),
        InputColumn("name", "text"),
        InputColumn("amount", "double"),
    ),
)
OPTIONAL = InputTable(name="rare", home="lake", time="at", columns=USAGE.columns, required=False)
SIDE = InputTable(
    name="keys",
    home="postgres",
    columns=(
        InputColumn("uuid", "uuid"),
        InputColumn("on", "boolean"),
        InputColumn("number", "integer"),
        InputColumn("words", "texts"),
    ),
)
FIRST, AFTER = dt.date(2025, 8, 5), dt.date(2025, 8, 7)


def at(*text):
    return pa.array([t and dt.datetime.fromisoformat(t) for t in text], pa.timestamp("ms"))


def rows(time="2025-08-05", name="a", amount=1.0):
    return pa.table({"at": at(time), "name": pa.array([name], pa.string()), "amount": [amount]})


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path)


class Lake:
    def __init__(self, folder):
        self.folder = folder
        self.inputs = Inputs(lake=f"{folder}/lake", side=f"{folder}/side")

    def write(self, table, name="a", *, of="usage", source=UUID, month="08", **options):
        folder = self.folder / f"lake/{of}/source={source}/year=2025/month={month}"
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / f"{name}.parquet", **options)
        return folder / f"{name}.parquet"

    def side(self, table, name="keys"):
        (self.folder / "side").mkdir(exist_ok=True)
        pq.write_table(table, self.folder / f"side/{name}.parquet")

    def source(self, start=FIRST, end=dt.date(2025, 8, 6)):
        return Source(self.inputs, Window("org1", "p", UUID, start, end))

    def read(self, *columns, table=USAGE, **options):
        names = columns or ("name", "amount")
        return self.source().lake(table, names, FIRST, AFTER, **options)

    def names(self):
        return sorted(self.read("name").column("name").to_pylist(), key=repr)


def test_only_rows_of_the_days_are_read_and_the_day_after_begins_at_midnight(lake):
    times = ("2025-08-04T23:59:59.999", "2025-08-05", "2025-08-06T23:59:59.999", "2025-08-07", None)
    lake.write(pa.table({"at": at(*times), "name": list("abcde"), "amount": [0.0] * 5}))

    assert ["b", "c"] == lake.names()


def test_only_the_source_and_the_month_are_read(lake):
    lake.write(rows(name="mine"))
    lake.write(rows(name="foreign"), source=OTHER)
    lake.write(rows(name="old"), month="07")

    assert ["mine"] == lake.names()
    assert ["foreign"] == lake.read("name", source_uuid=OTHER).column("name").to_pylist()


def test_row_groups_of_other_days_are_not_touched(lake):
    lake.write(pa.concat_tables([rows("2025-08-01", "x"), rows(name="y")]), row_group_size=1)
    file = next(iter(lake.folder.glob("lake/usage/*/*/*/a.parquet")))
    chunk = pq.read_metadata(file).row_group(0).column(1)
    content = bytearray(file.read_bytes())
    begin = chunk.dictionary_page_offset
    content[begin : begin + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    file.write_bytes(content)

    assert ["y"] == lake.names()


def test_columns_are_found_by_name_and_texts_of_all_files_share_their_codes(lake):
    lake.write(rows(name="a"), "one")
    lake.write(pa.concat_tables([rows(name=n) for n in ("b", "a", None)]).select([2, 0, 1]), "two")

    read = lake.read("name", "amount")

    assert ["a", "b", "a", None] == read.column("name").to_pylist()
    assert ["a", "b"] == read.column("name").chunk(0).dictionary.to_pylist()
    assert (["name", "amount"], 1) == (read.column_names, read.column("name").num_chunks)


def test_a_scan_gives_some_files_at_a_time(lake):
    for n in range(5):
        lake.write(rows(name=str(n)), str(n))

    batches = list(lake.source().scan(USAGE, ("name",), FIRST, AFTER, batch_rows=2))

    assert [2, 2, 1] == [batch.num_rows for batch in batches]


def test_the_order_of_files_is_that_of_their_names(lake):
    for name in ("c", "a", "b"):
        lake.write(rows(name=name), name)

    assert ["a", "b", "c"] == lake.read("name").column("name").to_pylist()


def test_a_column_missing_in_one_file_is_null_there(lake):
    lake.write(rows(name="a"), "one")
    lake.write(rows().drop_columns(["name"]), "two")

    assert ["a", None] == lake.read("name").column("name").to_pylist()


def test_a_column_that_only_the_month_lacks_is_null(lake):
    lake.write(rows().drop_columns(["name", "amount"]))
    lake.write(rows(), source=OTHER, month="01")

    read = lake.read()

    assert [None] == read.column("name").to_pylist()
    assert pa.float64() == read.schema.field("amount").type


@pytest.mark.parametrize("month", ["08", "07"])
def test_a_column_that_no_file_of_the_table_has_is_refused(lake, month):
    lake.write(rows().drop_columns(["amount"]), month=month)

    with pytest.raises(InputRefused, match="no file of the table has amount") as caught:
        lake.read()

    assert caught.value.on == "table usage"


def test_a_missing_partition_has_no_rows(lake):
    lake.write(rows(), month="07")

    read = lake.read("at", "name", "amount")

    assert read.num_rows == 0
    assert ["timestamp[ms]", "double"] == [str(read.schema.field(n).type) for n in ("at", "amount")]


def test_a_required_table_that_is_missing_is_refused_an_optional_one_is_empty(lake):
    with pytest.raises(InputRefused, match="the table is missing") as caught:
        lake.read()

    assert caught.value.on == "table usage"
    assert lake.read(table=OPTIONAL).num_rows == 0
    assert not lake.source().exists(OPTIONAL)


def test_a_table_exists_once_a_file_of_any_source_is_there(lake):
    lake.write(rows(), of="rare", source=OTHER, month="01")

    assert lake.source().exists(OPTIONAL)


@pytest.mark.parametrize(
    "nothing",
    [pa.nulls(1), pa.nulls(1, pa.int32()), pa.nulls(1, pa.float64()), pa.nulls(1, pa.bool_())],
)
def test_a_column_of_nulls_is_null_whatever_its_type(lake, nothing):
    lake.write(pa.table({"at": at("2025-08-05"), "name": nothing, "amount": nothing}), "one")
    lake.write(rows(), "two")

    read = lake.read()

    assert [None, "a"] == read.column("name").to_pylist()
    assert [None, 1.0] == read.column("amount").to_pylist()


def test_whole_numbers_serve_as_doubles(lake):
    lake.write(pa.table({"at": at("2025-08-05"), "name": ["a"], "amount": pa.array([3])}))

    assert [3.0] == lake.read("amount").column("amount").to_pylist()


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("amount", pa.array(["3"])),
        ("amount", pa.array([3], pa.int32())),
        ("amount", pa.array([3.0], pa.float32())),
        ("name", pa.array([3.0])),
        ("name", pa.array([b"x"])),
        ("at", pa.array([dt.date(2025, 8, 5)])),
        ("at", pa.array(["2025-08-05"])),
    ],
)
def test_another_type_is_refused_with_table_column_and_types(lake, column, values):
    lake.write(rows().set_column(rows().column_names.index(column), column, values))

    with pytest.raises(InputRefused) as caught:
        lake.read("at", "name", "amount")

    message = str(caught.value)
    assert "table usage" in message
    assert f"column {column} is {values.type}, declared" in message


@pytest.mark.parametrize(
    "texts",
    [
        pa.array(["a", "b"], pa.large_string()),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.array(["a", "b"], pa.large_string()).dictionary_encode(),
    ],
)
def test_every_form_of_text_is_text(lake, texts):
    time = at("2025-08-05", "2025-08-05")
    lake.write(pa.table({"at": time, "name": texts, "amount": [1.0, 2.0]}), "one")
    lake.write(rows(name="b"), "two")

    assert ["a", "b", "b"] == lake.names()


@pytest.mark.parametrize(
    ("type_", "inside", "outside"),
    [
        (pa.timestamp("ms", "UTC"), "2025-08-05T00:00:00.000", "2025-08-04T23:59:59.999"),
        (pa.timestamp("us"), "2025-08-04T23:59:59.999500", "2025-08-04T23:59:59.999499"),
        (pa.timestamp("us", "UTC"), "2025-08-06T23:59:59.999499", "2025-08-06T23:59:59.999500"),
        (pa.timestamp("ns"), "2025-08-04T23:59:59.999500", "2025-08-04T23:59:59.999499"),
    ],
)
def test_times_are_utc_milliseconds_rounded_half_up(lake, type_, inside, outside):
    zone = dt.UTC if type_.tz else None
    times = [dt.datetime.fromisoformat(t).replace(tzinfo=zone) for t in (inside, outside)]
    lake.write(
        pa.table({"at": pa.array(times, type_), "name": ["in", "out"], "amount": [1.0, 2.0]}),
        row_group_size=1,
        version="2.6",
    )

    assert ["in"] == lake.names()
    assert pa.timestamp("ms") == lake.read("at").schema.field("at").type


def test_times_before_1970_round_up_too():
    times = pa.chunked_array([pa.array([-500, -501, -1500, 500], pa.timestamp("us"))])

    assert [0, -1, -1, 1] == milliseconds(times).cast(pa.int64()).to_pylist()


@pytest.mark.parametrize("content", [b"PAR1", b"PAR1" + b"x" * 100 + b"PAR1"])
def test_a_file_that_is_no_parquet_is_unreadable_by_name(lake, content):
    path = lake.write(rows())
    path.write_bytes(content)

    with pytest.raises(InputUnreadable) as caught:
        lake.read()

    assert caught.value.on == str(path)


def test_a_file_whose_pages_are_broken_is_unreadable_by_name(lake):
    many = pa.concat_tables([rows(name=str(n), amount=n / 7) for n in range(500)])
    path = lake.write(many)
    content = bytearray(path.read_bytes())
    content[4:2000] = b"\xff" * 1996
    path.write_bytes(content)

    with pytest.raises(InputUnreadable) as caught:
        lake.read()

    assert caught.value.on == str(path)


def test_a_file_that_vanishes_after_it_was_listed_is_unreadable_by_name(lake):
    path = lake.write(rows())
    source = lake.source()
    source.lake(USAGE, ("name",), FIRST, AFTER)
    path.unlink()

    with pytest.raises(InputUnreadable) as caught:
        source.lake(USAGE, ("name",), FIRST, AFTER)

    assert caught.value.on == str(path)


def test_footers_are_read_once(lake, monkeypatch):
    lake.write(rows())
    read = []
    original = pq.read_metadata
    monkeypatch.setattr(pq, "read_metadata", lambda *a, **k: read.append(1) or original(*a, **k))
    source = lake.source()

    source.earliest(USAGE)
    source.lake(USAGE, ("name",), FIRST, AFTER)
    source.lake(USAGE, ("amount",), FIRST, AFTER)

    assert [1] == read


# --- the first day ------------------------------------------------------------------------------


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize(
    ("times", "day"),
    [
        (["2025-08-06T05:00"], 6),
        (["2025-08-04", "2025-08-06"], 6),
        (["2025-08-04T23:59:59.999", "2025-08-05T23:00"], 5),
        (["2025-08-04", "2025-08-07"], None),
        ([None, "2025-08-06"], 6),
        ([None], None),
        ([], None),
    ],
)
def test_the_earliest_day_within_the_window(lake, times, day, statistics):
    count = len(times)
    lake.write(
        pa.table(
            {"at": at(*times), "name": pa.array(["a"] * count), "amount": pa.array([1.0] * count)}
        ),
        write_statistics=statistics,
    )

    assert (day and dt.date(2025, 8, day)) == lake.source().earliest(USAGE)


def test_the_earliest_day_is_that_of_the_windows_source(lake):
    lake.write(rows("2025-08-05"), source=OTHER)
    lake.write(rows("2025-08-06"), "a")
    lake.write(rows("2025-08-05T10:00"), "b")

    assert dt.date(2025, 8, 5) == lake.source().earliest(USAGE)


def test_without_the_partition_there_is_no_earliest_day_and_without_the_table_it_is_refused(lake):
    with pytest.raises(InputRefused, match="missing"):
        lake.source().earliest(USAGE)
    lake.write(rows(), source=OTHER)

    assert lake.source().earliest(USAGE) is None


def test_row_groups_without_statistics_may_lie_anywhere():
    assert RowGroupTimes(rows=1).may_lie_within(0, 1)
    assert not RowGroupTimes(rows=0).may_lie_within(0, 1)
    assert not RowGroupTimes(rows=1, no_times=True).may_lie_within(0, 1)
    assert [False, True, False] == [
        RowGroupTimes(1, at, at).may_lie_within(5, 7) for at in (4, 6, 7)
    ]


# --- side tables --------------------------------------------------------------------------------


def test_a_side_table_has_its_declared_columns_and_types(lake):
    lake.side(
        pa.table(
            {
                "words": pa.array([["x", None], None], pa.list_(pa.string())),
                "number": pa.array([1, None], pa.int32()),
                "on": [True, None],
                "uuid": [UUID, OTHER],
                "more": [1, 2],
            }
        )
    )

    read = lake.source().side(SIDE)

    assert [
        {"uuid": UUID, "on": True, "number": 1, "words": ["x", None]},
        {"uuid": OTHER, "on": None, "number": None, "words": None},
    ] == read.to_pylist()
    assert ["string", "bool", "int64"] == [str(read.schema.field(n).type) for n in range(3)]


def test_a_side_table_that_is_missing_is_refused_or_empty(lake):
    optional = InputTable("none", "postgres", SIDE.columns, required=False)

    assert lake.source().side(optional).num_rows == 0
    with pytest.raises(InputRefused, match="missing"):
        lake.source().side(SIDE)


def test_a_side_table_without_a_column_is_refused_and_a_broken_one_unreadable(lake):
    lake.side(pa.table({"uuid": [UUID]}))

    with pytest.raises(InputRefused, match="on, number, words"):
        lake.source().side(SIDE)

    path = lake.folder / "side/keys.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(InputUnreadable) as caught:
        lake.source().side(SIDE)
    assert caught.value.on == str(path)


# --- object stores ------------------------------------------------------------------------------


class Remote(Inputs):
    """A lake behind a file system that is not the local one, as an object store is."""

    @property
    def filesystem(self):
        return fs.SubTreeFileSystem(self.side.removesuffix("/side"), fs.LocalFileSystem())


def test_an_object_store_is_read_as_a_folder_is(lake):
    for n in range(12):
        lake.write(rows(name=str(n)), f"{n:02}")
    lake.inputs = Remote(lake="lake", side=f"{lake.folder}/side")

    assert [str(n) for n in range(12)] == lake.read("name").column("name").to_pylist()
    assert dt.date(2025, 8, 5) == lake.source().earliest(USAGE)


def test_a_broken_object_of_many_is_named(lake):
    for n in range(12):
        path = lake.write(rows(), f"{n:02}")
    path.write_bytes(b"PAR1")
    lake.inputs = Remote(lake="lake", side=f"{lake.folder}/side")

    with pytest.raises(InputUnreadable) as caught:
        lake.read()

    assert caught.value.on.endswith("month=08/11.parquet")
