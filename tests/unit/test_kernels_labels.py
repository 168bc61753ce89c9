"""Label texts and label sets (`ocp.md` 6.2; engine facts *JSON*, *Maps*)."""

import json
import random
import threading

import pyarrow as pa
import pytest

from shadowagg.candidate.label_sets import EMPTY, LabelSets
from shadowagg.candidate.label_text import json_text, parse_labels
from shadowagg.errors import InputRefused


def column(*texts):
    return pa.array(texts, pa.string()).dictionary_encode()


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("null", None),
        (" { } ", {}),
        ('{"a": "b"}', {"a": "b"}),
        (
            '{"a": null, "b": 1, "c": true, "d": false}',
            {"a": None, "b": "1", "c": "true", "d": "false"},
        ),
        (
            '{"d": 1.50, "e": 1e2, "f": 12345678901234567890}',
            {"d": "1.5E0", "e": "1.0E2", "f": "12345678901234567890"},
        ),
        (
            '{"a": 0.0, "b": -0.0, "c": 0.001, "d": 123456.75}',
            {"a": "0E0", "b": "-0E0", "c": "1.0E-3", "d": "1.2345675E5"},
        ),
        ('{"a": 1e400, "b": -1e400}', {"a": "Infinity", "b": "-Infinity"}),
        (r'{"a": "\u00e9\/\n", "\ud83d\ude00": "x"}', {"a": "é/\n", "\U0001f600": "x"}),
        (r'{"a": "x\ud83d", "\udc00": null}', {"a": "x?", "?": None}),
        ('{"": ""}', {"": ""}),
    ],
)
def test_texts_are_read_as_the_engine_reads_them(text, labels):
    assert labels == parse_labels(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "[]", "1", '"x"', "true", "nul", "{", '{"a"}', "{'a': 'b'}", '{"a": 01}', '{"a": "\t"}',
     '{"a": 1,}', '{"a": {}}', '{"a": []}', '{"a": 1, "a": 1}', '{"a": NaN}', '{"a": Infinity}', "{} {}", '{"a": 1}x',
     "[" * 100_000],
)  # fmt: skip
def test_what_fails_the_statement_is_refused_without_showing_the_text(text):
    with pytest.raises(InputRefused, match="no flat JSON object") as caught:
        parse_labels(text)

    assert f"a label text of {len(text)} characters" in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({}, "{}"),
        ({"b": None, "a": "x"}, '{"a":"x","b":null}'),
        (
            {"\U0001f600": "1", "\uff5e": "2", "a": None, "B": "4", "": "5"},
            '{"":"5","B":"4","a":null,"\\uD83D\\uDE00":"1","\uff5e":"2"}',
        ),
        ({"k": 'é/\n\x1f"\\'}, '{"k":"é/\\n\\u001F\\"\\\\"}'),
        ({"k": "\b\t\f\r\x00\x7f"}, '{"k":"\\b\\t\\f\\r\\u0000\x7f"}'),
    ],
)
def test_texts_are_written_as_the_engine_writes_them(labels, text):
    assert text == json_text(labels)


def test_a_set_is_what_is_left_of_a_text():
    sets = LabelSets(["b", "a"])

    numbers = sets.codes(
        column(
            '{"a": "1", "z": "2"}',
            '{"z":"9","a":"1"}',
            '{"z": "1"}',
            None,
            "null",
            "{}",
            '{"a": null}',
        )
    ).to_pylist()

    assert numbers[0] == numbers[1] != numbers[6]
    assert [EMPTY, None, None, EMPTY] == numbers[2:6]
    assert EMPTY not in (numbers[0], numbers[6])


def test_without_a_list_of_keys_every_map_is_empty_but_texts_are_still_read():
    sets = LabelSets(None)

    assert [EMPTY, None] == sets.codes(column('{"a": "1"}', None)).to_pylist()
    with pytest.raises(InputRefused):
        sets.codes(column("nonsense"))


def test_texts_of_no_row_are_not_read():
    used = pa.DictionaryArray.from_arrays(pa.array([1, None], pa.int32()), pa.array(["bad", "{}"]))

    assert [EMPTY, None] == LabelSets(["a"]).codes(used).to_pylist()


@pytest.mark.parametrize("text", ['{"a": "1", "a": "2"}', '{"z": "1", "z": "1"}'])
def test_a_key_twice_in_a_plain_text_is_refused(text):
    with pytest.raises(InputRefused, match="a key occurs twice"):
        LabelSets(["a"]).codes(column('{"a": "1"}', text))


def random_labels(chance):
    keys = [*(f"k{n}" for n in range(12)), "é", "\U0001f600", "\uff5e", "", 'q"', "a b: c, d"]
    values = ["a", 'b"', "é\n", "\U0001f600", None, "", "\\", "x: y", "x, y", "{}"]
    return {key: chance.choice(values) for key in chance.sample(keys, chance.randrange(7))}


@pytest.mark.parametrize("seed", range(6))
def test_merging_is_laying_maps_over_each_other(seed):
    chance = random.Random(seed)
    kept = {"k1", "k2", "k3", "k4", "k5", "é", "\U0001f600", "\uff5e", "", "a b: c, d"}
    plain = [{"k1": "x", "k9": "y"}, {"k2": "x"}, {"a b: c, d": "v, w"}]
    pool = [*(random_labels(chance) for _ in range(40)), *plain, None]
    layers = [[chance.choice(pool) for _ in range(500)] for _ in range(3)]
    sets = LabelSets(kept)

    numbers = [
        sets.codes(column(*(m if m is None else json.dumps(m) for m in layer))) for layer in layers
    ]
    merged = sets.merge(numbers)

    expected = [
        None if None in maps else json_text({k: v for m in maps for k, v in m.items() if k in kept})
        for maps in zip(*layers, strict=True)
    ]
    assert expected == merged.to_pylist()
    assert len(set(merged.dictionary.to_pylist())) == len(merged.dictionary)


def test_merging_nothing_gives_nothing():
    sets = LabelSets(["a"])
    nothing = pa.array([], pa.int32())

    assert [] == sets.merge([nothing, nothing]).to_pylist()
    assert [None] == sets.merge(
        [pa.nulls(1, pa.int32()), pa.array([EMPTY], pa.int32())]
    ).to_pylist()


def test_sets_may_be_read_from_several_threads():
    texts = [f'{{"k{n % 7}": "v{n}"}}' for n in range(2000)]
    sets = LabelSets([f"k{n}" for n in range(7)])
    results = [None] * 4

    def read(at):
        mine = texts[at * 100 :] + texts[: at * 100]
        numbers = sets.codes(column(*mine))
        results[at] = dict(zip(mine, sets.merge([numbers]).to_pylist(), strict=True))

    threads = [threading.Thread(target=read, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    expected = {text: json_text(json.loads(text)) for text in texts}
    assert [expected] * 4 == results
