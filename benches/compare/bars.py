"""What must hold: each bar with its aim, and how it is read from the results."""

import dataclasses

from measure import median, ratio


@dataclasses.dataclass
class Bar:
    """One row of the table that says what is met."""

    what: str
    limit: float
    aim: float
    unit: str
    """`x`, `ms`, `s` or `MB`."""
    peer: str
    size: int
    """The tasks (for a file, MiB) that the bar is about; 0 for any."""
    value: object
    """From the results and a size to the figure, or None."""

    def row(self, results):
        """Size measured at, figure and verdict; the nearest smaller size if the bar's is missing."""
        sizes = sorted({result.tasks for result in results if 0 < result.tasks <= self.size})
        for size in [self.size, *reversed(sizes)] if self.size else [0]:
            figure = self.value(results, size)
            if figure is not None:
                return size, figure, self.verdict(figure) if size == self.size else "not at this size"
        return None, None, "not measured"

    def verdict(self, figure):
        if figure <= self.aim:
            return "met, and the aim"
        return "met" if figure <= self.limit else "**not met**"


def of(results, case, size, shape=None):
    """The results of a case at a size."""
    return [
        result for result in results
        if result.case == case and (not size or result.tasks == size)
        and (shape is None or result.shape == shape)
    ]


def worst(figures):
    """The largest of those there are."""
    figures = [figure for figure in figures if figure is not None]
    return max(figures) if figures else None


def times(case, peer, shape=None, ours="vwfb"):
    """The worst ratio of a case over its shapes."""
    return lambda results, size: worst(
        ratio(found.samples.get(ours, []), found.samples.get(peer, []))
        for found in of(results, case, size, shape)
    )


def takes(case, scale, shape=None):
    """The median of a case, in a unit of which there are `scale` a second."""
    def value(results, size):
        walls = [median(found.samples["vwfb"]) for found in of(results, case, size, shape)]
        longest = worst(walls)
        return None if longest is None else longest * scale
    return value


def over(case, base):
    """By how many milliseconds a case takes longer than its base, in the same rounds."""
    return lambda results, size: worst(
        (median(found.samples["vwfb"]) - median(found.samples[base])) * 1000
        for found in of(results, case, size)
    )


def work(case, peer):
    """The processor time of a case, as a share of a peer's in the same rounds."""
    def value(results, size):
        return worst(
            median(found.samples["vwfb"], "cpu") / median(found.samples[peer], "cpu")
            for found in of(results, case, size)
        )
    return value


def peak(case):
    """The most memory of any run of a case, in MB."""
    return lambda results, size: worst(
        max(sample.memory for sample in found.samples["vwfb"]) / 1e6
        for found in of(results, case, size)
    )


def growth(results, size):
    """How many times as long a null build of ten times the tasks takes."""
    figures = []
    for found in of(results, "null", size):
        small = of(results, "null", size // 10, found.shape)
        if small:
            figures.append(ratio(found.samples["vwfb"], small[0].samples["vwfb"]))
    return worst(figures)


BARS = [
    Bar("null build", 0.5, 0.3, "x", "ninja", 10_000, times("null", "ninja")),
    Bar("null build", 0.4, 0.2, "x", "ninja", 100_000, times("null", "ninja")),
    Bar("null build, peak memory", 150, 150, "MB", "", 100_000, peak("null")),
    Bar("one leaf edited, same result", 0.5, 0.25, "x", "ninja (restat)", 100_000,
        times("leaf-same", "ninja", "layered")),
    Bar("one leaf edited at the bottom, all changes", 1.0, 0.8, "x", "ninja", 10_000,
        times("leaf-changed", "ninja", "layered")),
    Bar("one rule file of 100 edited, over the null build", 150, 50, "ms", "", 100_000,
        over("rule-comment", "vwfb, unchanged")),
    Bar("full build through `sh -c`", 1.2, 0.9, "x", "ninja", 10_000,
        times("full-shell", "ninja", "wide")),
    Bar("full build as plain argv", 0.9, 0.75, "x", "ninja", 10_000,
        times("full", "ninja", "wide", "vwfb argv")),
    Bar("restore outputs after `clean`", 1.0, 0.3, "s", "", 10_000, takes("restore", 1)),
    Bar("first load of never-seen targets", 1.5, 0.3, "s", "", 10_000, takes("first-load", 1)),
    Bar("plan of a new fan-out", 1.0, 1.0, "s", "", 100_000, takes("fan-out", 1)),
    Bar("plan of a new fan-out, peak memory", 500, 500, "MB", "", 100_000, peak("fan-out")),
    Bar("hash and store one file of 2 GiB", 1.3, 1.0, "x", "b3sum + cp", 2048,
        times("ingest", "b3sum + cp")),
    Bar("one caption of a short of 12 segments edited, processor time", 0.1, 0.1, "x",
        "building all of it", 0, work("film", "vwfb, all")),
    Bar("`vwfb version`", 10, 5, "ms", "", 0, takes("version", 1000)),
    Bar("completion of a label", 40, 20, "ms", "", 0, takes("complete", 1000)),
    Bar("`vwfb why`", 2, 1, "x", "its null build", 100_000, times("why", "vwfb, unchanged")),
    Bar("growth of the null build from a tenth", 11, 10, "x", "its null build", 100_000, growth),
]
