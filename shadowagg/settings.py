"""What can be set, by `SHADOWAGG_*` variables or by keyword; every field has a default."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]

_GIB = 1 << 30


def _home() -> Path:
    import os

    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "shadowagg"


class Settings(BaseSettings):
    """The settings of a run."""

    model_config = SettingsConfigDict(env_prefix="SHADOWAGG_", extra="ignore")

    home: Path = Field(default_factory=_home)
    """Folder for the store's file, pages and saved mismatches."""
    store_url: str = ""
    """SQLAlchemy URL of the store; empty: the SQLite file `records.sqlite` in `home`."""
    store_schema: str = Field(default="shadowagg", min_length=1, max_length=63)
    """Schema of PostgreSQL in which the store's tables lie, if the URL names none."""
    time_limit: float = Field(default=900.0, gt=0)
    """Seconds that one path may run."""
    memory_limit: float = Field(default=4.0, gt=0)
    """GiB of resident memory that one path may hold, with everything it starts."""
    disk_limit: float = Field(default=20.0, gt=0)
    """GiB that one path may write into its private folder."""
    threads: int = Field(default=2, ge=1)
    """Threads per path."""
    control_repeats: int = Field(default=1, ge=0, le=3)
    """How often a computing control is asked again after a mismatch."""
    datacompy_rows: int = Field(default=100_000, ge=0)
    """Rows that datacompy looks at, at most; counts and statistics are exact for all rows."""
    samples: bool = True
    """Whether differing rows, with their values, are kept in records, pages and saved scenarios."""
    sample_rows: int = Field(default=20, ge=0)
    """Differing rows kept per stage."""
    ignore_file: Path | None = None
    """File of ignore rules; none by default."""
    templates: str = ""
    """Folder of production's templates, or the package that has them, for the mode `production`."""

    hive_location: str = ""
    """Where production's Hive tables lie: a folder or URI with `{schema}`, `{account}`, `{table}`."""

    @property
    def store(self) -> str:
        """The store's URL."""
        return self.store_url or f"sqlite:///{self.home / 'records.sqlite'}"

    def in_bytes(self, gibibytes: float) -> int:
        """GiB -> bytes."""
        return int(gibibytes * _GIB)
