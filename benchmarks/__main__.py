"""Prints the tables of `docs/performance.md`."""

import argparse

import torch

from benchmarks import integrated_gradients, occlusion
from benchmarks.measuring import machine

_BENCHMARKS = {"occlusion": occlusion, "integrated-gradients": integrated_gradients}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*_BENCHMARKS, []], help="default: all")
    parser.add_argument("--models", nargs="*", help="only these models")
    parser.add_argument("--rounds", type=int, default=5, help="medians are over so many")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine())
    for name in options.what or _BENCHMARKS:
        print(f"\n{name}\n\n{_BENCHMARKS[name].HEADER}", flush=True)
        for work in _BENCHMARKS[name].WORKLOADS:
            if not options.models or work.model in options.models:
                print(_BENCHMARKS[name].measure(work, rounds=options.rounds), flush=True)


if __name__ == "__main__":
    main()
