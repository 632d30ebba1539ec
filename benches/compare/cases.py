"""The cases: what is prepared, what is run in turn, and what each run must have done."""

import dataclasses
import itertools
import os
import shutil
import time

from films import film
from graphs import Graph, LAYERS
from measure import Wrong, hyperfine

TICK = 0.03
"""Seconds between a build and an edit, so that no file system's clock calls them simultaneous."""

PEER_LIMIT = 10_000
"""Tasks above which nothing is run that starts a process for each of them in each round."""

SNAKEMAKE_LIMIT = 1_000
"""Tasks above which snakemake takes minutes."""


@dataclasses.dataclass
class Measured:
    """The samples of one case on one graph."""

    case: str
    shape: str
    tasks: int
    samples: dict
    """For each tool its samples, in the order they were taken."""
    peer: str = ""
    """The tool that the others are compared with."""


class Bench:
    """What all cases share: tools, sizes, the scratch folder and the graphs in it."""

    def __init__(self, tools, launcher, folder, sizes, shapes, quick, rounds, say):
        self.tools, self.launcher = tools, launcher
        self.folder, self.sizes, self.shapes = folder, sizes, shapes
        self.quick, self.fixed_rounds, self.say = quick, rounds, say
        self.results, self.failed, self.graphs, self.fresh = [], [], {}, 0

    def rounds(self, wanted):
        """How many rounds to run of a case that wants so many."""
        return self.fixed_rounds or (min(wanted, 3) if self.quick else wanted)

    def null_rounds(self, tasks):
        return self.rounds(11 if tasks <= PEER_LIMIT else 5)

    def new_folder(self, name):
        """A folder that never was; reused folders are slow on ext4 for minutes after a removal."""
        self.fresh += 1
        folder = self.folder / f"{self.fresh:03}-{name}"
        folder.mkdir(parents=True)
        return folder

    def graph(self, shape, tasks):
        """The graph on which nothing is to do, for every tool; made once."""
        if (shape, tasks) not in self.graphs:
            # 100 packages, each a layer; else 100 targets in a package.
            package = max(1, tasks // LAYERS) if shape == "layered" else 100
            self.say(f"{shape}, {tasks:,} tasks: preparing")
            root = self.new_folder(f"{shape}-{tasks}")
            graph = Graph(shape, tasks, root, first=True, package=package)
            graph.write()
            for tool in self.all_tools(shape, tasks):
                self.tools[tool].prepare(graph, self.folder)
            os.sync()
            self.graphs[shape, tasks] = graph
        return self.graphs[shape, tasks]

    def all_tools(self, shape, tasks):
        """Those that take part in null builds; snakemake takes seconds for a thousand tasks."""
        slow = tasks <= SNAKEMAKE_LIMIT and (shape == "wide" or not self.quick)
        return ["vwfb", "ninja", "make"] + (["snakemake"] if slow else [])

    def shapes_of(self, tasks):
        """The shapes of a size: of the largest only one, as every vwfb build is a real one."""
        if tasks <= PEER_LIMIT:
            return self.shapes
        return [shape for shape in self.shapes if shape == "layered"]

    def layered(self, most=None):
        """The largest layered graph within a limit, or None."""
        sizes = [size for size in self.sizes if most is None or size <= most]
        return self.graph("layered", max(sizes)) if sizes and "layered" in self.shapes else None

    def wide(self, most=PEER_LIMIT):
        """The largest wide graph within a limit, or None."""
        sizes = [size for size in self.sizes if size <= most]
        return self.graph("wide", max(sizes)) if sizes and "wide" in self.shapes else None

    def in_turn(self, case, graph, rounds, runs, peer="", before=None):
        """Runs each of `runs` once a round, after `before(round)`, and keeps the samples."""
        samples = {name: [] for name in runs}
        self.say(f"{graph.shape}, {graph.tasks:,} tasks: {case}, {rounds} rounds")
        for number in range(rounds):
            if before:
                time.sleep(TICK)
                before(number)
            for name, take in runs.items():
                samples[name].append(take())
        self.results.append(Measured(case, graph.shape, graph.tasks, samples, peer))

    def building(self, graph, names, ran=None):
        """A run for each tool; with `ran`, it is wrong unless so many tasks are run."""
        return {name: lambda name=name: self.built(graph, name, ran) for name in names}

    def built(self, graph, name, ran=None):
        sample = self.tools[name].build(graph, self.folder)
        if ran is not None and sample.ran != ran:
            raise Wrong(f"{name} ran {sample.ran} tasks in {graph.root}, expected {ran}")
        return sample

    def asking(self, graph, *words, store=None):
        """A run of another command of vwfb."""
        vwfb = self.tools["vwfb"]
        env = vwfb.env(graph) if store is None else {**vwfb.env(graph), "VWFB_STORE": str(store)}
        argv = vwfb.command(*words)
        return self.launcher.run(argv, graph.root, env, self.folder / "vwfb.out")


def null(bench):
    """Nothing has changed since the last build."""
    for tasks in bench.sizes:
        for shape in bench.shapes_of(tasks):
            graph = bench.graph(shape, tasks)
            # snakemake is not run as often, and never between the others.
            names = bench.all_tools(shape, tasks)
            quick = [name for name in names if name != "snakemake"]
            runs = bench.building(graph, quick, ran=0)
            bench.in_turn("null", graph, bench.null_rounds(tasks), runs, "ninja")
            if "snakemake" in names:
                count = 1 if bench.quick else bench.rounds(3)
                samples = [bench.built(graph, "snakemake", 0) for _ in range(count)]
                bench.results[-1].samples["snakemake"] = samples


def leaf_changed(bench):
    """The first line of one source changes, and with it all that follows from it."""
    limits = {"wide": None, "layered": PEER_LIMIT, "chain": SNAKEMAKE_LIMIT}
    for tasks in bench.sizes:
        for shape in bench.shapes_of(tasks):
            too_large = limits[shape] is not None and tasks > limits[shape]
            if too_large or (bench.quick and shape == "chain"):
                continue
            graph = bench.graph(shape, tasks)
            wanted = 5 if shape == "wide" else (2 if bench.quick else 3)
            edited = []

            def change(number, graph=graph, edited=edited):
                edited[:] = [cone(graph, leaf(graph, number))]
                source = graph.root / graph.source(leaf(graph, number))
                source.write_text(f"changed {time.time_ns()}\n")

            runs = {
                name: lambda name=name, graph=graph, edited=edited:
                    bench.built(graph, name, edited[0])
                for name in ("vwfb", "ninja", "make")
            }
            bench.in_turn("leaf-changed", graph, bench.rounds(wanted), runs, "ninja", change)


def leaf_same(bench):
    """A line is appended to one source, of which only the first is used."""
    for tasks in bench.sizes:
        for shape in bench.shapes_of(tasks):
            if shape == "wide":
                continue
            graph = bench.graph(shape, tasks)
            runs = bench.building(graph, ["vwfb", "ninja"], ran=1)

            def change(number, graph=graph):
                append(graph.root / graph.source(leaf(graph, number)), f"line {number}\n")

            bench.in_turn("leaf-same", graph, bench.null_rounds(tasks), runs, "ninja", change)


def rule_comment(bench):
    """A comment is appended to one of 100 rule files, and to ninja's only one."""
    for tasks in bench.sizes:
        if "layered" not in bench.shapes:
            return
        graph = bench.graph("layered", tasks)

        def change(number, graph=graph):
            # Within a tick of the last build, an edit might look as old as it.
            time.sleep(TICK)
            build = graph.root / graph.folder(graph.tasks // 2) / "BUILD.kdl"
            append(build, f"// round {number}\n")
            append(graph.root / "build.ninja", f"# round {number}\n")

        edits = itertools.count()

        def edited(graph=graph, change=change, edits=edits):
            change(next(edits))
            return bench.built(graph, "vwfb", 0)

        runs = {
            "vwfb, unchanged": lambda graph=graph: bench.built(graph, "vwfb", 0),
            "vwfb": edited,
            "ninja": lambda graph=graph: bench.built(graph, "ninja", 0),
        }
        bench.in_turn("rule-comment", graph, bench.null_rounds(tasks), runs, "vwfb, unchanged")


def rule_command(bench):
    """One target on top of the graph gets another command with the same result."""
    for tasks in bench.sizes:
        if "layered" not in bench.shapes:
            return
        graph = bench.graph("layered", tasks)
        target = graph.tasks - 1
        change = lambda number, graph=graph, target=target: edit_command(graph, target, number)
        runs = bench.building(graph, ["vwfb", "ninja"], ran=1)
        bench.in_turn("rule-command", graph, bench.null_rounds(tasks), runs, "ninja", change)


def why(bench):
    """`vwfb why` of the last target, with nothing changed."""
    graph = bench.layered()
    if graph is None:
        return
    label = graph.label(graph.tasks - 1)
    runs = {
        "vwfb, unchanged": lambda: bench.built(graph, "vwfb", 0),
        "vwfb": lambda: bench.asking(graph, "why", label),
    }
    bench.in_turn("why", graph, bench.null_rounds(graph.tasks), runs, "vwfb, unchanged")


def complete(bench):
    """The labels of one package, as a shell asks for them."""
    graph = bench.wide()
    if graph is None:
        return
    vwfb = bench.tools["vwfb"]
    argv = vwfb.command("__complete", f"{graph.label(0)[:-1]}")
    runs = 15 if bench.quick else 50
    bench.say(f"{graph.shape}, {graph.tasks:,} tasks: complete, {runs} runs by hyperfine")
    samples = hyperfine(argv, graph.root, vwfb.env(graph), runs, bench.folder)
    bench.results.append(Measured("complete", graph.shape, graph.tasks, {"vwfb": samples}))


def version(bench):
    """`vwfb version`, anywhere."""
    vwfb = bench.tools["vwfb"]
    runs = 15 if bench.quick else 50
    samples = hyperfine(vwfb.command("version"), bench.folder, os.environ, runs, bench.folder)
    bench.results.append(Measured("version", "", 0, {"vwfb": samples}))


def restore(bench):
    """`vwfb clean`, then a build that has all results in the store."""
    graph = bench.wide()
    if graph is None:
        return
    outputs = graph.root / "vwfb-out"

    kept = bench.new_folder("kept") / "vwfb-out"
    shutil.copytree(outputs, kept)
    copied = bench.new_folder("copied") / "vwfb-out"
    shutil.copytree(outputs, copied)

    def cleaned(_number):
        bench.asking(graph, "clean")
        shutil.rmtree(copied)
        os.sync()

    def copy():
        argv = ["cp", "-r", str(kept), str(copied)]
        env = bench.tools["ninja"].env(graph)
        return bench.launcher.run(argv, graph.root, env, bench.folder / "cp.out")

    def moved(_number):
        outputs.rename(bench.new_folder("outputs") / "vwfb-out")
        os.sync()

    def take():
        sample = bench.built(graph, "vwfb", 0)
        found = sum(1 for _ in outputs.glob("*/t*.txt"))
        if found != graph.tasks:
            raise Wrong(f"{found} outputs of {graph.tasks} are back in {outputs}")
        return sample

    rounds = bench.rounds(5)
    bench.in_turn("restore-moved", graph, rounds, {"vwfb": take}, before=moved)
    runs = {"vwfb": take, "rm -r, cp -r": copy}
    bench.in_turn("restore", graph, rounds, runs, "rm -r, cp -r", before=cleaned)


def first_load(bench):
    """`vwfb check //...` without `.vwfb` and with an empty store."""
    graph = bench.wide()
    if graph is None:
        return
    kept, state = bench.new_folder("state") / "kept", graph.root / ".vwfb"
    state.rename(kept)

    def take():
        aside = bench.new_folder("load")
        sample = bench.asking(graph, "check", "//...", store=aside / "store")
        if state.exists():
            state.rename(aside / "state")
        return sample

    try:
        bench.in_turn("first-load", graph, bench.rounds(5), {"vwfb": take})
    finally:
        kept.rename(state)


def fan_out(bench):
    """`vwfb plan //...` of one fan-out over the lines of a file, never seen."""
    for tasks in bench.sizes:
        root = bench.new_folder("fan-out")
        (root / "WORKSPACE.kdl").write_text('workspace "bench"\n')
        (root / "lines.txt").write_text("".join(f"line {line}\n" for line in range(tasks)))
        task = 'task "said" {\n        out "said.txt"\n        script "echo {line} > {out}"\n    }'
        head = f'each "lines" over="lines.txt" as="line" split="lines" max-items={tasks}'
        (root / "BUILD.kdl").write_text(f"{head} {{\n    {task}\n}}\n")
        graph = Graph("one fan-out", tasks, root)

        def take():
            aside = bench.new_folder("plan")
            sample = bench.asking(graph, "plan", "//...", store=aside / "store")
            (root / ".vwfb").rename(aside / "state")
            return sample

        bench.in_turn("fan-out", graph, bench.rounds(5), {"vwfb": take})


def full(bench):
    """Everything is made for the first time, in a folder and a store that never were."""
    sizes = [size for size in bench.sizes if size <= PEER_LIMIT]
    for shape, tasks in [("wide", size) for size in sizes] + [("layered", min(sizes or [0]))]:
        if shape in bench.shapes and tasks:
            kinds = {"vwfb": {}, "ninja": {}, "make": {}}
            if shape == "wide":
                kinds["vwfb argv"] = {"argv": True}
            full_of(bench, "full", Graph(shape, tasks, bench.folder), kinds)


def full_shell(bench):
    """The same with commands that only a shell understands."""
    for tasks in bench.sizes:
        if "wide" in bench.shapes and tasks <= PEER_LIMIT:
            kinds = {name: {"shelled": True} for name in ["vwfb", "ninja", "make"]}
            full_of(bench, "full-shell", Graph("wide", tasks, bench.folder), kinds)


def full_of(bench, case, about, kinds):
    """Builds a graph like `about` as each of `kinds`: who builds -> how the graph is written."""
    graphs = {}

    def prepare(_number):
        for kind in kinds.values():
            name = "-".join([case, about.shape, str(about.tasks), *kind])
            graph = Graph(about.shape, about.tasks, bench.new_folder(name), **kind)
            graph.write()
            graphs[tuple(kind)] = graph

    def take(name):
        os.sync()
        return bench.built(graphs[tuple(kinds[name])], name, about.tasks)

    runs = {name: lambda name=name: take(name) for name in kinds}
    bench.in_turn(case, about, bench.rounds(3), runs, "ninja", prepare)


def ingest(bench):
    """A large source file is hashed and stored, for a target that only names it."""
    size = (64 << 20) if bench.quick else (2 << 30)
    root = bench.new_folder("ingest")
    (root / "WORKSPACE.kdl").write_text('workspace "bench"\n')
    target = 'task "stamp" {\n    srcs "big.bin"\n    out "stamp"\n    script ": > {out}"\n}\n'
    (root / "BUILD.kdl").write_text(target)
    block = os.urandom(1 << 20)
    with open(root / "big.bin", "wb") as file:
        for number in range(size >> 20):
            file.write(number.to_bytes(8, "little") + block[8:])
    graph = Graph("one file", size >> 20, root)
    env = bench.tools["ninja"].env(graph)

    def vwfb():
        aside = bench.new_folder("ingest-store")
        os.sync()
        sample = bench.asking(graph, "build", "//...", store=aside / "store")
        (root / ".vwfb").rename(aside / "state")
        shutil.rmtree(root / "vwfb-out")
        # Few files, so their removal slows nothing, and there is room for the next round.
        shutil.rmtree(aside)
        return sample

    def copied(then=""):
        os.sync()
        command = f"b3sum big.bin && cp big.bin copy.bin{then}"
        sample = bench.launcher.run(["sh", "-c", command], root, env, bench.folder / "sh.out")
        (root / "copy.bin").unlink()
        return sample

    runs = {
        "vwfb": vwfb,
        "b3sum + cp": copied,
        "b3sum + cp + sync": lambda: copied(" && sync copy.bin"),
    }
    vwfb()  # Once for the tools' closures and the page cache.
    bench.in_turn("ingest", graph, bench.rounds(3), runs, "b3sum + cp")


# A file system may take longer to make files for some minutes after many were removed, so those who
# make many come first and those who remove many last.
CASES = {
    "version": version,
    "full": full,
    "full-shell": full_shell,
    "complete": complete,
    "null": null,
    # Before `leaf-same`, whose edits make does not build.
    "leaf-changed": leaf_changed,
    "leaf-same": leaf_same,
    "rule-comment": rule_comment,
    "rule-command": rule_command,
    "why": why,
    "first-load": first_load,
    "fan-out": fan_out,
    "ingest": ingest,
    "film": film,
    "restore": restore,
}


def leaf(graph, number):
    """A task without dependencies, another one in every round."""
    width = {"wide": graph.tasks, "layered": max(1, graph.tasks // LAYERS), "chain": 1}[graph.shape]
    return number * 37 % width


def cone(graph, leaf):
    """How many tasks follow from a leaf, itself included."""
    inside = {leaf}
    for number in range(leaf + 1, graph.tasks):
        if any(need in inside for need in graph.needs(number)):
            inside.add(number)
    return len(inside)


def append(path, text):
    with open(path, "a") as file:
        file.write(text)


def edit_command(graph, target, number):
    """Gives a target another command, with the same result, for vwfb and ninja."""
    build = graph.root / graph.folder(target) / "BUILD.kdl"
    head, mark, tail = build.read_text().partition(f'task "t{target}" {{')
    shell = graph.shell(target, "{srcs}", "{out}")
    line = f'    script ": {number}; {shell}"\n'
    old = next(line for line in tail.splitlines(keepends=True) if line.startswith("    script "))
    build.write_text(head + mark + tail.replace(old, line, 1))
    manifest = graph.root / "build.ninja"
    kept = manifest.read_text().partition("\n  command = : ")[0].rstrip("\n")
    # The last edge of the file, so a binding at its end is that edge's; there `$in` would be empty.
    inputs = " ".join(graph.inputs(target, "out"))
    command = graph.ninja_command(target, inputs, f"out/{graph.output(target)}")
    manifest.write_text(f"{kept}\n  command = : {number}; {command}\n")
