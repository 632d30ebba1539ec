//! Anthropic: `POST /v1/messages`.

use serde_json::{Value, json};

use super::super::http::Ask;
use super::{Chat, Picture, Said};

/// The version of the interface.
const VERSION: &str = "2023-06-01";

/// The request.
pub(super) fn ask(
    chat: &Chat,
    prompt: &str,
    pictures: &[Picture],
    secret: Option<&str>,
    base: &str,
) -> Ask {
    let mut content: Vec<Value> = pictures
        .iter()
        .map(|picture| {
            let source =
                json!({"type": "base64", "media_type": picture.media, "data": picture.base64});
            json!({"type": "image", "source": source})
        })
        .collect();
    content.push(json!({"type": "text", "text": prompt}));
    let mut body = json!({
        "model": chat.model,
        "max_tokens": chat.max_tokens,
        "messages": [{"role": "user", "content": content}],
    });
    if let Some(system) = &chat.system {
        body["system"] = json!(system);
    }
    if let Some(temperature) = chat.temperature {
        body["temperature"] = json!(temperature);
    }
    with_key(Ask::json(place(base, "/messages"), &body), secret)
}

/// A request with the headers that all requests have.
pub(crate) fn with_key(ask: Ask, secret: Option<&str>) -> Ask {
    let ask = ask.header("anthropic-version", VERSION);
    match secret {
        Some(secret) => ask.header("x-api-key", secret),
        None => ask,
    }
}

/// Where something is: behind `/v1`, which the service's address may have already.
pub(crate) fn place(base: &str, path: &str) -> String {
    if base.ends_with("/v1") { path.to_owned() } else { format!("/v1{path}") }
}

/// What was said; nothing where it is of another form.
pub(super) fn said(bytes: &[u8]) -> Option<Said> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let blocks = value["content"].as_array()?;
    let text = blocks.iter().filter(|block| block["type"] == "text");
    let refused = value["stop_reason"] == "refusal";
    Some(Said {
        text: text.filter_map(|block| block["text"].as_str()).collect(),
        cut: value["stop_reason"] == "max_tokens",
        refused: refused.then(|| "it refuses".to_owned()),
        model: value["model"].as_str().map(str::to_owned),
        input_tokens: value["usage"]["input_tokens"].as_u64(),
        output_tokens: value["usage"]["output_tokens"].as_u64(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::chat;
    use super::*;

    #[test]
    fn the_request_is_as_the_interface_has_it() {
        let picture = Picture { media: "image/jpeg", base64: "AAAA".into() };
        let ask = ask(&chat(&["--system", "s"]), "Why?", &[picture], Some("k"), "https://a");
        assert_eq!(ask.path, "/v1/messages");
        assert!(ask.headers.contains(&("x-api-key", "k".to_owned())));
        assert!(ask.headers.contains(&("anthropic-version", VERSION.to_owned())));
        let body: Value = serde_json::from_slice(&ask.body.unwrap().1).unwrap();
        let source = json!({"type": "base64", "media_type": "image/jpeg", "data": "AAAA"});
        let content =
            json!([{"type": "image", "source": source}, {"type": "text", "text": "Why?"}]);
        let expected = json!({
            "model": "m", "max_tokens": 2048, "system": "s",
            "messages": [{"role": "user", "content": content}],
        });
        assert_eq!(body, expected);
        assert_eq!(place("https://a/v1", "/messages"), "/messages");
    }

    #[test]
    fn blocks_of_text_are_put_together() {
        let value = json!({
            "model": "c-1", "stop_reason": "end_turn",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Be"},
                        {"type": "text", "text": "cause."}],
            "usage": {"input_tokens": 9, "output_tokens": 4},
        });
        let found = said(value.to_string().as_bytes()).unwrap();
        assert_eq!((found.text.as_str(), found.output_tokens), ("Because.", Some(4)));
        let with = |reason: &str| {
            let value = json!({"content": [], "stop_reason": reason});
            said(value.to_string().as_bytes()).unwrap()
        };
        assert!(with("max_tokens").cut);
        assert!(with("refusal").refused.is_some());
        assert_eq!(said(b"{\"type\":\"error\"}"), None);
    }
}
