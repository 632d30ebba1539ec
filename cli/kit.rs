//! `vwfb-kit`: the program that rules start where no tool does the work.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use vwfb_cas::{Clock, SystemClock};
use vwfb_kit::music::{self, BadKey, Mood, Wish};
use vwfb_kit::paint::{Canvas, Fonts, Painter};
use vwfb_kit::play::{self, Output};
use vwfb_kit::pty::{self, Shell, Start};
use vwfb_kit::service::{self, World};
use vwfb_kit::tape::{self, Tape};

/// What the rules of vwfb's library need and no tool does.
#[derive(Debug, Parser)]
#[command(name = "vwfb-kit", version)]
struct Kit {
    #[command(subcommand)]
    work: Work,
}

#[derive(Debug, Subcommand)]
enum Work {
    /// Play a tape; its pictures come as PPM files, one after the other
    Play(Play),
    /// Compose music as a MIDI file
    Compose(Compose),
    #[command(flatten)]
    Service(service::Work),
    /// Become a program on the terminal that is standard input
    #[command(name = pty::ON_TERMINAL, hide = true)]
    OnTerminal {
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Compose {
    /// The file to write
    file: PathBuf,
    /// The mood
    #[arg(long, default_value = "calm")]
    mood: String,
    /// The key, as in C, F#m or Bb; the mood's own by default
    #[arg(long)]
    key: Option<String>,
    /// Beats a minute, about; the mood's own by default
    #[arg(long, value_parser = clap::value_parser!(u32).range(30..=300))]
    tempo: Option<u32>,
    /// Which of all such pieces
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    seed: i64,
    /// How many seconds it lasts
    #[arg(long)]
    length: f64,
    /// How much goes on, from 0 to 100
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    intensity: u8,
}

#[derive(Debug, Args)]
struct Play {
    /// The tape
    tape: PathBuf,
    /// The width of the pictures, where the tape does not set it
    #[arg(long, default_value_t = 1920)]
    width: u32,
    /// The height of the pictures, where the tape does not set it
    #[arg(long, default_value_t = 1080)]
    height: u32,
    /// Pictures a second
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=300))]
    fps: u32,
    /// The folder with the fonts of the DejaVu family
    #[arg(long, default_value = "/usr/share/fonts/truetype/dejavu")]
    fonts: PathBuf,
    /// A font to use instead
    #[arg(long)]
    font: Option<PathBuf>,
    /// The bold variant of that
    #[arg(long)]
    bold_font: Option<PathBuf>,
    /// Where the shell starts
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// The shell's prompt
    #[arg(long, default_value = "> ")]
    prompt: String,
    /// The folder for the pictures that the tape asks for by name
    #[arg(long)]
    screenshots: Option<PathBuf>,
}

fn main() -> ExitCode {
    let done = match Kit::parse().work {
        Work::Play(play) => play.run(),
        Work::Compose(compose) => compose.run(),
        Work::Service(work) => return serve(&work),
        Work::OnTerminal { command } => {
            let program = command.first().cloned().unwrap_or_default();
            Err(format!("error: cannot start `{program}`: {}", pty::become_shell(&command)))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

/// Asks a service; 3 is the exit code of a call that may still be at work, or may have been paid.
fn serve(work: &service::Work) -> ExitCode {
    let now = || u64::try_from(SystemClock.now().0).unwrap_or_default();
    match work.run(&World { env: &|name| env::var_os(name), now: &now }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(failure.code())
        }
    }
}

impl Compose {
    fn run(&self) -> Result<(), String> {
        let mood = Mood::named(&self.mood).map_err(|near| {
            let hint = near.map_or_else(
                || format!("there are {}", Mood::names().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            format!("error: no mood `{}`\nhint: {hint}", self.mood)
        })?;
        let key = self.key.as_deref().unwrap_or(mood.key).parse().map_err(|error: BadKey| {
            format!("error: {error}\nhint: write `C`, `F#m` or `Bb`: a letter from A to G, `#` or `b`, and `m` for minor")
        })?;
        if !(0.1..=7200.0).contains(&self.length) {
            return Err(format!(
                "error: music of {} s cannot be composed\nhint: a tenth of a second to two hours can",
                self.length
            ));
        }
        let wish = Wish {
            mood,
            key,
            tempo: self.tempo.unwrap_or(mood.tempo).into(),
            seed: self.seed.cast_unsigned(),
            length: Duration::from_secs_f64(self.length),
            intensity: self.intensity,
        };
        fs::write(&self.file, music::compose(&wish).to_midi())
            .map_err(|error| format!("error: cannot write `{}`: {error}", self.file.display()))
    }
}

impl Play {
    fn run(&self) -> Result<(), String> {
        let tape = self.read()?;
        let missing: Vec<String> = tape
            .requires
            .iter()
            .filter(|program| find(program).is_none())
            .map(|program| format!("error: the tape requires `{program}`, which is not on PATH"))
            .collect();
        if !missing.is_empty() {
            return Err(format!("{}\nhint: {PROGRAMS}", missing.join("\n")));
        }
        let shell = &tape.settings.shell;
        if find(shell).is_none() {
            return Err(format!("error: no shell `{shell}` on PATH\nhint: {PROGRAMS}"));
        }
        let size = tape.settings.width.zip(tape.settings.height);
        let size = size.unwrap_or((
            tape.settings.width.unwrap_or(self.width),
            tape.settings.height.unwrap_or(self.height),
        ));
        let mut painter = Painter::new(&tape.settings, self.load_fonts(&tape)?, size);
        let start = self.start(&tape, painter.size())?;
        let mut program = Shell::start(&start)
            .map_err(|error| format!("error: cannot start `{shell}`: {error}"))?;
        let mut film = Pictures {
            out: BufWriter::with_capacity(1 << 20, io::stdout().lock()),
            screenshots: self.screenshots.as_deref(),
        };
        play::play(&tape, &mut program, &mut painter, self.fps, &mut film)
            .map_err(|error| error.to_string())?;
        film.out.flush().map_err(|error| format!("error: cannot write the pictures: {error}"))
    }

    fn read(&self) -> Result<Tape, String> {
        let name = self.tape.to_string_lossy();
        let text = read_text(&self.tape)?;
        let sources = |path: &Path| fs::read_to_string(path);
        tape::parse(&name, &text, &sources).map_err(|problems| {
            let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
            told.join("\n\n")
        })
    }

    fn load_fonts(&self, tape: &Tape) -> Result<Fonts, String> {
        let family = tape.settings.font_family.as_deref().unwrap_or(FAMILY);
        if self.font.is_none() && family != FAMILY {
            let note = format!(
                "note: the tape asks for the font `{family}` and is drawn in {FAMILY}; give a font file \
                 with the attribute `font`"
            );
            let _ = writeln!(io::stderr(), "{note}");
        }
        let own = |name: &str| read_bytes(&self.fonts.join(name));
        let others = ["DejaVuSansMono.ttf", "DejaVuSans.ttf"].map(own).into_iter().flatten();
        let (regular, bold, oblique) = match &self.font {
            Some(font) => {
                let bold = self.bold_font.as_deref().map(read_bytes).transpose()?;
                (read_bytes(font)?, bold, None)
            }
            None => (
                own("DejaVuSansMono.ttf")?,
                own("DejaVuSansMono-Bold.ttf").ok(),
                own("DejaVuSansMono-Oblique.ttf").ok(),
            ),
        };
        Fonts::new(regular, bold, oblique, others.collect())
            .map_err(|error| format!("error: a font cannot be used: {error}"))
    }

    fn start(&self, tape: &Tape, size: (usize, usize)) -> Result<Start, String> {
        let myself = env::current_exe()
            .map_err(|error| format!("error: this program cannot find itself: {error}"))?;
        let shell = tape.settings.shell.as_str();
        let args: &[&str] = match shell.rsplit('/').next().unwrap_or_default() {
            "bash" => &["--noprofile", "--norc", "-i", "+o", "history"],
            "zsh" => &["--no-rcs", "-i"],
            "fish" => &["--no-config", "--private"],
            "sh" | "dash" => &["-i"],
            _ => &[],
        };
        let command = [shell].iter().chain(args).map(|word| (*word).to_owned()).collect();
        let colored = format!("\\[\\e[38;2;90;86;224m\\]{}\\[\\e[0m\\]", self.prompt);
        let prompt = if shell.ends_with("bash") { colored } else { self.prompt.clone() };
        let mut env: Vec<(String, String)> = [
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("PS1", &prompt),
            ("PROMPT", &self.prompt),
            ("HISTFILE", ""),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        env.extend(tape.env.iter().cloned());
        Ok(Start { myself, command, env, folder: self.folder.clone(), size })
    }
}

const FAMILY: &str = "DejaVu Sans Mono";

const PROGRAMS: &str = "name the programs of a recording in the attribute `tools`";

/// The pictures, on standard output and in a folder.
struct Pictures<'a> {
    out: BufWriter<io::StdoutLock<'static>>,
    screenshots: Option<&'a Path>,
}

impl Output for Pictures<'_> {
    fn frame(&mut self, picture: &Canvas) -> io::Result<()> {
        picture.write(&mut self.out)
    }

    fn screenshot(&mut self, name: &str, picture: &Canvas) -> io::Result<()> {
        let Some(folder) = self.screenshots else { return Ok(()) };
        let mut file = BufWriter::new(File::create(folder.join(format!("{name}.ppm")))?);
        picture.write(&mut file)?;
        file.flush()
    }
}

/// Where a program is.
fn find(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn read_text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path)
        .map_err(|error| format!("error: cannot read `{}`: {error}", path.display()))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("error: cannot read `{}`: {error}", path.display()))
}
