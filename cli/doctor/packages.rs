//! Where programs and data come from: Debian's packages, and what is in none of them.

use std::path::Path;

use vwfb_exec::SEARCH_PATH;

/// Lines of sets, a package, and what it brings; `scripts/install-packages` reads them, too.
const TABLE: &str = include_str!("../../scripts/packages");

/// What to do for programs that no package brings.
const ELSEWHERE: [(&str, &[&str]); 2] = [
    ("vwfb-kit", &["it comes with vwfb: put it into the folder that `vwfb` is in"]),
    (
        "whisper-cli",
        &[
            "git clone https://github.com/ggml-org/whisper.cpp && cd whisper.cpp",
            "cmake -B build -DBUILD_SHARED_LIBS=OFF && cmake --build build --config Release",
            "sudo install build/bin/whisper-cli /usr/local/bin/",
            "models: https://huggingface.co/ggerganov/whisper.cpp",
        ],
    ),
];

/// The package that brings a program, or a file or folder.
pub(super) fn package(thing: &str) -> Option<&'static str> {
    let path = Path::new(thing);
    let of_system = SEARCH_PATH.iter().any(|folder| path.parent() == Some(Path::new(folder)));
    let name = path.file_name().filter(|_| of_system).and_then(|name| name.to_str());
    let is_it = |brought: &str| match brought.starts_with('/') {
        true => path.starts_with(brought),
        false => brought == thing || Some(brought) == name,
    };
    let found = entries().filter(|(_, brought)| is_it(brought));
    found.max_by_key(|(_, brought)| brought.len()).map(|(package, _)| package)
}

/// What to do for a program or file that no package brings, if that is known.
pub(super) fn elsewhere(thing: &str) -> Option<Vec<String>> {
    let name = Path::new(thing).file_name()?.to_str()?;
    if name.starts_with("ggml-") && name.ends_with(".bin") {
        let from = format!("https://huggingface.co/ggerganov/whisper.cpp/resolve/main/{name}");
        return Some(vec![format!("curl -L --create-dirs -o {thing} {from}")]);
    }
    let (_, steps) = ELSEWHERE.iter().find(|(known, _)| *known == name)?;
    Some(steps.iter().map(|step| (*step).to_owned()).collect())
}

/// What to type for packages.
pub(super) fn install<'p>(packages: impl IntoIterator<Item = &'p str>) -> String {
    let names: Vec<&str> = packages.into_iter().collect();
    format!("sudo apt install {}", names.join(" "))
}

/// Package and what it brings.
fn entries() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let entries = lines.filter_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        Some((words.next()?, words.next()?))
    });
    entries.filter(|(_, brought)| *brought != "-")
}

#[cfg(test)]
mod tests {
    use vwfb_engine::needs::Needs;

    use super::*;

    #[test]
    fn all_that_the_library_starts_or_reads_comes_from_somewhere() {
        let tools = Needs::of_library().tools;
        let things = tools.keys().flat_map(|tool| tool.programs.iter().chain(&tool.data));
        let things: Vec<&String> = things.collect();
        assert!(things.len() > 10, "{things:?}");
        for thing in things {
            let known = package(thing).is_some() || elsewhere(thing).is_some();
            assert!(known, "name the package of `{thing}` in scripts/packages");
        }
    }

    #[test]
    fn a_package_is_that_of_the_very_thing() {
        assert_eq!(package("ffprobe"), Some("ffmpeg"));
        assert_eq!(package("/usr/bin/ffprobe"), Some("ffmpeg"));
        assert_eq!(package("/opt/own/ffprobe"), None);
        assert_eq!(package("/usr/share/fonts/truetype/dejavu/A.ttf"), Some("fonts-dejavu-core"));
        assert_eq!(package("-"), None);
        assert_eq!(package("no-such-program"), None);
    }
}
