//! Fan-outs: which of their tasks run, for items that are files, lines, or made by a task.

use std::fs;

use vwfb_engine::event::Event;
use vwfb_engine::forecast::Fate;
use vwfb_engine::workspace::Evaluate;

use crate::scene::Scene;

/// A script is split into parts, each is made twice over, and all are joined.
const FILM: &str = r#"
task "split" { srcs "script.txt"; out "parts" type="tree"; script "tree {out}" }
each "clips" over=":split" as="part" {
    task "audio" { srcs "{part}"; out "audio"; script "join {out}" }
    task "clip" { srcs ":audio"; out "clip"; script "head 3 {out}" }
}
task "film" { srcs ":clips"; out "film"; script "join {out}" }
"#;

fn film(script: &str) -> Scene {
    let scene = Scene::new(FILM);
    scene.write("script.txt", script);
    scene
}

const TWO: &str = "01-hook.txt=hello\n02-end.txt=byebye\n";

#[test]
fn what_a_task_makes_is_expanded_in_the_same_build() {
    let scene = film(TWO);
    scene.build("//...").expect(
        "ran split clips[hook].audio clips[hook].clip clips[end].audio clips[end].clip film",
    );
    assert_eq!(scene.output("film"), "byehel", "by path, as the fake joins");
    assert_eq!(scene.output("clips/hook/audio"), "hello");
    let all =
        "unchanged split clips[hook].audio clips[hook].clip clips[end].audio clips[end].clip film";
    scene.build("//...").expect(all);
    scene.build("//:film").expect(all);
}

#[test]
fn only_what_is_asked_for_is_made_of_each_item() {
    let scene = film(TWO);
    scene.build("//:clips.audio").expect("ran split clips[hook].audio clips[end].audio");
    scene
        .build("//:clips[hook].clip")
        .expect("unchanged split clips[hook].audio; ran clips[hook].clip");
}

#[test]
fn an_item_that_is_put_in_runs_alone() {
    let scene = film(TWO);
    scene.build("//:film");
    scene.write("script.txt", "01-new.txt=first\n02-hook.txt=hello\n03-end.txt=byebye\n");
    scene.build("//:film").expect(
        "ran split clips[new].audio clips[new].clip film;
         cut-off clips[hook].audio clips[end].audio clips[hook].clip clips[end].clip",
    );
    scene.write("script.txt", TWO);
    scene.build("//:film").expect(
        "cached split film; cut-off clips[hook].audio clips[end].audio clips[hook].clip clips[end].clip",
    );
}

#[test]
fn another_order_runs_nothing_of_the_items() {
    let scene = film(TWO);
    scene.build("//:film");
    scene.write("script.txt", "02-hook.txt=hello\n01-end.txt=byebye\n");
    scene.build("//:film").expect(
        "ran split; cut-off clips[hook].audio clips[end].audio clips[hook].clip clips[end].clip film",
    );
}

#[test]
fn an_item_that_changes_runs_until_it_comes_to_the_same() {
    let scene = film(TWO);
    scene.build("//:film");
    scene.write("script.txt", "01-hook.txt=help\n02-end.txt=byebye\n");
    scene.build("//:film").expect(
        "ran split clips[hook].audio clips[hook].clip; cut-off clips[end].audio clips[end].clip film",
    );
}

#[test]
fn a_source_that_comes_to_the_same_expands_to_the_same() {
    let scene = film(TWO);
    scene.build("//:film");
    scene.write("script.txt", TWO.trim_end());
    scene.build("//:film").expect(
        "ran split; cut-off clips[hook].audio clips[end].audio clips[hook].clip clips[end].clip film",
    );
}

#[test]
fn no_items_are_no_targets() {
    let scene = film("");
    scene.write("BUILD.kdl", &FILM.replace("srcs \":clips\"", "srcs \":clips\" \"script.txt\""));
    scene.build("//:film").expect("ran split film");
    scene.build("//:film").expect("unchanged split film");
    scene.write("script.txt", TWO);
    scene.build("//:film").expect(
        "ran split clips[hook].audio clips[hook].clip clips[end].audio clips[end].clip film",
    );
}

#[test]
fn what_is_behind_a_source_that_fails_is_not_there() {
    let scene = film("stop");
    scene.write("BUILD.kdl", &FILM.replace("tree {out}", "fail-if stop {out}"));
    scene.build("//...").expect("failed split; blocked clips");
    let fates = scene.forecast("//:film");
    let waiting = fates.iter().find(|it| matches!(it.fate, Fate::Expands { .. })).unwrap();
    assert_eq!(waiting.label.to_string(), "//:clips");
}

#[test]
fn a_plan_knows_what_is_made_already() {
    let scene = film(TWO);
    let told = |scene: &Scene| -> Vec<String> {
        let fates = scene.forecast("//:film");
        fates.iter().map(|it| format!("{} {}", it.fate.as_str(), it.label.target())).collect()
    };
    assert_eq!(told(&scene), ["runs split", "expands clips"]);
    scene.build("//:clips.audio");
    assert_eq!(
        told(&scene),
        [
            "unchanged split",
            "unchanged clips[hook].audio",
            "runs clips[hook].clip",
            "unchanged clips[end].audio",
            "runs clips[end].clip",
            "may-run film",
        ]
    );
}

#[test]
fn what_is_wrong_with_items_is_told_when_they_are_made() {
    let scene = film("01-hook.txt=a\n02-hook.txt=b\n");
    let seen = scene.build("//:film");
    seen.expect("ran split; blocked clips");
    let told = seen.events.iter().find_map(|event| match event {
        Event::Diagnostic(problem) => Some(problem.code.as_str()),
        _ => None,
    });
    assert_eq!(told, Some("duplicate-item"));
}

#[test]
fn items_that_are_lost_are_made_again() {
    let scene = film(TWO);
    scene.build("//:clips.audio");
    fs::remove_dir_all(scene.store_folder()).unwrap();
    fs::remove_dir_all(scene.root().join("vwfb-out")).unwrap();
    // The audio is the same bytes as its part, which is there again.
    scene.build("//:film").expect(
        "ran split clips[hook].clip clips[end].clip film;
         cut-off clips[hook].audio clips[end].audio",
    );
    assert_eq!(scene.output("film"), "byehel");
}

#[test]
fn one_process_builds_again_what_another_edit_makes() {
    let scene = film(TWO);
    let mut workspace = scene.open();
    scene.build_in(&mut workspace, "//:film");
    scene.write("script.txt", "01-hook.txt=hello\n");
    workspace.refresh();
    scene
        .build_in(&mut workspace, "//:film")
        .expect("ran split film; cut-off clips[hook].audio clips[hook].clip");
    assert_eq!(scene.output("film"), "hel");
}

#[test]
fn evaluating_everything_comes_to_the_same() {
    let mut scene = film(TWO);
    scene.build("//...");
    scene.evaluate = Evaluate::Everything;
    scene.build("//...").expect(
        "unchanged split clips[hook].audio clips[hook].clip clips[end].audio clips[end].clip film",
    );
}

#[test]
fn fan_outs_expand_one_after_the_other() {
    let scene = Scene::new(
        r#"
        task "split" { srcs "script.txt"; out "split" type="tree"; script "tree {out}" }
        each "parts" over=":split" as="part" {
            task "words" { srcs "{part}"; out "words" type="tree"; script "tree {out}" }
            each "said" over=":words" as="word" {
                task "say" { srcs "{word}"; out "said"; script "join {out}" }
            }
        }
        task "film" { srcs ":parts"; out "film"; script "join {out}" }
        "#,
    );
    scene.write("script.txt", "a.txt=x=1\nb.txt=y=2\n");
    scene.build("//:film").expect(
        "ran split parts[a].words parts[a].said[x].say parts[b].words parts[b].said[y].say film",
    );
    assert_eq!(scene.output("film"), "12");
    scene.write("script.txt", "a.txt=x=1\nb.txt=z=3\n");
    scene.build("//:film").expect(
        "ran split parts[b].words parts[b].said[z].say film;
         cut-off parts[a].words parts[a].said[x].say",
    );
    assert_eq!(scene.output("film"), "13");
}

#[test]
fn lines_of_a_source_are_items_by_what_they_say() {
    let scene = Scene::new(
        r#"
        each "words" over="words.txt" as="word" { write_file "note" text="{word}" out="note" }
        task "all_words" { srcs ":words"; out "all"; script "join {out}" }
        "#,
    );
    scene.write("words.txt", "one\ntwo\n");
    let seen = scene.build("//:all_words");
    assert_eq!(seen.results.len(), 3);
    scene.write("words.txt", "zero\ntwo\none\n");
    let seen = scene.build("//:all_words");
    let ran = seen.results.values().filter(|result| result.as_str() == "ran").count();
    assert_eq!(ran, 2, "the new word and what joins all: {:?}", seen.results);
}

#[test]
fn instances_share_what_they_have_in_common() {
    let scene = Scene::new(
        r#"
        task "voice" { srcs "voice.txt"; out "voice"; script "join {out}" }
        instance "short" of="//short" voice=":voice" end="end.txt"
        instance "long" of="//short" voice=":voice" end="other.txt"
        "#,
    );
    scene.write(
        "short/BUILD.kdl",
        r#"
        params { voice type="file"; end type="file" }
        task "intro" { srcs "intro.txt"; out "intro"; script "join {out}" }
        task "film" { srcs ":intro" "{vars.voice}" "{vars.end}"; out "film"; script "join {out}" }
        "#,
    );
    scene.write("short/intro.txt", "intro").write("voice.txt", "voice");
    scene.write("end.txt", "end").write("other.txt", "other");
    let seen = scene.build("//:short //:long");
    let ran = seen.results.values().filter(|result| result.as_str() == "ran").count();
    assert_eq!((ran, seen.results.len()), (4, 5), "one intro is the other: {:?}", seen.results);
    scene.write("other.txt", "another");
    scene
        .build("//:short //:long")
        .expect("ran long.film; unchanged voice short.intro short.film long.intro");
}

#[test]
fn a_gc_keeps_what_fan_outs_came_to() {
    let scene = film(TWO);
    scene.build("//:film");
    let mut workspace = scene.open();
    let _gone = workspace.before_gc(None).unwrap();
    let all = vwfb_cas::GcOptions { max_bytes: Some(0), ..Default::default() };
    let _removed = workspace.store().gc(&all).unwrap();
    drop(workspace);
    let all =
        "unchanged split clips[hook].audio clips[hook].clip clips[end].audio clips[end].clip film";
    scene.build("//:film").expect(all);
    // Also while it is not known what there is.
    scene.write("script.txt", "01-hook.txt=hello\n");
    let _gone = scene.open().before_gc(None).unwrap();
    let all = vwfb_cas::GcOptions { max_bytes: Some(0), ..Default::default() };
    let _removed = scene.store().gc(&all).unwrap();
    scene.write("script.txt", TWO);
    scene.build("//:film").expect(
        "unchanged split clips[hook].audio clips[hook].clip clips[end].audio clips[end].clip film",
    );
}

#[test]
fn a_fan_out_that_comes_into_sight_late_is_expanded_anew_after_an_edit() {
    let scene = Scene::new(
        r#"
        task "src" { srcs "in.txt"; out "src" type="tree"; script "tree {out}" }
        task "mx" { srcs ":src"; out "mx"; script "join {out}" }
        task "late" { after ":mx"; srcs "late.txt"; out "late" type="tree"; script "tree {out}" }
        each "c" over=":src" as="x" { task "m" { srcs "{x}"; out "m"; script "join {out}" } }
        each "l" over=":late" as="x" { task "q" { srcs ":c.m"; out "q"; script "join {out}" } }
        "#,
    );
    scene.write("in.txt", "a=1\nb=2\n").write("late.txt", "z=0\n");
    scene.build("//:l //:mx");
    assert_eq!(scene.output("l/z/q"), "12");
    scene.write("in.txt", "k=3\n");
    scene.build("//:l //:mx");
    assert_eq!(scene.output("l/z/q"), "3");
}

#[test]
fn a_fan_out_may_go_over_what_another_will_come_to() {
    let scene = film(TWO);
    let again = "each \"again\" over=\":clips.audio\" as=\"it\" { task \"w\" { srcs \"{it}\"; out \"w\"; script \"join {out}\" } }
                 filegroup \"every\" { srcs \":clips.audio\" }
                 each \"more\" over=\":every\" as=\"it\" { task \"w\" { srcs \"{it}\"; out \"w\"; script \"join {out}\" } }";
    scene.write("BUILD.kdl", &format!("{FILM}{again}"));
    scene
        .build("//:again")
        .expect("ran split clips[hook].audio clips[end].audio again[hook].w again[end].w");
    let seen = scene.build("//:more");
    assert_eq!(seen.results.len(), 5);
    assert_eq!(scene.output("more/hook/w"), "hello");
    scene.write("script.txt", "01-hook.txt=hello\n");
    scene.build("//:again").expect("ran split; cut-off clips[hook].audio again[hook].w");
}

#[test]
fn what_a_nested_fan_out_is_expanded_from_may_change_alone() {
    let scene = Scene::new(
        r#"
        task "split" { srcs "script.txt"; out "split" type="tree"; script "tree {out}" }
        each "parts" over=":split" as="part" {
            task "words" { srcs "{part}" "more.txt"; out "words" type="tree"; script "tree {out}" }
            each "said" over=":words" as="word" {
                task "say" { srcs "{word}"; out "said"; script "join {out}" }
            }
        }
        task "film" { srcs ":parts"; out "film"; script "join {out}" }
        "#,
    );
    scene.write("script.txt", "a.txt=x=1\n").write("more.txt", "y=2\n");
    scene.build("//:film");
    assert_eq!(scene.output("film"), "12");
    scene.write("more.txt", "z=3\n");
    scene.build("//:film");
    assert_eq!(scene.output("film"), "13");
}

#[test]
fn a_fan_out_with_problems_leaves_the_others_alone() {
    let scene = Scene::new(
        r#"
        task "good" { srcs "good.txt"; out "good" type="tree"; script "tree {out}" }
        each "clips" over=":good" as="clip" {
            task "cut" { srcs "{clip}"; out "cut"; script "join {out}" }
        }
        task "bad" { srcs "bad.txt"; out "bad" type="tree"; script "tree {out}" }
        each "twice" over=":bad" as="part" {
            task "cut" { srcs "{part}"; out "cut"; script "join {out}" }
        }
        "#,
    );
    scene.write("good.txt", "a.txt=1\nb.txt=2\n").write("bad.txt", "01-x.txt=1\n02-x.txt=2\n");
    let seen = scene.build("//...");
    seen.expect("ran good bad clips[a].cut clips[b].cut; blocked twice");
    scene.write("bad.txt", "01-x.txt=1\n02-y.txt=2\n");
    scene
        .build("//...")
        .expect("ran bad twice[x].cut twice[y].cut; unchanged good clips[a].cut clips[b].cut");
}

#[test]
fn another_name_of_a_target_has_its_items() {
    let scene = film(TWO);
    let again = "alias \"parts\" actual=\":split\"
                 alias \"same\" actual=\":parts\"
                 each \"again\" over=\":same\" as=\"it\" { task \"w\" { srcs \"{it}\"; out \"w\"; script \"join {out}\" } }
                 filegroup \"group\" { srcs \":split\" }
                 each \"grouped\" over=\":group\" as=\"it\" { task \"w\" { srcs \"{it}\"; out \"w\"; script \"join {out}\" } }";
    scene.write("BUILD.kdl", &format!("{FILM}{again}"));
    scene.build("//:again").expect("ran split again[hook].w again[end].w");
    let seen = scene.build("//:grouped");
    seen.expect("unchanged split; cached grouped[hook].w grouped[end].w");
}

#[test]
fn what_an_item_says_may_be_what_a_target_makes() {
    let scene = film("01-hook.txt=hello\n02-end.txt=bye\n");
    let said = r#"
        each "said" over=":clips.audio" as="it" {
            write_file "line" text="{it.id}: {it.content}!"
        }
    "#;
    scene.write("BUILD.kdl", &format!("{FILM}{said}"));
    scene
        .build("//:said")
        .expect("ran split clips[hook].audio clips[end].audio said[hook].line said[end].line");
    assert_eq!(scene.output("said/hook/line.txt"), "hook: hello!");
    scene.write("script.txt", "01-hook.txt=hello\n02-end.txt=so long\n");
    scene.build("//:said").expect(
        "ran split clips[end].audio said[end].line; cut-off clips[hook].audio; unchanged said[hook].line",
    );
}

#[test]
fn what_reads_the_source_of_a_wrong_fan_out_runs_all_the_same() {
    let scene = Scene::new(
        r#"
        task "bad" { srcs "bad.txt"; out "bad" type="tree"; script "tree {out}" }
        each "twice" over=":bad" as="part" {
            task "cut" { srcs "{part}"; out "cut"; script "join {out}" }
        }
        task "one" { srcs ":bad"; out "one"; script "join {out}" }
        task "two" { srcs ":bad" ":one"; out "two"; script "join {out}" }
        task "good" { srcs "good.txt"; after ":two"; out "good" type="tree"; script "tree {out}" }
        each "clips" over=":good" as="clip" {
            task "cut" { srcs "{clip}"; out "cut"; script "join {out}" }
        }
        "#,
    );
    scene.write("bad.txt", "01-x.txt=1\n02-x.txt=2\n").write("good.txt", "a.txt=1\n");
    scene.build("//...").expect("ran bad one two good clips[a].cut; blocked twice");
    scene.build("//...").expect("unchanged bad one two good clips[a].cut; blocked twice");
}

#[test]
fn many_items_are_all_made_and_passed_on() {
    let scene = Scene::new(
        r#"
        each "lines" over="lines.txt" as="line" max-items=2000 {
            write_file "said" text="{line}\n"
        }
        task "film" { srcs ":lines"; out "film"; script "join {out}" }
        "#,
    );
    let lines: Vec<String> = (0..1_100).map(|line| format!("line {line}\n")).collect();
    scene.write("lines.txt", &lines.concat());
    let seen = scene.build("//...");
    assert_eq!(seen.results.len(), 1_101);
    let mut all: Vec<String> =
        scene.output("film").lines().map(|line| format!("{line}\n")).collect();
    all.sort();
    let mut lines = lines;
    lines.sort();
    assert_eq!(all, lines);
}

#[test]
fn a_rule_that_changes_is_read_again_in_one_process() {
    let scene = Scene::new("use \"//rules.kdl\"\nshow \"a\" text=\"one\"\n");
    let rule = |name: &str| {
        format!(
            "rule \"show\" {{ attr \"text\" type=\"string\"; out \"x\" path=\"{name}\"; script \"head 3 {{text}} {{out}}\" }}"
        )
    };
    scene.write("rules.kdl", &rule("first"));
    let mut session = scene.open();
    scene.build_in(&mut session, "//:a").expect("ran a");
    scene.write("rules.kdl", &rule("second"));
    session.refresh();
    let _seen = scene.build_in(&mut session, "//:a");
    assert_eq!(scene.output("second"), "");
}

#[test]
fn items_that_are_lost_are_made_again_after_an_edit_too() {
    let scene = film(TWO);
    scene.build("//:film");
    fs::remove_dir_all(scene.store_folder()).unwrap();
    scene.write("BUILD.kdl", &FILM.replace("head 3", "head 2"));
    let seen = scene.build("//:film");
    assert_eq!(seen.results.len(), 6);
    assert_eq!(scene.output("film"), "byhe");
}

#[test]
fn another_name_of_a_text_has_its_lines() {
    let scene = Scene::new(
        r#"
        task "list" { srcs "list.txt"; out "list"; script "join {out}" }
        alias "words" actual=":list"
        each "said" over=":words" as="word" { write_file "w" text="{word}!" }
        "#,
    );
    scene.write("list.txt", "one\ntwo\n");
    assert_eq!(scene.build("//:said").results.len(), 3);
}
