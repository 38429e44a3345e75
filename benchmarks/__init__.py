"""Our explainers against Captum: `python -m benchmarks --help`."""
