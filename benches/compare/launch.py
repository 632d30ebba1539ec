"""Starts commands for the driver and says what they took; a process of its own, to be small.

Linux counts the memory of the process that starts a command as the command's own until it takes
more, and the driver, which makes graphs, is larger than what it measures. This one imports next to
nothing. It reads a request a line: the folder, the output file, the program, the number of
arguments, the arguments and the environment, with 0x1f between them. It answers with a line: wall
and processor seconds, the largest resident size in KiB, and the exit code.
"""

import os
import sys
import time

SEPARATOR = "\x1f"


def main():
    for line in sys.stdin:
        folder, output, program, count, *words = line.rstrip("\n").split(SEPARATOR)
        argv, pairs = words[: int(count)], words[int(count) :]
        env = dict(pair.split("=", 1) for pair in pairs)
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        os.chdir(folder)
        begun = time.perf_counter()
        pid = os.posix_spawn(program, argv, env, file_actions=actions)
        _, status, used = os.wait4(pid, 0)
        wall = time.perf_counter() - begun
        code = os.waitstatus_to_exitcode(status)
        print(wall, used.ru_utime + used.ru_stime, used.ru_maxrss, code, flush=True)


main()
