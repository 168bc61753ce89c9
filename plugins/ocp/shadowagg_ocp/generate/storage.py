"""Volumes: claimed, shared, claimless, pending, growing, and without a known pod."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute

from shadowagg_ocp.generate.cluster import UNSCHEDULED, ClusterModel
from shadowagg_ocp.generate.columns import at_midnight, report_period
from shadowagg_ocp.generate.draw import stream, uniform, uuid_text
from shadowagg_ocp.generate.labels import ODD_VALUES, label_text
from shadowagg_ocp.generate.pods import Pod
from shadowagg_ocp.generate.shape import Day, Shape

__all__ = ["Mount", "StorageReport", "make_mounts"]

pc: Any = pyarrow.compute  # its stubs know no Python numbers as operands

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume in the hands of one pod: what makes one row per upload.

    Args:
        namespace: name; `''` for a volume without claim.
        node: name of the pod's node.
        pod: name; `''` for a volume without claim.
        persistentvolumeclaim: name of the claim.
        persistentvolume: name; `''` while the claim is pending.
        storageclass: name.
        csi_driver: name.
        csi_volume_handle: id of the disk.
        persistentvolume_labels: JSON text or None.
        persistentvolumeclaim_labels: JSON text or None.
        capacity: bytes; 0 while the claim is pending.
        request: bytes; 0 for a volume without claim.
        used: share of the capacity.
        grows: whether it doubles in the middle of the month.
        from_hour: as the pod's.
        to_hour: as the pod's.
    """

    namespace: str
    node: str
    pod: str
    persistentvolumeclaim: str
    persistentvolume: str
    storageclass: str
    csi_driver: str
    csi_volume_handle: str
    persistentvolume_labels: str | None
    persistentvolumeclaim_labels: str | None
    capacity: float
    request: float
    used: float
    grows: bool
    from_hour: int
    to_hour: int


_KEYS = tuple(f.name for f in fields(Mount))[:10]


def make_mounts(shape: Shape, cluster: ClusterModel, pods: tuple[Pod, ...]) -> tuple[Mount, ...]:
    """Volumes and their pods: about a tenth shared, some claimless, some pending."""
    draw = stream(shape.seed, "volumes")
    by_name = {pod.pod: pod for pod in pods if pod.node != UNSCHEDULED}
    maker = _Maker(draw, cluster)
    mounts = maker.special(by_name)
    candidates = [pod for pod in pods if pod.pod.startswith("pod-")] or list(by_name.values())
    neighbours: dict[int, list[Pod]] = {}
    for pod in candidates:
        neighbours.setdefault(pod.namespace, []).append(pod)
    number = 0
    while len(mounts) < shape.mounts:
        number += 1
        owner = draw.choice(candidates)
        if number % 40 == 7:
            mounts.append(maker.claimless())
        elif number % 40 == 17:
            mounts.append(maker.pending(owner))
        elif number % 10 == 3:
            mates = draw.choices(neighbours[owner.namespace], k=2)
            mounts.extend(maker.shared(list(dict.fromkeys((owner, *mates)))))
        else:
            mounts.append(maker.claimed(owner))
    return tuple(mounts)


@dataclass
class _Maker:
    draw: Random
    cluster: ClusterModel
    made: int = 0

    def special(self, pods: dict[str, Pod]) -> list[Mount]:
        """One of each kind that `ocp.md` 7-47 to 7-61 tells of."""
        bare, restarting, blank = pods["bare"], pods["restarting"], pods["blank"]
        calm = pods["loud"]
        two = self.claimed(pods["greedy"])
        handle = self.claimed(blank)
        unlabelled = self.claimed(calm)
        again = self.claimed(pods["mapped"])
        ghost = self.claimed(bare)
        return [
            *self.shared([bare, pods["same-name"]]),  # two pods of one node
            *self.shared([blank, calm]),  # two pods of two nodes
            self.claimless(),
            self.pending(bare),
            self.pending(calm),
            replace(ghost, pod="ghost", node=""),  # no pod row of that name
            self.claimed(restarting),  # its pod is without node for part of the day
            two,
            replace(two, persistentvolume=self._volume(), csi_volume_handle=self._handle()),
            handle,
            replace(self.claimed(blank), csi_volume_handle=handle.csi_volume_handle),
            replace(self.claimed(calm), csi_volume_handle=""),
            replace(self.claimed(calm), grows=True),
            replace(unlabelled, persistentvolume_labels=None),
            again,
            replace(again, csi_volume_handle=self._handle()),  # equal but for the handle
        ]

    def claimed(self, pod: Pod) -> Mount:
        """A claim of one pod."""
        self.made += 1
        size = float(self.draw.choice((1, 2, 8, 10, 64, 100, 512)) * GIB)
        return Mount(
            namespace=self.cluster.namespaces[pod.namespace],
            node=self.cluster.nodes[pod.node].name,
            pod=pod.pod,
            persistentvolumeclaim=f"claim-{self.made:05d}",
            persistentvolume=self._volume(),
            storageclass=self.draw.choice(("gp3-csi", "gp2", "ceph-rbd", "")),
            csi_driver="ebs.csi.aws.com",
            csi_volume_handle=self._handle(),
            persistentvolume_labels=self._labels(),
            persistentvolumeclaim_labels=self._labels(),
            capacity=size,
            request=size,
            used=self.draw.random(),
            grows=False,
            from_hour=pod.from_hour,
            to_hour=pod.to_hour,
        )

    def shared(self, pods: list[Pod]) -> list[Mount]:
        """A claim of several pods: each has a row with the full measures."""
        first = self.claimed(pods[0])
        return [
            replace(
                first,
                pod=pod.pod,
                node=self.cluster.nodes[pod.node].name,
                namespace=self.cluster.namespaces[pod.namespace],
            )
            for pod in pods
        ]

    def claimless(self) -> Mount:
        """A volume that nobody claims: capacity only."""
        self.made += 1
        size = float(self.draw.choice((1, 10, 100)) * GIB)
        return Mount(
            *("", "", "", "", self._volume(), "gp3-csi", "ebs.csi.aws.com", self._handle()),
            *(self._labels(), "{}", size, 0.0, 0.0),
            grows=False,
            from_hour=-(10**6),
            to_hour=10**6,
        )

    def pending(self, pod: Pod) -> Mount:
        """A claim that has no volume yet: request only."""
        return replace(
            self.claimed(pod),
            persistentvolume="",
            csi_volume_handle="",
            persistentvolume_labels="{}",
            capacity=0.0,
            used=0.0,
        )

    def _volume(self) -> str:
        return f"pvc-{uuid_text(self.draw)}"

    def _handle(self) -> str:
        return f"vol-{self.draw.getrandbits(68):017x}"

    def _labels(self) -> str:
        labels = {}
        for key, chance, values in (
            ("storageclass", 0.5, ("gp3", "gp2")),
            ("env", 0.3, ("prod", "stage", "")),
            ("app", 0.3, ("db", "cache", "web")),
            ("owner", 0.1, ("ann", "bob")),
            ("tier", 0.1, ODD_VALUES),
        ):
            if self.draw.random() < chance:
                labels[key] = self.draw.choice(values)
        return label_text(labels)


class StorageReport:
    """The storage report of a month, as files of the daily table.

    Args:
        shape: of the month.
        mounts: its volumes and their pods.
    """

    def __init__(self, shape: Shape, mounts: tuple[Mount, ...]) -> None:
        self._shape = shape
        types = {"str": pa.string(), "str | None": pa.string(), "bool": pa.bool_()}
        types |= {"float": pa.float64(), "int": pa.int32()}
        self._mounts = pa.table(
            {
                f.name: pa.array([getattr(mount, f.name) for mount in mounts], types[str(f.type)])
                for f in fields(Mount)
            }
        )

    def daily(self) -> Iterator[pa.Table]:
        """One table per upload: a row per volume and pod that is there in one of its hours."""
        for day in self._shape.days:
            for upload, hours in enumerate(day.uploads):
                yield self._upload(day, upload, hours)

    def _upload(self, day: Day, upload: int, hours: tuple[int, ...]) -> pa.Table:
        mounts = self._mounts.slice(0, max(round(self._mounts.num_rows * day.share), 4))
        present = pa.repeat(pa.scalar(0.0), mounts.num_rows)
        for hour in hours:
            moment = 24 * day.number + hour
            there = pc.and_(
                pc.less_equal(mounts["from_hour"], moment), pc.greater(mounts["to_hour"], moment)
            )
            present = pc.add(present, pc.if_else(there, 1.0, 0.0))
        chosen = pc.greater(present, 0.0)
        mounts, seconds = mounts.filter(chosen), pc.multiply(present.filter(chosen), 3600.0)
        large = pc.and_(mounts["grows"], day.number * 2 >= self._shape.window_days - 1)
        capacity = pc.multiply(mounts["capacity"], pc.if_else(large, 2.0, 1.0))
        chance = uniform(mounts.num_rows, self._shape.seed, "storage", day.date, upload)
        used = pc.multiply(
            pc.multiply(capacity, mounts["used"]), pc.add(0.9, pc.divide(chance, 10.0))
        )
        count = mounts.num_rows
        return pa.table(
            {
                **{name: mounts[name] for name in _KEYS},
                "interval_start": at_midnight(day.date, count),
                **report_period(self._shape, count),
                "persistentvolumeclaim_capacity_bytes": capacity,
                "persistentvolumeclaim_capacity_byte_seconds": pc.multiply(capacity, seconds),
                "volume_request_storage_byte_seconds": pc.multiply(mounts["request"], seconds),
                "persistentvolumeclaim_usage_byte_seconds": pc.round(pc.multiply(used, seconds)),
            }
        )
