//! Ollama: `POST /api/generate`, whose answer is a stream of JSON lines.

use serde_json::{Value, json};

use super::super::call::{Call, Unanswered};
use super::super::failure::Failure;
use super::super::http::Ask;
use super::{Chat, Picture, Said};
use crate::near::nearest;

/// The request.
pub(super) fn ask(chat: &Chat, prompt: &str, pictures: &[Picture], secret: Option<&str>) -> Ask {
    let mut options = json!({"num_predict": chat.max_tokens});
    if let Some(temperature) = chat.temperature {
        options["temperature"] = json!(temperature);
    }
    if let Some(seed) = chat.seed {
        options["seed"] = json!(seed);
    }
    let mut body =
        json!({"model": chat.model, "prompt": prompt, "stream": true, "options": options});
    if let Some(system) = &chat.system {
        body["system"] = json!(system);
    }
    if !pictures.is_empty() {
        body["images"] = pictures.iter().map(|picture| json!(picture.base64)).collect();
    }
    if chat.json {
        body["format"] = json!("json");
    }
    Ask::json("/api/generate", &body).bearer(secret)
}

/// What was said, put together; nothing where it is of another form or has no end.
pub(super) fn said(bytes: &[u8]) -> Result<Option<Said>, Failure> {
    let mut said = Said::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Ok(Value::Object(line)) = serde_json::from_slice::<Value>(line) else {
            return Ok(None);
        };
        let line = Value::Object(line);
        if let Some(error) = line["error"].as_str() {
            return Err(Failure::new(format!("job-failed: the model stopped: {error}")));
        }
        said.text.push_str(line["response"].as_str().unwrap_or_default());
        said.model = line["model"].as_str().map(str::to_owned).or(said.model);
        if line["done"] == true {
            said.cut = line["done_reason"] == "length";
            said.input_tokens = line["prompt_eval_count"].as_u64();
            said.output_tokens = line["eval_count"].as_u64();
            return Ok(Some(said));
        }
    }
    Ok(None)
}

/// What to say where there is no answer; of a model that is not there, which ones are.
pub(super) fn told(call: &mut Call<'_>, unanswered: Unanswered, model: &str) -> Failure {
    let Unanswered::Refused(404, failure) = unanswered else { return call.told(unanswered, false) };
    let secret = call.secret().map(str::to_owned);
    let tags = call.json(&Ask::get("/api/tags").bearer(secret.as_deref()));
    let Ok((200, tags)) = tags else { return failure };
    let names = names(&tags);
    if names.is_empty() {
        return failure.hint(format!("there are no models; `ollama pull {model}` gets one"));
    }
    match nearest(model, names.iter().map(String::as_str)) {
        Some(near) => {
            failure.hint(format!("did you mean `{near}`? There are {}", names.join(", ")))
        }
        None => failure.hint(format!("there are {}", names.join(", "))),
    }
}

/// The models of `/api/tags`.
pub(crate) fn names(tags: &Value) -> Vec<String> {
    let models = tags["models"].as_array().map_or(&[][..], Vec::as_slice);
    models.iter().filter_map(|model| model["name"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::chat;
    use super::*;

    #[test]
    fn the_request_is_as_the_interface_has_it() {
        let picture = Picture { media: "image/png", base64: "AAAA".into() };
        let more = ["--system", "s", "--seed", "-3", "--temperature", "0.5", "--json"];
        let ask = ask(&chat(&more), "Why?", &[picture], None);
        let body: Value = serde_json::from_slice(&ask.body.unwrap().1).unwrap();
        let expected = json!({
            "model": "m", "prompt": "Why?", "stream": true, "system": "s", "images": ["AAAA"],
            "format": "json",
            "options": {"num_predict": 2048, "temperature": 0.5, "seed": -3},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn lines_are_put_together_until_it_is_done() {
        let lines = "{\"model\":\"m:1\",\"response\":\"Be\",\"done\":false}\n\
                     {\"response\":\"cause.\",\"done\":false}\n\
                     {\"response\":\"\",\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":7,\
                     \"eval_count\":3}\n";
        let expected = Said {
            text: "Because.".into(),
            model: Some("m:1".into()),
            input_tokens: Some(7),
            output_tokens: Some(3),
            ..Said::default()
        };
        assert_eq!(said(lines.as_bytes()).unwrap(), Some(expected));
        let cut = lines.replace("stop", "length");
        assert!(said(cut.as_bytes()).unwrap().unwrap().cut);
    }

    #[test]
    fn a_stream_without_an_end_or_of_another_form_is_no_answer() {
        assert_eq!(said(b"{\"response\":\"Be\",\"done\":false}\n").unwrap(), None);
        assert_eq!(said(b"{\"response\":\"Be\",").unwrap(), None);
        assert_eq!(said(b"<html>").unwrap(), None);
        assert_eq!(said(b"").unwrap(), None);
        assert!(said(b"{\"error\":\"out of memory\"}").is_err());
    }
}
