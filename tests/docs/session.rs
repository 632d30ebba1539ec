//! A person at a shell: a home folder, a current folder, and commands one after the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use tempfile::TempDir;

/// The home that pages speak of.
const HOME: &str = "/home/you";

/// Runs a command in a folder and says where it has gone.
const SHELL: &str = r#"exec 2>&1; cd "$1"; eval "$2"; code=$?; pwd > "$3"; exit $code"#;

/// A home folder with a shell in it.
pub(crate) struct Session {
    folder: TempDir,
    current: PathBuf,
}

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<String>,
}

impl Session {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let home = folder.path().join("home");
        fs::create_dir(&home).expect("the home can be made");
        Self { folder, current: home }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn go_home(&mut self) {
        self.current = self.home();
    }

    /// Writes a file that a page shows; its path is from the home folder.
    pub(crate) fn write(&self, path: &str, lines: &[String]) {
        let path = self.home().join(path);
        let folder = path.parent().expect("a file is in a folder");
        fs::create_dir_all(folder).expect("its folder can be made");
        let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        fs::write(path, text).expect("the file can be written");
    }

    /// Runs `command` in the current folder, which it may change.
    pub(crate) fn run(&mut self, command: &str) -> Ran {
        let binary = Path::new(env!("CARGO_BIN_EXE_vwfb"));
        let binaries = binary.parent().expect("the binary is in a folder").display();
        let went = self.folder.path().join("went");
        let output = process::Command::new("sh")
            .args(["-c", SHELL, "sh"])
            .arg(&self.current)
            .arg(command)
            .arg(&went)
            .env_clear()
            .env("PATH", format!("{binaries}:/usr/local/bin:/usr/bin:/bin"))
            .env("HOME", self.home())
            .env("LANG", "C.UTF-8")
            .output()
            .expect("a shell starts");
        let went = fs::read_to_string(&went).expect("the shell says where it is");
        self.current = PathBuf::from(went.trim_end_matches('\n'));
        Ran { code: output.status.code(), lines: self.shown(&output.stdout) }
    }

    /// What was printed, with the home's name as pages have it.
    fn shown(&self, printed: &[u8]) -> Vec<String> {
        let home = self.home();
        let home = home.to_str().expect("temporary folders have plain names");
        let text = String::from_utf8_lossy(printed).replace(home, HOME);
        text.lines().map(str::to_owned).collect()
    }
}
