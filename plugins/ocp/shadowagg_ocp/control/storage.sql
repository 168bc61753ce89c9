-- Storage rows: capacity, request and usage per day, volume, place and label set (ocp.md 3.4, 3.6).
-- One sub-window; the section that a clause comes from stands beside it. The whole stage is left
-- out where the lake table of volumes does not exist. A label set is carried as its canonical JSON
-- text: keys sorted, no blanks, so that equal maps have equal texts (6.2-4, 6.2-5).
with
-- 3.1: K, one row; NULL without any enabled key, as array_agg of no row is NULL.
K as (
    select
        array[cast('vm_kubevirt_io_name' as varchar)]
            || array_agg(cast(key as varchar) order by key) as keys
    from reporting_enabledtagkeys
    where enabled and provider_type = 'OCP'
),
-- 1.1: S. No filter on the node: claims without a known place stay.
S as (
    select
        cast(interval_start as date) as usage_start,
        namespace,
        pod,
        persistentvolumeclaim,
        persistentvolume,
        storageclass,
        csi_volume_handle,
        persistentvolume_labels,
        persistentvolumeclaim_labels,
        persistentvolumeclaim_capacity_bytes,
        persistentvolumeclaim_capacity_byte_seconds,
        volume_request_storage_byte_seconds,
        persistentvolumeclaim_usage_byte_seconds,
        source
    from openshift_storage_usage_line_items_daily
    where source = :source
        and year = :year
        and month = :month
        and interval_start >= :start_date
        and interval_start < :end_date + interval '1' day
),
-- 3.4: P as it places volumes: source, year and month only; the day is bound by the join below.
-- Unscheduled pods (node '' or NULL) take part.
P as (
    select distinct
        cast(interval_start as date) as usage_start,
        source,
        namespace,
        pod,
        node,
        resource_id
    from openshift_pod_usage_line_items_daily
    where source = :source
        and year = :year
        and month = :month
),
-- 3.4: VN, where each claim of each pod was on each day.
VN as (
    select distinct
        S.usage_start,
        S.persistentvolumeclaim,
        S.persistentvolume,
        S.pod,
        S.namespace,
        P.node,
        P.resource_id
    from S
    join P
        on P.source = S.source
        and P.namespace = S.namespace
        and P.pod = S.pod
        and P.usage_start = S.usage_start
),
-- 3.4: SC, on how many nodes each volume was: '' counts as one, NULL does not (6.1-7).
SC as (
    select
        usage_start,
        persistentvolume,
        count(distinct node) as node_count
    from VN
    group by usage_start, persistentvolume
),
-- 3.1: filter(text) of both label columns of S, once for each text. A NULL text finds no row below
-- and stays NULL; of the JSON text null the map is NULL. Where K is NULL, membership is unknown for
-- every key and {} is left.
VOLUME_LABELS as (
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
            select persistentvolume_labels as label_text
            from S
            where persistentvolume_labels is not null
            union
            select persistentvolumeclaim_labels as label_text
            from S
            where persistentvolumeclaim_labels is not null
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
-- 3.6: the source relation. VN is found without the volume, SC without namespace and claim (8.1-8);
-- VN, NL', NSL' and CAT may each repeat a row of S. Without labels, node and namespace have {},
-- volume and claim have NULL.
JOINED as (
    select
        S.*,
        VN.node,
        VN.resource_id,
        SC.node_count,
        CAT.cost_category_id,
        coalesce(NL.labels, '{}') as of_node,
        coalesce(NSL.labels, '{}') as of_namespace,
        PV_LABELS.labels as of_volume,
        PVC_LABELS.labels as of_claim
    from S
    left join VOLUME_LABELS as PV_LABELS
        on PV_LABELS.label_text = S.persistentvolume_labels
    left join VOLUME_LABELS as PVC_LABELS
        on PVC_LABELS.label_text = S.persistentvolumeclaim_labels
    left join VN
        on VN.usage_start = S.usage_start
        and VN.persistentvolumeclaim = S.persistentvolumeclaim
        and VN.pod = S.pod
        and VN.namespace = S.namespace
    left join SC
        on SC.usage_start = S.usage_start
        and SC.persistentvolume = S.persistentvolume
    left join NL
        on NL.node = VN.node
        and NL.usage_start = VN.usage_start
    left join NSL
        on NSL.namespace = S.namespace
        and NSL.usage_start = S.usage_start
    left join reporting_ocp_cost_category_namespace as CAT
        on S.namespace like CAT.namespace
),
-- 3.6: L, once for each combination: node < namespace < volume < claim, the later wins. Where the
-- volume's or the claim's map is NULL there is no L (8.1-3).
L as (
    select
        of_node,
        of_namespace,
        of_volume,
        of_claim,
        json_format(cast(labels as json)) as labels
    from (
        select
            of_node,
            of_namespace,
            of_volume,
            of_claim,
            map_concat(
                cast(json_parse(of_node) as map(varchar, varchar)),
                cast(json_parse(of_namespace) as map(varchar, varchar)),
                cast(json_parse(of_volume) as map(varchar, varchar)),
                cast(json_parse(of_claim) as map(varchar, varchar))
            ) as labels
        from (
            select distinct of_node, of_namespace, of_volume, of_claim
            from JOINED
            where of_volume is not null and of_claim is not null
        ) as combinations
    ) as merged
),
-- 3.6: the group key and its intermediates. Capacity is not divided by the number of nodes, request
-- and usage are (8.1-6): by NULL gives NULL, by 0 infinity or NaN (8.1-9). A maximum of doubles is
-- NaN only where there is nothing else: written out, as engines differ.
GROUPED as (
    select
        namespace,
        node,
        resource_id,
        persistentvolumeclaim,
        persistentvolume,
        storageclass,
        csi_volume_handle,
        usage_start,
        L.labels,
        source,
        coalesce(
            max(persistentvolumeclaim_capacity_bytes)
                filter (where not is_nan(persistentvolumeclaim_capacity_bytes)),
            max(persistentvolumeclaim_capacity_bytes)
        ) as capacity_bytes,
        sum(persistentvolumeclaim_capacity_byte_seconds) as capacity_byte_seconds,
        sum(volume_request_storage_byte_seconds) / cast(max(node_count) as double)
            as request_byte_seconds,
        sum(persistentvolumeclaim_usage_byte_seconds) / cast(max(node_count) as double)
            as usage_byte_seconds,
        max(cost_category_id) as cost_category_id
    from JOINED
    left join L
        on L.of_node = JOINED.of_node
        and L.of_namespace = JOINED.of_namespace
        and L.of_volume = JOINED.of_volume
        and L.of_claim = JOINED.of_claim
    group by
        namespace,
        node,
        resource_id,
        persistentvolumeclaim,
        persistentvolume,
        storageclass,
        csi_volume_handle,
        usage_start,
        L.labels,
        source
)
-- 3.6, 4.5: the row. First by the seconds of the day's month, then to GiB by G = 2^-30, which is
-- exact (6.3-2).
select
    cast(null as varchar) as uuid,
    cast(:report_period_id as integer) as report_period_id,
    cast(:cluster_id as varchar) as cluster_id,
    cast(:cluster_alias as varchar) as cluster_alias,
    cast('Storage' as varchar) as data_source,
    usage_start,
    usage_start as usage_end,
    namespace,
    node,
    resource_id,
    cast(null as varchar) as pod_labels,
    cast(null as double) as pod_usage_cpu_core_hours,
    cast(null as double) as pod_request_cpu_core_hours,
    cast(null as double) as pod_effective_usage_cpu_core_hours,
    cast(null as double) as pod_limit_cpu_core_hours,
    cast(null as double) as pod_usage_memory_gigabyte_hours,
    cast(null as double) as pod_request_memory_gigabyte_hours,
    cast(null as double) as pod_effective_usage_memory_gigabyte_hours,
    cast(null as double) as pod_limit_memory_gigabyte_hours,
    cast(null as double) as node_capacity_cpu_cores,
    cast(null as double) as node_capacity_cpu_core_hours,
    cast(null as double) as node_capacity_memory_gigabytes,
    cast(null as double) as node_capacity_memory_gigabyte_hours,
    cast(null as double) as cluster_capacity_cpu_core_hours,
    cast(null as double) as cluster_capacity_memory_gigabyte_hours,
    persistentvolumeclaim,
    persistentvolume,
    storageclass,
    labels as volume_labels,
    capacity_bytes * 9.313225746154785e-10 as persistentvolumeclaim_capacity_gigabyte,
    capacity_byte_seconds / (86400e0 * day(last_day_of_month(usage_start))) * 9.313225746154785e-10
        as persistentvolumeclaim_capacity_gigabyte_months,
    request_byte_seconds / (86400e0 * day(last_day_of_month(usage_start))) * 9.313225746154785e-10
        as volume_request_storage_gigabyte_months,
    usage_byte_seconds / (86400e0 * day(last_day_of_month(usage_start))) * 9.313225746154785e-10
        as persistentvolumeclaim_usage_gigabyte_months,
    source as source_uuid,
    cast('{"cpu": 0.000000000, "memory": 0.000000000, "storage": 0.000000000}' as varchar)
        as infrastructure_usage_cost,
    csi_volume_handle,
    cost_category_id,
    cast(:source as varchar) as source,
    cast(year(usage_start) as varchar) as year,
    cast(month(usage_start) as varchar) as month,
    cast(day(usage_start) as varchar) as day
from GROUPED
