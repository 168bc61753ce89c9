"""The writer killed at random moments: whatever is left is whole, in either home, and settled by the next run.

`SHADOWAGG_KILLS` says how often; `tox -e soak` has it 200 times.
"""

import dataclasses
import json
import os
import random
import subprocess
import sys
import time
import uuid
from collections import Counter
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg2 import sql

from shadowagg.candidate.writer import Staging, WriteOptions, read_staging, settle_window
from shadowagg.discovery import registry
from shadowagg.paths import PathRequest, open_path
from shadowagg.scenario import load_scenario
from shadowagg.testing.tables import create_table

KILLS = int(os.environ.get("SHADOWAGG_KILLS", "20"))
CHILD = Path(__file__).with_name("writer_child.py")
GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "ocp-month"
COPIES = 20

pytestmark = [pytest.mark.server, pytest.mark.timeout(120 + 20 * KILLS)]

PROVIDER = registry().provider("ocp")
SPECS = {stage.name: stage.spec for stage in PROVIDER.stages}


class Bench:
    """A month in a schema and a staging folder of its own, and processes that write it."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.schema = f"kills {uuid.uuid4().hex[:12]}"
        self.options = WriteOptions(marker_schema=f"{self.schema} marks")
        self.staging = Staging(str(folder / "staging"))
        scenario = load_scenario(GOLDEN)
        (window,) = PROVIDER.windows(scenario)
        plan = PROVIDER.plan(window, scenario.inputs())
        self.files, self.rows = {}, 0
        for made in open_path("pyarrow").run(PathRequest(PROVIDER, plan, scenario.inputs())):
            if made.stage in {"staging", "daily_summary"}:
                table = pa.concat_tables([made.table] * COPIES)
                self.files[made.stage] = str(folder / f"{made.stage}.parquet")
                pq.write_table(table, self.files[made.stage])
                self.rows = table.num_rows
        window = dataclasses.replace(window, schema=self.schema)
        self.plan = dataclasses.replace(plan, window=window)
        with closing(server.connect()) as connection:
            create_table(connection, self.schema, SPECS["daily_summary"], [window.start])
            connection.commit()

    def child(self, version):
        process = subprocess.Popen(
            [sys.executable, str(CHILD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        request = {
            "row_sets": self.files,
            "version": version,
            "url": self.server.url,
            "plan": self.plan.to_json(),
            "staging": self.staging.root,
            "marker_schema": self.options.marker_schema,
        }
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return process

    def in_postgres(self, connection):
        with connection.cursor() as cursor:
            table = sql.Identifier(self.schema, SPECS["daily_summary"].table)
            query = sql.SQL("SELECT resource_id, count(*)::int FROM {} GROUP BY 1")
            cursor.execute(query.format(table))
            found = dict(cursor.fetchall())
        connection.rollback()
        return found

    def in_staging(self):
        table = read_staging(self.staging, SPECS["staging"], self.plan).table
        counts = table.group_by("resource_id").aggregate([([], "count_all")])
        return dict(zip(*(column.to_pylist() for column in counts.columns), strict=True))

    def journals(self):
        """The text of every journal, by its path."""
        found = {}
        for path in Path(self.staging.root).rglob("_shadowagg/**/*.json"):
            with suppress(FileNotFoundError):
                found[path] = path.read_text()
        return found

    def drop(self):
        with closing(self.server.connect()) as connection, connection.cursor() as cursor:
            for name in (self.schema, self.options.marker_schema):
                statement = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE")
                cursor.execute(statement.format(sql.Identifier(name)))
            connection.commit()


@pytest.fixture
def bench(postgres, tmp_path):
    made = Bench(postgres, tmp_path)
    yield made
    made.drop()


def wait_until_gone(connection, backend):
    """A server process whose client was killed may still commit what it had been told to."""
    until = time.monotonic() + 60
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [backend])
            gone = cursor.fetchone() == (0,)
            connection.rollback()
            if gone:
                return
            assert time.monotonic() < until
            time.sleep(0.01)


def wait_for_the_moment(bench, process, number, dice, seconds):
    """Any moment of the write; every third time one near its commit, every third time one of its switch."""
    if number % 3 == 0:
        time.sleep(dice.uniform(0, 1.1 * seconds))
        return
    # The journal is there when the files are begun; it says `switching` from the commit on.
    wanted = '"prepared"' if number % 3 == 1 else '"switching"'
    before = bench.journals()
    while process.poll() is None:
        if any(wanted in text for path, text in bench.journals().items() if path not in before):
            break
        time.sleep(0.002)
    time.sleep(dice.uniform(0, 0.9 * seconds if number % 3 == 1 else 0.04))


def settled_write(bench, version):
    """A write that nobody disturbs, and its seconds."""
    process = bench.child(version)
    output, errors = process.communicate("go\n", timeout=120)
    assert 0 == process.returncode, errors
    return float(output.split()[-1])


def test_a_killed_writer_leaves_both_homes_whole(bench, capsys):
    seed = int.from_bytes(os.urandom(4), "big")
    dice = random.Random(seed)
    seconds = max(settled_write(bench, f"first {n}") for n in range(2))
    outcomes = Counter()
    current = "first 1"
    with closing(bench.server.connect()) as connection:
        following = bench.child("kill 0")
        for number in range(KILLS):
            process, version = following, f"kill {number}"
            following = bench.child(f"kill {number + 1}") if number + 1 < KILLS else None
            backend = int(process.stdout.readline())
            process.stdin.write("go\n")
            process.stdin.flush()
            wait_for_the_moment(bench, process, number, dice, seconds)
            process.kill()
            done = process.communicate()[0].strip() != ""
            wait_until_gone(connection, backend)

            rows, staged = bench.in_postgres(connection), bench.in_staging()
            whole = ({current: bench.rows}, {version: bench.rows})
            assert rows in whole, (seed, number)
            assert staged in whole, (seed, number)
            assert rows == staged or staged == whole[0], (seed, number)
            committed, switched = rows == whole[1], staged == whole[1]

            outcome = settle_window(bench.plan, connection, bench.staging, bench.options)
            assert rows == bench.in_postgres(connection) == bench.in_staging(), (seed, number)
            assert [] == list(Path(bench.staging.root).rglob("_shadowagg-*"))
            expected = {"finished", "nothing"} if committed else {"undone", "nothing"}
            assert outcome in expected, (seed, number)
            current = version if committed else current
            outcomes[_in_words(done, committed, switched, outcome)] += 1
    settled_write(bench, "last")
    with closing(bench.server.connect()) as connection:
        assert {"last": bench.rows} == bench.in_postgres(connection) == bench.in_staging()
    with capsys.disabled():
        say = partial(print, file=sys.stderr)
        say(f"\n{KILLS} kills within {1.1 * seconds:.2f} s, {bench.rows} rows, seed {seed}:")
        for words, count in sorted(outcomes.items()):
            say(f"  {count:4d}  {words}")
        say("  never a half-written or doubled window, in either home")
    assert sum(count for words, count in outcomes.items() if "after" not in words) > 0


def _in_words(done, committed, switched, outcome):
    if done:
        return "after it had ended"
    if not committed:
        return f"before the commit; staging: {outcome}"
    if not switched:
        return f"after the commit, before the switch; staging: {outcome}"
    return f"in or after the switch; staging: {outcome}"
