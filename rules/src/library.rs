//! The built-in rule files, compiled in.

use crate::label::WsPath;

/// Every file of `rules/std`, sorted.
const FILES: &[(&str, &str)] = &[
    ("@std/ai", include_str!("../std/ai.kdl")),
    ("@std/audio", include_str!("../std/audio.kdl")),
    ("@std/ffmpeg", include_str!("../std/ffmpeg.kdl")),
    ("@std/image", include_str!("../std/image.kdl")),
    ("@std/placeholder", include_str!("../std/placeholder.kdl")),
    ("@std/text", include_str!("../std/text.kdl")),
    ("@std/video", include_str!("../std/video.kdl")),
];

/// The text of a built-in rule file (`@std/video`).
pub fn source(path: &WsPath) -> Option<&'static str> {
    FILES.iter().find(|(name, _)| *name == path.as_str()).map(|(_, text)| *text)
}

/// The built-in rule files, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Checked;
    use crate::rule_file::rule_file;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test may look at the repository")]
    fn every_file_of_the_folder_is_in_the_table() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/std");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".kdl").map(|name| format!("@std/{name}")))
            .collect();
        found.sort();
        assert_eq!(found, names().collect::<Vec<_>>());
    }

    #[test]
    fn every_built_in_rule_is_right_and_documented() {
        for name in names() {
            let path = WsPath::new(name).unwrap();
            let Checked { value, problems } = rule_file(&path, source(&path).unwrap());
            assert_eq!(problems, [], "{name}");
            for rule in &value.rules {
                assert!(rule.doc.is_some(), "{name}: {} has no doc", rule.name);
                for attr in &rule.attrs {
                    assert!(attr.doc.is_some(), "{name}: {}.{} has no doc", rule.name, attr.name);
                }
            }
            for template in &value.templates {
                assert!(template.doc.is_some(), "{name}: {} has no doc", template.name);
                let all = template.attrs.iter().all(|attr| attr.doc.is_some());
                assert!(all, "{name}: an attribute of {} has no doc", template.name);
            }
        }
    }
}
