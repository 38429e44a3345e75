"""The engineers' queue of flagged cases, and how models fare."""
