"""The floor of a comparison: read both files, texts dictionary-encoded, and do nothing with them."""

import sys

from pyarrow import parquet

for file in sys.argv[1:]:
    with parquet.ParquetFile(file, memory_map=True) as source:
        source.read()
