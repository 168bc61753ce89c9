"""Templates rendered as production renders them: values bound, the schema's name alone spliced.

Templates are foreign code: they run in Jinja's sandbox, without a loader, and a name that nobody
gave a value is an error wherever it is used.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlparse  # imported with the control that needs it, never with the package
from jinja2 import StrictUndefined, Undefined, meta, nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinjasql import JinjaSql
from markupsafe import Markup

from shadowagg.errors import UserError
from shadowagg.production import TemplateStep, Way

__all__ = ["Rendered", "asked_for", "rendered"]

_STYLES = {
    Way.TRINO_PIECES: "qmark",
    Way.TRINO_WHOLE: "qmark",
    Way.POSTGRES_WHOLE: "pyformat",
    Way.POSTGRES_PIECES: "format",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """One text for a server.

    Args:
        text: with a placeholder per value.
        values: by position (`?`, `%s`), or by name (`%(name)s`).
        on: file and number of the piece, for errors.
    """

    text: str
    values: tuple[Any, ...] | Mapping[str, Any]
    on: str


def rendered(step: TemplateStep, text: str, values: Mapping[str, Any]) -> Iterator[Rendered]:
    """The pieces of a file, in order, as they go to its server; those without text are left out.

    Args:
        step: the file, and how it is run.
        text: of the file.
        values: of the names that it may ask for, `schema` among them.

    Raises:
        UserError: for a template that cannot be rendered, splices what may not be spliced, or leaves
            the sandbox.
    """
    allowed = {str(values[name]) for name in ("schema", *step.spliced)}
    engine = _engine(_STYLES[step.way], frozenset(allowed))
    for number, piece in enumerate(_pieces(step.way, text), 1):
        on = f"template {step.path}, piece {number}"
        try:
            statement, bound = engine.prepare_query(piece, dict(values))
        except (TemplateError, SecurityError, TypeError, ValueError, ArithmeticError) as error:
            # The first line: what Jinja says names the template's own words, never a value.
            said = next(iter(str(error).splitlines()), type(error).__name__)
            raise UserError(
                f"cannot be rendered: {said}", on=on, hint="is it of the revision that we know?"
            ) from None
        if not statement.strip():
            continue
        each = bound.values() if isinstance(bound, Mapping) else bound
        if any(isinstance(value, Undefined) for value in each):
            raise UserError("binds a name without a value", on=on, hint="compare the revisions")
        yield Rendered(statement, bound, on)


def asked_for(text: str) -> frozenset[str]:
    """The names that a template wants from outside: those that it sets itself are left out.

    Raises:
        UserError: for a text that is no template.
    """
    environment = _engine("qmark", frozenset()).env
    try:
        tree = environment.parse(text)
    except TemplateError as error:
        raise UserError(
            f"no template: {next(iter(str(error).splitlines()), '')}",
            on="templates",
            hint="compare the file with production's",
        ) from None
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    return frozenset(meta.find_undeclared_variables(tree)) - own


def _pieces(way: Way, text: str) -> list[str]:
    if not way.cut:
        return [text]
    # Cut before rendering, as production does: a name set in one piece is unknown in the next.
    pieces = [piece.strip() for piece in sqlparse.split(text)]
    if way is Way.TRINO_PIECES:
        pieces = [piece.removesuffix(";") for piece in pieces]
    return pieces


def _engine(style: str, texts: frozenset[str]) -> JinjaSql:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    engine = JinjaSql(environment, param_style=style)

    def spliced(value: Any) -> Markup:
        """The filter `sqlsafe`: only what nobody outside can choose becomes part of the text."""
        if isinstance(value, Undefined):
            raise _Refused(f"{value._undefined_name!r} is undefined")  # noqa: SLF001 - Jinja's name for it
        plain = isinstance(value, (int, Decimal, dt.date)) and not isinstance(value, dt.datetime)
        if not plain and str(value) not in texts:
            raise _Refused("splices a value that must be bound")
        return Markup(str(value))  # noqa: S704 - that is what the filter is for

    environment.filters["sqlsafe"] = spliced
    return engine


class _Refused(TemplateError):
    """What our own filter refuses."""
