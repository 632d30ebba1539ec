//! Builds a process from two closed records, the action and its grants, and from nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use vwfb_cas::Digest;

use crate::action::{Action, Grants};
use crate::failure::Cause;
use crate::sandbox::{Level, Rules};
use crate::scratch::Scratch;
use crate::task::millis;
use crate::toolbox;
use crate::toolchain::Closure;
use crate::wire::Run;

/// The time that tools write into files instead of the present one: 1980, the earliest year that
/// all archive formats can hold.
pub const SOURCE_DATE_EPOCH: &str = "315532800";

/// The toolchains of `action`, each the one it was planned with.
pub(crate) fn closures<'a>(
    action: &'a Action,
    closures: &'a BTreeMap<String, Closure>,
) -> Result<Vec<(&'a str, &'a Closure)>, Cause> {
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
    pub(crate) closures: &'a [(&'a str, &'a Closure)],
    pub(crate) scratch: &'a Scratch,
    /// The folder of its tools.
    pub(crate) path: &'a Path,
    pub(crate) level: Level,
    pub(crate) grace: Duration,
}

impl Process<'_> {
    /// The process that runs `program`, complete.
    pub(crate) fn run(&self, program: &str, args: &[String]) -> Result<Run, Cause> {
        let Self { action, scratch, .. } = self;
        let program = toolbox::program(self.closures, program)
            .ok_or_else(|| Cause::UndeclaredProgram { program: program.to_owned() })?;
        let routed =
            |role: &Option<String>| role.as_ref().map(|role| scratch.routed(role)).transpose();
        Ok(Run {
            program: program.to_owned(),
            args: args.to_vec(),
            env: self.env()?,
            cwd: scratch.root(),
            stdin: routed(&action.stdin)?.unwrap_or_else(|| PathBuf::from("/dev/null")),
            stdout: routed(&action.stdout)?,
            stderr: routed(&action.stderr)?,
            log: scratch.log(),
            rules: self.level.confines_files().then(|| self.rules()),
            timeout_ms: self.grants.timeout.map(millis),
            grace_ms: millis(self.grace),
        })
    }

    /// The fixed variables, the declared ones, which may replace them, and the secrets.
    fn env(&self) -> Result<BTreeMap<String, String>, Cause> {
        let root = self.scratch.root();
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut env = BTreeMap::from(
            [
                ("HOME", text(&root.join("home"))),
                ("LANG", "C.UTF-8".to_owned()),
                ("PATH", text(self.path)),
                ("SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH.to_owned()),
                ("TMPDIR", text(&root.join("tmp"))),
                ("TZ", "UTC".to_owned()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        env.extend(self.action.env.clone());
        for (variable, secret) in &self.action.secrets {
            let value = self.grants.secrets.get(variable);
            let value = value.ok_or_else(|| Cause::Secret { secret: secret.clone() })?;
            env.insert(variable.clone(), value.clone());
        }
        Ok(env)
    }

    fn rules(&self) -> Rules {
        let all = |of: fn(&Closure) -> &BTreeSet<PathBuf>| {
            let mut paths: Vec<_> =
                self.closures.iter().flat_map(|(_, closure)| of(closure)).cloned().collect();
            paths.sort();
            paths.dedup();
            paths
        };
        let mut read = all(|closure| &closure.readable);
        read.push(self.scratch.root());
        let mut stamp = self.scratch.generation().to_string();
        for (_, closure) in self.closures {
            stamp.push(' ');
            stamp.push_str(&closure.fingerprint.to_hex());
        }
        Rules {
            stamp,
            execute: all(|closure| &closure.executable),
            read,
            write: self.scratch.writable(),
            network: self.action.network,
        }
    }
}
