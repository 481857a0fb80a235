#!/usr/bin/env python3
"""The whole job on generated customers: seconds and peak memory a stage.

    python3 benchmarks/customers.py [--rows 5000000] [--shards 16] [--folder runs/benchmark]

Builds the release binary, generates the customers with `segmenta generate` (three behaviours, background, missing
cells, gross errors; seeded), runs the job from scratch and prints what each stage took. Checks the result: every
customer is accounted for, every missing cell was filled, and the segments are those that were generated.
Needs nothing but Python's standard library.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--shards", type=int, default=16)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "benchmark")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()

    subprocess.run(["cargo", "build", "--release", "--bin", "segmenta"], cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    segmenta = str(target / "release" / "segmenta")

    options.folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_suffix(".yaml"), options.folder / "job.yaml")
    data = options.folder / "data"
    started = time.monotonic()
    generate = [segmenta, "generate", "--rows", str(options.rows), "--shards", str(options.shards), "--overwrite"]
    subprocess.run([*generate, str(data)], check=True)
    print(f"generated in {time.monotonic() - started:.1f} s")

    command = [segmenta, "run", "--fresh", str(options.folder / "job.yaml")]
    if options.threads:
        command += ["--threads", str(options.threads)]
    started = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status != 0:
        sys.exit(f"the job failed: {' '.join(command)}")

    metrics = json.loads((options.folder / "out" / "metrics.json").read_text())
    print(f"\n{'stage':<10}{'rows':>14}{'passes':>8}{'seconds':>10}{'peak MiB':>10}")
    for stage in metrics["stages"]:
        peak = (stage["peak_memory_bytes"] or 0) >> 20
        print(f"{stage['stage']:<10}{stage['rows']:>14,}{stage['passes']:>8}{stage['seconds']:>10.2f}{peak:>10,}")
    processor = usage.ru_utime + usage.ru_stime
    print(f"whole process: {seconds:.1f} s, {processor:.1f} s of processor time, peak {usage.ru_maxrss >> 10:,} MiB")
    check(metrics, options.rows)


def check(metrics, rows):
    counts = metrics["rows"]
    problems = []
    if counts["customers"] != rows or counts["assigned"] + counts["rejected"] != rows:
        problems.append(f"customers are lost: {counts}")
    for feature in metrics["features"]:
        if feature["imputed"] != feature["missing"] or feature["missing"] == 0:
            problems.append(f"cells are not filled: {feature}")
    three = next(c for c in metrics["kmeans"]["candidates"] if c["k"] == 3)
    shares = sorted(size / counts["assigned"] for size in three["sizes"])
    # The behaviours are 10 %, 35 % and 55 % of the customers, with background and neighbours' fringes around them.
    if any(abs(share - truth) > 0.05 for share, truth in zip(shares, (0.10, 0.35, 0.55))):
        problems.append(f"the three behaviours were not found: {shares}")
    if problems:
        sys.exit("the result is wrong:\n" + "\n".join(problems))
    print(f"checked: {counts['assigned']:,} assigned, {counts['rejected']:,} rejected, k = {metrics['kmeans']['chosen_k']}")


if __name__ == "__main__":
    main()
