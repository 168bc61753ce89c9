"""Run a window outside of a scenario: a live one, as a file or a task names it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shadowagg.errors import UserError
from shadowagg.inputs import Inputs
from shadowagg.paths import CANDIDATE
from shadowagg.runner import RunRequest, shadow_run
from shadowagg.scenario_run import ScenarioResult
from shadowagg.settings import Settings
from shadowagg.window import Window

if TYPE_CHECKING:
    from shadowagg.store import Store

__all__ = ["load_window", "run_window"]

_FIELDS = {"window", "inputs", "options"}


def load_window(file: Path) -> tuple[Window, Inputs, dict[str, str]]:
    """A window, the addresses of its inputs, and options of the modes, from a JSON file.

    Raises:
        UserError: if it is no such file, naming what is wrong.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if unknown := sorted(set(document) - _FIELDS):
            raise UserError(
                f"unknown fields {unknown}", on=str(file), hint=f"it has {sorted(_FIELDS)}"
            )
        options = {str(name): str(value) for name, value in document.get("options", {}).items()}
        return Window.parse(document["window"]), Inputs.from_json(document["inputs"]), options
    except FileNotFoundError:
        raise UserError("no such file", on=str(file), hint="check the path") from None
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"not JSON: {error}", on=str(file), hint="repair the file") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"field missing or of a wrong form: {error}",
            on=str(file),
            hint="docs/commands.md lists the fields",
        ) from None


def run_window(
    file: Path,
    settings: Settings,
    *,
    control: str,
    candidate: str = CANDIDATE,
    options: Mapping[str, str] | None = None,
    all_stages: bool = False,
    store: Store | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ScenarioResult:
    """Both paths on the window of a file; one record.

    Args:
        file: see `load_window`.
        settings: limits and places.
        control: control mode.
        candidate: `pyarrow`, or a control mode in its place.
        options: of the modes; they go before the file's, empty ones count as not given.
        all_stages: compare inner stages too.
        store: keeps the record.
        progress: is told what happens, a line at a time.
    """
    window, inputs, in_file = load_window(file)
    given: dict[str, Any] = {name: value for name, value in (options or {}).items() if value}
    progress(str(window))
    words = ["shadowagg", "run", "--window", str(file), "--control", control]
    if candidate != CANDIDATE:
        words += ["--candidate", candidate]
    for name, value in given.items():
        words += [f"--{name.replace('_', '-')}", value]
    request = RunRequest(
        window=window,
        inputs=inputs,
        control=control,
        candidate=candidate,
        options=in_file | given,
        all_stages=all_stages,
        command=shlex.join(words),
    )
    record = shadow_run(request, settings, store=store, progress=progress)
    return ScenarioResult(scenario="", records=(record,), not_covered=())
