"""The film: a short of twelve segments, made from nothing, and again after one caption was edited."""

import random
import shutil

from measure import Wrong

SEGMENTS = 12
"""How many; together they last about a minute."""

WORDS = """the film graph knows what each clip needs and which sentence made it so that little runs when \
one of them is changed and the store keeps every result under the digest of its bytes""".split()

RULES = """\
use "@std/ai"
use "@std/audio"
use "@std/image"
use "@std/text"
use "@std/video"

split_sections "narration" src="narration.md"

each "segments" over=":narration" as="text" {
    tts "speech" text="{text}"
    tts_verify "words" audio=":speech" text="{text}"
    svg_render "slide" src="slides/{text.stem}.svg"
    still_clip "clip" image=":slide" audio=":speech"
}

concat "body" clips=":segments"

normalize "final" clip=":body"

subtitles "english" {
    texts ":narration"
    clips ":segments"
    timings ":segments.words"
}
"""

SLIDE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1080 1920" width="1080" height="1920">
  <rect width="1080" height="1920" fill="#1a1a2e"/>
  <circle cx="540" cy="{place}" r="220" fill="#00d4ff"/>
  <text x="540" y="1500" font-family="DejaVu Sans" font-size="80" fill="#ffffff" text-anchor="middle">{caption}</text>
</svg>
"""

EDITED = 5
"""The segment whose caption is edited."""

REMADE = ["slide", "clip", "body", "sound", "film", "english"]
"""What an edited caption runs: its slide and clip, the join, and what reads that."""


class Film:
    """The sources of the film in a folder, and its targets."""

    shape, tasks = f"film of {SEGMENTS} segments", 0

    def __init__(self, root):
        self.root = root
        words = random.Random(7)
        sections = [
            f"## Part {number}\n\n{' '.join(words.choice(WORDS) for _ in range(12))}.\n"
            for number in range(SEGMENTS)
        ]
        (root / "WORKSPACE.kdl").write_text(
            'workspace "film" {\n    resources {\n        tts 1\n    }\n}\n')
        (root / "slides").mkdir()
        (root / "BUILD.kdl").write_text(RULES)
        (root / "narration.md").write_text("\n".join(sections))
        for number in range(SEGMENTS):
            self.caption(number, f"Caption {number}")

    def caption(self, number, text):
        """Writes the slide of a segment."""
        slide = SLIDE.format(place=500 + 40 * number, caption=text)
        (self.root / f"slides/part-{number}.svg").write_text(slide)


def film(bench):
    """Builds it with an empty store, and then each time with another caption."""
    made = Film(bench.new_folder("film"))
    vwfb = bench.tools["vwfb"]

    def emptied(_number):
        for kept in [made.root / ".vwfb", made.root / "vwfb-out", vwfb.env(made)["VWFB_STORE"]]:
            shutil.rmtree(kept, ignore_errors=True)

    edits = iter(range(1_000))

    def edited():
        made.caption(EDITED, f"Edited {next(edits)}")
        return ran(bench, made, len(REMADE))

    runs = {"vwfb, all": lambda: ran(bench, made), "vwfb": edited}
    bench.in_turn("film", made, bench.rounds(3), runs, "vwfb, all", before=emptied)


def ran(bench, made, wanted=None):
    """A build of the whole film, which must have run so many tasks."""
    sample = bench.built(made, "vwfb")
    if wanted is not None and sample.ran != wanted:
        raise Wrong(f"the edit of a caption ran {sample.ran} tasks, expected {wanted}: {REMADE}")
    return sample
