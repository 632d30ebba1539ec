//! Speech: what is asked, and what is written.

use serde_json::json;

use super::client::{Client, SECRET};
use super::providers::{Gradio, right_wav, speech, streamed_wav};
use super::server::{Reply, Server};

pub(crate) const OPENAI: &[&str] =
    &["speech", "--protocol", "openai", "--text", "text.txt", "--out", "out.wav"];

pub(crate) const VOXCPM: &[&str] =
    &["speech", "--protocol", "voxcpm", "--text", "text.txt", "--out", "out.wav"];

#[test]
fn a_streamed_sound_is_written_with_right_sizes() {
    let server = Server::new(speech);
    let client = Client::new(&server);
    let more =
        ["--model", "tts-2", "--voice", "nova", "--speed", "1.25", "--instructions", "Softly."];
    client.run(&[OPENAI, &more].concat()).done();
    assert_eq!(client.read("out.wav"), right_wav());

    let log = server.log();
    assert_eq!(log.len(), 1);
    let expected = json!({
        "model": "tts-2", "voice": "nova", "input": "Hello there.", "response_format": "wav",
        "speed": 1.25, "instructions": "Softly.",
    });
    assert_eq!(log[0].json(), expected);
    assert_eq!(log[0].header("authorization"), Some(format!("Bearer {SECRET}").as_str()));
    assert_eq!(log[0].header("x-client-request-id").map(str::len), Some(36));
    assert!(log[0].header("cookie").is_none());

    assert_eq!(client.state().as_deref(), Some("answered"));
    let usage = client.json("ledger/usage.json");
    assert_eq!((&usage["characters"], &usage["model"]), (&json!(12), &json!("tts-2")));
    assert_eq!(usage["audio_seconds"], 1.0);
    assert!(usage["seconds"].as_f64().is_some_and(|seconds| seconds < 5.0), "{usage}");
}

#[test]
fn an_answer_in_the_ledger_needs_no_service() {
    let server = Server::new(speech);
    let client = Client::new(&server);
    client.run(OPENAI).done();
    std::fs::remove_file(client.path("out.wav")).unwrap();
    drop(server);
    client.run(OPENAI).done();
    assert_eq!(client.read("out.wav"), right_wav());
}

#[test]
fn a_ledger_about_something_else_is_left_as_it_is() {
    let server = Server::new(speech);
    let client = Client::new(&server);
    client.run(OPENAI).done();
    client.write("text.txt", "Other words.");
    client.run(OPENAI).failed(3, &["other-submission", "vwfb settle LABEL --again"]);
    assert_eq!(server.count("POST /audio/speech"), 1);

    client.write("ledger/submission.json", "{\"version\":1");
    client.run(OPENAI).failed(3, &["damaged-ledger", "submission.json"]);
    assert_eq!(server.count("POST /audio/speech"), 1);
}

#[test]
fn what_is_no_sound_is_told_and_asked_again_next_time() {
    let wrong = [
        Reply::json(200, &json!({"error": {"message": "busy"}})),
        Reply::with(200, "text/html", "<html><b>Sign in</b> sk-very-secret-0123456789"),
        Reply::with(200, "audio/mpeg", "ID3\u{4}"),
        Reply::with(200, "audio/wav", &streamed_wav()[..44]),
        Reply::Whole(200, Vec::new(), Vec::new()),
    ];
    let words =
        ["application/json", "<html><b>Sign in</b> [secret]", "audio/mpeg", "no sound", "none"];
    for (reply, word) in wrong.into_iter().zip(words) {
        let server = Server::in_order(vec![reply, Reply::with(200, "audio/wav", streamed_wav())]);
        let client = Client::new(&server);
        client.run(OPENAI).failed(1, &["wrong-answer", "status 200", word, "next run asks again"]);
        assert_eq!(client.state(), None);
        assert!(!client.path("ledger/answer").exists() && !client.path("out.wav").exists());
        client.run(OPENAI).done();
        assert_eq!(server.count("POST /audio/speech"), 2);
    }
}

#[test]
fn voxcpm_speaks_with_the_voice_of_a_recording() {
    let gradio = Gradio::new();
    let state = gradio.clone();
    let server = Server::new(move |request| state.lock().unwrap().answer(request));
    let client = Client::new(&server);
    client.write("voice.wav", right_wav());
    let more =
        ["--reference-audio", "voice.wav", "--reference-text", "What is said.", "--steps", "20"];
    client.run(&[VOXCPM, &more].concat()).done();
    assert_eq!(client.read("out.wav"), right_wav());
    let file = json!({"path": "/tmp/gradio/abc/voice.wav", "meta": {"_type": "gradio.FileData"}});
    let expected = json!(["Hello there.", file, "What is said.", 2.0, 20, false]);
    assert_eq!(gradio.lock().unwrap().given, expected);
    let lines: Vec<String> = server.log().into_iter().map(|request| request.line).collect();
    let expected = [
        "GET /config",
        "POST /gradio_api/upload",
        "POST /gradio_api/call/generate",
        "GET /gradio_api/call/generate/job1",
        "GET /gradio_api/file=/tmp/gradio/out/a%20b.wav",
    ];
    assert_eq!(lines, expected);
    assert_eq!(client.json("ledger/usage.json")["gradio"], "5.49.1");
}

#[test]
fn an_old_gradio_has_its_interface_at_the_root() {
    let end = "event: complete\ndata: [{\"path\": \"/a.wav\"}]\n\n";
    let server = Server::new(move |request| match request.line.as_str() {
        "POST /call/generate" => Reply::json(200, &json!({"event_id": "e"})),
        "GET /call/generate/e" => Reply::with(200, "text/event-stream", end),
        "GET /file=/a.wav" => Reply::with(200, "audio/wav", right_wav()),
        _ => Reply::json(404, &json!({"detail": "Not Found"})),
    });
    let client = Client::new(&server);
    client.run(VOXCPM).done();
    let asked = server.log().into_iter().find(|request| request.line.starts_with("POST")).unwrap();
    assert_eq!(asked.json()["data"], json!(["Hello there.", null, "", 2.0, 15, false]));
}

#[test]
fn how_a_job_of_voxcpm_ends_badly_is_told() {
    let ends = [
        ("event: error\ndata: {\"error\": \"CUDA out of memory\"}\n\n", 1, "CUDA out of memory"),
        ("event: error\ndata: null\n\n", 1, "job-failed"),
        ("event: complete\ndata: [{\"pa\n\n", 1, "wrong-answer"),
        ("event: complete\ndata: [null]\n\n", 1, "wrong-answer"),
        ("event: error\ndata: \"Server stopped unexpectedly.\"\n\n", 3, "job-lost"),
        ("event: error\ndata: \"404: Not Found\"\n\n", 3, "job-lost"),
        ("", 3, "job-lost"),
    ];
    for (end, code, word) in ends {
        let gradio = Gradio::new();
        gradio.lock().unwrap().end = Some(end.to_owned());
        let server = Server::new(move |request| gradio.lock().unwrap().answer(request));
        let client = Client::new(&server);
        client.run(VOXCPM).failed(code, &[word]);
        assert_eq!(server.count("POST /gradio_api/call/generate"), 1, "{end}");
        let state = (code == 3).then(|| "running".to_owned());
        assert_eq!(client.state(), state, "{end}");
    }
}

#[test]
fn a_lost_job_is_forgotten_where_asking_again_costs_nothing() {
    let gradio = Gradio::new();
    gradio.lock().unwrap().end = Some("event: error\ndata: \"404: Not Found\"\n\n".to_owned());
    let state = gradio.clone();
    let server = Server::new(move |request| state.lock().unwrap().answer(request));
    let client = Client::new(&server).env("REPEAT", "1");
    client.run(VOXCPM).failed(1, &["job-lost", "next run asks again"]);
    assert_eq!(client.state(), None);
    gradio.lock().unwrap().end = None;
    client.run(VOXCPM).done();
}
