//! Transcripts, and how far they are from what was to be said.

use serde_json::{Value, json};

use super::client::Client;
use super::providers::right_wav;
use super::server::{Reply, Server};

pub(crate) const HEAR: &[&str] = &[
    "transcription",
    "--protocol",
    "openai",
    "--audio",
    "voice.wav",
    "--model",
    "whisper-1",
    "--language",
    "en",
    "--prompt",
    "Wan",
    "--out",
    "heard.json",
];

fn heard(answer: &Value) -> (Server, Client) {
    let reply = Reply::json(200, answer);
    let server = Server::new(move |_| reply.clone());
    let client = Client::new(&server);
    client.write("voice.wav", right_wav());
    (server, client)
}

#[test]
fn words_come_with_their_times() {
    let (server, client) = heard(&json!({
        "task": "transcribe", "language": "english", "duration": 1.0, "text": "Hello there.",
        "words": [{"word": "Hello", "start": 0.0, "end": 0.4}, {"word": "there", "start": 0.5, "end": 1.0}],
        "segments": [{"id": 0, "start": 0.0, "end": 1.0, "text": " Hello there."}],
    }));
    client.run(HEAR).done();
    let expected = json!({
        "model": "whisper-1", "language": "english", "duration": 1.0, "text": "Hello there.",
        "words": [{"word": "Hello", "start": 0.0, "end": 0.4}, {"word": "there", "start": 0.5, "end": 1.0}],
    });
    assert_eq!(client.json("heard.json"), expected);

    let asked = &server.log()[0];
    assert_eq!(asked.line, "POST /audio/transcriptions");
    assert!(asked.header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    let text = asked.text();
    let field =
        |name: &str, value: &str| text.contains(&format!("name=\"{name}\"\r\n\r\n{value}\r\n"));
    assert!(field("model", "whisper-1") && field("response_format", "verbose_json"));
    assert!(field("timestamp_granularities[]", "word") && field("language", "en"));
    assert!(field("timestamp_granularities[]", "segment") && field("prompt", "Wan"));
    assert!(text.contains("name=\"file\"; filename=\"audio.wav\"\r\nContent-Type: audio/wav\r\n"));

    // What was heard is compared with what was to be said.
    let compare =
        ["word-errors", "--text", "text.txt", "--heard", "heard.json", "--out", "wer.json"];
    client.run(&compare).done();
    assert_eq!(client.json("wer.json")["wer"], 0.0);
    client.write("text.txt", "Hello out there, friend.");
    client.run(&compare).done();
    let wer = client.json("wer.json");
    assert_eq!((&wer["wer"], &wer["deletions"]), (&json!(0.5), &json!(2)));
    assert_eq!(wer["differences"][0], json!({"at": 1, "expected": "out", "heard": null}));
}

#[test]
fn a_server_without_times_of_words_has_them_estimated() {
    let segment = json!({"start": 0.0, "end": 1.0, "text": " Hello there."});
    let (_server, client) = heard(&json!({"text": "Hello there.", "segments": [segment]}));
    client.run(HEAR).done();
    let heard = client.json("heard.json");
    assert_eq!(heard["estimated"], true);
    assert_eq!(heard["words"][1], json!({"word": "there.", "start": 0.5, "end": 1.0}));
}

#[test]
fn text_without_any_times_is_no_transcript() {
    let (_server, client) = heard(&json!({"text": "Hello there."}));
    client.run(HEAR).failed(1, &["wrong-answer", "transcript with times"]);
    assert_eq!(client.state(), None);
}
