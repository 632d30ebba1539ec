//! The form of answers: what came instead of what was wanted, what an error says, and base64.

use serde_json::Value;

use super::failure::Failure;

/// Bytes of an answer that a message shows.
const SHOWN: usize = 200;

/// The beginning of an answer, in characters that can be printed.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned();
    let plain = |c: char| if c.is_control() || c == '\u{fffd}' { ' ' } else { c };
    let text: String = text.chars().map(plain).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What to say of an answer that is not what was wanted.
pub(crate) fn wrong(wanted: &str, status: u16, media: &str, bytes: &[u8]) -> Failure {
    let media = if media.is_empty() { "none" } else { media };
    let begin = shown(bytes);
    let begin = if begin.is_empty() { "nothing readable".to_owned() } else { begin };
    Failure::new(format!(
        "wrong-answer: the answer is no {wanted}: status {status}, content type `{media}`, it begins `{begin}`"
    ))
}

/// What an error answer says, in whichever of the usual forms.
pub(crate) fn said(bytes: &[u8]) -> String {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let error = &value["error"];
    let details = error["details"].as_str().filter(|details| !details.is_empty());
    let found = [&error["message"], error, &value["message"], &value["detail"]];
    let found = found.into_iter().find_map(|value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Array(_) => Some(value.to_string()),
        _ => None,
    });
    let text = match (found, details) {
        (Some(text), Some(details)) if !text.contains(details) => format!("{text}: {details}"),
        (Some(text), _) => text,
        (None, _) => shown(bytes),
    };
    let text = match node_errors(&value) {
        Some(nodes) => format!("{text}: {nodes}"),
        None => text,
    };
    let text: String = text.chars().take(1000).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Which nodes of a graph ComfyUI refuses, if it says so.
pub(crate) fn node_errors(value: &Value) -> Option<String> {
    let nodes = value["node_errors"].as_object().filter(|nodes| !nodes.is_empty())?;
    let told = nodes.iter().map(|(node, errors)| {
        let class = errors["class_type"].as_str().unwrap_or("unknown");
        let list = errors["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let text = |error: &Value| match (error["message"].as_str(), error["details"].as_str()) {
            (Some(message), Some(details)) => format!("{message}: {details}"),
            (Some(text), None) | (None, Some(text)) => text.to_owned(),
            (None, None) => error.to_string(),
        };
        let texts: Vec<String> = list.iter().map(text).collect();
        format!("node {node} ({class}): {}", texts.join(", "))
    });
    Some(told.collect::<Vec<_>>().join("; "))
}

/// Bytes as base64 has them, with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4_usize {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// A text as a part of an address has it.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_rfc_4648_has_it() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, coded) in pairs {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn what_an_error_says_is_found() {
        let found = [
            (r#"{"error":{"message":"no model","type":"x"}}"#, "no model"),
            (r#"{"error":"model not found"}"#, "model not found"),
            (r#"{"detail":"Queue is full"}"#, "Queue is full"),
            (r#"{"error":{"message":"bad graph","details":"node 3"}}"#, "bad graph: node 3"),
            ("<h1>Bad\n Gateway</h1>", "<h1>Bad Gateway</h1>"),
            ("", ""),
        ];
        for (body, text) in found {
            assert_eq!(said(body.as_bytes()), text);
        }
    }

    #[test]
    fn refused_nodes_are_told_with_their_class() {
        let body = r#"{"error":{"message":"Prompt outputs failed validation","details":""},
            "node_errors":{"1":{"class_type":"CheckpointLoaderSimple","errors":[
            {"message":"Value not in list","details":"ckpt_name: 'm'"}]}}}"#;
        let expected = "Prompt outputs failed validation: node 1 (CheckpointLoaderSimple): \
                        Value not in list: ckpt_name: 'm'";
        assert_eq!(said(body.as_bytes()), expected);
    }

    #[test]
    fn what_is_shown_can_be_printed() {
        assert_eq!(shown(b"\x1b[31mred\x00\xff ok\n"), "[31mred ok");
        assert_eq!(shown(&[b'a'; 500]).len(), 200);
        let failure = wrong("sound", 200, "", b"").to_string();
        assert!(failure.contains("`none`") && failure.contains("nothing readable"), "{failure}");
    }

    #[test]
    fn what_an_address_cannot_hold_is_escaped() {
        assert_eq!(escaped("/tmp/a b&c.wav"), "/tmp/a%20b%26c.wav");
    }
}
