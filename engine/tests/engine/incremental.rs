//! Which tasks run after a change: no more than must, and no fewer.

use vwfb_engine::forecast::Fate;

use crate::scene::Scene;

/// a -> b -> d, a -> c -> d; b keeps only the first three bytes.
const DIAMOND: &str = r#"
task "a" { srcs "a.txt"; out "a.out"; script "join {srcs} {out}" }
task "b" { srcs ":a"; out "b.out"; script "head 3 {srcs} {out}" }
task "c" { srcs ":a"; out "c.out"; script "join {srcs} {out}" }
task "d" { srcs ":b" ":c"; out "d.out"; script "join {srcs} {out}" }
"#;

fn diamond() -> Scene {
    let scene = Scene::new(DIAMOND);
    scene.write("a.txt", "one two");
    scene
}

#[test]
fn a_first_build_runs_everything_and_a_second_nothing() {
    let scene = diamond();
    scene.build("//:d").expect("ran a b c d");
    assert_eq!(scene.output("d.out"), "oneone two");
    scene.build("//:d").expect("unchanged a b c d");
    assert_eq!(scene.runs.lock().unwrap().len(), 4);
}

#[test]
fn an_edit_runs_what_depends_on_it_and_stops_where_the_result_is_the_same() {
    let scene = diamond();
    scene.build("//:d");
    scene.write("a.txt", "one three");
    scene.build("//:d").expect("ran a b c d");
    assert_eq!(scene.output("d.out"), "oneone three");
    let scene = Scene::new(
        r#"
        task "a" { srcs "a.txt"; out "a.out"; script "head 3 {srcs} {out}" }
        task "b" { srcs ":a"; out "b.out"; script "join {srcs} {out}" }
        task "c" { srcs ":b"; out "c.out"; script "join {srcs} {out}" }
        "#,
    );
    scene.write("a.txt", "one two");
    scene.build("//:c").expect("ran a b c");
    scene.write("a.txt", "one three");
    scene.build("//:c").expect("ran a; cut-off b c");
}

#[test]
fn putting_the_old_bytes_back_restores_the_old_result_without_running() {
    let scene = diamond();
    scene.build("//:d");
    scene.write("a.txt", "two");
    scene.build("//:d").expect("ran a b c d");
    scene.write("a.txt", "one two");
    scene.build("//:d").expect("cached a b c d");
    assert_eq!(scene.output("d.out"), "oneone two");
}

#[test]
fn the_same_content_written_again_changes_nothing() {
    let scene = diamond();
    scene.build("//:d");
    scene.write("a.txt", "one two");
    scene.build("//:d").expect("unchanged a b c d");
}

#[test]
fn comments_order_and_names_of_other_targets_run_nothing() {
    let scene = diamond();
    scene.build("//:d");
    let moved = DIAMOND.lines().rev().collect::<Vec<_>>().join("\n// a comment\n");
    scene.write(
        "BUILD.kdl",
        &format!("{moved}\ntask \"e\" {{ out \"e\"; script \"join {{out}}\" }}\n"),
    );
    scene.build("//:d").expect("unchanged a b c d");
}

#[test]
fn a_changed_script_runs_its_task_and_what_reads_a_new_result() {
    let scene = diamond();
    scene.build("//:d");
    scene.write("BUILD.kdl", &DIAMOND.replace("head 3", "head 2"));
    scene.build("//:d").expect("unchanged a c; ran b d");
}

#[test]
fn a_variable_runs_only_the_tasks_that_use_it() {
    let mut scene = Scene::new(
        r#"
        vars { length "3" }
        task "a" { srcs "a.txt"; out "a.out"; script "head {vars.length} {srcs} {out}" }
        task "b" { srcs "a.txt"; out "b.out"; script "join {srcs} {out}" }
        "#,
    );
    scene.write("a.txt", "one two");
    scene.build("//:all").expect("ran a b");
    scene.set_vars(&["length=2"]);
    scene.build("//:all").expect("ran a; cached b");
    scene.set_vars(&[]);
    scene.build("//:all").expect("unchanged a b");
}

#[test]
fn a_new_file_runs_the_task_whose_glob_it_matches() {
    let scene = Scene::new(
        r#"
        task "all" { srcs (glob)"parts/*.txt"; out "all.out"; script "join {srcs} {out}" }
        task "one" { srcs "parts/1.txt"; out "one.out"; script "join {srcs} {out}" }
        "#
        .replace("\"all\"", "\"joined\"")
        .as_str(),
    );
    scene.write("parts/1.txt", "1").write("parts/3.txt", "3");
    scene.build("//:joined //:one").expect("ran joined one");
    assert_eq!(scene.output("all.out"), "13");
    scene.write("parts/2.txt", "2");
    scene.build("//:joined //:one").expect("ran joined; unchanged one");
    assert_eq!(scene.output("all.out"), "123");
    scene.remove("parts/2.txt");
    scene.build("//:joined //:one").expect("cached joined; unchanged one");
}

#[test]
fn a_path_into_a_tree_wakes_only_when_that_file_changes() {
    let scene = Scene::new(
        r#"
        task "split" { srcs "lines.txt"; out "parts" type="tree"; script "tree {srcs} {out}" }
        task "x" { srcs ":split#parts/x"; out "x.out"; script "join {srcs} {out}" }
        task "y" { srcs ":split#parts/y"; out "y.out"; script "join {srcs} {out}" }
        "#,
    );
    scene.write("lines.txt", "x=1\ny=1\n");
    scene.build("//:x //:y").expect("ran split x y");
    scene.write("lines.txt", "x=1\ny=2\n");
    scene.build("//:x //:y").expect("ran split y; cut-off x");
    assert_eq!(scene.output("y.out"), "2");
}

#[test]
fn a_gate_orders_tasks_and_is_in_no_key() {
    let scene = Scene::new(
        r#"
        task "gate" { srcs "gate.txt"; out "gate.out"; script "join {srcs} {out}" }
        task "work" after=":gate" { srcs "a.txt"; out "work.out"; script "join {srcs} {out}" }
        "#,
    );
    scene.write("gate.txt", "1").write("a.txt", "a");
    scene.build("//:work").expect("ran gate work");
    assert_eq!(scene.runs.lock().unwrap()[0].split(' ').nth(1), Some("in/gate.txt"));
    scene.write("gate.txt", "2");
    scene.build("//:work").expect("ran gate; unchanged work");
}

#[test]
fn a_group_and_an_alias_pass_on_what_they_name() {
    let scene = Scene::new(
        r#"
        task "a" { srcs "a.txt"; out "a.out"; script "join {srcs} {out}" }
        filegroup "both" { srcs ":a" "b.txt" }
        alias "other" actual=":both"
        task "c" { srcs ":other"; out "c.out"; script "join {srcs} {out}" }
        "#,
    );
    scene.write("a.txt", "1").write("b.txt", "2");
    scene.build("//:c").expect("ran a c");
    scene.write("b.txt", "3");
    scene.build("//:c").expect("unchanged a; ran c");
    scene.build("//:other").expect("unchanged a");
}

#[test]
fn a_plan_says_what_a_build_then_does() {
    let scene = diamond();
    let fates = |scene: &Scene| {
        let fates = scene.forecast("//:d");
        fates.into_iter().map(|f| (f.label.target(), f.fate)).collect::<Vec<_>>()
    };
    let all = |fate: fn(&str) -> Fate| ["a", "b", "c", "d"].map(|n| (n.to_owned(), fate(n)));
    let first = fates(&scene);
    assert!(first.contains(&("a".to_owned(), Fate::Runs)));
    assert!(first.contains(&("d".to_owned(), Fate::MayRun)));
    scene.build("//:d");
    let mut after = fates(&scene);
    after.sort_by(|left, right| left.0.cmp(&right.0));
    assert_eq!(after, all(|_| Fate::Unchanged));
    assert_eq!(scene.runs.lock().unwrap().len(), 4, "a plan runs nothing");
}

#[test]
fn an_edit_between_two_builds_of_one_session_is_seen_by_its_refresh() {
    let scene = diamond();
    let mut workspace = scene.open();
    scene.build_in(&mut workspace, "//:d").expect("ran a b c d");
    scene.write("a.txt", "onetwo");
    workspace.refresh();
    scene.build_in(&mut workspace, "//:d").expect("ran a b c d");
    assert_eq!(scene.output("d.out"), "oneonetwo");
}

#[test]
fn a_file_that_no_path_can_name_is_not_left_out_in_silence() {
    let scene = Scene::new(
        r#"task "joined" { srcs (glob)"parts/*.txt"; out "o"; script "join {srcs} {out}" }"#,
    );
    scene.write("parts/1.txt", "1").write("parts/two\nlines.txt", "2").write("parts/x\ny.md", "3");
    let pattern = vwfb_rules::pattern::Pattern::Below(vwfb_rules::label::WsPath::root());
    let loaded = scene.open().load(&[pattern]);
    let messages: Vec<&str> = loaded.problems.iter().map(|p| p.message.as_str()).collect();
    assert_eq!(
        messages,
        ["`parts/*.txt` would leave out \"parts/two\\nlines.txt\", whose name is not plain \
             UTF-8 text"]
    );
}
