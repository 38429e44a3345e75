"""Verdicts: drafted, signed with their evidence, and verified."""
