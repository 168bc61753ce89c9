"""Every case, by number: importing the topics fills the list."""

from __future__ import annotations

from . import amounts, capacity, categories, labels, storage, windows
from .case import CASES

TOPICS = (amounts, labels, capacity, categories, storage, windows)

EVERY_CASE = dict(sorted(CASES.items()))
