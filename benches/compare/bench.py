#!/usr/bin/env python3
"""Measures vwfb beside ninja, make and snakemake on the same graphs; see docs/benchmarks.md.

Usually started by scripts/bench, which installs the tools and builds vwfb.
"""

import argparse
import datetime
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

import cases
import measure
import report
import tools

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHAPES = ["wide", "layered", "chain"]


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 tasks, few rounds")
    parser.add_argument("--shape", type=listed(SHAPES), help=f"of {','.join(SHAPES)}; default all")
    parser.add_argument("--size", type=sizes, help="numbers of tasks; default 1000,10000,100000")
    parser.add_argument("--only", type=listed(list(cases.CASES)), metavar="CASE",
                        help=f"of {','.join(cases.CASES)}; default all")
    parser.add_argument("--rounds", type=int, help="rounds of every case")
    parser.add_argument("--jobs", "-j", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--dir", type=pathlib.Path, help="the folder for graphs, kept; default a "
                        "new one below $TMPDIR or /tmp, removed at the end")
    parser.add_argument("--page", type=pathlib.Path, help="where the page goes; default "
                        "docs/benchmarks.md if everything is measured, else beside the JSON")
    parser.add_argument("--vwfb", type=pathlib.Path, default=ROOT / "target/release/vwfb")
    parser.add_argument("--self-test", action="store_true", help="test the driver itself")
    return parser.parse_args()


def listed(known):
    """A reader of names with commas between them."""
    def read(text):
        names = text.split(",")
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"no `{unknown[0]}`; there are {', '.join(known)}")
        return names
    return read


def sizes(text):
    """Numbers of tasks, smallest first."""
    return sorted({int(size) for size in text.split(",")})


def facts(given, program, floor, begun, load_before):
    """The machine and the run."""
    scratch = given.folder
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(), "cpu": cpu(), "cores": os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": f"{os.uname().sysname} {os.uname().release}",
        "file_system": file_system(scratch),
        "versions": tools.versions(program), "jobs": given.jobs, "floor": floor,
        "load_before": load_before, "load_after": os.getloadavg()[0],
        "command": shlex.join(["./scripts/bench", *sys.argv[1:]]),
        "minutes": (time.monotonic() - begun) / 60,
    }


def commit():
    """The commit that was built, and whether files differ from it."""
    def git(*words):
        argv = ["git", "-C", str(ROOT), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()
    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def cpu():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return os.uname().machine


def file_system(folder):
    """The type of the file system that holds a folder, with the options it is mounted with, and
    whether an ext4 keeps no journal: then it is slow to make files where others were removed."""
    best, found = "", "unknown"
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        device, point, kind, options = line.split()[:4]
        inside = folder == pathlib.Path(point) or pathlib.Path(point) in folder.parents
        if inside and len(point) >= len(best):
            journals = pathlib.Path("/proc/fs/jbd2").glob(f"{pathlib.Path(device).name}-*")
            bare = kind == "ext4" and not any(journals)
            best, found = point, f"{kind} ({options}{'; without a journal' if bare else ''})"
    return found


def main():
    given = arguments()
    if given.self_test:
        import selftest  # Only here, for it is not small.

        return selftest.run()
    whole = not (given.quick or given.shape or given.size or given.only)
    load_before, begun = os.getloadavg()[0], time.monotonic()
    given.folder = (given.dir or pathlib.Path(tempfile.mkdtemp(prefix="vwfb-bench-"))).resolve()
    given.folder.mkdir(parents=True, exist_ok=True)
    if any(given.folder.iterdir()):
        print(f"error: {given.folder} is not empty\nhint: name a new folder with --dir",
              file=sys.stderr)
        return 2
    json_file = pathlib.Path(f"{given.folder}.json")
    program = given.vwfb.resolve()

    def say(text):
        print(f"{time.monotonic() - begun:6.0f} s  {text}", file=sys.stderr, flush=True)

    jobs, launcher = given.jobs, measure.Launcher()
    known = {tool.name: tool for tool in (
        tools.Vwfb(jobs, program, launcher), tools.Argv(jobs, program, launcher),
        tools.Ninja(jobs, launcher), tools.Make(jobs, launcher), tools.Snakemake(jobs, launcher),
    )}
    chosen = given.size or ([1_000] if given.quick else [1_000, 10_000, 100_000])
    bench = cases.Bench(known, launcher, given.folder, chosen, given.shape or SHAPES,
                        given.quick, given.rounds, say)
    for name, case in cases.CASES.items():
        if given.only and name not in given.only:
            continue
        try:
            case(bench)
        except measure.Wrong as problem:
            # What was measured so far is kept, and the exit code tells.
            print(f"error: {name}: {problem}", file=sys.stderr)
            bench.failed.append(name)
    about = facts(given, program, launcher.floor(), begun, load_before)
    about["failed"] = bench.failed
    launcher.close()
    # A run with a failure replaces no page that is kept.
    kept = whole and not bench.failed
    page_file = given.page or (ROOT / "docs/benchmarks.md" if kept
                               else pathlib.Path(f"{given.folder}.md"))
    json_file.write_text(report.as_json(bench.results, about))
    page_file.write_text(report.page(bench.results, about))
    say(f"wrote {page_file} and {json_file}")
    if given.dir is None:
        subprocess.run(["rm", "-rf", "--", str(given.folder)], check=False)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
