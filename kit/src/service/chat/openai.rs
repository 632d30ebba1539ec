//! OpenAI and servers like it: `POST /chat/completions`.

use serde_json::{Value, json};

use super::super::http::Ask;
use super::{Chat, Picture, Said};

/// The request.
pub(super) fn ask(
    chat: &Chat,
    prompt: &str,
    pictures: &[Picture],
    secret: Option<&str>,
    base: &str,
    id: &str,
) -> Ask {
    let content = if pictures.is_empty() {
        json!(prompt)
    } else {
        let shown = pictures.iter().map(|picture| {
            let url = format!("data:{};base64,{}", picture.media, picture.base64);
            json!({"type": "image_url", "image_url": {"url": url}})
        });
        std::iter::once(json!({"type": "text", "text": prompt})).chain(shown).collect()
    };
    let mut messages = Vec::new();
    if let Some(system) = &chat.system {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.push(json!({"role": "user", "content": content}));
    let mut body = json!({"model": chat.model, "messages": messages, "stream": false});
    // Servers like it know the old name only, and its own new models the new one only.
    let host = base.split("://").nth(1).and_then(|rest| rest.split('/').next());
    let most = if host == Some("api.openai.com") { "max_completion_tokens" } else { "max_tokens" };
    body[most] = json!(chat.max_tokens);
    if let Some(temperature) = chat.temperature {
        body["temperature"] = json!(temperature);
    }
    if let Some(seed) = chat.seed {
        body["seed"] = json!(seed);
    }
    if chat.json {
        body["response_format"] = json!({"type": "json_object"});
    }
    Ask::json("/chat/completions", &body).bearer(secret).header("x-client-request-id", id)
}

/// What was said; nothing where it is of another form.
pub(super) fn said(bytes: &[u8]) -> Option<Said> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let choice = value["choices"].get(0)?;
    let message = choice["message"].as_object()?;
    let message = |name: &str| message.get(name).and_then(Value::as_str);
    let refused = match (message("refusal"), choice["finish_reason"].as_str()) {
        (Some(why), _) if !why.is_empty() => Some(why.to_owned()),
        (_, Some("content_filter")) => Some("its filter stopped it".to_owned()),
        _ => None,
    };
    Some(Said {
        text: message("content").unwrap_or_default().to_owned(),
        cut: choice["finish_reason"] == "length",
        refused,
        model: value["model"].as_str().map(str::to_owned),
        input_tokens: value["usage"]["prompt_tokens"].as_u64(),
        output_tokens: value["usage"]["completion_tokens"].as_u64(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::chat;
    use super::*;

    fn body(base: &str, pictures: &[Picture], more: &[&str]) -> Value {
        let ask = ask(&chat(more), "Why?", pictures, Some("k"), base, "i");
        assert!(ask.headers.contains(&("authorization", "Bearer k".to_owned())));
        serde_json::from_slice(&ask.body.unwrap().1).unwrap()
    }

    #[test]
    fn the_most_tokens_have_the_name_that_the_server_knows() {
        let own = body("https://api.openai.com/v1", &[], &[]);
        assert_eq!(own["max_completion_tokens"], 2048);
        assert!(own.get("max_tokens").is_none());
        let like = body("http://127.0.0.1:8000/v1", &[], &["--seed", "4", "--json"]);
        assert_eq!((&like["max_tokens"], &like["seed"]), (&json!(2048), &json!(4)));
        assert_eq!(like["response_format"]["type"], "json_object");
        assert_eq!(like["messages"], json!([{"role": "user", "content": "Why?"}]));
    }

    #[test]
    fn pictures_are_in_the_message() {
        let picture = Picture { media: "image/png", base64: "AAAA".into() };
        let content = &body("http://a", &[picture], &["--system", "s"])["messages"][1]["content"];
        assert_eq!(content[0]["text"], "Why?");
        assert_eq!(content[1]["image_url"]["url"], "data:image/png;base64,AAAA");
    }

    #[test]
    fn answers_refusals_and_other_things_are_told_apart() {
        let answer = |message: Value, reason: &str| {
            let choices = json!([{"message": message, "finish_reason": reason}]);
            let usage = json!({"prompt_tokens": 5, "completion_tokens": 2});
            let value = json!({"model": "m-1", "choices": choices, "usage": usage});
            said(value.to_string().as_bytes()).unwrap()
        };
        let plain = answer(json!({"content": "Because."}), "stop");
        assert_eq!((plain.text.as_str(), plain.input_tokens), ("Because.", Some(5)));
        assert_eq!((plain.cut, plain.refused), (false, None));
        assert!(answer(json!({"content": "Be"}), "length").cut);
        assert!(answer(json!({"content": null, "refusal": "No."}), "stop").refused.is_some());
        assert!(answer(json!({"content": ""}), "content_filter").refused.is_some());
        assert_eq!(said(b"{\"choices\":[]}"), None);
        assert_eq!(said(b"{\"choices\":[{"), None);
    }
}
