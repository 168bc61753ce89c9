"""The cluster: its nodes, its namespaces, and what they are labelled with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from shadowagg_ocp.generate.draw import stream
from shadowagg_ocp.generate.labels import label_text
from shadowagg_ocp.generate.shape import Shape

__all__ = ["RESERVED_NAMESPACE", "UNSCHEDULED", "ClusterModel", "Node", "make_cluster"]

GIB = 2**30

UNSCHEDULED = 0
"""The index of the node `''`, where pods are that no node has taken yet."""

RESERVED_NAMESPACE = "Worker unallocated"
"""A real namespace called like one that the aggregation makes itself (`ocp.md` 7-74)."""

_PLATFORM = (
    *("kube-system", "openshift", "openshift-ingress", "openshift-kube-apiserver"),
    *("openshift-logging", "openshift-monitoring"),
)

_FOREVER = 10**6


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    Args:
        name: unique.
        role: as the pod report states it; `''` where it states none.
        resource_id: id of its machine; `''` without a cloud.
        replacement_id: id of the machine that takes its place in the middle of a day; else None.
        cores: its CPU capacity.
        memory_bytes: its memory capacity.
        from_hour: hour since the window's start from which it reports.
        to_hour: hour since the window's start from which it reports no more.
        labelled: whether it has label rows; without them it is not in the inventory either.
        label_texts: its label set, and a second one for the day on which it has two.
    """

    name: str
    role: str
    resource_id: str = ""
    replacement_id: str | None = None
    cores: float = 0.0
    memory_bytes: float = 0.0
    from_hour: int = -_FOREVER
    to_hour: int = _FOREVER
    labelled: bool = True
    label_texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterModel:
    """The cluster of a month.

    Args:
        nodes: by name, the unscheduled one first.
        namespaces: by name.
        namespace_label_texts: per namespace its label sets; the second one on one day only.
        platform: indices of platform namespaces.
        users: indices of the others.
        change_day: the day on which label sets, a machine and a node's size change; its number.
    """

    nodes: tuple[Node, ...]
    namespaces: tuple[str, ...]
    namespace_label_texts: tuple[tuple[str | None, ...], ...]
    platform: tuple[int, ...]
    users: tuple[int, ...]
    change_day: int

    def node(self, suffix: str) -> int:
        """The index of the node whose name ends so."""
        return next(i for i, node in enumerate(self.nodes) if node.name.endswith(suffix))

    def namespace(self, name: str) -> int:
        """The index of a namespace."""
        return self.namespaces.index(name)

    def resource_id(self, node: int, day: int, upload: int) -> str:
        """The id of the node's machine in an upload of a day."""
        found = self.nodes[node]
        if found.replacement_id is not None and (day, upload) > (self.change_day, 0):
            return found.replacement_id
        return found.resource_id


def make_cluster(shape: Shape) -> ClusterModel:
    """The cluster of a shape: nodes of all roles, platform and user namespaces."""
    draw = stream(shape.seed, "cluster")
    namespaces = _namespaces(shape.namespaces)
    return ClusterModel(
        nodes=(Node(name="", role="", labelled=False), *sorted(_nodes(shape, draw), key=_name)),
        namespaces=namespaces,
        namespace_label_texts=tuple(_namespace_labels(name, draw) for name in namespaces),
        platform=tuple(i for i, name in enumerate(namespaces) if name in _PLATFORM),
        users=tuple(i for i, name in enumerate(namespaces) if name not in _PLATFORM),
        change_day=min(2, shape.window_days - 1),
    )


def _name(node: Node) -> str:
    return node.name


def _machine(draw: Random) -> str:
    return f"i-{draw.getrandbits(68):017x}"


def _nodes(shape: Shape, draw: Random) -> list[Node]:
    special = 3 if shape.nodes >= 20 else 1
    roles = ["master"] * special + ["infra"] * special
    roles += ["worker"] * (shape.nodes - len(roles))
    hours = 24 * shape.window_days
    nodes: list[Node] = []
    for role in roles:
        number = sum(node.name.startswith(role) for node in nodes)
        size = draw.choice((4, 8, 16, 32)) if role == "worker" else 8
        arch = "arm64" if number % 3 == 2 else "amd64"
        labels = {
            f"node_role_kubernetes_io_{role}": "",
            "kubernetes_io_arch": arch,
            "env": draw.choice(("prod", "stage")),
            "team": "platform",
        }
        if role == "infra":
            labels["node_role_kubernetes_io"] = "infra"
        name = f"{role}-{number}"
        node = Node(
            name=name,
            role=role,
            resource_id=_machine(draw),
            cores=float(size),
            memory_bytes=float(size * 4 * GIB),
            # worker-0 changes an enabled key (its pods fan out), worker-4 one that is not enabled
            label_texts=(
                label_text(labels),
                label_text({**labels, "secret" if name == "worker-4" else "env": "changed"}),
            ),
        )
        if name == "worker-0":
            node = replace(node, replacement_id=_machine(draw))
        elif name == "worker-1":
            node = replace(node, to_hour=hours * 2 // 3)
        elif name == "worker-2":
            node = replace(node, from_hour=hours // 3)
        elif name == "worker-3":
            node = replace(node, labelled=False, resource_id="", role="")
        nodes.append(node)
    return nodes


def _namespaces(count: int) -> tuple[str, ...]:
    # "my-ns" is matched by the pattern "my_ns"; names arrive escaped (`inputs.md` 1.3).
    fixed = (*_PLATFORM, RESERVED_NAMESPACE, "my-ns", "r&amp;d", "openshiftx", "shop-dev")
    return tuple(sorted((*fixed, *(f"team-{n:03d}" for n in range(count - len(fixed))))))


def _namespace_labels(name: str, draw: Random) -> tuple[str | None, ...]:
    if name == "openshiftx":
        return ("{}", None)  # on one day both: two label sets that merge to the same
    labels = {"env": draw.choice(("prod", "stage", "dev")), "kubernetes_io_metadata_name": name}
    if draw.random() < 0.5:
        labels["team"] = draw.choice(("red", "green", "blue"))
    if name == "shop-dev":
        return (label_text(labels), label_text({**labels, "env": "changed"}))
    return (label_text(labels) if draw.random() < 0.9 else "{}",)
