//! Forms with files in them, as `multipart/form-data`.

/// A form.
#[derive(Debug, Default)]
pub(crate) struct Form {
    parts: Vec<(String, Vec<u8>)>,
}

impl Form {
    /// The form with a text in it.
    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        let head = format!("Content-Disposition: form-data; name=\"{}\"\r\n\r\n", quoted(name));
        self.parts.push((head, value.as_bytes().to_vec()));
        self
    }

    /// The form with a file in it.
    pub(crate) fn file(mut self, name: &str, file: &str, media: &str, bytes: Vec<u8>) -> Self {
        let head = format!(
            "Content-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {media}\r\n\r\n",
            quoted(name),
            quoted(file)
        );
        self.parts.push((head, bytes));
        self
    }

    /// Its media type and its bytes.
    pub(crate) fn body(&self) -> (String, Vec<u8>) {
        let boundary = self.boundary();
        let mut bytes = Vec::new();
        for (head, body) in &self.parts {
            bytes.extend(format!("--{boundary}\r\n{head}").bytes());
            bytes.extend(body);
            bytes.extend(b"\r\n");
        }
        bytes.extend(format!("--{boundary}--\r\n").bytes());
        (format!("multipart/form-data; boundary={boundary}"), bytes)
    }

    /// A line that nobody writes by chance: from the digest of all there is.
    fn boundary(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (head, body) in &self.parts {
            hasher.update(head.as_bytes());
            hasher.update(body);
        }
        format!("vwfb-{}", &hasher.finalize().to_hex()[..40])
    }
}

fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace(['\r', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_as_rfc_7578_has_it() {
        let form = Form::default().text("model", "whisper-1").file(
            "file",
            "a\".wav",
            "audio/wav",
            b"RIFF".to_vec(),
        );
        let (media, bytes) = form.body();
        let boundary = media.strip_prefix("multipart/form-data; boundary=").unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let expected = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n\
             --{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22.wav\"\r\n\
             Content-Type: audio/wav\r\n\r\nRIFF\r\n--{boundary}--\r\n"
        );
        assert_eq!(text, expected);
    }
}
