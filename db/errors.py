"""Errors of the database room."""


class RecordError(Exception):
    """Base of every error the record raises on purpose."""


class NotFoundError(RecordError):
    """A row or an artifact that was asked for does not exist."""


class ConflictError(RecordError):
    """A write that contradicts what is already recorded."""


class ArtifactError(RecordError):
    """An artifact is missing, unreadable or does not match its hash."""


class SchemaError(RecordError):
    """The database's address or schema is not one that this version knows."""


class OlderSchemaError(SchemaError):
    """The database has to be upgraded before this version can open it."""


class StorageError(RecordError):
    """Database or files cannot be read or written at the moment; nothing was recorded."""


class CopyError(RecordError):
    """A database could not be copied whole, or the copy differs."""


class FidelityError(RecordError):
    """A value would be read back otherwise than it was given; nothing was recorded."""
