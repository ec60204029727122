"""Correctness, speed and complete runs on one GPU, within 8 minutes."""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gpu import agreement, speed, training
from benchmarks.gpu.meter import get_meter
from benchmarks.gpu.record import report, run_checks
from benchmarks.gpu.sizes import FULL, TINY
from data.errors import DataError
from nasbench.runs.notes import complain
from oneshot.errors import OneShotError

PARTS = ("correctness", "speed", "epoch", "protocol")
PROG = "python -m benchmarks.gpu"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the missing checks and print all results; return 1 if a check failed, 2 after an error."""
    parser = argparse.ArgumentParser(prog=PROG, description=__doc__)
    parser.add_argument(
        "--images",
        metavar="FOLDER",
        help="tree of CIFAR-10's images, train/<class>/* and test/<class>/* (default: random images)",
    )
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="part to run; repeat for several parts"
    )
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="JSON file for the results; checks that are already in it are not repeated",
    )
    parser.add_argument("--device", default="cuda", help="device: cuda, cuda:N or cpu (default: cuda)")
    parser.add_argument(
        "--tiny", action="store_true", help="use the smallest sizes, to try the command on a CPU"
    )
    parser.add_argument(
        "--minutes", type=float, default=7.0, help="minutes after which no further check starts (default: 7)"
    )
    args = parser.parse_args(argv)
    if not 0 < args.minutes < math.inf:
        parser.error(f"--minutes must be a positive finite number, got {args.minutes}")
    if args.images is not None and not Path(args.images).is_dir():
        parser.error(f"--images must be a folder, got {args.images}")
    scale = TINY if args.tiny else FULL
    try:
        meter = get_meter(args.device)
        conditions = meter.conditions() | {"sizes": "tiny" if args.tiny else "full"}
        checks = [*agreement.checks(scale), *training.checks(scale, args.images), *speed.checks(scale)]
        checks.sort(key=lambda check: PARTS.index(check.part))
        chosen = [check for check in checks if args.part is None or check.part in args.part]
        print("\n".join(f"{name}: {value}" for name, value in conditions.items()), flush=True)
        begin = time.monotonic()

        def show(name: str) -> None:
            print(f"[{time.monotonic() - begin:4.0f} s] {name}", file=sys.stderr, flush=True)

        results = run_checks(chosen, meter, args.out, conditions, 60 * args.minutes, show)
    except (OneShotError, DataError) as error:
        complain(f"{PROG}: error: {error}")
        return 2
    except KeyboardInterrupt:
        complain("interrupted" + ("" if args.out is None else "; repeat the command to continue"))
        return 130
    print(f"\n{report(results)}")
    return int(any(row.verdict == "FAILED" for rows in results.values() for row in rows))


if __name__ == "__main__":
    sys.exit(main())
