#!/usr/bin/env python3
"""What a job would take on a cluster that is not here, from what runs took that were.

    python3 benchmarks/simulate.py calibrate OUTPUT [OUTPUT ...] [--plans plans.txt]
    python3 benchmarks/simulate.py check OUTPUT
    python3 benchmarks/simulate.py predict [--rows 1e9 1e10 1e11] [--workers 10 100 1000] [--slots 16] [--parts N] [--pairs N] [--scans N]

`calibrate` takes outputs of jobs (K-Means, hierarchy, HDBSCAN over the same features) of different sizes, run embedded on one machine, and
writes `benchmarks/calibration.json`: of each step the seconds that it takes at least, and those of a row, or point, on one core.
`--plans` is what `cargo run --release -p segmenta-benchmarks --bin scheduling` printed. `check` sets a run that was not among them beside
its prediction. `predict` reckons with a cluster. docs/simulation.md has what comes out, and what is assumed.
Needs nothing but Python's standard library.
"""

import argparse
import json
import math
import os
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CALIBRATION = HERE / "calibration.json"

# What a step's work grows with, and where it is done. Steps that are not here go over all rows, on the workers.
# points: what HDBSCAN's tree is grown over, at most its budget; driver: on one core of the coordinator.
POINTS_ON_WORKERS = {"hdbscan: grow the cells' trees"}
POINTS_ON_DRIVER = {"hdbscan: join the cells", "hdbscan: condense the tree"}
# Over samples, or as many micro-clusters as the spec says: the same for any number of rows.
SAMPLES = {
    "kmeans: find starts",
    "kmeans: compute gaps",
    "hierarchy: link",
    "evaluate: compute silhouettes",
}
# Passes that a grid needs, and a job whose distinct rows fit the budget does not.
GRID = {"hdbscan: choose a resolution"}
# Plans that shuffle every row.
SHUFFLES = {"extract", "hdbscan: shuffle to cells"}

# As the program has them: HDBSCAN's budget of points, rows of a part, bytes and number of the tasks that scan the sources, points of a cell.
BUDGET = 20_000_000
PART_ROWS = 512 * 1024
SCAN_BYTES = 16 * 1024 * 1024
FEW_SCANS = 256
LARGE_SCAN_BYTES = 128 * 1024 * 1024
CELL_POINTS = 256 * 1024
# Of the budget, the points that a grid leaves, about.
GRID_FILL = 0.9

# Of a cluster: what is assumed, not measured.
STORE_MB_PER_SECOND = 400.0  # that one worker reads from object storage
NETWORK_MB_PER_SECOND = 1_000.0  # that one worker receives in a shuffle
WORKER_STORE_GB = 24.0  # of a worker's memory that keeps decoded partitions
SOURCE_BYTES = 14.0  # of a row of the source, in Parquet
POINT_BYTES = 32.0  # of a prepared row of three features, decoded
SHUFFLED_BYTES = 40.0  # of a row on its way through a shuffle
SCAN_SHARE = 0.5  # of the work of extract that is before its shuffle


def steps_of(metrics):
    """Step -> (seconds, passes): each stage's steps, or the stage itself where it has none."""
    found = {}
    for stage in metrics["stages"]:
        name = stage["stage"]
        if name == "publish":
            continue
        steps = stage.get("steps") or []
        for step in steps:
            key = f"{name}: {step['step']}"
            found[key] = found.get(key, 0.0) + step["seconds"]
        rest = stage["seconds"] - sum(step["seconds"] for step in steps)
        if not steps or rest > 0.02 * stage["seconds"]:
            found[name] = rest
    return found


def read_run(output):
    metrics = json.loads((Path(output) / "metrics.json").read_text())
    hdbscan = metrics["hdbscan"]
    return {
        "rows": metrics["rows"]["customers"],
        "points": hdbscan["points"],
        "has_grid": hdbscan["resolution"] > 0,
        "steps": steps_of(metrics),
        "passes": {stage["stage"]: stage["passes"] for stage in metrics["stages"] if stage["passes"]},
        "seconds": sum(stage["seconds"] for stage in metrics["stages"] if stage["stage"] != "publish"),
    }


def size_of(step, rows, points):
    if step in SAMPLES:
        return 0.0
    if step in POINTS_ON_WORKERS or step in POINTS_ON_DRIVER:
        return points * math.log2(max(points, 2))
    return float(rows)


def fit(samples):
    """`fixed + unit * size` with neither below 0, so that relative errors are least."""
    if all(size == 0 for size, _ in samples):
        return statistics.median(seconds for _, seconds in samples), 0.0
    best = None
    for fixed in [0.0] + [seconds * share for _, seconds in samples[:1] for share in (0.1, 0.25, 0.5, 0.75, 1.0)]:
        over = [(size, seconds) for size, seconds in samples if size > 0]
        # Least squares of (fixed + unit * size) / seconds - 1.
        a = sum((size / seconds) ** 2 for size, seconds in over)
        b = sum(size / seconds * (1 - fixed / seconds) for size, seconds in over)
        unit = max(b / a, 0.0)
        error = sum(((fixed + unit * size) / seconds - 1) ** 2 for size, seconds in over)
        if best is None or error < best[0]:
            best = (error, fixed, unit)
    return best[1], best[2]


def read_plans(path):
    """From the output of the scheduling benchmark: for how long a part in a pass, and a pair of partitions in a shuffle, keeps the coordinator
    busy, and the memory of a pair."""
    last = None
    for line in Path(path).read_text().splitlines():
        cells = line.split()
        if len(cells) == 8 and cells[0].isdigit():
            last = [float(cell) for cell in cells]
    if not last:
        sys.exit(f"{path}: is not what the scheduling benchmark prints")
    parts, _, busy, _, _, shuffling, grown, pairs = last
    # A scan is a task too.
    pair = (shuffling - busy / parts * (parts + parts / 4)) / pairs
    return {"part_seconds": busy / parts, "pair_seconds": max(pair, 0.0), "pair_bytes": grown * 2**20 / pairs}


def calibrate(options):
    runs = sorted((read_run(output) for output in options.outputs), key=lambda run: (run["rows"], run["points"]))
    cores = options.cores or os.cpu_count()
    steps = {}
    for step in sorted({step for run in runs for step in run["steps"]}):
        chosen = [run for run in runs if step in run["steps"] and (step not in GRID or run["has_grid"])]
        samples = [(size_of(step, run["rows"], run["points"]), max(run["steps"][step], 1e-4)) for run in chosen]
        if not samples:
            continue
        fixed, unit = fit(samples)
        on_driver = step in POINTS_ON_DRIVER or step in SAMPLES
        steps[step] = {"fixed": fixed, "unit": unit * (1 if on_driver else cores)}
    plans = read_plans(options.plans) if options.plans else json.loads(CALIBRATION.read_text())["plans"]
    passes = runs[-1]["passes"]
    rows = [run["rows"] for run in runs]
    calibration = {"cores": cores, "rows": rows, "passes": passes, "steps": steps, "plans": plans}
    CALIBRATION.write_text(json.dumps(calibration, indent=2) + "\n")
    print(f"{CALIBRATION.name}: {len(steps)} steps from {len(runs)} runs of {runs[0]['rows']:,} to {runs[-1]['rows']:,} rows")
    for run in runs:
        predicted = sum(embedded(calibration, run["rows"], run["points"], run["has_grid"]).values())
        print(f"  {run['rows']:>13,} rows: {run['seconds']:8.1f} s, fitted {predicted:8.1f} s")


def embedded(calibration, rows, points, has_grid):
    """Seconds of each step in one process, on the cores that were measured."""
    found = {}
    for step, cost in calibration["steps"].items():
        if step in GRID and not has_grid:
            continue
        slots = 1 if step in POINTS_ON_DRIVER or step in SAMPLES else calibration["cores"]
        found[step] = cost["fixed"] + cost["unit"] * size_of(step, rows, points) / slots
    return found


def check(options):
    calibration = json.loads(CALIBRATION.read_text())
    run = read_run(options.output)
    # A grid leaves somewhat fewer points than the budget; how many is not known before.
    points = GRID_FILL * BUDGET if run["has_grid"] else run["points"]
    predicted = embedded(calibration, run["rows"], points, run["has_grid"])
    print(f"{'step':<48}{'measured':>10}{'predicted':>11}")
    for step in run["steps"]:
        print(f"{step:<48}{run['steps'][step]:>9.1f}s{predicted.get(step, 0.0):>10.1f}s")
    total = sum(predicted.values())
    off = total / run["seconds"] - 1
    print(f"{'all of ' + format(run['rows'], ',') + ' rows':<48}{run['seconds']:>9.1f}s{total:>10.1f}s  {off:+.1%}")
    if abs(off) > options.within:
        sys.exit(f"the prediction is off by more than {options.within:.0%}")


def predict_one(calibration, rows, workers, slots_each, most_parts, most_pairs, most_scans):
    """Seconds by step, what the scheduler holds, and which of all costs the most."""
    slots = workers * slots_each
    parts = min(max(math.ceil(rows / PART_ROWS), 8), most_parts)
    source = rows * SOURCE_BYTES
    scans = max(2, min(FEW_SCANS, math.ceil(source / SCAN_BYTES)), math.ceil(source / LARGE_SCAN_BYTES))
    scans = min(scans, most_scans, most_pairs // parts)
    points = min(rows, GRID_FILL * BUDGET)
    plans = calibration["plans"]
    # A wave of tasks takes as long as its largest: parts go to slots whole.
    def spread(tasks):
        return tasks / math.ceil(tasks / slots)

    from_storage = max(0.0, 1 - workers * WORKER_STORE_GB * 1e9 / (rows * POINT_BYTES))
    most = 0
    seconds, kinds = {}, {"compute": 0.0, "scan": 0.0, "driver": 0.0, "scheduler": 0.0, "storage": 0.0, "shuffle": 0.0}

    def add(step, kind, value):
        seconds[step] = seconds.get(step, 0.0) + value
        kinds[kind] += value

    for step, cost in calibration["steps"].items():
        if step in GRID and rows <= BUDGET:
            continue
        work = cost["unit"] * size_of(step, rows, points)
        if step in POINTS_ON_DRIVER or step in SAMPLES:
            add(step, "driver", cost["fixed"] + work)
            continue
        if step == "extract":
            scanning = work * SCAN_SHARE / spread(scans)
            add(step, "scan", scanning)
            add(step, "compute", cost["fixed"] + work * (1 - SCAN_SHARE) / spread(parts))
        else:
            cells = max(1, points / CELL_POINTS)
            add(step, "compute", cost["fixed"] + work / spread(cells if step in POINTS_ON_WORKERS else parts))
        if step in SHUFFLES:
            pairs = parts * (scans if step == "extract" else max(1, points / CELL_POINTS))
            most = max(most, pairs)
            add(step, "scheduler", pairs * plans["pair_seconds"])
            add(step, "shuffle", rows * SHUFFLED_BYTES / 1e6 / (workers * NETWORK_MB_PER_SECOND))
    for stage, passes in calibration["passes"].items():
        add(stage, "scheduler", passes * parts * plans["part_seconds"])
        bytes_read = rows * (SOURCE_BYTES if stage == "extract" else POINT_BYTES * from_storage)
        add(stage, "storage", passes * bytes_read / 1e6 / (workers * STORE_MB_PER_SECOND))
    scheduler_gb = most * plans["pair_bytes"] / 1e9
    part_gb = rows / parts * POINT_BYTES / 1e9
    return {
        "seconds": sum(seconds.values()),
        "steps": seconds,
        "kinds": kinds,
        "parts": parts,
        "scheduler_gb": scheduler_gb,
        "part_gb": part_gb,
        "scans": scans,
        "slots_used": min(slots, parts),
    }


def predict(options):
    calibration = json.loads(CALIBRATION.read_text())
    print(f"{options.slots} slots a worker, at most {options.parts:,} parts and {options.pairs:,} pairs of a shuffle")
    header = f"{'rows':>8} {'workers':>8} {'seconds':>9} {'rows/s':>9} {'scans':>6} {'parts':>7} {'slots used':>11}"
    print(header + f" {'a part':>9} {'scheduler':>10}  where the time goes")
    for rows in options.rows:
        for workers in options.workers:
            found = predict_one(calibration, int(rows), workers, options.slots, options.parts, options.pairs, options.scans)
            kinds = sorted(found["kinds"].items(), key=lambda kind: -kind[1])
            shares = ", ".join(f"{kind} {value / found['seconds']:.0%}" for kind, value in kinds if value > 0.01 * found["seconds"])
            share_used = found["slots_used"] / (workers * options.slots)
            print(
                f"{rows:>8.0e} {workers:>8} {found['seconds']:>9,.0f} {rows / found['seconds']:>9,.2g} {found['scans']:>6,} {found['parts']:>7,}"
                f" {share_used:>11.0%} {found['part_gb']:>6.2f} GB {found['scheduler_gb']:>7.1f} GB  {shares}"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("calibrate")
    command.add_argument("outputs", nargs="+")
    command.add_argument("--plans")
    command.add_argument("--cores", type=int)
    command.set_defaults(run=calibrate)
    command = commands.add_parser("check")
    command.add_argument("output")
    command.add_argument("--within", type=float, default=0.2)
    command.set_defaults(run=check)
    command = commands.add_parser("predict")
    command.add_argument("--rows", type=float, nargs="+", default=[1e9, 1e10, 1e11])
    command.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1000])
    command.add_argument("--slots", type=int, default=16)
    command.add_argument("--parts", type=int, default=4096)
    command.add_argument("--pairs", type=int, default=2 << 20)
    command.add_argument("--scans", type=int, default=1024)
    command.set_defaults(run=predict)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
