"""One SELECT in Trino's dialect, with its parameters bound, as DuckDB understands it.

Everything happens on the parsed statement. A parameter becomes a literal of its type in the tree, so
no value is ever part of a text that is parsed. What the two engines call by the same name but mean
differently, or what DuckDB lacks, is replaced by a macro of `macros.sql`; the rest is left to sqlglot.
What neither does, a difference of meaning in the arithmetic, the `.sql` file says itself.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlglot  # imported with the control that needs it, never with the package
from sqlglot import exp

from shadowagg.errors import ShadowaggError

__all__ = [
    "bind",
    "literal",
    "names_of_parameters",
    "parse_select",
    "quoted",
    "tables_read",
    "texts_in",
    "to_duckdb",
]

_TEXT_MAP = exp.DataType.build("map(varchar, varchar)", dialect="trino")
_WIDEST_INTEGER = 2**31


def parse_select(sql: str, *, on: str = "") -> exp.Select:
    """The one SELECT of a control's `.sql` file.

    Raises:
        ShadowaggError: if it is no SELECT in Trino's dialect, or more than one statement.
    """
    try:
        statements = sqlglot.parse(sql, read="trino")
    except sqlglot.errors.SqlglotError as error:
        raise ShadowaggError(
            f"not Trino's SQL: {str(error).splitlines()[0]}", on=on, hint="repair the .sql file"
        ) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise ShadowaggError(
            f"one SELECT expected, {len(statements)} statements found",
            on=on,
            hint="a stage is one SELECT; earlier stages are tables to it",
        )
    return statements[0]


def names_of_parameters(select: exp.Expression) -> frozenset[str]:
    """The names behind the colons."""
    return frozenset(str(placeholder.this) for placeholder in select.find_all(exp.Placeholder))


def tables_read(select: exp.Expression) -> frozenset[str]:
    """The names of the tables that a statement reads; its own CTEs are none."""
    own = {cte.alias.lower() for cte in select.find_all(exp.CTE)}
    return frozenset(
        table.name for table in select.find_all(exp.Table) if table.name.lower() not in own
    )


def texts_in(select: exp.Expression) -> Iterator[str]:
    """The texts that a statement itself contains, longest first: no value of a row is among them."""
    texts = {str(part.this) for part in select.find_all(exp.Literal) if part.is_string}
    yield from sorted(texts, key=len, reverse=True)


def bind(select: exp.Select, parameters: Mapping[str, Any], *, on: str = "") -> exp.Select:
    """The statement with a literal in the place of each `:name`; the argument is left as it is.

    Args:
        select: a parsed statement.
        parameters: a value per name; a name that the statement does not use is ignored.
        on: what the statement is, for errors.

    Raises:
        ShadowaggError: for a name without a value, or a value of a type that no SQL literal has.
    """
    missing = sorted(names_of_parameters(select) - set(parameters))
    if missing:
        raise ShadowaggError(
            f"no value for {missing}", on=on, hint=f"the provider gives {sorted(parameters)}"
        )
    bound = select.copy()
    for placeholder in list(bound.find_all(exp.Placeholder)):
        placeholder.replace(literal(parameters[placeholder.this]))
    return bound


def literal(value: Any) -> exp.Expression:
    """A value as a typed literal: text, whole number, double, decimal, boolean, date, list, NULL.

    NULL has no type of its own; a statement casts each parameter that may be NULL.
    """
    if isinstance(value, str):
        return exp.Literal.string(value)
    if isinstance(value, Sequence):
        return exp.Array(expressions=[literal(item) for item in value])
    for type_, made in _LITERALS.items():
        # Exactly: a boolean is a whole number to Python, a moment is a date.
        if type(value) is type_:
            return made(value)
    raise ShadowaggError(
        f"a {type(value).__name__} is no value of a parameter",
        on="control",
        hint="give text, numbers, dates, lists of them, or None",
    )


def _whole_number(value: int) -> exp.Expression:
    narrow = -_WIDEST_INTEGER <= value < _WIDEST_INTEGER
    return exp.cast(exp.Literal.string(str(value)), "int" if narrow else "bigint")


def _decimal(value: Decimal) -> exp.Expression:
    text = f"{value:f}"
    return exp.cast(exp.Literal.string(text), f"decimal(38, {len(text.partition('.')[2])})")


_LITERALS: dict[type, Callable[[Any], exp.Expression]] = {
    type(None): lambda _: exp.Null(),
    bool: lambda value: exp.Boolean(this=value),
    int: _whole_number,
    float: lambda value: exp.cast(exp.Literal.string(repr(value)), "double"),
    Decimal: _decimal,
    dt.date: lambda value: exp.cast(exp.Literal.string(value.isoformat()), "date"),
}


def to_duckdb(select: exp.Expression) -> str:
    """A statement in DuckDB's dialect, over the macros of `macros.sql`; `:name` becomes `$name`."""
    return str(_rewritten(select).sql(dialect="duckdb", comments=False))


@dataclass(frozen=True)
class Translated:
    """A control's statement in both dialects; not to be altered, since runs share it.

    Args:
        select: as parsed from Trino's.
        duckdb: the text for DuckDB, with a `$name` per parameter.
        names: of its parameters.
        tables: that it reads.
    """

    select: exp.Select
    duckdb: str
    names: frozenset[str]
    tables: frozenset[str]

    def values(self, parameters: Mapping[str, Any], *, on: str) -> dict[str, Any]:
        """The values of its parameters.

        Raises:
            ShadowaggError: for a name without a value.
        """
        missing = sorted(self.names - set(parameters))
        if missing:
            raise ShadowaggError(
                f"no value for {missing}", on=on, hint=f"the provider gives {sorted(parameters)}"
            )
        return {name: parameters[name] for name in self.names}


@functools.lru_cache(maxsize=256)
def translate(sql: str, *, on: str = "") -> Translated:
    """The one SELECT of a control's `.sql` file, for DuckDB.

    Kept, since parsing and translating cost more than many a statement: sub-windows share it, and so
    do the runs of one process.

    Raises:
        ShadowaggError: as `parse_select`.
    """
    select = parse_select(sql, on=on)
    return Translated(select, to_duckdb(select), names_of_parameters(select), tables_read(select))


@functools.lru_cache(maxsize=4096)
def quoted(identifier: str) -> str:
    """A name as a quoted identifier of DuckDB; kept, since a run asks for the same names again."""
    return str(exp.to_identifier(identifier, quoted=True).sql(dialect="duckdb"))


def _in_duckdb(node: exp.Expression) -> exp.Expression:
    for rule in _RULES:
        replaced = rule(node)
        if replaced is not None:
            return replaced
    return node


def _read_map(node: exp.Expression) -> exp.Expression | None:
    """`cast(json_parse(text) as map(varchar, varchar))`: strict, and by Trino's texts of values."""
    if isinstance(node, exp.Cast) and node.to == _TEXT_MAP and isinstance(node.this, exp.ParseJSON):
        return _call("json_text_map", _rewritten(node.this.this))
    return None


def _write_map(node: exp.Expression) -> exp.Expression | None:
    """`json_format(cast(map as json))`: keys in UTF-16 order, surrogates escaped."""
    if isinstance(node, exp.JSONFormat) and isinstance(node.this, exp.Cast):
        return _call("map_json_text", _rewritten(node.this.this))
    return None


def _filter_map(node: exp.Expression) -> exp.Expression | None:
    """`map_filter(m, (k, v) -> …)`: a filter over the entries, in which k and v are fields."""
    if not _calls(node, "map_filter"):
        return None
    entries, condition = node.expressions
    key, value = condition.expressions
    fields = {key.name.lower(): "key", value.name.lower(): "value"}

    def field(part: exp.Expression) -> exp.Expression:
        # A parameter of a lambda is a bare identifier, or a column without a table.
        bare = isinstance(part, exp.Identifier) and not isinstance(part.parent, exp.Column)
        column = isinstance(part, exp.Column) and not part.table
        if (bare or column) and part.name.lower() in fields:
            return exp.column(fields[part.name.lower()], table="entry")
        return part

    return _call(
        "map_from_entries",
        _call(
            "list_filter",
            _call("map_entries", _rewritten(entries)),
            exp.Lambda(
                this=_rewritten(condition.this.transform(field)),
                expressions=[exp.to_identifier("entry")],
            ),
        ),
    )


def _concatenate_maps(node: exp.Expression) -> exp.Expression | None:
    """`map_concat(…)`: NULL if any argument is."""
    if _calls(node, "map_concat"):
        maps = exp.Array(expressions=[_rewritten(argument) for argument in node.expressions])
        return _call("merge_maps", maps)
    return None


def _sorted_map(node: exp.Expression) -> exp.Expression | None:
    """`map_from_entries(…)`: sorted, so that equal maps are equal in DuckDB."""
    if isinstance(node, exp.MapFromEntries):
        return _call("sort_map", _call("map_from_entries", _rewritten(node.this)))
    return None


def _count_bytes(node: exp.Expression) -> exp.Expression | None:
    """`length(to_utf8(text))`: DuckDB's length takes no bytes."""
    if isinstance(node, exp.Length) and isinstance(node.this, exp.Encode):
        return _call("strlen", _rewritten(node.this.this))
    return None


def _call(name: str, *arguments: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _calls(node: exp.Expression, name: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() == name


def _rewritten(node: exp.Expression) -> exp.Expression:
    # `transform` does not go into what a rule has put in place: each rule sees to its own parts.
    return node.transform(_in_duckdb)


_RULES: tuple[Callable[[exp.Expression], exp.Expression | None], ...] = (
    _read_map,
    _write_map,
    _filter_map,
    _concatenate_maps,
    _sorted_map,
    _count_bytes,
)
