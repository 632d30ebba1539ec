"""The tools that are compared: how each builds everything, and how it says what it ran."""

import os
import re
import subprocess


class Tool:
    """A build tool; its state is in the graph's folder, except vwfb's store."""

    name = ""

    def __init__(self, jobs, launcher=None):
        self.jobs, self.launcher = jobs, launcher

    def argv(self, graph):
        """The command that makes everything."""
        raise NotImplementedError

    def env(self, _graph):
        """Its environment, the same for all but vwfb's store."""
        return clean_env()

    def ran(self, output):
        """How many tasks it ran, from what it printed."""
        raise NotImplementedError

    def build(self, graph, scratch):
        """Makes everything and takes the time."""
        output = scratch / f"{self.name}.out"
        sample = self.launcher.run(self.argv(graph), graph.root, self.env(graph), output)
        with open(output, errors="replace") as file:
            sample.ran = self.ran(file.read())
        return sample

    def prepare(self, graph, scratch):
        """Comes to the state after a full build and a null build, at the least expense."""
        self.build(graph, scratch)
        self.build(graph, scratch)


class Vwfb(Tool):
    """vwfb with its defaults, with a store of its own beside the graph."""

    name = "vwfb"

    def __init__(self, jobs, program, launcher=None):
        super().__init__(jobs, launcher)
        self.program = str(program)

    def command(self, *words):
        """A command line of vwfb."""
        return [self.program, *words]

    def argv(self, graph):
        return self.command("build", "//...", "-j", str(self.jobs))

    def env(self, graph):
        return {**clean_env(), "VWFB_STORE": f"{graph.root}.store"}

    def ran(self, output):
        return number(r"^(?:.*[,;] )?ran ([\d,]+)", output)


class Argv(Vwfb):
    """vwfb on the graph whose targets start programs without a shell."""

    name = "vwfb argv"


class Ninja(Tool):
    """ninja; its state is seeded, since filling it by 100,000 processes takes two minutes."""

    name = "ninja"

    def argv(self, graph):
        return ["ninja", "-j", str(self.jobs)]

    def ran(self, output):
        return len(re.findall(r"^\[\d+/\d+\]", output, re.MULTILINE))

    def prepare(self, graph, scratch):
        graph.seed_ninja()
        if self.build(graph, scratch).ran:
            # Another version's log: the build that just ended is the state that is wanted.
            super().prepare(graph, scratch)


class Make(Tool):
    """GNU make without its built-in rules, which would cost it seconds."""

    name = "make"

    def argv(self, graph):
        return ["make", "-rR", "-j", str(self.jobs)]

    def ran(self, output):
        lines = output.splitlines()
        return sum(1 for line in lines if line and not line.startswith("make:"))

    def prepare(self, graph, scratch):
        graph.seed_make()
        super().prepare(graph, scratch)


class Snakemake(Tool):
    """snakemake, for graphs of up to 1,000 tasks."""

    name = "snakemake"

    def argv(self, graph):
        return ["snakemake", "--cores", str(self.jobs)]

    def env(self, graph):
        # Its home holds caches, and ours is no business of a benchmark.
        return {**clean_env(), "HOME": str(graph.root), "XDG_CACHE_HOME": f"{graph.root}/.cache"}

    def ran(self, output):
        return number(r"([\d]+) of \d+ steps \(100%\) done", output)

    def prepare(self, graph, scratch):
        graph.seed_snakemake()
        self.build(graph, scratch)


def number(pattern, text):
    """The last number that matches, or 0."""
    found = re.findall(pattern, text, re.MULTILINE)
    return int(found[-1].replace(",", "")) if found else 0


def clean_env():
    """What every command is started with."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}


def versions(program):
    """What each tool calls its version."""
    commands = {
        "vwfb": [str(program), "version"],
        "ninja": ["ninja", "--version"],
        "make": ["make", "--version"],
        "snakemake": ["snakemake", "--version"],
        "b3sum": ["b3sum", "--version"],
        "hyperfine": ["hyperfine", "--version"],
        "cp": ["cp", "--version"],
    }
    found = {}
    for name, argv in commands.items():
        try:
            said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
        except FileNotFoundError:
            said = ""
        lines = said.splitlines()
        last = re.search(r"\b\d[\w.]*", lines[0]) if lines else None
        found[name] = last.group(0) if last else "not installed"
    return found
