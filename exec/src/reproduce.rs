//! A process as a line for a shell, so that a person can start it again by hand.

use std::fmt::Write as _;
use std::path::Path;

use crate::wire::Run;

/// The line that starts `run` in the folder `cwd`; the values of `secrets` are left as variables.
pub(crate) fn command_line(run: &Run, secrets: &[&str], cwd: Option<&Path>) -> String {
    let mut line = String::new();
    if let Some(cwd) = cwd {
        let _ = write!(line, "cd {} && ", quoted(&cwd.to_string_lossy()));
    }
    line.push_str("env -i");
    for (name, value) in &run.env {
        let value =
            if secrets.contains(&name.as_str()) { format!("\"${name}\"") } else { quoted(value) };
        let _ = write!(line, " {name}={value}");
    }
    let _ = write!(line, " {}", quoted(&run.program.to_string_lossy()));
    for arg in &run.args {
        let _ = write!(line, " {}", quoted(arg));
    }
    let routed = [("<", Some(&run.stdin)), (">", run.stdout.as_ref()), ("2>", run.stderr.as_ref())];
    for (sign, path) in routed {
        if let Some(path) = path {
            let _ = write!(line, " {sign} {}", quoted(&path.to_string_lossy()));
        }
    }
    line
}

/// `text` as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./=:,+@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_change_them() {
        assert_eq!(quoted("--out=out/a.png"), "--out=out/a.png");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }

    #[test]
    fn a_secret_is_named_and_not_shown() {
        let run = Run {
            program: "/bin/tool".into(),
            args: vec!["a b".to_owned()],
            only: None,
            env: [("KEY", "hidden"), ("LC_CTYPE", "C.UTF-8")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            cwd: "/w".into(),
            stdin: "/dev/null".into(),
            terminal: false,
            stdout: None,
            stderr: Some("/w/out/errors".into()),
            log: "/log".into(),
            timeout_ms: None,
            grace_ms: 0,
            turns: None,
        };
        assert_eq!(
            command_line(&run, &["KEY"], Some(Path::new("/w"))),
            "cd /w && env -i KEY=\"$KEY\" LC_CTYPE=C.UTF-8 /bin/tool 'a b' < /dev/null 2> /w/out/errors"
        );
    }
}
