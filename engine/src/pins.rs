//! What people chose that outputs are, whatever makes them says now: `vwfb.pins.kdl` as facts.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use vwfb_cas::profile::{Counter, count};
use vwfb_cas::{ActionKey, Artifact, BlobId, Digest, FileRef, TreeId};
use vwfb_rules::diagnostic::Checked;
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pins::{PINS_FILE, Pin, PinnedOut};

use crate::db::{Db, Outcome, RuleText, Settings};
use crate::system::Text;

/// Which pins count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pinning {
    /// The configuration, as pins name it; `None` for the one without overrides.
    pub(crate) config: Option<String>,
    /// Whether none counts: to find out what would be made without them.
    pub(crate) ignored: bool,
}

/// A target whose outputs are pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pinned {
    pub(crate) pin: Pin,
    /// Its outputs.
    pub(crate) outcome: Arc<Outcome>,
}

impl Pinned {
    /// The key that the target's task had when it was pinned.
    pub(crate) fn base(&self) -> Option<ActionKey> {
        self.pin.base.as_ref()?.parse().ok().map(ActionKey)
    }
}

/// The pins of every configuration.
type Pins = BTreeMap<(Label, Option<String>), Arc<Pinned>>;

/// The file, as a path.
pub(crate) fn pins_file() -> &'static WsPath {
    static FILE: LazyLock<WsPath> =
        LazyLock::new(|| WsPath::new(PINS_FILE).expect("the file's name is a path"));
    &FILE
}

#[salsa::tracked(returns(ref))]
fn pins_in(db: &dyn Db, file: RuleText) -> Checked<Arc<Pins>> {
    count(Counter::QueriesExecuted, 1);
    let Text::Present(text) = file.text(db) else { return Checked::default() };
    let Checked { value, problems } = vwfb_rules::pins::pins(file.path(db), text);
    let pins = value.into_iter().map(|(pin, _)| {
        let outcome = Arc::new(outcome_of(&pin));
        ((pin.label.clone(), pin.config.clone()), Arc::new(Pinned { pin, outcome }))
    });
    Checked { value: Arc::new(pins.collect()), problems }
}

/// Every pin, and what is wrong with the file.
pub(crate) fn pins(db: &dyn Db) -> &Checked<Arc<Pins>> {
    pins_in(db, db.rule_text(pins_file()))
}

/// What the outputs of `label` are pinned to.
pub(crate) fn pinned(db: &dyn Db, label: &Label) -> Option<Arc<Pinned>> {
    let pins = &pins(db).value;
    if pins.is_empty() {
        return None;
    }
    let pinning = Settings::get(db).pinning(db);
    if pinning.ignored {
        return None;
    }
    pins.get(&(label.clone(), pinning.config.clone())).cloned()
}

/// The labels that are pinned in the present configuration.
pub(crate) fn pinned_labels(db: &dyn Db) -> Vec<Arc<Pinned>> {
    let pinning = Settings::get(db).pinning(db);
    let all = pins(db).value.iter();
    all.filter(|((_, config), _)| *config == pinning.config).map(|(_, it)| Arc::clone(it)).collect()
}

/// The outputs that `pin` names.
pub(crate) fn outcome_of(pin: &Pin) -> Outcome {
    let artifact = |out: &PinnedOut| {
        let digest: Digest = out.digest.parse().ok()?;
        Some(match out.kind.as_str() {
            "tree" => Artifact::Tree(TreeId(digest)),
            kind => Artifact::File(FileRef {
                blob: BlobId(digest),
                size: out.size,
                executable: kind == "executable",
            }),
        })
    };
    pin.outs.iter().filter_map(|out| Some((out.name.clone(), artifact(out)?))).collect()
}

/// The outputs of `outcome`, as a pin names them.
pub(crate) fn outs_of(outcome: &Outcome) -> Vec<PinnedOut> {
    let out = |(name, artifact): (&String, &Artifact)| {
        let (kind, size) = match artifact {
            Artifact::File(file) if file.executable => ("executable", file.size),
            Artifact::File(file) => ("file", file.size),
            Artifact::Tree(_) => ("tree", 0),
        };
        let (name, kind) = (name.clone(), kind.to_owned());
        PinnedOut { name, kind, digest: artifact.digest().to_hex(), size }
    };
    outcome.iter().map(out).collect()
}
