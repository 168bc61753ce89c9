"""A real Trino, PostgreSQL and S3 server on this machine, for development and integration tests.

`cli` is the command `shadowagg-stack`; `fixtures` is a pytest plugin. Both bring up the same stack,
the one of a home folder, and end only what they started.

==================  =========================================================
`stack.py`          up, down, status: the flow, on one page
`service.py`        what a service must offer
`postgres.py` …     the three services, and how their programs are found or had
`configuration.py`  Trino's files, from the templates in `etc/`
`state.py`          what runs, on record; the lock
`process.py`        processes known by pid and start time
==================  =========================================================
"""
