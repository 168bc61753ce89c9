"""The embedded control alone: our SQL on DuckDB, one Parquet file per published table."""

import os
import sys
from pathlib import Path

import pyarrow.parquet as pq

from shadowagg.discovery import registry
from shadowagg.paths import PathRequest, open_path
from shadowagg.scenario import load_scenario

scenario = load_scenario(Path(sys.argv[1]))
provider = registry().provider(sys.argv[2])
out = Path(sys.argv[3])
out.mkdir(parents=True, exist_ok=True)
for window in provider.windows(scenario):
    inputs = scenario.inputs()
    request = PathRequest(provider, provider.plan(window, inputs), inputs, os.cpu_count() or 1)
    for made in open_path("embedded").run(request):
        pq.write_table(made.table, out / f"{made.stage}.parquet")
