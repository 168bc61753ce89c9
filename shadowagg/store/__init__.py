"""Where records are kept: an SQLite file by default, or a schema of its own in PostgreSQL.

A record is one JSON document, with the columns beside it by which people look for it. Records are
added and read, never changed. The tables grow in numbered steps (`versions/`): a store is made at the
newest, an older one is brought there by `shadowagg store upgrade` and refused until then.
"""

from __future__ import annotations

from shadowagg.store.opening import open_store, upgrade_store
from shadowagg.store.records import Store
from shadowagg.store.tables import NEWEST

__all__ = ["NEWEST", "Store", "open_store", "upgrade_store"]
