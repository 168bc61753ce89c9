"""`python -m shadowagg.testing.stack`: the command, where its script is not on the path."""

from __future__ import annotations

from shadowagg.testing.stack.cli import main

main(prog_name="shadowagg-stack")
