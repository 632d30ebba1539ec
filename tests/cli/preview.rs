//! Previews and the state of a workspace: the best that there is, and what is next.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::world::World;

/// Lines are spoken, which is expensive, and shown; what is shown is joined once it is approved.
const FILM: &str = r#"
rule "speak" {
    attr "text" type="file"
    out "txt" path="{name}.txt"
    expensive #true
    script "while read -r line; do echo spoken $line; done < {text} > {out}"
}
each "clips" over="lines" as="line" {
    speak "audio" text="{line}"
    task "shown" { srcs ":audio"; out "shown.txt"; script "while read -r line; do echo shown $line; done < {srcs} > {out}" }
}
checkpoint "listen" { of ":clips.audio" }
task "film" {
    srcs "intro.txt" placeholder="skip"
    srcs ":clips.shown"
    after ":listen"
    out "film.txt"
    script "cat {srcs} > {out}"
}
"#;

fn world() -> World {
    let world = World::with(FILM);
    world.write("p/lines/01-a.txt", "one\n");
    world.write("p/lines/02-b.txt", "two\n");
    world
}

const PREVIEW: &str = "vwfb-out/+preview/p/film.txt";

/// `SKIPPED p/intro.txt`: the kinds and names of the segments.
fn segments(world: &World, options: &[&str]) -> Vec<String> {
    let args: Vec<&str> =
        ["preview", "//p:film", "--json"].iter().chain(options).copied().collect();
    let json: serde_json::Value = serde_json::from_str(&world.ok(&args).stdout).unwrap();
    let segments = json["segments"].as_array().unwrap();
    let text = |it: &serde_json::Value, name: &str| it[name].as_str().unwrap().to_owned();
    segments.iter().map(|it| format!("{} {}", text(it, "kind"), text(it, "name"))).collect()
}

#[test]
fn a_film_under_music_is_told_by_its_own_segments() {
    let film = FILM.replace("film.txt", "film.mp4")
        + r#"
        rule "lay" {
            attr "base" type="file"
            attr "music" type="file"
            out "mp4" path="{name}.mp4"
            script "cat {base} {music} > {out}"
        }
        write_file "a-tune" text="la" out="tune.txt"
        lay "mixed" base=":film" music=":a-tune"
        rule "mark" {
            attr "base" type="file"
            attr "titles" type="file" list=#true
            out "mp4" path="{name}.mp4"
            script "cat {base} {titles} > {out}"
        }
        each "titles" over="lines" as="line" { write_file "title" text="{line.stem}" out="title.txt" }
        mark "marked" base=":mixed" titles=":titles"
        "#;
    let world = World::with(&film);
    world.write("p/lines/01-a.txt", "one\n");
    world.write("p/lines/02-b.txt", "two\n");
    let told = world.ok(&["preview", "//p:mixed"]);
    let _told = told.says("0 of 3 segments real; missing: p/intro.txt, //p:clips[a].audio");
    // Its titles are several, too, and say something of it.
    let told = world.ok(&["preview", "//p:marked"]);
    let _told = told.says("0 of 3 segments real; missing: p/intro.txt, //p:clips[a].audio");
}

#[test]
fn what_cannot_pass_with_a_stand_in_is_no_failure() {
    let checked = r#"
        rule "check" {
            attr "audio" type="file"
            out "ok" path="{name}.ok"
            script "while read -r word rest; do [ \"$word\" = spoken ] || exit 3; done < {audio}; echo ok > {out}"
        }
        each "checks" over="lines" as="line" { check "checked" audio=":clips[{line.id}].audio" }
        task "whole" { srcs ":checks" ":film"; out "whole.txt"; script "cat {srcs} > {out}" }
        "#;
    let world = World::with(&format!("{FILM}{checked}"));
    world.write("p/lines/01-a.txt", "one\n");
    let told = world.ok(&["preview", "//p:whole"]);
    assert!(!told.stderr.contains("failed"), "{}", told.stderr);
    // With the real speech the same check counts.
    world.write("p/BUILD.kdl", &world.read("p/BUILD.kdl").replace("= spoken", "= sung"));
    let _built = world.run(&["build", "//p:clips[a].audio"]);
    let _told = world.ok(&["preview", "//p:whole"]).says("failed //p:checks[a].checked");
}

#[test]
fn a_preview_starts_nothing_that_is_expensive_and_records_nothing() {
    let world = world();
    let told = world.ok(&["preview", "//p:film"]);
    assert_eq!(told.stdout, "[root]/vwfb-out/+preview/p/film.txt\n");
    let told = told.says("SKIPPED").says("PLACEHOLDER").says("0 of 3 segments real; missing: ");
    let _told = told.says("p/intro.txt, //p:clips[a].audio, //p:clips[b].audio");
    let not_made = |item: &str| format!("shown (not made: //p:clips[{item}].audio)\n");
    assert_eq!(world.read(PREVIEW), format!("{}{}", not_made("a"), not_made("b")));
    assert_eq!(world.ok(&["versions", "//p:clips[a].audio"]).stdout, "");
    let status = world.ok(&["status"]).stdout;
    assert!(status.contains("not made     //p:clips[a].audio\n"), "{status}");
    assert!(!world.path("vwfb-out/p/film.txt").exists());
    let with = segments(&world, &["--run-expensive"]);
    assert_eq!(with, ["SKIPPED p/intro.txt", "REAL //p:clips[a].shown", "REAL //p:clips[b].shown"]);
    assert_eq!(world.read(PREVIEW), "shown spoken one\nshown spoken two\n");
}

#[test]
fn what_is_stale_is_shown_as_it_last_was() {
    let world = world();
    let _built = world.run(&["build", "//p:film"]).exits(5);
    // Behind a checkpoint that waits, too.
    let all = segments(&world, &[]);
    assert_eq!(all, ["SKIPPED p/intro.txt", "REAL //p:clips[a].shown", "REAL //p:clips[b].shown"]);
    world.write("p/lines/02-b.txt", "changed\n");
    let all = segments(&world, &[]);
    assert_eq!(all[2], "LAST GOOD //p:clips[b].shown");
    assert_eq!(world.read(PREVIEW), "shown spoken one\nshown spoken two\n");
    let fresh = segments(&world, &["--fresh"]);
    assert_eq!(fresh[1..], ["REAL //p:clips[a].shown", "PLACEHOLDER //p:clips[b].shown"]);
    let stands_in = "shown spoken one\nshown (not made: //p:clips[b].audio)\n";
    assert_eq!(world.read(PREVIEW), stands_in);
    world.write("p/intro.txt", "hear!\n");
    let _all = segments(&world, &[]);
    assert_eq!(world.read(PREVIEW), "hear!\nshown spoken one\nshown spoken two\n");
}

#[test]
fn what_fails_is_stood_in_for_too() {
    let world = world();
    let failing = FILM.replace(
        "while read -r line; do echo shown",
        "while read -r line; do case $line in *two*) exit 3 ;; esac; echo",
    );
    world.write("p/BUILD.kdl", &failing);
    let _built = world.run(&["build", "//p:film"]).exits(1);
    let told = world.ok(&["preview", "//p:film"]).says("failed //p:clips[b].shown");
    let _told = told.says("1 of 3 segments real");
    assert_eq!(world.read(PREVIEW), "spoken one\n(not made: //p:clips[b].shown)\n");
    let status = world.ok(&["status"]).stdout;
    let failed = "failed       //p:clips[b].shown: `sh` failed with exit code 3 (run 1)\n";
    assert!(status.contains(failed), "{status}");
}

#[test]
fn a_status_says_in_one_screen_where_all_stands_and_what_is_next() {
    let world = world();
    let status = world.ok(&["status"]).stdout;
    assert!(status.starts_with("workspace test\n"), "{status}");
    assert!(status.ends_with("next: vwfb build //... runs 2, and perhaps 4 more\n"), "{status}");
    let _built = world.run(&["build", "//p:film"]).exits(5);
    let status = world.ok(&["status"]).stdout;
    assert!(status.contains("  waiting      //p:listen: nobody decided on 2 of 2\n"), "{status}");
    assert!(status.ends_with("next: vwfb review: people are waited for\n"), "{status}");
    let _approved = world.ok(&["approve", "//p:listen"]);
    let _built = world.ok(&["build", "//p:film"]);
    let _pinned = world.ok(&["pin", "//p:clips[a].audio"]);
    world.write("p/lines/02-b.txt", "changed\n");
    let status = world.ok(&["status"]).stdout;
    assert!(status.contains("  provisional  //p:film: p/intro.txt\n"), "{status}");
    let stale = "  stale        //p:clips[b].audio: the file `p/lines/02-b.txt` changed\n";
    assert!(status.contains(stale), "{status}");
    let chosen = "  chosen       //p:clips[a].audio: pinned, version 1 by unknown\n";
    assert!(status.contains(chosen), "{status}");
    let json: serde_json::Value =
        serde_json::from_str(&world.ok(&["status", "--json"]).stdout).unwrap();
    assert_eq!(json["next"]["runs"], 1);
    // Where the workspace lies is no part of what it remembers.
    let moved = world.root().with_file_name("elsewhere");
    std::fs::rename(world.root(), &moved).unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_vwfb"));
    let store = world.store();
    command.arg("status").current_dir(&moved).env("VWFB_STORE", store);
    let told = String::from_utf8(command.output().unwrap().stdout).unwrap();
    assert_eq!(told, status);
    std::fs::rename(&moved, world.root()).unwrap();
}

#[test]
fn a_decision_outlives_a_kill_right_after_it() {
    let world = World::with(&FILM.replace("cat {srcs} > {out}", "cat {srcs} > {out}; sleep 30"));
    world.write("p/lines/01-a.txt", "one\n");
    let _built = world.run(&["build", "//p:film"]).exits(5);
    let _approved = world.ok(&["approve", "//p:listen"]);
    let mut command = world.command(&["build", "//p:film", "--events", "events.jsonl"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let started = |world: &World| {
        let events = std::fs::read_to_string(world.path("events.jsonl")).unwrap_or_default();
        events.contains("\"task-started\",\"label\":\"//p:film\"")
    };
    while !started(&world) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never started");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    let _status = child.wait().unwrap();
    world.write("p/BUILD.kdl", FILM);
    let _built = world.ok(&["build", "//p:film"]);
    assert_eq!(world.read("vwfb-out/p/film.txt"), "shown spoken one\n");
}

#[test]
fn a_status_is_of_the_configuration_that_was_built() {
    let world = world();
    world.write(
        "WORKSPACE.kdl",
        "workspace \"test\" { profile \"draft\" { tone \"low\" }; vars { tone \"high\" } }\n",
    );
    let _built = world.run(&["build", "//p:film", "--profile", "draft"]).exits(5);
    let status = world.ok(&["status"]).stdout;
    assert!(status.starts_with("workspace test, --profile draft: run 1 of //p:film"), "{status}");
    assert!(status.contains("nobody decided on 2 of 2"), "{status}");
}
