//! Composed music.

use std::fs;

use crate::media::{built, output, probed, refused, samples, workshop};
use crate::world::World;

/// A workspace with the rule in sight, and the targets `targets`.
fn studio(targets: &str) -> World {
    workshop(&["audio"], targets)
}

/// The loudness of samples: the root of the mean square.
fn loudness(samples: &[[i16; 2]]) -> f64 {
    let squares = samples.iter().flatten().map(|it| f64::from(*it).powi(2));
    (squares.sum::<f64>() / (2 * samples.len()) as f64).sqrt()
}

#[test]
fn every_mood_is_music_of_the_length_that_is_asked_for() {
    for mood in ["upbeat", "calm", "suspense", "ambient", "eerie", "jazz", "dramatic", "mysterious"]
    {
        let world = studio(&format!("music \"tune\" mood=\"{mood}\" length=\"9.5s\""));
        let wav = built(&world, "tune");
        assert_eq!(
            probed(&wav, "a:0", "codec_name,sample_rate,channels"),
            ["pcm_s16le", "44100", "2"]
        );
        let sound = samples(&wav);
        assert_eq!(sound.len(), 418_950, "{mood}");
        let peak = sound.iter().flatten().map(|it| it.unsigned_abs()).max().unwrap();
        assert!((23_000..=23_300).contains(&peak), "{mood}: a peak of {peak}");
        let second = |from: f64| &sound[(from * 44_100.0) as usize..][..22_050];
        assert!(second(4.0) != second(5.0) && loudness(second(4.0)) > 300.0, "{mood}");
        assert!(loudness(&sound[sound.len() - 441..]) < 60.0, "{mood} fades out");
    }
}

#[test]
fn the_same_piece_has_the_same_bytes_and_another_seed_others() {
    let world = studio(
        "music \"one\" length=\"4s\" seed=1\nmusic \"two\" length=\"4s\" seed=2\n\
         music \"given\" length=\"4s\" seed=1 key=\"F#m\" tempo=90 intensity=100 fade=\"0s\"",
    );
    let of = |world: &World, name: &str| {
        let wav = built(world, name);
        (fs::read(wav.with_extension("mid")).unwrap(), fs::read(wav).unwrap())
    };
    let one = of(&world, "one");
    assert_eq!(of(&world.with_store("other"), "one"), one);
    let two = of(&world, "two");
    assert!(two.0 != one.0 && two.1 != one.1);
    assert!(of(&world, "given").0.starts_with(b"MThd"));
}

#[test]
fn what_is_no_key_is_told() {
    let world = studio("music \"tune\" length=\"4s\" key=\"H\"");
    let _told =
        refused(&world, "tune").says("error: `H` is no key").says("hint: write `C`, `F#m` or `Bb`");
}

#[test]
fn a_piece_is_as_long_as_the_film_that_it_is_for_and_is_never_left_alone() {
    let world = studio(
        "music \"tune\" mood=\"calm\" length-of=\"voice.wav\"\n\
         music \"both\" { length-of \"short.wav\" \"voice.wav\" }\n\
         audio_mix \"mixed\" base=\"voice.wav\" music=\":tune\" format=\"wav\"\n\
         audio_mix \"bare\" base=\"voice.wav\" format=\"wav\"\n\
         music \"none\"\nmusic \"twice\" length=\"4s\" length-of=\"voice.wav\"",
    );
    for (name, length) in [("voice", "47.3"), ("short", "3")] {
        let file = world.path(&format!("p/{name}.wav"));
        let silence = format!("anullsrc=d={length}");
        let args = ["-v", "error", "-f", "lavfi", "-i", &silence, file.to_str().unwrap()];
        let _none = output("ffmpeg", &args);
    }
    assert_eq!(samples(&built(&world, "tune")).len(), 2_085_930);
    assert_eq!(samples(&built(&world, "both")).len(), 2_085_930);
    // Nowhere between its beginning and its end does the music go away.
    let mixed = samples(&built(&world, "mixed"));
    let whole = loudness(&mixed);
    let seconds = mixed.chunks_exact(44_100).map(loudness).collect::<Vec<_>>();
    let quietest = seconds[1..43].iter().copied().fold(f64::MAX, f64::min);
    assert!(quietest > whole / 4.0, "{quietest} of {whole}: {seconds:?}");
    assert!(loudness(&samples(&built(&world, "bare"))) < 1.0, "without music there is none");
    let _none = refused(&world, "none").says("give `length`, or `length-of` a film");
    let _twice = refused(&world, "twice").says("both `length` and `length-of` are given");
}
