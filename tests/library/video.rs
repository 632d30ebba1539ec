//! What is done with clips: each frame and each sample of what comes out is one of what went in, at its
//! place, and what cannot be is refused with its reason.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::media::{frames, mean_volume, output, probed, refused, rgb, samples, workshop};
use crate::world::World;

/// Samples in a frame of a thirtieth of a second.
const FRAME: usize = 1470;

/// A recording whose name means something to shells, globs, filters and lists of files.
const TAKE: &str = "it's [one], two; größe.mov";

/// How clips of these tests are encoded.
const QUICK: &str = "preset=\"ultrafast\" crf=4";

/// Writes `p/NAME`: so many frames, each a little lighter than that before, and a tone that rises.
fn record(world: &World, name: &str, frames: u32, codecs: &[&str]) {
    let file = world.path(&format!("p/{name}"));
    let seconds = f64::from(frames) / 30.0;
    let picture = format!(
        "color=black:s=128x72:r=30:d={seconds:.6},format=yuv420p,geq=lum='30+3*N':cb=128:cr=128"
    );
    let sound = format!(
        "aevalsrc=0.2*sin(2*PI*t*(300+200*t)):s=44100:d={seconds:.6},aformat=sample_fmts=s16"
    );
    let inputs = ["-v", "error", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound];
    let video = ["-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-preset", "ultrafast"];
    let end = ["-crf", "4", file.to_str().unwrap()];
    let _none = output("ffmpeg", &[&inputs[..], &video[..], codecs, &end[..]].concat());
}

/// A package with `targets` and [`TAKE`] of 30 frames in it; `{T}` in the targets is its name, and `{Q}`
/// the settings of the encoder.
fn studio(targets: &str) -> World {
    let targets = targets.replace("{T}", TAKE).replace("{Q}", QUICK);
    let world = workshop(&["video"], &targets);
    record(&world, TAKE, 30, &["-c:a", "pcm_s16le"]);
    world
}

/// Writes `p/NAME`: so many samples of a low tone.
fn speak(world: &World, name: &str, samples: usize) {
    let file = world.path(&format!("p/{name}"));
    let tone = format!("sine=f=220:r=44100,atrim=end_sample={samples}");
    let args = ["-v", "error", "-f", "lavfi", "-i", &tone, file.to_str().unwrap()];
    let _none = output("ffmpeg", &args);
}

/// Builds `names` of `//p`; the paths of their outputs.
#[track_caller]
fn all<const N: usize>(world: &World, names: [&str; N]) -> [PathBuf; N] {
    let labels = names.map(|name| format!("//p:{name}"));
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let made = world.ok(&[&["build"], &labels[..]].concat()).stdout;
    let paths: Vec<PathBuf> = made.lines().map(PathBuf::from).collect();
    paths.try_into().unwrap_or_else(|paths| panic!("{paths:?}"))
}

/// Each of `//p:NAME` is refused, and what is said holds the text beside it.
#[track_caller]
fn all_refused(world: &World, cases: &[(&str, &str)]) {
    let labels: Vec<String> = cases.iter().map(|(name, _)| format!("//p:{name}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let ran = world.run(&[&["build", "--keep-going"], &labels[..]].concat()).exits(1);
    for (name, text) in cases {
        let (_, said) = ran.stderr.split_once(&format!("`//p:{name}` failed")).expect(&ran.stderr);
        let said = said.split("full log:").next().unwrap();
        assert!(said.contains(text), "no `{text}` in what `{name}` says:\n{said}");
        assert!(said.contains("hint: "), "`{name}` does not say what to do:\n{said}");
    }
}

/// One byte for each frame: how light its point at `x`, `y` is.
fn lights(file: &Path, (x, y): (u32, u32)) -> Vec<u8> {
    let filter = format!("format=gray,crop=1:1:{x}:{y}");
    let args = ["-v", "error", "-i", file.to_str().unwrap(), "-map", "0:v:0", "-vf", &filter];
    output("ffmpeg", &[&args[..], &["-f", "rawvideo", "-pix_fmt", "gray", "-"]].concat())
}

/// Which frames of [`TAKE`] are seen there, one after another.
fn seen(file: &Path, point: (u32, u32)) -> Vec<i32> {
    let number = |light: u8| ((f64::from(light) * 219.0 / 255.0 + 16.0 - 30.0) / 3.0).round();
    #[expect(clippy::cast_possible_truncation, reason = "it is a small whole number")]
    let seen = lights(file, point).into_iter().map(|light| number(light) as i32).collect();
    seen
}

const CENTRE: (u32, u32) = (64, 36);

/// The decoded frames, by their digests.
fn digests(file: &Path) -> Vec<String> {
    let args =
        ["-v", "error", "-i", file.to_str().unwrap(), "-map", "0:v:0", "-f", "framemd5", "-"];
    let text = String::from_utf8(output("ffmpeg", &args)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(',').next().unwrap().trim().to_owned()).collect()
}

/// A film has exactly as much sound as picture.
#[track_caller]
fn even(file: &Path) {
    assert_eq!(samples(file).len(), digests(file).len() * FRAME, "{}", file.display());
}

const SILENT: [i16; 2] = [0, 0];

#[test]
fn a_part_and_a_longer_clip_have_exactly_the_frames_and_samples_that_they_should() {
    let world = studio(
        r#"
        trim "part" clip="{T}" from="300ms" to="0.8s" {Q}
        trim "timed" clip="{T}" from="290ms" length="0.5s" {Q}
        pad "longer" clip="{T}" pad-before="100ms" whole="2s" {Q}
        trim "again" clip=":longer" from="100ms" length="1s" {Q}
        trim "outside" clip="{T}" from="0.5s" to="1.2s"
        trim "empty" clip="{T}" from="500ms" to="500ms"
        trim "twice" clip="{T}" to="0.5s" length="0.2s"
        pad "shorter" clip="{T}" whole="0.9s"
        "#,
    );
    let [part, timed, longer, again] = all(&world, ["part", "timed", "longer", "again"]);
    let take = samples(&world.path(&format!("p/{TAKE}")));
    assert_eq!(take.len(), 30 * FRAME);

    assert_eq!(seen(&part, CENTRE), (9..24).collect::<Vec<_>>());
    assert_eq!(samples(&part), take[9 * FRAME..24 * FRAME]);
    assert_eq!(seen(&timed, CENTRE), (9..24).collect::<Vec<_>>(), "rounded to a frame");

    let held = [vec![0; 3], (0..30).collect(), vec![29; 27]].concat();
    assert_eq!(seen(&longer, CENTRE), held);
    let sound = samples(&longer);
    assert_eq!(sound.len(), 60 * FRAME);
    assert_eq!(sound[3 * FRAME..33 * FRAME], take);
    let silence = sound[..3 * FRAME].iter().chain(&sound[33 * FRAME..]);
    assert!(silence.copied().all(|sample| sample == SILENT));
    assert_eq!(seen(&again, CENTRE), (0..30).collect::<Vec<_>>());
    assert_eq!(samples(&again), take, "nothing is lost by one after the other");

    let form = "codec_name,width,height,pix_fmt,r_frame_rate,color_space";
    let video = ["h264", "128", "72", "yuv420p", "bt709", "30/1"];
    assert_eq!(probed(&part, "v:0", form), video, "the frame is that of the clip");
    assert_eq!(
        probed(&part, "a:0", "codec_name,sample_rate,channels"),
        ["pcm_s16le", "44100", "2"]
    );

    all_refused(
        &world,
        &[
            ("outside", "a clip of 1.000 s has no part from 0.500 s to 1.200 s"),
            ("empty", "no part from 0.500 s to 0.500 s"),
            ("twice", "`to` and `length` are both given"),
            ("shorter", "lasts 1.000 s and not 0.900 s"),
        ],
    );
}

#[test]
fn a_film_is_its_clips_frame_by_frame_and_sample_by_sample() {
    let world = studio(
        r#"
        trim "a" clip="{T}" to="0.7s" {Q}
        clip "b" video="{T}" audio="speech.wav" width=128 height=72 {Q}
        scale "c" clip="other's \"take\".mp4" width=128 height=72 {Q}
        concat "film" { clips ":a" ":b" ":c" ":a" }
        scale "small" clip="{T}" width=64 height=72 {Q}
        trim "slow" clip="{T}" preset="medium" crf=4
        concat "unlike" { clips ":a" ":small" }
        concat "settings" { clips ":a" ":slow" }
        concat "encoded" { clips ":a" "other's \"take\".mp4" }
        "#,
    );
    speak(&world, "speech.wav", 30_000);
    record(&world, "other's \"take\".mp4", 20, &["-c:a", "aac"]);
    let [a, b, c, film] = all(&world, ["a", "b", "c", "film"]);
    let clips = [&a, &b, &c, &a];
    clips.iter().for_each(|clip| even(clip));
    assert_eq!(digests(&film), clips.map(|clip| digests(clip)).concat());
    assert_eq!(samples(&film), clips.map(|clip| samples(clip)).concat());
    assert_eq!(seen(&c, CENTRE), (0..20).collect::<Vec<_>>(), "what fills AAC up is no frame more");

    all_refused(
        &world,
        &[
            (
                "unlike",
                "the video of clip 2, `in/clips/0002.mov`, differs from clip 1: dimensions 64x",
            ),
            ("settings", "an H.264 header of other settings"),
            ("encoded", "has no 16-bit PCM sound"),
        ],
    );
}

#[test]
fn a_recording_over_a_video_cuts_neither() {
    let world = studio(
        r#"
        clip "long" video="{T}" audio="long.wav" width=128 height=72 {Q}
        clip "short" video="{T}" audio="short.wav" pad-after="0s" fade="0s" width=128 height=72 {Q}
        clip "both" video="{T}" audio="short.wav" keep-sound=#true pad-after="0s" fade="0s" width=128 height=72 {Q}
        clip "own" video="{T}" fade="0s" width=128 height=72 {Q}
        clip "mute" video="{T}" keep-sound=#false fade="0s" width=128 height=72 {Q}
        clip "nothing" video="{T}" audio="silent.wav" width=128 height=72
        "#,
    );
    speak(&world, "long.wav", 50_001);
    speak(&world, "short.wav", 5_000);
    speak(&world, "silent.wav", 0);
    let [long, short, both, own, mute] = all(&world, ["long", "short", "both", "own", "mute"]);
    let take = samples(&world.path(&format!("p/{TAKE}")));

    // 400 ms, the recording and 600 ms, and then up to a whole frame.
    let wanted = (17_640 + 50_001 + 26_460_usize).div_ceil(FRAME);
    assert_eq!(frames(&long), wanted as u64);
    even(&long);
    let held = seen(&long, CENTRE);
    assert_eq!(held[6..30], (6..30).collect::<Vec<_>>());
    assert!(
        held[30..wanted - 6].iter().all(|frame| *frame == 29),
        "the last frame stays: {held:?}"
    );
    assert!(held[wanted - 1] < 15, "it has faded: {held:?}");
    let sound = samples(&long);
    let speech = samples(&world.path("p/long.wav"));
    assert_eq!(sound[17_640..17_640 + 50_001], speech);
    let silence = sound[..17_640].iter().chain(&sound[17_640 + 50_001..]);
    assert!(silence.copied().all(|sample| sample == SILENT), "the video's own sound is not heard");

    assert_eq!(seen(&short, CENTRE), (0..30).collect::<Vec<_>>(), "a demo keeps its length");
    let (sound, mixed) = (samples(&short), samples(&both));
    assert_eq!((sound.len(), mixed.len()), (30 * FRAME, 30 * FRAME));
    for (at, sample) in mixed.iter().enumerate() {
        // 12 dB less.
        let own = f64::from(take[at][0]) * 10_f64.powf(-12.0 / 20.0) + f64::from(sound[at][0]);
        assert!((f64::from(sample[0]) - own).abs() <= 1.0, "sample {at}: {sample:?}, not {own}");
    }
    assert_eq!(samples(&own), take);
    assert!(samples(&mute).iter().all(|sample| *sample == SILENT));
    all_refused(&world, &[("nothing", "`audio` holds no sound at all")]);
}

#[test]
fn a_clip_fades_in_picture_and_sound_and_nothing_else_of_it_changes() {
    let world = studio(
        r##"
        fade "faded" clip="{T}" fade-in="200ms" fade-out="300ms" background="#ffffff" {Q}
        fade "long" clip="{T}" fade-in="600ms" fade-out="500ms"
        "##,
    );
    let [faded] = all(&world, ["faded"]);
    let take = samples(&world.path(&format!("p/{TAKE}")));
    let frames = seen(&faded, CENTRE);
    assert_eq!(frames.len(), 30);
    assert_eq!(frames[6..21], (6..21).collect::<Vec<_>>());
    assert!(frames[..6].windows(2).all(|pair| pair[0] > pair[1]), "out of white: {frames:?}");
    assert!(frames[21..].windows(2).all(|pair| pair[0] < pair[1]), "into white: {frames:?}");
    let sound = samples(&faded);
    assert_eq!(sound.len(), take.len());
    assert_eq!(sound[6 * FRAME..21 * FRAME], take[6 * FRAME..21 * FRAME]);
    let loudest = |part: &[[i16; 2]]| part.iter().map(|sample| sample[0].abs()).max().unwrap();
    assert!(loudest(&sound[..FRAME / 4]) * 8 < loudest(&take[..FRAME]));
    assert!(loudest(&sound[30 * FRAME - FRAME / 4..]) * 8 < loudest(&take));
    all_refused(
        &world,
        &[("long", "a clip of 1.000 s cannot appear for 0.600 s and go for 0.500 s")],
    );
}

#[test]
fn a_picture_is_over_a_clip_where_and_when_it_should_be() {
    let world = studio(
        r#"
        overlay "timed" clip="{T}" image="red.png" position="top-left" margin=8 from="200ms" to="0.5s" {Q}
        overlay "sized" clip="{T}" image="red.png" x=100 y=50 size=10 opacity=0.5 {Q}
        overlay "outside" clip="{T}" image="red.png" x=120 y=0
        overlay "late" clip="{T}" image="red.png" margin=0 to="2s"
        overlay "drawing" clip="{T}" image="drawing.svg"
        still_clip "still" image="drawing.svg" audio="speech.wav"
        "#,
    );
    let red = world.path("p/red.png");
    let color = ["-v", "error", "-f", "lavfi", "-i", "color=red:s=24x16", "-frames:v", "1"];
    let _none = output("ffmpeg", &[&color[..], &[red.to_str().unwrap()]].concat());
    world.write(
        "p/drawing.svg",
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>"#,
    );
    speak(&world, "speech.wav", 100);
    let [timed, sized] = all(&world, ["timed", "sized"]);
    assert_eq!(samples(&timed), samples(&world.path(&format!("p/{TAKE}"))));

    let pixel = |file: &Path, frame: u64, (x, y): (usize, usize)| {
        let at = (y * 128 + x) * 3;
        rgb(file, frame)[at..at + 3].to_vec()
    };
    let is_red = |pixel: &[u8]| pixel[0] > 230 && pixel[1] < 30 && pixel[2] < 30;
    let when: Vec<bool> = (0..30).map(|frame| is_red(&pixel(&timed, frame, (20, 16)))).collect();
    assert_eq!(when, (0..30).map(|frame| (6..15).contains(&frame)).collect::<Vec<_>>());
    for (point, inside) in [((10, 10), true), ((29, 21), true), ((5, 16), false), ((34, 16), false)]
    {
        assert_eq!(is_red(&pixel(&timed, 10, point)), inside, "{point:?}");
    }
    assert_eq!(seen(&timed, CENTRE), (0..30).collect::<Vec<_>>());

    // 24 x 16 is 15 x 10 then, and half of it is what lies below.
    let under = pixel(&sized, 20, (64, 36));
    let over = pixel(&sized, 20, (106, 54));
    assert!(
        over[0].abs_diff((under[0] / 2) + 127) < 8 && over[1].abs_diff(under[1] / 2) < 8,
        "{over:?}"
    );
    assert_eq!(pixel(&sized, 20, (120, 54))[1].abs_diff(under[1]) / 4, 0, "beside it");

    all_refused(
        &world,
        &[
            ("outside", "24 x 16 at 120,0 reaches beyond the frame of 128 x 72"),
            ("late", "no part from 0.000 s to 2.000 s"),
            ("drawing", "`image` is a drawing"),
            ("still", "`image` is a drawing"),
        ],
    );
}

#[test]
fn a_clip_over_a_longer_one_stays_begins_again_or_goes() {
    let world = studio(
        r#"
        pad "base" clip="{T}" whole="1.5s" {Q}
        trim "top" clip="{T}" from="0.5s" {Q}
        composite "held" base=":base" top=":top" size=36 margin=0 from="200ms" {Q}
        composite "looped" base=":base" top=":top" size=36 margin=0 from="200ms" shorter="loop" sound="top" {Q}
        composite "hidden" base=":base" top=":top" size=36 margin=0 from="200ms" shorter="hide" sound="both" {Q}
        composite "longer" base=":top" top=":base" size=36
        composite "late" base=":base" top=":top" size=36 from="1.2s"
        composite "large" base=":base" top=":top"
        "#,
    );
    let [base, top] = all(&world, ["base", "top"]);
    let made = all(&world, ["held", "looped", "hidden"]);
    let below: Vec<i32> = (0..30).chain([29; 15]).collect();
    let above: Vec<i32> = (15..30).collect();
    let after: [Vec<i32>; 3] =
        [vec![29; 24], [&above[..], &above[..9]].concat(), below[21..].to_vec()];
    for (file, after) in made.iter().zip(after) {
        assert_eq!(seen(file, (20, 20)), below, "the rest is the clip below");
        // 36 pixels high in the corner at the right and below.
        let wanted = [&below[..6], &above[..], &after[..]].concat();
        assert_eq!(seen(file, (96, 54)), wanted, "{}", file.display());
    }
    let (low, high) = (samples(&base), samples(&top));
    assert_eq!(samples(&made[0]), low);
    let silence = vec![SILENT; 6 * FRAME];
    let again = [&silence[..], &high, &high[..9 * FRAME]].concat();
    assert_eq!(samples(&made[1])[..30 * FRAME], again[..30 * FRAME]);
    let mixed = samples(&made[2]);
    assert_eq!(mixed.len(), 45 * FRAME);
    for (at, sample) in mixed.iter().enumerate() {
        let over =
            at.checked_sub(6 * FRAME).and_then(|at| high.get(at)).map_or(0, |sample| sample[0]);
        assert_eq!(sample[0], low[at][0] + over, "sample {at}");
    }
    all_refused(
        &world,
        &[
            ("longer", "`top` lasts 1.500 s, and there are 0.500 s for it"),
            ("late", "`top` lasts 0.500 s, and there are 0.300 s for it"),
            ("large", "reaches beyond the frame of 128 x 72"),
        ],
    );
}

#[test]
fn clips_that_go_over_into_each_other_are_as_long_as_they_are_less_the_overlaps() {
    let world = studio(
        r#"
        trim "a" clip="{T}" {Q}
        scale "b" clip="{T}" width=64 height=64 fps=25 {Q}
        crossfade "film" clips=":a" length="300ms" {Q}
        crossfade "three" length="300ms" {Q} { clips ":a" ":b" ":a" }
        crossfade "wiped" length="300ms" transition="wipeleft" {Q} { clips ":a" ":a" }
        crossfade "short" length="600ms" { clips ":a" ":a" ":a" }
        crossfade "hard" length="0s" { clips ":a" ":a" }
        "#,
    );
    let [film, three, wiped] = all(&world, ["film", "three", "wiped"]);
    let take = samples(&world.path(&format!("p/{TAKE}")));
    assert_eq!(
        seen(&film, CENTRE),
        (0..30).collect::<Vec<_>>(),
        "one clip has nothing to go over into"
    );

    assert_eq!(frames(&three), 30 + 30 + 30 - 9 - 9);
    even(&three);
    let shown = seen(&three, CENTRE);
    assert_eq!(shown[..21], (0..21).collect::<Vec<_>>());
    assert_eq!(shown[51..], (9..30).collect::<Vec<_>>());
    let sound = samples(&three);
    assert_eq!(sound[..21 * FRAME], take[..21 * FRAME]);
    assert_eq!(sound[30 * FRAME..42 * FRAME], take[9 * FRAME..21 * FRAME]);
    assert_eq!(sound[51 * FRAME..], take[9 * FRAME..]);

    // A third of the way the wipe from the right has come to a third of the frame.
    let (left, right) = (seen(&wiped, (4, 36)), seen(&wiped, (124, 36)));
    assert_eq!((left[24], right[24]), (24, 3));

    all_refused(
        &world,
        &[
            ("short", "clip 2 lasts 1.000 s, and 2 overlaps of 0.600 s do not fit"),
            ("hard", "the clips would not overlap"),
        ],
    );
}

/// How often a second the sound goes from below zero to above.
#[expect(clippy::cast_precision_loss, reason = "it is a count of a second or two")]
fn pitch(sound: &[[i16; 2]]) -> f64 {
    let ups = sound.windows(2).filter(|pair| pair[0][0] < 0 && pair[1][0] >= 0).count();
    ups as f64 / (sound.len() as f64 / 44_100.0)
}

#[test]
fn another_speed_has_the_frames_that_it_should_at_the_pitch_that_there_was() {
    let world = studio(
        r#"
        clip "even" video="{T}" audio="tone.wav" pad-before="0s" pad-after="0s" fade="0s" width=128 height=72 {Q}
        retime "slow" clip=":even" length="2.5s" {Q}
        retime "fast" clip=":even" speed=5 {Q}
        retime "spoken" clip="{T}" audio="speech.wav" keep-sound=#false {Q}
        retime "fitted" clip="{T}" audio=":slow" {Q}
        retime "none" clip="{T}"
        retime "two" clip="{T}" speed=2 length="1s"
        retime "gone" clip="{T}" speed=99
        "#,
    );
    speak(&world, "tone.wav", 44_100);
    speak(&world, "speech.wav", 55_555);
    let made = all(&world, ["slow", "fast", "spoken", "fitted"]);
    let wanted: [i32; 4] = [75, 6, 38, 75];
    for (file, wanted) in made.iter().zip(wanted) {
        even(file);
        // Each shows what the clip shows in its place.
        let frames: Vec<i32> = (0..wanted).map(|frame| frame * 30 / wanted).collect();
        assert_eq!(seen(file, CENTRE), frames, "{}", file.display());
    }
    for file in &made[..2] {
        let heard = pitch(&samples(file));
        assert!((heard - 220.0).abs() < 6.0, "{heard} Hz in {}", file.display());
        assert!(mean_volume(file) > -25.0, "it is heard to its end");
    }
    assert!(samples(&made[2]).iter().all(|sample| *sample == SILENT));
    all_refused(
        &world,
        &[
            ("none", "no length, or more than one"),
            ("two", "no length, or more than one"),
            ("gone", "nothing is left of a clip of 1.000 s"),
        ],
    );
}

#[test]
fn a_clip_that_does_not_say_what_it_is_or_is_damaged_is_refused() {
    let world = studio(
        r#"
        trim "sound" clip="sound.mp4"
        trim "text" clip="text.mp4"
        trim "cut" clip="cut.mov"
        trim "film" clip="film.mov"
        trim "brought" clip="film.mov" fps=30 {Q}
        scale "turned" clip="turned.mov" width=72 height=128 {Q}
        "#,
    );
    speak(&world, "sound.mp4", 4_410);
    world.write("p/text.mp4", "This is no film.");
    let film = |name: &str, args: &[&str]| {
        let source = world.path(&format!("p/{TAKE}"));
        let file = world.path(&format!("p/{name}"));
        let from = ["-v", "error", "-i", source.to_str().unwrap()];
        let _none = output(
            "ffmpeg",
            &[&from[..], args, &["-c:v", "libx264", file.to_str().unwrap()]].concat(),
        );
    };
    film("cut.mov", &["-movflags", "+faststart"]);
    let bytes = fs::read(world.path("p/cut.mov")).unwrap();
    world.write("p/cut.mov", &bytes[..bytes.len() / 2]);
    film("film.mov", &["-r", "24000/1001"]);
    let source = world.path(&format!("p/{TAKE}"));
    let turned = world.path("p/turned.mov");
    let args = ["-v", "error", "-i", source.to_str().unwrap(), "-c", "copy"];
    let turn = ["-metadata:s:v", "rotate=90", turned.to_str().unwrap()];
    let _none = output("ffmpeg", &[&args[..], &turn[..]].concat());

    let [brought, turned] = all(&world, ["brought", "turned"]);
    even(&brought);
    assert_eq!(probed(&turned, "v:0", "width,height"), ["72", "128"]);
    assert_eq!(seen(&turned, (2, 126)), (0..30).collect::<Vec<_>>(), "it fills its upright frame");
    all_refused(
        &world,
        &[
            ("sound", "`clip` holds no picture at all"),
            ("text", "`clip` holds no picture at all"),
            ("cut", "`clip` is damaged, or ends too early"),
            ("film", "`clip` has 24000/1001 frames a second"),
        ],
    );
}

#[test]
fn what_is_in_a_file_is_told_without_where_it_lies() {
    let world = studio(
        r#"
        probe "film" src="{T}"
        probe "sound" src="sound.wav"
        probe "picture" src="picture.png"
        frame "first" video="{T}" at="0s"
        frame "last" video="{T}" at="999ms"
        frame "late" video="{T}" at="1s"
        probe "text" src="text.txt"
        "#,
    );
    speak(&world, "sound.wav", 12_345);
    world.write("p/text.txt", "This is no film.");
    let picture = world.path("p/picture.png");
    let color = ["-v", "error", "-f", "lavfi", "-i", "color=red:s=24x16", "-frames:v", "1"];
    let _none = output("ffmpeg", &[&color[..], &[picture.to_str().unwrap()]].concat());
    let [film, sound, picture] = all(&world, ["film", "sound", "picture"]);
    let read = |file: &Path| -> Value { serde_json::from_slice(&fs::read(file).unwrap()).unwrap() };
    let told = |file: &Path, name: &str| read(file)[name].as_f64();
    let film_has =
        ["width", "height", "fps", "frames", "sample_rate", "channels", "samples", "duration"];
    let wanted = [128.0, 72.0, 30.0, 30.0, 44_100.0, 1.0, 44_100.0, 1.0];
    assert_eq!(film_has.map(|name| told(&film, name)), wanted.map(Some));
    assert_eq!(read(&film)["streams"].as_array().unwrap().len(), 2);
    assert!(!fs::read_to_string(&film).unwrap().contains("in/"), "no path");
    let names = ["width", "frames", "samples"];
    assert_eq!(names.map(|name| told(&sound, name)), [None, None, Some(12_345.0)]);
    let names = ["width", "height", "fps", "duration"];
    assert_eq!(names.map(|name| told(&picture, name)), [Some(24.0), Some(16.0), None, None]);

    let [first, last] = all(&world, ["first", "last"]);
    assert_eq!((seen(&first, CENTRE), seen(&last, CENTRE)), (vec![0], vec![29]));
    let late = "`at` is 1 s, and the film lasts 1.000000 s";
    all_refused(
        &world,
        &[("late", late), ("text", "`src` is neither film, recording nor picture")],
    );
}

#[test]
fn arguments_of_ones_own_read_sources_and_nothing_else() {
    let world = studio(
        r#"
        ffmpeg "whole" extension="mov" { srcs "{T}" "sound.wav"; args "-map" "0:v" "-map" "1:a" "-c:v" "copy" "-c:a" "copy" }
        ffmpeg "named" extension="mov" { srcs "{T}"; args "-ss" "0.5" "-i" "in/{T}" "-map" "0:v" "-c:v" "libx264" "-crf" "4" }
        ffmpeg "drawn" { args "-f" "lavfi" "-i" "testsrc2=s=64x64:d=1" "-map" "0:v" "-c:v" "libx264" }
        ffmpeg "fetched" { args "-i" "http://127.0.0.1:9/x.mp4" "-c" "copy" }
        ffmpeg "piped" { args "-i" "pipe:0" "-c" "copy" }
        ffmpeg "elsewhere" { args "-i" "/etc/hostname" "-c" "copy" }
        ffmpeg "open" { srcs "{T}"; args "-protocol_whitelist" "file,http" }
        ffmpeg "empty" { srcs "{T}"; args "-t" "0" }
        "#,
    );
    speak(&world, "sound.wav", 12_345);
    let [whole, named, drawn] = all(&world, ["whole", "named", "drawn"]);
    assert_eq!(digests(&whole), digests(&world.path(&format!("p/{TAKE}"))));
    assert_eq!(samples(&whole), samples(&world.path("p/sound.wav")));
    assert_eq!(seen(&named, CENTRE), (15..30).collect::<Vec<_>>(), "`-ss` is for the input");
    let bytes = fs::read(&drawn).unwrap();
    let again = world.with_store("another");
    let [drawn] = all(&again, ["drawn"]);
    assert!(fs::read(&drawn).unwrap() == bytes, "the same bytes once more");
    all_refused(
        &world,
        &[
            ("fetched", "Protocol 'http' not on whitelist"),
            ("piped", "Protocol 'pipe' not on whitelist"),
            ("elsewhere", "/etc/hostname"),
            ("open", "`args` has `-protocol_whitelist`"),
            ("empty", "Empty output"),
        ],
    );
}

#[test]
fn a_film_is_brought_to_its_loudness_with_all_that_it_has() {
    let world = studio(
        r#"
        trim "clip" clip="{T}" {Q}
        write_file "titles" text=";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=5\ntitle=One\n[CHAPTER]\nTIMEBASE=1/10\nSTART=5\nEND=10\ntitle=Two's\n"
        ffmpeg "film" extension="mov" { srcs ":clip" ":titles"; args "-map" "0:v" "-map" "0:a" "-map_chapters" "1" "-c:v" "copy" "-c:a" "copy" }
        normalize "final" clip=":film" target-db=-20
        normalize "foreign" clip="foreign.mkv"
        normalize "silent" clip="silent.mp4"
        "#,
    );
    let silent = world.path("p/silent.mp4");
    let color = ["-v", "error", "-f", "lavfi", "-i", "color=red:s=64x64:d=0.2"];
    let _none = output("ffmpeg", &[&color[..], &[silent.to_str().unwrap()]].concat());
    let [clip, last] = all(&world, ["clip", "final"]);
    let mean = mean_volume(&last);
    assert!((mean + 20.0).abs() < 0.5, "{mean} dB");
    assert_eq!(digests(&last), digests(&clip), "the picture is copied");
    let args = ["-v", "error", "-show_entries", "chapter=start_time:chapter_tags=title", "-of"];
    let chapters = output("ffprobe", &[&args[..], &["csv=p=0", last.to_str().unwrap()]].concat());
    assert_eq!(String::from_utf8(chapters).unwrap(), "0.000000,One\n0.500000,Two's\n");
    let _said = refused(&world, "silent").says("`audio` holds no sound at all");
    // Matroska does not say how long its streams are.
    let foreign = world.path("p/foreign.mkv");
    let args = ["-v", "error", "-i", clip.to_str().unwrap(), "-c", "copy"];
    let _none = output("ffmpeg", &[&args[..], &[foreign.to_str().unwrap()]].concat());
    let [whole] = all(&world, ["foreign"]);
    assert_eq!(digests(&whole), digests(&clip));
}
