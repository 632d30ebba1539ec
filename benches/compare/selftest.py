"""Tests of the driver itself: its maths, its tables and its graphs. No test looks at a clock."""

import pathlib
import tempfile
import unittest

import bars
import cases
import measure
import report
import tools
from graphs import Graph, murmur64a, needs


def sample(wall, ran=-1, memory=0):
    return measure.Sample(wall, wall / 2, memory, ran)


def null(size, ours, theirs, shape="wide", memory=50_000_000):
    samples = {
        "vwfb": [sample(wall, 0, memory) for wall in ours],
        "ninja": [sample(wall, 0) for wall in theirs],
    }
    return cases.Measured("null", shape, size, samples, "ninja")


SHAPES = ("wide", "layered", "chain")

FACTS = {
    "date": "a day", "commit": "abc", "cpu": "a CPU", "cores": 2, "memory": 8e9, "kernel": "Linux",
    "file_system": "ext4", "versions": {"ninja": "1"}, "jobs": 2, "floor": 10_000_000,
    "load_before": 0.0, "load_after": 0.0, "command": "./scripts/bench", "minutes": 1.0,
    "failed": [],
}


class Maths(unittest.TestCase):
    def test_ratio_is_of_medians(self):
        self.assertEqual(measure.ratio([sample(1), sample(2), sample(9)], [sample(4)]), 0.5)
        self.assertIsNone(measure.ratio([sample(1)], []))

    def test_spread_is_from_fastest_to_slowest(self):
        self.assertEqual(measure.spread([sample(3), sample(1), sample(2)]), (1, 3))

    def test_times_keep_the_digits_that_count(self):
        shown = [report.seconds(value) for value in (0.00123, 0.0123, 0.123, 1.234)]
        self.assertEqual(shown, ["1.23 ms", "12.3 ms", "123 ms", "1.23 s"])


class Bars(unittest.TestCase):
    def bar(self, what, size):
        return next(bar for bar in bars.BARS if bar.what == what and bar.size == size)

    def test_the_worst_shape_counts(self):
        results = [null(10_000, [0.2], [1.0]), null(10_000, [0.45], [1.0], "chain")]
        self.assertEqual(self.bar("null build", 10_000).row(results), (10_000, 0.45, "met"))

    def test_a_bar_that_is_missed_is_said_to_be(self):
        row = self.bar("null build", 10_000).row([null(10_000, [0.51], [1.0])])
        self.assertEqual(row[2], "**not met**")

    def test_a_smaller_size_meets_nothing(self):
        row = self.bar("null build", 10_000).row([null(1_000, [0.1], [1.0])])
        self.assertEqual(row, (1_000, 0.1, "not at this size"))

    def test_nothing_measured_meets_nothing(self):
        for bar in bars.BARS:
            self.assertEqual(bar.row([]), (None, None, "not measured"), bar.what)

    def test_growth_is_from_a_tenth_of_the_same_shape(self):
        results = [null(100_000, [1.2], [9]), null(10_000, [0.1], [9]),
                   null(10_000, [0.01], [9], "chain")]
        bar = self.bar("growth of the null build from a tenth", 100_000)
        self.assertAlmostEqual(bar.row(results)[1], 12)
        self.assertEqual(bar.row(results)[2], "**not met**")

    def test_an_edit_is_counted_over_the_null_build(self):
        samples = {"vwfb, unchanged": [sample(0.2)], "vwfb": [sample(0.3)]}
        found = cases.Measured("rule-comment", "layered", 100_000, samples)
        bar = self.bar("one rule file of 100 edited, over the null build", 100_000)
        self.assertAlmostEqual(bar.row([found])[1], 100)


class Page(unittest.TestCase):
    def test_every_case_has_a_title_and_every_title_a_case(self):
        self.assertEqual(set(report.TITLES), {*cases.CASES, "restore-moved"})

    def test_a_row_has_as_many_cells_as_its_head(self):
        text = report.page([null(1_000, [0.1, 0.2], [1.0])], FACTS)
        for line in text.splitlines():
            if line.startswith("|"):
                self.assertIn(line.count("|"), (7, 10), line)
        row = "| wide 1,000 | vwfb | 150 ms | 100 ms - 200 ms | 0.15 | 75.0 ms | 50 MB | 0 | 2 |"
        self.assertIn(row, text)

    def test_text_is_filled_and_no_paragraph_is_lost(self):
        text = report.page([null(1_000, [0.1], [1.0])], FACTS)
        for line in text.splitlines():
            self.assertTrue(len(line) <= 100 or line.startswith("|"), line)
        for title, about in report.TITLES.values():
            self.assertTrue(title and about.strip())
        self.assertIn("Memory below 10 MB", " ".join(text.split()))

    def test_memory_below_the_drivers_own_is_a_limit(self):
        self.assertEqual(report.memory([sample(1, memory=9_000_000)], 10_000_000), "< 10 MB")
        self.assertEqual(report.memory([sample(1)], 10_000_000), "-")


class Tools(unittest.TestCase):
    def test_each_says_what_it_ran(self):
        vwfb, ninja = tools.Vwfb(2, "vwfb"), tools.Ninja(2)
        self.assertEqual(vwfb.ran("/a/ran 7.txt\nran 1,297, cached 3 in 1.1 s\n"), 1297)
        self.assertEqual(vwfb.ran("[1/2] //:ran 5 in 3 ms\nunchanged 100 in 18 ms\n"), 0)
        self.assertEqual(ninja.ran("[1/3] a\n[2/2] b\n"), 2)
        self.assertEqual(ninja.ran("ninja: no work to do.\n"), 0)
        self.assertEqual(tools.Make(2).ran("cp a b\nmake: 'all' is up to date.\n"), 1)


class Graphs(unittest.TestCase):
    def test_the_hash_is_ninjas(self):
        # From the .ninja_log of ninja 1.11.1 for these commands.
        for command, known in HASHES.items():
            self.assertEqual(f"{murmur64a(command.encode()):x}", known)

    def test_all_that_follows_from_a_leaf_is_counted(self):
        counts = {shape: cases.cone(Graph(shape, 300, "."), 0) for shape in SHAPES}
        # Of 3 columns, the leaf and all tasks of the 99 layers above it, which need steps 0, 1, 7.
        self.assertEqual(counts, {"wide": 1, "chain": 300, "layered": 1 + 2 + 98 * 3})

    def test_dependencies_come_before(self):
        for shape in SHAPES:
            for number in range(500):
                self.assertTrue(all(need < number for need in needs(shape, number, 500)))

    def test_a_command_is_edited_where_it_is_and_nowhere_else(self):
        with tempfile.TemporaryDirectory() as folder:
            graph = Graph("layered", 200, pathlib.Path(folder), first=True, package=2)
            graph.write()
            build, manifest = graph.root / "d0099/BUILD.kdl", graph.root / "build.ninja"
            before = build.read_text(), manifest.read_text()
            for number in (1, 2):
                cases.edit_command(graph, 199, number)
            head, mark, tail = before[0].partition('task "t199"')
            edited = head + mark + tail.replace('script "', 'script ": 2; ')
            self.assertEqual(build.read_text(), edited)
            inputs = " ".join(graph.inputs(199, "out"))
            edge = f"  command = : 2; cksum {inputs} > out/d0099/t199.txt\n"
            self.assertEqual(manifest.read_text(), before[1] + edge)


HASHES = {
    "cp d0000/s0.txt out/d0000/t0.txt": "9e81d5ea8cf723d9",
    "cp d0000/s1.txt out/d0000/t1.txt": "4c05c77f657e76a0",
}


def run():
    """Runs all; the exit code."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(__import__("selftest"))
    return 0 if unittest.TextTestRunner(verbosity=0).run(suite).wasSuccessful() else 1
