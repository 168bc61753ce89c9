-- The staging table and its rows in PostgreSQL: production's form, our own text, made from the
-- control's statements (ocp.md 3, 4.5). Four pieces; a semicolon in a comment; ends none.
create table if not exists hive.{{schema | sqlsafe}}.reporting_ocpusagelineitem_daily_summary (
    uuid varchar,
    report_period_id integer,
    cluster_id varchar,
    cluster_alias varchar,
    data_source varchar,
    usage_start date,
    usage_end date,
    namespace varchar,
    node varchar,
    resource_id varchar,
    pod_labels varchar,
    pod_usage_cpu_core_hours double,
    pod_request_cpu_core_hours double,
    pod_effective_usage_cpu_core_hours double,
    pod_limit_cpu_core_hours double,
    pod_usage_memory_gigabyte_hours double,
    pod_request_memory_gigabyte_hours double,
    pod_effective_usage_memory_gigabyte_hours double,
    pod_limit_memory_gigabyte_hours double,
    node_capacity_cpu_cores double,
    node_capacity_cpu_core_hours double,
    node_capacity_memory_gigabytes double,
    node_capacity_memory_gigabyte_hours double,
    cluster_capacity_cpu_core_hours double,
    cluster_capacity_memory_gigabyte_hours double,
    persistentvolumeclaim varchar,
    persistentvolume varchar,
    storageclass varchar,
    volume_labels varchar,
    persistentvolumeclaim_capacity_gigabyte double,
    persistentvolumeclaim_capacity_gigabyte_months double,
    volume_request_storage_gigabyte_months double,
    persistentvolumeclaim_usage_gigabyte_months double,
    source_uuid varchar,
    infrastructure_usage_cost varchar,
    csi_volume_handle varchar,
    cost_category_id integer,
    source varchar,
    year varchar,
    month varchar,
    day varchar
) with (
    format = 'PARQUET',
    partitioned_by = array['source', 'year', 'month', 'day']
);

-- Pod rows, and storage rows where there are volumes.
insert into hive.{{schema | sqlsafe}}.reporting_ocpusagelineitem_daily_summary (
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
)
select * from (
    with
    K as (
        select
            array[cast('vm_kubevirt_io_name' as varchar)]
                || array_agg(cast(key as varchar) order by key) as keys
        from postgres.{{schema | sqlsafe}}.reporting_enabledtagkeys
        where enabled and provider_type = 'OCP'
    ),
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
        from hive.{{schema | sqlsafe}}.openshift_pod_usage_line_items_daily
        where source = {{source}}
            and year = {{year}}
            and month = {{month}}
            and interval_start >= {{start_date}}
            and interval_start < {{end_date}} + interval '1' day
            and node <> ''
    ),
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
            from hive.{{schema | sqlsafe}}.openshift_node_labels_line_items_daily as n
            cross join K
            where n.source = {{source}}
                and n.year = {{year}}
                and n.month = {{month}}
                and n.interval_start >= {{start_date}}
                and n.interval_start < {{end_date}} + interval '1' day
        ) as filtered
    ),
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
            from hive.{{schema | sqlsafe}}.openshift_namespace_labels_line_items_daily as n
            cross join K
            where n.source = {{source}}
                and n.year = {{year}}
                and n.month = {{month}}
                and n.interval_start >= {{start_date}}
                and n.interval_start < {{end_date}} + interval '1' day
        ) as filtered
    ),
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
        from hive.{{schema | sqlsafe}}.openshift_pod_usage_line_items
        where source = {{source}}
            and year = {{year}}
            and month = {{month}}
            and interval_start >= {{start_date}}
            and interval_start < {{end_date}} + interval '1' day
        group by interval_start, node
    ),
    NC as (
        select
            cast(interval_start as date) as usage_start,
            node,
            sum(cpu_core_seconds) as cpu_core_seconds,
            sum(memory_byte_seconds) as memory_byte_seconds
        from NODE_HOURS
        group by cast(interval_start as date), node
    ),
    CC as (
        select
            usage_start,
            sum(cpu_core_seconds) as cpu_core_seconds,
            sum(memory_byte_seconds) as memory_byte_seconds
        from NC
        group by usage_start
    ),
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
        left join postgres.{{schema | sqlsafe}}.reporting_ocp_cost_category_namespace as CAT
            on P.namespace like CAT.namespace
    ),
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
    select
        cast(null as varchar) as uuid,
        cast({{report_period_id}} as integer) as report_period_id,
        cast({{cluster_id}} as varchar) as cluster_id,
        cast({{cluster_alias}} as varchar) as cluster_alias,
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
        cast({{source}} as varchar) as source,
        cast(year(usage_start) as varchar) as year,
        cast(month(usage_start) as varchar) as month,
        cast(day(usage_start) as varchar) as day
    from GROUPED
)
{% if storage_exists %}
union all
select * from (
    with
    K as (
        select
            array[cast('vm_kubevirt_io_name' as varchar)]
                || array_agg(cast(key as varchar) order by key) as keys
        from postgres.{{schema | sqlsafe}}.reporting_enabledtagkeys
        where enabled and provider_type = 'OCP'
    ),
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
        from hive.{{schema | sqlsafe}}.openshift_storage_usage_line_items_daily
        where source = {{source}}
            and year = {{year}}
            and month = {{month}}
            and interval_start >= {{start_date}}
            and interval_start < {{end_date}} + interval '1' day
    ),
    P as (
        select distinct
            cast(interval_start as date) as usage_start,
            source,
            namespace,
            pod,
            node,
            resource_id
        from hive.{{schema | sqlsafe}}.openshift_pod_usage_line_items_daily
        where source = {{source}}
            and year = {{year}}
            and month = {{month}}
    ),
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
    SC as (
        select
            usage_start,
            persistentvolume,
            count(distinct node) as node_count
        from VN
        group by usage_start, persistentvolume
    ),
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
            from hive.{{schema | sqlsafe}}.openshift_node_labels_line_items_daily as n
            cross join K
            where n.source = {{source}}
                and n.year = {{year}}
                and n.month = {{month}}
                and n.interval_start >= {{start_date}}
                and n.interval_start < {{end_date}} + interval '1' day
        ) as filtered
    ),
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
            from hive.{{schema | sqlsafe}}.openshift_namespace_labels_line_items_daily as n
            cross join K
            where n.source = {{source}}
                and n.year = {{year}}
                and n.month = {{month}}
                and n.interval_start >= {{start_date}}
                and n.interval_start < {{end_date}} + interval '1' day
        ) as filtered
    ),
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
        left join postgres.{{schema | sqlsafe}}.reporting_ocp_cost_category_namespace as CAT
            on S.namespace like CAT.namespace
    ),
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
    select
        cast(null as varchar) as uuid,
        cast({{report_period_id}} as integer) as report_period_id,
        cast({{cluster_id}} as varchar) as cluster_id,
        cast({{cluster_alias}} as varchar) as cluster_alias,
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
        cast({{source}} as varchar) as source,
        cast(year(usage_start) as varchar) as year,
        cast(month(usage_start) as varchar) as month,
        cast(day(usage_start) as varchar) as day
    from GROUPED
)
{% endif %}
;

-- What the nodes have left, from the rows of the first insert.
insert into hive.{{schema | sqlsafe}}.reporting_ocpusagelineitem_daily_summary (
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
)
with
ROLE as (
    select
        node,
        resource_id,
        max(node_role) as node_role
    from postgres.{{schema | sqlsafe}}.reporting_ocp_nodes
    group by node, resource_id
),
USED as (
    select
        pods.*,
        ROLE.node_role
    from hive.{{schema | sqlsafe}}.reporting_ocpusagelineitem_daily_summary as pods
    left join ROLE
        on ROLE.node = pods.node
        and ROLE.resource_id = pods.resource_id
    where pods.source = {{source}}
        and pods.year = {{year}}
        and lpad(pods.month, 2, '0') = {{month}}
        and pods.usage_start >= {{start_date}}
        and pods.usage_start <= {{end_date}}
        and pods.data_source = 'Pod'
        and pods.node is not null
        and pods.namespace not in (
            'Platform unallocated',
            'Worker unallocated',
            'Network unattributed',
            'Storage unattributed'
        )
),
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
NAMED as (
    select
        PER_NODE.*,
        case
            when node_role in ('master', 'infra') then 'Platform unallocated'
            when node_role = 'worker' then 'Worker unallocated'
        end as namespace
    from PER_NODE
)
select
    cast(null as varchar) as uuid,
    cast({{report_period_id}} as integer) as report_period_id,
    cast({{cluster_id}} as varchar) as cluster_id,
    cast({{cluster_alias}} as varchar) as cluster_alias,
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
    cast({{source}} as varchar) as source,
    cast(year(NAMED.usage_start) as varchar) as year,
    cast(month(NAMED.usage_start) as varchar) as month,
    cast(day(NAMED.usage_start) as varchar) as day
from NAMED
left join postgres.{{schema | sqlsafe}}.reporting_ocp_cost_category_namespace as CAT
    on NAMED.namespace like CAT.namespace
;

insert into postgres.{{schema | sqlsafe}}.reporting_ocpusagelineitem_daily_summary (
    uuid,
    cluster_id,
    cluster_alias,
    data_source,
    namespace,
    node,
    resource_id,
    usage_start,
    usage_end,
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
    infrastructure_usage_cost,
    source_uuid,
    report_period_id,
    cost_category_id,
    all_labels
)
select
    uuid(),
    cluster_id,
    cluster_alias,
    data_source,
    namespace,
    node,
    resource_id,
    usage_start,
    usage_end,
    json_parse(pod_labels),
    cast(pod_usage_cpu_core_hours as decimal(33, 15)),
    cast(pod_request_cpu_core_hours as decimal(33, 15)),
    cast(pod_effective_usage_cpu_core_hours as decimal(33, 15)),
    cast(pod_limit_cpu_core_hours as decimal(33, 15)),
    cast(pod_usage_memory_gigabyte_hours as decimal(33, 15)),
    cast(pod_request_memory_gigabyte_hours as decimal(33, 15)),
    cast(pod_effective_usage_memory_gigabyte_hours as decimal(33, 15)),
    cast(pod_limit_memory_gigabyte_hours as decimal(33, 15)),
    cast(node_capacity_cpu_cores as decimal(33, 15)),
    cast(node_capacity_cpu_core_hours as decimal(33, 15)),
    cast(node_capacity_memory_gigabytes as decimal(33, 15)),
    cast(node_capacity_memory_gigabyte_hours as decimal(33, 15)),
    cast(cluster_capacity_cpu_core_hours as decimal(33, 15)),
    cast(cluster_capacity_memory_gigabyte_hours as decimal(33, 15)),
    persistentvolumeclaim,
    persistentvolume,
    storageclass,
    json_parse(volume_labels),
    cast(persistentvolumeclaim_capacity_gigabyte as decimal(33, 15)),
    cast(persistentvolumeclaim_capacity_gigabyte_months as decimal(33, 15)),
    cast(volume_request_storage_gigabyte_months as decimal(33, 15)),
    cast(persistentvolumeclaim_usage_gigabyte_months as decimal(33, 15)),
    json_parse(infrastructure_usage_cost),
    cast(source_uuid as uuid),
    report_period_id,
    cost_category_id,
    cast(
        map_concat(
            coalesce(
                cast(json_parse(pod_labels) as map(varchar, varchar)),
                cast(map() as map(varchar, varchar))
            ),
            coalesce(
                cast(json_parse(volume_labels) as map(varchar, varchar)),
                cast(map() as map(varchar, varchar))
            )
        ) as json
    )
from hive.{{schema | sqlsafe}}.reporting_ocpusagelineitem_daily_summary
where source = {{source}}
    and year = {{year}}
    and lpad(month, 2, '0') = {{month}}
    and day in {{days | inclause}};
