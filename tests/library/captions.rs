//! Subtitles, chapters, thumbnails and contact sheets, measured against the clips that they are of.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::media::{built, frames, output, probed, refused, rgb, samples, workshop};
use crate::world::World;

/// Frames a second of the clips in these tests, and their size.
const FPS: f64 = 30.0;
const SIZE: &str = "128x72";

/// Writes `p/NAME.mov`: a clip of so many frames with a tone, frame `n` as light as `first + n`, and
/// bluish or yellowish in turn.
fn clip(world: &World, name: &str, frames: u32, first: u32) {
    let file = world.path(&format!("p/{name}.mov"));
    let seconds = format!("{:.6}", f64::from(frames) / FPS);
    let picture = format!(
        "color=black:s={SIZE}:r=30:d={seconds},format=yuv420p,geq=lum='16+{first}+N':cb='104+48*mod({first}+N,2)':cr=128"
    );
    let sound = format!("sine=440:r=44100:d={seconds},aformat=channel_layouts=stereo");
    let inputs = ["-v", "error", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound];
    let video = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "4", "-g", "60"];
    let sound = ["-c:a", "pcm_s16le", "-video_track_timescale", "30", file.to_str().unwrap()];
    let _none = output("ffmpeg", &[&inputs[..], &video[..], &sound[..]].concat());
}

/// A package with the clips `a` of 61 and `b` of 143 frames, and the film that they make.
fn world(targets: &str) -> World {
    let film =
        "filegroup \"clips\" { srcs \"a.mov\" \"b.mov\" }\nconcat \"film\" clips=\":clips\"\n";
    let world = workshop(&["video"], &format!("{film}{targets}"));
    clip(&world, "a", 61, 0);
    clip(&world, "b", 143, 61);
    world
}

/// A cue: when it begins and ends, in seconds, and its lines.
struct Cue {
    start: f64,
    end: f64,
    lines: Vec<String>,
}

/// The cues of a SubRip or WebVTT file.
fn cues(text: &str) -> Vec<Cue> {
    let seconds = |stamp: &str| {
        let stamp = stamp.replace(',', ".");
        stamp.split(':').fold(0.0, |all, part| all * 60.0 + part.parse::<f64>().unwrap())
    };
    let blocks = text.split("\n\n").filter(|block| block.contains(" --> ") && !block.is_empty());
    let cue = |block: &str| {
        let at = block.lines().position(|line| line.contains(" --> ")).unwrap();
        let (start, end) = block.lines().nth(at).unwrap().split_once(" --> ").unwrap();
        let lines = block.lines().skip(at + 1).map(str::to_owned).collect();
        Cue { start: seconds(start), end: seconds(end), lines }
    };
    blocks.map(cue).collect()
}

#[track_caller]
fn near(value: f64, wanted: f64, most: f64) {
    assert!((value - wanted).abs() <= most, "{value}, not {wanted}");
}

/// All words of cues, one space between two.
fn words(cues: &[Cue]) -> String {
    cues.iter().flat_map(|cue| &cue.lines).map(String::as_str).collect::<Vec<_>>().join(" ")
}

const LONG: &str = "This is a longer text, with \"quotes\" & things; it has more than one sentence. \
    Here is another one that goes on for quite some time, I would say, as people do. And the end!";

#[test]
fn cues_lie_within_the_measured_clips_and_say_all_of_the_text() {
    let world = world(
        r#"
        subtitles "it" clips=":clips" { texts "a.txt" "b.txt" }
        subtitles "crossed" clips=":clips" overlap="490ms" { texts "a.txt" "b.txt" }
        subtitles "narrow" clips=":clips" max-chars=12 max-lines=1 pad-before="0s" pad-after="0s" {
            texts "silent.txt" "b.txt"
        }
        "#,
    );
    world.write("p/a.txt", "One short line.");
    world.write("p/b.txt", format!("\u{feff}{}\r\n", LONG.replace(". ", ".\r\n\r\n")));
    world.write("p/silent.txt", " \n");

    let made = cues(&fs::read_to_string(built(&world, "it")).unwrap());
    let (first, rest) = made.split_first().unwrap();
    near(first.start, 0.4, 0.001);
    near(first.end, 61.0 / FPS - 0.6, 0.001);
    assert_eq!(first.lines, ["One short line."]);
    near(rest[0].start, 61.0 / FPS + 0.4, 0.001);
    near(rest.last().unwrap().end, (61.0 + 143.0) / FPS - 0.6, 0.001);
    assert_eq!(words(rest), LONG);
    for pair in rest.windows(2) {
        near(pair[0].end, pair[1].start, 0.000_1);
    }
    for cue in rest {
        assert!(cue.end - cue.start > 0.2, "{:?}", cue.lines);
        assert!((1..=2).contains(&cue.lines.len()), "{:?}", cue.lines);
        assert!(cue.lines.iter().all(|line| line.chars().count() <= 42), "{:?}", cue.lines);
    }
    assert!(rest.iter().any(|cue| words(std::slice::from_ref(cue)).ends_with("sentence.")));

    // 490 ms are 15 frames, as a cross-fade would have them.
    let crossed = cues(&fs::read_to_string(built(&world, "crossed")).unwrap());
    near(crossed[1].start, (61.0 - 15.0) / FPS + 0.4, 0.001);

    let narrow = cues(&fs::read_to_string(built(&world, "narrow")).unwrap());
    assert_eq!(words(&narrow), LONG);
    near(narrow[0].start, 61.0 / FPS, 0.001);
    assert!(narrow.iter().all(|cue| cue.lines.len() == 1 && cue.lines[0].chars().count() <= 12));
}

#[test]
fn what_looks_like_markup_is_text_in_both_formats() {
    let world = world(
        r#"
        subtitles "srt" clips=":clips" { texts "a.txt" "b.txt" }
        subtitles "vtt" format="vtt" clips=":clips" { texts "a.txt" "b.txt" }
        "#,
    );
    let text = r#"<b>a</b> < b & "c" 'd' {\an8} --> \N $(e) Größe"#;
    world.write("p/a.txt", text);
    world.write("p/b.txt", "日本語".repeat(15));

    let srt = built(&world, "srt");
    let made = fs::read_to_string(&srt).unwrap();
    let seen = made.replace('\u{2060}', "");
    assert_eq!(words(&cues(&seen)[..1]), text);
    assert!(["<b", "</", "{\\", "-->  \\"].iter().all(|markup| !made.contains(markup)), "{made}");
    let japanese: String = cues(&made).remove(1).lines.concat();
    assert_eq!(japanese, "日本語".repeat(15), "a line breaks where there are no spaces");
    assert_eq!(cues(&made)[1].lines.len(), 2);
    // As others read it: nothing of it is taken for a tag.
    let read = output("ffmpeg", &["-v", "error", "-i", srt.to_str().unwrap(), "-f", "srt", "-"]);
    let read = String::from_utf8(read).unwrap().replace('\u{2060}', "");
    assert!(read.contains("<b>a</b> < b & \"c\" 'd'"), "{read}");

    let made = fs::read_to_string(built(&world, "vtt")).unwrap();
    assert!(made.starts_with("WEBVTT\n\n00:00:00.400 --> 00:00:01.433\n"), "{made}");
    let shown = cues(&made).remove(0).lines.join(" ");
    assert!(!shown.contains(['<', '>']), "{shown}");
    let plain = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    assert_eq!(plain.replace("&amp;", "&"), text);
}

#[test]
fn cues_follow_the_times_of_words_where_they_are_known() {
    let world = world(
        r#"
        subtitles "it" clips=":clips" max-chars=12 max-lines=1 {
            texts "a.txt" "b.txt"
            timings "a.json" "b.json"
        }
        "#,
    );
    world.write("p/a.txt", "");
    world.write("p/a.json", r#"{"aligned": true, "words": []}"#);
    world.write("p/b.txt", "One two. Three-four \"five\".");
    let words = r#"{"silences": [{"start": 0, "end": 9}], "nested": {"words": [{"start": 7}]},
        "words": [{"word": "one", "start": 0.25, "end": 0.5}, {"word": "two", "start": 0.6, "end": 1},
        {"end": 2.0, "start": 1.5, "word": "three"}, {"word": "four", "start": 2.0, "end": 2.5},
        {"word": "five", "start": 3.0, "end": 3.25, "score": -1e-3}]}"#;
    world.write("p/b.json", words);
    let made = cues(&fs::read_to_string(built(&world, "it")).unwrap());
    let speech = 61.0 / FPS + 0.4;
    let wanted = [("One two.", 0.25, 1.0), ("Three-four", 1.5, 2.5), ("\"five\".", 3.0, 3.25)];
    assert_eq!(made.len(), wanted.len());
    for (cue, (text, start, end)) in made.iter().zip(wanted) {
        assert_eq!(cue.lines, [text]);
        near(cue.start, speech + start, 0.001);
        near(cue.end, speech + end, 0.001);
    }

    world.write("p/b.json", r#"{"words": [{"word": "other", "start": 1, "end": 2}]}"#);
    let _other = refused(&world, "it").says("the words of timings 2 are not those of text 2");
    world.write("p/b.json", words.replace("3.25", "5.25"));
    let _late = refused(&world, "it").says("timings 2 end after the speech of clip 2");
    let unread = words.replacen('{', r#"{"aligned": false, "reason": "a word is missing","#, 1);
    world.write("p/b.json", unread);
    let why = "timings 2 are not those of a reading of its text: a word is missing";
    let _unread = refused(&world, "it").says(why);
    world.write("p/b.json", "[]");
    let _list = refused(&world, "it").says("timings 2 cannot be read");
}

#[test]
fn cues_end_with_phrases_and_short_gaps_are_closed() {
    let world = world(
        r#"
        subtitles "it" clips=":clips" { texts "a.txt" "b.txt" }
        subtitles "narrow" clips=":clips" max-lines=1 { texts "a.txt" "c.txt" }
        subtitles "timed" clips=":clips" max-chars=12 max-lines=1 {
            texts "silent.txt" "d.txt"
            timings "silent.json" "d.json"
        }
        "#,
    );
    world.write("p/a.txt", "One.");
    let sentences = [
        "A store that forgets nothing.",
        "Every result is kept under the fingerprint of its bytes.",
        "Go back to yesterday's text, and yesterday's film is there.",
    ];
    world.write("p/b.txt", sentences.join(" "));
    let made = cues(&fs::read_to_string(built(&world, "it")).unwrap());
    let said: Vec<String> = made[1..].iter().map(|cue| cue.lines.join(" ")).collect();
    assert_eq!(said, sentences);
    world.write("p/c.txt", sentences[1]);
    let made = cues(&fs::read_to_string(built(&world, "narrow")).unwrap());
    let said: Vec<String> = made[1..].iter().map(|cue| cue.lines.join(" ")).collect();
    assert_eq!(said, ["Every result is kept", "under the fingerprint of its bytes."]);

    world.write("p/silent.txt", "");
    world.write("p/silent.json", r#"{"words": []}"#);
    world.write("p/d.txt", "One two. Three four. Five six.");
    let word = |word: &str, start: f64, end: f64| {
        format!(r#"{{"word":"{word}","start":{start},"end":{end}}}"#)
    };
    let words = [
        word("one", 0.1, 0.4),
        word("two", 0.4, 0.9),
        word("three", 1.05, 1.4),
        word("four", 1.4, 1.9),
        word("five", 2.2, 2.5),
        word("six", 2.5, 3.0),
    ];
    world.write("p/d.json", format!(r#"{{"words": [{}]}}"#, words.join(",")));
    let made = cues(&fs::read_to_string(built(&world, "timed")).unwrap());
    near(made[0].end, made[1].start, 0.000_1);
    near(made[2].start - made[1].end, 0.3, 0.002);
}

#[test]
fn subtitles_without_their_clips_are_refused() {
    let world = world(
        r#"
        subtitles "fewer" clips=":clips" texts="a.txt"
        subtitles "padded" clips=":clips" pad-before="2s" { texts "a.txt" "a.txt" }
        subtitles "wordless" clips=":clips" { texts "silent.txt" "silent.txt" }
        subtitles "sound" texts="a.txt" clips="sound.mov"
        subtitles "untimed" clips=":clips" timings="a.json" { texts "a.txt" "a.txt" }
        "#,
    );
    world.write("p/a.txt", "One.");
    world.write("p/silent.txt", "\n");
    world.write("p/a.json", "{}");
    let sound = world.path("p/sound.mov");
    let args = ["-v", "error", "-f", "lavfi", "-i", "sine=d=1", sound.to_str().unwrap()];
    let _none = output("ffmpeg", &args);
    let _fewer = refused(&world, "fewer").says("there are 1 `texts` for 2 `clips`");
    let _padded =
        refused(&world, "padded").says("clip 1 is 2.03333 s long, no longer than its pads");
    let _wordless = refused(&world, "wordless").says("there is no word in any text");
    let _sound = refused(&world, "sound").says("has no picture");
    let _untimed = refused(&world, "untimed").says("there are 1 `timings` for 2 `clips`");
}

/// The mean of the absolute differences of two frames' bytes, in rows from `top` to `bottom` of 72.
fn difference(one: &[u8], two: &[u8], top: usize, bottom: usize) -> f64 {
    let rows = top * 128 * 3..bottom * 128 * 3;
    let pairs = one[rows.clone()].iter().zip(&two[rows]);
    let sum: u32 = pairs.map(|(one, two)| u32::from(one.abs_diff(*two))).sum();
    f64::from(sum) / f64::from(u32::try_from((bottom - top) * 128 * 3).unwrap())
}

#[test]
fn burnt_subtitles_show_in_the_frames_of_their_cues_and_leave_the_rest() {
    let world = world(
        r##"
        burn_subtitles "it" clip=":film" subtitles="it.srt" font-size=200 preset="ultrafast" crf=4
        burn_subtitles "block" clip="a.mov" subtitles="block.vtt" position="top" color="#ffd400" {
            font-size 400
            outline 0
            preset "ultrafast"
        }
        concat "again" clips=":it"
        "##,
    );
    // From frame 12 to before 31, and from 90 to before 96.
    let cues = "\u{feff}1\r\n00:00:00,400 --> 00:00:01,033\r\nA 'b': [c], {d} \\N;\r\n\r\n\
        2\r\n00:00:03,000 --> 00:00:03,200\r\n<i>XXXXX</i> XXXXX\r\n";
    world.write("p/it.srt", cues);
    world.write("p/block.vtt", "WEBVTT\n\nNOTE a\n\n00:00.000 --> 00:01.000 line:0\n██████\n");

    let (film, made) = (built(&world, "film"), built(&world, "it"));
    assert_eq!(frames(&made), 61 + 143);
    assert_eq!(samples(&made), samples(&film), "the sound is copied");
    for (index, shown) in [
        (0, false),
        (11, false),
        (12, true),
        (30, true),
        (31, false),
        (89, false),
        (90, true),
        (95, true),
        (96, false),
    ] {
        let (before, after) = (rgb(&film, index), rgb(&made, index));
        let low = difference(&before, &after, 44, 72);
        assert_eq!(low > 8.0, shown, "frame {index} differs by {low}");
        near(difference(&before, &after, 0, 24), 0.0, 3.0);
    }
    let _joined = built(&world, "again");

    let block = rgb(&built(&world, "block"), 5);
    let colours = block.chunks_exact(3).filter(|colour| {
        [255, 212, 0].iter().zip(*colour).all(|(wanted, value)| value.abs_diff(*wanted) < 8)
    });
    assert!(colours.count() > 300, "the colour is what was asked for");
}

#[test]
fn what_cannot_be_burnt_is_refused() {
    let targets = ["late", "foreign", "glyph", "broken", "backwards", "empty"].map(|name| {
        let font = if name == "foreign" { "Arial" } else { "DejaVu Sans" };
        format!(
            "burn_subtitles \"{name}\" clip=\"a.mov\" subtitles=\"{name}.srt\" font=\"{font}\"\n"
        )
    });
    let world = world(&format!(
        "{}\nnormalize \"aac\" clip=\":film\"\nburn_subtitles \"encoded\" clip=\":aac\" subtitles=\"foreign.srt\"",
        targets.concat()
    ));
    let cue = |times: &str, text: &str| format!("1\n{times}\n{text}\n\n");
    world.write("p/late.srt", cue("00:00:01,000 --> 00:00:03,000", "A"));
    world.write("p/foreign.srt", cue("00:00:00,000 --> 00:00:01,000", "A"));
    world.write("p/glyph.srt", cue("00:00:00,000 --> 00:00:01,000", "日"));
    world.write("p/broken.srt", cue("00:00:00,000 --> 00:00:01,000", "A\n\nB"));
    world.write("p/backwards.srt", cue("00:00:01,000 --> 00:00:00,500", "A"));
    world.write("p/empty.srt", "\n");
    let _late =
        refused(&world, "late").says("line 2 has a cue until 3 s, and the clip has 2.03333 s");
    let _foreign = refused(&world, "foreign").says("there is no font `Arial`");
    let _glyph = refused(&world, "glyph").says("no font has the character U+65E5");
    let _broken = refused(&world, "broken").says("line 5 is in no cue");
    let _backwards = refused(&world, "backwards").says("line 2 ends a cue before it begins");
    let _empty = refused(&world, "empty").says("there is no cue");
    let _encoded = refused(&world, "encoded").says("is not H.264 with 44.1 kHz stereo PCM");
}

/// The chapters of a film: when each begins and ends, and its title.
fn chapters(film: &Path) -> Vec<(f64, f64, String)> {
    let args = ["-v", "error", "-show_chapters", "-of", "json", film.to_str().unwrap()];
    let all: Value = serde_json::from_slice(&output("ffprobe", &args)).unwrap();
    let time = |chapter: &Value, name: &str| chapter[name].as_str().unwrap().parse().unwrap();
    let chapter = |chapter: &Value| {
        let title = chapter["tags"]["title"].as_str().unwrap().to_owned();
        (time(chapter, "start_time"), time(chapter, "end_time"), title)
    };
    all["chapters"].as_array().unwrap().iter().map(chapter).collect()
}

/// Digests of the streams' packets.
fn packets(film: &Path) -> String {
    let args = ["-v", "error", "-i", film.to_str().unwrap(), "-map", "0:v", "-map", "0:a"];
    let all = [&args[..], &["-c", "copy", "-f", "streamhash", "-"]].concat();
    String::from_utf8(output("ffmpeg", &all)).unwrap()
}

#[test]
fn chapters_begin_where_their_clips_were_measured_to() {
    let world = world(
        r#"
        filegroup "three" { srcs "a.mov" "b.mov" "a.mov" }
        concat "long" clips=":three"
        normalize "final" clip=":long"
        chapters "it" film=":final" clips=":three" { titles "A = 1; # \\ b" "  Größe \"x\" $(y)\t" "[CHAPTER]" }
        chapters "filed" film=":final" clips=":three" { titles-files "lines.txt" "empty.txt" "last.txt" }
        chapters "fewer" film=":long" format="mov" clips=":three" titles-file="titles.txt"
        "#,
    );
    world.write("p/titles.txt", "\u{feff}One\r\n\r\nTwo\r\n");
    let (film, made) = (built(&world, "final"), built(&world, "it"));
    assert_eq!(packets(&made), packets(&film), "the streams are copied");
    let wanted = [
        (0.0, 61.0, "A = 1; # \\ b"),
        (61.0, 204.0, "Größe \"x\" $(y)"),
        (204.0, 265.0, "[CHAPTER]"),
    ];
    let found = chapters(&made);
    assert_eq!(found.len(), 3, "{found:?}");
    for ((start, end, title), wanted) in found.iter().zip(wanted) {
        near(*start, wanted.0 / FPS, 0.001);
        near(*end, wanted.1 / FPS, 0.001);
        assert_eq!(title, wanted.2);
    }
    let log = world.ok(&["log", "//p:it"]).stdout;
    assert!(log.contains("the chapter `A = 1; # \\ b` lasts less than 10 s"), "{log}");
    let list = world.read("vwfb-out/p/it.txt");
    assert_eq!(list, "00:00 A = 1; # \\ b\n00:03 Größe \"x\" $(y)\n00:07 [CHAPTER]\n");

    world.write("p/lines.txt", "\u{feff}One,\r\ntwo\r\n");
    world.write("p/empty.txt", "");
    world.write("p/last.txt", "Last");
    let _filed = built(&world, "filed");
    assert_eq!(world.read("vwfb-out/p/filed.txt"), "00:00 One, two\n00:07 Last\n");

    let found = chapters(&built(&world, "fewer"));
    assert_eq!(found.len(), 2, "an empty title goes on with the chapter before: {found:?}");
    near(found[1].0, 204.0 / FPS, 0.001);
    assert_eq!(world.read("vwfb-out/p/fewer.txt"), "00:00 One\n00:07 Two\n");
}

#[test]
fn chapters_of_another_film_are_refused() {
    let world = world(
        r#"
        chapters "fewer" film=":film" format="mov" clips=":clips" titles="One"
        chapters "twice" film=":film" format="mov" clips=":clips" titles="One" titles-files="a.txt"
        chapters "files" film=":film" format="mov" clips=":clips" titles-files="a.txt"
        chapters "lines" film=":film" format="mov" clips=":clips" { titles "One\nTwo" "Three" }
        chapters "nameless" film=":film" format="mov" clips=":clips" { titles "" "Two" }
        chapters "other" film=":film" format="mov" clips="a.mov" titles="One"
        chapters "crossed" film=":film" format="mov" clips=":clips" overlap="500ms" { titles "One" "Two" }
        chapters "pcm" film=":film" clips=":clips" { titles "One" "Two" }
        chapters "untitled" film=":film" clips=":clips"
        "#,
    );
    let _fewer = refused(&world, "fewer").says("there are 1 titles for 2 `clips`");
    world.write("p/a.txt", "One");
    let _twice = refused(&world, "twice").says("titles are given twice");
    let _files = refused(&world, "files").says("there are 1 titles for 2 `clips`");
    let _lines = refused(&world, "lines").says("has a line break");
    let _nameless = refused(&world, "nameless").says("the first title is empty");
    let _other =
        refused(&world, "other").says("the film has 6.8 s, and its clips together 2.03333 s");
    let _crossed = refused(&world, "crossed").says("and its clips together 6.3 s");
    let _pcm = refused(&world, "pcm").says("PCM needs `format=\"mov\"`");
    let _untitled = refused(&world, "untitled").says("there are no titles");
}

/// How many pixels of the lower half of a picture are almost white.
fn white(picture: &Path) -> usize {
    let pixels = rgb(picture, 0);
    let low = &pixels[pixels.len() / 2..];
    low.chunks_exact(3).filter(|pixel| pixel.iter().all(|value| *value > 240)).count()
}

#[test]
fn a_thumbnail_has_its_size_and_its_words() {
    let text = r#"</text></svg> & "it's" $(date) {x} %{pts} 100%"#;
    let written = text.replace('{', "{{").replace('}', "}}");
    let world = world(&format!(
        "thumbnail \"plain\" video=\":film\" at=\"5s\"
        thumbnail \"titled\" video=\":film\" at=\"5s\" text={written:?}
        thumbnail \"png\" image=\":plain\" format=\"png\" width=360 height=640 fit=\"pad\" background=\"#ff0000\"
        thumbnail \"noise\" image=\"noise.png\"
        thumbnail \"large\" image=\"noise.png\" format=\"png\"
        thumbnail \"late\" video=\":film\" at=\"7s\"
        thumbnail \"both\" video=\":film\" image=\":plain\"
        thumbnail \"neither\"
        thumbnail \"bare\" text=\"x\" background=\"#304050\" format=\"png\"
        thumbnail \"last\" video=\":film\" at=\"6.79s\"
        thumbnail \"taken\" image=\":seen\"
        frame \"seen\" video=\":film\" at=\"6.79s\"
        frame \"even\" video=\":film\" at=\"5s\"
        thumbnail \"boxes\" image=\":plain\" text=\"漢字 a🦊\"
        thumbnail \"roomless\" image=\":plain\" text=\"x\" margin=358"
    ));
    let noise = world.path("p/noise.png");
    let mut state = 1_u32;
    let mut byte = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    world.write("p/noise.raw", (0..1280 * 720 * 3).map(&mut byte).collect::<Vec<u8>>());
    let raw = world.path("p/noise.raw");
    let args = ["-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "1280x720", "-i"];
    let _none =
        output("ffmpeg", &[&args[..], &[raw.to_str().unwrap(), noise.to_str().unwrap()]].concat());
    let size = |file: &PathBuf| probed(file, "v:0", "codec_name,width,height").join(" ");

    let plain = built(&world, "plain");
    assert_eq!(size(&plain), "mjpeg 1280 720");
    same_colour(&rgb(&plain, 0)[(1280 * 360 + 640) * 3..], &rgb(&built(&world, "film"), 150));
    same_colour(&rgb(&built(&world, "even"), 0), &rgb(&built(&world, "film"), 150));
    assert_eq!(white(&plain), 0);
    let titled = built(&world, "titled");
    assert_eq!(size(&titled), "mjpeg 1280 720");
    assert!(white(&titled) > 5_000, "{}", white(&titled));

    let png = built(&world, "png");
    assert_eq!(size(&png), "png 360 640");
    assert_eq!(rgb(&png, 0)[..3], [255, 0, 0], "there is room above a wide picture");
    assert!(fs::metadata(&noise).unwrap().len() > 2_000_000);
    assert!(fs::metadata(built(&world, "noise")).unwrap().len() <= 2_000_000);
    let _large = refused(&world, "large").says("and 2000000 are allowed");
    let _late = refused(&world, "late").says("`at` is 7 s, and the film lasts 6.8");
    // The last frame is seen from 6.7667 s on.
    assert_eq!(fs::read(built(&world, "last")).unwrap(), fs::read(built(&world, "taken")).unwrap());
    let _boxes = refused(&world, "boxes").says("no font has `漢`, `字`, `🦊` of `漢字 a🦊`");
    let _both = refused(&world, "both").says("both `image` and `video` are given");
    let _neither = refused(&world, "neither").says("there is neither picture nor text");
    let bare = built(&world, "bare");
    assert_eq!(size(&bare), "png 1280 720");
    assert_eq!(rgb(&bare, 0)[..3], [0x30, 0x40, 0x50], "a plain colour, and no veil over it");
    let _roomless = refused(&world, "roomless").says("there is no room for `text`");
}

/// The first pixels of two pictures must be of one colour.
#[track_caller]
fn same_colour(one: &[u8], two: &[u8]) {
    let near = one.iter().zip(two).take(3).all(|(one, two)| one.abs_diff(*two) < 6);
    assert!(near, "{:?}, not {:?}", &one[..3], &two[..3]);
}

#[test]
fn a_contact_sheet_shows_the_frames_of_its_times() {
    let world = world(
        r#"
        contact_sheet "even" video=":film" columns=3 rows=2 width=128
        contact_sheet "timed" video=":film" columns=3 every="1.7s" width=128
        contact_sheet "many" video=":film" every="10ms"
        "#,
    );
    // The middle of cell `index` has the colour of a frame, and not of those beside it.
    let film = built(&world, "film");
    let shows = |sheet: &Path, index: usize, frame: u64| {
        let (x, y) = (8 + (index % 3) * 136 + 64, 8 + (index / 3) * 80 + 30);
        same_colour(&rgb(sheet, 0)[(y * 416 + x) * 3..], &rgb(&film, frame));
    };
    let size = |file: &Path| probed(file, "v:0", "width,height").join("x");
    let even = built(&world, "even");
    assert_eq!(size(&even), "416x168");
    for (index, frame) in [17, 51, 85, 119, 153, 187].into_iter().enumerate() {
        shows(&even, index, frame);
    }
    let timed = built(&world, "timed");
    assert_eq!(size(&timed), "416x168", "four pictures in two rows");
    for (index, frame) in [0, 51, 102, 153].into_iter().enumerate() {
        shows(&timed, index, frame);
    }
    let _many = refused(&world, "many").says("pictures or more, and 400 are the most");
}
