"""Measures the explainers against their peers and prints one table each.

`--record` also keeps the figures under benchmarks/results and writes the tables and the plots of
docs/performance.md from all that is kept there; `--write` does only that.
"""

import argparse
import warnings
from types import ModuleType

import torch

from benchmarks import (
    accuracy,
    integrated_gradients,
    memory,
    methods,
    occlusion,
    overhead,
    report,
    start,
)
from benchmarks.machine import machine
from benchmarks.measuring import Pace

BENCHMARKS: dict[str, ModuleType] = {
    "occlusion": occlusion,
    "integrated-gradients": integrated_gradients,
    "accuracy": accuracy,
    "methods": methods,
    "memory": memory,
    "overhead": overhead,
    "start": start,
}


def main() -> None:
    options = _options()
    if not options.write:
        torch.set_num_threads(options.threads)
        torch.backends.cuda.matmul.allow_tf32 = options.tf32
        torch.backends.cudnn.allow_tf32 = options.tf32
        device = torch.device("cuda" if options.gpu else "cpu")
        pace = Pace(rounds=options.rounds, budget_s=options.budget, device=device)
        print(machine(device))
        for name in options.what or BENCHMARKS:
            _run(name, pace, only=options.only, record=options.record)
    if options.record or options.write:
        report.write(
            {name: [str(work) for work in each.WORKLOADS] for name, each in BENCHMARKS.items()}
        )


def _run(name: str, pace: Pace, *, only: list[str], record: bool) -> None:
    print(f"\n{name}\n", flush=True)
    is_first = True
    for work in BENCHMARKS[name].WORKLOADS:
        if all(text in str(work) for text in only):
            with warnings.catch_warnings(action="ignore"):  # the peers'
                row = BENCHMARKS[name].measure(work, pace)
            print(report.table([row], header=is_first), flush=True)
            is_first = False
            if record:
                report.keep(name, row, machine=machine(pace.device))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--only", nargs="*", default=[], help="only workloads that hold this text")
    parser.add_argument("--rounds", type=int, default=5, help="medians are over so many")
    parser.add_argument("--budget", type=float, default=60, help="seconds a workload, about")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpu", action="store_true", help="measure on the first GPU")
    parser.add_argument("--tf32", action="store_true", help="let ours and the peers use TF32")
    parser.add_argument("--record", action="store_true", help="keep figures, write the page")
    parser.add_argument("--write", action="store_true", help="write the page from what is kept")
    options = parser.parse_args()
    if unknown := set(options.what) - set(BENCHMARKS):
        parser.error(
            f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}"
        )
    return options


if __name__ == "__main__":
    main()
