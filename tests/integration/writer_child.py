"""A process that writes one window when it is told to, to be killed while it does.

Takes one line of JSON on standard input, says its backend's number, waits for another line, writes, says
how long that took.
"""

import json
import sys
import time
from functools import partial

import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq

from shadowagg.candidate.writer import Staging, WriteOptions, write_window
from shadowagg.discovery import registry
from shadowagg.plan import Plan

request = json.loads(sys.stdin.readline())
row_sets = {name: pq.read_table(path) for name, path in request["row_sets"].items()}
for name, table in row_sets.items():
    at = table.column_names.index("resource_id")
    version = pa.repeat(pa.scalar(request["version"]), table.num_rows)
    row_sets[name] = table.set_column(at, "resource_id", version)
connection = psycopg2.connect(request["url"])
say = partial(print, flush=True)
say(connection.info.backend_pid)
sys.stdin.readline()
begun = time.monotonic()
write_window(
    registry().provider("ocp"),
    Plan.from_json(request["plan"]),
    row_sets,
    connection,
    staging=Staging(request["staging"]),
    options=WriteOptions(marker_schema=request["marker_schema"], batch_rows=1000),
)
say(time.monotonic() - begun)
