"""Numbers as people read them: counts, sizes, times, and what lies between two of them."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any

__all__ = [
    "as_number",
    "count",
    "difference",
    "duration",
    "memory",
    "percent",
    "relative",
    "rounded_pair",
    "statistic",
]


def as_number(value: Any) -> Decimal | None:
    """A finite number from a plain value (decimals travel as text); None for anything else.

    >>> as_number("12.50")
    Decimal('12.50')
    """
    if value is None or isinstance(value, bool):
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def count(number: Any) -> str:
    """A count with thousands separators.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{int(number or 0):,}"


def statistic(value: Any) -> str:
    """A size in three significant digits, an order of magnitude rather than a value.

    >>> statistic(0.000123456), statistic("1234567.8"), statistic(0)
    ('0.000123', '1,234,568', '0')
    """
    number = as_number(value)
    if number is None:
        return "–" if value is None else str(value)
    if abs(number) >= 1000:
        return f"{number:,.0f}" if abs(number) < Decimal("1e15") else f"{float(number):.2e}"
    return f"{float(number):.3g}"


def relative(control: Any, candidate: Any) -> Decimal | None:
    """The difference relative to the control's value; None where that has no meaning."""
    left, right = as_number(control), as_number(candidate)
    if left is None or right is None or left == 0:
        return None
    return (right - left) / abs(left)


def percent(part: Any) -> str:
    """A relative difference, as per cent where it is large enough to be read as one.

    >>> percent(-0.0213), percent(3e-12)
    ('−2.13 %', '3e-12')
    """
    number = as_number(part)
    if number is None:
        return "–" if part is None else str(part)
    text = f"{statistic(number * 100)} %" if abs(number) >= Decimal("1e-5") else statistic(number)
    return _typographic(text)


def difference(control: Any, candidate: Any) -> str:
    """Candidate less control, with its sign and its size relative to the control.

    >>> difference("10.0", "7.5")
    '−2.5 (−25 %)'
    """
    left, right = as_number(control), as_number(candidate)
    if left is None or right is None:
        return ""
    if left == right:
        return "0"
    absolute = statistic(right - left)
    text = absolute if right < left else f"+{absolute}"
    part = relative(control, candidate)
    if part is not None:
        text += f" ({'+' if part > 0 else ''}{percent(part)})"
    return _typographic(text)


def rounded_pair(control: Any, candidate: Any) -> tuple[str, str]:
    """Two totals with as many decimals as show where they part, and no more.

    >>> rounded_pair("1234.56789", "1234.5")
    ('1,234.568', '1,234.500')
    """
    left, right = as_number(control), as_number(candidate)
    decimals = 2
    if left is not None and right is not None and left != right:
        # the first digit of the difference, and one more
        decimals = min(max(2, 1 - (right - left).adjusted()), 15)
    elif (known := left if left is not None else right) is not None and known:
        decimals = min(max(2, 3 - known.adjusted()), 15)

    def text(value: Any, number: Decimal | None) -> str:
        if number is None:
            return "–" if value is None else str(value)
        return _typographic(f"{number:,.{decimals}f}")

    return text(control, left), text(candidate, right)


def _typographic(text: str) -> str:
    return f"−{text[1:]}" if text.startswith("-") else text.replace("(-", "(−")


def duration(seconds: Any) -> str:
    """A time as people say it.

    >>> duration(0.0421), duration(12.34), duration(200)
    ('42 ms', '12.3 s', '3 min 20 s')
    """
    value = float(seconds or 0)
    if not math.isfinite(value):
        return "–"
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    if value < 99.95:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes:,} min {rest} s"


def memory(size: Any) -> str:
    """Bytes in binary units.

    >>> memory(536870912), memory(1610612736)
    ('512 MiB', '1.5 GiB')
    """
    value = float(size or 0) / 1024**2
    if value < 1:
        return f"{value * 1024:.0f} KiB"
    return f"{value:.0f} MiB" if value < 1024 else f"{value / 1024:.3g} GiB"
