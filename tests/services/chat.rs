//! Language models: what is asked of each, and what is taken.

use serde_json::{Value, json};

use super::client::{Client, SECRET};
use super::providers::{ollama, ollama_stream, picture};
use super::server::{Reply, Server};

pub(crate) fn ask<'a>(protocol: &'a str, model: &'a str) -> Vec<&'a str> {
    let fixed = ["--prompt", "text.txt", "--out", "out.txt"];
    [&["chat", "--protocol", protocol, "--model", model][..], &fixed].concat()
}

#[test]
fn ollama_is_asked_about_a_picture() {
    let server = Server::new(ollama);
    let client = Client::new(&server);
    client.write("a.png", picture());
    let more = ["--image", "a.png", "--seed", "3", "--temperature", "0.2"];
    client.run(&[ask("ollama", "llava:7b"), more.to_vec()].concat()).done();
    assert_eq!(client.read("out.txt"), b"Because it is.\n");
    let asked = server.log()[0].json();
    assert_eq!(asked["options"], json!({"num_predict": 2048, "temperature": 0.2, "seed": 3}));
    assert!(asked["images"][0].as_str().unwrap().starts_with("iVBORw0KGgo"), "{asked}");
    let usage = client.json("ledger/usage.json");
    let expected = [json!(11), json!(4), json!("llava:7b")];
    assert_eq!(
        ["input_tokens", "output_tokens", "model"].map(|name| usage[name].clone()),
        expected
    );
}

#[test]
fn a_model_that_is_not_there_is_told_with_those_that_are() {
    let server = Server::new(ollama);
    let client = Client::new(&server);
    let said = ["404", "model 'llava:8b' not found", "did you mean `llava:7b`", "qwen:14b"];
    client.run(&ask("ollama", "llava:8b")).failed(1, &said);
    assert_eq!(client.state(), None);
    assert_eq!(server.count("POST /api/generate"), 1);
}

#[test]
fn a_stream_that_is_malformed_or_has_no_end_is_no_answer() {
    let stream = ollama_stream();
    let lines: Vec<&str> = stream.lines().collect();
    let half = format!("{}\n{}", lines[0], &lines[1][..20]);
    let error = format!("{}\n{{\"error\":\"runner stopped\"}}\n", lines[0]);
    let cases = [
        (half.as_str(), "wrong-answer"),
        (lines[0], "wrong-answer"),
        ("{}{", "wrong-answer"),
        ("<html>", "wrong-answer"),
        (error.as_str(), "runner stopped"),
    ];
    for (body, word) in cases {
        let reply = Reply::with(200, "application/x-ndjson", body);
        let server = Server::new(move |_| reply.clone());
        let client = Client::new(&server);
        client.run(&ask("ollama", "m")).failed(1, &[word]);
        assert_eq!((client.state(), server.log().len()), (None, 1), "{body}");
    }
}

fn openai(content: Value, reason: &str) -> Value {
    json!({
        "model": "gpt-x-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": reason}],
        "usage": {"prompt_tokens": 8, "completion_tokens": 2},
    })
}

#[test]
fn openai_answers_and_what_is_no_answer_is_told() {
    let server = Server::in_order(vec![Reply::json(200, &openai(json!("\nYes.\n\n"), "stop"))]);
    let client = Client::new(&server);
    client.run(&ask("openai", "gpt-x")).done();
    assert_eq!(client.read("out.txt"), b"Yes.\n");
    assert_eq!(client.json("ledger/usage.json")["output_tokens"], 2);
    assert_eq!(server.log()[0].json()["max_tokens"], 2048);

    let wrong = [
        (openai(json!("Ye"), "length"), "cut-answer"),
        (openai(json!(""), "stop"), "empty-answer"),
        (openai(json!(null), "content_filter"), "refused"),
        (json!({"choices": []}), "wrong-answer"),
    ];
    for (answer, word) in wrong {
        let server = Server::in_order(vec![Reply::json(200, &answer)]);
        let client = Client::new(&server);
        client.run(&ask("openai", "gpt-x")).failed(1, &[word]);
        assert_eq!(client.state(), None);
    }
    let server = Server::in_order(vec![Reply::json(200, &openai(json!("Ye"), "length"))]);
    let client = Client::new(&server);
    client.run(&[ask("openai", "gpt-x"), vec!["--allow-cut"]].concat()).done();
    assert_eq!(client.read("out.txt"), b"Ye\n");
}

#[test]
fn anthropic_is_asked_with_its_headers() {
    let answer = json!({
        "model": "claude-x-1", "stop_reason": "end_turn", "content": [{"type": "text", "text": "Yes."}],
        "usage": {"input_tokens": 8, "output_tokens": 2},
    });
    let overloaded =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let server = Server::in_order(vec![Reply::json(529, &overloaded), Reply::json(200, &answer)]);
    let client = Client::new(&server);
    client.run(&[ask("anthropic", "claude-x"), vec!["--system", "Be brief."]].concat()).done();
    assert_eq!(client.read("out.txt"), b"Yes.\n");
    let asked = &server.log()[1];
    assert_eq!(asked.line, "POST /v1/messages");
    assert_eq!(asked.header("x-api-key"), Some(SECRET));
    assert_eq!(asked.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(asked.json()["system"], "Be brief.");
    assert_eq!(server.log().len(), 2);
}

#[test]
fn json_is_all_that_is_taken_where_it_is_asked_for() {
    let fenced = openai(json!("```json\n{\"a\": 1}\n```"), "stop");
    let prose = openai(json!("Sure, here it is"), "stop");
    let server = Server::in_order(vec![Reply::json(200, &fenced), Reply::json(200, &prose)]);
    let client = Client::new(&server);
    let args = [ask("openai", "m"), vec!["--json"]].concat();
    client.run(&args).done();
    assert_eq!(client.read("out.txt"), b"{\"a\": 1}\n");
    let other = Client::new(&server);
    other.run(&args).failed(1, &["wrong-answer", "Sure, here it is"]);
}
