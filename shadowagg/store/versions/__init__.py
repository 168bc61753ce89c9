"""The steps in which the store's tables have grown; Alembic runs them.

A step is never changed once it was released. A new one is `step_<number>_<what>.py` with the next
number as its `revision`; `tables.py` shows the tables as they are after it, and `NEWEST` is its
number. A test holds that steps and `tables.py` agree.
"""
