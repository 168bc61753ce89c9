"""Which machines a volume was mounted on (`ocp.md` 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from shadowagg.candidate.kernels import (
    Matches,
    group,
    lookup,
    match_all,
    recode,
    single_chunk,
    without_nulls,
)

__all__ = ["Placement", "placement"]


@dataclass(frozen=True, slots=True)
class Placement:
    """VN and SC, joined to the storage rows.

    Args:
        matches: pairs of a storage row and a machine of its pod; no machine is NULL.
        times: how often VN holds that pair: once per volume of the claim, since the join does not
            compare the volume (`ocp.md` 8.1-8).
        node_count: distinct named or unnamed nodes of each storage row's volume, int64; NULL where no
            pod of the volume is known, 0 where all their nodes are NULL.
    """

    matches: Matches
    times: pa.Array
    node_count: pa.Array


def placement(volumes: pa.Table, places: pa.Table) -> Placement:
    """Where the pods of the volumes ran.

    Args:
        volumes: `volume_rows.VolumeRows.rows`.
        places: `pod_rows.PodRows.placements`.
    """
    day = single_chunk(volumes.column("day"))
    texts = {
        name: single_chunk(volumes.column(name))
        for name in ("namespace", "pod", "persistentvolumeclaim", "persistentvolume")
    }
    place_key = [
        single_chunk(places.column("day")),
        recode(single_chunk(places.column("namespace")), texts["namespace"].dictionary),
        recode(single_chunk(places.column("pod")), texts["pod"].dictionary),
    ]
    pod_key = [day, texts["namespace"].indices, texts["pod"].indices]
    # A claim that is NULL equals nothing, so its rows stay without a machine.
    claimed = pc.is_valid(texts["persistentvolumeclaim"])
    joined = [pc.if_else(claimed, part, pa.scalar(None, part.type)) for part in pod_key]
    matches = match_all(joined, place_key)

    claim_key = [*pod_key, texts["persistentvolumeclaim"].indices]
    per_volume = group(
        pa.table(
            {
                "day": day,
                "namespace": claim_key[1],
                "pod": claim_key[2],
                "claim": claim_key[3],
                "volume": texts["persistentvolume"].indices,
            }
        ),
        ("day", "namespace", "pod", "claim", "volume"),
        {},
    )
    counted = pa.TableGroupBy(
        per_volume, ["day", "namespace", "pod", "claim"], use_threads=False
    ).aggregate([([], "count_all")])
    which = lookup(
        claim_key,
        [single_chunk(counted.column(name)) for name in ("day", "namespace", "pod", "claim")],
    )
    times = pc.fill_null(single_chunk(counted.column("count_all")).take(which), 1)
    times = pc.if_else(pc.is_valid(matches.right), matches.spread(times), 1)
    return Placement(matches, times, _node_counts(day, texts, pod_key, place_key, places))


def _node_counts(
    day: pa.Array,
    texts: dict[str, pa.DictionaryArray],
    pod_key: list[pa.Array],
    place_key: list[pa.Array],
    places: pa.Table,
) -> pa.Array:
    """SC: per day and volume the number of distinct nodes, '' among them, NULL not."""
    volume = texts["persistentvolume"].indices
    pairs = match_all(pod_key, place_key)
    node = single_chunk(places.column("node")).indices.take(pairs.right)
    known = pa.table(
        {
            "day": pairs.spread(day),
            "volume": pairs.spread(volume),
            "node": node,
            "matched": pc.is_valid(pairs.right),
        }
    )
    known = without_nulls(known.filter(known.column("matched")), "volume")
    counted = pa.TableGroupBy(known, ["day", "volume"], use_threads=False).aggregate(
        [("node", "count_distinct", pc.CountOptions(mode="only_valid"))]
    )
    rows = lookup(
        [day, volume],
        [single_chunk(counted.column("day")), single_chunk(counted.column("volume"))],
    )
    return single_chunk(counted.column("node_count_distinct")).take(rows)
