"""The control mode `production`: production's own templates in a scratch twin, in production's order.

::

    read and check the folder          nothing has been asked of a server yet
    make the twin                      inputs and empty output tables, one schema in both catalogs
    run the steps                      provider.production.calls(plan): rendered, guarded, executed
    read the row sets                  from where production's rows would lie
    drop the twin                      in any case
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import time
from collections.abc import Iterator, Mapping
from typing import Any

from shadowagg.control.production.folder import TemplateFolder
from shadowagg.control.production.guard import Guard
from shadowagg.control.production.render import rendered
from shadowagg.control.production.rows import make_table, read_rows
from shadowagg.control.production.twin import ScratchTwin, Swallowed
from shadowagg.control.scratch import Scratch, open_scratch
from shadowagg.control.scratch_inputs import provide
from shadowagg.control.scratch_prune import prune
from shadowagg.control.trino_session import QueryFailed, TrinoSession, require_trino
from shadowagg.errors import ServerFailed, UserError
from shadowagg.paths import PathRequest, StageTable
from shadowagg.production import Call, CodeStep, Production, TemplateStep, production_of
from shadowagg.servers import TrinoServer

__all__ = ["ProductionTemplates", "take"]

_PACKAGES = {"jinjasql": "jinjasql2", "sqlglot": "sqlglot", "sqlparse": "sqlparse"}
"""Module -> distribution."""


class ProductionTemplates:
    """Production's templates on a real Trino and PostgreSQL.

    Option of a request: `templates`, the folder or package that has them.
    """

    mode = "production"
    stand_in = False

    def __init__(self) -> None:
        require_trino()
        for module, distribution in _PACKAGES.items():
            if importlib.util.find_spec(module) is None:
                raise ModuleNotFoundError(f"No module named {module!r}", name=distribution)
        self._said: dict[str, Any] = {}
        self._session: TrinoSession | None = None

    def run(self, request: PathRequest) -> Iterator[StageTable]:
        """Run every step, then give the row sets that lie in tables; inner ones lie in none.

        Raises:
            UserError: for templates that are not there, not those that are known, or refused by the
                guard.
            InputRefused: where a statement fails on the data.
            ServerFailed: where a server fails.
        """
        production = production_of(request.provider)
        folder = TemplateFolder.open(_place(request), production.templates)
        self._said["templates"] = folder.describe()
        if production.begin is not None:
            production.begin(request.plan)
        with TrinoSession(
            TrinoServer.from_environment(),
            source="shadowagg",
            seconds=request.seconds,
        ) as self._session:
            self._said["trino"] = self._session.connect()
            prune(self._session)
            with open_scratch(self._session) as scratch:
                self._session.source = scratch.name
                self._said |= {"scratch": scratch.name, "postgres": _version(scratch)}
                yield from _run(production, folder, scratch, request)

    def engine(self) -> Mapping[str, Any]:
        """Versions of what computed, the templates' hashes, and the queries on Trino."""
        queries = self._session.queries if self._session else []
        steps: dict[str, list[dict[str, Any]]] = {}
        for query in queries:
            if query.purpose != "scratch":
                steps.setdefault(query.purpose, []).append(query.to_json())
        return {
            **{name: importlib.metadata.version(name) for name in _PACKAGES.values()},
            **self._said,
            "cpu_seconds": round(sum(query.cpu_seconds for query in queries), 3),
            "peak_memory_bytes": max((query.peak_memory_bytes for query in queries), default=0),
            "scanned_bytes": sum(query.scanned_bytes for query in queries),
            "queries": steps,
        }


def _place(request: PathRequest) -> str:
    place = str((request.options or {}).get("templates") or "")
    if not place:
        raise UserError(
            "no folder of templates is named",
            on="mode production",
            hint="give --templates, or set SHADOWAGG_TEMPLATES",
        )
    return place


def _version(scratch: Scratch) -> str:
    return str(scratch.sql("SHOW server_version")[0][0])


def _run(
    production: Production, folder: TemplateFolder, scratch: Scratch, request: PathRequest
) -> Iterator[StageTable]:
    started = time.perf_counter()
    plan, tables = request.plan, request.provider.inputs
    session = scratch.session
    try:
        provided = provide(scratch, tables, request.inputs, plan.window)
        published = [stage for stage in request.provider.stages if stage.spec.home != "inner"]
        for stage in published:
            if stage.spec.home == "postgres":
                make_table(scratch, stage.spec)
        of_lake = tuple(table for table in tables if table.home == "lake")
        names = frozenset(table.name for table in of_lake)
        twin = ScratchTwin(
            scratch,
            Guard(scratch.name, names, frozenset(production.also_reads)),
            provided,
            of_lake,
            plan.window,
        )
        for step, call in production.calls(plan):
            session.purpose = step.name if isinstance(step, CodeStep) else step.path
            take(step, call, production, folder, twin)
        for stage in published:
            session.purpose = f"reading {stage.name}"
            table = read_rows(scratch, stage.spec, plan.window)
            yield StageTable(stage.name, table, time.perf_counter() - started)
            started = time.perf_counter()
    except QueryFailed as error:
        # What no piece of a template asked for: the twin itself.
        raise ServerFailed(
            f"the statement failed: {error.name}, query {error.query}",
            on=f"{plan.window}, {session.purpose}",
            hint="look at the server, run again",
        ) from None


def take(
    step: TemplateStep | CodeStep,
    call: Call,
    production: Production,
    folder: TemplateFolder,
    twin: ScratchTwin,
) -> None:
    """Run one step for its days: a function of the provider's, or a file, piece by piece."""
    if isinstance(step, CodeStep):
        step.run(call, twin)
        return
    if step.only_if is not None and not step.only_if(call, twin):
        return
    values = production.values(call, twin)
    values = {name: values[name] for name in step.binds}
    for piece in rendered(step, folder.texts[step.path], values):
        if not step.way.on_trino:
            twin.postgres(piece.text, piece.values, on=piece.on)
            continue
        try:
            twin.trino(piece.text, tuple(piece.values), on=piece.on, swallows=step.swallows)
        except Swallowed:
            return  # production goes on without the rest of the file
