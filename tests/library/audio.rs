//! Recordings and music: joined, padded, resampled, mixed and rendered sample by sample.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::media::{built, frames, mean_volume, output, probed, refused, samples, workshop};
use crate::world::World;

/// The left and right of one sample.
type Sample = [i16; 2];

const RATE: usize = 44_100;

/// A square wave: its mean volume is its height.
fn square(count: usize, period: usize, height: i16) -> Vec<Sample> {
    let sample = |at: usize| if at % period < period / 2 { height } else { -height };
    (0..count).map(|at| [sample(at); 2]).collect()
}

/// A rising ramp, of which every sample tells where it is.
fn ramp(count: usize) -> Vec<Sample> {
    (0..count).map(|at| [(at % 9_973) as i16, -((at % 7_919) as i16)]).collect()
}

fn silence(count: usize) -> Vec<Sample> {
    vec![[0, 0]; count]
}

/// The samples as a WAV file.
fn wav(samples: &[Sample]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flatten().flat_map(|one| one.to_le_bytes()).collect();
    let size = data.len() as u32;
    let rate = RATE as u32;
    let mut file = b"RIFF".to_vec();
    file.extend((size + 36).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    file.extend(rate.to_le_bytes());
    file.extend((rate * 4).to_le_bytes());
    file.extend(b"\x04\0\x10\0data");
    file.extend(size.to_le_bytes());
    file.extend(data);
    file
}

/// The mean volume in dB below full scale.
fn mean(samples: &[Sample]) -> f64 {
    let power: f64 = samples.iter().flatten().map(|one| f64::from(*one).powi(2)).sum();
    10.0 * (power / (samples.len() * 2) as f64 / 32_768f64.powi(2)).log10()
}

#[track_caller]
fn assert_near(found: f64, wanted: f64, within: f64) {
    assert!((found - wanted).abs() <= within, "{found}, not {wanted}");
}

/// A package with the rules for sound, its targets, and recordings by name.
fn recordings(targets: &str, files: &[(&str, &[Sample])]) -> World {
    let world = workshop(&["audio"], targets);
    for (name, samples) in files {
        world.write(&format!("p/{name}.wav"), wav(samples));
    }
    world
}

/// Has ffmpeg make the file `name` of the package.
fn made(world: &World, name: &str, args: &[&str]) -> PathBuf {
    let file = world.path(&format!("p/{name}"));
    let quiet = ["-nostdin", "-v", "error"];
    output("ffmpeg", &[&quiet[..], args, &["-threads", "1", file.to_str().unwrap()]].concat());
    file
}

/// What a film's pictures are: the bytes of its packets, digested.
fn pictures(film: &Path) -> String {
    let film = film.to_str().unwrap();
    let args = ["-v", "error", "-i", film, "-map", "0:v:0", "-c", "copy", "-f", "md5", "-"];
    String::from_utf8(output("ffmpeg", &args)).unwrap()
}

/// The integrated loudness in LUFS.
fn lufs(file: &Path) -> f64 {
    let args = ["-nostdin", "-hide_banner", "-nostats", "-i", file.to_str().unwrap()];
    let rest = ["-af", "ebur128", "-f", "null", "-"];
    let said = Command::new("ffmpeg").args(args).args(rest).output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let (_, found) = said.rsplit_once("I:").unwrap_or_else(|| panic!("{said}"));
    found.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn recordings_are_joined_sample_by_sample_with_the_gaps_that_are_asked_for() {
    let (one, two) = (ramp(10_001), square(4_407, 80, 9_000));
    let targets = r#"
        audio_concat "usual" { parts "one.wav" "two.flac" }
        audio_concat "padded" { parts "two.flac" "one.wav"; gap "0s"; pad-before "1s"; pad-after "500ms" }
    "#;
    let world = recordings(targets, &[("one", &one), ("two", &two)]);
    let wav = world.path("p/two.wav");
    let _flac = made(&world, "two.flac", &["-i", wav.to_str().unwrap()]);

    let usual = [&one[..], &silence(RATE / 5), &two].concat();
    assert!(samples(&built(&world, "usual")) == usual);
    let padded = built(&world, "padded");
    let wanted = [&silence(RATE)[..], &two, &one, &silence(RATE / 2)].concat();
    assert!(samples(&padded) == wanted);
    let form = probed(&padded, "a:0", "codec_name,sample_rate,channels");
    assert_eq!(form, ["pcm_s16le", "44100", "2"]);
}

#[test]
fn other_rates_formats_and_clips_are_joined_too() {
    let world = recordings(
        r#"audio_concat "joined" { parts "low.wav" "film.mkv" "low.mp3"; gap "100ms" }"#,
        &[],
    );
    let sine = ["-f", "lavfi", "-i", "sine=frequency=500:sample_rate=22050:duration=0.5"];
    let low = made(&world, "low.wav", &sine);
    let mp3 = made(&world, "low.mp3", &sine);
    let picture = ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=0.4"];
    let film = made(&world, "film.mkv", &[&picture[..], &sine, &["-c:a", "pcm_s16le"]].concat());
    let sum: usize = [&low, &film, &mp3].iter().map(|file| samples(file).len()).sum();
    let all = samples(&built(&world, "joined"));
    assert_eq!(all.len(), sum + 2 * RATE / 10);
    assert!(all[..RATE / 2] == samples(&low)[..], "mono is on both sides, as loud as it was");
}

#[test]
fn what_cannot_be_joined_is_named() {
    let targets = r#"
        audio_concat "empty" { parts "one.wav" "nothing.wav" }
        audio_concat "text" { parts "notes.txt" }
    "#;
    let world = recordings(targets, &[("one", &ramp(100)), ("nothing", &[])]);
    world.write("p/notes.txt", "no sound");
    let _said = refused(&world, "empty").says("recording 2,").says("holds no sound at all");
    let _said = refused(&world, "text").says("recording 1,");
}

#[test]
fn a_recording_is_padded_and_never_cut() {
    let one = ramp(10_001);
    let targets = r#"
        audio_pad "around" audio="one.wav" pad-before="100ms" pad-after="50ms"
        audio_pad "whole" audio="one.wav" pad-before="100ms" whole="500ms"
        audio_pad "short" audio="one.wav" pad-before="1s" whole="1.1s"
    "#;
    let world = recordings(targets, &[("one", &one)]);
    let around = [&silence(4_410)[..], &one, &silence(2_205)].concat();
    assert!(samples(&built(&world, "around")) == around);
    let whole = [&silence(4_410)[..], &one, &silence(22_050 - 4_410 - one.len())].concat();
    assert!(samples(&built(&world, "whole")) == whole);
    let _said = refused(&world, "short").says("1.227 s").says("`whole` is 1.100 s");
}

#[test]
fn a_recording_gets_the_rate_channels_and_ends_that_are_asked_for() {
    let tone = square(RATE / 2, 100, 8_000);
    let one = [&silence(5_000)[..], &tone, &silence(7_000)].concat();
    let targets = r#"
        resample "same" audio="one.wav"
        resample "speech" audio="one.wav" rate=16000 channels=1
        resample "trimmed" audio="one.wav" trim-db=-40
        resample "nothing" audio="silent.wav" trim-db=-40
    "#;
    let world = recordings(targets, &[("one", &one), ("silent", &silence(1_000))]);
    assert!(samples(&built(&world, "same")) == one);
    assert!(samples(&built(&world, "trimmed")) == tone);
    let speech = built(&world, "speech");
    let form = probed(&speech, "a:0", "codec_name,sample_rate,channels");
    assert_eq!(form, ["pcm_s16le", "16000", "1"]);
    assert_near(probed(&speech, "a:0", "duration_ts")[0].parse().unwrap(), 12_354.0, 1.0);
    assert_near(mean_volume(&speech), mean(&one), 0.2);
    let _said = refused(&world, "nothing").says("`trim-db`");
}

#[test]
fn a_recording_reaches_its_loudness_below_its_peak() {
    // A loud beginning, whose peaks have to give way.
    let loud = square(RATE / 10, 100, 20_000);
    let one = [&loud[..], &square(RATE, 90, 1_500)].concat();
    let targets = r#"
        resample "mean" audio="one.wav" target-db=-25
        resample "raised" audio="one.wav" target-db=-14 peak-db=-6
        resample "lufs" audio="one.wav" target-db=-20 measure="lufs"
        resample "silent" audio="silent.wav" target-db=-20 measure="lufs"
        resample "blip" audio="blip.wav" target-db=-20 measure="lufs"
        resample "beyond" audio="one.wav" target-db=-6 peak-db=-20
    "#;
    let blip = square(2_000, 100, 2_000);
    let files = [("one", &one[..]), ("silent", &silence(RATE)), ("blip", &blip)];
    let world = recordings(targets, &files);
    assert_near(mean(&samples(&built(&world, "mean"))), -25.0, 0.11);
    let raised = samples(&built(&world, "raised"));
    assert_near(mean(&raised), -14.0, 0.11);
    let peak = raised.iter().flatten().map(|one| one.unsigned_abs()).max().unwrap();
    assert!(peak <= 16_423, "{peak} is above -6 dB");
    assert_eq!(raised.len(), one.len());
    assert_near(lufs(&built(&world, "lufs")), -20.0, 0.15);
    assert!(samples(&built(&world, "silent")) == silence(RATE), "silence stays silence");
    let _said = refused(&world, "blip").says("too short or too quiet").says("measure=\"mean\"");
    let _said = refused(&world, "beyond").says("lower `target-db`");
}

#[test]
fn the_base_of_a_mix_stays_as_it_was_and_the_music_is_as_loud_as_is_said() {
    let base = square(30_001, 100, 32_767);
    let music = ramp(10_000);
    let targets = r#"
        audio_mix "bare" base="base.wav" music="silent.wav" format="wav"
        audio_mix "music" base="silent.wav" music="music.wav" format="wav" fade-out="0s"
        audio_mix "lufs" base="silent.wav" music="music.wav" format="wav" fade-out="0s" {
            measure "lufs"
            level-db -23
        }
        audio_mix "once" base="silent.wav" music="music.wav" format="wav" {
            start "100ms"
            loop #false
            fade-in "10ms"
            fade-out "20ms"
        }
        audio_mix "late" base="silent.wav" music="music.wav" format="wav" start="1s"
    "#;
    let quiet = silence(50_001);
    let files = [("base", &base[..]), ("music", &music), ("silent", &quiet)];
    let world = recordings(targets, &files);
    assert!(samples(&built(&world, "bare")) == base);

    let file = built(&world, "music");
    let mixed = samples(&file);
    assert_eq!(mixed.len(), quiet.len());
    assert_near(mean(&mixed), -32.0, 0.05);
    assert_near(mean_volume(&file), -32.0, 0.15);
    let again = mixed.iter().skip(music.len()).zip(&mixed).all(|(later, first)| later == first);
    assert!(again, "the music begins again at its end, without a gap");
    assert_near(lufs(&built(&world, "lufs")), -23.0, 0.15);

    let once = samples(&built(&world, "once"));
    let heard = music.len() - RATE / 10;
    assert!(once[heard..] == silence(quiet.len() - heard)[..]);
    assert_eq!(once[0], [0, 0], "it appears");
    let half = |at: usize| mean(&once[at..at + 100]) - mean(&music[RATE / 10 + at..][..100]);
    let full = half(1_500);
    assert_near(half(170) - full, -6.0, 1.5);
    assert_near(half(heard - 490) - full, -6.0, 1.5);

    let _said = refused(&world, "late").says("`music` lasts 0.227 s, and `start` is 1.000 s");
}

#[test]
fn a_loud_mix_is_limited_and_not_clipped() {
    let base = square(30_000, 100, 30_000);
    let music = square(30_000, 90, 30_000);
    let targets = r#"
        audio_mix "loud" base="base.wav" music="music.wav" format="wav" level-db=-1 fade-out="0s" {
            peak-db -3
        }
    "#;
    let world = recordings(targets, &[("base", &base), ("music", &music)]);
    let loud = samples(&built(&world, "loud"));
    let peak = loud.iter().flatten().map(|one| one.unsigned_abs()).max().unwrap();
    assert!((22_000..=23_198).contains(&peak), "{peak} is not -3 dB");
    assert_eq!(loud.len(), base.len());
}

#[test]
fn music_gives_way_to_what_is_said() {
    let said = [&square(RATE, 100, 1_843)[..], &silence(RATE)].concat();
    let targets = r#"
        audio_mix "plain" base="said.wav" music="music.wav" format="wav" fade-out="0s"
        audio_mix "ducked" base="said.wav" music="music.wav" format="wav" fade-out="0s" duck=#true
    "#;
    let music = square(20_000, 40, 5_000);
    let world = recordings(targets, &[("said", &said), ("music", &music)]);
    let under = |name: &str| -> Vec<Sample> {
        let mixed = samples(&built(&world, name));
        assert_eq!(mixed.len(), said.len());
        let rest = |(mixed, said): (&Sample, &Sample)| [mixed[0] - said[0], mixed[1] - said[1]];
        mixed.iter().zip(&said).map(rest).collect()
    };
    let (plain, ducked) = (under("plain"), under("ducked"));
    let sinks = |from: usize| mean(&ducked[from..][..4_000]) - mean(&plain[from..][..4_000]);
    assert_near(sinks(RATE / 2), -8.0, 1.5);
    assert_near(sinks(2 * RATE - 4_000), 0.0, 0.5);
}

#[test]
fn a_film_keeps_its_pictures_and_its_length() {
    let targets = r#"
        audio_mix "scored" base="film.mkv" music="music.wav"
        audio_mix "mute" base="mute.mp4" music="music.wav" fade-out="100ms"
        audio_mix "covered" base="covered.mp3" music="music.wav"
        audio_mix "foreign" base="film.webm" music="music.wav"
    "#;
    let music = square(20_000, 40, 5_000);
    let world = recordings(targets, &[("music", &music)]);
    let picture = ["-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=1.2"];
    let sine = ["-f", "lavfi", "-i", "sine=sample_rate=44100:duration=0.7"];
    let h264 = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "2"];
    let pcm = ["-c:a", "pcm_s16le"];
    let film = made(&world, "film.mkv", &[&picture[..], &sine, &h264, &pcm].concat());
    let mute = made(&world, "mute.mp4", &[&picture[..], &h264].concat());
    let cover = ["-map", "0", "-map", "1", "-c:v", "png", "-frames:v", "1"];
    let cover = [&sine[..], &picture, &cover, &["-disposition:v", "attached_pic"]].concat();
    let _covered = made(&world, "covered.mp3", &cover);
    let _foreign = made(&world, "film.webm", &[&picture[..], &["-c:v", "libvpx"]].concat());

    let scored = built(&world, "scored");
    assert_eq!(probed(&scored, "a:0", "codec_name,duration_ts"), ["pcm_s16le", "52920"]);
    assert_eq!(frames(&scored), 30);
    assert_eq!(pictures(&scored), pictures(&film));
    let heard = samples(&scored);
    // Six tenths into a fade of all of its length.
    assert_near(mean(&heard[31_500..32_004]), -32.0 - 8.0, 0.3);
    assert!(mean(&heard[51_900..]) < -65.0, "the music has gone at the end");

    let scored = built(&world, "mute");
    assert_eq!(probed(&scored, "a:0", "duration_ts"), ["52920"]);
    assert_eq!(pictures(&scored), pictures(&mute));
    assert_near(mean(&samples(&scored)[..40_000]), -32.0, 0.1);

    let _said = refused(&world, "covered").says("`base` holds no picture");
    let _said = refused(&world, "foreign").says("cannot be copied into a .mov");
}

/// A Standard MIDI File of 96 ticks a quarter note.
fn midi(tracks: &[&[u8]]) -> Vec<u8> {
    let count = tracks.len() as u8;
    let format = u8::from(count > 1);
    let mut file = b"MThd\0\0\0\x06\0".to_vec();
    file.extend([format, 0, count, 0, 96]);
    for track in tracks {
        file.extend(b"MTrk");
        file.extend((track.len() as u32).to_be_bytes());
        file.extend(*track);
    }
    file
}

/// A quarter note and a quarter's rest, then the end.
const NOTE: &[u8] = b"\0\x90\x3c\x60\x60\x3c\0\x60\xff\x2f\0";
/// After a quarter, 60 quarters a minute rather than 120; its end is before that of `NOTE`.
const SLOWER: &[u8] = b"\x60\xff\x51\x03\x0f\x42\x40\0\xff\x2f\0";
/// A note of an organ that is never let go, and the end after a quarter.
const HELD: &[u8] = b"\0\xc0\x10\0\x90\x3c\x60\x60\xff\x2f\0";

#[test]
fn music_is_as_long_as_its_tracks_and_its_tail() {
    let targets = r#"
        midi "usual" src="note.mid"
        midi "bare" src="note.mid" tail="0s"
        midi "slower" src="slower.mid" tail="500ms"
        midi "held" src="held.mid" tail="500ms"
        midi "loud" src="note.mid" tail="0s" gain=10 peak-db=-6
    "#;
    let world = workshop(&["audio"], targets);
    world.write("p/note.mid", midi(&[NOTE]));
    world.write("p/slower.mid", midi(&[NOTE, SLOWER]));
    world.write("p/held.mid", midi(&[HELD]));
    let usual = built(&world, "usual");
    assert_eq!(probed(&usual, "a:0", "codec_name,duration_ts"), ["pcm_s16le", "132300"]);
    let heard = samples(&usual);
    assert!(mean(&heard[2_000..20_000]) > -50.0, "the note is heard");
    assert!(mean(&heard[120_000..]) < -70.0, "the note has gone");
    assert_eq!(samples(&built(&world, "bare")).len(), RATE);
    assert_eq!(samples(&built(&world, "slower")).len(), 2 * RATE);

    let held = samples(&built(&world, "held"));
    assert_eq!(held.len(), RATE);
    let ends = [mean(&held[20_000..22_000]), mean(&held[43_600..])];
    assert!(ends[0] > -50.0 && ends[1] < ends[0] - 20.0, "it fades: {ends:?}");

    let loud = samples(&built(&world, "loud"));
    let peak = loud.iter().flatten().map(|one| one.unsigned_abs()).max().unwrap();
    assert!(peak <= 16_423, "{peak} is above -6 dB");
}

#[test]
fn music_has_the_same_bytes_every_time_and_whatever_its_file_is_called() {
    let world = workshop(&["audio"], "midi \"one\" src=\"a.mid\"\nmidi \"two\" src=\"b/c.midi\"");
    world.write("p/a.mid", midi(&[NOTE, SLOWER]));
    world.write("p/b/c.midi", midi(&[NOTE, SLOWER]));
    let bytes = fs::read(built(&world, "one")).unwrap();
    let other = world.with_store("other");
    assert!(fs::read(built(&other, "two")).unwrap() == bytes);
}

#[test]
fn music_has_reverb_if_asked_for_and_no_chorus() {
    let world = workshop(
        &["audio"],
        "midi \"none\" src=\"none.mid\"\nmidi \"chorus\" src=\"chorus.mid\"\n\
         midi \"dry\" src=\"none.mid\" effects=#false",
    );
    // Controller 93 is how much chorus there is.
    let chorus = |value| [&[0, 0xb0, 93, value], NOTE].concat();
    world.write("p/none.mid", midi(&[&chorus(0)]));
    world.write("p/chorus.mid", midi(&[&chorus(127)]));
    let [none, chorus, dry] = ["none", "chorus", "dry"].map(|name| samples(&built(&world, name)));
    assert!(none == chorus, "there is chorus");
    assert!(none != dry, "there is no reverb");
}

#[test]
fn midi_that_cannot_be_played_is_refused_with_its_reason() {
    let whole = midi(&[NOTE, SLOWER]);
    let broken: [(&str, Vec<u8>, &str); 7] = [
        ("junk", b"RIFF no music".to_vec(), "`src` is no MIDI file"),
        ("cut", whole[..whole.len() - 6].to_vec(), "track 2 of 2 is cut off"),
        ("lacking", whole[..14 + 8 + NOTE.len()].to_vec(), "track 2 of 2 is cut off"),
        ("endless", midi(&[&NOTE[..NOTE.len() - 4]]), "track 1 of 1 is cut off"),
        ("silent", midi(&[SLOWER]), "it has no notes"),
        ("odd", midi(&[b"\0\x90\x3c\xff\0\xff\x2f\0"]), "a message that is cut off"),
        ("ages", midi(&[b"\0\x90\x3c\x60\xff\xff\xff\x7f\xff\x2f\0"]), "more than an hour"),
    ];
    let mut targets = r#"midi "font" src="good.mid" soundfont="fake.sf2""#.to_owned();
    for (name, ..) in &broken {
        targets.push_str(&format!("\nmidi \"{name}\" src=\"{name}.mid\""));
    }
    let world = workshop(&["audio"], &targets);
    world.write("p/good.mid", midi(&[NOTE]));
    world.write("p/fake.sf2", "RIFF....WAVE");
    for (name, bytes, _) in &broken {
        world.write(&format!("p/{name}.mid"), bytes);
    }
    let mut said = world.run(&["build", "--keep-going", "//p:all"]).exits(1);
    for (_, _, reason) in &broken {
        said = said.says(reason);
    }
    let _said = said.says("`soundfont` is no SoundFont");
}

#[test]
fn a_finished_sound_has_its_loudness_and_its_length() {
    let wave = square(RATE, 100, 3_000);
    let world = recordings(r#"level "done" audio="wave.wav" target-db=-15"#, &[("wave", &wave)]);
    let done = built(&world, "done");
    assert_near(mean_volume(&done), -15.0, 0.5);
    // AAC fills its last packet.
    let count = samples(&done).len();
    assert!((RATE..RATE + 1_024).contains(&count), "{count}");
    let said = probed(&done, "a:0", "codec_name,sample_rate,channels");
    assert_eq!(said, ["aac", "44100", "2"]);
}

#[test]
fn a_text_without_a_word_is_not_spoken() {
    let world = workshop(
        &["audio"],
        "tts \"empty\" text=\"empty.txt\"\ntts \"signs\" text=\"signs.txt\"\n\
         tts \"voiceless\" text=\"word.txt\" voice=\"english\"\ntts \"word\" text=\"word.txt\"",
    );
    world.write("p/empty.txt", "\n");
    world.write("p/signs.txt", "... \u{2014} \n");
    world.write("p/word.txt", "No.");
    for name in ["empty", "signs"] {
        let said =
            refused(&world, name).says("has no word that is spoken").says("write a sentence");
        let _named = said.says(&format!("hint: `in/text.txt` is `p/{name}.txt`"));
    }
    let said =
        refused(&world, "voiceless").says("espeak-ng does not speak with the voice `english`");
    let _said = said.says("`espeak-ng --voices` lists");
    let _spoken = built(&world, "word");
    // What is no recording is told by its name, too.
    let world = workshop(&["audio"], "resample \"it\" audio=\"bad.wav\"");
    world.write("p/bad.wav", "a text\n");
    let said = refused(&world, "it").says("`audio` holds no sound at all");
    let _named = said.says("hint: `in/audio.wav` is `p/bad.wav`");
}
