//! What the text of a target means by its names, paths and labels: where it stands.

use std::sync::Arc;

use crate::binding::{Bindings, Fields};
use crate::block::{Block, TargetDef};
use crate::codes::TOO_DEEP;
use crate::diagnostic::{Anchor, Diagnostic};
use crate::label::{Label, LabelError, Reference, Step, WsPath};
use crate::package::PackageDef;

/// How deep uses of templates and instances may be in one another.
const DEEPEST: usize = 32;

/// Where a target stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The file whose rules are in sight: that of its text.
    pub file: WsPath,
    /// Where its paths begin.
    pub folder: WsPath,
    /// The package whose files its globs match.
    pub globs: WsPath,
    /// The package that it is in.
    pub package: WsPath,
    /// The blocks around it that are in other blocks, outermost first.
    pub blocks: Vec<Enclosing>,
    /// What it may interpolate beside variables.
    pub bindings: Bindings,
    /// Whether its labels cannot mean what is outside of those blocks: that of a template cannot.
    pub is_closed: bool,
    /// The instance of a package that it is in, whose variables it sees.
    pub instance: Option<Label>,
    /// The uses of templates and instances that it is in, outermost first.
    pub uses: Vec<Anchor>,
    /// What the use of a template makes that it is the inside of.
    pub face: Option<Face>,
}

/// The last member of a template, for which the use of it stands: what that makes, and names by
/// `{name}`, is where and called as if the use made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// The member.
    pub member: Arc<str>,
    /// The folder for what the use makes, below the one for all.
    pub folder: WsPath,
    /// The use's name.
    pub name: Arc<str>,
}

/// A block that is a part of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosing {
    /// The steps of a label that lead to it.
    pub steps: Arc<[Step]>,
    /// The block.
    pub block: Arc<Block>,
}

/// A target with where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its name.
    pub label: Label,
    /// Its text.
    pub def: Arc<TargetDef>,
    /// Where that stands.
    pub frame: Arc<Frame>,
}

impl Placed {
    /// The folder, below the one for all, of what is named by `{name}`, and what that is.
    pub(crate) fn face(&self) -> (WsPath, &Arc<str>) {
        match &self.frame.face {
            Some(face) if face.member == self.def.name => (face.folder.clone(), &face.name),
            _ => (output_folder(&self.label), &self.def.name),
        }
    }
}

impl Frame {
    /// Where the targets of `package` stand that are in nothing else.
    pub fn of_package(package: &PackageDef) -> Self {
        Self {
            file: package.file.clone(),
            folder: package.package.clone(),
            globs: package.package.clone(),
            package: package.package.clone(),
            blocks: Vec::new(),
            bindings: Bindings::default(),
            is_closed: false,
            instance: None,
            uses: Vec::new(),
            face: None,
        }
    }

    /// The steps of a label that lead here.
    pub fn steps(&self) -> &[Step] {
        self.blocks.last().map_or(&[], |enclosing| &enclosing.steps)
    }

    /// The name of the member `name` of the innermost block.
    pub fn member(&self, name: &Arc<str>, item: Option<&Arc<str>>) -> Label {
        let step = Step { name: Arc::clone(name), item: item.cloned() };
        let steps = self.steps().iter().cloned().chain([step]).collect();
        Label { package: self.package.clone(), steps }
    }

    /// Where the members of `block` stand, which the member `name` is, for one `item` of it.
    pub fn inside(
        &self,
        (name, item): (&Arc<str>, Option<&Arc<str>>),
        block: &Arc<Block>,
        bindings: Arc<Fields>,
    ) -> Self {
        let own = Enclosing { steps: self.member(name, item).steps, block: Arc::clone(block) };
        // No room for more: there are as many of them as items.
        let mut blocks = Vec::with_capacity(self.blocks.len() + 1);
        blocks.extend(self.blocks.iter().cloned().chain([own]));
        let bindings = self.bindings.inside(bindings);
        Self { blocks, bindings, face: None, ..self.clone() }
    }

    /// Where the members of `block` stand that `placed`, which is written in a frame like this but
    /// for where it stands, expands to: closed, and reached by one use more.
    ///
    /// # Errors
    /// If it is in what itself expands to, or uses are in one another too deeply.
    pub(crate) fn of_use(
        self,
        placed: &Placed,
        block: &Arc<Block>,
        bindings: Arc<Fields>,
    ) -> Result<Self, Diagnostic> {
        let (name, anchor) = (&placed.def.name, placed.def.anchor());
        let message = if self.uses.contains(anchor) {
            Some(format!("what `{name}` expands to has `{name}` itself in it"))
        } else if self.uses.len() >= DEEPEST {
            Some(format!("`{name}` is in more than {DEEPEST} templates and instances"))
        } else {
            None
        };
        if let Some(message) = message {
            let problem = Diagnostic::error(TOO_DEEP, message).at(anchor);
            let hint = "a template or instance may not use itself, not by way of others either";
            return Err(problem.hint(hint));
        }
        let outer = Self { bindings: Bindings::default(), is_closed: true, ..self };
        let mut frame = outer.inside((&placed.def.name, None), block, bindings);
        frame.blocks.drain(..frame.blocks.len() - 1);
        frame.uses.push(placed.def.anchor().clone());
        Ok(frame)
    }

    /// `problem` with the uses of templates that led to it.
    pub(crate) fn traced(&self, problem: Diagnostic) -> Diagnostic {
        traced(problem, &self.uses)
    }

    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            folder: &self.folder,
            globs: &self.globs,
            package: &self.package,
            blocks: &self.blocks,
            is_closed: self.is_closed,
        }
    }
}

/// `problem` with the `uses` of templates that led to it.
pub(crate) fn traced(problem: Diagnostic, uses: &[Anchor]) -> Diagnostic {
    uses.iter().rev().fold(problem, |problem, used| problem.noted(used, "used here"))
}

/// What paths and labels are relative to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Where paths begin.
    pub(crate) folder: &'a WsPath,
    /// The package whose files globs match.
    pub(crate) globs: &'a WsPath,
    package: &'a WsPath,
    blocks: &'a [Enclosing],
    is_closed: bool,
}

impl<'a> Place<'a> {
    /// A folder for all of it.
    pub(crate) const fn of(folder: &'a WsPath) -> Self {
        Self { folder, globs: folder, package: folder, blocks: &[], is_closed: false }
    }

    /// The label that `text` means.
    pub(crate) fn label(&self, text: &str) -> Result<Label, LabelError> {
        let mut label = Label::parse(text, self.package)?;
        self.relocate(text, &mut label);
        Ok(label)
    }

    /// The reference that `text` means.
    pub(crate) fn reference(&self, text: &str) -> Result<Reference, LabelError> {
        let mut reference = Reference::parse(text, self.package)?;
        self.relocate(text, &mut reference.label);
        Ok(reference)
    }

    /// A label without a package means the member of the innermost block that has one of its name.
    fn relocate(&self, text: &str, label: &mut Label) {
        if !text.starts_with(':') {
            return;
        }
        let has = |enclosing: &&Enclosing| enclosing.block.get(&label.steps[0].name).is_some();
        let closed = self.blocks.first().filter(|_| self.is_closed);
        if let Some(enclosing) = self.blocks.iter().rev().find(has).or(closed) {
            let inner = label.steps.iter().cloned();
            label.steps = enclosing.steps.iter().cloned().chain(inner).collect();
        }
    }
}

/// The folder for the outputs of `label`, below the one for all: that of its package, and one for
/// each step that leads to it.
pub(crate) fn output_folder(label: &Label) -> WsPath {
    let (_, outer) = label.steps.split_last().expect("a label has a step");
    if outer.is_empty() {
        return label.package.clone();
    }
    let mut folder = String::new();
    for step in outer {
        folder.push_str(&step.name);
        folder.push('/');
        if let Some(item) = &step.item {
            folder.push_str(&file_name(item));
            folder.push('/');
        }
    }
    label.package.join(&folder).expect("a name and an encoded item are one folder each")
}

/// The longest name that common file systems take, less room for what is put behind it.
const LONGEST: usize = 200;

/// An item id as the name of a folder: what no path can have, or would mean something else by, as
/// `%XX`, and a digest for the end of one that is too long.
fn file_name(item: &str) -> String {
    let is_dots = item.bytes().all(|byte| byte == b'.');
    let mut name = String::with_capacity(item.len());
    for c in item.chars() {
        if matches!(c, '/' | '\\' | '%' | ':') || c.is_control() || (is_dots && c == '.') {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                name.push_str(&format!("%{byte:02X}"));
            }
        } else {
            name.push(c);
        }
    }
    if name.len() <= LONGEST {
        return name;
    }
    let digest = crate::items::short_digest(item);
    let end = (0..=LONGEST).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    format!("{}-{digest}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(label: &str) -> String {
        output_folder(&Label::parse(label, &WsPath::root()).unwrap()).to_string()
    }

    #[test]
    fn outputs_of_inner_targets_have_folders_of_their_own() {
        assert_eq!(folder("//p:a"), "p");
        assert_eq!(folder("//p:clips[attention].audio"), "p/clips/attention");
        assert_eq!(folder("//p:s.clips[a].b"), "p/s/clips/a");
    }

    #[test]
    fn an_item_is_one_folder_whatever_it_is_called() {
        assert_eq!(folder("//p:c[../x].a"), "p/c/..%2Fx");
        assert_eq!(folder("//p:c[..].a"), "p/c/%2E%2E");
        assert_eq!(folder("//p:c[50%25].a"), "p/c/50%25");
        assert_eq!(folder("//p:c[ümläut x].a"), "p/c/ümläut x");
        let long = "ü".repeat(300);
        let folder = folder(&format!("//p:c[{long}].a"));
        assert!(folder.len() < 230 && folder.starts_with("p/c/üü"), "{folder}");
    }
}
