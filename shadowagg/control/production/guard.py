"""No statement leaves its scratch schema: each is parsed before it runs, and refused in doubt.

What is allowed is listed; everything else is refused: kinds of statements, tables, functions of
PostgreSQL, properties of new tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlglot import exp  # imported with the control that needs it, never with the package

from shadowagg.control.production.statements import Engine, parsed, refused

__all__ = ["Guard"]

_STATEMENTS = (
    exp.Select,
    exp.SetOperation,
    exp.Subquery,
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Create,
    exp.Drop,
    exp.TruncateTable,
    exp.Analyze,
)
_CHANGES = (
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Create,
    exp.Drop,
    exp.TruncateTable,
    exp.Analyze,
    exp.Into,
)
"""Nodes that name what they write; each may also stand inside another statement."""

_NEVER = (
    exp.Command,
    exp.Alter,
    exp.Copy,
    exp.Set,
    exp.Use,
    exp.Grant,
    exp.Transaction,
    exp.Commit,
    exp.Rollback,
    exp.Attach,
    exp.Detach,
    exp.Pragma,
    exp.Kill,
    exp.Comment,
    exp.LoadData,
)

_PROPERTIES: dict[Engine, tuple[type[exp.Expression], ...]] = {
    "trino": (exp.FileFormatProperty, exp.PartitionedByProperty),
    "postgres": (exp.UnloggedProperty,),
}
"""Of a new table. A location, above all, is not among them: it could be somebody's files."""

_FUNCTIONS = re.compile(
    # families, by their first word
    r"(jsonb?|array|regexp|string|to|date|make|bool|bit|percentile|justify|num|stddev|var|regr)_\w+"
    # values
    r"|uuid_generate_v4|gen_random_uuid|row|unnest|generate_series|generate_subscripts|cardinality"
    r"|coalesce|greatest|least|nullif|hstore|excluded|every|exists|any|all|some"
    # texts
    r"|(octet|char|character)_length|length|btrim|ltrim|rtrim|trim|initcap|lower|upper|left|right"
    r"|lpad|rpad|repeat|replace|reverse|translate|strpos|split_part|starts_with|substr|substring"
    r"|overlay|position|ascii|chr|concat|concat_ws|format|quote_literal|quote_ident|quote_nullable"
    r"|md5|sha(224|256|384|512)|encode|decode|normalize"
    # numbers and days
    r"|abs|ceil|ceiling|floor|round|trunc|mod|div|power|sqrt|cbrt|sign|exp|ln|log|log10|random"
    r"|width_bucket|extract|age|now|isfinite|timezone|(clock|statement|transaction)_timestamp"
    # aggregates and windows
    r"|count|sum|min|max|avg|variance|corr|covar_\w+|mode|row_number|rank|dense_rank|percent_rank"
    r"|cume_dist|ntile|lag|lead|first_value|last_value|nth_value"
)
"""Functions of PostgreSQL that may be called where sqlglot has no class for them. None of them writes,
waits, reads files, takes a statement as a text, or changes a setting: `nextval`, `set_config`,
`query_to_xml`, `dblink`, `lo_…`, `pg_…` do."""


@dataclass(frozen=True)
class Guard:
    """Holds statements to one schema.

    Args:
        schema: its name, the same in the catalogs `hive` and `postgres`.
        inputs: tables of the lake's schema whose files are not ours, to be read and never written;
            with them tables of such a name and `__`, their parts.
        also_reads: tables elsewhere that may be read, as `catalog.schema.table`.
    """

    schema: str
    inputs: frozenset[str] = frozenset()
    also_reads: frozenset[str] = frozenset()

    def check(self, text: str, engine: Engine, *, on: str) -> tuple[exp.Expression, ...]:
        """Let a text pass, as it will be sent, or refuse it.

        Args:
            text: one statement for Trino, with `?` for values; one or more for PostgreSQL.
            engine: which dialect, and whose names.
            on: what it is, for the error.

        Returns:
            Its statements, parsed.

        Raises:
            UserError: if it writes, makes, drops or reads anything outside the schema, is of a kind
                that is not known to be harmless, or cannot be parsed for certain.
        """
        statements = parsed(text, engine, on=on)
        for statement in statements:
            self._check(statement, engine, on)
        return statements

    def _check(self, statement: exp.Expression, engine: Engine, on: str) -> None:
        if not isinstance(statement, _STATEMENTS):
            raise refused(f"a statement of kind {statement.key}", on)
        for node in statement.walk():
            if isinstance(node, _NEVER):
                raise refused(f"a statement of kind {node.key}", on)
            if isinstance(node, _CHANGES):
                # What a MERGE does is said without a table: its own is the target.
                if not isinstance(node.parent, exp.When):
                    self._check_change(node, engine, on)
            elif isinstance(node, exp.Table):
                self._check_table(node, engine, on)
            elif isinstance(node, exp.Func):
                _check_function(node, engine, on)
        self._check_index(statement, engine, on)

    # --- tables ----------------------------------------------------------------------------------

    def _check_table(self, table: exp.Table, engine: Engine, on: str) -> None:
        if isinstance(table.this, exp.Func):
            if engine == "trino":
                raise refused(f"a table function, {table.this.name}", on)
            return  # looked at as a function
        path = _path(table, engine, on)
        if len(path) == 1:
            if not _is_query_name(table, path[0], engine):
                raise refused(f"table {path[0]} without a schema", on)
            return
        if self._inside(path, engine) or ".".join(_full(path, engine)) in self.also_reads:
            return
        raise refused(f"table {'.'.join(path)} outside schema {self.schema}", on)

    def _inside(self, path: tuple[str, ...], engine: Engine) -> bool:
        catalog, schema, _ = _full(path, engine)
        allowed = {"hive", "postgres"} if engine == "trino" else {"postgres"}
        # PostgreSQL takes its own database's name before a schema; no template writes it.
        named = engine == "postgres" and len(path) > 2
        return schema == self.schema and catalog in allowed and not named

    def _check_change(self, node: exp.Expression, engine: Engine, on: str) -> None:
        if isinstance(node, (exp.Create, exp.Drop)):
            self._check_kind(node, engine, on)
        targets = list(_targets(node))
        if not targets:
            raise refused(f"a statement of kind {node.key} that names no table", on)
        for target in targets:
            path = _path(target, engine, on)
            if len(path) == 1 or not self._inside(path, engine):
                raise refused(f"{node.key} of {'.'.join(path)}", on)
            catalog, _, name = _full(path, engine)
            if catalog == "hive" and re.split(r"\$|__", name)[0] in self.inputs:
                raise refused(f"{node.key} of the input {name}, whose files are not ours", on)

    def _check_kind(self, node: exp.Create | exp.Drop, engine: Engine, on: str) -> None:
        kinds = {"TABLE"} if engine == "trino" else {"TABLE", "INDEX"}
        kind = str(node.args.get("kind") or "").upper()
        if kind not in kinds or node.args.get("temporary"):
            raise refused(f"{node.key} of a {kind.lower() or 'nameless thing'}", on)
        if not isinstance(node, exp.Create):
            return
        for held in node.find_all(exp.Properties):
            for one in held.expressions:
                if not isinstance(one, _PROPERTIES[engine]):
                    raise refused(f"a new table with {one.key} {one.name}".rstrip(), on)
        if engine == "trino" and node.find(exp.LikeProperty):
            raise refused("a new table like another, which could share its files", on)

    def _check_index(self, statement: exp.Expression, engine: Engine, on: str) -> None:
        """An index lies where its table does, and has a name of its own only."""
        for index in statement.find_all(exp.Index):
            table = index.args.get("table")
            if not isinstance(table, exp.Table) or not self._inside(
                _path(table, engine, on), engine
            ):
                raise refused("an index of a table outside the schema", on)


def _targets(node: exp.Expression) -> Iterator[exp.Table]:
    """The tables that a node writes."""
    if isinstance(node, (exp.Drop, exp.TruncateTable, exp.Analyze)):
        # Versions of sqlglot differ in where they put them.
        yield from node.find_all(exp.Table)
        return
    this = node.this
    if isinstance(this, exp.Index):
        this = this.args.get("table")
    while isinstance(this, exp.Schema):
        this = this.this
    if isinstance(this, exp.Table):
        yield this


def _path(table: exp.Table, engine: Engine, on: str) -> tuple[str, ...]:
    parts = [table.args.get("catalog"), table.args.get("db"), table.this]
    names = []
    for part in parts:
        if part is None or part == "":
            continue
        if not isinstance(part, exp.Identifier) or not part.name:
            raise refused(f"a table whose name is a {getattr(part, 'key', 'text')}", on)
        # Trino folds all names, PostgreSQL those without quotes.
        quoted = engine == "postgres" and part.args.get("quoted")
        names.append(part.name if quoted else part.name.lower())
    return tuple(names)


def _full(path: tuple[str, ...], engine: Engine) -> tuple[str, str, str]:
    """Catalog, schema, table: the session's catalog is `hive`, PostgreSQL's own is `postgres`."""
    default = ("hive" if engine == "trino" else "postgres", "")
    catalog, schema, name = (*default[: 3 - len(path)], *path)
    return catalog, schema, name


def _is_query_name(table: exp.Table, name: str, engine: Engine) -> bool:
    """Whether a bare name is one of a WITH that can be seen from there, and no table."""
    below: Any = table
    above: Any = table.parent
    while above is not None:
        held = above.args.get("with_") or above.args.get("with")
        if isinstance(above, exp.With):
            held = above
        elif held is below:  # come up from inside it: looked at already
            held = None
        if isinstance(held, exp.With) and _visible(held, below, name, engine):
            return True
        below, above = above, above.parent
    return False


def _visible(held: exp.With, below: exp.Expression, name: str, engine: Engine) -> bool:
    """The names of a WITH are seen after it, and by its own queries after the one that has it."""
    for query in held.expressions:
        if query is below and not held.args.get("recursive"):
            return False
        alias = query.args["alias"].this
        quoted = engine == "postgres" and alias.args.get("quoted")
        if (alias.name if quoted else alias.name.lower()) == name:
            return True
    return False


# --- functions ---------------------------------------------------------------------------------


def _check_function(node: exp.Func, engine: Engine, on: str) -> None:
    if isinstance(node.parent, exp.Dot) and node.parent.expression is node:
        raise refused(f"function {node.parent.sql()[:60]} of another schema", on)
    if engine == "trino":
        return  # scalar functions of Trino write nothing
    if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)):
        name = str(node.name or node.this)
        if not _FUNCTIONS.fullmatch(name.lower()):
            raise refused(f"function {name}", on)
