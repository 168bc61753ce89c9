-- Unallocated rows: what the pods of a node left of its capacity, per day (ocp.md 3.7).
-- One sub-window; the section that a clause comes from stands beside it.
with
-- 3.7: ROLE, from the inventory of the whole tenant (8.1-11).
ROLE as (
    select
        node,
        resource_id,
        max(node_role) as node_role
    from reporting_ocp_nodes
    group by node, resource_id
),
-- 3.7: the pod rows that count. A NULL namespace fails the test; so do rows of a NULL node.
USED as (
    select
        pods.*,
        ROLE.node_role
    from pods
    left join ROLE
        on ROLE.node = pods.node
        and ROLE.resource_id = pods.resource_id
    where pods.source = :source
        and pods.year = :year
        and lpad(pods.month, 2, '0') = :month
        and pods.usage_start >= :start_date
        and pods.usage_start <= :end_date
        and pods.data_source = 'Pod'
        and pods.node is not null
        and pods.namespace not in (
            'Platform unallocated',
            'Worker unallocated',
            'Network unattributed',
            'Storage unattributed'
        )
),
-- 3.7: per node and day. The doubles are those of the staging table (6.3-3); a maximum of doubles
-- is NaN only where there is nothing else: written out, as engines differ.
PER_NODE as (
    select
        node,
        source_uuid,
        max(usage_start) as usage_start,
        max(usage_end) as usage_end,
        max(data_source) as data_source,
        max(resource_id) as resource_id,
        max(node_role) as node_role,
        sum(pod_usage_cpu_core_hours) as usage_cpu,
        sum(pod_request_cpu_core_hours) as request_cpu,
        sum(pod_effective_usage_cpu_core_hours) as effective_cpu,
        sum(pod_usage_memory_gigabyte_hours) as usage_memory,
        sum(pod_request_memory_gigabyte_hours) as request_memory,
        sum(pod_effective_usage_memory_gigabyte_hours) as effective_memory,
        coalesce(
            max(node_capacity_cpu_cores) filter (where not is_nan(node_capacity_cpu_cores)),
            max(node_capacity_cpu_cores)
        ) as node_capacity_cpu_cores,
        coalesce(
            max(node_capacity_cpu_core_hours)
                filter (where not is_nan(node_capacity_cpu_core_hours)),
            max(node_capacity_cpu_core_hours)
        ) as node_capacity_cpu_core_hours,
        coalesce(
            max(node_capacity_memory_gigabytes)
                filter (where not is_nan(node_capacity_memory_gigabytes)),
            max(node_capacity_memory_gigabytes)
        ) as node_capacity_memory_gigabytes,
        coalesce(
            max(node_capacity_memory_gigabyte_hours)
                filter (where not is_nan(node_capacity_memory_gigabyte_hours)),
            max(node_capacity_memory_gigabyte_hours)
        ) as node_capacity_memory_gigabyte_hours,
        coalesce(
            max(cluster_capacity_cpu_core_hours)
                filter (where not is_nan(cluster_capacity_cpu_core_hours)),
            max(cluster_capacity_cpu_core_hours)
        ) as cluster_capacity_cpu_core_hours,
        coalesce(
            max(cluster_capacity_memory_gigabyte_hours)
                filter (where not is_nan(cluster_capacity_memory_gigabyte_hours)),
            max(cluster_capacity_memory_gigabyte_hours)
        ) as cluster_capacity_memory_gigabyte_hours
    from USED
    group by node, USED.usage_start, source_uuid
),
-- 3.7: the namespace by role; any other role, '' and NULL give NULL (7-38).
NAMED as (
    select
        PER_NODE.*,
        case
            when node_role in ('master', 'infra') then 'Platform unallocated'
            when node_role = 'worker' then 'Worker unallocated'
        end as namespace
    from PER_NODE
)
-- 3.7: the row, once per matching pattern of CAT (7-45). Nothing is clamped (7-35).
select
    cast(null as varchar) as uuid,
    cast(:report_period_id as integer) as report_period_id,
    cast(:cluster_id as varchar) as cluster_id,
    cast(:cluster_alias as varchar) as cluster_alias,
    NAMED.data_source,
    NAMED.usage_start,
    NAMED.usage_end,
    cast(NAMED.namespace as varchar) as namespace,
    NAMED.node,
    NAMED.resource_id,
    cast(null as varchar) as pod_labels,
    NAMED.node_capacity_cpu_core_hours - NAMED.usage_cpu as pod_usage_cpu_core_hours,
    NAMED.node_capacity_cpu_core_hours - NAMED.request_cpu as pod_request_cpu_core_hours,
    NAMED.node_capacity_cpu_core_hours - NAMED.effective_cpu
        as pod_effective_usage_cpu_core_hours,
    cast(null as double) as pod_limit_cpu_core_hours,
    NAMED.node_capacity_memory_gigabyte_hours - NAMED.usage_memory
        as pod_usage_memory_gigabyte_hours,
    NAMED.node_capacity_memory_gigabyte_hours - NAMED.request_memory
        as pod_request_memory_gigabyte_hours,
    NAMED.node_capacity_memory_gigabyte_hours - NAMED.effective_memory
        as pod_effective_usage_memory_gigabyte_hours,
    cast(null as double) as pod_limit_memory_gigabyte_hours,
    NAMED.node_capacity_cpu_cores,
    NAMED.node_capacity_cpu_core_hours,
    NAMED.node_capacity_memory_gigabytes,
    NAMED.node_capacity_memory_gigabyte_hours,
    NAMED.cluster_capacity_cpu_core_hours,
    NAMED.cluster_capacity_memory_gigabyte_hours,
    cast(null as varchar) as persistentvolumeclaim,
    cast(null as varchar) as persistentvolume,
    cast(null as varchar) as storageclass,
    cast(null as varchar) as volume_labels,
    cast(null as double) as persistentvolumeclaim_capacity_gigabyte,
    cast(null as double) as persistentvolumeclaim_capacity_gigabyte_months,
    cast(null as double) as volume_request_storage_gigabyte_months,
    cast(null as double) as persistentvolumeclaim_usage_gigabyte_months,
    NAMED.source_uuid,
    cast(null as varchar) as infrastructure_usage_cost,
    cast(null as varchar) as csi_volume_handle,
    CAT.cost_category_id,
    cast(:source as varchar) as source,
    cast(year(NAMED.usage_start) as varchar) as year,
    cast(month(NAMED.usage_start) as varchar) as month,
    cast(day(NAMED.usage_start) as varchar) as day
from NAMED
left join reporting_ocp_cost_category_namespace as CAT
    on NAMED.namespace like CAT.namespace
