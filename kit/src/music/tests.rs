//! What holds for every piece, and that its file says the same.

use super::*;

fn wish(mood: &str, key: &str, seed: u64, seconds: f64) -> Wish {
    let mood = Mood::named(mood).unwrap();
    Wish {
        mood,
        key: if key.is_empty() { mood.key.parse().unwrap() } else { key.parse().unwrap() },
        tempo: mood.tempo.into(),
        seed,
        length: Duration::from_secs_f64(seconds),
        intensity: 60,
    }
}

/// Pieces of all moods in major and minor, short and long.
fn pieces() -> Vec<(String, Score)> {
    let mut pieces = Vec::new();
    for mood in Mood::names() {
        for key in ["", "C", "F#m", "B"] {
            for seconds in [0.5, 2.0, 7.3, 30.0, 95.0] {
                for seed in 0..3 {
                    let name = format!("{mood} in {key:?}, {seconds} s, seed {seed}");
                    pieces.push((name, compose(&wish(mood, key, seed, seconds))));
                }
            }
        }
    }
    pieces
}

fn part<'s>(score: &'s Score, name: &str) -> Option<&'s Part> {
    score.parts.iter().find(|part| part.name == name)
}

#[test]
fn every_piece_ends_on_its_tonic() {
    for (name, score) in pieces() {
        let tonic = score.key.tonic;
        let third = (tonic + if score.key.minor { 3 } else { 4 }) % 12;
        for part in score.parts.iter().filter(|part| part.name != "drums") {
            let last: Vec<_> = part.notes.iter().filter(|it| it.start >= score.close).collect();
            let mut classes: Vec<u8> = last.iter().map(|note| note.pitch % 12).collect();
            classes.sort_unstable();
            if ["melody", "bass"].contains(&part.name) {
                assert_eq!(classes, [tonic], "{name}: {}", part.name);
            } else {
                assert!(classes.contains(&tonic) && classes.contains(&third), "{name}");
            }
            assert!(last.iter().all(|it| it.start == score.close), "{name}");
            assert!(last.iter().all(|it| it.start + it.length == score.end), "{name}");
        }
    }
}

#[test]
fn every_piece_is_as_long_as_is_wished() {
    for seconds in [0.5, 2.0, 7.3, 30.0, 95.0, 600.0] {
        for mood in Mood::names() {
            let score = compose(&wish(mood, "", 1, seconds));
            let length = f64::from(score.end) * f64::from(score.quarter) / f64::from(QUARTER) / 1e6;
            assert!((length - seconds).abs() < 0.005, "{mood}: {length} s, not {seconds}");
            let tempo = 60e6 / f64::from(score.quarter);
            let wanted = f64::from(Mood::named(mood).unwrap().tempo);
            assert!(seconds < 30.0 || (tempo / wanted - 1.0).abs() < 0.1, "{mood}: {tempo} bpm");
        }
    }
}

#[test]
fn notes_are_of_the_key_and_of_their_chords_where_they_are_strong() {
    for (name, score) in pieces() {
        let minor = score.key.minor;
        let scale: &[u8] =
            if minor { &[0, 2, 3, 5, 7, 8, 10, 11] } else { &[0, 2, 4, 5, 7, 9, 11] };
        let in_scale = |note: &Note| scale.contains(&((note.pitch + 12 - score.key.tonic) % 12));
        for part in score.parts.iter().filter(|it| ["melody", "chords", "pad"].contains(&it.name)) {
            assert!(part.notes.iter().all(in_scale), "{name}: {}", part.name);
        }
        let (Some(melody), Some(pad)) = (part(&score, "melody"), part(&score, "pad")) else {
            continue;
        };
        for note in melody.notes.iter().filter(|note| note.start % (BAR / 2) == 0) {
            let sounds = |it: &&Note| it.start <= note.start && note.start < it.start + it.length;
            let chord: Vec<u8> = pad.notes.iter().filter(sounds).map(|it| it.pitch % 12).collect();
            assert!(chord.contains(&(note.pitch % 12)), "{name}: {note:?} over {chord:?}");
        }
    }
}

#[test]
fn parts_stay_where_their_instruments_can_play() {
    for (name, score) in pieces() {
        for part in &score.parts {
            let reach = match part.name {
                "melody" => 45..=105,
                "chords" | "pad" => 43..=82,
                "bass" => 30..=44,
                _ => 35..=81,
            };
            for note in &part.notes {
                assert!(reach.contains(&note.pitch), "{name}: {} {note:?}", part.name);
                assert!((1..=127).contains(&note.velocity) && note.length > 0, "{name}: {note:?}");
                assert!(note.start + note.length <= score.end, "{name}: {} {note:?}", part.name);
            }
            let mut by_pitch = part.notes.clone();
            by_pitch.sort_by_key(|note| (note.pitch, note.start));
            for pair in by_pitch.windows(2).filter(|pair| pair[0].pitch == pair[1].pitch) {
                assert!(pair[0].start + pair[0].length <= pair[1].start, "{name}: {pair:?}");
            }
        }
    }
}

#[test]
fn a_melody_steps_back_after_a_leap_and_comes_again() {
    let score = compose(&wish("upbeat", "C", 3, 60.0));
    let melody = &part(&score, "melody").unwrap().notes;
    // Bars 5 to 8 are the second A, 13 to 16 the third.
    let bars = |from: u32| -> Vec<(u32, u8)> {
        let within = melody.iter().filter(|it| (from * BAR..(from + 4) * BAR).contains(&it.start));
        within.map(|it| (it.start - from * BAR, it.pitch)).collect()
    };
    assert_eq!(bars(4), bars(12));
    assert_ne!(bars(4), bars(8));
    let leaps = melody.windows(2).filter(|pair| pair[0].pitch.abs_diff(pair[1].pitch) > 5).count();
    assert!(leaps * 4 < melody.len(), "{leaps} leaps in {} notes", melody.len());
}

#[test]
fn the_seed_decides() {
    let bytes = |seed| compose(&wish("calm", "", seed, 20.0)).to_midi();
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn with_more_intensity_more_goes_on() {
    let of = |intensity| {
        let score = compose(&Wish { intensity, ..wish("upbeat", "", 1, 30.0) });
        let count: usize = score.parts.iter().map(|part| part.notes.len()).sum();
        let loud = score.parts[0].notes.iter().map(|note| u32::from(note.velocity)).max();
        (score.parts.len(), count, loud)
    };
    let (quiet, middle, loud) = (of(0), of(50), of(100));
    assert!(quiet.0 < middle.0 && quiet.1 < middle.1 && quiet.2 < middle.2);
    assert!(middle.1 < loud.1 && middle.2 < loud.2);
}

#[test]
fn a_file_reads_back_as_the_same_notes() {
    for (name, score) in pieces() {
        let (tracks, quarter) = read(&score.to_midi());
        assert_eq!(quarter, score.quarter, "{name}");
        assert_eq!(tracks.len(), score.parts.len() + 1, "{name}");
        for (part, (notes, end)) in score.parts.iter().zip(&tracks[1..]) {
            assert_eq!(notes, &part.notes, "{name}");
            assert_eq!(*end, score.end, "{name}");
        }
    }
}

#[test]
fn the_bytes_of_a_piece_never_change() {
    let bytes = compose(&wish("jazz", "F", 7, 12.0)).to_midi();
    let sum = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    assert_eq!((bytes.len(), sum), (1556, 6_842_957_946_362_582_413));
}

/// The notes and the end of each track, and the tempo.
fn read(file: &[u8]) -> (Vec<(Vec<Note>, u32)>, u32) {
    assert_eq!(&file[..8], b"MThd\0\0\0\x06");
    assert_eq!(&file[8..10], [0, 1]);
    assert_eq!(file[12..14], (QUARTER as u16).to_be_bytes());
    let (mut rest, mut tracks, mut quarter) = (&file[14..], Vec::new(), 0);
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        assert_eq!(&head[..4], b"MTrk");
        let length = u32::from_be_bytes(head[4..].try_into().unwrap()) as usize;
        tracks.push(read_track(&after[..length], &mut quarter));
        rest = &after[length..];
    }
    assert_eq!(usize::from(file[11]), tracks.len());
    (tracks, quarter)
}

fn read_track(mut bytes: &[u8], quarter: &mut u32) -> (Vec<Note>, u32) {
    let mut take = |count: usize| {
        let (taken, rest) = bytes.split_at(count);
        bytes = rest;
        taken.to_vec()
    };
    let number = |take: &mut dyn FnMut(usize) -> Vec<u8>| {
        let mut number = 0;
        loop {
            let byte = take(1)[0];
            number = number << 7 | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return number;
            }
        }
    };
    let (mut now, mut sounding, mut notes) = (0, Vec::<Note>::new(), Vec::new());
    loop {
        now += number(&mut take);
        let status = take(1)[0];
        match status {
            0xff => {
                let kind = take(1)[0];
                let length = number(&mut take);
                let data = take(length as usize);
                match kind {
                    0x2f => break,
                    0x51 => *quarter = u32::from_be_bytes([0, data[0], data[1], data[2]]),
                    _ => {}
                }
            }
            0x90..=0x9f => {
                let data = take(2);
                sounding.push(Note { start: now, length: 0, pitch: data[0], velocity: data[1] });
            }
            0x80..=0x8f => {
                let pitch = take(2)[0];
                let index = sounding.iter().position(|note| note.pitch == pitch).unwrap();
                let note = sounding.remove(index);
                notes.push(Note { length: now - note.start, ..note });
            }
            0xc0..=0xcf => drop(take(1)),
            _ => drop(take(2)),
        }
    }
    assert!(sounding.is_empty());
    notes.sort_unstable();
    (notes, now)
}
