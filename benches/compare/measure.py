"""Runs one command and says what it took; medians, spreads and ratios of what was said."""

import dataclasses
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys


class Wrong(Exception):
    """A command failed, or did something else than what the case measures."""


@dataclasses.dataclass
class Sample:
    """What one run of a command took."""

    wall: float
    """Seconds from start to exit."""
    cpu: float
    """Seconds of processor time, of the command and all that it waited for."""
    memory: int
    """Most memory that one of its processes held at once, in bytes."""
    ran: int = -1
    """Tasks that it ran, or -1."""


class Launcher:
    """The small process that starts what is measured; see launch.py."""

    def __init__(self):
        script = pathlib.Path(__file__).with_name("launch.py")
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )

    def run(self, argv, cwd, env, output):
        """Runs `argv` in `cwd` with what it prints in the file `output`."""
        program = shutil.which(argv[0], path=env["PATH"])
        if program is None:
            raise Wrong(f"`{argv[0]}` is not installed")
        pairs = [f"{name}={value}" for name, value in env.items()]
        fields = [cwd, output, program, len(argv), *argv, *pairs]
        self.process.stdin.write("\x1f".join(map(str, fields)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 4:
            raise Wrong(f"the launcher could not start `{' '.join(argv)}`")
        if int(answer[3]) != 0:
            said = tail(output)
            raise Wrong(f"`{' '.join(argv)}` exited with {answer[3]} in {cwd}:\n{said}")
        return Sample(float(answer[0]), float(answer[1]), int(answer[2]) * 1024)

    def floor(self):
        """Bytes below which a command's memory cannot be told from the launcher's own."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s*(\d+)", status).group(1))

    def close(self):
        """Ends it."""
        self.process.stdin.close()
        self.process.wait()


def tail(path, count=10):
    """The last lines of a file."""
    with open(path, errors="replace") as file:
        return "".join(file.readlines()[-count:])


def hyperfine(argv, cwd, env, runs, scratch):
    """Samples of a short command by hyperfine, without a shell."""
    report = scratch / "hyperfine.json"
    command = " ".join(argv)
    given = ["hyperfine", "-N", "--style", "none", "--warmup", "3", "--runs", str(runs)]
    done = subprocess.run(
        [*given, "--export-json", str(report), command],
        cwd=cwd, env=env, capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        raise Wrong(f"hyperfine could not run `{command}`:\n{done.stderr}")
    result = json.loads(report.read_text())["results"][0]
    cpu = result["user"] + result["system"]
    return [Sample(wall, cpu, 0) for wall in result["times"]]


def median(samples, field="wall"):
    """The median of a field over samples, or None without any."""
    values = [getattr(sample, field) for sample in samples]
    return statistics.median(values) if values else None


def spread(samples):
    """The fastest and the slowest."""
    walls = [sample.wall for sample in samples]
    return min(walls), max(walls)


def ratio(samples, peer):
    """How many times as long as the peer, by medians; None if either has no samples."""
    ours, theirs = median(samples), median(peer)
    return ours / theirs if ours is not None and theirs else None
