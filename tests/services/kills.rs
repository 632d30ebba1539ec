//! Clients that are killed at each step: who starts them again asks nothing twice.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::chat::ask;
use super::client::Client;
use super::films::{FILM, MOVED, PICTURE, serve};
use super::providers::{Comfy, Gradio, film, ollama, picture, right_wav, speech, streamed_wav};
use super::server::{Reply, Server};
use super::speech::{OPENAI, VOXCPM};

#[test]
fn a_killed_request_is_not_sent_again() {
    let server = Server::new(speech);
    let client = Client::new(&server);
    client.kill_at(&server, "POST /audio/speech", OPENAI);
    assert_eq!(client.state().as_deref(), Some("asked"));
    client.run(OPENAI).failed(3, &["unknown-submission"]);
    assert_eq!(server.log().len(), 1);
    // A person has said that it may be asked again.
    std::fs::remove_file(client.path("ledger/submission.json")).unwrap();
    client.run(OPENAI).done();
}

#[test]
fn an_answer_that_was_half_here_is_not_known() {
    let body = streamed_wav();
    let first = [Reply::head("audio/wav", body.len()), body[..9000].to_vec()].concat();
    let halves = Reply::Halves(first, body[9000..].to_vec());
    let server = Server::new(move |_| halves.clone());
    let client = Client::new(&server);
    client.kill_at(&server, "POST /audio/speech", OPENAI);
    client.run(OPENAI).failed(3, &["unknown-submission"]);
    assert_eq!(server.log().len(), 1);
    assert!(!client.path("ledger/answer").exists() && !client.path("out.wav").exists());
}

#[test]
fn where_asking_again_costs_nothing_a_killed_request_is_sent_again() {
    let server = Server::new(ollama);
    let client = Client::new(&server).env("REPEAT", "1");
    let args = ask("ollama", "llava:7b");
    client.kill_at(&server, "POST /api/generate", &args);
    client.run(&args).done();
    assert_eq!(server.count("POST /api/generate"), 2);
}

#[test]
fn a_kill_while_an_error_is_read_leaves_nothing_open() {
    let head = b"HTTP/1.1 500 Oh\r\ncontent-length: 9\r\n\r\ncome ".to_vec();
    let halves = Reply::Halves(head, b"back".to_vec());
    let mut asked = 0;
    let server = Server::new(move |request| {
        asked += 1;
        if asked == 1 { halves.clone() } else { speech(request) }
    });
    let client = Client::new(&server);
    server.hold_at("POST /audio/speech");
    let mut child = client.start(OPENAI);
    server.wait_until_held();
    until(|| !client.path("ledger/submission.json").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    server.release();
    client.run(OPENAI).done();
    assert_eq!(server.log().len(), 2);
}

/// Waits for something that comes about soon.
fn until(so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(5);
    while !so() {
        assert!(Instant::now() < end, "it does not come about");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_kill_while_a_busy_service_is_waited_for_leaves_nothing_open() {
    let busy = Reply::with(503, "text/plain", "busy").header("retry-after", "8");
    let server = Server::in_order(vec![busy, Reply::with(200, "audio/wav", streamed_wav())]);
    let client = Client::new(&server);
    let mut child = client.start(OPENAI);
    // The intent goes away once the error is in; the client waits for eight seconds then.
    until(|| !server.log().is_empty() && !client.path("ledger/submission.json").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    client.run(OPENAI).done();
}

#[test]
fn a_job_of_comfyui_survives_a_kill_at_any_step() {
    for old in [false, true] {
        for step in ["POST /prompt", "GET /queue", "GET /history/", "GET /view"] {
            let comfy = Comfy::new();
            comfy.lock().unwrap().old = old;
            let server = serve(&comfy);
            let client = Client::new(&server);
            client.kill_at(&server, step, PICTURE);
            let state = if step == "POST /prompt" { "asked" } else { "running" };
            assert_eq!(client.state().as_deref(), Some(state), "{step}");
            client.run(PICTURE).done();
            assert_eq!(client.read("out.png"), picture());
            assert_eq!(server.count("POST /prompt"), 1, "{step}, old {old}");
            assert!(comfy.lock().unwrap().is_idle());
        }
    }
}

#[test]
fn a_film_of_a_picture_survives_a_kill_at_any_step() {
    for step in ["POST /upload/image", "POST /prompt", "GET /view"] {
        let comfy = Comfy::new();
        comfy.lock().unwrap().films = true;
        let server = serve(&comfy);
        let client = Client::new(&server);
        client.write("a.png", picture());
        client.kill_at(&server, step, MOVED);
        client.run(MOVED).done();
        assert_eq!(client.read("out.mp4"), film());
        assert_eq!(server.count("POST /prompt"), 1, "{step}");
    }
}

#[test]
fn a_request_that_a_restarted_comfyui_has_lost_is_sent_again() {
    let comfy = Comfy::new();
    comfy.lock().unwrap().films = true;
    let server = serve(&comfy);
    let client = Client::new(&server);
    client.kill_at(&server, "POST /prompt", FILM);
    comfy.lock().unwrap().restart();
    client.run(FILM).done();
    assert_eq!(server.count("POST /prompt"), 2);
}

#[test]
fn a_job_of_voxcpm_ends_as_it_must_after_a_kill() {
    // What the second start comes to: a code, and how often VoxCPM was asked by then.
    let steps = [
        ("GET /config", 0, 1),
        ("POST /gradio_api/upload", 0, 1),
        ("POST /gradio_api/call/generate", 3, 1),
        // Gradio forgets a job when nobody listens any more.
        ("GET /gradio_api/call/generate/", 3, 1),
        ("GET /gradio_api/file=", 0, 1),
    ];
    for (step, code, asked) in steps {
        let gradio = Gradio::new();
        let server = Server::new(move |request| gradio.lock().unwrap().answer(request));
        let client = Client::new(&server);
        client.write("voice.wav", right_wav());
        let voice = ["--reference-audio", "voice.wav", "--reference-text", "What is said."];
        let args = [VOXCPM, &voice].concat();
        client.kill_at(&server, step, &args);
        let ran = client.run(&args);
        assert_eq!(ran.code, Some(code), "{step} {ran:?}");
        assert_eq!(server.count("POST /gradio_api/call/generate"), asked, "{step}");
        if code == 0 {
            assert_eq!(client.read("out.wav"), right_wav());
        }
    }
}

#[test]
fn a_job_that_a_person_names_is_gone_on_with() {
    let gradio = Gradio::new();
    let state = gradio.clone();
    let server = Server::new(move |request| state.lock().unwrap().answer(request));
    let client = Client::new(&server);
    client.kill_at(&server, "POST /gradio_api/call/generate", VOXCPM);
    let mut entry = client.json("ledger/submission.json");
    entry["state"] = "running".into();
    entry["job"] = "job1".into();
    client.write("ledger/submission.json", entry.to_string());
    client.run(VOXCPM).done();
    assert_eq!(server.count("POST /gradio_api/call/generate"), 1);
}

/// Starts the program, and kills it after that time if it still runs.
fn kill_after(client: &Client, time: Duration, args: &[&str]) {
    let mut child = client.start(args);
    thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_kill_at_any_moment_asks_nothing_twice() {
    let mut codes = BTreeSet::new();
    for time in (0..48).step_by(3).map(Duration::from_millis) {
        let comfy = Comfy::new();
        let server = serve(&comfy);
        let client = Client::new(&server);
        for _ in 0..3 {
            kill_after(&client, time, PICTURE);
        }
        client.run(PICTURE).done();
        assert_eq!(client.read("out.png"), picture());
        assert_eq!(server.count("POST /prompt"), 1, "after {time:?}");

        let server = Server::new(speech);
        let client = Client::new(&server);
        kill_after(&client, time / 3, OPENAI);
        let ran = client.run(OPENAI);
        let asked = server.count("POST /audio/speech");
        assert!(asked <= 1 && (ran.code == Some(3) || asked == 1), "{asked} {ran:?}");
        assert!(ran.code == Some(0) || ran.stderr.contains("unknown-submission"), "{ran:?}");
        codes.insert(ran.code);
    }
    assert!(codes.contains(&Some(0)), "{codes:?}");
}

#[test]
fn a_client_that_is_asked_to_end_does() {
    let server = Server::new(speech);
    let client = Client::new(&server);
    server.hold_at("POST /audio/speech");
    let mut child = client.start(OPENAI);
    server.wait_until_held();
    let id = i32::try_from(child.id()).unwrap();
    let process = rustix::process::Pid::from_raw(id).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), None);
    assert_eq!(client.state().as_deref(), Some("asked"));
}
