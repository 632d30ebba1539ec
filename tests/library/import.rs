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
