"""Everything that shadowagg raises on purpose.

::

    ShadowaggError
    ├── UserError            something its reader can mend: one line, no traceback, exit code 2
    ├── InputRefused         an input that production refuses too (the specifications name them)
    ├── InputUnreadable      an input that cannot be read at all: truncated, forbidden, gone
    ├── RowSetInvalid        rows that do not conform to their specification
    └── ServerFailed         a server was out of reach, lost, or too slow

A message has three parts: what happened, on what, and a hint at what to do.
"""

from __future__ import annotations

__all__ = [
    "InputRefused",
    "InputUnreadable",
    "RowSetInvalid",
    "ServerFailed",
    "ShadowaggError",
    "UserError",
]


class ShadowaggError(Exception):
    """The root of the tree.

    Args:
        what: what happened, as half a sentence in lower case.
        on: the thing it happened to: a window, a stage, a table, a file.
        hint: what the reader can do about it.
    """

    cause = "error"
    """How an observation classifies this error (`observation.Cause`)."""

    stage = ""
    """The stage at which it was raised; set by the path that knows."""

    def __init__(self, what: str, *, on: str = "", hint: str = "") -> None:
        super().__init__(what, on, hint)
        self.what = what
        self.on = on
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.on}: {self.what}" if self.on else self.what
        return f"{text}. Hint: {self.hint}" if self.hint else text


class UserError(ShadowaggError):
    """Something that whoever typed the command, or wrote the setting, can mend."""

    cause = "usage"


class InputRefused(ShadowaggError):
    """The input is one that production refuses; both paths must refuse it."""

    cause = "refused"


class InputUnreadable(ShadowaggError):
    """An input object exists by name but cannot be read."""

    cause = "unreadable"


class RowSetInvalid(ShadowaggError):
    """A path gave rows that do not conform to the specification of their row set."""

    cause = "nonconforming"


class ServerFailed(ShadowaggError):
    """A server did not do what it was asked, for a reason that lies neither in the input nor in us.

    Args:
        what: what happened.
        on: which server, and at what.
        hint: what the reader can do about it.
        cause: `error`; `timeout` or `memory` where it stopped at a limit.
    """

    def __init__(self, what: str, *, on: str = "", hint: str = "", cause: str = "error") -> None:
        super().__init__(what, on=on, hint=hint)
        self.cause = cause
