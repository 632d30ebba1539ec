//! A film that was a workflow of VWF is built, with engines that need no service.

use crate::media::{frames, probed};
use crate::world::World;

#[test]
fn a_workflow_becomes_a_film() {
    let world = World::empty();
    world.write("film.yaml", include_str!("../import/film.yaml"));
    let _made = world.ok(&["import", "vwf", "film.yaml", "--engines", "embedded"]);
    let build = ["build", "//small-film:normalize", "//small-film:opening"];
    let built = world.ok(&build);
    // The background is still to come.
    assert!(built.stderr.contains("provisional"), "{}", built.stderr);
    let film = world.path("vwfb-out/small-film/normalize.mp4");
    assert_eq!(probed(&film, "v:0", "width,height"), ["320", "180"]);
    assert_eq!(probed(&film, "a:0", "codec_name"), ["aac"]);
    assert!(frames(&film) > 120, "four sentences take more than four seconds");
    // Of one sentence that changes, the speech and the clip are made again, and the film.
    world.write("small-film/scripts/03-key.txt", "Every step has a key of its own.");
    let again = world.ok(&build).stderr;
    assert!(again.contains("//small-film:clips[key].clip in"), "{again}");
    assert!(!again.contains("//small-film:clips[hook]"), "{again}");
    assert!(frames(&film) > 120);
}

#[test]
fn sections_of_a_recorded_answer_are_spoken() {
    let world = World::empty();
    world.write(
        "WORKSPACE.kdl",
        "workspace \"test\" { tools { allow \"convert\" \"ffprobe\" }; }\n",
    );
    world.write("kinds.yaml", include_str!("../import/kinds.yaml"));
    let _made = world.ok(&["import", "vwf", "kinds.yaml", "--engines", "embedded"]);
    let _built = world.ok(&["build", "//All-kinds:voice", "//All-kinds:sections"]);
    let sections = "vwfb-out/All-kinds/sections";
    assert_eq!(world.read(&format!("{sections}/01-description.txt")), "About builds.\n");
    assert_eq!(world.read(&format!("{sections}/02-narration.txt")), "A build is a film.\n");
    let voice = world.path("vwfb-out/All-kinds/voice.wav");
    assert_eq!(probed(&voice, "a:0", "codec_name"), ["pcm_s16le"]);
}
