//! Builds a process from two closed records, the action and its grants, and from nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use vwfb_cas::Digest;

use crate::action::{Action, Grants};
use crate::failure::Cause;
use crate::scratch::Scratch;
use crate::shell;
use crate::task::millis;
use crate::toolbox::Toolset;
use crate::toolchain::Closure;
use crate::wire::{Only, Run};

/// The time that tools write into files instead of the present one: 1980, the earliest year that
/// all archive formats can hold.
pub const SOURCE_DATE_EPOCH: &str = "315532800";

/// The toolchains of `action`, each the one it was planned with.
pub(crate) fn closures<'a>(
    action: &'a Action,
    closures: &'a BTreeMap<String, Arc<Closure>>,
) -> Result<Vec<(&'a str, &'a Arc<Closure>)>, Cause> {
    let planned = |(name, fingerprint): (&'a String, &Digest)| match closures.get(name) {
        Some(closure) if closure.fingerprint == *fingerprint => Ok((name.as_str(), closure)),
        _ => Err(Cause::Toolchain { toolchain: name.clone() }),
    };
    action.tools.iter().map(planned).collect()
}

/// Whether `code` means success; an action that names no codes means 0.
pub(crate) fn is_success(action: &Action, code: i32) -> bool {
    if action.success_codes.is_empty() { code == 0 } else { action.success_codes.contains(&code) }
}

/// What a process is built from.
pub(crate) struct Process<'a> {
    pub(crate) action: &'a Action,
    pub(crate) grants: &'a Grants,
    pub(crate) tools: &'a Toolset,
    pub(crate) scratch: &'a Scratch,
    pub(crate) grace: Duration,
    /// The pipe with the turns, if it waits for one.
    pub(crate) turns: Option<&'a Path>,
}

impl Process<'_> {
    /// The process that runs `program`, complete but for what confines it.
    pub(crate) fn run(&self, program: &str, args: &[String]) -> Result<Run, Cause> {
        let Self { action, scratch, .. } = self;
        let only = self.only(program, args);
        let program = self
            .tools
            .program(program)
            .ok_or_else(|| Cause::UndeclaredProgram { program: program.to_owned() })?;
        let routed =
            |role: &Option<String>| role.as_ref().map(|role| scratch.routed(role)).transpose();
        Ok(Run {
            program: program.to_owned(),
            args: args.to_vec(),
            only,
            env: self.env()?,
            cwd: scratch.root().to_owned(),
            stdin: routed(&action.stdin)?.unwrap_or_else(|| PathBuf::from("/dev/null")),
            terminal: action.terminal,
            stdout: routed(&action.stdout)?,
            stderr: routed(&action.stderr)?,
            log: scratch.log(),
            timeout_ms: self.grants.timeout.map(millis),
            grace_ms: millis(self.grace),
            turns: self.turns.map(Path::to_owned),
        })
    }

    /// The program to start in the stead of a shell, where both are the base's.
    fn only(&self, shell: &str, args: &[String]) -> Option<Only> {
        let command = shell::only_command(shell, args)?;
        let is_base = self.tools.has_of_base(&[shell, &command.name]);
        let program = is_base.then(|| self.tools.program(&command.name))??.to_owned();
        Some(Only { program, command })
    }

    /// The fixed variables, the declared ones, which may replace them, and the secrets.
    fn env(&self) -> Result<BTreeMap<String, String>, Cause> {
        let root = self.scratch.root();
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut env = BTreeMap::from(
            [
                ("HOME", text(&root.join("home"))),
                ("LC_CTYPE", "C.UTF-8".to_owned()),
                ("PATH", text(self.tools.path())),
                ("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH.to_owned()),
                ("TMPDIR", text(&root.join("tmp"))),
                ("TZ", "UTC".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if self.action.env.contains_key("LANG") {
            // Which would not count beside it.
            env.remove("LC_CTYPE");
        }
        env.extend(self.action.env.clone());
        for (variable, secret) in &self.action.secrets {
            let value = self.grants.secrets.get(variable);
            let value = value.ok_or_else(|| Cause::Secret { secret: secret.clone() })?;
            env.insert(variable.clone(), value.clone());
        }
        if let Some(service) = &self.grants.service {
            env.extend(service.env.clone());
            env.extend(service.secret.clone());
        }
        Ok(env)
    }
}
