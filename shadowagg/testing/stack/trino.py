"""Trino: one node on loopback, with the catalogs that production's SQL names."""

from __future__ import annotations

import http.client
import signal
from pathlib import Path

from shadowagg.testing.stack import configuration
from shadowagg.testing.stack.archive import TRINO_VERSION, find_server
from shadowagg.testing.stack.java import find_java
from shadowagg.testing.stack.layout import Home
from shadowagg.testing.stack.ports import HOST, answers
from shadowagg.testing.stack.process import Identity, start
from shadowagg.testing.stack.query import QueryFailed, ask
from shadowagg.testing.stack.s3 import REGION
from shadowagg.testing.stack.state import State
from shadowagg.testing.stack.steps import Say

__all__ = ["USER", "Trino"]

USER = "shadowagg"

_QUESTION = "SELECT one FROM TABLE(postgres.system.query(query => 'SELECT 1 AS one'))"
"""Ready is who answers it. The log, `/v1/info` and `SELECT 1` say so seconds too early: what reads
rows from anywhere has no nodes to run on until then.
"""


class Trino:
    """The service `trino`."""

    name = "trino"
    needs = ("postgres",)
    stop_signal = signal.SIGTERM
    kind = f"trino {TRINO_VERSION}"

    def __init__(self) -> None:
        self._java = Path()
        self._server = Path()
        self._classes = Path()

    def install(self, home: Home, say: Say) -> None:
        """Find a Java and the unpacked server, or get them."""
        self._java = find_java(home, say)
        self._classes = home.folder / f"trino-{TRINO_VERSION}.jsa"
        self._server = find_server(home, say)

    def values(self, state: State) -> configuration.TrinoValues:
        """What the configuration says of this stack."""
        folder = state.run.service(self.name)
        return configuration.TrinoValues(
            etc=str(folder / "etc"),
            var=str(folder / "var"),
            server=str(self._server),
            lake=str(state.run.lake),
            trino_port=state.ports["trino"],
            heap=state.heap,
            postgres_address=f"{HOST}:{state.ports['postgres']}",
            postgres_password=state.credentials.postgres_password,
            s3_address=f"{HOST}:{state.ports['s3']}",
            s3_region=REGION,
            s3_access_key=state.credentials.s3_access_key,
            s3_secret_key=state.credentials.s3_secret_key,
        )

    def launch(self, state: State) -> Identity:
        """Write the configuration and start the server."""
        folder = state.run.service(self.name)
        etc = folder / "etc"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "var").mkdir(exist_ok=True)
        files = configuration.render(self.values(state))
        configuration.write(files, etc)
        command = [
            str(self._java),
            *files["jvm.config"].splitlines(),
            # Classes as the JVM left them at its last exit: a start takes a third less time. One
            # that does not fit (another Java) is ignored and made anew. Its log is off: it calls an
            # error that the archive was made without --enable-native-access, which costs nothing.
            *("-XX:+AutoCreateSharedArchive", f"-XX:SharedArchiveFile={self._classes}"),
            "-Xlog:cds=off",
            *(f"-D{line}" for line in files["node.properties"].splitlines()),
            f"-Dconfig={etc / 'config.properties'}",
            f"-Dlog.levels-file={etc / 'log.properties'}",
            *("-cp", str(self._server / "lib" / "*"), "io.trino.server.TrinoServer"),
        ]
        return start(command, log=state.run.log(self.name), folder=folder)

    def problem(self, state: State) -> str:
        """Whether it answers for itself and for PostgreSQL behind it."""
        port = state.ports[self.name]
        if not answers(port):
            return "nothing listens yet"
        try:
            ask(port, _QUESTION)
        except (OSError, QueryFailed, http.client.HTTPException) as error:
            return str(error)
        return ""
