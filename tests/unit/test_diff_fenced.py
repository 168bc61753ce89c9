"""The comparison as a task: two files in, plain values and the differing rows out."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

from shadowagg.diff import StageDiff, fenced, observe
from shadowagg.errors import InputUnreadable, RowSetInvalid
from shadowagg.rowset import DATE, DOUBLE, TEXT, Column, Role, RowKind, RowSetSpec

DAY = dt.date(2025, 8, 1)
SPEC = RowSetSpec(
    name="p:s",
    table="t",
    home="inner",
    columns=(
        Column("id", TEXT, Role.LEFT_OUT),
        Column("day", DATE),
        Column("name", TEXT),
        Column("x", DOUBLE, Role.MEASURE),
    ),
    kinds=(RowKind("all", ("day", "name")),),
    day="day",
    source="name",
)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(fenced, "_specification", {"p:s": SPEC}.__getitem__)


def table(names, x) -> pa.Table:
    return pa.table(
        {
            "id": pa.array([f"{n}" for n in range(len(names))]),
            "day": pa.array([DAY] * len(names)),
            "name": pa.array(names, pa.string()),
            "x": pa.array(x, pa.float64()),
        }
    )


def write(rows: pa.Table, file):
    if file.suffix == ".parquet":
        parquet.write_table(rows, file)
    else:
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows, max_chunksize=2)
    return str(file)


def request(tmp_path, control, candidate, suffix=".arrow", **more):
    return {
        "spec": "p:s",
        "control": write(control, tmp_path / f"control{suffix}"),
        "candidate": write(candidate, tmp_path / f"candidate{suffix}"),
        "today": "2025-08-01",
        **more,
    }


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_two_files_are_compared_and_the_differing_rows_are_kept(tmp_path, suffix):
    control = table(["a", "b", "c"], [1.0, 2.0, 3.0])
    candidate = table(["c", "b", "d", "e"], [3.0, 9.0, 4.0, 5.0])

    document = observe(request(tmp_path, control, candidate, suffix), tmp_path)

    diff = StageDiff.from_json(document)
    assert (1, 1, 1, 2) == (
        diff.equal_rows,
        diff.changed_rows,
        diff.missing_rows,
        diff.extra_rows,
    )
    kept = [
        parquet.read_table(tmp_path / "difference" / f"s.{side}.parquet")["name"].to_pylist()
        for side in ("control", "candidate")
    ]
    assert [["b", "a"], ["b", "d", "e"]] == kept


def test_files_that_agree_leave_nothing_behind(tmp_path):
    rows = table(["a", "b"], [1.0, 2.0])

    assert StageDiff.from_json(observe(request(tmp_path, rows, rows), tmp_path)).agrees
    assert not (tmp_path / "difference").exists()


def test_no_row_is_kept_where_samples_are_off(tmp_path):
    control, candidate = table(["a"], [1.0]), table(["a"], [2.0])

    document = observe(request(tmp_path, control, candidate, samples=False), tmp_path)

    assert (1, []) == (document["changed_rows"], document["samples"])
    assert not (tmp_path / "difference").exists()


def test_rules_come_as_plain_values(tmp_path):
    rule = {
        "name": "known",
        "spec": "p:s",
        "columns": ["x"],
        "reason": "r",
        "owner": "o",
        "until": "2025-08-01",
    }
    control, candidate = table(["a"], [1.0]), table(["a"], [2.0])

    now = observe(request(tmp_path, control, candidate, ignore=[rule]), tmp_path)
    later = request(tmp_path, control, candidate, ignore=[rule]) | {"today": "2025-08-02"}

    assert (0, 1) == (now["changed_rows"], now["ignored_rows"])
    assert ["known"] == observe(later, tmp_path)["expired_rules"]


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_a_file_that_cannot_be_read_is_said_to_be_unreadable(tmp_path, suffix):
    arguments = request(tmp_path, table(["a"], [1.0]), table(["a"], [1.0]), suffix)
    (tmp_path / f"candidate{suffix}").write_bytes(b"no such thing")

    with pytest.raises(InputUnreadable, match=f"candidate{suffix}"):
        observe(arguments, tmp_path)


@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_columns_that_no_specification_names_are_refused(tmp_path, suffix):
    more = table(["a"], [1.0]).append_column("more", pa.array([1]))

    with pytest.raises(RowSetInvalid, match="column more is not specified"):
        observe(request(tmp_path, more, more, suffix), tmp_path)


def test_a_fenced_comparison_of_rows_that_agree_imports_no_pandas(tmp_path):
    rows = table(["a"], [1.0])
    arguments = request(tmp_path, rows, rows)
    code = (
        "import sys, pathlib\n"
        "from shadowagg.diff import fenced, observe\n"
        "from shadowagg.rowset import *\n"
        "columns = (Column('id', TEXT, Role.LEFT_OUT), Column('day', DATE), Column('name', TEXT),\n"
        "    Column('x', DOUBLE, Role.MEASURE))\n"
        "spec = RowSetSpec('p:s', 't', 'inner', columns, (RowKind('all', ('day', 'name')),),\n"
        "    'day', 'name')\n"
        "fenced._specification = lambda name: spec\n"
        f"observe({arguments!r}, pathlib.Path({str(tmp_path)!r}))\n"
        "print(sorted({'pandas', 'polars', 'datacompy'} & set(sys.modules)))\n"
        "import pyarrow as pa\n"
        "print(pa.table({'x': [1]}).to_pandas()['x'].tolist())\n"
    )

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ["[]", "[1]"] == run.stdout.split("\n")[:2]


def test_a_file_of_rules_may_be_named_and_no_folder_given(tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rules]]\nname = "known"\nspec = "p:s"\nreason = "r"\nowner = "o"\nuntil = 2025-08-01\n'
    )
    control, candidate = table(["a"], [1.0]), table(["a"], [2.0])

    ignored = observe(request(tmp_path, control, candidate, ignore=str(rules)), None)
    plain = observe(request(tmp_path, control, candidate, ignore="", sample_rows=0), None)

    assert (0, 1) == (ignored["changed_rows"], ignored["ignored_rows"])
    assert (1, []) == (plain["changed_rows"], plain["samples"])
    assert not (tmp_path / "difference").exists()
