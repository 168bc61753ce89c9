"""Totals per day as inline SVG: control against candidate, and what lies between them.

pygal lays the chart out; colours and fonts are the page's own (they follow its light or dark
scheme), and everything is taken out that is random, dated, a script or a style of pygal's.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shadowagg.report.numbers import (
    as_number,
    statistic,
)

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["Charts", "draw_totals", "pygal_installed"]

_SVG = "{http://www.w3.org/2000/svg}"
_FRACTION = re.compile(r"\d+\.\d+")
_LARGEST = 1e300
"""Beyond it pygal's scale computes infinities."""


@dataclass(frozen=True, slots=True)
class Charts:
    """Two charts of one column, as `<svg>` elements.

    Args:
        totals: control and candidate, a pair of bars per day.
        differences: candidate less control per day; empty for totals that agree.
    """

    totals: str
    differences: str


def pygal_installed() -> bool:
    """Whether the extra `report` is there."""
    try:
        _import_pygal()
    except ImportError:
        return False
    return True


def _import_pygal() -> Any:
    """pygal, without the hook that it puts into Python's import machinery for its maps.

    The hook is of a form that Python 3.12 no longer knows; before that, every later import of a
    module that is not there would warn of it, in whichever part of the process.
    """
    # pygal is an extra, and only pages with totals need it.
    import pygal

    sys.meta_path[:] = [
        finder for finder in sys.meta_path if type(finder).__module__.partition(".")[0] != "pygal"
    ]
    return pygal


def draw_totals(
    days: Sequence[str], control: Sequence[Any], candidate: Sequence[Any], *, agree: bool
) -> Charts | None:
    """Chart the totals of one column.

    Args:
        days: one label per day; only their digits are drawn.
        control: the control's totals, in the order of the days; None for a day without rows.
        candidate: the candidate's totals.
        agree: whether they agree; what then lies between them is noise, which a chart would blow up
            to its full height.

    Returns:
        None where no two totals can be drawn: NaN, infinite, no day at all.
    """
    left = [_drawable(value) for value in control]
    right = [_drawable(value) for value in candidate]
    if not any(value is not None for value in (*left, *right)):
        return None
    between = [
        float((there or 0) - (here or 0)) if (here, there) != (None, None) else None
        for here, there in zip(left, right, strict=True)
    ]
    labels = [_label(day) for day in days]
    return Charts(
        totals=_bars(
            "Totals per day: control against candidate",
            labels,
            {"control": _floats(left), "candidate": _floats(right)},
        ),
        differences=""
        if agree
        else _bars("Candidate less control per day", labels, {"candidate less control": between}),
    )


def _drawable(value: Any) -> Decimal | None:
    number = as_number(value)
    return number if number is not None and abs(number) < _LARGEST else None


def _floats(values: Sequence[Decimal | None]) -> list[float | None]:
    return [None if value is None else float(value) for value in values]


def _label(day: str) -> str:
    """`2025-08-03` -> `3`; anything else that stands for a day -> `?`."""
    last = day[-2:]
    return str(int(last)) if last.isascii() and last.isdigit() else "?"


def _bars(title: str, labels: list[str], series: dict[str, list[float | None]]) -> str:
    pygal = _import_pygal()
    chart = pygal.Bar(
        width=640,
        height=200,
        margin=4,
        margin_left=8,
        spacing=6,
        js=(),
        no_prefix=True,
        disable_xml_declaration=True,
        show_legend=False,
        show_minor_y_labels=False,
        y_labels_major_count=4,
        formatter=statistic,
        value_formatter=statistic,
        style=pygal.style.Style(
            label_font_size=11, major_label_font_size=11, font_family="sans-serif"
        ),
    )
    chart.x_labels = labels
    for name, values in series.items():
        chart.add(name, values)
    return _page_own(chart.render(), title, list(series))


def _page_own(svg: str, title: str, names: list[str]) -> str:
    """Keep the geometry, take out the rest, and let every bar say in words what it is."""
    root = ET.fromstring(svg)  # noqa: S314 - pygal made it a moment ago, from numbers and digits
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
    for number, name in enumerate(names):
        for bar in root.iterfind(f".//g[@class='series serie-{number} color-{number}']//g"):
            _describe(bar, name)
    for parent in root.iter():
        for element in list(parent):
            if _is_foreign(element):
                parent.remove(element)
        kind = parent.attrib.get("class", "").split(" ")
        if kind == [""] or "rect" in kind:
            parent.attrib.pop("class", None)
        parent.attrib.pop("id", None)
        for name in ("x", "y", "width", "height", "d"):
            if name in parent.attrib:
                parent.set(name, _short(parent.attrib[name]))
    root.attrib.update({"class": "bars", "role": "img", "aria-label": title})
    return ET.tostring(root, encoding="unicode")


def _describe(bar: ET.Element, name: str) -> None:
    said = {element.get("class"): element.text for element in bar.iterfind("desc")}
    if "value" in said:
        title = ET.Element("title")
        title.text = f"{name}, day {said.get('x_label', '?')}: {said['value']}"
        bar.insert(0, title)


def _is_foreign(element: ET.Element) -> bool:
    """Scripts, styles, what only pygal's script reads, and a line behind each day."""
    kind = element.get("class", "")
    if element.tag == "title":
        return ", day " not in (element.text or "")
    return element.tag in {"defs", "script", "style", "desc"} or (
        any(word in kind for word in ("overlay", "titles"))
        or (kind == "guide line" and " v" in element.get("d", ""))
    )


def _short(numbers: str) -> str:
    """Coordinates in tenths of a pixel: they decide half of a chart's size in bytes."""
    return _FRACTION.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), numbers)
