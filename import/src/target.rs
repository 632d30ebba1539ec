//! Targets before they are text: what they refer to is a number and not yet a label.

/// A target's place among all of them.
pub(crate) type Id = usize;

/// A target that is to be.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Its name, unless it becomes a part of a fan-out.
    pub(crate) name: String,
    /// Its rule.
    pub(crate) rule: &'static str,
    /// Its attributes, in the order in which they are written.
    pub(crate) attrs: Vec<Attr>,
    /// What is said of it, a paragraph each.
    pub(crate) comments: Vec<String>,
    /// Targets that come before it.
    pub(crate) after: Vec<Id>,
    /// The step that it is of; a segment is of the last of all.
    pub(crate) step: usize,
}

/// An attribute, or a node of a `task`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attr {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its values; several for a list.
    pub(crate) values: Vec<Value>,
    /// Whether it is a list.
    pub(crate) list: bool,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A text.
    Text(Vec<Piece>),
    /// A whole number.
    Int(i64),
    /// Another one.
    Float(f64),
    /// A flag.
    Flag(bool),
    /// A file of the workspace, with what stands in for it while it is missing.
    Source(Vec<Piece>, Option<&'static str>),
    /// A text file of the package, by its place among them.
    File(usize),
    /// What a target makes: it, and which output of it if not the default.
    Made(Id, String),
    /// A property of the node: `name="log"`.
    Named(&'static str, String),
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it stands.
    Plain(String),
    /// A variable of the package.
    Var(String),
    /// Where the task finds what a target makes: that output of it, if not the default.
    Role(Id, String),
    /// Where it finds a text file of the package.
    FileRole(usize),
    /// The only source of the task.
    OnlySource,
    /// Where the task puts an output; the only one without a name.
    Out(String),
    /// A field of an item.
    Item(String),
}

/// A text file of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextFile {
    /// Its path in the package.
    pub(crate) path: String,
    /// What it says.
    pub(crate) text: String,
    /// The step that it is of.
    pub(crate) step: usize,
}

impl Target {
    /// A target without attributes.
    pub(crate) fn new(name: String, rule: &'static str, step: usize) -> Self {
        let (attrs, comments, after) = (Vec::new(), Vec::new(), Vec::new());
        Self { name, rule, attrs, comments, after, step }
    }

    /// The same with an attribute.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.attrs.push(Attr { name, values: vec![value], list: false });
        self
    }

    /// The same with an attribute, if it has a value.
    #[must_use]
    pub(crate) fn maybe(self, name: &'static str, value: Option<Value>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same with a list.
    #[must_use]
    pub(crate) fn list(mut self, name: &'static str, values: Vec<Value>) -> Self {
        self.attrs.push(Attr { name, values, list: true });
        self
    }

    /// Whether it is there: what turned out to be needed by nobody is not.
    pub(crate) fn is_there(&self) -> bool {
        !self.rule.is_empty()
    }

    /// The attribute of that name.
    pub(crate) fn attr(&self, name: &str) -> Option<&Attr> {
        self.attrs.iter().find(|attr| attr.name == name)
    }

    /// The targets whose results it reads.
    pub(crate) fn needs(&self) -> impl Iterator<Item = Id> {
        self.attrs.iter().flat_map(|attr| &attr.values).filter_map(|value| match value {
            Value::Made(id, _) => Some(*id),
            _ => None,
        })
    }

    /// The file that it makes first, as its rule names it; `name` is what the target is called.
    pub(crate) fn output(&self, name: &str) -> String {
        let said = |attr: &str, otherwise: &str| match self.attr(attr).map(|it| &it.values[0]) {
            Some(Value::Text(pieces)) => plain_text(pieces),
            _ => otherwise.to_owned(),
        };
        match self.rule {
            "task" => said("out", name),
            "write_file" => said("out", &format!("{name}.txt")),
            "split_sections" | "filegroup" => name.to_owned(),
            "slide" | "text_to_image" => format!("{name}.png"),
            "llm" => format!("{name}.txt"),
            "llm_audit" => format!("{name}.json"),
            "transcribe" => format!("{name}.{}", said("format", "txt")),
            "audio_mix" => format!("{name}.{}", said("format", "mov")),
            "tts" | "resample" => format!("{name}.wav"),
            "image_to_video" | "text_to_video" | "normalize" => format!("{name}.mp4"),
            _ => format!("{name}.mov"),
        }
    }

    /// The media kind of what it makes first, if it is known.
    pub(crate) fn media(&self) -> Option<&'static str> {
        media_of(&self.output("x"))
    }
}

/// The words of a text, without what stands for something.
pub(crate) fn plain_text(pieces: &[Piece]) -> String {
    let mut words = String::new();
    for piece in pieces {
        if let Piece::Plain(text) = piece {
            words.push_str(text);
        }
    }
    words
}

/// A text without variables.
pub(crate) fn text(words: &str) -> Value {
    Value::Text(vec![Piece::Plain(words.to_owned())])
}

/// The media kind of a file, by its extension.
pub(crate) fn media_of(path: &str) -> Option<&'static str> {
    let path = vwfb_rules::label::WsPath::new(path.trim_start_matches('/')).ok()?;
    let media = vwfb_rules::media::Media::of_path(&path)?;
    ["image", "audio", "video", "text"]
        .into_iter()
        .find(|kind| media.kind() == *kind || (*kind == "text" && media.is_text()))
}
