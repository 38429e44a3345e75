"""The demonstration: models, synthetic cases and readers who have judged some."""
