"""Writes the results as a page for people and as JSON for programs."""

import dataclasses
import json
import textwrap

from bars import BARS
from measure import median, ratio, spread

TITLES = {
    "null": ("Null build", """\
Nothing has changed since the last build. Every run is checked to have run no task."""),
    "leaf-changed": ("One leaf edited, the result changes", """\
The first line of one source is written anew, and each tool builds once before the next edit. In the
wide graph that is one task; in the layered one it is nearly every task above the bottom layer. Each
run is checked to have run all that follow from the edit, and no other. The layered graph of 100,000 tasks and chains above 1,000 are left out: they are full builds under
another name."""),
    "leaf-same": ("One leaf edited, the same result", """\
A line is appended to one source at the bottom, of which the task takes only the first line. Each run
is checked to have run one task. ninja can stop there only if the command leaves an equal output
untouched and the rule says `restat`, so in these graphs its rule does that (`cmp`, then `mv` or
`rm`). With a plain rule it runs everything that follows, which is the case above; so does make,
which is why it is not here."""),
    "rule-comment": ("One rule file edited, nothing meant", """\
A comment is appended to one of the 100 `BUILD.kdl` files (at 100,000 tasks it has 1,000 targets), and
one to `build.ninja`, which is a single file that ninja reads whole in every build anyway. Each round
begins with a null build of vwfb, and the figure is what the edit adds to it."""),
    "rule-command": ("One target's command edited", """\
A target of the top layer gets `: N; ` before its command, in `BUILD.kdl` and as a binding of its own in
`build.ninja`. Each run is checked to have run one task. make does not look at commands."""),
    "why": ("`vwfb why`", """\
Asked of the last target when nothing has changed, in turn with null builds of vwfb."""),
    "restore": ("Restore after `vwfb clean`", """\
`vwfb clean`, `sync` and then a build, whose outputs all come from the store: checked to have run no
task and to have put every output back. Other tools have no store and would run everything. Beside it:
`rm -r` of a folder with the same files and `cp -r` of them again, of which the copying is timed. An
ext4 without a journal (see the machine) steps for minutes over the inodes of removed files, one by
one, whenever it makes another file nearby (`recently_deleted` in a profile), for every program alike;
with a journal, as `mkfs.ext4` makes it, it does not. The next case shows the same without that.
"""),
    "restore-moved": ("Restore into a new folder", """\
The same, but `vwfb-out` is moved away instead of removed."""),
    "first-load": ("First load of never-seen targets", """\
`vwfb check //...` with `.vwfb` moved away and an empty store: every rule file is read, parsed and
checked."""),
    "fan-out": ("Plan of a new fan-out", """\
`vwfb plan //...` of one `each` over as many lines of a file, with `.vwfb` moved away and an empty store:
the items are read and named, each child is declared and checked, and its key is made and looked up."""),
    "full": ("Full build of trivial commands", """\
A new folder and, for vwfb, a new store in every round; `sync` before every run. Every task of the wide
graph is one `cp`; in the layered graph the upper ones are one `cksum` into a file. ninja starts
`/bin/sh -c` for it; vwfb leaves the shell out for such commands, make only for the `cp`. `vwfb argv` is
the same graph with `run` instead of `script`. Each run is checked to have run every task."""),
    "full-shell": ("Full build of commands that need a shell", """\
The same with `test -s SOURCE && cp SOURCE OUTPUT`, for which all start `sh -c`."""),
    "film": ("One caption of a short film edited", """\
A film of twelve narrated slides of 1080x1920, a minute long, by the rules of the built-in library: text
to speech, its alignment with the text, drawings, clips, the join, loudness and subtitles. First all of
it, with an empty store; then the caption on one slide is edited, which is checked to have run six tasks: that
slide and its clip, the join, the two that take the sound out and put it back, and the subtitles. The
bar is on processor time: while everything is made all cores are busy, and one clip is made on one."""),
    "ingest": ("Hash and store one large file", """\
A target names the file as its source and runs `:` in a shell, with a new store in every round. So the
figure includes starting vwfb, reading the rule file and one task, and hashing the source for its key
before it is stored; the store makes the bytes durable. `b3sum` hashes with all cores; `cp` leaves its
bytes in the page cache, so `sync` of the copy is a second peer. `b3sum` maps the file, which counts as
its memory."""),
    "version": ("`vwfb version`", "By hyperfine, without a shell."),
    "complete": ("Completion of a label", """\
`vwfb __complete //package:t`, as completion scripts call it, by hyperfine."""),
}


METHOD = """\
The same graph is written for every tool, in one folder, with sources shared and outputs apart. `wide`
has no dependencies, `layered` has 100 layers with 3 dependencies for each task, in `chain` each task
depends on the one before. A package has 100 targets, and in the layered graph it is a layer. Every
process is new, and the page cache warm. vwfb runs with its defaults: durable store, sandbox, records;
its store lies beside the graph. make runs as `make -rR`, without its built-in rules.

Tools run in turn (A B C A B C), once after each edit, and print into a file. Shown are the median, the
fastest and the slowest run, the ratio of medians to the peer, processor time with all children
(median), and the largest resident size of any one process. Memory below {floor:.0f} MB cannot be told from the
launcher's own and is shown as `<`.

vwfb comes to its state by building. What ninja, make and snakemake need to find everything up to date
(outputs, and ninja's log) is written by the generator, and the first null build checks that they
agree; full builds are real for every tool. Left out because they take minutes: full builds of 100,000
tasks, wide and chain graphs of that size, and snakemake above 1,000.
"""


def page(results, facts):
    """docs/benchmarks.md."""
    lines = [
        "# Benchmarks", "",
        "Written by `./scripts/bench`; run it to measure your machine. Do not edit.", "",
        *machine(facts),
        "## Bars", "",
        "For every ratio the peer ran in the same rounds, in turn. Over several shapes of a graph the",
        "worst counts.", "",
        *bar_table(results),
        "## How it is measured", "",
        *filled(METHOD.format(floor=facts["floor"] / 1e6)),
        "## Cases", "",
    ]
    for case, (title, about) in TITLES.items():
        found = [result for result in results if result.case == case]
        if found:
            lines += [f"### {title}", "", *filled(about), *case_table(found, facts)]
    return "\n".join(lines).rstrip() + "\n"


def machine(facts):
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    lines = [
        f"- Date: {facts['date']}; vwfb at commit {facts['commit']}",
        f"- Machine: {facts['cpu']}, {facts['cores']} cores, {facts['memory'] / 1e9:.0f} GB of memory",
        f"- System: {facts['kernel']}, {facts['file_system']} for the graphs and the store",
        f"- Versions: {versions}",
        f"- Jobs: {facts['jobs']} for every tool; load before and after: "
        f"{facts['load_before']:.1f}, {facts['load_after']:.1f}",
        f"- Command: `{facts['command']}`, {facts['minutes']:.0f} minutes", "",
    ]
    if facts["failed"]:
        lines += [f"**Failed, and not whole below: {', '.join(facts['failed'])}.**", ""]
    if facts["load_before"] > 0.5:
        lines += ["**The machine was not idle when this began: read ratios, not times.**", ""]
    return lines


def filled(text):
    """Paragraphs in lines of at most 100 characters, each followed by an empty one."""
    lines = []
    for paragraph in text.strip().split("\n\n"):
        lines += [*textwrap.wrap(" ".join(paragraph.split()), 100, break_on_hyphens=False), ""]
    return lines


def bar_table(results):
    lines = ["| what | size | bar | aim | measured | met |", "|---|---|---|---|---|---|"]
    for bar in BARS:
        size, figure, verdict = bar.row(results)
        peer = f" {bar.peer}" if bar.peer else ""
        shown = "" if figure is None else amount(figure, bar.unit)
        if size != bar.size and size is not None:
            shown += f" at {sized(bar, size)}"
        wanted = sized(bar, bar.size) if bar.size else ""
        limit, aim = amount(bar.limit, bar.unit, plain=True), amount(bar.aim, bar.unit, plain=True)
        lines.append(f"| {bar.what} | {wanted} | ≤ {limit}{peer} | {aim} | {shown} | {verdict} |")
    return [*lines, ""]


def sized(bar, size):
    """A number of tasks, or the size of a file."""
    return f"{size:,} MiB" if bar.peer == "b3sum + cp" else f"{size:,}"


def case_table(found, facts):
    lines = [
        "| graph | tool | median | fastest - slowest | ratio | CPU | memory | tasks run | runs |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for result in found:
        graph = f"{result.shape} {result.tasks:,}".strip() if result.tasks else "-"
        graph = f"{result.tasks:,} MiB" if result.shape == "one file" else graph
        for name, samples in result.samples.items():
            low, high = spread(samples)
            lines.append("| " + " | ".join([
                graph, name, seconds(median(samples)), f"{seconds(low)} - {seconds(high)}",
                against(result, samples), seconds(median(samples, "cpu")),
                memory(samples, facts["floor"]), ran(samples), str(len(samples)),
            ]) + " |")
    return [*lines, ""]


def against(result, samples):
    """The ratio to the peer."""
    figure = ratio(samples, result.samples.get(result.peer, []))
    return "-" if figure is None else f"{figure:.2f}"


def memory(samples, floor):
    most = max(sample.memory for sample in samples)
    if most == 0:
        return "-"
    return f"< {floor / 1e6:.0f} MB" if most <= floor else f"{most / 1e6:.0f} MB"


def ran(samples):
    counts = sorted({sample.ran for sample in samples if sample.ran >= 0})
    if not counts:
        return "-"
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} - {counts[-1]:,}"


def seconds(value):
    """A time with three digits that count."""
    for below, scale, unit in [(0.01, 1000, "ms"), (1, 1000, "ms"), (float("inf"), 1, "s")]:
        if value < below:
            digits = 2 if value < 0.01 or unit == "s" else (1 if value < 0.1 else 0)
            return f"{value * scale:.{digits}f} {unit}"
    raise AssertionError("every number is below infinity")


def amount(value, unit, plain=False):
    """A figure with its unit; `plain` as the bar was written."""
    if plain:
        return f"{value:g} {unit}"
    digits = {"x": 2, "ms": 1, "s": 2, "MB": 0}[unit]
    return f"{value:.{digits}f} {unit}"


def as_json(results, facts):
    """All samples, the machine and the bars."""
    bars = []
    for bar in BARS:
        size, figure, verdict = bar.row(results)
        bars.append({
            "what": bar.what, "size": bar.size, "limit": bar.limit, "aim": bar.aim,
            "unit": bar.unit, "peer": bar.peer, "measured_at": size, "figure": figure,
            "verdict": verdict.strip("*"),
        })
    whole = {
        "facts": facts, "bars": bars,
        "results": [
            {
                **{name: getattr(result, name) for name in ("case", "shape", "tasks", "peer")},
                "tools": {name: figures(samples) for name, samples in result.samples.items()},
            }
            for result in results
        ],
    }
    return json.dumps(whole, indent=1) + "\n"


def figures(samples):
    low, high = spread(samples)
    return {
        "median": median(samples), "fastest": low, "slowest": high,
        "memory": max(sample.memory for sample in samples),
        "samples": [dataclasses.asdict(sample) for sample in samples],
    }
