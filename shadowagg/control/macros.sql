-- What Trino has and DuckDB lacks, or means otherwise: one macro each, over JSON texts, label maps
-- and the texts of doubles. `dialect.py` puts their names where Trino's expressions stood.
--
-- Maps made here have their entries sorted by key. Trino's maps compare and group without regard to
-- order, DuckDB's do not: sorted once, equal maps are equal in both.
--
-- A macro's argument is copied wherever it stands, and the copies multiply where macros are nested.
-- Where an argument is needed more than once, a lambda over a list of one binds it to a name.

-- --- maps --------------------------------------------------------------------------------------

-- A map with its entries in the order of their keys; NULL stays NULL.
create macro sort_map(m) as map_from_entries(list_sort(map_entries(m)));

-- Trino's map_concat(…), its arguments in a list: NULL if any is; the last map that has a key wins,
-- NULL values too.
create macro merge_maps(maps) as
    sort_map(
        list_transform(
            [maps],
            lambda parts:
                case
                    when list_count(parts) = len(parts)
                    then list_reduce(parts, lambda merged, part: map_concat(merged, part))
                end
        )[1]
    );

-- --- doubles as text ---------------------------------------------------------------------------

-- The parts of `shortest`, the shortest text of a finite double above zero: `12.5`, `1.5e-07`.
create macro shortest_exponent(shortest) as
    cast(coalesce(nullif(split_part(shortest, 'e', 2), ''), '0') as integer);
create macro shortest_digits(shortest) as replace(split_part(shortest, 'e', 1), '.', '');

-- The same in Java's form, always with an exponent: `1.25E1`, `1.5E-7`. `digits` are all its
-- digits, `exponent` that of the first of them.
create macro scientific_text(digits, exponent) as
    substr(trim(digits, '0'), 1, 1)
    || '.'
    || coalesce(nullif(substr(trim(digits, '0'), 2), ''), '0')
    || 'E'
    || (exponent - (strlen(digits) - strlen(ltrim(digits, '0'))));

-- Trino's cast(double as varchar).
create macro double_text(x) as
    list_transform(
        [x],
        lambda d: case
            when isnan(d) then 'NaN'
            when isinf(d) then case when d > 0 then 'Infinity' else '-Infinity' end
            when d = 0 then case when signbit(d) then '-0E0' else '0E0' end
            else case when d < 0 then '-' else '' end
                || list_transform(
                    [cast(abs(d) as varchar)],
                    lambda shortest: scientific_text(
                        shortest_digits(shortest),
                        shortest_exponent(shortest)
                            + strlen(split_part(split_part(shortest, 'e', 1), '.', 1)) - 1
                    )
                )[1]
        end
    )[1];

-- --- JSON text to map --------------------------------------------------------------------------

-- RFC 8259, as strictly as Trino's reader takes it; DuckDB's own takes NaN and trailing commas too.
create macro json_blank() as '[ \t\n\r]*';
create macro json_string() as
    '"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"';
create macro json_number() as '-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?';
create macro json_scalar() as
    '(?:' || json_string() || '|' || json_number() || '|true|false|null)';
create macro json_member() as
    json_blank() || json_string() || json_blank() || ':' || json_blank() || json_scalar()
    || json_blank();
create macro json_member_parts() as
    '(' || json_string() || ')' || json_blank() || ':' || json_blank()
    || '(' || json_scalar() || ')';
create macro json_flat_object() as
    json_blank() || '\{(?:' || json_blank() || '|' || json_member() || '(?:,' || json_member()
    || ')*)\}' || json_blank();

-- The text of one value, as a cast to varchar gives it: texts unescaped, whole numbers literally,
-- others as doubles, words as they are, null as NULL.
create macro json_scalar_text(token) as
    case
        when token = 'null' then null
        when starts_with(token, '"') then cast(token as json) ->> '$'
        when regexp_matches(token, '^[-0-9].*[.eE]') then double_text(cast(token as double))
        else token
    end;

-- Member by member, for texts with numbers among the values, whose literal text counts.
create macro json_members_map(t) as
    map_from_entries(
        list_transform(
            list_zip(
                regexp_extract_all(t, json_member_parts(), 1),
                regexp_extract_all(t, json_member_parts(), 2)
            ),
            lambda member: {
                'key': cast(member[1] as json) ->> '$',
                'value': json_scalar_text(member[2])
            }
        )
    );

-- Trino's cast(json_parse(column) as map(varchar, varchar)): NULL for NULL and for the text null;
-- an error for whatever is no object of plain values, and for a key that occurs twice.
create macro json_text_map(t) as
    sort_map(
        case
            when t is null then null
            when regexp_full_match(t, json_blank() || 'null' || json_blank()) then null
            when not regexp_full_match(t, json_flat_object())
                then error('a text is not a JSON object of plain values')
            when regexp_matches(t, ':[ \t\n\r]*[-0-9]') then json_members_map(t)
            else cast(cast(t as json) as map(varchar, varchar))
        end
    );

-- --- map to JSON text --------------------------------------------------------------------------

-- A key that sorts, by code points, as Trino sorts keys: by UTF-16 units, in which U+E000 to U+FFFF
-- come after everything above them.
create macro utf16_order(k) as
    regexp_replace(k, '([\x{E000}-\x{FFFF}])', chr(1114111) || '\1', 'g');

-- A character above U+FFFF as the two escapes that Trino writes.
create macro surrogate_escapes(c) as
    format('\u{:04X}', 55232 + (ord(c) // 1024)) || format('\u{:04X}', 56320 + (ord(c) % 1024));

-- A text in quotes; only `"`, `\`, controls and what lies above U+FFFF are escaped.
create macro json_quoted(s) as
    case
        when regexp_matches(s, '[\x{10000}-\x{10FFFF}]')
        then array_to_string(
            list_transform(
                regexp_extract_all(cast(to_json(s) as varchar), '(?s).'),
                lambda c: case when ord(c) > 65535 then surrogate_escapes(c) else c end
            ),
            ''
        )
        else cast(to_json(s) as varchar)
    end;

-- Trino's json_format(cast(m as json)) of a map(varchar, varchar); NULL stays NULL.
create macro map_json_text(m) as
    '{'
    || array_to_string(
        list_transform(
            list_sort(
                list_transform(
                    map_entries(m),
                    lambda e: {'place': utf16_order(e.key), 'key': e.key, 'value': e.value}
                )
            ),
            lambda e: json_quoted(e.key) || ':' || coalesce(json_quoted(e.value), 'null')
        ),
        ','
    )
    || '}';
