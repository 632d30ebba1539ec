//! `vwfb review`: what waits for people, and on a terminal a question about each.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use vwfb_engine::event::Waiting;
use vwfb_engine::people::{Question, Verdict};
use vwfb_engine::workspace::{Evaluate, Met, Prepared, Saying};
use vwfb_rules::label::{Label, Reference, WsPath};
use vwfb_rules::pattern::Pattern;

use crate::args::ReviewArgs;
use crate::decide::{options, tell, who};
use crate::error::{CommandError, Exit};
use crate::report::question;
use crate::session::{Context, Session, patterns};

/// How much of a text is shown, in bytes.
const SHOWN: usize = 2_000;

/// Reviews.
pub(crate) fn run(ctx: &Context, args: &ReviewArgs) -> Result<Exit, CommandError> {
    let (mut session, vars) = Session::open_last(ctx, &args.vars)?;
    let patterns = match args.targets.is_empty() {
        true => vec![Pattern::Below(WsPath::root())],
        false => patterns(&args.targets, &session.current)?,
    };
    let prepared = session.workspace.prepare(&patterns, Evaluate::Everything);
    session.show(ctx, &prepared.loaded);
    if prepared.loaded.has_errors() {
        return Ok(Exit::INPUT);
    }
    let met = session.workspace.questions(&prepared)?;
    let waiting: Vec<&Met> = met.iter().filter(|met| !is_open(met)).collect();
    let options = options(ctx, &vars);
    if args.list {
        let lines: String = waiting.iter().map(|met| format!("{}\n", met.label)).collect();
        ctx.ui.out(lines)?;
    } else if waiting.is_empty() {
        ctx.ui.status("nothing waits for people");
    } else if io::stdin().is_terminal() && io::stderr().is_terminal() {
        let mut asking = Asking { ctx, session: &mut session, prepared: &prepared, options };
        for met in &waiting {
            if !asking.about(met)? {
                break;
            }
        }
    } else {
        for met in &waiting {
            ctx.ui.out_line(question(&ctx.ui, &as_told(met), &options))?;
        }
    }
    session.close();
    Ok(Exit::SUCCESS)
}

fn is_open(met: &Met) -> bool {
    met.subjects.iter().all(|(_, verdict)| *verdict == Some(Verdict::Approve))
}

fn as_told(met: &Met) -> Waiting {
    let with = |wanted: Option<Verdict>| {
        let all = met.subjects.iter().filter(move |(_, verdict)| *verdict == wanted);
        all.map(|(question, _)| question.clone())
    };
    Waiting {
        label: met.label.clone(),
        message: met.message.clone(),
        preview: met.preview.clone(),
        subjects: with(None).collect(),
        rejected: with(Some(Verdict::Reject)).map(|it| (it.subject, None)).collect(),
        notes: Vec::new(),
    }
}

/// A person at a terminal.
struct Asking<'a> {
    ctx: &'a Context,
    session: &'a mut Session,
    prepared: &'a Prepared,
    options: String,
}

impl Asking<'_> {
    /// Asks about everything that is undecided at one checkpoint; false if no more is to be asked.
    fn about(&mut self, met: &Met) -> Result<bool, CommandError> {
        let ui = &self.ctx.ui;
        ui.say(format_args!("{}: {}", met.label, met.message));
        let open: Vec<&Question> = met
            .subjects
            .iter()
            .filter(|(_, verdict)| verdict.is_none())
            .map(|(question, _)| question)
            .collect();
        for (number, question) in open.iter().enumerate() {
            let place = format!("[{}/{}]", number + 1, open.len());
            ui.say(format_args!("{place} {}  {}", question.path, question.subject));
            self.show(&self.session.workspace.root().join(&question.path));
            loop {
                let ask = "approve (a), reject (r), open (o), later (l) or quit (q)? ";
                match self.answer(ask)?.as_deref().unwrap_or("q") {
                    "a" => {
                        self.decide(&met.label, question, Verdict::Approve, None)?;
                        break;
                    }
                    "r" => {
                        let Some(feedback) = self.answer("what is to be better? ")? else {
                            return Ok(false);
                        };
                        let feedback = (!feedback.is_empty()).then_some(feedback);
                        self.decide(&met.label, question, Verdict::Reject, feedback)?;
                        break;
                    }
                    "o" => self.open(&self.session.workspace.root().join(&question.path)),
                    "l" => break,
                    "q" => return Ok(false),
                    _ => {}
                }
            }
        }
        Ok(true)
    }

    /// A line that is typed; none where nothing more comes.
    fn answer(&self, ask: &str) -> Result<Option<String>, CommandError> {
        let failed = |source| CommandError::Stream { stream: "input", source };
        eprint_now(ask);
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line).map_err(failed)?;
        Ok((read > 0).then(|| line.trim().to_owned()))
    }

    /// Shows the beginning of a text.
    fn show(&self, path: &Path) {
        let Ok(bytes) = std::fs::read(path) else { return };
        let part = &bytes[..bytes.len().min(SHOWN)];
        if let Ok(text) = std::str::from_utf8(part) {
            text.lines().for_each(|line| self.ctx.ui.say(format_args!("  | {line}")));
        }
    }

    /// Opens a file with what the desktop has for it.
    fn open(&self, path: &Path) {
        let opened = std::process::Command::new("xdg-open")
            .arg(path)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn();
        if opened.is_err() {
            let hint = "nothing here opens files (no `xdg-open`): look at";
            self.ctx.ui.say(format_args!("{hint} {}", path.display()));
        }
    }

    fn decide(
        &mut self,
        checkpoint: &Label,
        question: &Question,
        verdict: Verdict,
        feedback: Option<String>,
    ) -> Result<(), CommandError> {
        let text = &question.subject;
        let about = Reference::parse(text, &WsPath::root())
            .map_err(|source| CommandError::Label { text: text.clone(), source })?;
        let about = [about];
        let saying = Saying { verdict, about: &about, feedback, note: None, who: who() };
        let decided = self.session.workspace.decide(self.prepared, checkpoint, &saying)?;
        tell(&self.ctx.ui, (checkpoint, verdict), &decided, &self.options);
        Ok(())
    }
}

/// Writes a question without a line's end.
fn eprint_now(text: &str) {
    let mut stderr = io::stderr().lock();
    // Where standard error is gone there is nobody left to ask.
    let _gone = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
