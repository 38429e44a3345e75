"""`python -m review`: the command line."""

from review.cli.parser import main

if __name__ == "__main__":
    raise SystemExit(main())
