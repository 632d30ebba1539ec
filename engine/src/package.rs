//! Queries over whole files: the workspace, packages, rule files, and what is in their sight.

use std::sync::{Arc, LazyLock};

use vwfb_cas::Artifact;
use vwfb_cas::profile::{Counter, Phase, Timed, count};
use vwfb_rules::RuleTable;
use vwfb_rules::codes;
use vwfb_rules::diagnostic::{Anchor, Checked, Diagnostic};
use vwfb_rules::label::{Label, Reference, WsPath};
use vwfb_rules::package::PackageDef;
use vwfb_rules::placeholder::Placeholder;
use vwfb_rules::rule_file::RuleFile;
use vwfb_rules::scope::{Made, Scope, SourceKind};
use vwfb_rules::task::Provided;
use vwfb_rules::vars::Vars;
use vwfb_rules::workspace::WorkspaceDef;

use crate::db::{Choice, Db, RuleText, Settings};
use crate::names::{is_named, names, waits_directly};
use crate::system::{Lost, StoredText, Text};
use crate::target::{declared, provides};

/// The name of a package's file.
pub const BUILD_FILE: &str = "BUILD.kdl";

/// The name of the workspace's file.
pub const WORKSPACE_FILE: &str = "WORKSPACE.kdl";

/// The file `name` in `folder`.
pub(crate) fn file_in(folder: &WsPath, name: &str) -> WsPath {
    folder.join(name).expect("a file name joins any folder")
}

/// The text of `file`, or the problem that there is none.
fn readable(db: &dyn Db, file: RuleText) -> Result<Arc<str>, Vec<Diagnostic>> {
    match file.text(db) {
        Text::Present(text) => Ok(Arc::clone(text)),
        Text::Absent => Err(Vec::new()),
        Text::Unreadable(why) => {
            let path = file.path(db);
            let message = format!("cannot read `{path}`: {why}");
            Err(vec![
                Diagnostic::error(codes::UNREADABLE_FILE, message)
                    .at(&Anchor::file(path.clone()))
                    .hint("rule files are UTF-8 text that you may read"),
            ])
        }
    }
}

/// What `WORKSPACE.kdl` says.
#[salsa::tracked(returns(ref))]
pub(crate) fn workspace_def(db: &dyn Db, file: RuleText) -> Checked<Arc<WorkspaceDef>> {
    count(Counter::QueriesExecuted, 1);
    match readable(db, file) {
        Ok(text) => {
            let _parsing = Timed::new(Phase::Load);
            let Checked { value, problems } = vwfb_rules::workspace(file.path(db), &text);
            Checked { value: Arc::new(value), problems }
        }
        Err(problems) => Checked { value: Arc::default(), problems },
    }
}

/// The workspace of the database.
pub(crate) fn workspace(db: &dyn Db) -> &Checked<Arc<WorkspaceDef>> {
    static FILE: LazyLock<WsPath> = LazyLock::new(|| file_in(&WsPath::root(), WORKSPACE_FILE));
    workspace_def(db, db.rule_text(&FILE))
}

/// What a rule file defines; nothing if there is no such file.
#[salsa::tracked(returns(ref))]
pub(crate) fn rule_file(db: &dyn Db, file: RuleText) -> Option<Checked<Arc<RuleFile>>> {
    count(Counter::QueriesExecuted, 1);
    match readable(db, file) {
        Ok(text) => {
            let _parsing = Timed::new(Phase::Load);
            let Checked { value, problems } = vwfb_rules::rule_file(file.path(db), &text);
            Some(Checked { value: Arc::new(value), problems })
        }
        Err(problems) if problems.is_empty() => None,
        Err(problems) => Some(Checked { value: Arc::default(), problems }),
    }
}

/// What a package's file says; nothing if there is none.
#[salsa::tracked(returns(ref))]
pub(crate) fn package_def(db: &dyn Db, file: RuleText) -> Option<Checked<Arc<PackageDef>>> {
    count(Counter::QueriesExecuted, 1);
    match readable(db, file) {
        Ok(text) => {
            count(Counter::PackagesParsed, 1);
            let _parsing = Timed::new(Phase::Load);
            let Checked { value, problems } = vwfb_rules::package(file.path(db), &text);
            Some(Checked { value: Arc::new(value), problems })
        }
        Err(problems) if problems.is_empty() => None,
        Err(problems) => Some(Checked { value: Arc::default(), problems }),
    }
}

/// The file of the package `package`.
pub(crate) fn package_file(db: &dyn Db, package: &WsPath) -> RuleText {
    db.package_text(package, || file_in(package, BUILD_FILE))
}

/// The rules in sight of the text of a package or rule file.
#[salsa::tracked(returns(ref))]
pub(crate) fn rule_table(db: &dyn Db, file: RuleText) -> Checked<Arc<RuleTable>> {
    count(Counter::QueriesExecuted, 1);
    let own = match file.path(db).name() {
        BUILD_FILE => package_def(db, file).as_ref().map(|package| &package.value.own),
        _ => rule_file(db, file).as_ref().map(|file| &file.value),
    };
    let Some(own) = own else { return Checked::default() };
    let Checked { value, problems } = RuleTable::new(own, &QueryScope(db));
    Checked { value: Arc::new(value), problems }
}

/// The variables that the targets of a package see.
#[salsa::tracked(returns(ref))]
pub(crate) fn package_vars(db: &dyn Db, file: RuleText) -> Vars {
    count(Counter::QueriesExecuted, 1);
    let Some(package) = package_def(db, file) else { return Vars::default() };
    let overrides = Settings::get(db).overrides(db);
    vwfb_rules::vars(&workspace(db).value, &package.value, overrides)
}

/// The names of a package's targets. A target whose text changes under the same name does not
/// wake those who only look for near names.
#[salsa::tracked(returns(clone))]
pub(crate) fn target_names(db: &dyn Db, file: RuleText) -> Option<Arc<[String]>> {
    count(Counter::QueriesExecuted, 1);
    Some(targets(db, file)?.iter().map(Label::target).collect())
}

/// The targets of a package, those in fan-outs and templates too, in order.
pub(crate) fn targets(db: &dyn Db, file: RuleText) -> Option<Arc<[Label]>> {
    Some(Arc::clone(&names(db, file).as_ref()?.value.targets))
}

/// Whether there is a package in `file`.
#[salsa::tracked(returns(copy))]
pub(crate) fn is_package(db: &dyn Db, file: RuleText) -> bool {
    count(Counter::QueriesExecuted, 1);
    package_def(db, file).is_some()
}

/// Whether a package's text has errors: only that, so that its other edits wake nobody.
#[salsa::tracked(returns(copy))]
pub(crate) fn is_broken(db: &dyn Db, file: RuleText) -> bool {
    count(Counter::QueriesExecuted, 1);
    package_def(db, file).as_ref().is_some_and(Checked::has_errors)
}

/// What people chose of what `label` makes.
pub(crate) fn choice<'db>(db: &'db dyn Db, label: &Label) -> Option<&'db Choice> {
    let choices = Settings::get(db).choices(db);
    if choices.is_empty() { None } else { choices.get(&label.to_string()) }
}

/// What a target sees of the world: every look is a query.
pub(crate) struct QueryScope<'db>(pub(crate) &'db dyn Db);

impl QueryScope<'_> {
    /// What a task made, if that is known.
    fn artifact(&self, reference: &Reference) -> Option<Artifact> {
        let target = self.0.target(&reference.label);
        let outcome = target.outcome(self.0).as_ref().filter(|_| !target.held(self.0))?;
        let artifact = *outcome.get(reference.output.as_deref()?)?;
        match (&reference.subpath, artifact) {
            (None, artifact) => Some(artifact),
            (Some(path), Artifact::Tree(tree)) => self.0.system().in_tree(tree, path).ok()?,
            (Some(_), Artifact::File(_)) => None,
        }
    }
}

impl Scope for QueryScope<'_> {
    fn source(&self, path: &WsPath) -> SourceKind {
        self.0.path_kind(path)
    }

    fn entries(&self, path: &WsPath) -> Arc<[String]> {
        self.0.folder(path)
    }

    fn glob(&self, package: &WsPath, pattern: &str) -> Arc<[WsPath]> {
        self.0.glob(package, pattern).files(self.0)
    }

    fn left_out(&self, package: &WsPath, pattern: &str) -> Arc<[String]> {
        self.0.glob(package, pattern).left_out(self.0)
    }

    fn targets(&self, package: &WsPath) -> Option<Arc<[String]>> {
        target_names(self.0, package_file(self.0, package))
    }

    fn written(&self, package: &WsPath) -> Arc<[String]> {
        let package = package_def(self.0, package_file(self.0, package)).as_ref();
        let members = package.map(|package| package.value.block.members()).unwrap_or_default();
        members.iter().map(|member| member.name.to_string()).collect()
    }

    fn has_target(&self, label: &Label) -> Option<bool> {
        is_package(self.0, package_file(self.0, &label.package)).then_some(())?;
        Some(is_named(self.0, self.0.target(label)))
    }

    fn text(&self, path: &WsPath) -> Option<Arc<str>> {
        match self.0.rule_text(path).text(self.0) {
            Text::Present(text) => Some(Arc::clone(text)),
            Text::Absent | Text::Unreadable(_) => None,
        }
    }

    fn is_broken(&self, package: &WsPath) -> bool {
        is_broken(self.0, package_file(self.0, package))
    }

    fn provides(&self, label: &Label) -> Option<Arc<[Provided]>> {
        provides(self.0, self.0.target(label))
    }

    fn made(&self, reference: &Reference) -> Made {
        let system = self.0.system();
        let Some(artifact) = self.artifact(reference) else { return Made::Unknown };
        let read = match artifact {
            Artifact::Tree(tree) => system.tree_files(tree).map(Made::Tree),
            Artifact::File(file) => system.stored_text(file).map(|text| match text {
                StoredText::Text(text) => Made::Text(text),
                StoredText::Not(why) => Made::Unreadable(why),
            }),
        };
        read.unwrap_or_else(|Lost| {
            // What it holds never changes, but whether the store has it does.
            self.0.report_untracked_read();
            Made::Unreadable("the store has lost it".to_owned())
        })
    }

    fn waits(&self, label: &Label) -> Option<Label> {
        waits_directly(self.0, label)
    }

    fn alias(&self, label: &Label) -> Option<Reference> {
        let declared = declared(self.0, self.0.target(label)).value.as_ref()?;
        vwfb_rules::alias(declared).cloned()
    }

    fn placeholder(&self, kind: &str) -> Option<Arc<Placeholder>> {
        workspace(self.0).value.placeholders.get(kind).cloned()
    }

    fn feedback(&self, label: &Label) -> Option<Arc<str>> {
        choice(self.0, label)?.feedback.clone()
    }

    fn take(&self, label: &Label) -> u32 {
        choice(self.0, label).map_or(0, |choice| choice.take)
    }

    fn rule_file(&self, path: &WsPath) -> Option<Arc<RuleFile>> {
        let file = rule_file(self.0, self.0.rule_text(path)).as_ref()?;
        Some(Arc::clone(&file.value))
    }
}
