//! Pictures and films from ComfyUI.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::client::Client;
use super::providers::{Comfy, film, picture};
use super::server::{Reply, Server};

pub(crate) const PICTURE: &[&str] =
    &["text-to-image", "--prompt", "Hello there.", "--seed", "7", "--out", "out.png"];

pub(crate) const MOVED: &[&str] =
    &["image-to-video", "--image", "a.png", "--seed", "7", "--out", "out.mp4"];

pub(crate) const FILM: &[&str] =
    &["text-to-video", "--prompt", "Hello there.", "--length", "49", "--out", "out.mp4"];

pub(crate) fn serve(comfy: &Arc<Mutex<Comfy>>) -> Server {
    let state = comfy.clone();
    Server::new(move |request| state.lock().unwrap().answer(request))
}

fn node(asked: &Value, class: &str) -> Value {
    let nodes = asked["prompt"].as_object().unwrap();
    let found = nodes.values().find(|node| node["class_type"] == class);
    found.unwrap_or_else(|| panic!("no {class}"))["inputs"].clone()
}

#[test]
fn a_picture_is_painted_and_downloaded() {
    let server = serve(&Comfy::new());
    let client = Client::new(&server);
    client.run(PICTURE).done();
    assert_eq!(client.read("out.png"), picture());
    let log = server.log();
    let asked = log[0].json();
    let sampler = node(&asked, "KSampler");
    assert_eq!((&sampler["steps"], &sampler["seed"]), (&json!(4), &json!(7)));
    assert_eq!(node(&asked, "EmptyLatentImage")["width"], 1280);
    assert_eq!(asked["prompt_id"], asked["client_id"]);
    let view = log.last().unwrap();
    assert_eq!(view.query, "filename=vwfb%20a_00001.bin&subfolder=a%2Fb&type=output");
    assert_eq!(server.count("POST /prompt"), 1);
}

#[test]
fn a_picture_is_uploaded_and_moved() {
    let comfy = Comfy::new();
    comfy.lock().unwrap().films = true;
    let server = serve(&comfy);
    let client = Client::new(&server);
    client.write("a.png", picture());
    client.run(MOVED).done();
    assert_eq!(client.read("out.mp4"), film());
    let asked =
        server.log().into_iter().find(|request| request.line == "POST /prompt").unwrap().json();
    let conditioning = node(&asked, "SVD_img2vid_Conditioning");
    assert_eq!((&conditioning["width"], &conditioning["height"]), (&json!(1024), &json!(576)));
    assert_eq!(conditioning["motion_bucket_id"], 127);
    assert_eq!(node(&asked, "KSampler")["scheduler"], "karras");
}

#[test]
fn a_film_is_made_and_arguments_that_cannot_be_are_told() {
    let comfy = Comfy::new();
    comfy.lock().unwrap().films = true;
    let server = serve(&comfy);
    let client = Client::new(&server);
    let wrong: [(&[&str], &str); 3] = [
        (&["--length", "80"], "81"),
        (&["--length", "49", "--width", "833"], "832x480"),
        (&["--length", "0"], "such as 1"),
    ];
    for (more, word) in wrong {
        let args = ["text-to-video", "--prompt", "Hello there.", "--out", "out.mp4"];
        client.run(&[&args, more].concat()).failed(1, &[word]);
    }
    let motion = client.run(&[MOVED, &["--motion", "256"]].concat());
    assert_eq!(motion.code, Some(2), "{motion:?}");
    assert_eq!(server.log().len(), 0);
    client.run(FILM).done();
    assert_eq!(client.read("out.mp4"), film());
    let asked = server.log()[0].json();
    assert_eq!(node(&asked, "WanImageToVideo")["length"], 49);
    assert_eq!(node(&asked, "VHS_VideoCombine")["frame_rate"], 16);
}

#[test]
fn an_old_server_names_jobs_itself() {
    let comfy = Comfy::new();
    comfy.lock().unwrap().old = true;
    let server = serve(&comfy);
    let client = Client::new(&server);
    client.run(PICTURE).done();
    assert_eq!(server.count("GET /history/own-0"), 3);
}

#[test]
fn a_job_that_fails_is_told_with_its_node_and_a_new_one_is_another() {
    let comfy = Comfy::new();
    comfy.lock().unwrap().fails = true;
    let server = serve(&comfy);
    let client = Client::new(&server);
    let words = ["job-failed", "node 5 (KSampler)", "OutOfMemoryError", "Allocation on device"];
    client.run(PICTURE).failed(1, &words);
    assert_eq!(client.state(), None);
    // The old job is still in the history; it is not what is asked about now.
    comfy.lock().unwrap().fails = false;
    comfy.lock().unwrap().looks = 2;
    client.run(PICTURE).done();
    assert_eq!(server.count("POST /prompt"), 2);
}

#[test]
fn a_graph_that_is_refused_is_told_by_node() {
    let answer = json!({
        "error": {"type": "prompt_outputs_failed_validation",
                  "message": "Prompt outputs failed validation", "details": "", "extra_info": {}},
        "node_errors": {"1": {"class_type": "CheckpointLoaderSimple", "dependent_outputs": ["7"],
            "errors": [{"type": "value_not_in_list", "message": "Value not in list",
                        "details": "ckpt_name: 'x' not in ['sd.safetensors']"}]}},
    });
    let server = Server::in_order(vec![Reply::json(400, &answer)]);
    let client = Client::new(&server);
    let words = ["400", "node 1 (CheckpointLoaderSimple)", "'x' not in ['sd.safetensors']"];
    client.run(PICTURE).failed(1, &words);
    assert_eq!((client.state(), server.log().len()), (None, 1));
}

#[test]
fn what_is_no_picture_is_told() {
    let comfy = Comfy::new();
    comfy.lock().unwrap().films = true;
    let server = serve(&comfy);
    let client = Client::new(&server);
    client.run(PICTURE).failed(1, &["wrong-answer", "video/mp4"]);
    assert_eq!(client.state(), None);
}

#[test]
fn a_lost_job_is_told_and_may_be_asked_for_again() {
    let comfy = Comfy::new();
    comfy.lock().unwrap().looks = 1000;
    let server = serve(&comfy);
    let client = Client::new(&server);
    client.kill_at(&server, "GET /history/", PICTURE);
    assert_eq!(client.state().as_deref(), Some("running"));
    comfy.lock().unwrap().restart();
    client.run(PICTURE).failed(1, &["job-lost", "next run asks again"]);
    assert_eq!(client.state(), None);
    comfy.lock().unwrap().looks = 0;
    client.run(PICTURE).done();
    assert_eq!(server.count("POST /prompt"), 2);
}

#[test]
fn a_job_that_never_ends_is_given_up_and_can_be_gone_on_with() {
    let comfy = Comfy::new();
    comfy.lock().unwrap().looks = 100_000;
    let server = serve(&comfy);
    let client = Client::new(&server).env("DEADLINE", "0.5");
    let ran = client.run(PICTURE);
    ran.failed(3, &["too-late", "0.5 s", "goes on with that job"]);
    assert!(ran.took.as_secs_f64() < 3.0, "{ran:?}");
    assert_eq!(client.state().as_deref(), Some("running"));
    comfy.lock().unwrap().looks = 0;
    client.run(PICTURE).done();
    assert_eq!(server.count("POST /prompt"), 1);
}
