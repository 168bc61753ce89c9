"""Records -> one self-contained HTML page for whoever signs off, and for whoever is on call."""

from __future__ import annotations

from shadowagg.report.page import render_page, write_page

__all__ = ["render_page", "write_page"]
