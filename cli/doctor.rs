//! `vwfb doctor`: which tools and services targets need, whether each is there, and what to type
//! if it is not.

mod packages;
mod service;
mod show;
mod tool;
mod version;
mod within;

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use serde::Serialize;
use vwfb_engine::desk::{Desk, SecretError};
use vwfb_engine::needs::{self, Needs};
use vwfb_engine::tools::Tools;
use vwfb_exec::Level;

use crate::args::DoctorArgs;
use crate::error::{CommandError, Exit};
use crate::locate;
use crate::session::{Context, Session};

/// How it is with something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// It is there.
    #[default]
    Ok,
    /// It is not there, or a part of it.
    Missing,
    /// A service that does not answer.
    Down,
    /// The workspace does not allow it, or a service does not take its key.
    Refused,
    /// It is there and cannot be used.
    Broken,
    /// Nobody here can say.
    Unknown,
}

impl State {
    /// The word for it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Down => "down",
            Self::Refused => "refused",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }

    /// Whether nothing has to be done about it, as far as can be said.
    const fn is_well(self) -> bool {
        matches!(self, Self::Ok | Self::Unknown)
    }
}

/// The targets that need something.
#[derive(Debug, Clone, Default, Serialize)]
struct Users {
    targets: usize,
    example: Option<String>,
}

impl Users {
    fn of(users: &needs::Users) -> Self {
        let example = users.example.as_ref().map(ToString::to_string);
        Self { targets: users.count, example }
    }
}

/// What is found of a secret.
#[derive(Debug, Serialize)]
struct Secret {
    name: String,
    state: State,
    #[serde(flatten)]
    users: Users,
    why: Vec<String>,
    fix: Vec<String>,
}

/// A fan-out whose targets are not known.
#[derive(Debug, Serialize)]
struct Later {
    label: String,
    after: String,
    /// Whether what its targets need is known all the same.
    known: bool,
}

/// All that is found.
#[derive(Debug, Serialize)]
struct Findings {
    workspace: Option<PathBuf>,
    sandbox: String,
    /// Whether nothing has to be done.
    ok: bool,
    tools: Vec<tool::Tool>,
    services: Vec<service::Service>,
    secrets: Vec<Secret>,
    unexpanded: Vec<Later>,
    /// What installs all that is missing and in Debian.
    install: Option<String>,
}

/// Looks, and tells.
pub(crate) fn run(ctx: &Context, args: &DoctorArgs) -> Result<Exit, CommandError> {
    let nowhere = matches!(ctx.located(), Err(CommandError::NoWorkspace { .. }));
    let (findings, input) = match nowhere && args.targets.is_empty() {
        true => (of_library(), Exit::SUCCESS),
        false => match of_targets(ctx, args)? {
            Some(found) => found,
            None => return Ok(Exit::INPUT),
        },
    };
    if args.json {
        let text = serde_json::to_string_pretty(&findings).unwrap_or_default();
        ctx.ui.out_line(text)?;
    } else {
        ctx.ui.out(show::text(&findings, &ctx.ui))?;
        show::summary(&findings, &ctx.ui);
    }
    if input != Exit::SUCCESS {
        ctx.ui.status("what has errors may need more");
    }
    Ok(input.and(if findings.ok { Exit::SUCCESS } else { Exit::ENVIRONMENT }))
}

/// What the library needs, where there is no workspace.
fn of_library() -> Findings {
    let tools = tool::look(&Needs::of_library(), &Tools::of_machine(), None);
    Findings::of(None, Level::detect(), tools, Vec::new(), (Vec::new(), Vec::new()))
}

/// What the targets of the command line need, if there are any. They are looked at also where they
/// have errors.
fn of_targets(ctx: &Context, args: &DoctorArgs) -> Result<Option<(Findings, Exit)>, CommandError> {
    let mut session = Session::open(ctx, &args.vars)?;
    let loaded = match args.targets.is_empty() {
        true => session.load_all(ctx),
        false => session.load(ctx, &args.targets)?,
    };
    if loaded.targets.is_empty() && loaded.has_errors() {
        return Ok(None);
    }
    session.workspace.expand_made(&loaded)?;
    let needs = session.workspace.needs(&loaded.targets);
    let (root, settings) = (session.workspace.root().to_owned(), locate::settings());
    let (desk, tools) = (session.workspace.desk(), session.workspace.tools());
    let (tools, services) = thread::scope(|scope| {
        let services = scope.spawn(|| service::look(&needs, desk, settings.as_deref()));
        let tools = tool::look(&needs, tools, Some(&root));
        (tools, services.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    let others = (secrets(&needs, desk), later(&needs));
    let findings = Findings::of(Some(&root), session.level, tools, services, others);
    session.close();
    let input = if loaded.has_errors() { Exit::INPUT } else { Exit::SUCCESS };
    Ok(Some((findings, input)))
}

impl Findings {
    fn of(
        root: Option<&Path>,
        level: Level,
        tools: Vec<tool::Tool>,
        services: Vec<service::Service>,
        (secrets, unexpanded): (Vec<Secret>, Vec<Later>),
    ) -> Self {
        let packages: BTreeSet<&str> =
            tools.iter().flat_map(|tool| tool.packages.iter().copied()).collect();
        let states = tools.iter().map(|tool| tool.state);
        let states = states.chain(services.iter().map(|service| service.state));
        let ok = states.chain(secrets.iter().map(|secret| secret.state)).all(State::is_well);
        Self {
            workspace: root.map(Path::to_owned),
            sandbox: level.to_string(),
            ok,
            tools,
            services,
            secrets,
            unexpanded,
            install: (!packages.is_empty()).then(|| packages::install(packages)),
        }
    }
}

fn secrets(needs: &Needs, desk: &Desk) -> Vec<Secret> {
    let secret = |(name, users): (&String, &needs::Users)| {
        let (name, users) = (name.clone(), Users::of(users));
        match desk.secret(&name) {
            Ok(_) => Secret { name, users, state: State::Ok, why: Vec::new(), fix: Vec::new() },
            Err(error) => {
                let (why, fix) = (vec![error.to_string()], vec![remedy(&error)]);
                Secret { name, users, state: State::Missing, why, fix }
            }
        }
    };
    needs.secrets.iter().map(secret).collect()
}

/// What to type for a secret that cannot be had.
fn remedy(error: &SecretError) -> String {
    match error {
        SecretError::Open { path, .. } => format!("chmod 600 {}", path.display()),
        SecretError::Unreadable { path, .. } => format!("ls -l {}", path.display()),
        SecretError::Missing { name, .. } | SecretError::Malformed { name } => {
            format!("export {name}=...")
        }
    }
}

fn later(needs: &Needs) -> Vec<Later> {
    let later = |it: &needs::Unexpanded| Later {
        label: it.label.to_string(),
        after: it.after.to_string(),
        known: !it.is_partial,
    };
    needs.unexpanded.iter().map(later).collect()
}
