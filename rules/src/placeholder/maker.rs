//! The target that makes a placeholder: the node that its user's text would have for it.

use std::sync::Arc;

use super::drawing::Drawing;
use super::{Extent, For, Piece, Placeholder, STEP, USUAL_COLOR, each_path, media_of, stands_in};
use crate::block::TargetDef;
use crate::declare::{Declared, Reading};
use crate::diagnostic::Anchor;
use crate::frame::{Frame, Placed};
use crate::label::{Label, WsPath};
use crate::media::Media;
use crate::rule::AttrDef;
use crate::scope::Scope;
use crate::syntax::{Node, Scalar, Value};
use crate::typed::PATH;
use crate::units;
use crate::value::{AttrValue, FileName, FileUse};

/// The rule file with the makers.
const MAKERS: &str = "@std/placeholder";

/// The target that makes `piece` of the placeholder for `what`, whose user or maker `declared` stands
/// in `frame`; nothing if it has none.
pub fn maker(
    declared: &Declared,
    frame: &Frame,
    (what, piece): (&For, Piece),
    scope: &dyn Scope,
) -> Option<Placed> {
    let wanted = Wanted::of(declared, what, scope)?;
    let mut label = what.label(&declared.label);
    if let Some(step) = piece.step() {
        label = label.member(step);
    }
    let node = wanted.node(declared, what, piece)?;
    let (name, rule, reading) = (STEP.into(), node.name.clone(), Reading::default());
    let def = TargetDef { name, rule, fan_out: None, node, reading };
    let frame = Frame { file: makers(), instance: None, ..frame.clone() };
    Some(Placed { label, def: Arc::new(def), frame: Arc::new(frame) })
}

/// A placeholder that is wanted.
struct Wanted<'d> {
    /// The name of what it stands for.
    name: String,
    media: Media,
    extension: Option<String>,
    extent: &'d Extent,
    /// Whether its user could do without it.
    optional: bool,
    placeholder: Arc<Placeholder>,
    anchor: Anchor,
}

impl<'d> Wanted<'d> {
    fn of(declared: &'d Declared, what: &For, scope: &dyn Scope) -> Option<Self> {
        match what {
            For::Source { attr, path } => {
                let def = declared.rule.attr(attr)?;
                let mut used = None;
                each_path(declared.attrs.get(attr)?, &mut |file, named| {
                    if used.is_none() && named == path {
                        used = Some((file.anchor.clone(), stands_in(def, file, path, scope)));
                    }
                });
                let (anchor, placeholder) = used?;
                Some(Self {
                    name: path.to_string(),
                    media: media_of(def, path)?,
                    extension: path.extension().map(str::to_lowercase),
                    extent: &def.extent,
                    optional: !def.required(),
                    placeholder: placeholder?,
                    anchor,
                })
            }
            For::Output(name) => {
                let out = declared.rule.outs.iter().find(|out| out.name == *name && !out.tree)?;
                let made = declared.outputs.iter().find(|out| out.name == *name)?;
                let media = Media::new(made.media.as_deref()?)?;
                Some(Self {
                    name: declared.label.to_string(),
                    placeholder: Arc::new(usual(&media, &declared.label)?),
                    media,
                    extension: made.path.extension().map(str::to_lowercase),
                    extent: &out.extent,
                    optional: false,
                    anchor: declared.anchor.clone(),
                })
            }
        }
    }

    /// What the target says that makes `piece` of it.
    fn node(&self, declared: &Declared, what: &For, piece: Piece) -> Option<Node> {
        match (self.media.kind(), piece) {
            (_, Piece::Whole) if self.media.as_str() == "image/svg+xml" => {
                let mut node = self.of_rule("placeholder_svg");
                node.text("drawing", self.drawing(declared));
                Some(node.0)
            }
            ("image", Piece::Whole) => Some(self.picture(declared, self.extension.as_deref())),
            ("video", Piece::Picture) => Some(self.picture(declared, Some("png"))),
            ("audio", Piece::Whole) => Some(self.sound(declared, self.extension.as_deref())),
            ("video", Piece::Sound) => Some(self.sound(declared, Some("wav"))),
            ("video", Piece::Whole) => Some(self.clip(declared, what)),
            (_, Piece::Whole) if self.media.is_text() => {
                let Placeholder::Text(words) = &*self.placeholder else { return None };
                let mut node = self.of_rule("placeholder_text");
                node.text("text", words.clone());
                Some(node.0)
            }
            _ => None,
        }
    }

    fn of_rule(&self, rule: &str) -> Making {
        Making(empty(rule, &self.anchor))
    }

    fn size(&self, declared: &Declared) -> (i64, i64) {
        let (width, height) = self.extent.size(declared);
        match self.media.kind() {
            // Half of its colours would be missing.
            "video" => (width.max(16) / 2 * 2, height.max(16) / 2 * 2),
            _ => (width, height),
        }
    }

    fn drawing(&self, declared: &Declared) -> String {
        let (color, words) = match &*self.placeholder {
            Placeholder::Color(color) => (Some(color.as_str()), None),
            Placeholder::Text(words) => (Some(USUAL_COLOR), Some(words.as_str())),
            // Only its label is drawn, over what is there.
            _ => (None, None),
        };
        let name = (!self.optional).then_some(self.name.as_str());
        Drawing { name, color, words, size: self.size(declared) }.to_string()
    }

    fn picture(&self, declared: &Declared, extension: Option<&str>) -> Node {
        let mut node = self.of_rule("placeholder_image");
        node.text("drawing", self.drawing(declared));
        if let Placeholder::Image(path) = &*self.placeholder {
            node.path("picture", path);
        }
        let (width, height) = self.size(declared);
        node.prop("width", Scalar::Int(width));
        node.prop("height", Scalar::Int(height));
        extension.into_iter().for_each(|it| node.text("extension", it.to_owned()));
        node.0
    }

    fn sound(&self, declared: &Declared, extension: Option<&str>) -> Node {
        let mut node = self.of_rule("placeholder_audio");
        match &*self.placeholder {
            Placeholder::Silence(Some(time)) => {
                node.text("length", format!("{}s", units::seconds(*time)));
            }
            _ => {
                if let Some((attr, file)) = self.length(declared) {
                    let is_text = attr.media.as_ref().is_some_and(Media::is_text);
                    node.file(if is_text { "script" } else { "audio" }, file);
                }
            }
        }
        extension.into_iter().for_each(|it| node.text("extension", it.to_owned()));
        node.0
    }

    fn clip(&self, declared: &Declared, what: &For) -> Node {
        let mut node = self.of_rule("still_clip");
        let piece = |piece: Piece| {
            let step = piece.step().unwrap_or_default();
            Scalar::Text(what.label(&declared.label).member(step).to_string())
        };
        node.prop("image", piece(Piece::Picture));
        let sound = self
            .length(declared)
            .filter(|(attr, _)| attr.media.as_ref().is_some_and(|media| media.kind() == "audio"));
        match sound {
            Some((_, file)) => node.file("audio", file),
            None => node.prop("audio", piece(Piece::Sound)),
        }
        let (width, height) = self.size(declared);
        node.prop("width", Scalar::Int(width));
        node.prop("height", Scalar::Int(height));
        for name in ["pad-before", "pad-after", "fade"] {
            node.text(name, "0s".to_owned());
        }
        node.0
    }

    /// What says how long it is: an attribute of its user, and the file there.
    fn length<'a>(&self, declared: &'a Declared) -> Option<(&'a AttrDef, &'a FileUse)> {
        let attr = declared.rule.attr(self.extent.length.as_ref()?)?;
        match declared.attrs.get(&attr.name)? {
            AttrValue::File(file) if !matches!(file.what, FileName::Glob { .. }) => {
                Some((attr, file))
            }
            _ => None,
        }
    }
}

/// The rule file with the makers, as a path.
fn makers() -> WsPath {
    WsPath::new(MAKERS).expect("the name of a built-in file is a path")
}

/// What stands for an output of `media` of the target `label`.
fn usual(media: &Media, label: &Label) -> Option<Placeholder> {
    match media.kind() {
        "image" | "video" => Some(Placeholder::Color(USUAL_COLOR.to_owned())),
        "audio" => Some(Placeholder::Silence(None)),
        "text" => Some(Placeholder::Text(format!("(not made: {label})"))),
        // What programs read has no room for words.
        _ if media.is_text() => Some(Placeholder::Text(String::new())),
        _ => None,
    }
}

/// The node of a placeholder's target in the making.
struct Making(Node);

impl Making {
    /// A text is taken as it is: braces in it mean nothing.
    fn value(&self, scalar: Scalar) -> Value {
        let scalar = match scalar {
            Scalar::Text(text) => Scalar::Text(text.replace('{', "{{").replace('}', "}}")),
            other => other,
        };
        Value { scalar, annotation: None, anchor: self.0.anchor.clone() }
    }

    fn prop(&mut self, name: &str, scalar: Scalar) {
        let value = self.value(scalar);
        self.0.props.push((name.to_owned(), value));
    }

    fn text(&mut self, name: &str, text: String) {
        self.prop(name, Scalar::Text(text));
    }

    /// A path, whatever characters are in it.
    fn path_value(&self, path: &WsPath) -> Value {
        let value = self.value(Scalar::Text(format!("//{path}")));
        Value { annotation: Some(PATH.to_owned()), ..value }
    }

    fn path(&mut self, name: &str, path: &WsPath) {
        let value = self.path_value(path);
        self.0.props.push((name.to_owned(), value));
    }

    /// What `file` names, with what stands in for that.
    fn file(&mut self, name: &str, file: &FileUse) {
        let value = match &file.what {
            FileName::Path(path) => self.path_value(path),
            FileName::Reference(reference) => self.value(Scalar::Text(reference.to_string())),
            FileName::Glob { .. } => return,
        };
        let mut node = empty(name, &self.0.anchor);
        node.args.push(value);
        if let Some(placeholder) = &file.placeholder {
            let value = self.value(Scalar::Text(placeholder.to_string()));
            node.props.push(("placeholder".to_owned(), value));
        }
        self.0.children.push(node);
    }
}

fn empty(name: &str, anchor: &Anchor) -> Node {
    Node {
        name: name.to_owned(),
        args: Vec::new(),
        props: Vec::new(),
        children: Vec::new(),
        anchor: anchor.clone(),
    }
}
