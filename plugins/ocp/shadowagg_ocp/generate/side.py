"""The side tables: keys, tag mapping, cost categories, the inventory of nodes (`inputs.md` 6)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pyarrow as pa

from shadowagg.window import Cluster
from shadowagg_ocp.generate.cluster import ClusterModel
from shadowagg_ocp.generate.draw import stream, uuid_text
from shadowagg_ocp.generate.labels import ENABLED_KEYS
from shadowagg_ocp.generate.shape import Shape

__all__ = ["side_tables"]

_CATEGORIES = (
    (1, "Platform", True, ("openshift-%", "kube-%", "Platform unallocated", "openshift")),
    (2, "Monitoring", False, ("openshift-mon%", "team-01_")),
    (3, "Development", False, ("%-dev", "my_ns", "Worker unallocated")),
    (4, "Odd", False, ("r&amp;d", "team-%1", "%\\%")),
)
"""Id, name, whether production made it, patterns; some match the same namespaces."""

_MAPPING = (
    ("application", "OCP", "app", "OCP"),
    ("service", "OCP", "app", "OCP"),
    ("owner", "OCP", "team", "OCP"),
)
"""Child and parent with their provider types: two children of one parent, and another pair."""

_OTHER_KEYS = (
    *(("secret", False, "OCP"), ("pod_template_hash", False, "OCP"), ("cost_center", True, "AWS")),
    *(("env", True, "AWS"), ("app", False, "Azure"), ("tier", True, "GCP")),
)
"""Keys that are disabled, or enabled for another type of provider."""


def side_tables(shape: Shape, cluster: ClusterModel, address: Cluster) -> Mapping[str, pa.Table]:
    """Side table name -> rows."""
    draw = stream(shape.seed, "side tables")
    keys = [(key, True, "OCP") for key in ENABLED_KEYS] + list(_OTHER_KEYS)
    uuids = {(key, kind): uuid_text(draw) for key, _, kind in keys}
    cluster_uuid, other_cluster = uuid_text(draw), uuid_text(draw)
    nodes = [
        (node.name, resource_id, node.role or "worker", node.cores, cluster_uuid)
        for node in cluster.nodes
        if node.labelled
        for resource_id in filter(None, (node.resource_id, node.replacement_id))
    ]
    # the same machine in another cluster's inventory, and one that the month does not have
    infra = cluster.nodes[cluster.node("infra-0")]
    nodes += [
        (infra.name, infra.resource_id, "control-plane", 4.0, other_cluster),
        ("elsewhere-0", "i-0", "worker", 2.0, other_cluster),
    ]
    patterns = [(p, default, id_) for id_, _, default, listed in _CATEGORIES for p in listed]
    return {
        "reporting_enabledtagkeys": pa.table(
            {
                "uuid": [uuids[key, kind] for key, _, kind in keys],
                "key": [key for key, _, _ in keys],
                "enabled": [enabled for _, enabled, _ in keys],
                "provider_type": [kind for _, _, kind in keys],
            }
        ),
        "reporting_tagmapping": pa.table(
            {
                "id": pa.array(range(1, len(_MAPPING) + 1), pa.int32()),
                "parent_id": [uuids[parent, kind] for _, _, parent, kind in _MAPPING],
                "child_id": [uuids[child, kind] for child, kind, _, _ in _MAPPING],
            }
        ),
        "reporting_ocp_cost_category": pa.table(
            {
                "id": pa.array([id_ for id_, _, _, _ in _CATEGORIES], pa.int32()),
                "name": [name for _, name, _, _ in _CATEGORIES],
                "system_default": [default for _, _, default, _ in _CATEGORIES],
            }
        ),
        "reporting_ocp_cost_category_namespace": pa.table(
            {
                "id": pa.array(range(1, len(patterns) + 1), pa.int32()),
                "namespace": [pattern for pattern, _, _ in patterns],
                "system_default": [default for _, default, _ in patterns],
                "cost_category_id": pa.array([id_ for _, _, id_ in patterns], pa.int32()),
            }
        ),
        "reporting_ocp_clusters": pa.table(
            {
                "uuid": [cluster_uuid],
                "cluster_id": [address.cluster_id],
                "cluster_alias": [address.cluster_alias],
                "provider_id": [address.source_uuid],
            }
        ),
        "reporting_ocp_nodes": pa.table(
            {
                "uuid": [uuid_text(draw) for _ in nodes],
                "node": [name for name, _, _, _, _ in nodes],
                "resource_id": [resource_id for _, resource_id, _, _, _ in nodes],
                "node_capacity_cpu_cores": pa.array(
                    [Decimal(cores) for _, _, _, cores, _ in nodes], pa.decimal128(18, 2)
                ),
                "cluster_id": [owner for _, _, _, _, owner in nodes],
                "node_role": [role for _, _, role, _, _ in nodes],
            }
        ),
    }
