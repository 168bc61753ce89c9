"""Records for tests of the store, and the tables as version 0.1 made them."""

import datetime as dt
import uuid

from shadowagg.observation import Observation
from shadowagg.plan import make_plan
from shadowagg.record import Record
from shadowagg.verdict import Judgement, Verdict
from shadowagg.window import Window

FIRST_TABLES = """
CREATE TABLE shadowagg_record (
    id VARCHAR(36) NOT NULL, started DATETIME NOT NULL, schema_name VARCHAR(63) NOT NULL,
    provider VARCHAR(64) NOT NULL, source_uuid VARCHAR(36) NOT NULL, first_day DATE NOT NULL,
    last_day DATE NOT NULL, control_mode VARCHAR(32) NOT NULL, candidate_mode VARCHAR(32) NOT NULL,
    verdict VARCHAR(32) NOT NULL, cause VARCHAR(64) NOT NULL, rows_compared BIGINT NOT NULL,
    rules_version VARCHAR(64) NOT NULL, tracing_id VARCHAR(128) NOT NULL, document JSON NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX ix_shadowagg_record_started ON shadowagg_record (started);
CREATE INDEX shadowagg_record_by_schema ON shadowagg_record (schema_name, provider, started);
CREATE TABLE shadowagg_store (version INTEGER NOT NULL, PRIMARY KEY (version));
INSERT INTO shadowagg_store VALUES (1);
"""


def made_record(*, hour=10, minute=0, day=3, **changed):
    """A record of a run that matched."""
    window = Window("org1", "toy", str(uuid.uuid4()), dt.date(2025, 8, 1), dt.date(2025, 8, 2))
    control, candidate = (
        Observation(
            side=side,
            mode=mode,
            stages=(),
            fault=None,
            wall_seconds=0.1,
            cpu_seconds=1e-12,
            peak_memory_bytes=1 << 40,
            engine={},
            left_behind=(),
        )
        for side, mode in (("control", "embedded"), ("candidate", "pyarrow"))
    )
    values = {
        "id": str(uuid.uuid4()),
        "started": dt.datetime(2025, 8, day, hour, minute, tzinfo=dt.UTC),
        "tracing_id": "a night",
        "scenario": "toys — “quoted”, \U0001f600",
        "plan": make_plan(window),
        "judgement": Judgement(Verdict.MATCH, "agreed", "all 3 rows agree", 3),
        "control": control,
        "candidate": candidate,
        "diffs": (),
        "explanation": {},
        "fingerprint": "0" * 64,
        "control_stand_in": True,
        "makers": {"rules": "1"},
    }
    return Record(**values | changed)
