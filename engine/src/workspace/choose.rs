//! Choosing among the results of a target: its versions, pins, edits and takes.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use vwfb_cas::{ActionKey, Artifact, MaterialiseError, Placement, PutError, Take};
use vwfb_rules::diagnostic::Diagnostic;
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;
use vwfb_rules::pins::{PINS_FILE, Pin, pins, text};
use vwfb_rules::task::{Results, TaskDef};

use super::Workspace;
use super::decide::Silent;
use super::prepare::Prepared;
use crate::action::keyed;
use crate::check::Loaded;
use crate::db::{Choice, Db, Outcome};
use crate::keep::KeepError;
use crate::people::{Decision, PeopleError, PinChange};
use crate::pins::{Pinned, Pinning, outcome_of, outs_of, pinned, pinned_labels, pins_file};
use crate::run::{EnvironmentError, Known, Run};
use crate::state::{StateError, Version};
use crate::target::task;
use crate::trees::{file, tree_id};

/// The results that a label had, and which one is in use.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// By number.
    pub versions: Vec<Version>,
    /// The number of the one in use.
    pub in_use: Option<u32>,
    /// Whether that is so because it is pinned, and whether by an edit.
    pub pinned: Option<bool>,
}

/// What was taken back.
#[derive(Debug, Clone)]
pub enum Undone {
    /// Decisions.
    Decisions(Vec<Decision>),
    /// A change of what a label is pinned to.
    Pin(String),
    /// There is nothing to take back.
    Nothing,
}

/// Why something cannot be chosen.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    /// The target makes nothing.
    #[error("`{0}` makes nothing that could be chosen")]
    NoTask(Label),
    /// It never had a result.
    #[error("`{0}` has no version yet")]
    NoVersion(Label),
    /// There is no such version.
    #[error("`{label}` has no version {number}")]
    Unknown {
        /// The label.
        label: Label,
        /// The number.
        number: u32,
    },
    /// The bytes of a version are gone.
    #[error("the bytes of version {number} of `{label}` are neither in the store nor kept")]
    Gone {
        /// The label.
        label: Label,
        /// The number.
        number: u32,
    },
    /// It is not pinned.
    #[error("`{0}` is not pinned")]
    NotPinned(Label),
    /// It is pinned, so that no take of it is used.
    #[error("`{0}` is pinned")]
    Pinned(Label),
    /// An edit names something else than the outputs.
    #[error("`{label}` has no output `{output}`")]
    NoOutput {
        /// The label.
        label: Label,
        /// What was named.
        output: String,
    },
    /// Another run of it makes the same.
    #[error("every run of `{0}` makes the same: its rule is deterministic")]
    Deterministic(Label),
    /// The version was not made under the present inputs.
    #[error("version {number} of `{label}` was not made from what there is now")]
    OtherInputs {
        /// The label.
        label: Label,
        /// The number.
        number: u32,
    },
    /// The file of pins is not understood.
    #[error("`vwfb.pins.kdl` is not understood: {0}")]
    PinsFile(String),
    /// A file cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The store cannot take a person's file.
    #[error(transparent)]
    Put(#[from] PutError),
    /// A version cannot be put in its place.
    #[error(transparent)]
    Materialise(#[from] MaterialiseError),
    /// The bytes cannot be kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The history cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The records of what people said cannot be used.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// Something of the machine.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

impl Workspace {
    /// The results that `label` had.
    ///
    /// # Errors
    /// If the history cannot be read.
    pub fn history(&self, label: &Label) -> Result<History, ChooseError> {
        let versions = self.state.versions(label)?;
        let chosen = pinned(&self.db, label);
        let in_use = match &chosen {
            Some(pinned) => Some(Outcome::clone(&pinned.outcome)),
            None => self.state.outcome_of(label)?,
        };
        let number = |outcome: &Outcome| {
            let key = self.state.key_of(label).ok().flatten();
            let same: Vec<&Version> = versions.iter().filter(|it| it.outcome == *outcome).collect();
            let of_key = same.iter().find(|it| chosen.is_none() && it.key == key && key.is_some());
            of_key.or(same.last()).map(|it| it.number)
        };
        let in_use = in_use.as_ref().and_then(number);
        Ok(History { in_use, pinned: chosen.map(|it| it.pin.is_edit), versions })
    }

    /// Pins `label` to its version `number`, or to the one in use. Returns the number.
    ///
    /// # Errors
    /// If there is no such version, or it cannot be recorded.
    pub fn pin(
        &mut self,
        label: &Label,
        number: Option<u32>,
        who: &str,
    ) -> Result<u32, ChooseError> {
        self.def(label)?;
        let History { versions, in_use, .. } = self.history(label)?;
        let number = number.or(in_use).ok_or_else(|| ChooseError::NoVersion(label.clone()))?;
        let unknown = || ChooseError::Unknown { label: label.clone(), number };
        let version = versions.iter().find(|it| it.number == number).ok_or_else(unknown)?;
        self.set_pin(label, version, (false, who))?;
        Ok(number)
    }

    /// Takes a person's files, by output, as a version of `label` that its task never overwrites.
    /// Outputs that are not named stay as they are. Returns the version's number.
    ///
    /// # Errors
    /// If the files cannot be read or the version cannot be recorded.
    pub fn edit(
        &mut self,
        label: &Label,
        files: &BTreeMap<String, PathBuf>,
        who: &str,
    ) -> Result<u32, ChooseError> {
        let def = self.def(label)?;
        let History { versions, in_use, .. } = self.history(label)?;
        let present = versions.iter().find(|it| Some(it.number) == in_use);
        let mut outcome = present.map(|it| it.outcome.clone()).unwrap_or_default();
        for (name, path) in files {
            let Some(out) = def.outputs.iter().find(|out| out.name == *name) else {
                return Err(ChooseError::NoOutput { label: label.clone(), output: name.clone() });
            };
            let artifact = match out.tree {
                true => Artifact::Tree(self.store.put_tree(path, Take::Copy)?),
                false => Artifact::File(self.store.put_file(path, Take::Copy)?),
            };
            outcome.insert(name.clone(), artifact);
        }
        if let Some(out) = def.outputs.iter().find(|out| !outcome.contains_key(&out.name)) {
            let output = out.name.clone();
            return Err(ChooseError::NoOutput { label: label.clone(), output });
        }
        let now = self.clock.now().0;
        let number = self.state.add_version(label, &outcome, (who, now))?;
        let versions = self.state.versions(label)?;
        let version = versions.iter().find(|it| it.number == number);
        let version = version.ok_or_else(|| ChooseError::NoVersion(label.clone()))?;
        self.set_pin(label, version, (true, who))?;
        Ok(number)
    }

    /// Lets `label` be what its task makes again.
    ///
    /// # Errors
    /// If it is not pinned, or that cannot be recorded.
    pub fn unpin(&mut self, label: &Label, who: &str) -> Result<(), ChooseError> {
        let before = self.pin_text(label)?;
        if before.is_none() {
            return Err(ChooseError::NotPinned(label.clone()));
        }
        self.write_pin(label, self.config(), None)?;
        self.log_pin(label, before, who)
    }

    /// Takes back the last pin, edit or decision.
    ///
    /// # Errors
    /// If the records cannot be used.
    pub fn undo(&mut self, who: &str) -> Result<Undone, ChooseError> {
        let last_pin = self.people.last_pin()?;
        let last_decision = self.people.last_decision()?;
        let is_pin = match (&last_pin, last_decision) {
            (Some(pin), Some(decided_ms)) => pin.at_ms >= decided_ms,
            (Some(_), None) => true,
            (None, _) => false,
        };
        let Some(change) = last_pin.filter(|_| is_pin) else {
            let undone = self.undo_decision(who)?;
            return Ok(if undone.is_empty() { Undone::Nothing } else { Undone::Decisions(undone) });
        };
        let label = Label::parse(&change.label, &WsPath::root());
        let label = label.map_err(|error| ChooseError::PinsFile(error.to_string()))?;
        let before = change.before.as_deref().map(|text| pins(pins_file(), text).value);
        let before = before.and_then(|pins| pins.into_iter().next()).map(|(pin, _)| pin);
        self.write_pin(&label, change.config, before)?;
        self.people.pin_undone(change.id)?;
        Ok(Undone::Pin(change.label))
    }

    /// Begins another take of what `label` makes, and puts it to use. Returns its number.
    ///
    /// # Errors
    /// If its rule is deterministic, or that cannot be recorded.
    pub fn begin_take(&mut self, label: &Label) -> Result<u32, ChooseError> {
        self.not_pinned(label)?;
        if self.def(label)?.results == Results::Deterministic {
            return Err(ChooseError::Deterministic(label.clone()));
        }
        let take = self.people.begin_take((label, self.state.config()), true, None)?;
        self.choose()?;
        Ok(take)
    }

    /// The take of `label` that is in use; 0 is the first.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub fn take_in_use(&self, label: &Label) -> Result<u32, ChooseError> {
        Ok(self.people.takes((label, self.state.config()))?.in_use)
    }

    /// Puts the take `take` of `label` to use.
    ///
    /// # Errors
    /// If that cannot be recorded.
    pub fn use_take(&mut self, label: &Label, take: u32) -> Result<(), ChooseError> {
        self.people.use_take((label, self.state.config()), take)?;
        Ok(self.choose()?)
    }

    /// The takes of `label` that were made from what there is now, with their versions. What it reads
    /// must be known to the queries.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub fn takes(&mut self, label: &Label) -> Result<Vec<(u32, Version)>, ChooseError> {
        self.not_pinned(label)?;
        if self.def(label)?.results == Results::Deterministic {
            return Err(ChooseError::Deterministic(label.clone()));
        }
        let versions = self.state.versions(label)?;
        let last = self.people.takes((label, self.state.config()))?.last;
        let choices = self.people.choices(self.state.config())?;
        let mut found = Vec::new();
        for take in 0..=last {
            let mut with = choices.clone();
            let choice = with.entry(label.to_string()).or_default();
            *choice = Choice { take, ..choice.clone() };
            self.db.set_choices(with);
            let target = (&self.db as &dyn Db).target(label);
            let Ok(keyed) = keyed(&self.db, target) else { continue };
            let version = versions.iter().find(|it| it.key == Some(keyed.key));
            found.extend(version.map(|version| (take, version.clone())));
        }
        self.db.set_choices(choices);
        Ok(found)
    }

    /// What is pinned has no takes until it is let go.
    fn not_pinned(&self, label: &Label) -> Result<(), ChooseError> {
        match pinned(&self.db, label) {
            Some(_) => Err(ChooseError::Pinned(label.clone())),
            None => Ok(()),
        }
    }

    /// Puts the outputs of a version of `label` below `folder`, by their names.
    ///
    /// # Errors
    /// If the bytes are gone or cannot be written.
    pub fn put_version(
        &self,
        label: &Label,
        version: &Version,
        folder: &Path,
    ) -> Result<BTreeMap<String, PathBuf>, ChooseError> {
        let def = self.def(label)?;
        let mut places = BTreeMap::new();
        for (name, artifact) in &version.outcome {
            if !self.keep.bring(artifact)? {
                let number = version.number;
                return Err(ChooseError::Gone { label: label.clone(), number });
            }
            let out = def.outputs.iter().find(|out| out.name == *name);
            let file = out.map_or(name.as_str(), |out| out.path.name());
            let place = folder.join(format!("{}-{file}", version.number));
            self.store.materialise(artifact, &place, Placement::Owned)?;
            places.insert(name.clone(), place);
        }
        Ok(places)
    }

    /// Where the outputs of `label` are put, by name, in the workspace.
    ///
    /// # Errors
    /// If it runs no task.
    pub fn output_places(&self, label: &Label) -> Result<BTreeMap<String, PathBuf>, ChooseError> {
        let (def, folder) = (self.def(label)?, self.output_folder());
        let place =
            |out: &vwfb_rules::task::OutputDef| (out.name.clone(), folder.join(out.path.as_str()));
        Ok(def.outputs.iter().map(place).collect())
    }

    /// Whether the file or folder at `place` holds `artifact`.
    pub fn is_in_place(&self, place: &Path, artifact: &Artifact) -> bool {
        match artifact {
            Artifact::File(wanted) => {
                self.stamps.of(place).is_ok_and(|there| file(&there).blob == wanted.blob)
            }
            Artifact::Tree(wanted) => {
                tree_id(place, &self.stamps).is_ok_and(|there| there == *wanted)
            }
        }
    }

    pub(super) fn def(&self, label: &Label) -> Result<Arc<TaskDef>, ChooseError> {
        let db: &dyn Db = &self.db;
        let def = task(db, db.target(label)).value.clone();
        def.filter(|def| !def.outputs.is_empty()).ok_or_else(|| ChooseError::NoTask(label.clone()))
    }

    /// The present configuration, as pins name it.
    fn config(&self) -> Option<String> {
        self.db.pinning().config.clone()
    }

    fn set_pin(
        &mut self,
        label: &Label,
        version: &Version,
        (is_edit, who): (bool, &str),
    ) -> Result<(), ChooseError> {
        for artifact in version.outcome.values() {
            if !self.keep.bring(artifact)? {
                let number = version.number;
                return Err(ChooseError::Gone { label: label.clone(), number });
            }
            self.keep.keep(artifact)?;
        }
        let before = pinned(&self.db, label);
        let base = match &before {
            Some(pinned) => pinned.pin.base.clone(),
            None => self.state.key_of(label)?.map(|key| key.digest().to_hex()),
        };
        let pin = Pin {
            label: label.clone(),
            is_edit,
            config: self.config(),
            version: version.number,
            base,
            who: Some(who.to_owned()),
            missing: if is_edit { Vec::new() } else { version.missing.clone() },
            outs: outs_of(&version.outcome),
        };
        let text = self.pin_text(label)?;
        self.write_pin(label, self.config(), Some(pin))?;
        self.log_pin(label, text, who)
    }

    /// Keeps other processes from changing the file of pins until what is returned is dropped.
    fn lock_pins(&self) -> Result<fs::File, ChooseError> {
        let path = self.place.root.join(".vwfb/pins.lock");
        let lock = || -> std::io::Result<fs::File> {
            let file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|source| ChooseError::Io { path: path.clone(), source })
    }

    fn log_pin(&self, label: &Label, before: Option<String>, who: &str) -> Result<(), ChooseError> {
        let (label, config) = (label.to_string(), self.config());
        let change = PinChange { id: 0, label, config, before, at_ms: self.clock.now().0 };
        let _id = self.people.log_pin(&change, who)?;
        Ok(())
    }

    /// What the file says of `label` in the present configuration.
    fn pin_text(&self, label: &Label) -> Result<Option<String>, ChooseError> {
        let config = self.config();
        let all = self.read_pins()?;
        let own = all.iter().find(|pin| pin.label == *label && pin.config == config);
        Ok(own.map(|pin| text([pin])))
    }

    fn read_pins(&self) -> Result<Vec<Pin>, ChooseError> {
        let path = self.place.root.join(PINS_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(ChooseError::Io { path, source }),
        };
        let checked = pins(pins_file(), &text);
        match checked.problems.first() {
            Some(Diagnostic { message, .. }) => Err(ChooseError::PinsFile(message.clone())),
            None => Ok(checked.value.into_iter().map(|(pin, _)| pin).collect()),
        }
    }

    /// Writes the file with `pin` in the place of what it says of `label`, at once and as a whole.
    fn write_pin(
        &mut self,
        label: &Label,
        config: Option<String>,
        pin: Option<Pin>,
    ) -> Result<(), ChooseError> {
        let path = self.place.root.join(PINS_FILE);
        // Who changes it at the same time waits.
        let _alone = self.lock_pins()?;
        let mut all = self.read_pins()?;
        all.retain(|other| other.label != *label || other.config != config);
        all.extend(pin);
        let failed = |source| ChooseError::Io { path: path.clone(), source };
        let new = path.with_extension(format!("kdl.new-{}", std::process::id()));
        let write = || -> std::io::Result<()> {
            if all.is_empty() {
                return match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                };
            }
            let mut file = fs::File::create(&new)?;
            file.write_all(text(&all).as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            fs::File::open(&self.place.root)?.sync_all()
        };
        write().map_err(failed)?;
        // The store is to hear of it, and no gc to take it.
        self.state.mark_roots()?;
        self.db.refresh_text(pins_file());
        Ok(self.publish_roots()?)
    }

    /// What the store must never take of this workspace beside its results.
    pub(super) fn chosen(&self) -> Result<Vec<Artifact>, EnvironmentError> {
        let pins = self.read_pins().map_err(|error| EnvironmentError::of(&error))?;
        let decided = self.people.decided().map_err(|error| EnvironmentError::of(&error))?;
        let of_pins = pins.iter().flat_map(|pin| outcome_of(pin).into_values());
        Ok(of_pins.chain(decided).collect())
    }

    /// The pinned targets of which something else would be made now, those that nobody was told of.
    ///
    /// # Errors
    /// If something of the machine keeps it from being found out.
    pub(super) fn conflicts(&mut self) -> Result<Vec<Label>, EnvironmentError> {
        let mut conflicts = Vec::new();
        // Then no query is asked.
        if self.place.root.join(PINS_FILE).symlink_metadata().is_err() {
            return Ok(conflicts);
        }
        for pinned in pinned_labels(&self.db) {
            let label = &pinned.pin.label;
            let Some(key) = self.would_make(&pinned)? else { continue };
            let is_news = self.people.is_news(&label.to_string(), &key.to_string());
            if is_news.map_err(|error| EnvironmentError::of(&error))? {
                conflicts.push(label.clone());
            }
        }
        Ok(conflicts)
    }

    /// The key of what the task of a pinned target would make now, if that is another than when it was
    /// pinned and what it reads is known.
    pub(super) fn would_make(
        &mut self,
        pinned: &Pinned,
    ) -> Result<Option<ActionKey>, EnvironmentError> {
        let (Some(base), label) = (pinned.base(), pinned.pin.label.clone()) else {
            return Ok(None);
        };
        let pinning = self.db.pinning().clone();
        self.db.set_pinning(Pinning { ignored: true, ..pinning.clone() });
        let key = self.present_key(&label);
        self.db.set_pinning(pinning);
        Ok(key?.filter(|key| *key != base))
    }

    /// The key that the task of `label` has now, if what it reads is known. Nothing is run.
    fn present_key(&mut self, label: &Label) -> Result<Option<ActionKey>, EnvironmentError> {
        let patterns = vec![Pattern::Target(label.clone())];
        let graph = Arc::new(self.graph(std::slice::from_ref(label)));
        let known = Known::of(&self.state, &graph)?;
        let mut silent = Silent;
        let prepared = Prepared::evaluated(graph, Loaded::default(), patterns, Instant::now());
        let mut run = Run::begin(self.ground(&prepared), &mut silent, known);
        let _unknown = run.settle_known()?;
        let id = run.ground.graph.find(label);
        Ok(id.and_then(|id| run.known_key(id)))
    }
}
