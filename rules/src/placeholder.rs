//! Placeholders: what stands in for a file that is missing, and the target that makes it.
//!
//! A placeholder is made by an ordinary task of a rule in `@std/placeholder`. It has a label of its
//! own below its user's, and so a key of its own: nothing that is made from it can be taken for what
//! is made from the file.

mod drawing;
mod maker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use maker::maker;

use crate::codes::BAD_PLACEHOLDER;
use crate::declare::Declared;
use crate::diagnostic::{Anchor, Diagnostic};
use crate::interpolate::{Part, Template};
use crate::label::{Label, Step, WsPath};
use crate::media::Media;
use crate::rule::{AttrDef, AttrType, Shape};
use crate::scope::{Scope, SourceKind};
use crate::syntax::Value;
use crate::units;
use crate::value::{AttrValue, FileName, FileUse};

/// The last step of the label of every placeholder, with what it stands for as its item.
pub const STEP: &str = "placeholder";

/// The name of the output of what makes a placeholder of `media`.
pub(crate) fn output(media: Option<&Media>) -> &'static str {
    match media.map(Media::kind) {
        // A clip is a `still_clip`, which joins with others as they are.
        Some("video") => "clip",
        _ => "file",
    }
}

/// The width and height of what nobody gives a size, in pixels.
const USUAL: (i64, i64) = (1920, 1080);

/// The colour where nobody gives one.
const USUAL_COLOR: &str = "#1a1a2e";

/// What stands in for a file that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Placeholder {
    /// A colour, `#rrggbb` or `#rrggbbaa`: a picture of it, or a clip.
    Color(String),
    /// Silence, of that length, or of the one that a text or recording of its user asks for.
    Silence(Option<Duration>),
    /// A picture of the workspace, or a clip of it.
    Image(WsPath),
    /// A text: a file with it, or a picture or clip that shows it.
    Text(String),
    /// Nothing: the element of a list is left out.
    Skip,
}

/// How placeholders are written.
const WAYS: [&str; 5] =
    ["`color:#1a1a2e`", "`silence` or `silence:2.5s`", "`image:path`", "`text:words`", "`skip`"];

impl Placeholder {
    /// The placeholder that `value`, without interpolations, is written as; paths are those of
    /// `folder`.
    pub(crate) fn read(value: &Value, folder: &WsPath) -> Result<Self, Diagnostic> {
        let fault = |message: String| {
            let hint = format!("a placeholder is {}", list_plain(&WAYS));
            Diagnostic::error(BAD_PLACEHOLDER, message).at(&value.anchor).hint(hint)
        };
        let Some(text) = value.text() else {
            return Err(fault(format!("{} is no placeholder", value.scalar.described())));
        };
        let (kind, rest) = text.split_once(':').map_or((text, None), |(kind, it)| (kind, Some(it)));
        let read = match (kind, rest) {
            ("color", Some(color)) => units::color(color).map(Self::Color),
            ("silence", None) => Some(Self::Silence(None)),
            ("silence", Some(time)) => {
                let time = units::duration(time).filter(|time| !time.is_zero());
                time.map(|time| Self::Silence(Some(time)))
            }
            ("image", Some(path)) => {
                let path = folder.join(path).ok().filter(|path| !path.is_root());
                path.map(Self::Image)
            }
            ("text", Some(words)) => Some(Self::Text(words.to_owned())),
            ("skip", None) => Some(Self::Skip),
            _ => None,
        };
        read.ok_or_else(|| fault(format!("`{text}` is no placeholder")))
    }

    /// What it is, in a word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Color(_) => "color",
            Self::Silence(_) => "silence",
            Self::Image(_) => "image",
            Self::Text(_) => "text",
            Self::Skip => "skip",
        }
    }

    /// What is wrong with it, written at `anchor`, as what stands for files of the media kind `kind`.
    pub(crate) fn check_kind(&self, kind: &str, anchor: &Anchor) -> Result<(), Diagnostic> {
        match Media::new(kind) {
            Some(media) if !self.stands_for(&media) => {
                let message = format!("`{}` cannot stand for {kind}", self.kind());
                let problem = Diagnostic::error(BAD_PLACEHOLDER, message).at(anchor);
                Err(problem.hint(hint_for(&media)))
            }
            _ => Ok(()),
        }
    }

    /// Whether it can stand for a file of `media`.
    fn stands_for(&self, media: &Media) -> bool {
        match self {
            Self::Color(_) | Self::Image(_) => matches!(media.kind(), "image" | "video"),
            Self::Silence(_) => media.kind() == "audio",
            Self::Text(_) => matches!(media.kind(), "image" | "video") || media.is_text(),
            Self::Skip => true,
        }
    }
}

/// As it is written; a path from the workspace's root.
impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Color(color) => write!(f, "color:{color}"),
            Self::Silence(None) => f.write_str("silence"),
            Self::Silence(Some(time)) => write!(f, "silence:{}s", units::seconds(*time)),
            Self::Image(path) => write!(f, "image://{path}"),
            Self::Text(words) => write!(f, "text:{words}"),
            Self::Skip => f.write_str("skip"),
        }
    }
}

/// How large and how long what stands for a file is, in the words of its user's attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extent {
    /// Width and height in pixels, as `1080x1920` or `{width}x{height}`.
    pub size: Option<Template>,
    /// The attribute whose recording or text it is as long as.
    pub length: Option<String>,
}

impl Extent {
    /// Width and height in pixels, given the attributes of `declared`.
    fn size(&self, declared: &Declared) -> (i64, i64) {
        let Some(template) = &self.size else { return USUAL };
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Field(path) => {
                    let value = declared.attrs.get(&path[0]).and_then(AttrValue::text);
                    text.push_str(&value.unwrap_or_default());
                }
            }
        }
        parse_size(&text).unwrap_or(USUAL)
    }
}

/// The width and height written `1080x1920`.
pub(crate) fn parse_size(text: &str) -> Option<(i64, i64)> {
    let (width, height) = text.split_once('x')?;
    let side = |text: &str| text.parse().ok().filter(|side| (1..=16_384).contains(side));
    Some((side(width)?, side(height)?))
}

/// What a placeholder stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum For {
    /// A missing file that an attribute of its user names.
    Source {
        /// The attribute.
        attr: String,
        /// The file.
        path: WsPath,
    },
    /// An output of the target itself, which is not made.
    Output(String),
}

/// A placeholder, or what one is put together from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Piece {
    /// The placeholder itself.
    Whole,
    /// The picture that a clip shows.
    Picture,
    /// The sound that a clip has.
    Sound,
}

impl Piece {
    /// The step of its label behind that of the placeholder.
    const fn step(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::Picture => Some("picture"),
            Self::Sound => Some("sound"),
        }
    }
}

impl For {
    /// The label of the placeholder, below that of its user or maker `label`.
    pub fn label(&self, label: &Label) -> Label {
        let item = match self {
            Self::Source { attr, path } => format!("{attr}:{path}"),
            Self::Output(output) => format!("#{output}"),
        };
        let step = Step { name: STEP.into(), item: Some(item.into()) };
        let steps = label.steps.iter().cloned().chain([step]).collect();
        Label { package: label.package.clone(), steps }
    }

    /// Whose the placeholder `label` is, what it stands for, and which piece of it that names;
    /// nothing for other labels.
    pub fn of(label: &Label) -> Option<(Label, Self, Piece)> {
        let (last, outer) = label.steps.split_last()?;
        let pieces = [Piece::Picture, Piece::Sound].into_iter();
        let piece = pieces.filter(|_| last.item.is_none()).find(|it| it.step() == Some(&last.name));
        let (last, outer) = if piece.is_some() { outer.split_last()? } else { (last, outer) };
        let item = last.item.as_deref().filter(|_| &*last.name == STEP && !outer.is_empty())?;
        let what = match item.strip_prefix('#') {
            Some(output) => Self::Output(output.to_owned()),
            None => {
                let (attr, path) = item.split_once(':')?;
                Self::Source { attr: attr.to_owned(), path: WsPath::new(path).ok()? }
            }
        };
        Some((label.prefix(outer.len()), what, piece.unwrap_or(Piece::Whole)))
    }
}

/// A file that is missing, and what stands in for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The file.
    pub path: WsPath,
    /// The placeholder; none where an element of a list is left out.
    pub label: Option<Label>,
    /// Where it is named.
    pub anchor: Anchor,
}

/// What stands in for the file at `path`, which `attr` names by `file`, if it is missing.
pub(crate) fn stands_in(
    attr: &AttrDef,
    file: &FileUse,
    path: &WsPath,
    scope: &dyn Scope,
) -> Option<Arc<Placeholder>> {
    if attr.ty == AttrType::Tree {
        return None;
    }
    let of_kind = || {
        let found = scope.placeholder(media_of(attr, path)?.kind())?;
        (*found != Placeholder::Skip || attr.shape == Shape::List).then_some(found)
    };
    file.placeholder.clone().or_else(of_kind)
}

/// The files that `declared` names, that are missing, and that something stands in for.
pub fn missing(declared: &Declared, scope: &dyn Scope) -> Vec<Missing> {
    let mut all = Vec::new();
    for attr in declared.rule.attrs.iter().filter(|attr| attr.ty.is_file()) {
        let Some(value) = declared.attrs.get(&attr.name) else { continue };
        each_path(value, &mut |file, path| {
            if scope.source(path) != SourceKind::Absent {
                return;
            }
            let Some(placeholder) = stands_in(attr, file, path, scope) else { return };
            let what = For::Source { attr: attr.name.clone(), path: path.clone() };
            let is_made = *placeholder != Placeholder::Skip;
            let label = is_made.then(|| what.label(&declared.label));
            all.push(Missing { path: path.clone(), label, anchor: file.anchor.clone() });
        });
    }
    all
}

fn each_path(value: &AttrValue, then: &mut dyn FnMut(&FileUse, &WsPath)) {
    match value {
        AttrValue::File(file) => {
            if let FileName::Path(path) = &file.what {
                then(file, path);
            }
        }
        AttrValue::List(values) => values.iter().for_each(|value| each_path(value, then)),
        AttrValue::Map(values) => values.values().for_each(|value| each_path(value, then)),
        _ => {}
    }
}

/// What is wrong with how `file`, which `attr` names, is stood in for.
pub(crate) fn check(attr: &AttrDef, file: &FileUse) -> Result<(), Diagnostic> {
    let Some(placeholder) = &file.placeholder else { return Ok(()) };
    let fault = |message: String, hint: &str| {
        let problem = Diagnostic::error(BAD_PLACEHOLDER, message).at(&file.anchor);
        Err(problem.hint(hint))
    };
    if **placeholder == Placeholder::Skip && attr.shape != Shape::List {
        let message =
            format!("`skip` leaves out an element of a list, and `{}` is none", attr.name);
        return fault(message, "let something stand for it: `color:#1a1a2e`, `silence`, ...");
    }
    let FileName::Path(path) = &file.what else { return Ok(()) };
    match media_of(attr, path) {
        Some(media) if !placeholder.stands_for(&media) => {
            let message = format!("`{}` cannot stand for {media}", placeholder.kind());
            fault(message, hint_for(&media))
        }
        None if **placeholder != Placeholder::Skip => {
            let message = format!("nothing says what `{path}` would hold");
            fault(message, "give it an extension that does, as `.png`, `.wav`, `.mp4` or `.txt`")
        }
        _ => Ok(()),
    }
}

fn hint_for(media: &Media) -> &'static str {
    match media.kind() {
        "image" | "video" => "`color:#1a1a2e`, `image:path` or `text:words` can",
        "audio" => "`silence` or `silence:2.5s` can",
        _ if media.is_text() => "`text:words` can",
        _ => {
            "only pictures, clips, sound and texts have placeholders; an element of a list can be left out by `skip`"
        }
    }
}

/// What a file at `path` that `attr` names would hold.
pub(crate) fn media_of(attr: &AttrDef, path: &WsPath) -> Option<Media> {
    Media::of_path(path).or_else(|| attr.media.clone())
}

/// The texts of `all` one after another, with `or` before the last.
fn list_plain(all: &[&str]) -> String {
    let (last, others) = all.split_last().expect("there is one");
    format!("{} or {last}", others.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::Scalar;

    fn read(text: &str) -> Result<Placeholder, String> {
        let anchor = Anchor::file(WsPath::root());
        let value = Value { scalar: Scalar::Text(text.into()), annotation: None, anchor };
        Placeholder::read(&value, &WsPath::new("a").unwrap()).map_err(|problem| problem.message)
    }

    #[test]
    fn a_placeholder_reads_as_it_is_written() {
        for text in ["color:#1a1a2e", "silence", "silence:2.5s", "text:a: b {c}", "skip"] {
            assert_eq!(read(text).unwrap().to_string(), text);
        }
        assert_eq!(read("image:b.png").unwrap().to_string(), "image://a/b.png");
        for bad in ["colour:#1a1a2e", "color:red", "color", "silence:", "silence:0s", "skip:1", ""]
        {
            assert_eq!(read(bad).unwrap_err(), format!("`{bad}` is no placeholder"));
        }
    }

    #[test]
    fn a_label_says_what_a_placeholder_stands_for() {
        let user = Label::parse("//p:c[a b].image", &WsPath::root()).unwrap();
        let path = WsPath::new("p/assets/back[1].png").unwrap();
        let source = For::Source { attr: "background".into(), path };
        let label = source.label(&user);
        assert_eq!(
            label.to_string(),
            "//p:c[a b].image.placeholder[background:p/assets/back%5B1%5D.png]"
        );
        assert_eq!(Label::parse(&label.to_string(), &WsPath::root()), Ok(label.clone()));
        assert_eq!(For::of(&label), Some((user.clone(), source.clone(), Piece::Whole)));
        let picture = label.member("picture");
        assert_eq!(For::of(&picture), Some((user.clone(), source, Piece::Picture)));
        let output = For::Output("wav".into());
        assert_eq!(For::of(&output.label(&user)), Some((user.clone(), output, Piece::Whole)));
        assert_eq!(For::of(&user), None);
    }
}
