#!/usr/bin/env python3
"""Writes one graph of trivial tasks for vwfb, ninja, make and snakemake, side by side in a folder.

    graphs.py SHAPE TASKS FOLDER [--argv | --shell] [--first] [--package N]

Every task reads a source file of its own and the outputs of the tasks it depends on, with the same
command for every tool. Tasks without dependencies copy their source (`cp`); the others write a
checksum of each input (`cksum`), so outputs stay small and every change reaches the top. Shapes:
`wide` (no dependencies), `layered` (100 layers, 3 dependencies each), `chain` (each depends on the
one before it).

A command of only a `cp` needs no shell, and vwfb and make start none for it. With --shell, tasks without
dependencies test that their source is not empty before they copy it, which takes a shell.

With --first, the tasks without dependencies take their source's first line only, so that a source
can change and its task's result not. ninja sees that only if the command leaves an equal output
alone and the rule says `restat`, so its rule does both.
"""

import argparse
import os
import pathlib
import time

LAYERS = 100
"""Layers of the layered graph."""

PER_FOLDER = 100
"""Sources in a folder, which for vwfb is a package."""

FIRST = "head -n 1"
"""Prints the first line of a file."""


def needs(shape, number, tasks):
    """The tasks that task `number` depends on."""
    if shape == "chain":
        return [number - 1] if number else []
    if shape == "layered":
        width = max(1, tasks // LAYERS)
        layer, column = divmod(number, width)
        if layer == 0:
            return []
        below = (layer - 1) * width
        return sorted({below + (column + step) % width for step in (0, 1, 7)})
    return []


class Graph:
    """One graph; every tool's files are written by a method of its own."""

    def __init__(
        self, shape, tasks, root, argv=False, shelled=False, first=False, package=PER_FOLDER
    ):
        self.shape, self.tasks, self.root = shape, tasks, pathlib.Path(root)
        self.argv, self.shelled, self.first, self.package = argv, shelled, first, package

    def write(self):
        """Everything; snakemake's file only for graphs that it can take."""
        self.sources()
        self.vwfb()
        self.ninja()
        self.make()
        if self.tasks <= 1000:
            self.snakemake()

    def folder(self, number):
        return f"d{number // self.package:04}"

    def source(self, number):
        return f"{self.folder(number)}/s{number}.txt"

    def output(self, number):
        return f"{self.folder(number)}/t{number}.txt"

    def label(self, number):
        return f"//{self.folder(number)}:t{number}"

    def needs(self, number):
        return needs(self.shape, number, self.tasks)

    def inputs(self, number, prefix):
        """The files that the task reads, where a tool's outputs are below `prefix`."""
        return [self.source(number), *(f"{prefix}/{self.output(need)}" for need in self.needs(number))]

    def shell(self, number, inputs, output):
        """The task's command."""
        if self.needs(number):
            return f"cksum {inputs} > {output}"
        if self.first:
            return f"{FIRST} {inputs} > {output}"
        copy = f"cp {inputs} {output}"
        return f"test -s {inputs} && {copy}" if self.shelled else copy

    def sources(self):
        self.folders(".")
        for number in range(self.tasks):
            write(f"{self.root}/{self.source(number)}", f"source {number}\n")

    # vwfb

    def vwfb(self):
        (self.root / "WORKSPACE.kdl").write_text('workspace "bench"\n')
        packages = {}
        for number in range(self.tasks):
            packages.setdefault(self.folder(number), []).append(self.target(number))
        for folder, targets in packages.items():
            (self.root / folder / "BUILD.kdl").write_text("".join(targets))

    def target(self, number):
        labels = (
            f":t{need}" if self.folder(need) == self.folder(number) else self.label(need)
            for need in self.needs(number)
        )
        srcs = " ".join(f'"{name}"' for name in [f"s{number}.txt", *labels])
        return (
            f'task "t{number}" {{\n    srcs {srcs}\n'
            f'    out "t{number}.txt"\n    {self.command(number)}\n}}\n'
        )

    def command(self, number):
        """The line with a target's command."""
        if self.argv:
            return 'run "cp" "{srcs}" "{out}"'
        return f'script "{self.shell(number, "{srcs}", "{out}")}"'

    # ninja

    def ninja(self):
        lines = []
        for name, number in (("leaf", 0), ("join", self.tasks - 1)):
            lines += [f"rule {name}", f"  command = {self.ninja_command(number, '$in', '$out')}"]
            lines += ["  restat = 1", ""] if name == "leaf" and self.first else [""]
        lines += [self.ninja_edge(number) for number in range(self.tasks)]
        (self.root / "build.ninja").write_text("\n".join(lines) + "\n")

    def ninja_edge(self, number):
        rule = "join" if self.needs(number) else "leaf"
        return f"build out/{self.output(number)}: {rule} {' '.join(self.inputs(number, 'out'))}"

    def ninja_command(self, number, inputs, output):
        command = self.shell(number, inputs, output)
        if self.needs(number) or not self.first:
            return command
        return (
            f"{command}.new; if cmp -s {output}.new {output}; then rm {output}.new; "
            f"else mv {output}.new {output}; fi"
        )

    def seed_ninja(self):
        """Leaves what a full build by ninja 1.11 leaves: outputs, and a log with their commands.

        Outputs of tasks with dependencies hold a placeholder. Whether ninja agrees that nothing
        is to do is for the caller to ask.
        """
        lines = ["# ninja log v5"]
        self.seed("out")
        for number in range(self.tasks):
            output = f"out/{self.output(number)}"
            inputs = " ".join(self.inputs(number, "out"))
            command = self.ninja_command(number, inputs, output)
            written = os.stat(f"{self.root}/{output}").st_mtime_ns
            lines.append(f"0\t1\t{written}\t{output}\t{murmur64a(command.encode()):x}")
        (self.root / ".ninja_log").write_text("\n".join(lines) + "\n")

    # make and snakemake

    def make(self):
        outs = [f"mk/{self.output(number)}" for number in range(self.tasks)]
        lines = [f"all: {' '.join(outs)}", ""]
        for number, out in enumerate(outs):
            lines.append(f"{out}: {' '.join(self.inputs(number, 'mk'))}")
            lines.append("\t" + self.shell(number, "$^", "$@"))
        (self.root / "Makefile").write_text("\n".join(lines) + "\n")
        self.folders("mk")

    def seed_make(self):
        """Leaves outputs that are newer than their inputs."""
        self.seed("mk")

    def seed_snakemake(self):
        """The same for snakemake."""
        self.seed("sm")

    def snakemake(self):
        outs = [f"sm/{self.output(number)}" for number in range(self.tasks)]
        lines = ["rule all:", f"    input: {outs!r}", ""]
        for number, out in enumerate(outs):
            ins = self.inputs(number, "sm")
            lines += [
                f"rule t{number}:", f"    input: {ins!r}", f"    output: {out!r}",
                f'    shell: "{self.shell(number, "{input}", "{output}")}"', "",
            ]
        (self.root / "Snakefile").write_text("\n".join(lines))

    # What tools leave

    def folders(self, prefix):
        for folder in sorted({self.folder(number) for number in range(self.tasks)}):
            (self.root / prefix / folder).mkdir(parents=True, exist_ok=True)

    def seed(self, prefix):
        """Writes outputs in an order in which none is older than what it is made from."""
        self.folders(prefix)
        width = max(1, self.tasks // LAYERS)
        for number in range(self.tasks):
            # A kernel tick, so that a layer is not as old as the one below.
            if self.shape == "layered" and number % width == 0:
                time.sleep(0.005)
            made = f"seed of task {number}\n" if self.needs(number) else f"source {number}\n"
            write(f"{self.root}/{prefix}/{self.output(number)}", made)


def write(path, text):
    """Writes a file; pathlib takes longer for it than the kernel."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.write(file, text.encode())
    os.close(file)


def murmur64a(data):
    """MurmurHash64A with ninja's seed: how its log names a command."""
    mask, mul = (1 << 64) - 1, 0xC6A4A7935BD1E995
    value = 0xDECAFBADDECAFBAD ^ (len(data) * mul & mask)
    whole = len(data) & ~7
    for at in range(0, whole, 8):
        word = int.from_bytes(data[at : at + 8], "little") * mul & mask
        value = (value ^ ((word ^ word >> 47) * mul & mask)) * mul & mask
    if whole < len(data):
        value = (value ^ int.from_bytes(data[whole:], "little")) * mul & mask
    value = (value ^ value >> 47) * mul & mask
    return value ^ value >> 47


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shape", choices=["wide", "layered", "chain"])
    parser.add_argument("tasks", type=int)
    parser.add_argument("folder", type=pathlib.Path)
    command = parser.add_mutually_exclusive_group()
    command.add_argument("--argv", action="store_true", help="vwfb's targets have no script")
    command.add_argument("--shell", action="store_true", help="only a shell understands the command")
    parser.add_argument("--first", action="store_true", help="leaves take their source's first line")
    parser.add_argument("--package", type=int, default=PER_FOLDER, help="targets in a package")
    given = parser.parse_args()
    if given.argv and given.shape != "wide":
        parser.error("--argv is for `wide`: a checksum needs a script to get into a file")
    Graph(
        given.shape, given.tasks, given.folder, argv=given.argv, shelled=given.shell,
        first=given.first, package=given.package,
    ).write()


if __name__ == "__main__":
    main()
