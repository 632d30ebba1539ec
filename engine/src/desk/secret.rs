//! The values of secrets, by name: from the environment, from a file that it names, or from a person's
//! settings.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why a secret cannot be had. Never with a part of its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It is nowhere.
    #[error("the secret `{name}` is not set: export {name}, or {name}_FILE with the path of a file{}", or_own(own.as_deref()))]
    Missing {
        /// Its name.
        name: String,
        /// Where a person would keep it.
        own: Option<PathBuf>,
    },
    /// Its file cannot be read.
    #[error("cannot read the secret `{name}` from `{}`: {source}", path.display())]
    Unreadable {
        /// Its name.
        name: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read its file.
    #[error("`{}` holds the secret `{name}` and others may read it: run `chmod 600` on it", path.display())]
    Open {
        /// Its name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// It is nothing that a header can hold.
    #[error("the secret `{name}` is empty or has more than one line")]
    Malformed {
        /// Its name.
        name: String,
    },
}

fn or_own(own: Option<&Path>) -> String {
    own.map(|path| format!(", or write it to `{}`", path.display())).unwrap_or_default()
}

/// The value of the secret `name` for a person with these `settings`.
#[expect(clippy::disallowed_methods, reason = "the one door through which secrets come in")]
pub(super) fn value(name: &str, settings: Option<&Path>) -> Result<String, SecretError> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let own = settings.map(|folder| folder.join("secrets").join(name));
    let value = match (set(name), set(&format!("{name}_FILE")), own) {
        (Some(value), ..) => value,
        (None, Some(path), _) => read(name, Path::new(&path))?,
        (None, None, Some(path)) if path.exists() => {
            let mode = fs::metadata(&path).map(|metadata| metadata.permissions().mode());
            if mode.is_ok_and(|mode| mode & 0o077 != 0) {
                return Err(SecretError::Open { name: name.to_owned(), path });
            }
            read(name, &path)?
        }
        (None, None, own) => return Err(SecretError::Missing { name: name.to_owned(), own }),
    };
    let value = value.trim_end_matches(['\n', '\r']);
    if value.is_empty() || value.contains(char::is_control) {
        return Err(SecretError::Malformed { name: name.to_owned() });
    }
    Ok(value.to_owned())
}

fn read(name: &str, path: &Path) -> Result<String, SecretError> {
    fs::read_to_string(path).map_err(|source| {
        let (name, path) = (name.to_owned(), path.to_owned());
        SecretError::Unreadable { name, path, source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_ones_own_is_for_oneself_alone() {
        let settings = tempfile::tempdir().unwrap();
        let folder = settings.path().join("secrets");
        fs::create_dir(&folder).unwrap();
        let path = folder.join("VWFB_TEST_KEY");
        let missing = value("VWFB_TEST_KEY", Some(settings.path())).unwrap_err().to_string();
        assert!(
            missing.contains("VWFB_TEST_KEY_FILE") && missing.contains("secrets/VWFB_TEST_KEY")
        );
        fs::write(&path, "sk-1\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let open = value("VWFB_TEST_KEY", Some(settings.path())).unwrap_err().to_string();
        assert!(open.contains("chmod 600") && !open.contains("sk-1"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(value("VWFB_TEST_KEY", Some(settings.path())).unwrap(), "sk-1");
        fs::write(&path, "sk-1\nsk-2\n").unwrap();
        let malformed = value("VWFB_TEST_KEY", Some(settings.path())).unwrap_err().to_string();
        assert!(!malformed.contains("sk-"));
    }
}
