"""The floor: read the columns that a provider needs, and do nothing with them."""

import sys
from pathlib import Path

import pyarrow.dataset as ds

from shadowagg.discovery import registry
from shadowagg.scenario import load_scenario

scenario = load_scenario(Path(sys.argv[1]))
provider = registry().provider(sys.argv[2])
for window in provider.windows(scenario):
    inputs = scenario.inputs()
    for table in provider.inputs:
        if table.home == "lake":
            for file in inputs.files(table, window, window.source_uuid):
                fragment = next(ds.dataset(file.path, format="parquet").get_fragments())
                present = fragment.physical_schema.names
                fragment.to_table(columns=[c.name for c in table.columns if c.name in present])
