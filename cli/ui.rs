//! What commands print through: results to standard output, everything else to standard error.

use std::env;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};

use vwfb_engine::chain::chain;
use vwfb_rules::diagnostic::Diagnostic;
use vwfb_rules::label::WsPath;
use vwfb_rules::render::{RenderOptions, render, render_all};

use crate::args::{ColorWhen, GlobalArgs};
use crate::error::CommandError;
use crate::sources::Sources;

/// How wide a line may be where nothing says it.
const WIDTH: usize = 80;

/// How many lines there are where nothing says it.
const HEIGHT: usize = 24;

/// How and how much to print.
#[derive(Debug, Clone)]
pub(crate) struct Ui {
    quiet: bool,
    color: bool,
    result_color: bool,
    unicode: bool,
    live: bool,
}

/// A style on a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    /// What went wrong.
    Error,
    /// What may go wrong.
    Warning,
    /// What to do.
    Hint,
    /// What went well.
    Good,
    /// What matters less.
    Dim,
}

impl Ui {
    /// What the options and the environment ask for.
    pub(crate) fn new(global: &GlobalArgs) -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let terminal = io::stderr().is_terminal();
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        let plain = dumb || set("NO_COLOR") || global.color == ColorWhen::Never;
        let color = |terminal: bool| match global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => terminal && !plain,
        };
        let live = terminal && !plain && !set("CI") && !global.quiet;
        Self {
            quiet: global.quiet,
            color: color(terminal),
            result_color: color(io::stdout().is_terminal()),
            unicode: is_utf8(),
            live,
        }
    }

    /// Whether results, which go to standard output, are coloured.
    pub(crate) const fn colors_results(&self) -> bool {
        self.result_color
    }

    /// Whether a bar may be drawn and drawn again.
    pub(crate) const fn is_live(&self) -> bool {
        self.live
    }

    /// Whether status is left out.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether the terminal shows more than ASCII.
    pub(crate) const fn unicode(&self) -> bool {
        self.unicode
    }

    /// `text` in a style, where there is colour.
    pub(crate) fn styled(&self, style: Style, text: impl Display) -> String {
        Self::painted(self.color, style, text)
    }

    /// The same for a part of a result, which goes to standard output.
    pub(crate) fn styled_result(&self, style: Style, text: impl Display) -> String {
        Self::painted(self.result_color, style, text)
    }

    fn painted(color: bool, style: Style, text: impl Display) -> String {
        let code = match style {
            Style::Error => "1;31",
            Style::Warning => "1;33",
            Style::Hint => "1;36",
            Style::Good => "32",
            Style::Dim => "2",
        };
        if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// Writes a result, as it is.
    pub(crate) fn out(&self, result: impl AsRef<[u8]>) -> Result<(), CommandError> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(result.as_ref()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(CommandError::Stream { stream: "output", source: error })
            }
            _ => Ok(()),
        }
    }

    /// Writes a result as a line.
    pub(crate) fn out_line(&self, result: impl Display) -> Result<(), CommandError> {
        self.out(format!("{result}\n"))
    }

    /// Writes a line of status, unless quiet.
    pub(crate) fn status(&self, line: impl Display) {
        if !self.quiet {
            self.say(line);
        }
    }

    /// Writes a line that is not to be missed.
    pub(crate) fn say(&self, line: impl Display) {
        // Where standard error is gone there is nobody left to tell.
        let _gone = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
    }

    /// Writes what to do next, unless quiet.
    pub(crate) fn hint(&self, hint: impl Display) {
        self.status(format_args!("{}: {hint}", self.styled(Style::Hint, "hint")));
    }

    /// Tells what stopped a command.
    pub(crate) fn error(&self, error: &CommandError) {
        let word = error.code().map_or_else(|| "error".to_owned(), |code| format!("error[{code}]"));
        self.say(format_args!("{}: {}", self.styled(Style::Error, word), chain(error)));
        if let Some(hint) = error.hint() {
            self.say(format_args!("{}: {hint}", self.styled(Style::Hint, "hint")));
        }
    }

    /// Shows what is wrong with a workspace.
    pub(crate) fn diagnostics(&self, problems: &[Diagnostic], sources: &Sources) {
        if !problems.is_empty() {
            let source = |path: &WsPath| sources.text(path);
            self.say(render_all(problems, &source, self.render_options()).trim_end());
        }
    }

    /// One diagnostic as text.
    pub(crate) fn rendered(&self, problem: &Diagnostic, sources: &Sources) -> String {
        render(problem, &|path| sources.text(path), self.render_options())
    }

    fn render_options(&self) -> RenderOptions {
        RenderOptions { color: self.color, unicode: self.unicode, width: terminal_width() }
    }
}

/// The columns of the terminal that standard error is.
pub(crate) fn terminal_width() -> usize {
    terminal_size().0
}

/// Its columns and rows.
pub(crate) fn terminal_size() -> (usize, usize) {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
    let or = |count: Option<u16>, otherwise| match count {
        Some(count) if count > 0 => usize::from(count),
        _ => otherwise,
    };
    (or(size.map(|size| size.ws_col), WIDTH), or(size.map(|size| size.ws_row), HEIGHT))
}

/// Whether the locale's characters are UTF-8.
fn is_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .filter_map(|name| env::var_os(name)?.into_string().ok())
        .find(|value| !value.is_empty())
        .unwrap_or_default()
        .to_ascii_uppercase();
    locale.contains("UTF-8") || locale.contains("UTF8")
}
