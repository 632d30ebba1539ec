//! Scripts that do nothing but start one program, its input and output in files or not. That
//! program is then started without a shell, which would cost a fifth of a short task.

use serde::{Deserialize, Serialize};

/// Programs of the base that do the same whether a shell started them or nobody did: none of them
/// is built into a shell, is there to start others, prints its environment or minds leading a
/// process group.
const PLAIN: &[&str] = &[
    "b2sum",
    "base32",
    "base64",
    "basename",
    "basenc",
    "cat",
    "chmod",
    "cksum",
    "comm",
    "cp",
    "csplit",
    "cut",
    "date",
    "dd",
    "dirname",
    "expand",
    "expr",
    "factor",
    "fmt",
    "fold",
    "head",
    "join",
    "link",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mktemp",
    "mv",
    "nl",
    "numfmt",
    "od",
    "paste",
    "pr",
    "ptx",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "seq",
    "sha1sum",
    "sha224sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "shuf",
    "sort",
    "stat",
    "sum",
    "tac",
    "tail",
    "tee",
    "touch",
    "tr",
    "truncate",
    "tsort",
    "unexpand",
    "uniq",
    "unlink",
    "wc",
];

/// A script's only command.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OnlyCommand {
    /// What the script calls the program.
    pub(crate) name: String,
    /// Its arguments, without its name.
    pub(crate) args: Vec<String>,
    /// In the order in which they are written.
    pub(crate) redirections: Vec<Redirection>,
}

/// What a standard stream is in the program's stead, relative to its working directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Redirection {
    /// `<`
    Input(String),
    /// `>`
    Output(String),
    /// `>>`
    Append(String),
}

/// The command, if `args` give a shell a script that is one command of plain words and starts one
/// of `PLAIN`.
pub(crate) fn only_command(shell: &str, args: &[String]) -> Option<OnlyCommand> {
    let ("sh" | "dash", [options, c, script]) = (shell, args) else { return None };
    if options != "-eu" || c != "-c" || !script.bytes().all(is_plain) {
        return None;
    }
    let (mut words, mut redirections) = (Vec::new(), Vec::new());
    let mut rest = script.trim_matches(' ');
    while !rest.is_empty() {
        let (word, after) = word(rest);
        rest = match word {
            "" => redirection(after, &mut redirections)?,
            _ if is_number(word, after) => return None,
            word => {
                words.push(word.to_owned());
                after
            }
        };
        rest = rest.trim_start_matches(' ');
    }
    let args = words.split_off(words.len().min(1));
    let name = words.pop().filter(|name| PLAIN.contains(&name.as_str()))?;
    Some(OnlyCommand { name, args, redirections })
}

/// Takes the redirection at the beginning of `text`; what follows it.
fn redirection<'a>(text: &'a str, into: &mut Vec<Redirection>) -> Option<&'a str> {
    let (of, path): (fn(String) -> Redirection, _) = match text.strip_prefix('>') {
        Some(text) => match text.strip_prefix('>') {
            Some(path) => (Redirection::Append, path),
            None => (Redirection::Output, text),
        },
        None => (Redirection::Input, text.strip_prefix('<')?),
    };
    let path = path.trim_start_matches(' ');
    let (path, rest) = word(path);
    into.push((!path.is_empty() && !is_number(path, rest)).then(|| of(path.to_owned()))?);
    Some(rest)
}

/// The first word of a text, and what follows it.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find([' ', '<', '>']).unwrap_or(text.len()))
}

/// Whether the word is a part of the sign that follows it, as in `2>`.
fn is_number(word: &str, after: &str) -> bool {
    after.starts_with(['<', '>']) && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a shell takes the byte for itself: a part of a word, or what parts words.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b' ' | b'_' | b'-' | b'.' | b'/' | b':' | b',')
        || matches!(byte, b'=' | b'+' | b'@' | b'%' | b'>' | b'<')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command_of(script: &str) -> Option<OnlyCommand> {
        only_command("sh", &["-eu", "-c", script].map(str::to_owned))
    }

    fn command(words: &[&str], redirections: Vec<Redirection>) -> Option<OnlyCommand> {
        let mut words = words.iter().map(|word| (*word).to_owned());
        let name = words.next().unwrap();
        Some(OnlyCommand { name, args: words.collect(), redirections })
    }

    #[test]
    fn one_command_of_plain_words_is_an_only_command() {
        let plain = command(&["cp", "in/a", "out/b"], vec![]);
        for script in ["cp in/a out/b", " cp  in/a out/b "] {
            assert_eq!(command_of(script), plain, "{script}");
        }
        let words = ["sort", "-k", "1,1", "--x=y", "-"];
        assert_eq!(command_of("sort -k 1,1 --x=y -"), command(&words, vec![]));
    }

    #[test]
    fn redirections_are_taken_from_wherever_they_stand() {
        use Redirection::{Append, Input, Output};
        let [a, b] = ["in/a", "b"].map(str::to_owned);
        let wanted = command(&["cat", "-n"], vec![Input(a.clone()), Output(b.clone())]);
        for script in ["cat -n < in/a > b", "<in/a cat>b -n", "cat<in/a -n >  b", "< in/a>b cat -n"]
        {
            assert_eq!(command_of(script), wanted, "{script}");
        }
        let twice = vec![Output(a.clone()), Append(b)];
        assert_eq!(command_of("cat x2>in/a >>b"), command(&["cat", "x2"], twice));
        for script in [
            "cat 2> b",
            "cat <> b",
            "cat << b",
            "cat >",
            "cat > > b",
            "cat x 0<b",
            "> b",
            "cat a >2>b",
        ] {
            assert_eq!(command_of(script), None, "{script}");
        }
    }

    #[test]
    fn what_a_shell_must_understand_is_left_to_it() {
        for script in [
            "",
            " ",
            "cp a b; cp c d",
            "cp a b\ncp c d",
            "cp a b &",
            "cp a b | cat",
            "cp $x y",
            "cp `x` y",
            "cp 'a b' c",
            "cp \"a\" b",
            "cp a\\ b c",
            "cp * out",
            "cp a? out",
            "cp [ab] out",
            "cp ~/a b",
            "cp {a,b} c",
            "(cp a b)",
            "! cp a b",
            "cp a b # c",
            "cp a b 2>&1",
            "cp ä b",
            "cp a\tb",
        ] {
            assert_eq!(command_of(script), None, "{script}");
        }
    }

    #[test]
    fn builtins_and_what_starts_programs_are_not_plain() {
        for script in [
            "echo a",
            "printf a",
            "test -e a",
            "true",
            "pwd",
            "kill 1",
            "env a",
            "nice a",
            "timeout 1 a",
            "exec cp a b",
            "LC_ALL=C cp a b",
            "./cp a b",
            "/bin/cp a b",
            "python3 a",
            "setsid a",
            "time cp a b",
            "sleep 1",
        ] {
            assert_eq!(command_of(script), None, "{script}");
        }
    }

    #[test]
    fn only_scripts_of_the_plain_shell_are_looked_at() {
        let plain = ["-eu", "-c", "cp a b"].map(str::to_owned);
        assert!(only_command("dash", &plain).is_some());
        assert_eq!(only_command("bash", &plain), None);
        for args in [&["-eu", "cp a b"][..], &["-c", "cp a b"], &["-eu", "-c", "cp a b", "name"]] {
            let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
            assert_eq!(only_command("sh", &args), None, "{args:?}");
        }
        assert!(PLAIN.iter().all(|name| crate::base::BASE_TOOLS.contains(name)));
    }
}
