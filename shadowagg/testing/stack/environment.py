"""A stack as the variables that point a run at servers. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from shadowagg.testing.stack import postgres, s3, trino
from shadowagg.testing.stack.layout import BUCKET
from shadowagg.testing.stack.ports import HOST
from shadowagg.testing.stack.state import State

__all__ = ["as_exports", "lake_uri", "variables"]


def lake_uri() -> str:
    """Trino's name for the folder in `SHADOWAGG_LAKE_DIR`."""
    return f"local:///{BUCKET}"


def variables(state: State) -> dict[str, str]:
    """Name -> value, for the services that were started; the lake is always there."""
    found = {"SHADOWAGG_LAKE_DIR": str(state.run.bucket), "SHADOWAGG_LAKE_URI": lake_uri()}
    ports = {name: str(state.ports[name]) for name in state.services}
    if "trino" in ports:
        found |= {"TRINO_HOST": HOST, "TRINO_PORT": ports["trino"], "TRINO_USER": trino.USER}
    if "postgres" in ports:
        found |= {
            "PGHOST": HOST,
            "PGPORT": ports["postgres"],
            "PGUSER": postgres.USER,
            "PGPASSWORD": state.credentials.postgres_password,
            "PGDATABASE": postgres.DATABASE,
        }
    if "s3" in ports:
        found |= {
            "S3_ENDPOINT": f"http://{HOST}:{ports['s3']}",
            "S3_REGION": s3.REGION,
            "S3_ACCESS_KEY": state.credentials.s3_access_key,
            "S3_SECRET_KEY": state.credentials.s3_secret_key,
            "S3_BUCKET_NAME": BUCKET,
        }
    return found


def as_exports(values: Mapping[str, str]) -> str:
    """Lines for `eval`."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
