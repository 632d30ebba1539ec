//! The first line of a script, as the kernel and `env` read it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// As much of the line as the kernel looks at.
const LIMIT: u64 = 256;

/// What runs a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shebang {
    /// The program that the kernel starts.
    pub(crate) interpreter: PathBuf,
    /// The program that it then looks for by name, where it is `env`.
    pub(crate) looked_up: Option<String>,
}

/// The interpreter line of the file at `path`, if it has one.
pub(crate) fn shebang(path: &Path) -> io::Result<Option<Shebang>> {
    let mut start = Vec::new();
    File::open(path)?.take(LIMIT).read_to_end(&mut start)?;
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
    Ok(line.strip_prefix(b"#!").and_then(|line| parse(&String::from_utf8_lossy(line))))
}

fn parse(line: &str) -> Option<Shebang> {
    let mut words = line.split_ascii_whitespace();
    let interpreter = PathBuf::from(words.next()?);
    let is_env = interpreter.file_name().is_some_and(|name| name == "env");
    // Options such as `-S`, and variables that it sets.
    let looked_up = words.find(|word| !word.starts_with('-') && !word.contains('='));
    Some(Shebang { interpreter, looked_up: looked_up.filter(|_| is_env).map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_named_or_looked_up() {
        let parsed = |line| parse(line).map(|line| (line.interpreter, line.looked_up));
        assert_eq!(parsed(" /bin/sh -eu"), Some(("/bin/sh".into(), None)));
        let python = Some(("/usr/bin/env".into(), Some("python3".to_owned())));
        assert_eq!(parsed("/usr/bin/env python3"), python);
        assert_eq!(parsed("/usr/bin/env -S A=b python3 -u"), python);
        assert_eq!(parsed("  "), None);
    }
}
