"""Measures the explainers against their peers and prints one table each.

`--record` also keeps the figures under benchmarks/results and writes the tables and the plot of
docs/performance.md from all that is kept there.
"""

import argparse
from types import ModuleType

import torch

from benchmarks import integrated_gradients, methods, occlusion, report
from benchmarks.measuring import machine

_BENCHMARKS: dict[str, ModuleType] = {
    "occlusion": occlusion,
    "integrated-gradients": integrated_gradients,
    "methods": methods,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*_BENCHMARKS, []], help="default: all")
    parser.add_argument("--only", nargs="*", default=[], help="only workloads that hold this text")
    parser.add_argument("--rounds", type=int, default=5, help="medians are over so many")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpu", action="store_true", help="measure on the first GPU")
    parser.add_argument("--record", action="store_true", help="write docs/performance.md")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = "cuda" if options.gpu else "cpu"
    print(machine(device))
    for name in options.what or _BENCHMARKS:
        print(f"\n{name}\n", flush=True)
        rows = []
        for work in _BENCHMARKS[name].WORKLOADS:
            if all(text in str(work) for text in options.only):
                rows.append(_BENCHMARKS[name].measure(work, rounds=options.rounds, device=device))
                print(report.table(rows[-1:], header=len(rows) == 1), flush=True)
        if options.record:
            report.keep(name, rows, machine=machine(device), rounds=options.rounds)
    if options.record:
        report.write()


if __name__ == "__main__":
    main()
