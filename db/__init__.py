"""The record: SQLAlchemy tables, queries, artifacts and migrations. Knows no tensors and no web."""
