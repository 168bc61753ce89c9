"""The Trino server: from Maven, checked, unpacked, thinned."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from shadowagg.errors import UserError
from shadowagg.testing.stack.layout import Home
from shadowagg.testing.stack.steps import (
    Say,
    built_beside,
    find_program,
    install_packages,
    run_step,
)

__all__ = ["TRINO_SHA256", "TRINO_VERSION", "find_server"]

TRINO_VERSION = "476"
TRINO_SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
"""Of the archive; Maven itself only warns when what came is not what was meant."""

_PLUGINS = frozenset({"hive", "postgresql", "geospatial"})
"""All that is needed; `postgresql` does not start without `geospatial`."""


def find_server(home: Home, say: Say) -> Path:
    """The folder of the unpacked server; downloaded (0.8 GB) when first asked for.

    Raises:
        Missing: without Maven, unless we may install it.
        UserError: if the download fails or is not what it should be.
    """
    server = home.folder / f"trino-server-{TRINO_VERSION}"
    if server.is_dir():
        return server
    archive = _download(home, say)
    with built_beside(server) as draft:
        # All of it, although little is kept: jars that plugins share are hard links in the archive.
        run_step(
            f"Trino {TRINO_VERSION}: unpacking",
            ("tar", "-xzf", str(archive), "-C", str(draft), "--strip-components=1"),
            say=say,
            log=home.logs / "trino-unpack.log",
        )
        for plugin in (draft / "plugin").iterdir():
            if plugin.name not in _PLUGINS:
                shutil.rmtree(plugin)
    return server


def _download(home: Home, say: Say) -> Path:
    folder = home.folder / "downloads"
    archive = folder / f"trino-server-{TRINO_VERSION}.tar.gz"
    if not archive.is_file():
        maven = find_program("mvn")
        if maven is None:
            install_packages(
                ("maven",), purpose="Trino's download", say=say, log=home.logs / "maven-install.log"
            )
            maven = find_program("mvn") or Path("mvn")
        with built_beside(folder) as draft:
            run_step(
                f"Trino {TRINO_VERSION}: downloading 0.8 GB with Maven",
                (
                    *(str(maven), "-B", "-q", "dependency:copy"),
                    f"-Dartifact=io.trino:trino-server:{TRINO_VERSION}:tar.gz",
                    f"-DoutputDirectory={draft}",
                    "-Dmdep.useBaseVersion=true",
                ),
                say=say,
                log=home.logs / "trino-download.log",
                folder=draft,
            )
    with archive.open("rb") as source:
        found = hashlib.file_digest(source, "sha256").hexdigest()
    if found != TRINO_SHA256:
        archive.unlink()
        raise UserError(
            f"has SHA-256 {found} instead of {TRINO_SHA256}",
            on=archive.name,
            hint="it was removed; also remove io/trino/trino-server from Maven's local repository",
        )
    return archive
