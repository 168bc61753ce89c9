"""Rows of the OpenShift tables, drawn from few names, so that they meet in the joins."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from shadowagg.testing import strategies as worth
from shadowagg_ocp.testing.scenario import Row

__all__ = [
    "LABEL_KEYS",
    "NAMESPACES",
    "NODELESS_POD",
    "NODES",
    "World",
    "inventory_rows",
    "label_rows",
    "pattern_rows",
    "pod_hours",
    "pods",
    "volumes",
    "worlds",
]

NODES = ("n1", "n2", "n3")
NAMESPACES = (
    *("my-ns", "openshift-monitoring", "openshift", "kube-system", "my_ns", "openshiftx"),
    *("Worker unallocated", "Platform unallocated", "Storage unattributed", "", "r&amp;d", "ü\\%"),
)
"""Platform and user namespaces, reserved names, an empty one; never NULL: production refuses it."""

NODELESS_POD = "lost"
"""The pod whose rows have NULL as node; no volume is its own (`unplaced_volumes` has one)."""

LABEL_KEYS = ("app", "env", "App", "vm_kubevirt_io_name", "größe", 'a"b', "")

_PODS = ("p1", "p2", "p3")
_PATTERNS = (
    *("openshift-%", "kube-%", "Platform unallocated", "openshift", "my_ns", "openshift-mon%"),
    *("%", "Worker unallocated", "Platform%", "_", "", "ü\\%", "My-ns", "%ns"),
)


@dataclass(frozen=True, slots=True)
class World:
    """What the rows of one scenario draw from.

    Values are drawn once per scenario, and rows choose among them: equal labels and days meet more
    often, and an example stays small enough for hypothesis to draw whole.

    Args:
        times: moments of daily rows.
        hours: moments of hourly rows.
        nodes: names of nodes.
        namespaces: names of namespaces; may be empty, and then there are no pods.
        labels: label texts; NULL and JSON's null may be among them.
        cpu: CPU measures, NULL among them; core·s.
        memory: memory measures, NULL among them; byte·s.
        storage: storage measures, NULL among them; byte·s.
    """

    times: tuple[dt.datetime, ...]
    hours: tuple[dt.datetime, ...]
    nodes: tuple[str, ...]
    namespaces: tuple[str, ...]
    labels: tuple[str | None, ...]
    cpu: tuple[float | None, ...]
    memory: tuple[float | None, ...]
    storage: tuple[float | None, ...]


# Strategies that depend on nothing drawn are made once: making one costs more than drawing from it.
_SOME_LABELS = st.lists(worth.label_texts(worth.label_maps(LABEL_KEYS)), min_size=1, max_size=5)


@functools.cache
def _measures(most: float, divisor: float, *, whole: bool) -> st.SearchStrategy[list[float]]:
    numbers = worth.doubles(most, divisor=divisor, whole=whole)
    return st.lists(numbers, min_size=1, max_size=5)


@st.composite
def worlds(draw: st.DrawFn, start: dt.date, end: dt.date, *, whole: bool = False) -> World:
    """What the rows of a scenario draw from.

    Args:
        draw: given by hypothesis.
        start: first day of the window.
        end: last day, included.
        whole: whether measures are whole numbers.
    """
    days = worth.days_of_a_window(start, end)
    labels: list[str | None] = [*draw(_SOME_LABELS), "{}"]
    if draw(st.booleans()):
        labels.append(draw(st.sampled_from((None, None, "null"))))
    namespaces = draw(st.lists(st.sampled_from(NAMESPACES), min_size=1, max_size=4, unique=True))

    return World(
        times=(_midnight(start), _midnight(end), *draw(_daily_times(days))),
        hours=tuple(draw(st.lists(worth.moments(days), min_size=1, max_size=4))),
        nodes=NODES[: draw(st.integers(1, 3))],
        namespaces=tuple(namespaces) if draw(st.integers(0, 15)) != 11 else (),
        labels=tuple(labels),
        cpu=(*draw(_measures(1e7, 3600.0, whole=whole)), 0.0, None),
        memory=(*draw(_measures(1e17, 3600.0, whole=whole)), 0.0, None),
        storage=(*draw(_measures(1e17, 86400.0 * 30, whole=whole)), 0.0, None),
    )


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.min)


def _daily_times(days: st.SearchStrategy[dt.date]) -> st.SearchStrategy[list[dt.datetime]]:
    """Midnights as a rule; now and then another hour, since the rules say "date of"."""
    hour = st.sampled_from((0, 0, 0, 13, 23))
    moment = st.tuples(days, hour).map(lambda pair: dt.datetime.combine(pair[0], dt.time(pair[1])))
    return st.lists(moment, max_size=2)


def pods(world: World) -> st.SearchStrategy[Row]:
    """Rows of the daily pod table; there must be a namespace."""
    node = st.sampled_from((*(world.nodes * 3), "", None))
    cpu, memory = st.sampled_from(world.cpu), st.sampled_from(world.memory)
    row = st.fixed_dictionaries(
        {
            "interval_start": st.sampled_from(world.times),
            "namespace": st.sampled_from(world.namespaces),
            "node": node,
            "pod": st.sampled_from(_PODS),
            "resource_id": st.sampled_from(("i-1", "i-1", "i-2", "", None)),
            "pod_labels": st.sampled_from(world.labels),
            "pod_usage_cpu_core_seconds": cpu,
            "pod_request_cpu_core_seconds": cpu,
            "pod_effective_usage_cpu_core_seconds": st.sampled_from((*world.cpu, None, None)),
            "pod_limit_cpu_core_seconds": cpu,
            "pod_usage_memory_byte_seconds": memory,
            "pod_request_memory_byte_seconds": memory,
            "pod_effective_usage_memory_byte_seconds": st.sampled_from((*world.memory, None, None)),
            "pod_limit_memory_byte_seconds": memory,
            "node_capacity_cpu_cores": st.sampled_from((4.0, 7.5, 0.0, None)),
            "node_capacity_memory_bytes": st.sampled_from((2.0**34, 16e9 + 1, 0.0, None)),
        }
    )
    return row.map(_with_its_own_name)


def _with_its_own_name(row: Row) -> Row:
    return {**row, "pod": NODELESS_POD} if row["node"] is None else row


def pod_hours(world: World) -> st.SearchStrategy[Row]:
    """Rows of the hourly pod table, as far as it is read."""
    return st.fixed_dictionaries(
        {
            "interval_start": st.sampled_from(world.hours),
            "node": st.sampled_from((*(world.nodes * 3), "", None)),
            "node_capacity_cpu_core_seconds": st.sampled_from(
                (14400.0, 14000.0, 27000.0, 0.0, None)
            ),
            "node_capacity_memory_byte_seconds": st.sampled_from(
                (2.0**34 * 3600, 57_600_000_003_600.0, 0.0, None)
            ),
        }
    )


def volumes(world: World, known: Sequence[Row]) -> st.SearchStrategy[Row]:
    """Rows of the daily storage table, most of them of pods that have pod rows.

    Args:
        world: of the scenario.
        known: pod rows to take moment, namespace and pod from; those without a node are left out.
    """
    own = [
        (row["interval_start"], row["namespace"], row["pod"])
        for row in known
        if row["node"] is not None
    ]
    any_place = st.tuples(
        st.sampled_from(world.times),
        st.sampled_from((*world.namespaces, "")),
        st.sampled_from((*_PODS, "ghost", "")),
    )
    place = st.one_of(st.sampled_from(own), st.sampled_from(own), any_place) if own else any_place
    amount = st.sampled_from(world.storage)
    row = st.fixed_dictionaries(
        {
            "place": place,
            "persistentvolumeclaim": st.sampled_from(("c1", "c2", "")),
            "persistentvolume": st.sampled_from(("v1", "v2", "")),
            "storageclass": st.sampled_from(("gp3", "gp3", "", None)),
            "csi_volume_handle": st.sampled_from(("h1", "h1", "h2", "", None)),
            "persistentvolume_labels": st.sampled_from(world.labels),
            "persistentvolumeclaim_labels": st.sampled_from(world.labels),
            "persistentvolumeclaim_capacity_bytes": st.sampled_from(
                (10 * 2.0**30, 1e12, 0.0, None)
            ),
            "persistentvolumeclaim_capacity_byte_seconds": amount,
            "volume_request_storage_byte_seconds": amount,
            "persistentvolumeclaim_usage_byte_seconds": amount,
        }
    )
    return row.map(_with_place)


def _with_place(row: Row) -> Row:
    moment, namespace, pod = row["place"]
    rest = {name: value for name, value in row.items() if name != "place"}
    return {"interval_start": moment, "namespace": namespace, "pod": pod, **rest}


def label_rows(world: World, column: str) -> st.SearchStrategy[Row]:
    """Rows of the daily label table of nodes or of namespaces.

    Args:
        world: of the scenario.
        column: `node` or `namespace`.
    """
    names = world.nodes if column == "node" else world.namespaces
    return st.fixed_dictionaries(
        {
            "interval_start": st.sampled_from(world.times),
            column: st.sampled_from((*(names * 3), "", None)),
            f"{column}_labels": st.sampled_from(world.labels),
        }
    )


def inventory_rows(world: World) -> st.SearchStrategy[Row]:
    """Rows of the inventory: some nodes in several roles, some unknown, some of another cluster."""
    return st.fixed_dictionaries(
        {
            "node": st.sampled_from((*world.nodes, *world.nodes, "elsewhere")),
            "resource_id": st.sampled_from(("i-1", "i-1", "i-2", "", None)),
            "node_role": st.sampled_from(
                ("worker", "worker", "master", "infra", "control-plane", "", None)
            ),
        }
    )


@st.composite
def pattern_rows(draw: st.DrawFn) -> tuple[Row, ...]:
    """Category patterns: production's own as a rule, and users' that overlap with them."""
    usual = _PATTERNS[:4] if draw(st.integers(0, 3)) != 3 else ()
    chosen = draw(st.lists(st.sampled_from(_PATTERNS), max_size=3, unique=True))
    return tuple(
        {
            "namespace": pattern,
            "cost_category_id": 1 if pattern in usual else draw(st.integers(1, 3)),
        }
        for pattern in dict.fromkeys((*usual, *chosen))
    )
