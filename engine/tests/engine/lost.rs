//! Bytes that the store has lost are made again in the same build, by their producer alone.

use std::fs;

use vwfb_cas::Digest;
use vwfb_engine::event::Event;

use crate::scene::Scene;

const CHAIN: &str = r#"
task "a" { srcs "a.txt"; out "a.out"; script "join {srcs} {out}" }
task "b" { srcs ":a" "b.txt"; out "b.out"; script "join {srcs} {out}" }
"#;

fn chain() -> Scene {
    let scene = Scene::new(CHAIN);
    scene.write("a.txt", "made by a").write("b.txt", "1");
    scene.build("//:b").expect("ran a b");
    scene
}

/// Changes the entries with `bytes` in the store's packs, given the pack and where in it the
/// entry's head and its bytes begin.
fn change(scene: &Scene, bytes: &str, change: fn(&mut [u8], usize, usize)) {
    let digest = Digest::of(bytes.as_bytes());
    let mut found = 0;
    for entry in fs::read_dir(scene.store_folder().join("packs")).unwrap().map(Result::unwrap) {
        let mut pack = fs::read(entry.path()).unwrap();
        for at in 9..pack.len().saturating_sub(32) {
            if pack[at..at + 32] == *digest.as_bytes() && pack[at - 9..at - 4] == *b"vwp1\x01" {
                change(&mut pack, at - 9, at + 36);
                found += 1;
            }
        }
        fs::write(entry.path(), pack).unwrap();
    }
    assert!(found > 0, "the store has `{bytes}`");
}

/// `a` makes the very bytes of its source, so the blob of both is gone.
pub(crate) fn lose(scene: &Scene, bytes: &str) {
    change(scene, bytes, |pack, head, _| pack[head] = 0);
}

#[test]
fn a_lost_input_is_made_again_in_the_same_build() {
    let scene = chain();
    lose(&scene, "made by a");
    scene.write("b.txt", "2");
    scene.build("//:b").expect("ran a b");
    assert_eq!(scene.output("b.out"), "made by a2");
}

#[test]
fn a_lost_tree_is_made_again_for_all_who_read_in_it() {
    let scene = Scene::new(
        r#"
        task "t" { srcs "s.txt"; out "t" type="tree"; script "tree" }
        task "p" { srcs ":t#t/n"; out "p"; script "join {out}" }
        task "q" { srcs ":t#t/n"; out "q"; script "join {out}" }
        task "r" { srcs ":p" ":q" "z.txt"; out "r"; script "join {out}" }
        "#,
    );
    scene.write("s.txt", "n=line\n").write("z.txt", "1");
    scene.build("//:r").expect("ran p q r t");
    scene.build("//:r").expect("unchanged p q r t");
    for number in ["2", "3"] {
        fs::remove_dir_all(scene.store_folder()).unwrap();
        if number == "3" {
            fs::remove_dir_all(scene.root().join(".vwfb/snapshots")).unwrap();
        }
        scene.write("z.txt", number);
        // Whether `p` and `q` run too depends on who finds their bytes lost first.
        scene.build("//:r");
        assert_eq!(scene.output("r"), format!("lineline{number}"));
    }
}

#[test]
fn lost_bytes_that_nobody_needs_are_not_made_again() {
    let scene = chain();
    lose(&scene, "made by a");
    scene.build("//:b").expect("unchanged a b");
}

#[test]
fn a_lost_output_that_must_be_put_in_place_is_made_again() {
    let scene = chain();
    lose(&scene, "made by a1");
    fs::remove_dir_all(scene.root().join("vwfb-out")).unwrap();
    scene.build("//:b").expect("unchanged a; ran b");
    assert_eq!(scene.output("b.out"), "made by a1");
}

#[test]
fn a_damaged_input_is_put_aside_and_made_again() {
    let scene = chain();
    change(&scene, "made by a", |pack, _, bytes| pack[bytes] = b'M');
    // The size is right, so only verification can tell.
    let store = scene.store();
    let report = store.verify(vwfb_cas::VerifyOptions::default()).unwrap();
    assert!(!report.is_sound());
    drop(store);
    scene.write("b.txt", "2");
    scene.build("//:b").expect("ran a b");
    assert_eq!(scene.output("b.out"), "made by a2");
}

#[test]
fn a_store_that_was_deleted_is_filled_again_as_far_as_needed() {
    let scene = chain();
    fs::remove_dir_all(scene.store_folder()).unwrap();
    scene.build("//:b").expect("unchanged a b");
    scene.write("b.txt", "2");
    scene.build("//:b").expect("ran a b");
}

#[test]
fn a_task_that_is_made_again_is_counted_once() {
    let scene = chain();
    lose(&scene, "made by a");
    scene.write("b.txt", "2");
    let seen = scene.build("//:b");
    let Some(Event::RunFinished { counts, .. }) = seen.events.last() else {
        panic!("a run ends with its summary");
    };
    assert_eq!(counts.total(), 2);
}

#[test]
fn a_lost_sampled_result_is_an_error_and_never_another_sample() {
    let scene = Scene::new(
        r#"
        rule "sample" {
            attr "src" type="file"
            out "o" path="{name}.out"
            results "sampled"
            script "join {src} {o}"
        }
        sample "a" src="a.txt"
        task "b" { srcs ":a" "b.txt"; out "b.out"; script "join {srcs} {out}" }
        "#
        .replace("{o}\"", "{out.o}\"")
        .as_str(),
    );
    scene.write("a.txt", "a sample").write("b.txt", "1");
    scene.build("//:b").expect("ran a b");
    lose(&scene, "a sample");
    scene.write("b.txt", "2");
    let seen = scene.build("//:b");
    seen.expect("unchanged a; failed b");
    assert!(seen.reasons["b"].contains("vwfb redo //:a"), "{:?}", seen.reasons);
}

/// A sample, and a task that reads it after a gc in the middle of the build.
const SAMPLED: &str = r#"
rule "sample" {
    attr "src" type="file"
    out "o" path="{name}.out"
    results "sampled"
    script "join {src} {out.o}"
}
sample "a" src="a.txt"
task "collect" { srcs "b.txt"; out "collect.out"; script "gc {srcs} {out}" }
task "c" { srcs ":a" ":collect"; out "c.out"; script "join {srcs} {out}" }
"#;

#[test]
fn a_gc_beside_a_build_takes_nothing_that_the_build_stands_on() {
    let scene = Scene::new(SAMPLED);
    scene.write("a.txt", "a sample").write("b.txt", "1");
    scene.build("//:a").expect("ran a");
    // As if that run had been killed before it could tell the store.
    let store = scene.store();
    for workspace in store.root_workspaces().unwrap() {
        store.publish_roots(&workspace, &vwfb_cas::Roots::default()).unwrap();
    }
    drop(store);
    scene.build("//:c").expect("unchanged a; ran collect c");
    assert_eq!(scene.output("c.out"), "a sample1");
}

#[test]
fn roots_of_a_workspace_that_is_gone_are_known_as_such() {
    let scene = chain();
    let store = scene.store();
    assert_eq!(vwfb_engine::roots::gone_workspaces(&store).unwrap(), [""; 0]);
    fs::remove_dir_all(scene.root()).unwrap();
    assert_eq!(vwfb_engine::roots::gone_workspaces(&store).unwrap().len(), 1);
}

#[test]
fn what_is_no_longer_declared_is_no_longer_kept() {
    let scene = chain();
    scene.write("BUILD.kdl", &CHAIN.lines().take(2).collect::<Vec<_>>().join("\n"));
    let gone = scene.open().before_gc(None).unwrap();
    assert!(gone.is_empty());
    let successes = scene.open().state().successes().unwrap();
    assert_eq!(successes.keys().collect::<Vec<_>>(), ["//:a"]);
}

#[test]
fn to_forget_a_label_is_to_forget_every_key_it_ever_answered() {
    let scene = chain();
    scene.write("b.txt", "2");
    scene.build("//:b").expect("unchanged a; ran b");
    let label = vwfb_rules::label::Label::parse("//:b", &vwfb_rules::label::WsPath::root());
    assert_eq!(scene.open().forget(&[label.unwrap()]).unwrap(), 2);
    scene.write("b.txt", "1");
    scene.build("//:b").expect("unchanged a; ran b");
}
