"""The folder of production's templates: named by its path or by an installed package."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shadowagg.control.production.render import asked_for
from shadowagg.errors import UserError
from shadowagg.production import TemplateStep

__all__ = ["TemplateFolder"]

_PACKAGE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class TemplateFolder:
    """The files that a run uses, read once.

    Args:
        folder: where they lie.
        revision: the commit of the checkout, or the package's distribution and version; empty if
            it is neither.
        texts: by their path below the folder.
    """

    folder: Path
    revision: str
    texts: Mapping[str, str] = field(repr=False)

    @classmethod
    def open(cls, place: str, steps: Sequence[TemplateStep]) -> TemplateFolder:
        """Read the files of all steps, and see that they are the ones that the steps describe.

        Args:
            place: a folder, or the dotted name of an installed package.
            steps: that are to run.

        Raises:
            UserError: if there is no such folder, a file is missing, or one asks for a name that its
                step does not bind: with the lists of both.
        """
        folder, revision = _find(place)
        texts: dict[str, str] = {}
        missing: list[str] = []
        strangers: list[str] = []
        for step in steps:
            try:
                texts[step.path] = (folder / step.path).read_text(encoding="utf-8")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                missing.append(step.path)
                continue
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(
                    f"cannot be read: {error}",
                    on=f"template {folder / step.path}",
                    hint="check the file and its permissions",
                ) from None
            unknown = asked_for(texts[step.path]) - set(step.binds)
            strangers += [f"{step.path} asks for {name}" for name in sorted(unknown)]
        if missing or strangers:
            faults = [f"lacks {', '.join(missing)}"] if missing else []
            raise UserError(
                "; ".join(faults + strangers),
                on=f"templates {folder}",
                hint="name production's folder masu/database, of the revision in templates.md",
            )
        return cls(folder, revision, texts)

    def describe(self) -> dict[str, Any]:
        """Folder, revision and the files' SHA-256, for the record; `hash` is one over all of them."""
        files = {
            path: hashlib.sha256(text.encode()).hexdigest()
            for path, text in sorted(self.texts.items())
        }
        lines = "".join(f"{digest}  {path}\n" for path, digest in files.items())
        return {
            "folder": str(self.folder),
            "revision": self.revision,
            "hash": hashlib.sha256(lines.encode()).hexdigest(),
            "files": files,
        }


def _find(place: str) -> tuple[Path, str]:
    path = Path(place).expanduser()
    if path.is_dir():
        resolved = path.resolve()
        return resolved, _commit(resolved)
    if _PACKAGE.fullmatch(place):
        found = _package(place)
        if found is not None:
            return found
    raise UserError(
        "no such folder, and no such installed package",
        on=f"templates {place!r}",
        hint="name production's folder masu/database with --templates, or SHADOWAGG_TEMPLATES",
    )


def _package(name: str) -> tuple[Path, str] | None:
    """The folder of a package and its version; nothing of it is imported."""
    top, *rest = name.split(".")
    spec = importlib.util.find_spec(top)
    for root in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(root).joinpath(*rest)
        if folder.is_dir():
            return folder.resolve(), _distribution(top) or _commit(folder.resolve())
    return None


def _distribution(package: str) -> str:
    for name in importlib.metadata.packages_distributions().get(package, ()):
        return f"{name} {importlib.metadata.version(name)}"
    return ""


def _commit(folder: Path) -> str:
    """The commit that a checkout stands at, read from its files: no program of it is started."""
    for parent in (folder, *folder.parents):
        place = parent / ".git"
        try:
            if place.is_file():  # a worktree or submodule names its real folder
                place = parent / place.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
            if not (place / "HEAD").is_file():
                continue
            return _resolved(place)
        except (OSError, UnicodeDecodeError):
            return ""
    return ""


def _resolved(place: Path) -> str:
    head = (place / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return head if _COMMIT.fullmatch(head) else ""
    name = head.removeprefix("ref:").strip()
    common = place / "commondir"
    shared = (place / common.read_text(encoding="utf-8").strip()) if common.is_file() else place
    for root in (place, shared):
        if (root / name).is_file():
            text = (root / name).read_text(encoding="utf-8").strip()
            return text if _COMMIT.fullmatch(text) else ""
    packed = shared / "packed-refs"
    for line in packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else ():
        commit, _, found = line.partition(" ")
        if found == name and _COMMIT.fullmatch(commit):
            return commit
    return ""
