"""The feedback as a dataset: what is in it, its schema, its files."""
