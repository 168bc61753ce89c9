-- The staging table: pod, storage and unallocated rows of one sub-window, as they are written to
-- the lake (ocp.md 3.6, 3.7, 4.5). The first two are combined by a distinct union in production;
-- all of a group's key stands in its row, so nothing is ever equal there, and a plain union says
-- the same. Unallocated rows may be equal to each other, and stay (7-45).
with
-- 4.5: the two inserts.
WRITTEN as (
    select * from pods
    union all
    select * from storage
    union all
    select * from unallocated
)
select
    uuid,
    report_period_id,
    cluster_id,
    cluster_alias,
    data_source,
    usage_start,
    usage_end,
    namespace,
    node,
    resource_id,
    pod_labels,
    pod_usage_cpu_core_hours,
    pod_request_cpu_core_hours,
    pod_effective_usage_cpu_core_hours,
    pod_limit_cpu_core_hours,
    pod_usage_memory_gigabyte_hours,
    pod_request_memory_gigabyte_hours,
    pod_effective_usage_memory_gigabyte_hours,
    pod_limit_memory_gigabyte_hours,
    node_capacity_cpu_cores,
    node_capacity_cpu_core_hours,
    node_capacity_memory_gigabytes,
    node_capacity_memory_gigabyte_hours,
    cluster_capacity_cpu_core_hours,
    cluster_capacity_memory_gigabyte_hours,
    persistentvolumeclaim,
    persistentvolume,
    storageclass,
    volume_labels,
    persistentvolumeclaim_capacity_gigabyte,
    persistentvolumeclaim_capacity_gigabyte_months,
    volume_request_storage_gigabyte_months,
    persistentvolumeclaim_usage_gigabyte_months,
    source_uuid,
    infrastructure_usage_cost,
    csi_volume_handle,
    cost_category_id,
    source,
    year,
    month,
    day
from WRITTEN
where source = :source
    and year = :year
    and lpad(month, 2, '0') = :month
    and usage_start >= :start_date
    and usage_start <= :end_date
