"""`python -m shadowagg`: the command line where its script is not on the path."""

from shadowagg.cli import main

main(prog_name="shadowagg")
