//! Checkpoints: who waits, what a decision is about, and what it leads to.

use std::process::Stdio;

use crate::world::{Ran, World};

/// Lines are spoken and joined once they are approved; the rest of the package needs nobody.
const SPOKEN: &str = r#"
rule "speak" {
    attr "text" type="string"
    out "txt" path="{name}.txt"
    results "seeded"
    script "echo {text} {seed} {feedback} > {out}"
}
each "clips" over="lines.txt" as="line" split="lines" key="name" {
    speak "audio" text="{line}"
}
checkpoint "listen" {
    of ":clips.audio"
    message "Listen to every segment."
    on-reject "regenerate"
}
task "film" { srcs ":clips.audio"; after ":listen"; out "film.txt"; script "cat {srcs} > {out}" }
task "other" { out "other.txt"; script "echo other > {out}" }
"#;

fn spoken() -> World {
    let text = SPOKEN
        .replace(
            "over=\"lines.txt\" as=\"line\" split=\"lines\" key=\"name\"",
            "over=\"lines\" as=\"line\"",
        )
        .replace("text=\"{line}\"", "text=\"{line.content}\"");
    let world = World::with(&text);
    world.write("p/lines/01-a.txt", "one\n");
    world.write("p/lines/02-b.txt", "two\n");
    world
}

const AUDIO_A: &str = "//p:clips[a].audio";
const AUDIO_B: &str = "//p:clips[b].audio";

fn ran(results: &[String]) -> Vec<&str> {
    results.iter().filter_map(|result| result.strip_suffix(" ran")).collect()
}

#[test]
fn a_build_goes_on_elsewhere_and_says_what_to_look_at() {
    let world = spoken();
    let built = world.run(&["build", "//p:film", "//p:other"]).exits(5);
    assert_eq!(built.stdout, "[root]/vwfb-out/p/other.txt\n");
    let built = built.says("waiting //p:listen: Listen to every segment.\n");
    let shown = format!("  look at  vwfb-out/p/clips/a/audio.txt  {AUDIO_A}#txt\n");
    let built = built.says(&shown).says("  approve  vwfb approve //p:listen\n");
    let _told = built.says("blocked //p:film: `//p:listen` waits for a person\n");
    // What is to be looked at is there.
    assert_eq!(world.read("vwfb-out/p/clips/a/audio.txt"), "one 0 \n");
    assert_eq!(world.ok(&["review", "--list"]).stdout, "//p:listen\n");
    let told = world.ok(&["review"]).prints("waiting //p:listen: Listen to every segment.");
    let _told = told.prints("  reject   vwfb reject //p:listen --feedback \"...\"");
    let plan = world.ok(&["plan", "//p:film"]).stdout;
    assert!(plan.contains("waits     //p:listen: nobody decided on 2 of 2\n"), "{plan}");
    assert!(plan.contains("blocked   //p:film: `//p:listen` waits for a person\n"), "{plan}");
    let _built = world.run(&["build", "//p:film", "--events", "events.jsonl"]).exits(5);
    let events = world.events("events.jsonl");
    let event = events.iter().find(|event| event["event"] == "waiting").unwrap();
    assert_eq!(event["label"], "//p:listen");
    assert_eq!(event["subjects"][0]["subject"], format!("{AUDIO_A}#txt"));
}

#[test]
fn a_decision_is_about_bytes() {
    let world = spoken();
    let _built = world.run(&["build", "//p:film"]).exits(5);
    let _told = world.ok(&["approve", "//p:listen", "--note", "fine"]).says("//p:listen is open");
    assert_eq!(ran(&world.results(&["//p:film"])), ["//p:film"]);
    let _built = world.ok(&["build", "//p:film"]);
    // A change upstream voids it for what changed, and only that is spoken and asked about.
    world.write("p/lines/02-b.txt", "changed\n");
    let _built = world.run(&["build", "//p:film", "--events", "events.jsonl"]).exits(5);
    assert_eq!(ran(&world.results(&["//p:film"])), [""; 0]);
    let events = world.events("events.jsonl");
    let event = events.iter().find(|event| event["event"] == "waiting").unwrap();
    assert_eq!(event["subjects"].as_array().unwrap().len(), 1);
    // The bytes of before are approved as before, and nothing runs.
    world.write("p/lines/02-b.txt", "two\n");
    assert_eq!(ran(&world.results(&["//p:film"])), [""; 0]);
    let _built = world.ok(&["build", "//p:film"]);
}

#[test]
fn what_nobody_was_shown_cannot_be_approved() {
    let world = spoken();
    let _none =
        world.run(&["approve", "//p:listen"]).exits(5).says("is not made from what there is now");
    let _built = world.run(&["build", "//p:film"]).exits(5);
    world.write("p/lines/02-b.txt", "changed\n");
    let refused = world.run(&["approve", "//p:listen"]).exits(5);
    let _told = refused.says("build again, look at what it shows, then decide");
    // Made meanwhile, but at no checkpoint, so that nobody was asked to look.
    let _built = world.ok(&["build", AUDIO_B]);
    let refused = world.run(&["approve", "//p:listen"]).exits(5);
    let _told = refused.says(&format!("`{AUDIO_B}#txt` is not what `//p:listen` last showed"));
    assert_eq!(world.ok(&["decisions"]).stdout, "");
}

#[test]
fn what_a_fan_out_makes_of_made_files_can_be_decided_on() {
    let text = SPOKEN.replace(
        "over=\"lines.txt\" as=\"line\" split=\"lines\" key=\"name\"",
        "over=\":texts\" as=\"line\"",
    );
    let text = text.replace("text=\"{line}\"", "text=\"{line.content}\"");
    let split = r#"task "texts" { out "texts" type="tree"; script "mkdir -p {out}; echo 1 > {out}/a.txt; echo 2 > {out}/b.txt" }"#;
    let world = World::with(&format!("{split}\n{text}"));
    let unmade = world.run(&["approve", "//p:listen"]).exits(5);
    let _told = unmade.says("is not made from what there is now");
    let _built = world.run(&["build", "//p:film"]).exits(5);
    let rejected = world.ok(&["reject", "//p:listen", AUDIO_A, "--feedback", "slower"]);
    let _told = rejected.says(&format!("another take of {AUDIO_A} is made by the next build"));
    assert_eq!(ran(&world.results(&["//p:film"])), [AUDIO_A]);
    let _approved = world.ok(&["approve", "//p:listen"]);
    let _built = world.ok(&["build", "//p:film"]);
    assert_eq!(world.read("vwfb-out/p/film.txt"), "1 1 slower\n2 0 \n");
}

#[test]
fn a_rejection_makes_another_take_of_just_that_with_what_is_to_be_better() {
    let world = spoken();
    let _built = world.run(&["build", "//p:film"]).exits(5);
    let rejected = world.ok(&["reject", "//p:listen", AUDIO_A, "--feedback", "slower"]);
    let rejected = rejected.says(&format!("another take of {AUDIO_A} is made by the next build"));
    let _told = rejected.says(&format!("{AUDIO_A} reads the feedback"));
    // The other one is there to be decided on all the same.
    let _approved = world.ok(&["approve", "//p:listen", AUDIO_B]);
    let _undone = world.ok(&["undo"]).says(&format!("taken back: approve {AUDIO_B}#txt"));
    assert_eq!(ran(&world.results(&["//p:film"])), [AUDIO_A]);
    assert_eq!(world.read("vwfb-out/p/clips/a/audio.txt"), "one 1 slower\n");
    let _approved = world.ok(&["approve", "//p:listen"]);
    let _built = world.ok(&["build", "//p:film"]);
    assert_eq!(world.read("vwfb-out/p/film.txt"), "one 1 slower\ntwo 0 \n");
    // Feedback stays through the approval, until it is taken back.
    assert_eq!(ran(&world.results(&["//p:film"])), [""; 0]);
    let _undone = world.ok(&["undo"]).says(&format!("taken back: approve {AUDIO_A}#txt"));
    let _built = world.run(&["build", "//p:film"]).exits(5);
    let _undone = world.ok(&["undo"]).says(&format!("taken back: reject {AUDIO_A}#txt"));
    // The first take again, from the store.
    assert_eq!(ran(&world.results(&["//p:film"])), [""; 0]);
    let _approved = world.ok(&["approve", "//p:listen"]);
    let _built = world.ok(&["build", "//p:film"]);
    assert_eq!(world.read("vwfb-out/p/film.txt"), "one 0 \ntwo 0 \n");
    let decisions = world.ok(&["decisions", "--json"]).stdout;
    let decisions: Vec<serde_json::Value> = serde_json::from_str(&decisions).unwrap();
    let verdicts: Vec<&str> = decisions.iter().map(|it| it["verdict"].as_str().unwrap()).collect();
    assert_eq!(
        verdicts,
        [
            "reject", "approve", "undo", "approve", "approve", "undo", "undo", "undo", "approve",
            "approve"
        ]
    );
    assert_eq!(decisions[0]["feedback"], "slower");
}

fn gated(options: &str) -> World {
    let text = format!(
        "task \"draft\" {{ srcs \"in.txt\"; out \"draft.txt\"; script \"cat {{srcs}} > {{out}}\" }}
         checkpoint \"read\" {{ of \":draft\"; {options} }}
         task \"print\" {{ srcs \":draft\"; after \":read\"; out \"print.txt\"; script \"cat {{srcs}} > {{out}}\" }}
         task \"slow\" {{ out \"slow.txt\"; script \"echo slow > {{out}}\" }}"
    );
    let world = World::with(&text);
    world.write("p/in.txt", "text\n");
    world
}

#[test]
fn a_rejection_that_nothing_follows_is_told_and_ends_with_other_bytes() {
    let world = gated("on-reject \"retry\"");
    let _built = world.run(&["build", "//p:print"]).exits(5);
    let _told = world.ok(&["reject", "//p:read"]).says("stays rejected until its subject changes");
    let built = world.run(&["build", "//p:print"]).exits(5);
    let _told = built.says("  rejected //p:draft#draft\n");
    let _none = world.run(&["reject", "//p:read"]).exits(1).says("nothing waits at `//p:read`");
    world.write("p/in.txt", "better\n");
    let _built = world.run(&["build", "//p:print"]).exits(5).says("approve  vwfb approve //p:read");
    let _approved = world.ok(&["approve", "//p:read"]);
    let _built = world.ok(&["build", "//p:print"]);
}

#[test]
fn a_rejection_may_end_the_build() {
    let world = gated("on-reject \"abort\"");
    let _built = world.run(&["build", "//p:print"]).exits(5);
    let _rejected = world.ok(&["reject", "//p:read"]);
    let results = world.results(&["//p:print", "-j1"]);
    assert!(results.contains(&"//p:print blocked".to_owned()), "{results:?}");
    let built = world.run(&["build", "//p:print"]).exits(1).says("rejected //p:draft#draft");
    let _told = built.says("`vwfb approve` or `vwfb undo` goes on");
    let _undone = world.ok(&["undo"]);
    let _built = world.run(&["build", "//p:print"]).exits(5);
}

#[test]
fn metrics_decide_where_they_are_good_enough() {
    let text = r#"
task "draft" { srcs "in.txt"; out "draft.txt"; script "cat {srcs} > {out}" }
task "verify" { srcs ":draft"; out "verify.json"; script "printf '{{\"word_error_rate\": %s}}' \"$(cat {srcs})\" > {out}" }
checkpoint "read" { of ":draft"; metrics ":verify"; auto-approve word_error_rate="<0.1" }
task "print" { srcs ":draft"; after ":read"; out "print.txt"; script "cat {srcs} > {out}" }
"#;
    let world = World::with(text);
    world.write("p/in.txt", "0.5");
    let built = world.run(&["build", "//p:print"]).exits(5);
    let _told = built.says("not by itself: //p:draft#draft: `word_error_rate` is 0.5, not <0.1");
    world.write("p/in.txt", "0.05");
    let _built = world.ok(&["build", "//p:print"]);
    let told = world.ok(&["decisions"]).prints("auto-approve  approve  //p:read");
    let _told = told.prints("note: `word_error_rate` is 0.05");
    // A person still has the last word, and only a person's is taken back.
    let _none = world.run(&["undo"]).exits(1).says("there is nothing to take back");
    let _rejected = world.ok(&["reject", "//p:read", "//p:draft"]);
    let _built = world.run(&["build", "//p:print"]).exits(5);
}

#[test]
fn who_does_not_decide_in_time_lets_the_checkpoint_decide() {
    for (ends, code, verdict) in [("approve", 0, "approve"), ("reject", 5, "reject")] {
        let world = gated(&format!("timeout \"1ms\"; on-timeout {ends:?}"));
        let _built = world.run(&["build", "//p:print"]).exits(5);
        std::thread::sleep(std::time::Duration::from_millis(2));
        let _built = world.run(&["build", "//p:print"]).exits(code);
        let _told = world.ok(&["decisions"]).prints(&format!("timeout  {verdict:<7}  //p:read"));
    }
}

#[test]
fn two_people_may_decide_at_once() {
    let world = spoken();
    let _built = world.run(&["build", "//p:film"]).exits(5);
    let begin = |args: &[&str]| {
        let mut command = world.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(begin(&["approve", "//p:listen", AUDIO_A]));
        all.push(begin(&["approve", "//p:listen", AUDIO_B]));
    }
    let ended: Vec<bool> = all.iter_mut().map(|child| child.wait().unwrap().success()).collect();
    assert!(ended.iter().any(|ended| *ended));
    let _built = world.ok(&["build", "//p:film"]);
    let decisions = world.ok(&["decisions"]).stdout;
    assert_eq!(decisions.lines().count(), ended.iter().filter(|ended| **ended).count());
}

#[test]
fn what_is_no_checkpoint_takes_no_decision() {
    let world = spoken();
    let _built = world.run(&["build", "//p:film"]).exits(5);
    let _no: Ran = world.run(&["approve", "//p:film"]).exits(2).says("`//p:film` is no checkpoint");
    let no = world.run(&["approve", "//p:listen", ":film"]).exits(2);
    let _told = no.says(&format!("it asks about {AUDIO_A}#txt, {AUDIO_B}#txt"));
}

#[test]
fn an_approval_by_metrics_goes_with_the_metrics() {
    let text = r#"
task "draft" { out "draft.txt"; script "echo draft > {out}" }
task "verify" { srcs "rate.txt"; out "verify.json"; script "printf '{{\"rate\": %s}}' \"$(cat {srcs})\" > {out}" }
checkpoint "read" { of ":draft"; metrics ":verify"; auto-approve rate="<0.1" }
task "print" { srcs ":draft"; after ":read"; out "print.txt"; script "cat {srcs} > {out}" }
"#;
    let world = World::with(text);
    world.write("p/rate.txt", "0.05");
    let _built = world.ok(&["build", "//p:print"]);
    world.write("p/rate.txt", "9");
    let _built = world.run(&["build", "//p:print"]).exits(5).says("`rate` is 9, not <0.1");
    world.write("p/rate.txt", "0.05");
    let _built = world.ok(&["build", "//p:print"]);
    assert_eq!(world.ok(&["decisions"]).stdout.lines().count(), 1);
}

#[test]
fn the_last_feedback_counts() {
    let text = r#"
rule "two" {
    out "x" path="{name}.x"
    out "y" path="{name}.y"
    script "echo {feedback} > {out.x}; echo {feedback} > {out.y}"
}
two "s"
checkpoint "c" { of ":s#x" ":s#y" }
"#;
    let world = World::with(text);
    for (subject, feedback) in [("//p:s#y", "old"), ("//p:s#x", "new")] {
        let _built = world.run(&["build", "//p:c"]).exits(5);
        let _rejected = world.ok(&["reject", "//p:c", subject, "--feedback", feedback]);
    }
    let _built = world.run(&["build", "//p:c", "//p:s"]).exits(5);
    assert_eq!(world.read("vwfb-out/p/s.x"), "new\n");
}

#[test]
fn what_was_changed_where_people_look_is_not_what_they_approve() {
    let world = gated("on-reject \"retry\"");
    let _built = world.run(&["build", "//p:print"]).exits(5);
    world.write("vwfb-out/p/draft.txt", "my words\n");
    let refused = world.run(&["approve", "//p:read"]).exits(5);
    let _told = refused.says("`vwfb-out/p/draft.txt` is not `//p:draft#draft` any more");
    let _edited = world.ok(&["edit", "//p:draft"]);
    let _built = world.run(&["build", "//p:print"]).exits(5);
    let _approved = world.ok(&["approve", "//p:read"]);
    let _built = world.ok(&["build", "//p:print"]);
    assert_eq!(world.read("vwfb-out/p/print.txt"), "my words\n");
}

#[test]
fn a_decision_is_for_the_configuration_of_the_last_run() {
    let world = gated("on-reject \"retry\"");
    world.write("WORKSPACE.kdl", "workspace \"test\" { vars { x 1 }; profile \"hi\" { x 2 }; }\n");
    let rule = world.read("p/BUILD.kdl").replacen("cat {srcs}", "echo {vars.x}; cat {srcs}", 1);
    world.write("p/BUILD.kdl", &rule);
    let built = world.run(&["build", "//p:print", "--profile", "hi"]).exits(5);
    let _told = built.says("vwfb approve //p:read --profile hi");
    let _approved = world.ok(&["approve", "//p:read"]).says("//p:read is open");
    let _built = world.ok(&["build", "//p:print", "--profile", "hi"]);
}
