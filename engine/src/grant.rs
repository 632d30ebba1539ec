//! What a task's process gets that is in no key: the values of its secrets, and its limits.

use vwfb_exec::action::Grants;
use vwfb_rules::task::TaskDef;

/// The grants of a task, its secrets read from vwfb's own environment; the error names a secret
/// that is not there, and never a value.
#[expect(clippy::disallowed_methods, reason = "the one door through which secrets come in")]
pub(crate) fn grants(def: &TaskDef) -> Result<Grants, String> {
    let mut secrets = std::collections::BTreeMap::new();
    for (variable, secret) in &def.secrets {
        let value = std::env::var(secret).map_err(|_| {
            format!("the secret `{secret}` is not set: export it in the environment of vwfb")
        })?;
        secrets.insert(variable.clone(), value);
    }
    Ok(Grants { secrets, timeout: def.timeout })
}
