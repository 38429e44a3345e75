"""What proves the record: walks over its chains, live rows beside them, signed checkpoints."""
