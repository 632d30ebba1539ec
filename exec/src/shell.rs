//! Scripts that do nothing but start one program. The shell then becomes that program (`exec`)
//! instead of starting another process and waiting for it, which costs a tenth of a short task.

/// Programs of the base that do the same whether a shell started them or became them: none of them
/// is built into a shell, starts what a script names, prints its environment or minds leading a
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

/// What Linux takes for one argument with the byte that ends it (`MAX_ARG_STRLEN`), in bytes.
const LONGEST_ARGUMENT: usize = 32 * 4096;

/// The program, if `args` give a shell a script that is one command of plain words, with its
/// output in a file or not, and starts one of `PLAIN`.
pub(crate) fn only_program<'a>(shell: &str, args: &'a [String]) -> Option<&'a str> {
    let ("sh" | "dash", [options, c, script]) = (shell, args) else { return None };
    let fits = becoming(script).len() < LONGEST_ARGUMENT;
    if options != "-eu" || c != "-c" || !fits || !script.bytes().all(is_plain) {
        return None;
    }
    let program = script.split(' ').find(|word| !word.is_empty())?;
    PLAIN.contains(&program).then_some(program)
}

/// Whether a shell takes the byte for itself: a part of a word, or what parts words.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b' ' | b'_' | b'-' | b'.' | b'/' | b':' | b',')
        || matches!(byte, b'=' | b'+' | b'@' | b'%' | b'>' | b'<')
}

/// The script in which the shell becomes the program.
pub(crate) fn becoming(script: &str) -> String {
    format!("exec {script}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program_of(script: &str) -> Option<String> {
        let args = ["-eu", "-c", script].map(str::to_owned);
        only_program("sh", &args).map(str::to_owned)
    }

    #[test]
    fn one_command_of_plain_words_is_one_program() {
        for script in ["cp in/a out/b", " cp  in/a out/b ", "cp in/a >out/b", "cp --x=y < a > b"] {
            assert_eq!(program_of(script).as_deref(), Some("cp"), "{script}");
        }
        assert_eq!(program_of("sort -k 1,1 in/a > out/b").as_deref(), Some("sort"));
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
            assert_eq!(program_of(script), None, "{script}");
        }
    }

    #[test]
    fn a_script_that_would_become_too_long_is_left_to_the_shell() {
        let script = |length: usize| format!("cp {}", "a".repeat(length - 3));
        assert_eq!(program_of(&script(131_066)).as_deref(), Some("cp"));
        assert_eq!(program_of(&script(131_067)), None);
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
            "> a cp b",
            "python3 a",
            "setsid a",
            "time cp a b",
            "sleep 1",
        ] {
            assert_eq!(program_of(script), None, "{script}");
        }
    }

    #[test]
    fn only_scripts_of_the_plain_shell_are_looked_at() {
        let plain = ["-eu", "-c", "cp a b"].map(str::to_owned);
        assert_eq!(only_program("dash", &plain), Some("cp"));
        assert_eq!(only_program("bash", &plain), None);
        for args in [&["-eu", "cp a b"][..], &["-c", "cp a b"], &["-eu", "-c", "cp a b", "name"]] {
            let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
            assert_eq!(only_program("sh", &args), None, "{args:?}");
        }
        assert!(PLAIN.iter().all(|name| crate::base::BASE_TOOLS.contains(name)));
    }
}
