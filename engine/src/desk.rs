//! Where tasks that ask services get what is in no key: addresses, secrets, and a folder for each in
//! which the client writes down what it asks, so that nothing is asked for, or paid, twice.

mod secret;
pub mod submission;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use vwfb_cas::ActionKey;
use vwfb_exec::action::{Grants, ServiceGrant};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::render::{self, RenderOptions};
use vwfb_rules::service::{self, ServiceDef, ServiceUse, Services};
use vwfb_rules::task::TaskDef;

pub use secret::SecretError;
use submission::{Submission, Task, Usage};

/// The folder of submissions in `.vwfb`.
const FOLDER: &str = "submissions";
/// The folder in that of a task in which its client writes.
const CLIENT: &str = "client";
/// The file beside it with the answers that are booked.
const BOOKED: &str = "booked";
/// The file of services in a person's settings.
const SERVICES_FILE: &str = "services.kdl";

/// Gives tasks what they ask services with.
pub struct Desk {
    /// Where submissions are written down, one folder for each key.
    folder: PathBuf,
    /// A person's settings of vwfb.
    settings: Option<PathBuf>,
    of_person: OnceLock<Result<Services, String>>,
}

/// Why a task is not given what it needs.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Nobody says where the service is.
    #[error(
        "nothing says where the service `{0}` is: write `services {{ {0} url=\"http://...\" }}` in \
         WORKSPACE.kdl, or in `vwfb/services.kdl` of your settings"
    )]
    NoAddress(String),
    /// A person's services cannot be read.
    #[error("{0}")]
    Services(String),
    /// There is no place to write down what is asked.
    #[error("cannot write down what is asked of a service in `{}`", path.display())]
    Ledger {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// What a client is told by its environment.
#[derive(Debug)]
pub struct Variables {
    /// Where the service is, and within which bounds it is asked.
    pub env: BTreeMap<String, String>,
    /// The variable for its secret, with that.
    pub secret: Option<(String, String)>,
}

/// Whether a service has answered the task with this ledger, or a part of what it asks.
pub(crate) fn was_answered(ledger: &Path) -> bool {
    ledgers(ledger).iter().any(|ledger| Usage::is_there(ledger))
}

/// The ledger of a task, and those in it of a task that asks several things.
fn ledgers(ledger: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(ledger).into_iter().flatten().flatten();
    // A link that leads to a folder is none.
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut all: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
    all.sort();
    all.insert(0, ledger.to_owned());
    all
}

/// What was asked for the action whose folder this is.
fn all_in(folder: &Path) -> Vec<Submission> {
    let ledgers = ledgers(&folder.join(CLIENT));
    ledgers.iter().filter_map(|ledger| Submission::read(folder, ledger)).collect()
}

impl Desk {
    /// That of the workspace whose own folder is `state`, for a person with these `settings`.
    pub(crate) fn new(state: &Path, settings: Option<PathBuf>) -> Self {
        Self { folder: state.join(FOLDER), settings, of_person: OnceLock::new() }
    }

    /// What the process of `def` is given, whose action has this key.
    ///
    /// # Errors
    /// If a secret is not there, or the service has no address.
    pub(crate) fn grants(&self, def: &TaskDef, key: ActionKey) -> Result<Grants, GrantError> {
        let mut secrets = BTreeMap::new();
        for (variable, secret) in &def.secrets {
            secrets.insert(variable.clone(), self.secret(secret)?);
        }
        let service = def.service.as_ref();
        let service = service.map(|service| self.service(service, key, &def.label)).transpose()?;
        Ok(Grants { secrets, service, timeout: def.timeout, spares_files: false })
    }

    /// The value of the secret `name`.
    ///
    /// # Errors
    /// See [`SecretError`]; never with a part of the value.
    pub fn secret(&self, name: &str) -> Result<String, SecretError> {
        secret::value(name, self.settings.as_deref())
    }

    /// What is known of a service here: what its workspace says, and over it the person's own file.
    ///
    /// # Errors
    /// If that file cannot be read.
    pub fn known(&self, service: &ServiceUse) -> Result<ServiceDef, GrantError> {
        let of_person = self.of_person.get_or_init(|| self.read_services());
        let of_person = of_person.as_ref().map_err(|why| GrantError::Services(why.clone()))?;
        let mut known = service.def.clone();
        if let Some(own) = of_person.get(&service.name) {
            // What keys know it by, and what it costs, is the workspace's to say.
            let (version, prices) = (None, Vec::new());
            known.overlay(&ServiceDef { version, prices, ..own.clone() });
        }
        Ok(known)
    }

    fn service(
        &self,
        service: &ServiceUse,
        key: ActionKey,
        label: &Label,
    ) -> Result<ServiceGrant, GrantError> {
        let known = self.known(service)?;
        let Variables { mut env, secret } = self.variables(&service.name, &known)?;
        env.insert("VWFB_SERVICE_KEY".to_owned(), key.0.to_hex());
        let (folder, ledger) = (self.task_folder(key), self.ledger(key));
        let task = Task { label: label.to_string(), service: service.name.clone() };
        let opened = fs::create_dir_all(&ledger).and_then(|()| task.write(&folder));
        opened.map_err(|source| GrantError::Ledger { path: ledger.clone(), source })?;
        env.insert("VWFB_SERVICE_LEDGER".to_owned(), ledger.to_string_lossy().into_owned());
        Ok(ServiceGrant { env, secret, ledger })
    }

    /// The variables that say where a service is, within which bounds it is asked, and its secret.
    ///
    /// # Errors
    /// If it has no address, or its secret is not there.
    pub fn variables(&self, name: &str, known: &ServiceDef) -> Result<Variables, GrantError> {
        let url = known.url.clone().ok_or_else(|| GrantError::NoAddress(name.to_owned()))?;
        let mut env =
            BTreeMap::from([("VWFB_SERVICE", name.to_owned()), ("VWFB_SERVICE_URL", url)]);
        let seconds = |time: Duration| time.as_secs().max(1).to_string();
        env.extend(known.idle.map(|time| ("VWFB_SERVICE_IDLE", seconds(time))));
        env.extend(known.deadline.map(|time| ("VWFB_SERVICE_DEADLINE", seconds(time))));
        if known.repeat == Some(true) {
            env.insert("VWFB_SERVICE_REPEAT", "1".to_owned());
        }
        let secret = known.secret.as_deref().map(|secret| self.secret(secret)).transpose()?;
        let secret = secret.map(|value| ("VWFB_SERVICE_SECRET".to_owned(), value));
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Variables { env, secret })
    }

    /// The folder in which the client of the action with this key writes down what it asks.
    pub(crate) fn ledger(&self, key: ActionKey) -> PathBuf {
        self.task_folder(key).join(CLIENT)
    }

    /// The folder of that action, in which only vwfb writes.
    fn task_folder(&self, key: ActionKey) -> PathBuf {
        self.folder.join(key.0.to_hex())
    }

    /// What was asked for the action with this key and is not settled.
    pub(crate) fn open_submission(&self, key: ActionKey) -> Option<Submission> {
        all_in(&self.task_folder(key)).into_iter().find(Submission::is_open)
    }

    /// Whether anything was asked for the action with this key, and is open or answered.
    pub(crate) fn has_submission(&self, key: ActionKey) -> bool {
        !all_in(&self.task_folder(key)).is_empty()
    }

    /// Everything that was asked and is not settled, oldest first.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn submissions(&self) -> io::Result<Vec<Submission>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            found.extend(all_in(&entry?.path()).into_iter().filter(Submission::is_open));
        }
        found.sort_by(|one, other| (one.at_ms, &one.label).cmp(&(other.at_ms, &other.label)));
        Ok(found)
    }

    /// What the clients of the action say that their answers took together; of each answer once.
    pub(crate) fn take_usage(&self, key: ActionKey) -> Option<Usage> {
        let folder = self.task_folder(key);
        let booked = submission::read(&folder.join(BOOKED)).unwrap_or_default();
        let mut booked = String::from_utf8(booked).unwrap_or_default();
        let mut all = None;
        for ledger in ledgers(&folder.join(CLIENT)) {
            let Some(usage) = Usage::read(&ledger) else { continue };
            Usage::remove(&ledger);
            // An answer that is used again has been booked.
            let id = Submission::read(&folder, &ledger).and_then(|it| it.id);
            if let Some(id) = &id {
                if booked.lines().any(|known| known == id) {
                    continue;
                }
                booked.push_str(id);
                booked.push('\n');
            }
            all = Some(match all {
                Some(before) => Usage::and(before, usage),
                None => usage,
            });
        }
        // Where that cannot be written an answer may be booked twice, which errs on the safe side.
        let _unwritten = fs::write(folder.join(BOOKED), booked);
        all
    }

    /// Forgets what was asked for the action with this key, whose result is kept.
    pub(crate) fn settled(&self, key: ActionKey) {
        // What cannot be removed is of a key that nobody asks for again.
        let _left = fs::remove_dir_all(self.task_folder(key));
    }

    fn read_services(&self) -> Result<Services, String> {
        let Some(path) = self.settings.as_ref().map(|folder| folder.join(SERVICES_FILE)) else {
            return Ok(Services::new());
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Services::new()),
            Err(error) => return Err(format!("cannot read `{}`: {error}", path.display())),
        };
        let name = WsPath::new(SERVICES_FILE).map_err(|error| error.to_string())?;
        let read = service::of_person(&name, &text);
        if read.problems.is_empty() {
            return Ok(read.value);
        }
        let options = RenderOptions { color: false, unicode: true, width: 100 };
        let shown = render::render_all(&read.problems, &|_| Some(text.clone()), options);
        Err(format!("`{}` cannot be used:\n{}", path.display(), shown.trim_end()))
    }
}
