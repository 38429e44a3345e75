"""What is tried to bring the record down: `python -m benchmarks.reliability`.

A drill is a module with `rows(room)`, which yields one row a situation. Each runs real processes
over a home of its own; what was acknowledged to whom is in ledgers on disk, and is compared with
the record afterwards.
"""
