-- The daily summary: the staging rows of one sub-window as the API reads them (ocp.md 3.8, 4),
-- after tag mapping (5.9). The section that a clause comes from stands beside it.
with
-- 3.8: the rows of the days. Labels that are NULL are the JSON text null here, to be found by
-- joins. 6.3-6: text longer than its column fails the statement, unless what is too much is blanks,
-- which are cut.
STAGED as (
    select
        staging.*,
        coalesce(pod_labels, 'null') as pod_text,
        coalesce(volume_labels, 'null') as volume_text
    from staging
    where source = :source
        and year = :year
        and lpad(month, 2, '0') = :month
        and usage_start >= :start_date
        and usage_start <= :end_date
        and cast(
            if(
                coalesce(replace(substr(cluster_id, 51), ' ', ''), '') = ''
                    and coalesce(replace(substr(cluster_alias, 257), ' ', ''), '') = ''
                    and coalesce(replace(substr(namespace, 254), ' ', ''), '') = ''
                    and coalesce(replace(substr(node, 254), ' ', ''), '') = ''
                    and coalesce(replace(substr(resource_id, 254), ' ', ''), '') = ''
                    and coalesce(replace(substr(persistentvolumeclaim, 254), ' ', ''), '') = ''
                    and coalesce(replace(substr(persistentvolume, 254), ' ', ''), '') = ''
                    and coalesce(replace(substr(storageclass, 254), ' ', ''), '') = '',
                '1',
                'a text is longer than its column'
            ) as integer
        ) = 1
),
-- 3.8: each label text as a map, parsed once; of the text null the map is NULL.
PARSED as (
    select
        texts.label_text,
        cast(json_parse(texts.label_text) as map(varchar, varchar)) as labels
    from (
        select pod_text as label_text
        from STAGED
        union
        select volume_text as label_text
        from STAGED
    ) as texts
),
-- 5.9: the pairs child -> parent. The child is an enabled key of OpenShift, the parent any key.
PAIRS as (
    select
        cast(child.key as varchar) as child,
        cast(parent.key as varchar) as parent
    from reporting_tagmapping as mapping
    join reporting_enabledtagkeys as child
        on child.uuid = mapping.child_id
    join reporting_enabledtagkeys as parent
        on parent.uuid = mapping.parent_id
    where child.enabled
        and child.provider_type = 'OCP'
),
-- 5.9: which children stand in which labels, and whether their parent stands beside them.
CHILDREN as (
    select
        PARSED.label_text,
        PAIRS.child,
        PAIRS.parent,
        PARSED.labels[entries.label_key] as label_value,
        contains(map_keys(PARSED.labels), PAIRS.parent) as beside_parent
    from PARSED
    cross join unnest(map_keys(PARSED.labels)) as entries (label_key)
    join PAIRS
        on PAIRS.child = entries.label_key
),
-- 5.9: each child by its parent's name. Of several children of one parent the later in the order of
-- jsonb keys wins: shorter first, in bytes, then bytewise.
RANKED as (
    select
        label_text,
        parent,
        label_value,
        row_number() over (
            partition by label_text, parent
            order by length(to_utf8(child)) desc, child desc
        ) as place
    from CHILDREN
),
-- 5.9: the winners, as a map of new names.
RENAMED as (
    select
        label_text,
        map_from_entries(array_agg(row(parent, label_value))) as labels
    from RANKED
    where place = 1
    group by label_text
),
-- 5.9: what is left without any child key at all.
REDUCED as (
    select
        PARSED.label_text,
        map_filter(
            PARSED.labels,
            (name, value) -> not contains(CHILD_KEYS.children, name)
        ) as labels
    from PARSED
    cross join (select array_agg(child) as children from PAIRS) as CHILD_KEYS
),
-- 5.9: if some child stands beside its parent, all children go, and NULL is left instead of {};
-- otherwise they are renamed. Once: a new name is not looked up again.
MAPPED as (
    select
        found.label_text,
        case
            when not found.beside_parent then map_concat(REDUCED.labels, RENAMED.labels)
            when cardinality(map_keys(REDUCED.labels)) > 0 then REDUCED.labels
        end as labels
    from (
        select
            label_text,
            bool_or(beside_parent) as beside_parent
        from CHILDREN
        group by label_text
    ) as found
    join REDUCED
        on REDUCED.label_text = found.label_text
    join RENAMED
        on RENAMED.label_text = found.label_text
),
-- 3.8, 5.9: the three label columns, once for each combination. Mapped labels replace all_labels
-- too, the volume's last; otherwise these are both sets in one, never NULL.
LABELS as (
    select
        combinations.pod_text,
        combinations.volume_text,
        case
            when POD_MAPPED.label_text is not null then cast(POD_MAPPED.labels as json)
            else cast(POD_PARSED.labels as json)
        end as pod_labels,
        case
            when VOLUME_MAPPED.label_text is not null then cast(VOLUME_MAPPED.labels as json)
            else cast(VOLUME_PARSED.labels as json)
        end as volume_labels,
        case
            when VOLUME_MAPPED.label_text is not null then cast(VOLUME_MAPPED.labels as json)
            when POD_MAPPED.label_text is not null then cast(POD_MAPPED.labels as json)
            else cast(
                map_concat(
                    coalesce(POD_PARSED.labels, cast(map() as map(varchar, varchar))),
                    coalesce(VOLUME_PARSED.labels, cast(map() as map(varchar, varchar)))
                ) as json
            )
        end as all_labels
    from (select distinct pod_text, volume_text from STAGED) as combinations
    join PARSED as POD_PARSED
        on POD_PARSED.label_text = combinations.pod_text
    join PARSED as VOLUME_PARSED
        on VOLUME_PARSED.label_text = combinations.volume_text
    left join MAPPED as POD_MAPPED
        on POD_MAPPED.label_text = combinations.pod_text
    left join MAPPED as VOLUME_MAPPED
        on VOLUME_MAPPED.label_text = combinations.volume_text
)
-- 3.8, 4.1: the row. 6.3-4: a double becomes a decimal by its shortest decimal text, half up; NaN,
-- an infinity and more than 18 digits before the point fail.
select
    cast(null as uuid) as uuid,
    cast(substr(STAGED.cluster_id, 1, 50) as varchar(50)) as cluster_id,
    cast(substr(STAGED.cluster_alias, 1, 256) as varchar(256)) as cluster_alias,
    cast(substr(STAGED.data_source, 1, 64) as varchar(64)) as data_source,
    cast(substr(STAGED.namespace, 1, 253) as varchar(253)) as namespace,
    cast(substr(STAGED.node, 1, 253) as varchar(253)) as node,
    cast(substr(STAGED.resource_id, 1, 253) as varchar(253)) as resource_id,
    STAGED.usage_start,
    STAGED.usage_end,
    LABELS.pod_labels,
    cast(cast(STAGED.pod_usage_cpu_core_hours as varchar) as decimal(33, 15))
        as pod_usage_cpu_core_hours,
    cast(cast(STAGED.pod_request_cpu_core_hours as varchar) as decimal(33, 15))
        as pod_request_cpu_core_hours,
    cast(cast(STAGED.pod_effective_usage_cpu_core_hours as varchar) as decimal(33, 15))
        as pod_effective_usage_cpu_core_hours,
    cast(cast(STAGED.pod_limit_cpu_core_hours as varchar) as decimal(33, 15))
        as pod_limit_cpu_core_hours,
    cast(cast(STAGED.pod_usage_memory_gigabyte_hours as varchar) as decimal(33, 15))
        as pod_usage_memory_gigabyte_hours,
    cast(cast(STAGED.pod_request_memory_gigabyte_hours as varchar) as decimal(33, 15))
        as pod_request_memory_gigabyte_hours,
    cast(cast(STAGED.pod_effective_usage_memory_gigabyte_hours as varchar) as decimal(33, 15))
        as pod_effective_usage_memory_gigabyte_hours,
    cast(cast(STAGED.pod_limit_memory_gigabyte_hours as varchar) as decimal(33, 15))
        as pod_limit_memory_gigabyte_hours,
    cast(cast(STAGED.node_capacity_cpu_cores as varchar) as decimal(33, 15))
        as node_capacity_cpu_cores,
    cast(cast(STAGED.node_capacity_cpu_core_hours as varchar) as decimal(33, 15))
        as node_capacity_cpu_core_hours,
    cast(cast(STAGED.node_capacity_memory_gigabytes as varchar) as decimal(33, 15))
        as node_capacity_memory_gigabytes,
    cast(cast(STAGED.node_capacity_memory_gigabyte_hours as varchar) as decimal(33, 15))
        as node_capacity_memory_gigabyte_hours,
    cast(cast(STAGED.cluster_capacity_cpu_core_hours as varchar) as decimal(33, 15))
        as cluster_capacity_cpu_core_hours,
    cast(cast(STAGED.cluster_capacity_memory_gigabyte_hours as varchar) as decimal(33, 15))
        as cluster_capacity_memory_gigabyte_hours,
    cast(substr(STAGED.persistentvolumeclaim, 1, 253) as varchar(253)) as persistentvolumeclaim,
    cast(substr(STAGED.persistentvolume, 1, 253) as varchar(253)) as persistentvolume,
    cast(substr(STAGED.storageclass, 1, 253) as varchar(253)) as storageclass,
    LABELS.volume_labels,
    cast(cast(STAGED.persistentvolumeclaim_capacity_gigabyte as varchar) as decimal(33, 15))
        as persistentvolumeclaim_capacity_gigabyte,
    cast(cast(STAGED.persistentvolumeclaim_capacity_gigabyte_months as varchar) as decimal(33, 15))
        as persistentvolumeclaim_capacity_gigabyte_months,
    cast(cast(STAGED.volume_request_storage_gigabyte_months as varchar) as decimal(33, 15))
        as volume_request_storage_gigabyte_months,
    cast(cast(STAGED.persistentvolumeclaim_usage_gigabyte_months as varchar) as decimal(33, 15))
        as persistentvolumeclaim_usage_gigabyte_months,
    cast(null as decimal(33, 15)) as infrastructure_raw_cost,
    cast(null as decimal(33, 15)) as infrastructure_project_raw_cost,
    json_parse(STAGED.infrastructure_usage_cost) as infrastructure_usage_cost,
    cast(null as decimal(33, 15)) as infrastructure_markup_cost,
    cast(null as decimal(33, 15)) as infrastructure_project_markup_cost,
    cast(null as decimal(33, 15)) as infrastructure_monthly_cost,
    cast(null as json) as infrastructure_monthly_cost_json,
    cast(null as json) as supplementary_usage_cost,
    cast(null as decimal(33, 15)) as supplementary_monthly_cost,
    cast(null as json) as supplementary_monthly_cost_json,
    cast(null as json) as infrastructure_project_monthly_cost,
    cast(null as json) as supplementary_project_monthly_cost,
    cast(null as decimal(33, 15)) as cost_model_cpu_cost,
    cast(null as decimal(33, 15)) as cost_model_memory_cost,
    cast(null as varchar) as cost_model_rate_type,
    cast(null as decimal(33, 15)) as cost_model_volume_cost,
    cast(null as varchar) as monthly_cost_type,
    cast(null as decimal(33, 15)) as distributed_cost,
    cast(null as varchar) as raw_currency,
    cast(STAGED.source_uuid as uuid) as source_uuid,
    STAGED.report_period_id,
    STAGED.cost_category_id,
    LABELS.all_labels,
    cast(null as decimal(33, 15)) as infrastructure_data_in_gigabytes,
    cast(null as decimal(33, 15)) as infrastructure_data_out_gigabytes,
    cast(null as decimal(33, 15)) as cost_model_gpu_cost
from STAGED
join LABELS
    on LABELS.pod_text = STAGED.pod_text
    and LABELS.volume_text = STAGED.volume_text
