//! Probes: one JSON object, and always in time.

use serde_json::{Value, json};

use super::client::Client;
use super::providers::{Comfy, Gradio, ollama};
use super::server::{Reply, Server};

fn probe(client: &Client, protocol: &str) -> Value {
    let ran = client.run(&["probe", protocol]);
    ran.done();
    assert!(ran.took.as_secs_f64() < 8.0, "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn what_is_there_is_told() {
    let up = |version: Value, models: Value| json!({"up": true, "version": version, "models": models, "why": null});
    let server = Server::new(ollama);
    let expected = up(json!("0.12.3"), json!(["llava:7b", "qwen:14b"]));
    assert_eq!(probe(&Client::new(&server), "ollama"), expected);

    let list = json!({"data": [{"id": "a"}, {"id": "b"}]});
    let server = Server::in_order(vec![Reply::json(200, &list)]);
    assert_eq!(probe(&Client::new(&server), "openai"), up(json!(null), json!(["a", "b"])));
    assert_eq!(probe(&Client::new(&server), "anthropic"), up(json!(null), json!(["a", "b"])));
    let lines: Vec<String> = server.log().into_iter().map(|request| request.line).collect();
    assert_eq!(lines, ["GET /models", "GET /v1/models"]);

    let comfy = Comfy::new();
    let server = Server::new(move |request| comfy.lock().unwrap().answer(request));
    assert_eq!(probe(&Client::new(&server), "comfyui"), up(json!("0.3.60"), json!([])));
    let gradio = Gradio::new();
    let server = Server::new(move |request| gradio.lock().unwrap().answer(request));
    assert_eq!(probe(&Client::new(&server), "voxcpm"), up(json!("5.49.1"), json!([])));
}

#[test]
fn what_is_not_there_or_of_no_use_is_told() {
    for status in [401, 403] {
        let server = Server::in_order(vec![Reply::json(status, &json!({"error": "no"}))]);
        let told = probe(&Client::new(&server), "openai");
        assert_eq!((&told["up"], &told["why"]), (&json!(true), &json!("the key is refused")));
    }
    let page = Reply::with(200, "text/html", "<html>sk-very-secret-0123456789");
    let told = probe(&Client::new(&Server::in_order(vec![page])), "comfyui");
    assert_eq!(told["up"], false);
    assert!(told["why"].as_str().unwrap().contains("<html>[secret]"), "{told}");
    let told = probe(&Client::of("http://127.0.0.1:1"), "ollama");
    assert_eq!(told["up"], false);
    assert!(told["why"].as_str().unwrap().contains("refused"), "{told}");
}

#[test]
fn a_service_that_says_nothing_is_given_up() {
    let server = Server::new(ollama);
    server.hold_at("GET /api/version");
    let told = probe(&Client::new(&server).env("IDLE", "0.3"), "ollama");
    assert_eq!((&told["up"], &told["models"]), (&json!(false), &json!([])));
}
