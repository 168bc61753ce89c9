"""Side tables that lie in PostgreSQL, exported for one run: both paths see the same snapshot.

`Inputs.side` may be `postgresql:<schema>`, the tenant's schema on the server that the environment names.
Before anything else is done the declared columns are written as Parquet into the run's private folder,
and the run goes on with that: no path needs to know of it, and nothing can change between two of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from shadowagg.errors import RowSetInvalid, UserError
from shadowagg.fence import Limits, run_fenced
from shadowagg.inputs import Inputs

if TYPE_CHECKING:
    from shadowagg.provider import InputTable, Provider

__all__ = ["IN_POSTGRES", "export", "exported"]

IN_POSTGRES = "postgresql:"
"""How `Inputs.side` begins where the tables lie in a schema, which follows."""

_TYPES = {
    "text": pa.string(),
    "uuid": pa.string(),
    "double": pa.float64(),
    "integer": pa.int64(),
    "boolean": pa.bool_(),
    "texts": pa.list_(pa.string()),
}
"""Declared type of a side column -> how it is exported; times occur in the lake only."""


def exported(inputs: Inputs, provider: Provider, folder: Path, limits: Limits) -> Inputs:
    """The same inputs with the side tables in a folder; as they are if they are in one already.

    Args:
        inputs: whose side tables.
        provider: which of them, and which columns.
        folder: private; the files stay there.
        limits: of the fenced process that reads them.

    Raises:
        UserError: if the server does not give them.
    """
    if not inputs.side.startswith(IN_POSTGRES):
        return inputs
    place = folder / "side"
    place.mkdir(mode=0o700)
    request = {"schema": inputs.side.removeprefix(IN_POSTGRES), "provider": provider.name}
    outcome = run_fenced("shadowagg.side_tables:_export", request, folder=place, limits=limits)
    if outcome.value is None:
        reason = outcome.fault.message if outcome.fault else "no answer"
        raise UserError(f"not exported: {reason}", on=f"side tables of {inputs.side}")
    return replace(inputs, side=str(place))


def _export(request: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    from shadowagg.discovery import registry

    tables = registry().provider(request["provider"]).inputs
    return {"tables": export(request["schema"], tables, folder)}


def export(schema: str, tables: Sequence[InputTable], folder: Path) -> list[str]:
    """Write `<table>.parquet` for each side table that is there; columns that it lacks are left out.

    What is missing is judged by whoever reads: production refuses some of it.

    Args:
        schema: the tenant's.
        tables: of the provider; those of the lake are passed over.
        folder: for the files. They are dated 1970: an export says nothing of when its table changed.

    Returns:
        The names of the tables that are there.

    Raises:
        UserError: if no server is named, or it does not let us in.
        InputUnreadable: for what the server refuses.
        RowSetInvalid: for a column of another type than the declared one.
    """
    # Here: only a run with such side tables needs a server, and Parquet written.
    import pyarrow.parquet as pq

    from shadowagg.condition import ALWAYS
    from shadowagg.condition_sql import condition_sql
    from shadowagg.postgres_rows import columns_of, read_rows, snapshot, unfit_columns

    names = []
    with snapshot() as connection:
        for table in tables:
            wanted_here = table.home == "postgres" and not table.scenario_flag
            found = columns_of(connection, schema, table.name) if wanted_here else {}
            if not found:
                continue
            wanted = pa.schema([(c.name, _TYPES[c.type]) for c in table.columns if c.name in found])
            if faults := unfit_columns(wanted, found):
                raise RowSetInvalid("; ".join(faults), on=f"table {schema}.{table.name}")
            rows = read_rows(connection, schema, table.name, wanted, condition_sql(ALWAYS))
            file = folder / f"{table.name}.parquet"
            pq.write_table(rows, file)
            os.utime(file, (0, 0))
            names.append(table.name)
    return names
