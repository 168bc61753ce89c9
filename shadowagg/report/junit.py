"""Records -> JUnit XML, as continuous integration shows it: a suite per run, a case per stage."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Any

from shadowagg.report.stage import describe_rows, stage_agrees
from shadowagg.report.values import (
    visible,
)
from shadowagg.verdict import Verdict

__all__ = ["render_junit"]


def render_junit(records: Sequence[Mapping[str, Any]]) -> str:
    """The XML of some runs.

    Each run is a suite with the case `verdict` and a case per stage that was compared. A mismatch
    is a failure, a candidate that failed is an error, an inconclusive run is an error too: a case
    without evidence must not look like one that passed.

    Args:
        records: plain values as `Record.to_json` makes them.
    """
    root = ET.Element("testsuites", name="shadowagg")
    for record in records:
        root.append(_suite(record))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite(record: Mapping[str, Any]) -> ET.Element:
    window = (record.get("plan") or {}).get("window") or {}
    name = (
        f"{window.get('provider', '')} {window.get('schema', '')} "
        f"{window.get('start', '')}..{window.get('end', '')}"
    )
    suite = ET.Element("testsuite", name=visible(name), id=visible(str(record.get("id", ""))))
    suite.set("timestamp", visible(str(record.get("started", ""))))
    seconds = float((record.get("candidate") or {}).get("wall_seconds") or 0)
    verdict = _case(suite, name, "verdict", seconds)
    _judge(verdict, record)
    for diff in record.get("stages") or ():
        case = _case(suite, name, str(diff.get("stage")), float(diff.get("seconds") or 0))
        if not stage_agrees(diff):
            _outcome(case, "failure", "differs", describe_rows(diff), "")
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    return suite


def _judge(case: ET.Element, record: Mapping[str, Any]) -> None:
    verdict, cause = str(record.get("verdict")), str(record.get("cause"))
    if verdict == Verdict.MATCH:
        return
    reason = str(record.get("reason") or "")
    sentence = str((record.get("explanation") or {}).get("sentence") or "")
    repeat = str(record.get("repeat") or "")
    details = [line for line in (sentence, f"Repeat: {repeat}" if repeat else "") if line]
    for side in ("control", "candidate"):
        fault = (record.get(side) or {}).get("fault")
        if fault:
            details.append(f"{side}: {fault.get('cause')}: {fault.get('message')}")
    kind = "failure" if verdict == Verdict.MISMATCH else "error"
    _outcome(case, kind, f"{verdict}: {cause}", reason, "\n".join(details))


def _case(suite: ET.Element, run: str, name: str, seconds: float) -> ET.Element:
    attributes = {"classname": visible(run), "name": visible(name), "time": f"{seconds:.3f}"}
    return ET.SubElement(suite, "testcase", attributes)


def _outcome(case: ET.Element, kind: str, type_: str, message: str, text: str) -> None:
    # characters that XML does not allow are among those that `visible` writes out
    outcome = ET.SubElement(case, kind, {"type": visible(type_), "message": visible(message)})
    outcome.text = visible(text)
