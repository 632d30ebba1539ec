//! What a name in braces stands for beside variables: attributes of a template, items of a fan-out.

use std::borrow::Cow;
use std::sync::Arc;

use crate::label::WsPath;
use crate::placeholder::Placeholder;
use crate::syntax::{Float, Scalar, Value};
use crate::typed::{FILE, ITEM, ITEM_PATH, PATH};
use crate::units;
use crate::value::{AttrValue, FileName, FileUse};

/// What a name stands for. One without values is unset where its fields do not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Binding {
    /// The plain values that it stands for.
    pub values: Vec<Plain>,
    /// Whether there may be other than one.
    pub list: bool,
    /// Whether it is a file, which no text can hold.
    pub file: bool,
    /// What there is of it: `{item.stem}`.
    pub fields: Fields,
    /// Whether it has whatever field is asked for, as what stands for an item that is not known.
    pub any: bool,
    /// What stands in for the file that it is while that is missing.
    pub(crate) placeholder: Option<Arc<Placeholder>>,
}

/// Bindings by name. There are few in one place, and as many places as there are items.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<(Cow<'static, str>, Binding)>);

/// What names in braces stand for: those of one block, and behind them those of the blocks around
/// it. Copies share them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bindings(Option<Arc<Layer>>);

#[derive(Debug, PartialEq, Eq)]
struct Layer {
    own: Arc<Fields>,
    outer: Bindings,
}

/// A value without a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    /// The value itself.
    pub scalar: Scalar,
    /// Its type annotation (`glob`).
    pub annotation: Option<Cow<'static, str>>,
}

impl From<Value> for Plain {
    fn from(value: Value) -> Self {
        Self { scalar: value.scalar, annotation: value.annotation.map(Cow::Owned) }
    }
}

impl Fields {
    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<&Binding> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, binding)| binding)
    }

    /// Their names, in the order in which they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in `binding` as `name`, in the place of one that has that name.
    pub(crate) fn insert(&mut self, name: impl Into<Cow<'static, str>>, binding: Binding) {
        let name = name.into();
        match self.get_mut(&name) {
            Some(known) => *known = binding,
            None => {
                self.0.reserve_exact(1);
                self.0.push((name, binding));
            }
        }
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Binding> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, binding)| binding)
    }
}

impl FromIterator<(Cow<'static, str>, Binding)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Cow<'static, str>, Binding)>>(all: I) -> Self {
        let mut fields = Self::default();
        all.into_iter().for_each(|(name, binding)| fields.insert(name, binding));
        fields
    }
}

impl Bindings {
    /// These, and before them `own`.
    #[must_use]
    pub fn inside(&self, own: Arc<Fields>) -> Self {
        Self(Some(Arc::new(Layer { own, outer: self.clone() })))
    }

    /// What `name` stands for: the innermost of that name.
    pub fn get(&self, name: &str) -> Option<&Binding> {
        self.layers().find_map(|own| own.get(name))
    }

    /// All names, the innermost first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layers().flat_map(Fields::names)
    }

    fn layers(&self) -> impl Iterator<Item = &Fields> {
        let layers = std::iter::successors(self.0.as_deref(), |layer| layer.outer.0.as_deref());
        layers.map(|layer| layer.own.as_ref())
    }
}

impl Plain {
    /// The value, at `place`, with the annotation there if it has none of its own.
    pub(crate) fn at(&self, place: &Value) -> Value {
        let own = self.annotation.clone().map(Cow::into_owned);
        let annotation = own.or_else(|| place.annotation.clone());
        Value { scalar: self.scalar.clone(), annotation, anchor: place.anchor.clone() }
    }

    fn of(scalar: Scalar) -> Self {
        Self { scalar, annotation: None }
    }

    const fn annotated(text: String, annotation: &'static str) -> Self {
        Self { scalar: Scalar::Text(text), annotation: Some(Cow::Borrowed(annotation)) }
    }
}

impl Binding {
    /// One plain value.
    pub(crate) fn one(scalar: Scalar) -> Self {
        Self { values: vec![Plain::of(scalar)], ..Self::default() }
    }

    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::one(Scalar::Text(text.into()))
    }

    /// A file that is written `name`, a label or a path from the workspace's root.
    pub(crate) fn file(name: impl Into<String>) -> Self {
        let plain = Plain::annotated(name.into(), FILE);
        Self { file: true, values: vec![plain], ..Self::default() }
    }

    /// A file of the workspace, whatever characters are in its name.
    pub(crate) fn path(path: &WsPath) -> Self {
        Self { values: vec![Plain::annotated(format!("//{path}"), PATH)], ..Self::file("") }
    }

    /// The same as an item of a fan-out.
    pub(crate) fn into_item(mut self) -> Self {
        for plain in &mut self.values {
            let is_path = plain.annotation.as_deref() == Some(PATH);
            plain.annotation = Some(Cow::Borrowed(if is_path { ITEM_PATH } else { ITEM }));
        }
        self
    }

    /// The same, with a field more.
    pub(crate) fn with(mut self, name: impl Into<Cow<'static, str>>, field: Self) -> Self {
        self.fields.insert(name, field);
        self
    }

    /// What `path` means in it.
    pub(crate) fn field(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |binding, name| {
            binding.fields.get(name).or_else(|| binding.any.then_some(binding))
        })
    }

    /// How it reads in a text; nothing for files, lists and what is unset.
    pub(crate) fn as_text(&self) -> Option<String> {
        match self.values.as_slice() {
            [plain] if !self.list && !self.file => scalar_text(&plain.scalar),
            _ => None,
        }
    }

    /// A typed value, whose relative paths and labels are settled.
    pub(crate) fn of_value(value: &AttrValue) -> Self {
        match value {
            AttrValue::Bool(flag) => Self::one(Scalar::Bool(*flag)),
            AttrValue::Int(number) => Self::one(Scalar::Int(*number)),
            AttrValue::Float(number) => Self::one(Scalar::Float(*number)),
            AttrValue::Text(text) | AttrValue::Secret(text) => Self::text(text),
            AttrValue::Duration(time) => Self::text(format!("{}s", units::seconds(*time))),
            AttrValue::Size(bytes) => Self::text(format!("{bytes}B")),
            AttrValue::Label(label, _) => Self::text(label.to_string()),
            AttrValue::File(file) if file.item => {
                Self::of_value(&AttrValue::File(FileUse { item: false, ..file.clone() }))
                    .into_item()
            }
            AttrValue::File(file) => match &file.what {
                FileName::Path(path) => {
                    Self { placeholder: file.placeholder.clone(), ..Self::path(path) }
                }
                FileName::Reference(reference) => {
                    let placeholder = file.placeholder.clone();
                    Self { placeholder, ..Self::file(reference.to_string()) }
                }
                FileName::Glob { pattern, .. } => {
                    let pattern = Plain::annotated(pattern.clone(), "glob");
                    Self { values: vec![pattern], ..Self::file("") }
                }
            },
            AttrValue::List(values) => {
                let each: Vec<Self> = values.iter().map(Self::of_value).collect();
                Self {
                    file: each.iter().any(|one| one.file),
                    list: true,
                    values: each.into_iter().flat_map(|one| one.values).collect(),
                    ..Self::default()
                }
            }
            AttrValue::Map(_) => Self::default(),
        }
    }

    /// A JSON value: an object has fields, and other values stand for themselves.
    pub(crate) fn of_json(json: &serde_json::Value) -> Self {
        use serde_json::Value;
        match json {
            Value::Array(values) if values.iter().all(|value| scalar(value).is_some()) => {
                let values = values.iter().filter_map(scalar).map(Plain::of).collect();
                Self { values, list: true, ..Self::default() }
            }
            Value::Object(fields) => {
                let whole = Self::text(json.to_string());
                fields.iter().fold(whole, |whole, (name, field)| {
                    whole.with(name.clone(), Self::of_json(field))
                })
            }
            Value::Null => Self::default(),
            other => scalar(other).map_or_else(|| Self::text(other.to_string()), Self::one),
        }
    }

    /// Its value for a command's text.
    pub(crate) fn to_value(&self) -> AttrValue {
        let value = |plain: &Plain| match &plain.scalar {
            Scalar::Text(text) => AttrValue::Text(text.clone()),
            Scalar::Int(number) => AttrValue::Int(*number),
            Scalar::Float(number) => AttrValue::Float(*number),
            Scalar::Bool(flag) => AttrValue::Bool(*flag),
            Scalar::Null => AttrValue::Text(String::new()),
        };
        match self.values.as_slice() {
            [plain] if !self.list => value(plain),
            values => AttrValue::List(values.iter().map(value).collect()),
        }
    }
}

/// How a plain value reads in a text.
pub(crate) fn scalar_text(scalar: &Scalar) -> Option<String> {
    match scalar {
        Scalar::Text(text) => Some(text.clone()),
        Scalar::Int(number) => Some(number.to_string()),
        Scalar::Float(number) => Some(number.0.to_string()),
        Scalar::Bool(flag) => Some(flag.to_string()),
        Scalar::Null => None,
    }
}

fn scalar(json: &serde_json::Value) -> Option<Scalar> {
    use serde_json::Value;
    match json {
        Value::String(text) => Some(Scalar::Text(text.clone())),
        Value::Bool(flag) => Some(Scalar::Bool(*flag)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Some(Scalar::Int(whole)),
            // It would lose digits as another number.
            None if number.is_u64() => Some(Scalar::Text(number.to_string())),
            None => number.as_f64().map(|number| Scalar::Float(Float(number))),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
