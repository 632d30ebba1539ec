//! What models do, by the engines that need none: readings told from others, recorded answers, cards.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::media::{built, frames, output, probed, refused, rgb, samples, workshop};
use crate::world::World;

const TEXT: &str = "A build keeps what it has made. In 2026 nobody waits for a GPU twice.\n";
const OTHER: &str = "The weather tomorrow will be cold and windy. Please bring a warm coat.\n";
const CUT: &str = "A build keeps what it has made. In 2026 nobody waits\n";

/// A package in which `:voice` speaks [`TEXT`].
fn speaking(targets: &str) -> World {
    let voice = "tts \"voice\" text=\"text.txt\"\n";
    let world = workshop(&["ai", "audio"], &format!("{voice}{targets}"));
    world.write("p/text.txt", TEXT);
    world
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// When each word of a report begins and ends.
fn times(report: &Value) -> Vec<(f64, f64)> {
    let words = report["words"].as_array().unwrap();
    words.iter().map(|word| (number(&word["start"]), number(&word["end"]))).collect()
}

fn words(report: &Value) -> Vec<&str> {
    let words = report["words"].as_array().unwrap();
    words.iter().map(|word| word["word"].as_str().unwrap()).collect()
}

/// Has ffmpeg's source `source` become the file `p/NAME`.
fn made(world: &World, name: &str, source: &str) {
    let file = world.path(&format!("p/{name}"));
    let args = ["-v", "error", "-f", "lavfi", "-i", source, file.to_str().unwrap()];
    let _none = output("ffmpeg", &args);
}

#[test]
fn a_reading_is_told_from_another_and_from_one_that_is_cut() {
    let world = speaking(
        "tts_verify \"right\" audio=\":voice\" text=\"text.txt\" require=#true\n\
         tts_verify \"wrong\" audio=\":voice\" text=\"other.txt\"\n\
         tts_verify \"refused\" audio=\":voice\" text=\"other.txt\" require=#true\n\
         tts \"short\" text=\"cut.txt\"\n\
         tts_verify \"cut\" audio=\":short\" text=\"text.txt\"\n\
         tts_verify \"more\" audio=\":voice\" text=\"cut.txt\"\n",
    );
    world.write("p/other.txt", OTHER);
    world.write("p/cut.txt", CUT);

    let right = json(&built(&world, "right"));
    assert_eq!(right["aligned"], true);
    assert_eq!(right["reason"], Value::Null);
    assert_eq!(words(&right), TEXT.split_whitespace().collect::<Vec<_>>());
    let duration = number(&right["duration"]);
    let mut before = 0.0;
    for (start, end) in times(&right) {
        assert!(before <= start && start < end && end <= duration, "{right}");
        before = end;
    }
    // espeak-ng rests after the first sentence, and at the end.
    let silences = right["silences"].as_array().unwrap();
    assert_eq!(silences.len(), 2, "{right}");
    let (first, second) = (times(&right)[6].1, times(&right)[7].0);
    let (start, end) = (number(&silences[0]["start"]), number(&silences[0]["end"]));
    assert!((start - first).abs() < 0.4 && (end - second).abs() < 0.1, "{right}");
    assert!((number(&silences[1]["end"]) - duration).abs() < 0.02, "{right}");

    for name in ["wrong", "cut", "more"] {
        let report = json(&built(&world, name));
        assert_eq!(report["aligned"], false, "{name}: {report}");
        assert!(report["reason"].is_string(), "{name}: {report}");
    }
    let said = refused(&world, "refused");
    let _said = said.says("`audio` is not a reading of `text`: ").says("record it again");
}

#[test]
fn a_text_is_spoken_as_people_write() {
    let odd = "Łódź — naïve & ’tis 50% x² \"GPUs\" zzyzx [[x]] <b>\n";
    let world = speaking(
        "tts_verify \"odd\" audio=\":voice\" text=\"odd.txt\"\n\
         tts_verify \"none\" audio=\":voice\" text=\"none.txt\"\n\
         tts_verify \"voiceless\" audio=\":voice\" text=\"text.txt\" voice=\"xx-none\"\n\
         tts_verify \"silent\" audio=\"silence.wav\" text=\"text.txt\"\n\
         tts_verify \"empty\" audio=\"empty.wav\" text=\"text.txt\"\n",
    );
    world.write("p/odd.txt", odd);
    world.write("p/none.txt", "... — \n");
    made(&world, "silence.wav", "anullsrc=d=2");
    made(&world, "empty.wav", "anullsrc,atrim=end_sample=0");
    let report = json(&built(&world, "odd"));
    assert_eq!(report["aligned"], false, "{report}");
    let silent = json(&built(&world, "silent"));
    assert_eq!(silent["aligned"], false);
    assert_eq!(silent["reason"], "no reading of the text fits the recording");
    assert!((number(&silent["silences"][0]["end"]) - 2.0).abs() < 0.01, "{silent}");
    let said = refused(&world, "none").says("`in/text.txt` has no word that is spoken");
    let _said = said.says("hint: `in/text.txt` is `p/none.txt`");
    let _said = refused(&world, "voiceless").says("espeak-ng has no voice `xx-none`");
    let _said = refused(&world, "empty").says("`audio` holds no sound at all");
}

#[test]
fn a_transcript_of_what_is_known_has_its_words_and_of_what_is_not_a_mark() {
    let world = speaking(
        "transcribe \"plain\" audio=\":voice\" text=\"text.txt\"\n\
         transcribe \"srt\" audio=\":voice\" text=\"text.txt\" format=\"srt\"\n\
         transcribe \"vtt\" audio=\":voice\" text=\"text.txt\" format=\"vtt\"\n\
         transcribe \"wrong\" audio=\":voice\" text=\"other.txt\"\n\
         tts \"hello\" text=\"hello.txt\"\n\
         transcribe \"guess\" audio=\":hello\" format=\"json\"\n",
    );
    world.write("p/other.txt", OTHER);
    world.write("p/hello.txt", "Good morning.\n");
    assert_eq!(fs::read_to_string(built(&world, "plain")).unwrap(), TEXT);
    let report = json(&world.path("vwfb-out/p/plain.report.json"));
    assert_eq!(report["low-confidence"], false);

    let srt = fs::read_to_string(built(&world, "srt")).unwrap();
    let cues: Vec<Vec<&str>> = srt.split("\n\n").map(|cue| cue.lines().collect()).collect();
    assert_eq!(cues[0][0], "1");
    assert_eq!(cues[0][2], "A build keeps what it has made.");
    assert_eq!(cues[1][2], "In 2026 nobody waits for a GPU twice.");
    let second = number(&report["words"][7]["start"]);
    assert_eq!(&cues[1][1][..12], format!("00:00:0{second:.3}").replace('.', ","));
    let vtt = fs::read_to_string(built(&world, "vtt")).unwrap();
    assert_eq!(vtt.strip_prefix("WEBVTT\n\n").unwrap(), srt.replace(',', "."));

    let _said = refused(&world, "wrong").says("`audio` is not a reading of `text`");
    let guess = json(&built(&world, "guess"));
    assert_eq!(guess["low-confidence"], true);
    assert_eq!(json(&world.path("vwfb-out/p/guess.report.json")), guess);
}

#[test]
fn what_looks_like_markup_is_text_in_a_transcript_too() {
    let world = speaking(
        "tts \"odd\" text=\"odd.txt\"\n\
         transcribe \"srt\" audio=\":odd\" text=\"odd.txt\" format=\"srt\" tolerance=9.0\n\
         transcribe \"vtt\" audio=\":odd\" text=\"odd.txt\" format=\"vtt\" tolerance=9.0\n",
    );
    world.write("p/odd.txt", "A <build> keeps what it {has} made.\n");
    let srt = fs::read_to_string(built(&world, "srt")).unwrap();
    assert!(!srt.contains("<b") && !srt.contains("{h"), "{srt}");
    assert!(srt.replace('\u{2060}', "").contains("A <build> keeps what it {has} made."), "{srt}");
    let vtt = fs::read_to_string(built(&world, "vtt")).unwrap();
    assert!(vtt.contains("A &lt;build&gt; keeps what it {has} made."), "{vtt}");
}

#[test]
fn an_answer_is_the_one_recorded_for_exactly_this_question() {
    let world = workshop(
        &["ai"],
        "llm \"bare\" prompt=\"prompt.txt\"\n\
         llm \"asked\" prompt=\"prompt.txt\" answers=\"answers\"\n\
         llm \"other\" prompt=\"prompt.txt\" answers=\"answers\" temperature=0.5\n\
         llm \"filed\" prompt=\"prompt.txt\" answers=\"answers.json\"\n\
         llm \"named\" prompt=\"prompt.txt\" answers=\"answers.json\" answer=\"first\" \
            lines=\"[A-Z]+\\\\|.+\"\n\
         llm \"loose\" prompt=\"prompt.txt\" answers=\"answers.json\" answer=\"second\" \
            lines=\"[A-Z]+\\\\|.+\"\n\
         llm \"broken\" prompt=\"prompt.txt\" answers=\"answers.json\" answer=\"first\" lines=\"[\"\n\
         llm \"list\" prompt=\"prompt.txt\" answers=\"list.json\"\n",
    );
    world.write("p/prompt.txt", "Say 'hello' & \"bye\".\n");
    world.write("p/answers/none.txt", "");
    world.write("p/list.json", "[]");
    world.write(
        "p/answers.json",
        r#"{ "first": "SEGMENT|one\nSEGMENT|two", "second": "A|b\nc\n" }"#,
    );

    let said = refused(&world, "bare").says("give `answers`, a folder with the answer in `");
    let (_, key) = said.stderr.split_once("no recorded answer `").unwrap();
    let key = &key[..16];
    let _said = refused(&world, "asked").says(&format!("write the answer to `{key}.txt`"));
    let _said = refused(&world, "filed").says(&format!("add `\"{key}\": \"the answer\"`"));
    world.write(&format!("p/answers/{key}.txt"), "Hello, bye.");
    assert_eq!(fs::read_to_string(built(&world, "asked")).unwrap(), "Hello, bye.\n");
    let said = refused(&world, "other").says("there is no recorded answer");
    assert!(!said.stderr.contains(key), "the temperature is part of the question: {}", said.stderr);

    let named = fs::read_to_string(built(&world, "named")).unwrap();
    assert_eq!(named, "SEGMENT|one\nSEGMENT|two\n");
    let _said = refused(&world, "loose").says("line 2 of the answer is not of the form");
    let _said = refused(&world, "broken").says("`lines` is no regular expression");
    let _said = refused(&world, "list").says("`answers` is neither a folder nor a JSON object");
}

#[test]
fn an_audit_finds_black_and_blank_frames_and_asks_about_each() {
    let world = workshop(
        &["ai"],
        "llm_audit \"measured\" frame-count=2 { assets \"good.mp4\" \"black.mp4\" \"grey.png\" }\n\
         llm_audit \"strict\" fail-on-issues=#true { assets \"black.mp4\" }\n\
         llm_audit \"fine\" fail-on-issues=#true { assets \"good.mp4\" }\n\
         llm_audit \"asked\" frame-count=1 answers=\"answers.json\" { assets \"good.mp4\" }\n",
    );
    made(&world, "good.mp4", "testsrc2=s=64x64:d=1:r=10");
    made(&world, "black.mp4", "color=black:s=64x64:d=1:r=10");
    let grey = world.path("p/grey.png");
    let source = ["-v", "error", "-f", "lavfi", "-i", "color=gray:s=64x64", "-frames:v", "1"];
    let _none = output("ffmpeg", &[&source[..], &[grey.to_str().unwrap()]].concat());
    world.write("p/answers.json", "{}");

    let report = json(&built(&world, "measured"));
    assert_eq!(report["model"], "llava");
    assert_eq!(report["total_assets"], 3);
    assert_eq!(report["total_frames_analyzed"], 5);
    let findings = report["findings"].as_array().unwrap();
    let text = |index: usize, field: &str| findings[index][field].to_string();
    let all: Vec<String> = (0..5)
        .map(|i| ["asset", "frame", "is_critical"].map(|field| text(i, field)).join(" "))
        .collect();
    let wanted = [
        "\"good.mp4\" 2 false",
        "\"good.mp4\" 7 false",
        "\"black.mp4\" 2 true",
        "\"black.mp4\" 7 true",
        "\"grey.png\" 0 true",
    ];
    assert_eq!(all, wanted);
    assert!(text(2, "feedback").contains("black screen"), "{report}");
    assert!(text(4, "feedback").contains("blank"), "{report}");
    assert_eq!(report["critical_issues"].as_array().unwrap().len(), 3);

    let _fine = built(&world, "fine");
    let _said = refused(&world, "strict").says("of black.mp4").says("black screen");
    let said = refused(&world, "asked").says("for frame 5 of `good.mp4`");
    let (_, key) = said.stderr.split_once("has none of: ").unwrap();
    let answer = format!(r#"{{ "{}": "The file is CORRUPT." }}"#, &key[..16]);
    world.write("p/answers.json", answer);
    let asked = json(&built(&world, "asked"));
    let feedback = asked["findings"][0]["feedback"].as_str().unwrap();
    assert!(feedback.starts_with("The file is CORRUPT.; luma"), "{asked}");
    assert_eq!(asked["findings"][0]["is_critical"], true);
}

#[test]
fn a_card_shows_any_prompt_in_its_size_and_the_colour_of_its_seed() {
    let world = workshop(
        &["ai"],
        "text_to_image \"one\" prompt=\"Waves\" width=128 height=72\n\
         text_to_image \"two\" prompt=\"Waves\" width=128 height=72 seed=1\n\
         text_to_image \"odd\" width=128 height=72 \
            prompt=\"</text> & <b> \\\"x\\\" 'y' {{z}} $(id) `id` \\\\ %s é 日本 \\u{1F98A}\"\n\
         text_to_image \"long\" prompt=\"{vars.long}\" width=128 height=72\n\
         text_to_image \"tall\" prompt=\"a\"\n\
         text_to_image \"none\" prompt=\" \\n\"\n\
         text_to_image \"bell\" prompt=\"a\\u{7}\"\n",
    );
    let long = format!("vars {{ long \"{}\" }}\n", "a word and ".repeat(200) + &"x".repeat(400));
    let text = world.read("p/BUILD.kdl");
    world.write("p/BUILD.kdl", text + &long);
    let size = |name: &str| probed(&built(&world, name), "v:0", "width,height");
    for name in ["one", "two", "odd", "long"] {
        assert_eq!(size(name), ["128", "72"], "{name}");
    }
    assert_eq!(size("tall"), ["720", "1280"]);
    let pixels = |name: &str| rgb(&built(&world, name), 0);
    let (one, two) = (pixels("one"), pixels("two"));
    // Off the letters and the border, by a third of its height.
    let at = (24 * 128 + 12) * 3;
    assert_ne!(one[at..at + 3], two[at..at + 3], "the seed decides the colour");
    let light = |pixels: &[u8]| pixels.chunks(3).filter(|rgb| rgb.iter().all(|c| *c > 160)).count();
    assert!(light(&one) > 20, "the prompt is on the card");
    assert!(light(&pixels("odd")) > light(&one), "and all of a longer one");
    let _said = refused(&world, "none").says("`prompt` has no words");
    let _said = refused(&world, "bell").says("`prompt` has a control character");
}

#[test]
fn cards_move_for_as_many_frames_as_are_asked_for() {
    let world = workshop(
        &["ai"],
        "image_to_video \"moved\" image=\"picture.png\" frames=5\n\
         image_to_video \"more\" image=\"picture.png\" frames=5 motion=255\n\
         image_to_video \"thin\" image=\"thin.png\"\n\
         text_to_video \"film\" prompt=\"<Waves> & night\" width=128 height=72 length=9\n\
         text_to_video \"even\" prompt=\"Waves\" width=128 height=72 length=10\n\
         text_to_video \"odd\" prompt=\"Waves\" width=127 height=72 length=9\n",
    );
    for (name, size) in [("picture.png", "1500x700"), ("thin.png", "3000x12")] {
        let file = world.path(&format!("p/{name}"));
        let source = format!("testsrc2=s={size}");
        let args = ["-v", "error", "-f", "lavfi", "-i", &source, "-frames:v", "1"];
        let _none = output("ffmpeg", &[&args[..], &[file.to_str().unwrap()]].concat());
    }
    let shape = "codec_name,width,height,r_frame_rate";
    let moved = built(&world, "moved");
    assert_eq!(probed(&moved, "v:0", shape), ["h264", "1024", "472", "6/1"]);
    assert_eq!(frames(&moved), 5);
    let change = |film: &Path| {
        let (first, last) = (rgb(film, 0), rgb(film, 4));
        let apart = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b));
        first.iter().zip(&last).map(apart).sum::<u64>()
    };
    assert!(change(&moved) > 0);
    assert!(change(&built(&world, "more")) > change(&moved), "more motion moves more");
    let film = built(&world, "film");
    assert_eq!(probed(&film, "v:0", shape), ["h264", "128", "72", "16/1"]);
    assert_eq!(frames(&film), 9);
    assert_ne!(rgb(&film, 0), rgb(&film, 8));

    let _said = refused(&world, "even").says("`length` is 10, and not four times").says("9 or 13");
    let _said = refused(&world, "odd").says("127 x 72 is not even");
    let _said = refused(&world, "thin").says("`image` is less than 8 pixels wide or high");
}

#[test]
fn a_mouth_opens_with_the_sound_and_the_clip_joins_others() {
    let form = "width=64 height=64 fps=25 preset=\"ultrafast\"";
    let world = workshop(
        &["ai", "video"],
        &format!(
            "lipsync \"still\" face=\"face.png\" audio=\"sound.wav\" {form}\n\
             lipsync \"filmed\" face=\"face.mp4\" audio=\"sound.wav\" {form}\n\
             still_clip \"other\" image=\"face.png\" audio=\"sound.wav\" {form}\n\
             concat \"both\" {{ clips \":still\" \":other\" \":filmed\" }}\n\
             lipsync \"mute\" face=\"face.png\" audio=\"empty.wav\" {form}\n\
             lipsync \"faceless\" face=\"sound.wav\" audio=\"sound.wav\" {form}\n"
        ),
    );
    // Half a second of silence, and a little more of a tone.
    made(&world, "sound.wav", "aevalsrc='if(gt(t,0.5),0.5*sin(2000*t),0)':d=1.01:s=44100");
    made(&world, "empty.wav", "anullsrc,atrim=end_sample=0");
    made(&world, "face.mp4", "color=white:s=64x64:r=25:d=0.4");
    let face = world.path("p/face.png");
    let source = ["-v", "error", "-f", "lavfi", "-i", "color=white:s=64x64", "-frames:v", "1"];
    let _none = output("ffmpeg", &[&source[..], &[face.to_str().unwrap()]].concat());

    // How much of frame `index` is not white.
    let open = |clip: &Path, index: u64| {
        rgb(clip, index).chunks(3).filter(|pixel| pixel.iter().any(|c| *c < 160)).count()
    };
    let (still, filmed) = (built(&world, "still"), built(&world, "filmed"));
    for clip in [&still, &filmed] {
        assert_eq!(frames(clip), 26, "1.01 s and the rest of a frame");
        assert_eq!(samples(clip).len(), 26 * 1764);
        let shut = open(clip, 11);
        assert_eq!(open(clip, 0), shut);
        assert!(open(clip, 13) > shut + 20, "{} and {shut}", open(clip, 13));
        assert_eq!(open(clip, 13), open(clip, 24));
    }
    let both = built(&world, "both");
    assert_eq!(frames(&both), 26 * 3 + 25);
    let _said = refused(&world, "mute").says("`audio` holds no sound at all");
    let _said = refused(&world, "faceless").says("`face` holds no picture at all");
}
