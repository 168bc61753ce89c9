-- Tag mapping (ocp.md 5.9): production's form, our own text. One statement, one message; a literal
-- percent sign is doubled, as the style of its values wants it (100%% of the rows, here).
with pairs as (
    select
        child.key as child,
        parent.key as parent
    from {{schema | sqlsafe}}.reporting_tagmapping as mapping
    join {{schema | sqlsafe}}.reporting_enabledtagkeys as child
        on child.uuid = mapping.child_id
    join {{schema | sqlsafe}}.reporting_enabledtagkeys as parent
        on parent.uuid = mapping.parent_id
    where child.enabled
        and child.provider_type = 'OCP'
),
label_sets as (
    select distinct sets.labels
    from {{schema | sqlsafe}}.reporting_ocpusagelineitem_daily_summary as summary
    cross join lateral unnest(array[summary.pod_labels, summary.volume_labels]) as sets (labels)
    where summary.usage_start >= {{start_date}}
        and summary.usage_start <= {{end_date}}
        and summary.report_period_id in {{report_period_ids | inclause}}
),
mapped as (
    select
        label_sets.labels,
        case
            when exists (
                select 1
                from pairs
                where label_sets.labels ? pairs.child
                    and label_sets.labels ? pairs.parent
            )
                then nullif(
                    label_sets.labels - (select array_agg(pairs.child::text) from pairs), '{}'::jsonb
                )
            else (
                select jsonb_object_agg(
                    coalesce(pairs.parent::text, entries.key),
                    entries.value
                    order by octet_length(entries.key), entries.key collate "C"
                )
                from jsonb_each(label_sets.labels) as entries (key, value)
                left join pairs
                    on pairs.child = entries.key
            )
        end as new_labels
    from label_sets
    where exists (
        select 1
        from pairs
        where label_sets.labels ? pairs.child
    )
)
update {{schema | sqlsafe}}.reporting_ocpusagelineitem_daily_summary as summary
set
    pod_labels = case
        when of_pod.labels is null then summary.pod_labels
        else of_pod.new_labels
    end,
    volume_labels = case
        when of_volume.labels is null then summary.volume_labels
        else of_volume.new_labels
    end,
    all_labels = case
        when of_volume.labels is not null then of_volume.new_labels
        when of_pod.labels is not null then of_pod.new_labels
        else summary.all_labels
    end
from {{schema | sqlsafe}}.reporting_ocpusagelineitem_daily_summary as same
left join mapped as of_pod
    on of_pod.labels = same.pod_labels
left join mapped as of_volume
    on of_volume.labels = same.volume_labels
where same.uuid = summary.uuid
    and same.usage_start = summary.usage_start
    and summary.usage_start >= {{start_date}}
    and summary.usage_start <= {{end_date}}
    and summary.report_period_id in {{report_period_ids | inclause}}
    and (of_pod.labels is not null or of_volume.labels is not null);
