"""Pods: those that last, one per special case among them, and the jobs of single days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from random import Random

import pyarrow as pa

from shadowagg_ocp.generate.cluster import (
    RESERVED_NAMESPACE,
    UNSCHEDULED,
    ClusterModel,
)
from shadowagg_ocp.generate.draw import stream
from shadowagg_ocp.generate.labels import SPECIAL_POD_LABELS
from shadowagg_ocp.generate.shape import Day, Shape

__all__ = ["Pod", "make_jobs", "make_pods", "pod_columns"]

_FOREVER = 10**6


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod on a node: what makes one row an hour.

    Args:
        namespace: index.
        node: index; `UNSCHEDULED` while no node has taken it.
        pod: its name.
        labels: index of its label text.
        request_cores: requested CPU.
        limit_cores: CPU it may use.
        request_bytes: requested memory.
        limit_bytes: memory it may use.
        load: what it uses of its request, on average; 0 for an idle pod.
        from_hour: hour since the window's start from which it is there.
        to_hour: hour since the window's start from which it is there no more.
        first: hour of each day from which it is there.
        last: last hour of each day in which it is there.
        late: seconds of its first hour that passed before it ran.
    """

    namespace: int
    node: int
    pod: str
    labels: int
    request_cores: float
    limit_cores: float
    request_bytes: float
    limit_bytes: float
    load: float = 0.6
    from_hour: int = -_FOREVER
    to_hour: int = _FOREVER
    first: int = 0
    last: int = 23
    late: float = 0.0


_ARROW = {"int": pa.int32(), "float": pa.float64(), "str": pa.string()}


def pod_columns(pods: Sequence[Pod]) -> pa.Table:
    """Pods as a table: a column per field, a row per pod."""
    return pa.table(
        {
            f.name: pa.array([getattr(pod, f.name) for pod in pods], _ARROW[str(f.type)])
            for f in fields(Pod)
        }
    )


def make_pods(shape: Shape, cluster: ClusterModel) -> tuple[Pod, ...]:
    """The pods that last: one per node that is always there, one per special case, and the rest."""
    draw = stream(shape.seed, "pods")
    pods = [
        _pod(draw, cluster, "openshift-monitoring", index, f"node-exporter-{index:04d}", 0)
        for index, node in enumerate(cluster.nodes)
        if index != UNSCHEDULED
    ]
    pods += _special_pods(draw, cluster)
    masters = [i for i, node in enumerate(cluster.nodes) if node.name.startswith("master")]
    others = [i for i, node in enumerate(cluster.nodes) if not node.name.startswith("master")]
    spread = shape.lasting / len(cluster.nodes)
    while len(pods) < shape.lasting:
        number = len(pods)
        if draw.random() < 0.15:
            name = cluster.namespaces[draw.choice(cluster.platform)]
            node = masters[number % len(masters)]
        else:
            name = cluster.namespaces[draw.choice(cluster.users)]
            node = others[number % len(others)]
        label = number % shape.label_texts
        pods.append(_pod(draw, cluster, name, node, f"pod-{number:06d}", label, spread=spread))
    return tuple(pods)


def _special_pods(draw: Random, cluster: ClusterModel) -> list[Pod]:
    worker = cluster.node("worker-0")
    calm = cluster.node("worker-4")
    busy = cluster.node("worker-5")
    label = {name: index for index, name in enumerate(SPECIAL_POD_LABELS)}

    def pod(namespace: str, node: int, name: str, labels: str) -> Pod:
        return _pod(draw, cluster, namespace, node, name, label[labels])

    idle = pod("kube-system", cluster.node("master-0"), "idle", "none")
    greedy = pod("my-ns", busy, "greedy", "none")

    return [
        pod("my-ns", worker, "same-name", "one order"),
        pod("shop-dev", worker, "same-name", "other order"),
        pod("shop-dev", calm, "unlabelled", "null"),
        pod("shop-dev", worker, "bare", "none"),
        pod("shop-dev", worker, "odd", "odd"),
        pod("r&amp;d", calm, "loud", "disabled only"),
        pod("r&amp;d", worker, "blank", "empty value"),
        pod(RESERVED_NAMESPACE, calm, "real", "none"),
        pod("my-ns", calm, "virt-launcher-vm-1", "machine"),
        pod("openshiftx", calm, "mapped", "child beside parent"),
        pod("openshiftx", worker, "mapped-twice", "two children"),
        replace(
            idle,
            request_cores=0.0,
            limit_cores=0.0,
            request_bytes=0.0,
            limit_bytes=0.0,
        ),
        # asks for more than its node has: what is left over is negative
        replace(greedy, request_cores=cluster.nodes[busy].cores * 1.5),
        # waits for a node every night: two rows a day, one of them without a node
        replace(pod("my-ns", UNSCHEDULED, "restarting", "one order"), last=1),
        replace(pod("my-ns", busy, "restarting", "one order"), first=2),
        # never finds a node
        pod("shop-dev", UNSCHEDULED, "waiting", "none"),
    ]


def _pod(  # noqa: PLR0917 - a pod's place, name and labels, in that order everywhere
    draw: Random,
    cluster: ClusterModel,
    namespace: str,
    node: int,
    name: str,
    labels: int,
    *,
    spread: float = 20.0,
) -> Pod:
    machine = cluster.nodes[node]
    share = draw.uniform(0.2, 1.4) / max(spread, 2.0)
    cores = round((machine.cores or 4.0) * share, 3)
    memory = float(int((machine.memory_bytes or 2.0**34) * share))
    return Pod(
        namespace=cluster.namespace(namespace),
        node=node,
        pod=name,
        labels=labels,
        request_cores=cores,
        limit_cores=cores * 2,
        request_bytes=memory,
        limit_bytes=memory * 2,
        load=draw.choice((0.05, 0.4, 0.6, 0.9, 1.6)),
        from_hour=machine.from_hour,
        to_hour=machine.to_hour,
    )


def make_jobs(shape: Shape, cluster: ClusterModel, day: Day) -> Iterator[Pod]:
    """The pods of some hours of one day: new names, other nodes, every day."""
    draw = stream(shape.seed, "jobs", day.date)
    spread = shape.lasting / len(cluster.nodes)
    for number in range(round(shape.jobs * day.share)):
        node = draw.randrange(1, len(cluster.nodes))
        first = draw.randrange(23)
        last = min(first + draw.randrange(6), 23)
        label = (shape.lasting + max(day.number, 0) * shape.jobs + number) % shape.label_texts
        made = _pod(
            *(draw, cluster, cluster.namespaces[draw.choice(cluster.users)], node),
            *(f"job-{day.date:%d}-{number:06d}", label),
            spread=spread,
        )
        made = replace(made, first=first, last=last, late=float(draw.randrange(3600)))
        if number % 50 == 0 and last > first:
            # the first hour passed before a node took it
            yield replace(made, node=UNSCHEDULED, last=first)
            made = replace(made, first=first + 1, late=0.0)
        yield made
