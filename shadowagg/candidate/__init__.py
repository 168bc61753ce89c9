"""The candidate: PyArrow from Parquet to row sets."""
