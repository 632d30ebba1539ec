//! Media kinds: what a file holds, by its rule or its extension.

use std::fmt;

use crate::label::WsPath;

/// A media kind (`image`) or type (`image/png`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Media(String);

/// The kinds, which are also the first halves of types.
pub const KINDS: [&str; 7] = ["image", "audio", "video", "text", "font", "model", "application"];

/// Extension, type, and a second kind that accepts it.
const EXTENSIONS: &[(&str, &str, &str)] = &[
    ("png", "image/png", ""),
    ("jpg", "image/jpeg", ""),
    ("jpeg", "image/jpeg", ""),
    ("webp", "image/webp", ""),
    ("gif", "image/gif", ""),
    ("bmp", "image/bmp", ""),
    ("tif", "image/tiff", ""),
    ("tiff", "image/tiff", ""),
    ("avif", "image/avif", ""),
    ("svg", "image/svg+xml", "text"),
    ("wav", "audio/wav", ""),
    ("flac", "audio/flac", ""),
    ("mp3", "audio/mpeg", ""),
    ("m4a", "audio/mp4", ""),
    ("aac", "audio/aac", ""),
    ("ogg", "audio/ogg", ""),
    ("opus", "audio/opus", ""),
    ("mp4", "video/mp4", ""),
    ("mov", "video/quicktime", ""),
    ("mkv", "video/x-matroska", ""),
    ("webm", "video/webm", ""),
    ("avi", "video/x-msvideo", ""),
    ("txt", "text/plain", ""),
    ("md", "text/markdown", ""),
    ("html", "text/html", ""),
    ("css", "text/css", ""),
    ("csv", "text/csv", ""),
    ("srt", "text/srt", ""),
    ("vtt", "text/vtt", ""),
    ("json", "application/json", "text"),
    ("jsonl", "application/jsonl", "text"),
    ("xml", "application/xml", "text"),
    ("yaml", "application/yaml", "text"),
    ("yml", "application/yaml", "text"),
    ("toml", "application/toml", "text"),
    ("kdl", "application/kdl", "text"),
    ("pdf", "application/pdf", ""),
    ("zip", "application/zip", ""),
    ("ttf", "font/ttf", ""),
    ("otf", "font/otf", ""),
    ("woff2", "font/woff2", ""),
    ("safetensors", "model/safetensors", ""),
    ("gguf", "model/gguf", ""),
    ("onnx", "model/onnx", ""),
];

impl Media {
    /// The kind or type written `text`; nothing if it is neither.
    pub fn new(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('/').unwrap_or((text, "x"));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
        let good = KINDS.contains(&kind) && !rest.is_empty() && rest.chars().all(plain);
        good.then(|| Self(text.into()))
    }

    /// What the file `path` holds, by its extension.
    pub fn of_path(path: &WsPath) -> Option<Self> {
        let extension = path.extension()?.to_ascii_lowercase();
        let row = EXTENSIONS.iter().find(|(name, _, _)| *name == extension)?;
        Some(Self(row.1.into()))
    }

    /// It as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first half: `image` of `image/png`.
    pub fn kind(&self) -> &str {
        self.0.split('/').next().unwrap_or("")
    }

    /// Whether an attribute of this media takes a file of `offered`: the same kind, and the same
    /// type where both have one.
    pub fn takes(&self, offered: &Self) -> bool {
        if !self.0.contains('/') {
            return self.kind() == offered.kind() || offered.second_kind() == self.kind();
        }
        self.0 == offered.0 || (!offered.0.contains('/') && self.kind() == offered.kind())
    }

    /// Whether it is text that people can read.
    pub fn is_text(&self) -> bool {
        self.kind() == "text" || self.second_kind() == "text"
    }

    fn second_kind(&self) -> &'static str {
        EXTENSIONS.iter().find(|(_, media, _)| *media == self.0).map_or("", |(_, _, second)| second)
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(wanted: &str, offered: &str) -> bool {
        Media::new(wanted).unwrap().takes(&Media::new(offered).unwrap())
    }

    #[test]
    fn a_kind_takes_its_types_and_a_type_only_itself() {
        assert!(takes("image", "image/png"));
        assert!(takes("image/png", "image/png"));
        assert!(takes("image/png", "image"));
        assert!(takes("text", "application/json"));
        assert!(takes("text", "image/svg+xml"));
        assert!(!takes("image/png", "image/jpeg"));
        assert!(!takes("image", "audio/wav"));
    }

    #[test]
    fn an_extension_tells_the_type() {
        let media = |path| Media::of_path(&WsPath::new(path).unwrap());
        assert_eq!(media("a/B.PNG").unwrap().as_str(), "image/png");
        assert_eq!(media("a/b.unknown"), None);
    }

    #[test]
    fn media_have_a_known_kind() {
        assert_eq!(Media::new("picture"), None);
        assert_eq!(Media::new("image/"), None);
        assert!(Media::new("image/svg+xml").is_some());
    }
}
