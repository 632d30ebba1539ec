//! Differences between real files; media are made with `ffmpeg`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::tools::{HINT, Tools};
use super::*;

const NAMES: Names<'_> = Names { before: "//p:a@1", after: "//p:a@2" };
const HEAD: &str = "--- //p:a@1\n+++ //p:a@2\n";

/// A folder for the two versions `1` and `2`.
struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    /// Has ffmpeg make a file, from words with spaces between.
    fn made(&self, name: &str, words: &str) -> &Self {
        let begun = ["-v", "error", "-nostdin", "-fflags", "+bitexact"];
        let mut command = Command::new("ffmpeg");
        command.args(begun).args(words.split(' ')).arg(self.path(name)).stdin(Stdio::null());
        assert!(command.status().unwrap().success(), "{words}");
        self
    }

    fn difference(&self) -> String {
        compare(&self.path("1"), &self.path("2"), &NAMES).unwrap()
    }

    fn difference_of(&self, before: &str, after: &str) -> String {
        compare(&self.path(before), &self.path(after), &NAMES).unwrap()
    }
}

/// Asserts that `text` is the two names and these lines.
#[track_caller]
fn assert_lines(text: &str, lines: &[&str]) {
    let body = text.strip_prefix(HEAD).unwrap_or_else(|| panic!("no names in\n{text}"));
    assert_eq!(body.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn equal_files_do_not_differ() {
    let scene = Scene::new();
    for bytes in [b"".as_slice(), b"a\n", b"\0\xff", &[7; 100_000]] {
        assert_eq!(scene.file("1", bytes).file("2", bytes).difference(), "");
    }
}

#[test]
fn texts_differ_line_by_line_with_three_lines_around() {
    let scene = Scene::new();
    let text = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    scene.file("1", text).file("2", text.replace('5', "five"));
    assert_lines(
        &scene.difference(),
        &["@@ -2,7 +2,7 @@", " 2", " 3", " 4", "-5", "+five", " 6", " 7", " 8"],
    );
    scene.file("1", "").file("2", "ä");
    assert_lines(&scene.difference(), &["@@ -0,0 +1 @@", "+ä", "\\ No newline at end of file"]);
}

#[test]
fn long_texts_that_share_little_end() {
    let scene = Scene::new();
    let lines = |from: u64| -> String {
        let mixed = |n: u64| (n + from).wrapping_mul(6_364_136_223_846_793_005) >> 33;
        (0..100_000).map(|n| format!("{} {}\n", mixed(n) % 5_000, mixed(n) % 7)).collect()
    };
    let (one, other) = (lines(0), lines(77_777_777));
    let text = scene.file("1", &one).file("2", &other).difference();
    assert!(text.starts_with(HEAD));
}

#[test]
fn other_files_differ_in_size_and_from_a_byte_on() {
    let scene = Scene::new();
    let mut bytes = vec![0_u8; 20_000];
    scene.file("1", &bytes);
    bytes[12_345] = 1;
    scene.file("2", &bytes);
    assert_lines(
        &scene.difference(),
        &["first difference at byte 12345, counted from 0", "the same: size"],
    );
    bytes.push(1);
    scene.file("1", &bytes);
    assert_lines(
        &scene.difference(),
        &["size 20001 B -> 20000 B", "first difference at byte 20000, counted from 0"],
    );
    scene.file("2", "a text\n");
    assert_lines(
        &scene.difference(),
        &["size 19.5 KiB -> 7 B", "first difference at byte 0, counted from 0"],
    );
}

#[test]
fn whether_a_file_can_be_run_is_a_difference() {
    let scene = Scene::new();
    scene.file("1", "a\n").file("2", "a\n");
    fs::set_permissions(scene.path("2"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_lines(&scene.difference(), &["executable no -> yes"]);
}

#[test]
fn kinds_are_told_and_links_not_followed() {
    let scene = Scene::new();
    scene.file("1", "a\n").file("2/b", "a\n");
    assert_lines(&scene.difference(), &["was a file, is a folder"]);
    symlink("1", scene.path("link")).unwrap();
    symlink("1", scene.path("alike")).unwrap();
    symlink("gone\n", scene.path("other")).unwrap();
    assert_eq!(scene.difference_of("link", "alike"), "");
    assert_lines(&scene.difference_of("link", "other"), &[r"link to `1` -> `gone\n`"]);
    assert_lines(&scene.difference_of("link", "1"), &["was a link, is a file"]);
    let _open = [UnixListener::bind(scene.path("s")).unwrap()];
    assert_lines(&scene.difference_of("s", "s"), &["special files are not compared"]);
}

#[test]
fn folders_tell_what_only_one_has_and_what_differs_in_both() {
    let scene = Scene::new();
    scene.file("1/same", "a").file("2/same", "a");
    scene.file("1/sub/z", "a\n").file("2/sub/z", "b\n");
    scene.file("1/sub/gone", "").file("1/old/deep/c", "").file("2/new", "");
    scene.file("1/turned", "").file("2/turned/in", "");
    fs::create_dir(scene.path("2/empty")).unwrap();
    symlink("..", scene.path("1/up")).unwrap();
    symlink("../..", scene.path("2/up")).unwrap();
    let expected = "\
only in //p:a@1: old/deep/c
only in //p:a@1: sub/gone
only in //p:a@2: empty/
only in //p:a@2: new
only in //p:a@2: turned/in
--- //p:a@1/sub/z
+++ //p:a@2/sub/z
@@ -1 +1 @@
-a
+b
--- //p:a@1/turned
+++ //p:a@2/turned
was a file, is a folder
--- //p:a@1/up
+++ //p:a@2/up
link to `..` -> `../..`
";
    assert_eq!(scene.difference(), expected);
    assert_eq!(scene.difference_of("1", "1"), "");
}

const TONE: &str = "-f lavfi -i sine=f=440:d=1 -f wav -bitexact";

#[test]
fn sounds_differ_in_length_and_loudness() {
    let scene = Scene::new();
    scene.made("1", TONE);
    scene.made("2", "-f lavfi -i sine=f=440:d=2 -af volume=-6dB -f wav -bitexact");
    assert_lines(
        &scene.difference(),
        &[
            "size 86.2 KiB -> 172.3 KiB",
            "duration 1.00 s -> 2.00 s",
            "mean volume -21.1 dB -> -27.1 dB",
            "loudness -21.8 LUFS -> -27.8 LUFS",
            "the same: format, streams",
        ],
    );
}

#[test]
fn streams_and_tags_that_differ_are_told() {
    let scene = Scene::new();
    scene.made("1", TONE);
    let title = "-metadata title=a\u{1b}b";
    scene.made("2", &format!("-f lavfi -i sine=f=440:d=1 {title} -ac 2 -f wav"));
    let text = scene.difference();
    assert!(
        text.contains("\naudio pcm_s16le 44100 Hz mono -> pcm_s16le 44100 Hz stereo\n"),
        "{text}"
    );
    assert!(text.contains("\ntag title none -> a\\u{1b}b\n"), "{text}");
    assert!(text.ends_with("the same: format, duration, loudness\n"), "{text}");
}

#[test]
fn pictures_of_one_size_are_measured() {
    let scene = Scene::new();
    let picture = |filter: &str| {
        format!("-f lavfi -i testsrc=s=64x48 -frames:v 1 {filter} -c:v png -f image2pipe")
    };
    scene.made("1", &picture("-vf null")).made("2", &picture("-vf noise=alls=20:all_seed=1"));
    let text = scene.difference();
    assert!(text.contains("\npictures PSNR "), "{text}");
    assert!(text.ends_with("\nthe same: streams\n"), "{text}");
    scene.made("small", &picture("-vf scale=32:24"));
    let text = scene.difference_of("1", "small");
    assert!(text.contains("\npicture png 64x48 rgb24 -> png 32x24 rgb24\n"), "{text}");
    assert!(!text.contains("PSNR"), "{text}");
}

#[test]
fn films_are_compared_as_far_as_both_last() {
    let scene = Scene::new();
    let film = |seconds: u32| {
        format!(
            "-f lavfi -i testsrc=s=64x48:r=10:d={seconds} -f lavfi -i sine=d={seconds} \
             -c:v ffv1 -c:a pcm_s16le -f matroska"
        )
    };
    scene.made("1", &film(1)).made("2", &film(2));
    let text = scene.difference();
    assert!(text.contains("\nduration 1.00 s -> 2.00 s\n"), "{text}");
    assert!(text.contains("the same: format, streams, "), "{text}");
    assert!(text.ends_with(", pictures\n"), "{text}");
}

#[test]
fn what_is_broken_is_told_and_compared_as_bytes() {
    let scene = Scene::new();
    scene.made("1", TONE);
    let mut bytes = fs::read(scene.path("1")).unwrap();
    bytes[0] = 0;
    scene.file("2", bytes);
    assert_lines(
        &scene.difference(),
        &[
            "can be shown or played yes -> no",
            "first difference at byte 0, counted from 0",
            "the same: size",
        ],
    );
}

#[test]
fn names_are_no_options_protocols_or_patterns() {
    let scene = Scene::new();
    for name in ["-y.wav", "http:x,y.wav", "a'b\".wav"] {
        let file = scene.made("x.wav", &format!("-y {TONE}")).path("x.wav");
        fs::create_dir_all(scene.path("n")).unwrap();
        fs::rename(file, scene.path("n").join(name)).unwrap();
    }
    scene.made("2", "-f lavfi -i sine=f=440:d=2 -f wav -bitexact");
    for entry in fs::read_dir(scene.path("n")).unwrap() {
        let path = entry.unwrap().path();
        let text = compare(&path, &scene.path("2"), &NAMES).unwrap();
        assert!(text.contains("\nduration 1.00 s -> 2.00 s\n"), "{}: {text}", path.display());
        assert!(text.contains("\nthe same: format, streams, "), "{text}");
    }
    scene.made("a1.png", "-f lavfi -i testsrc=s=64x48 -frames:v 1");
    scene.made("3.png", "-f lavfi -i testsrc2=s=64x48 -frames:v 1");
    fs::copy(scene.path("a1.png"), scene.path("a%d.png")).unwrap();
    let text = scene.difference_of("a%d.png", "3.png");
    assert!(text.contains("first difference at byte "), "{text}");
}

#[test]
fn without_the_programs_sizes_and_digests_are_told() {
    let scene = Scene::new();
    scene.made("1", TONE).made("2", "-f lavfi -i sine=f=440:d=2 -f wav -bitexact");
    let told = |ffprobe: &str, ffmpeg: &str| {
        let mut tools = Tools::called(ffprobe, ffmpeg);
        compare_with(&mut tools, &scene.path("1"), &scene.path("2"), &NAMES).unwrap()
    };
    let [was, is] = ["1", "2"].map(|name| bytes::digest(&scene.path(name)).unwrap());
    assert_lines(
        &told("no-such-ffprobe", "no-such-ffmpeg"),
        &["size 86.2 KiB -> 172.3 KiB", &format!("digest {was} -> {is}"), HINT.trim_end()],
    );
    let text = told("ffprobe", "no-such-ffmpeg");
    assert!(
        text.contains("duration 1.00 s -> 2.00 s\nthe same: format, streams\nhint: "),
        "{text}"
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let scene = Scene::new();
    let error = compare(&scene.path("1"), Path::new("2"), &NAMES).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read `{}`", scene.path("1").display()));
    scene.file("1", [0]).file("2", [255]).file("program", "");
    let program = scene.path("program").display().to_string();
    let mut tools = Tools::called(&program, &program);
    let error = compare_with(&mut tools, &scene.path("1"), &scene.path("2"), &NAMES).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot start `{program}`"));
}
