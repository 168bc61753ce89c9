"""Strategies for whole scenarios."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from shadowagg.provider import InputTable
from shadowagg.testing import Partition
from shadowagg.testing import strategies as worth
from shadowagg.window import Cluster
from shadowagg_ocp import inputs as tables
from shadowagg_ocp.testing import rows
from shadowagg_ocp.testing.scenario import LakeFile, OpenShiftScenario, Row

__all__ = ["small_scenarios", "unplaced_volumes"]

_SOURCE = "3c6cfc53-2a8a-4c0e-8d0c-5f1b0a2f6d01"
_OTHER_SOURCE = "3c6cfc53-2a8a-4c0e-8d0c-5f1b0a2f6d02"

_OPTIONAL: Mapping[str, tuple[str, ...]] = {
    tables.PODS.name: (
        *("pod_labels", "resource_id", "pod_request_cpu_core_seconds"),
        *("pod_effective_usage_cpu_core_seconds", "pod_effective_usage_memory_byte_seconds"),
    ),
    tables.STORAGE.name: (
        *("csi_volume_handle", "storageclass"),
        *("persistentvolume_labels", "persistentvolumeclaim_labels"),
    ),
    tables.NODE_LABELS.name: ("node_labels",),
    tables.NAMESPACE_LABELS.name: ("namespace_labels",),
}
"""Columns that some files of a table lack."""

_TYPES = ("OCP", "OCP", "OCP", "AWS", "Azure", "GCP")


@st.composite
def small_scenarios(draw: st.DrawFn, *, whole: bool = False) -> OpenShiftScenario:
    """Small OpenShift scenarios that production takes, near the edges of its rules.

    Labels are JSON objects without nested values, no pod has NULL as namespace, no column is missing
    from every file, each tag mapping points to enabled keys. Numbers are not negative, so that sums
    in any order agree to 1e-12 relative.

    Args:
        draw: given by hypothesis.
        whole: whole numbers only: sums are exact then.
    """
    start, end = draw(worth.windows())
    world = draw(rows.worlds(start, end, whole=whole))
    keys = draw(_enabled_keys())
    return OpenShiftScenario(
        start=start,
        end=end,
        cluster=Cluster(
            source_uuid=_SOURCE,
            cluster_id="cluster-1",
            cluster_alias=draw(worth.or_null(st.sampled_from(("one", "O'Neil's \"ä\"")))),
            report_period_id=draw(st.integers(1, 99)),
        ),
        lake={
            table.name: draw(_lake_files(table, found, start))
            for table, found in draw(_lake_rows(world))
        },
        side={
            tables.ENABLED_TAG_KEYS.name: keys,
            tables.COST_CATEGORY_NAMESPACES.name: draw(rows.pattern_rows()),
            tables.NODES.name: tuple(draw(_some(rows.inventory_rows(world), 4))),
            **draw(_tag_mapping(keys)),
        },
    )


@st.composite
def unplaced_volumes(draw: st.DrawFn) -> OpenShiftScenario:
    """Scenarios with a volume whose only pod has NULL as node: its request is divided by 0 nodes.

    Staging takes the infinity (or NaN); the copy to PostgreSQL stops at it (`ocp.md` 8.1-9).
    """
    found = draw(small_scenarios().filter(lambda scenario: tables.STORAGE.name in scenario.lake))
    here = Partition(_SOURCE, found.start.year, found.start.month)
    world = replace(draw(rows.worlds(found.start, found.end)), namespaces=("my-ns",))
    midnight = dt.datetime.combine(found.start, dt.time.min)
    shared = {"interval_start": midnight, "namespace": "my-ns", "pod": rows.NODELESS_POD}
    pod = {**draw(rows.pods(world)), **shared, "node": None}
    volume = {
        **draw(rows.volumes(world, ())),
        **shared,
        "persistentvolumeclaim": "c-lost",
        "persistentvolume": "v-lost",
        "volume_request_storage_byte_seconds": draw(st.sampled_from((0.0, 3600.0))),
    }
    lake = dict(found.lake)
    for table, row in ((tables.PODS, pod), (tables.STORAGE, volume)):
        columns = tuple(column.name for column in table.columns)
        lake[table.name] = (*lake[table.name], LakeFile(here, columns, (row,)))
    return replace(found, lake=lake)


@st.composite
def _lake_rows(draw: st.DrawFn, world: rows.World) -> list[tuple[InputTable, Sequence[Row]]]:
    pods = draw(_some(rows.pods(world), 8)) if world.namespaces else []
    found: list[tuple[InputTable, Sequence[Row]]] = [
        (tables.PODS, pods),
        (tables.POD_HOURS, draw(_some(rows.pod_hours(world), 8))),
        (tables.NODE_LABELS, draw(_some(rows.label_rows(world, "node"), 4))),
        (tables.NAMESPACE_LABELS, draw(_some(rows.label_rows(world, "namespace"), 4))),
    ]
    if draw(st.integers(0, 15)) < 12:
        found.append((tables.STORAGE, draw(_some(rows.volumes(world, pods), 6))))
    return found


@st.composite
def _some(draw: st.DrawFn, row: st.SearchStrategy[Row], most: int) -> list[Row]:
    """Rows, now and then none."""
    # What is rare stands at a number above 0, since hypothesis draws 0 more often than its share.
    least = 0 if draw(st.integers(0, 3)) == 2 else 1
    return draw(st.lists(row, min_size=least, max_size=most))


@st.composite
def _lake_files(
    draw: st.DrawFn, table: InputTable, found: Sequence[Row], start: dt.date
) -> tuple[LakeFile, ...]:
    """The files of a table, now and then with some rows again where no run may find them."""
    columns = [column.name for column in table.columns]
    here = Partition(_SOURCE, start.year, start.month)
    cut = draw(worth.files(found, columns, optional=_OPTIONAL.get(table.name, ())))
    result = [LakeFile(here, names, mine) for names, mine in cut]
    if found and draw(st.integers(0, 7)) == 5:
        elsewhere = draw(
            st.sampled_from(
                (
                    Partition(_OTHER_SOURCE, start.year, start.month),
                    Partition(_SOURCE, start.year, start.month % 12 + 1),
                    Partition(_SOURCE, start.year - 1, start.month),
                )
            )
        )
        result.append(LakeFile(elsewhere, tuple(columns), tuple(found[:2])))
    return tuple(result)


@st.composite
def _enabled_keys(draw: st.DrawFn) -> tuple[Row, ...]:
    """Keys of all types of provider, enabled or not; now and then none for OpenShift."""
    pair = st.tuples(st.sampled_from(rows.LABEL_KEYS), st.sampled_from(_TYPES))
    chosen = draw(st.lists(pair, max_size=6, unique=True))
    usual = [("app", "OCP"), ("env", "OCP")] if draw(st.integers(0, 3)) != 3 else []
    return tuple(
        {
            "uuid": f"00000000-0000-4000-8000-{number:012d}",
            "key": key,
            "enabled": number < len(usual) or draw(st.integers(0, 3)) != 3,
            "provider_type": kind,
        }
        for number, (key, kind) in enumerate(dict.fromkeys((*usual, *chosen)))
    )


@st.composite
def _tag_mapping(draw: st.DrawFn, keys: Sequence[Row]) -> dict[str, tuple[Row, ...]]:
    """Pairs of enabled keys: a child once only, no child a parent, never a key to itself."""
    if draw(st.integers(0, 7)) == 5:
        return {}
    enabled = draw(st.permutations([row for row in keys if row["enabled"]]))
    parents = enabled[: draw(st.integers(0, 2))]
    children = enabled[len(parents) :][: draw(st.integers(0, 3))] if parents else []
    pairs = [(draw(st.sampled_from(parents)), child) for child in children]
    return {
        tables.TAG_MAPPING.name: tuple(
            {"parent_id": parent["uuid"], "child_id": child["uuid"]}
            for parent, child in pairs
            if parent["key"] != child["key"]
        )
    }
