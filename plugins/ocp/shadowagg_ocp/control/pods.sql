-- Pod rows: CPU and memory per day, namespace, node and label set (ocp.md 3.5). One sub-window; the
-- section that a clause comes from stands beside it. A label set is carried as its canonical JSON
-- text: keys sorted, no blanks, so that equal maps have equal texts (6.2-4, 6.2-5).
with
-- 3.1: K, one row. Without any enabled key the list is NULL, the machine key included: array_agg of
-- no row is NULL, and so is a list with NULL appended.
K as (
    select
        array[cast('vm_kubevirt_io_name' as varchar)]
            || array_agg(cast(key as varchar) order by key) as keys
    from reporting_enabledtagkeys
    where enabled and provider_type = 'OCP'
),
-- 1.1, 3.5: P, scheduled pods only; `<>` drops NULL nodes too (6.1-1).
P as (
    select
        cast(interval_start as date) as usage_start,
        namespace,
        node,
        source,
        resource_id,
        pod_labels,
        pod_usage_cpu_core_seconds,
        pod_request_cpu_core_seconds,
        pod_limit_cpu_core_seconds,
        pod_usage_memory_byte_seconds,
        pod_request_memory_byte_seconds,
        pod_limit_memory_byte_seconds,
        node_capacity_cpu_cores,
        node_capacity_memory_bytes,
        -- 3.5, e: the column wherever it is not NULL, 0 included; else the greater of usage and
        -- request, NULL if either is NULL (6.1-3), passing over NaN.
        coalesce(
            pod_effective_usage_cpu_core_seconds,
            case
                when pod_usage_cpu_core_seconds is null then null
                when pod_request_cpu_core_seconds is null then null
                when is_nan(pod_usage_cpu_core_seconds) then pod_request_cpu_core_seconds
                when is_nan(pod_request_cpu_core_seconds) then pod_usage_cpu_core_seconds
                else greatest(pod_usage_cpu_core_seconds, pod_request_cpu_core_seconds)
            end
        ) as effective_cpu_core_seconds,
        coalesce(
            pod_effective_usage_memory_byte_seconds,
            case
                when pod_usage_memory_byte_seconds is null then null
                when pod_request_memory_byte_seconds is null then null
                when is_nan(pod_usage_memory_byte_seconds) then pod_request_memory_byte_seconds
                when is_nan(pod_request_memory_byte_seconds) then pod_usage_memory_byte_seconds
                else greatest(pod_usage_memory_byte_seconds, pod_request_memory_byte_seconds)
            end
        ) as effective_memory_byte_seconds
    from openshift_pod_usage_line_items_daily
    where source = :source
        and year = :year
        and month = :month
        and interval_start >= :start_date
        and interval_start < :end_date + interval '1' day
        and node <> ''
),
-- 3.1: filter(text) of P.pod_labels, once for each text. A NULL text finds no row below and
-- stays NULL; of the JSON text null the map is NULL. Where K is NULL, membership is unknown for
-- every key and {} is left.
POD_LABELS as (
    select
        label_text,
        json_format(cast(labels as json)) as labels
    from (
        select
            texts.label_text,
            map_filter(
                cast(json_parse(texts.label_text) as map(varchar, varchar)),
                (name, value) -> contains(K.keys, name)
            ) as labels
        from (
            select distinct pod_labels as label_text
            from P
            where pod_labels is not null
        ) as texts
        cross join K
    ) as filtered
),
-- 3.2: NL': filter(text) of each label row of a day (3.1), distinct after the filter; NULL and {}
-- are different sets. Several sets of a day fan out below (7-23 to 7-27).
NL as (
    select distinct
        usage_start,
        node,
        json_format(cast(labels as json)) as labels
    from (
        select
            cast(n.interval_start as date) as usage_start,
            n.node,
            map_filter(
                cast(json_parse(n.node_labels) as map(varchar, varchar)),
                (name, value) -> contains(K.keys, name)
            ) as labels
        from openshift_node_labels_line_items_daily as n
        cross join K
        where n.source = :source
            and n.year = :year
            and n.month = :month
            and n.interval_start >= :start_date
            and n.interval_start < :end_date + interval '1' day
    ) as filtered
),
-- 3.2: NSL', likewise.
NSL as (
    select distinct
        usage_start,
        namespace,
        json_format(cast(labels as json)) as labels
    from (
        select
            cast(n.interval_start as date) as usage_start,
            n.namespace,
            map_filter(
                cast(json_parse(n.namespace_labels) as map(varchar, varchar)),
                (name, value) -> contains(K.keys, name)
            ) as labels
        from openshift_namespace_labels_line_items_daily as n
        cross join K
        where n.source = :source
            and n.year = :year
            and n.month = :month
            and n.interval_start >= :start_date
            and n.interval_start < :end_date + interval '1' day
    ) as filtered
),
-- 3.3-1: an hour of a node reported twice counts with its maximum. Here and below, a maximum of
-- doubles is NaN only where there is nothing else: written out, as engines differ.
NODE_HOURS as (
    select
        interval_start,
        node,
        coalesce(
            max(node_capacity_cpu_core_seconds)
                filter (where not is_nan(node_capacity_cpu_core_seconds)),
            max(node_capacity_cpu_core_seconds)
        ) as cpu_core_seconds,
        coalesce(
            max(node_capacity_memory_byte_seconds)
                filter (where not is_nan(node_capacity_memory_byte_seconds)),
            max(node_capacity_memory_byte_seconds)
        ) as memory_byte_seconds
    from openshift_pod_usage_line_items
    where source = :source
        and year = :year
        and month = :month
        and interval_start >= :start_date
        and interval_start < :end_date + interval '1' day
    group by interval_start, node
),
-- 3.3-2: NC, the hours that were reported, not 24 of them. Nodes '' and NULL are groups of their
-- own.
NC as (
    select
        cast(interval_start as date) as usage_start,
        node,
        sum(cpu_core_seconds) as cpu_core_seconds,
        sum(memory_byte_seconds) as memory_byte_seconds
    from NODE_HOURS
    group by cast(interval_start as date), node
),
-- 3.3-3: CC, over all groups, those of '' and NULL included (8.1-10).
CC as (
    select
        usage_start,
        sum(cpu_core_seconds) as cpu_core_seconds,
        sum(memory_byte_seconds) as memory_byte_seconds
    from NC
    group by usage_start
),
-- 3.5: the source relation; NL', NSL' and CAT may each repeat a row of P. Without labels, node and
-- namespace have {}, the pod has NULL.
JOINED as (
    select
        P.*,
        NC.cpu_core_seconds as node_cpu_core_seconds,
        NC.memory_byte_seconds as node_memory_byte_seconds,
        CC.cpu_core_seconds as cluster_cpu_core_seconds,
        CC.memory_byte_seconds as cluster_memory_byte_seconds,
        CAT.cost_category_id,
        coalesce(NL.labels, '{}') as of_node,
        coalesce(NSL.labels, '{}') as of_namespace,
        POD_LABELS.labels as of_pod
    from P
    left join POD_LABELS
        on POD_LABELS.label_text = P.pod_labels
    left join NL
        on NL.node = P.node
        and NL.usage_start = P.usage_start
    left join NSL
        on NSL.namespace = P.namespace
        and NSL.usage_start = P.usage_start
    left join NC
        on NC.node = P.node
        and NC.usage_start = P.usage_start
    left join CC
        on CC.usage_start = P.usage_start
    left join reporting_ocp_cost_category_namespace as CAT
        on P.namespace like CAT.namespace
),
-- 3.5: L, once for each combination: node < namespace < pod, the later wins. Where the pod's own
-- map is NULL there is no L (8.1-3).
L as (
    select
        of_node,
        of_namespace,
        of_pod,
        json_format(cast(labels as json)) as labels
    from (
        select
            of_node,
            of_namespace,
            of_pod,
            map_concat(
                cast(json_parse(of_node) as map(varchar, varchar)),
                cast(json_parse(of_namespace) as map(varchar, varchar)),
                cast(json_parse(of_pod) as map(varchar, varchar))
            ) as labels
        from (
            select distinct of_node, of_namespace, of_pod
            from JOINED
            where of_pod is not null
        ) as combinations
    ) as merged
),
-- 3.5: the group key and the sums and maxima over it, still in seconds and bytes.
GROUPED as (
    select
        usage_start,
        namespace,
        node,
        source,
        L.labels,
        max(resource_id) as resource_id,
        max(cost_category_id) as cost_category_id,
        sum(pod_usage_cpu_core_seconds) as usage_cpu_core_seconds,
        sum(pod_request_cpu_core_seconds) as request_cpu_core_seconds,
        sum(effective_cpu_core_seconds) as effective_cpu_core_seconds,
        sum(pod_limit_cpu_core_seconds) as limit_cpu_core_seconds,
        sum(pod_usage_memory_byte_seconds) as usage_memory_byte_seconds,
        sum(pod_request_memory_byte_seconds) as request_memory_byte_seconds,
        sum(effective_memory_byte_seconds) as effective_memory_byte_seconds,
        sum(pod_limit_memory_byte_seconds) as limit_memory_byte_seconds,
        coalesce(
            max(node_capacity_cpu_cores) filter (where not is_nan(node_capacity_cpu_cores)),
            max(node_capacity_cpu_cores)
        ) as node_cpu_cores,
        coalesce(
            max(node_cpu_core_seconds) filter (where not is_nan(node_cpu_core_seconds)),
            max(node_cpu_core_seconds)
        ) as node_cpu_core_seconds,
        coalesce(
            max(node_capacity_memory_bytes) filter (where not is_nan(node_capacity_memory_bytes)),
            max(node_capacity_memory_bytes)
        ) as node_memory_bytes,
        coalesce(
            max(node_memory_byte_seconds) filter (where not is_nan(node_memory_byte_seconds)),
            max(node_memory_byte_seconds)
        ) as node_memory_byte_seconds,
        coalesce(
            max(cluster_cpu_core_seconds) filter (where not is_nan(cluster_cpu_core_seconds)),
            max(cluster_cpu_core_seconds)
        ) as cluster_cpu_core_seconds,
        coalesce(
            max(cluster_memory_byte_seconds) filter (where not is_nan(cluster_memory_byte_seconds)),
            max(cluster_memory_byte_seconds)
        ) as cluster_memory_byte_seconds
    from JOINED
    left join L
        on L.of_node = JOINED.of_node
        and L.of_namespace = JOINED.of_namespace
        and L.of_pod = JOINED.of_pod
    group by usage_start, namespace, node, source, L.labels
)
-- 3.5, 4.5: the row. Seconds to hours first, then bytes to GiB by G = 2^-30, which is exact
-- (6.3-2).
select
    cast(null as varchar) as uuid,
    cast(:report_period_id as integer) as report_period_id,
    cast(:cluster_id as varchar) as cluster_id,
    cast(:cluster_alias as varchar) as cluster_alias,
    cast('Pod' as varchar) as data_source,
    usage_start,
    usage_start as usage_end,
    namespace,
    node,
    resource_id,
    labels as pod_labels,
    usage_cpu_core_seconds / 3600e0 as pod_usage_cpu_core_hours,
    request_cpu_core_seconds / 3600e0 as pod_request_cpu_core_hours,
    effective_cpu_core_seconds / 3600e0 as pod_effective_usage_cpu_core_hours,
    limit_cpu_core_seconds / 3600e0 as pod_limit_cpu_core_hours,
    usage_memory_byte_seconds / 3600e0 * 9.313225746154785e-10 as pod_usage_memory_gigabyte_hours,
    request_memory_byte_seconds / 3600e0 * 9.313225746154785e-10
        as pod_request_memory_gigabyte_hours,
    effective_memory_byte_seconds / 3600e0 * 9.313225746154785e-10
        as pod_effective_usage_memory_gigabyte_hours,
    limit_memory_byte_seconds / 3600e0 * 9.313225746154785e-10 as pod_limit_memory_gigabyte_hours,
    node_cpu_cores as node_capacity_cpu_cores,
    node_cpu_core_seconds / 3600e0 as node_capacity_cpu_core_hours,
    node_memory_bytes * 9.313225746154785e-10 as node_capacity_memory_gigabytes,
    node_memory_byte_seconds / 3600e0 * 9.313225746154785e-10
        as node_capacity_memory_gigabyte_hours,
    cluster_cpu_core_seconds / 3600e0 as cluster_capacity_cpu_core_hours,
    cluster_memory_byte_seconds / 3600e0 * 9.313225746154785e-10
        as cluster_capacity_memory_gigabyte_hours,
    cast(null as varchar) as persistentvolumeclaim,
    cast(null as varchar) as persistentvolume,
    cast(null as varchar) as storageclass,
    cast(null as varchar) as volume_labels,
    cast(null as double) as persistentvolumeclaim_capacity_gigabyte,
    cast(null as double) as persistentvolumeclaim_capacity_gigabyte_months,
    cast(null as double) as volume_request_storage_gigabyte_months,
    cast(null as double) as persistentvolumeclaim_usage_gigabyte_months,
    source as source_uuid,
    cast('{"cpu": 0.000000000, "memory": 0.000000000, "storage": 0.000000000}' as varchar)
        as infrastructure_usage_cost,
    cast(null as varchar) as csi_volume_handle,
    cost_category_id,
    cast(:source as varchar) as source,
    cast(year(usage_start) as varchar) as year,
    cast(month(usage_start) as varchar) as month,
    cast(day(usage_start) as varchar) as day
from GROUPED
