"""Runs the drills: `python -m benchmarks.reliability --help`."""

if __name__ == "__main__":  # processes that are started by a drill import this module too
    from benchmarks.reliability.command import main

    main()
