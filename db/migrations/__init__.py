"""Alembic migrations; each is frozen once released."""
