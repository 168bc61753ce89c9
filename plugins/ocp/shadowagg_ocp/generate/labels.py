"""Label texts: JSON objects of texts, in Python's default style (`inputs.md` 1.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random

__all__ = ["ENABLED_KEYS", "ODD_VALUES", "SPECIAL_POD_LABELS", "label_text", "pod_label_texts"]

ENABLED_KEYS = (
    *("app", "App", "application", "env", "owner", "service", "team", "tier", "version"),
    *("kubernetes_io_arch", "größe"),
)
"""Keys enabled for OpenShift; `application` and `service` are mapped to `app`, `owner` to `team`."""

ODD_VALUES = (
    *("", "ä-ß-日本", "😀", 'say "hi"', "back\\slash", "{brace}", "a/b", "two words", "tab\there"),
    *("null", "%", "O'Neil"),
)
"""Values that older operators and annotations let through."""


def label_text(labels: Mapping[str, str]) -> str:
    """The text that the lake holds: `{"key": "value"}`, other than ASCII escaped."""
    return json.dumps(labels)


SPECIAL_POD_LABELS: Mapping[str, str | None] = {
    "none": "{}",
    "null": None,
    "one order": '{"app": "twin", "env": "prod"}',
    "other order": '{"env": "prod", "app": "twin"}',
    "odd": label_text(
        {
            "app": "ä-ß-日本",
            "env": 'say "hi"',
            "team": "back\\slash",
            "tier": "{brace}",
            "version": "😀",
            "größe": "a/b",
            "App": "two words",
        }
    ),
    "empty value": '{"app": "", "env": ""}',
    "disabled only": '{"secret": "s3", "cost_center": "7", "APP": "loud"}',
    "machine": '{"vm_kubevirt_io_name": "vm-1", "app": "virt-launcher"}',
    "child beside parent": '{"application": "shop", "app": "web", "owner": "ann"}',
    "two children": '{"application": "shop", "service": "cart"}',
}
"""Label texts that show one rule each, by the name of what they show."""


def pod_label_texts(draw: Random, count: int) -> list[str | None]:
    """`count` distinct label texts of pods, those of `SPECIAL_POD_LABELS` first.

    Some keys occur on nodes and namespaces too (`env`, `team`, `tier`), some are not enabled
    (`pod_template_hash`, `secret`), and their order differs from text to text.
    """
    texts: list[str | None] = list(SPECIAL_POD_LABELS.values())
    applications = max(count // 40, 8)
    for number in range(count - len(texts)):
        labels = {
            "app": f"app-{draw.randrange(applications)}",
            "pod_template_hash": f"{draw.getrandbits(32):08x}-{number}",
        }
        for key, chance, values in (
            ("env", 0.5, ("prod", "stage", "dev", "Prod")),
            ("team", 0.4, ("red", "green", "blue", "")),
            ("version", 0.4, tuple(f"1.{draw.randrange(30)}" for _ in range(2))),
            ("tier", 0.1, ("front", "back")),
            ("secret", 0.1, ("s1", "s2")),
            ("application", 0.03, ("shop", "crm")),
            ("service", 0.03, ("cart", "mail")),
            ("owner", 0.03, ("ann", "bob")),
            ("App", 0.03, ("Upper",)),
            ("größe", 0.02, ODD_VALUES),
            ("env", 0.05, ODD_VALUES),
        ):
            if draw.random() < chance:
                labels[key] = draw.choice(values)
        items = list(labels.items())
        draw.shuffle(items)
        texts.append(label_text(dict(items)))
    return texts
