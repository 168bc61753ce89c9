"""Staging files: a write broken off at any step is finished or undone by the next one.

Every change of the file system is a step; before one of them the write stops, as if killed there.
"""

import datetime as dt
import json
import threading
import time
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from shadowagg.candidate.writer import reader
from shadowagg.candidate.writer.options import Staging
from shadowagg.candidate.writer.reader import read_staging
from shadowagg.candidate.writer.staging import StagedWindow
from shadowagg.errors import InputUnreadable, UserError, WriteFailed
from shadowagg.plan import make_plan
from shadowagg.rowset import DATE, DOUBLE, TEXT, Column, RowKind, RowSet, RowSetSpec
from shadowagg.window import Window

SOURCE = "00000000-0000-0000-0000-000000000001"
FIRST = dt.date(2025, 8, 4)
DAYS = [FIRST + dt.timedelta(days=n) for n in range(4)]

SPEC = RowSetSpec(
    name="toy:staging",
    table="staged",
    home="hive",
    day="day_of",
    source="source",
    kinds=(RowKind("row", ("name",)),),
    deleted_by={"accessor": {"source": "source_uuid"}},
    partitions=("source", "year", "month", "day"),
    columns=(
        Column("day_of", DATE),
        Column("name", TEXT),
        Column("value", DOUBLE, nan=True),
        Column("source", TEXT),
        Column("year", TEXT),
        Column("month", TEXT),
        Column("day", TEXT),
    ),
)
PLAN = make_plan(Window("org1", "toy", SOURCE, DAYS[0], DAYS[-1]))


def rows(version, counts):
    """Rows of a version: how many per day."""
    days = [day for day, count in zip(DAYS, counts, strict=True) for _ in range(count)]
    table = pa.table(
        {
            "day_of": pa.array(days, pa.date32()),
            "name": pa.array([f"{version}"] * len(days)).dictionary_encode(),
            "value": pa.array([float("nan")] * len(days)),
            "source": pa.array([SOURCE] * len(days), pa.string()),
            "year": pa.array([str(day.year) for day in days], pa.string()),
            "month": pa.array([str(day.month) for day in days], pa.string()),
            "day": pa.array([str(day.day) for day in days], pa.string()),
        }
    )
    return RowSet.conform(SPEC, table)


OLD = (2, 3, 0, 1)
"""Rows per day before; the last day's lie in a month written with a zero."""
NEW = (4, 0, 5, 2)


class Killed(Exception):
    """The process ends here."""


class Steps(fs.FileSystemHandler):
    """The local file system, whose changes are counted, and which ends before one of them."""

    def __init__(self, end_before=None):
        self.local = fs.LocalFileSystem()
        self.end_before = end_before
        self.taken = 0

    def step(self):
        if self.taken == self.end_before:
            raise Killed
        self.taken += 1

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)

    def get_type_name(self):
        return "steps"

    def normalize_path(self, path):
        return path

    def get_file_info(self, paths):
        return self.local.get_file_info(paths)

    def get_file_info_selector(self, selector):
        return self.local.get_file_info(selector)

    def create_dir(self, path, recursive):
        self.step()
        self.local.create_dir(path, recursive=recursive)

    def delete_file(self, path):
        self.step()
        self.local.delete_file(path)

    def move(self, src, dest):
        self.step()
        self.local.move(src, dest)

    def open_input_file(self, path):
        return self.local.open_input_file(path)

    def open_input_stream(self, path):
        return self.local.open_input_stream(path)

    def open_output_stream(self, path, metadata):
        self.step()
        return self.local.open_output_stream(path)

    def delete_dir(self, path):
        raise NotImplementedError

    def delete_dir_contents(self, path, *, missing_dir_ok=False):
        raise NotImplementedError

    def delete_root_dir_contents(self):
        raise NotImplementedError

    def open_append_stream(self, path, metadata):
        raise NotImplementedError

    def copy_file(self, src, dest):
        raise NotImplementedError


def staging_in(folder, steps=None, register=None):
    made = Staging(str(folder), register=register)
    if steps is not None:
        made.__dict__["filesystem"] = fs.PyFileSystem(steps)
    return made


def by_others(folder, counts=OLD):
    """What Trino left: two files a day, without an ending; the last day in month=08."""
    for day, count in zip(DAYS, counts, strict=True):
        month = "08" if day == DAYS[-1] else "8"
        place = (
            folder
            / "staged"
            / f"source={SOURCE}"
            / "year=2025"
            / f"month={month}"
            / f"day={day.day}"
        )
        place.mkdir(parents=True)
        for number in range(count):
            table = pa.table(
                {"day_of": pa.array([day], pa.date32()), "name": ["old"], "value": [1.0]}
            )
            pq.write_table(table, place / f"20250804_{number}")


def by_us(folder, counts=OLD):
    staged = StagedWindow.of(staging_in(folder), PLAN)
    staged.switch(staged.prepare([rows("old", counts)], PLAN, "accessor", "t0"))


def seen(folder):
    """Version and day of what our reader sees."""
    table = read_staging(staging_in(folder), SPEC, PLAN).table
    pairs = zip(table["name"].to_pylist(), table["day_of"].to_pylist(), strict=True)
    return Counter((name, DAYS.index(day)) for name, day in pairs)


def plainly_seen(folder):
    """The same, by a reader that knows nothing of journals: any file that is not hidden."""
    found = Counter()
    for path in (folder / "staged").rglob("*"):
        if path.is_file() and not path.name.startswith(("_", ".")):
            table = pq.ParquetFile(path).read()
            for name, day in zip(
                table["name"].to_pylist(), table["day_of"].to_pylist(), strict=True
            ):
                found[name, DAYS.index(day)] += 1
    return found


def expected(version, counts):
    return Counter({(version, n): count for n, count in enumerate(counts) if count})


def settle(staged, committed):
    """What the next run does under the lock."""
    for journal in staged.journals.read():
        if journal.state == "done":
            continue
        if journal.state == "switching" or committed:
            staged.switch(journal)
        else:
            staged.undo(journal)


def hidden(folder):
    return [path for path in folder.rglob("_shadowagg-*") if path.is_file()]


def write(folder, steps, commit):
    """A write that stops where the steps end; whether it came to its commit."""
    committed = False
    staged = StagedWindow.of(staging_in(folder, steps), PLAN)
    try:
        journal = staged.prepare([rows("new", NEW)], PLAN, "accessor", "t1")
        committed = commit
        if commit:
            staged.switch(journal)
    except Killed:
        pass
    return committed


def number_of_steps(folder, before):
    before(folder)
    steps = Steps()
    assert write(folder, steps, commit=True)
    assert expected("new", NEW) == seen(folder) == plainly_seen(folder)
    assert [] == hidden(folder)
    return steps.taken


@pytest.mark.parametrize("before", [by_others, by_us, None])
def test_a_write_that_ends_at_any_step_is_whole_for_readers_and_settled_by_the_next(
    tmp_path, before
):
    def begin(folder):
        folder.mkdir()
        if before:
            before(folder)
            assert expected("old", OLD) == seen(folder)

    old = expected("old", OLD) if before else Counter()
    new = expected("new", NEW)
    total = number_of_steps(tmp_path / "whole", begin)
    assert total > 15
    outcomes = Counter()
    for at in range(total):
        folder = tmp_path / str(at)
        begin(folder)
        committed = write(folder, Steps(end_before=at), commit=True)
        after = seen(folder)
        assert after in (old, new)
        assert after == old or committed
        plain = plainly_seen(folder)
        for day in range(4):
            of_day = {k: v for k, v in plain.items() if k[1] == day}
            # Each partition by itself is old, new, or, of others' files, on its way: never both.
            versions = {name for name, _ in of_day}
            assert len(versions) <= 1
            if versions == {"new"}:
                assert of_day == {k: v for k, v in new.items() if k[1] == day}
        settle(StagedWindow.of(staging_in(folder), PLAN), committed)
        assert (new if committed else old) == seen(folder) == plainly_seen(folder)
        assert [] == hidden(folder)
        outcomes[committed, after == new] += 1
    assert {(False, False), (True, False), (True, True)} == set(outcomes)


@pytest.mark.parametrize("before", [by_others, by_us])
def test_settling_may_end_at_any_step_as_well(tmp_path, before):
    old, new = expected("old", OLD), expected("new", NEW)
    total = number_of_steps(tmp_path / "whole", lambda f: (f.mkdir(), before(f)))
    for at in range(0, total, 4):
        for second in (1, 2, 3, 5, 8):
            folder = tmp_path / f"{at}-{second}"
            folder.mkdir()
            before(folder)
            committed = write(folder, Steps(end_before=at), commit=True)
            broken = StagedWindow.of(staging_in(folder, Steps(end_before=second)), PLAN)
            try:
                settle(broken, committed)
            except Killed:
                assert seen(folder) in (old, new)
            settle(StagedWindow.of(staging_in(folder), PLAN), committed)
            assert (new if committed else old) == seen(folder) == plainly_seen(folder)
            assert [] == hidden(folder)


def test_a_write_that_was_not_committed_leaves_nothing(tmp_path):
    by_others(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    staged = StagedWindow.of(staging_in(tmp_path), PLAN)
    staged.undo(staged.prepare([rows("new", NEW)], PLAN, "accessor", "t1"))
    assert before == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}


def test_files_are_written_without_partition_columns_and_read_back_with_them(tmp_path):
    by_us(tmp_path)
    file = next((tmp_path / "staged").rglob("day=4/shadowagg.parquet"))
    assert ["day_of", "name", "value"] == pq.ParquetFile(file).schema_arrow.names
    assert pa.string() == pq.ParquetFile(file).schema_arrow.field("name").type
    assert b"ARROW:schema" not in (pq.ParquetFile(file).metadata.metadata or {})
    table = read_staging(staging_in(tmp_path), SPEC, PLAN).table
    assert {SOURCE} == set(table["source"].to_pylist())
    assert {("2025", "8", "4"), ("2025", "8", "5"), ("2025", "8", "7")} == set(
        zip(*(table[name].to_pylist() for name in ("year", "month", "day")), strict=True)
    )


def test_other_days_and_sources_are_not_touched(tmp_path):
    by_us(tmp_path)
    elsewhere = [
        tmp_path / "staged" / f"source={SOURCE}" / "year=2025" / "month=8" / "day=8" / "kept",
        tmp_path / "staged" / "source=other" / "year=2025" / "month=8" / "day=4" / "kept",
        tmp_path / "staged" / f"source={SOURCE}" / "year=2024" / "month=8" / "day=4" / "kept",
    ]
    for path in elsewhere:
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    write(tmp_path, Steps(), commit=True)
    assert all(path.read_bytes() == b"x" for path in elsewhere)


def test_what_somebody_else_wrote_since_is_newer_and_stays(tmp_path, caplog):
    """Production ran between our commit and the switch of its files."""
    by_others(tmp_path)
    staged = StagedWindow.of(staging_in(tmp_path), PLAN)
    journal = staged.prepare([rows("new", NEW)], PLAN, "accessor", "t1")
    for n, day in enumerate(DAYS[:2]):  # one that gets rows, one that becomes empty
        place = tmp_path / "staged" / f"source={SOURCE}/year=2025/month=8/day={day.day}"
        for file in place.glob("2025*"):
            file.unlink()
        table = pa.table(
            {"day_of": pa.array([day], pa.date32()), "name": ["other"], "value": [1.0]}
        )
        pq.write_table(table, place / f"later_{n}")
    mixed = Counter({("other", 0): 1, ("other", 1): 1, ("new", 2): 5, ("new", 3): 2})
    staged.journals.advance(journal, "switching")
    assert mixed == seen(tmp_path)
    settle(staged, committed=True)
    assert mixed == seen(tmp_path) == plainly_seen(tmp_path)
    assert [] == hidden(tmp_path)
    assert "written by somebody else" in caplog.text


def test_a_writer_that_lost_its_lock_takes_nothing_from_the_next(tmp_path):
    by_us(tmp_path)
    lost = StagedWindow.of(staging_in(tmp_path), PLAN)
    stale = lost.prepare([rows("lost", NEW)], PLAN, "accessor", "t1")
    settle(lost, committed=False)
    following = StagedWindow.of(staging_in(tmp_path), PLAN)
    journal = following.prepare([rows("new", NEW)], PLAN, "accessor", "t2")
    # The first goes on without knowing: it writes a file, looks for orphans, undoes its own write.
    lost._write(rows("lost", NEW).table.slice(0, 4), SPEC, stale.days[0])
    lost._remove_orphans(stale)
    lost.undo(stale)
    following.switch(journal)
    assert expected("new", NEW) == seen(tmp_path) == plainly_seen(tmp_path)
    assert [] == hidden(tmp_path)
    lost.switch(replace(stale, state="switching"))
    assert expected("new", NEW) == seen(tmp_path) == plainly_seen(tmp_path)


def test_a_writer_that_lost_its_lock_leaves_the_journal_of_the_next(tmp_path):
    by_us(tmp_path)
    following = StagedWindow.of(staging_in(tmp_path), PLAN)
    following.prepare([rows("new", NEW)], PLAN, "accessor", "t2")
    StagedWindow.of(staging_in(tmp_path), PLAN).prepare([rows("lost", NEW)], PLAN, "accessor", "t1")
    states = {journal.token: journal.state for journal in following.journals.read()}
    assert {"t1": "prepared", "t2": "prepared"} == states
    for journal in following.journals.read():
        settled = following.undo if journal.token.endswith("1") else following.switch
        settled(journal)
    assert expected("new", NEW) == seen(tmp_path) == plainly_seen(tmp_path)


def test_files_of_a_lost_writer_are_removed_by_the_next_write(tmp_path):
    by_us(tmp_path)
    place = next((tmp_path / "staged").rglob("day=4"))
    (place / "_shadowagg-lost.parquet").write_bytes(b"half a file")
    write(tmp_path, Steps(), commit=True)
    assert [] == hidden(tmp_path)


def test_a_metastore_is_told_after_the_switch_and_again_if_it_could_not_be_reached(tmp_path):
    told = []

    def register(partitions):
        told.append((partitions, plainly_seen(tmp_path)))
        if len(told) == 1:
            raise OSError("no metastore")

    staged = StagedWindow.of(staging_in(tmp_path, register=register), PLAN)
    journal = staged.prepare([rows("new", NEW)], PLAN, "accessor", "t1")
    assert [] == told
    with pytest.raises(WriteFailed, match="no metastore"):
        staged.switch(journal)
    assert expected("new", NEW) == seen(tmp_path)
    settle(staged, committed=True)
    settle(staged, committed=True)
    assert 2 == len(told)
    partitions, then = told[-1]
    assert expected("new", NEW) == then
    assert [("staged", "4", 4), ("staged", "5", 0), ("staged", "6", 5), ("staged", "7", 2)] == [
        (p.table, p.values["day"], p.rows) for p in partitions
    ]


def test_a_reader_sees_one_version_while_another_is_written(tmp_path):
    by_us(tmp_path)
    versions = {"old": expected("old", OLD), "new": expected("new", NEW)}
    stop = threading.Event()
    strange, reads = [], Counter()

    def read():
        while not stop.is_set():
            found = seen(tmp_path)
            reads[next(iter(found))[0]] += 1
            if found not in versions.values():
                strange.append(found)

    thread = threading.Thread(target=read)
    thread.start()
    staged = StagedWindow.of(staging_in(tmp_path), PLAN)
    turn, until = 0, time.monotonic() + 60
    while (turn < 20 or len(reads) < 2 or sum(reads.values()) < 20) and time.monotonic() < until:
        version, counts = ("new", NEW) if turn % 2 == 0 else ("old", OLD)
        staged.switch(staged.prepare([rows(version, counts)], PLAN, "accessor", f"t{turn}"))
        time.sleep(0.03)
        turn += 1
    stop.set()
    thread.join()
    assert [] == strange
    assert {"old", "new"} == set(reads)
    assert sum(reads.values()) >= 20


def test_a_journal_of_a_newer_version_stops_reader_and_writer(tmp_path):
    by_us(tmp_path)
    (file,) = (tmp_path / "_shadowagg").rglob("*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": 2}))
    with pytest.raises(InputUnreadable, match="version 2"):
        seen(tmp_path)
    staged = StagedWindow.of(staging_in(tmp_path), PLAN)
    with pytest.raises(InputUnreadable, match="version 2"):
        staged.prepare([rows("new", NEW)], PLAN, "accessor", "t1")
    assert expected("old", OLD) == plainly_seen(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    by_us(tmp_path)
    next((tmp_path / "staged").rglob("day=5/shadowagg.parquet")).write_bytes(b"no parquet")
    with pytest.raises(InputUnreadable, match="day=5"):
        seen(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "staged").write_text("a file where the table's folder should be")
    staged = StagedWindow.of(staging_in(tmp_path), PLAN)
    with pytest.raises(WriteFailed, match="staging files"):
        staged.prepare([rows("new", NEW)], PLAN, "accessor", "t1")


def test_a_specification_must_say_where_a_partition_lies():
    from shadowagg.candidate.writer.staging import day_entry

    staging = Staging("/nowhere")
    with pytest.raises(UserError, match="no partition columns"):
        day_entry(staging, replace(SPEC, partitions=()), PLAN, FIRST, "accessor")
    with pytest.raises(UserError, match="partition column source"):
        day_entry(staging, replace(SPEC, source="name", deleted_by={}), PLAN, FIRST, "accessor")


def test_a_reader_that_misses_one_file_after_another_of_a_switch_goes_on(tmp_path, monkeypatch):
    """Each file is moved to its place between the reader's look and its opening it."""
    by_us(tmp_path)
    staged = StagedWindow.of(staging_in(tmp_path), PLAN)
    journal = staged.prepare([rows("new", NEW)], PLAN, "accessor", "t1")
    journal = staged.journals.advance(journal, "switching")
    aside = {entry.hidden: entry for entry in journal.days if entry.aside}
    missed = []
    read_file = reader._file

    def moved_meanwhile(staging, spec, entry, path):
        if path in aside:
            staged._switch_day(aside[path])
            missed.append(path)
        return read_file(staging, spec, entry, path)

    monkeypatch.setattr(reader, "_file", moved_meanwhile)
    assert expected("new", NEW) == seen(tmp_path)
    assert sorted(aside) == sorted(missed)
