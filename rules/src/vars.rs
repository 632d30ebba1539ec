//! Variables: their declarations, the overrides of a build, and what they come down to.

mod check;
mod overrides;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use check::check_overrides;
pub(crate) use overrides::override_values;
pub use overrides::{OverrideError, Overrides, VarOverride, listed};

use crate::binding::Plain;
use crate::codes::{BAD_NODE, DUPLICATE_NAME, WRONG_TYPE};
use crate::diagnostic::{Anchor, Diagnostic};
use crate::frame::Place;
use crate::label::{WsPath, is_name};
use crate::package::PackageDef;
use crate::placeholder::Placeholder;
use crate::read::{self, Problems};
use crate::rule::{AttrDef, AttrType, Shape};
use crate::schema;
use crate::syntax::{Node, Scalar, Value};
use crate::typed::{check_count, typed};
use crate::value::AttrValue;
use crate::workspace::{ProfileDef, WorkspaceDef};

/// A declared variable: an entry of a `vars` or `params` node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VarDef {
    /// Its name.
    pub name: String,
    /// Its type: declared for a param, that of its value for a var.
    pub schema: AttrDef,
    /// Its values as written; one, or several for a list.
    pub values: Vec<Value>,
    /// Whether it has none, so that a build has to give it one.
    pub is_required: bool,
    /// Where it is declared.
    pub anchor: Anchor,
}

/// The variables one package sees.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vars {
    values: Arc<BTreeMap<String, VarValue>>,
    /// The params that need a value and have none.
    unset: Arc<BTreeMap<String, Anchor>>,
}

/// What a variable comes down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VarValue {
    /// Its plain values, for a value that is wholly this variable.
    pub scalars: Vec<Plain>,
    /// Its typed value, for texts.
    pub value: AttrValue,
    /// What stands in for the file that it names while that is missing.
    pub(crate) placeholder: Option<Arc<Placeholder>>,
}

impl Vars {
    /// The value of `name`.
    pub fn value(&self, name: &str) -> Option<&VarValue> {
        self.values.get(name)
    }

    /// The same, but for `given`.
    pub(crate) fn with(&self, given: BTreeMap<String, VarValue>) -> Self {
        let (mut values, mut unset) = (BTreeMap::clone(&self.values), BTreeMap::clone(&self.unset));
        for (name, value) in given {
            unset.remove(&name);
            values.insert(name, value);
        }
        Self { values: Arc::new(values), unset: Arc::new(unset) }
    }

    /// Where `name` is declared, if it is a param that needs a value and has none.
    pub fn unset(&self, name: &str) -> Option<&Anchor> {
        self.unset.get(name)
    }

    /// Whether any that is declared has no value.
    pub fn has_unset(&self) -> bool {
        !self.unset.is_empty()
    }

    /// The names in sight, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }
}

/// The variables that the targets of `package` see.
///
/// Precedence: an override for the package, one for all, the profile, the workspace's file of params,
/// the package, the workspace.
/// An override that does not fit is left out here and reported by [`check_overrides`].
pub fn vars(workspace: &WorkspaceDef, package: &PackageDef, overrides: &Overrides) -> Vars {
    let profile = profile_of(workspace, overrides);
    let (mut vars, mut unset) = (BTreeMap::new(), BTreeMap::new());
    let places = [(&workspace.vars, None), (&package.vars, Some(&package.package))];
    for (defs, place) in places {
        for def in defs {
            unset.remove(&def.name);
            if let Some(value) = value_of(def, place, profile, overrides) {
                vars.insert(def.name.clone(), value);
            } else if def.is_required {
                vars.remove(&def.name);
                unset.insert(def.name.clone(), def.anchor.clone());
            }
        }
    }
    Vars { values: Arc::new(vars), unset: Arc::new(unset) }
}

fn profile_of<'w>(workspace: &'w WorkspaceDef, overrides: &Overrides) -> Option<&'w ProfileDef> {
    let name = overrides.profile.as_ref()?;
    workspace.profiles.iter().find(|profile| profile.name == *name)
}

fn value_of(
    def: &VarDef,
    place: Option<&WsPath>,
    profile: Option<&ProfileDef>,
    overrides: &Overrides,
) -> Option<VarValue> {
    let of = |sets: &[VarOverride]| {
        let named = |set: &&VarOverride| set.name == def.name;
        let own = sets.iter().rev().filter(named);
        let of_place = |set: &&VarOverride| set.package.is_some() && set.package.as_ref() == place;
        let found = own.clone().find(of_place);
        let found = found.or_else(|| own.clone().find(|set| set.package.is_none()));
        found.and_then(|set| override_values(def, set).ok())
    };
    let from_profile = profile
        .and_then(|profile| profile.vars.iter().find(|var| var.name == def.name))
        .map(|var| var.values.clone());
    let own = (!def.is_required).then(|| def.values.clone());
    let given = [of(&overrides.vars), from_profile, of(&overrides.params), own];
    given.into_iter().flatten().find_map(|values| {
        let value = typed_values(def, &values).ok()?;
        let scalars = values.into_iter().map(Plain::from).collect();
        Some(VarValue { scalars, value, placeholder: def.schema.placeholder.clone() })
    })
}

pub(crate) fn typed_values(def: &VarDef, values: &[Value]) -> Result<AttrValue, Diagnostic> {
    // What paths mean is settled by the target that uses the variable; here they only have to be some.
    let folder = def.anchor.file.parent().unwrap_or_default();
    let place = Place::of(&folder);
    if def.schema.shape == Shape::List {
        let list: Result<_, _> =
            values.iter().map(|value| typed(value, &def.schema, place)).collect();
        check_count(&def.schema, values.len(), values.last().map_or(&def.anchor, |it| &it.anchor))?;
        return list.map(AttrValue::List);
    }
    match values {
        [value] => typed(value, &def.schema, place),
        _ => {
            let message = format!("`{}` has one value, not {}", def.name, values.len());
            let anchor = values.get(1).map_or(&def.anchor, |value| &value.anchor);
            Err(Diagnostic::error(WRONG_TYPE, message).at(anchor))
        }
    }
}

/// Takes in the entries of a `vars` or `params` node.
pub(crate) fn add_vars(
    node: &Node,
    file: &WsPath,
    vars: &mut Vec<VarDef>,
    problems: &mut Problems,
) {
    read::only_props(node, &[], problems);
    read::no_args(node, problems);
    for child in &node.children {
        let def = match node.name.as_str() {
            "params" => param(child, file, problems),
            _ => var(child, problems),
        };
        let Some(def) = def else { continue };
        if !is_name(&def.name) {
            let message = format!("`{}` is not a name", def.name);
            problems.push(Diagnostic::error(crate::codes::BAD_NAME, message).at(&def.anchor));
        }
        match vars.iter().find(|other| other.name == def.name) {
            Some(first) => problems.push(
                Diagnostic::error(DUPLICATE_NAME, format!("`{}` is declared twice", def.name))
                    .noted(&def.anchor, "again here")
                    .noted(&first.anchor, "first here"),
            ),
            None => vars.push(def),
        }
    }
}

/// A variable with the type of its value.
fn var(node: &Node, problems: &mut Problems) -> Option<VarDef> {
    read::only_props(node, &[], problems);
    read::no_children(node, problems);
    if node.args.is_empty() {
        let _ = read::one_arg(node, "the variable's value", problems);
        return None;
    }
    let types: Vec<Option<AttrType>> =
        node.args.iter().map(|value| type_of(&value.scalar)).collect();
    for value in &node.args {
        read::no_annotation(value, problems);
    }
    if let Some(at) = types.iter().position(|ty| ty.is_none() || *ty != types[0]) {
        let wanted = if at == 0 { "a text, number or flag" } else { "values of one type" };
        problems.push(read::wrong_type(&node.args[at], wanted));
        return None;
    }
    let shape = if node.args.len() == 1 { Shape::Single } else { Shape::List };
    let schema = AttrDef { shape, ..AttrDef::plain(&node.name, types[0]?, &node.anchor) };
    let (values, anchor) = (node.args.clone(), node.anchor.clone());
    Some(VarDef { name: node.name.clone(), schema, values, is_required: false, anchor })
}

/// A variable with a declared type and a default.
fn param(node: &Node, file: &WsPath, problems: &mut Problems) -> Option<VarDef> {
    read::no_args(node, problems);
    let folder = file.parent().unwrap_or_default();
    let schema = schema::schema(node, &node.name, &folder, problems)?;
    let anchor = node.anchor.clone();
    if schema.ty == AttrType::Secret || schema.shape == Shape::Map {
        let message = "a param is neither a secret nor a map";
        problems.push(Diagnostic::error(BAD_NODE, message).at(&anchor));
        return None;
    }
    let is_required = schema.default.is_none();
    let values = schema.default.clone().unwrap_or_default();
    Some(VarDef { name: node.name.clone(), schema, values, is_required, anchor })
}

const fn type_of(scalar: &Scalar) -> Option<AttrType> {
    match scalar {
        Scalar::Text(_) => Some(AttrType::Text),
        Scalar::Int(_) => Some(AttrType::Int),
        Scalar::Float(_) => Some(AttrType::Float),
        Scalar::Bool(_) => Some(AttrType::Bool),
        Scalar::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::package;
    use crate::workspace::workspace;

    const WORKSPACE: &str = "workspace \"w\" {
        vars { width 1080; voice \"en\"; fast #false; langs \"en\" \"de\" }
        params { mode type=\"enum\" default=\"a\" { values \"a\" \"b\" } }
        profile \"draft\" { width 540 }
    }";

    fn world(build: &str) -> (WorkspaceDef, PackageDef) {
        let workspace = workspace(&WsPath::new("WORKSPACE.kdl").unwrap(), WORKSPACE);
        assert_eq!(workspace.problems, []);
        let package = package(&WsPath::new("p/BUILD.kdl").unwrap(), build);
        assert_eq!(package.problems, []);
        (workspace.value, package.value)
    }

    fn overrides(profile: Option<&str>, vars: &[&str]) -> Overrides {
        let vars = vars.iter().map(|text| VarOverride::parse(text).unwrap()).collect();
        Overrides { profile: profile.map(Into::into), vars, ..Overrides::default() }
    }

    fn width(build: &str, profile: Option<&str>, set: &[&str]) -> String {
        let (workspace, package) = world(build);
        let vars = vars(&workspace, &package, &overrides(profile, set));
        vars.value("width").unwrap().value.text().unwrap()
    }

    fn problems(build: &str, profile: Option<&str>, set: &[&str]) -> Vec<String> {
        let (workspace, package) = world(build);
        let problems = check_overrides(&workspace, [&package], &overrides(profile, set));
        problems.iter().map(|p| format!("{}: {}", p.code, p.message)).collect()
    }

    #[test]
    fn a_file_of_params_is_weaker_than_a_profile() {
        let (workspace, package) = world("");
        let of = |profile: Option<&str>, set: &[&str]| {
            let params = vec![VarOverride::parse("width=300").unwrap()];
            let overrides = Overrides { params, ..overrides(profile, set) };
            let vars = vars(&workspace, &package, &overrides);
            vars.value("width").unwrap().value.text().unwrap()
        };
        assert_eq!(
            [of(None, &[]), of(Some("draft"), &[]), of(None, &["width=5"])],
            ["300", "540", "5"]
        );
        let params = vec![VarOverride::parse("widht=300").unwrap()];
        let overrides = Overrides { params, ..Overrides::default() };
        assert_eq!(check_overrides(&workspace, [&package], &overrides).len(), 1);
    }

    #[test]
    fn the_nearer_setting_wins() {
        assert_eq!(width("", None, &[]), "1080");
        assert_eq!(width("vars { width 720 }", None, &[]), "720");
        assert_eq!(width("vars { width 720 }", Some("draft"), &[]), "540");
        assert_eq!(width("vars { width 720 }", Some("draft"), &["width=5"]), "5");
        assert_eq!(width("vars { width 720 }", None, &["//p:width=7", "width=5"]), "7");
        assert_eq!(width("vars { width 720 }", None, &["//q:width=7"]), "720");
        assert_eq!(width("", None, &["width=1", "width=2"]), "2");
    }

    #[test]
    fn a_param_may_be_a_path_above_its_package() {
        let (workspace, package) = world("params { logo type=\"file\" default=\"../logo.png\" }");
        let vars = vars(&workspace, &package, &overrides(None, &[]));
        assert!(vars.value("logo").is_some());
    }

    #[test]
    fn a_list_may_be_in_brackets() {
        let (workspace, package) = world("");
        let count = |set: &str| {
            let vars = vars(&workspace, &package, &overrides(None, &[set]));
            vars.value("langs").unwrap().scalars.len()
        };
        assert_eq!([count("langs=[fr, it]"), count("langs=[]"), count("langs=a")], [2, 0, 1]);
    }

    #[test]
    fn what_has_a_comma_stands_in_quotes() {
        let (workspace, package) = world("");
        let texts = |set: &str| {
            let vars = vars(&workspace, &package, &overrides(None, &[set]));
            let plain = vars.value("langs").unwrap().scalars.clone();
            let text = |plain: &Plain| crate::binding::scalar_text(&plain.scalar).unwrap();
            plain.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(texts(r#"langs=["a, b", c , "d"]"#), ["a, b", "c", "d"]);
        assert_eq!(texts(r#"langs=["a \"b, c\" \\", "\n"]"#), ["a \"b, c\" \\", "\n"]);
        assert_eq!(texts(r#"langs=[5" disk, it]"#), ["5\" disk", "it"]);
        assert_eq!(texts(r#"langs=["a, b]"#), ["\"a, b"]);
        assert_eq!(texts(r#"langs="a",b"#), ["\"a\"", "b"]);
    }

    #[test]
    fn a_file_has_values_with_their_types() {
        let read = |name: &str, text: &str| {
            let vars = VarOverride::read(&WsPath::new(name).unwrap(), text)?;
            Ok::<_, String>(Overrides { vars, ..Overrides::default() })
        };
        let (workspace, package) = world("vars { own \"x\" }");
        for (name, text) in [
            ("v.kdl", "width 5\nlangs \"a,b\" \"c\"\n\"//p:own\" \"y\"\n"),
            ("v.json", r#"{ "width": 5, "langs": ["a,b", "c"], "//p:own": "y" }"#),
        ] {
            let set = read(name, text).unwrap();
            assert_eq!(check_overrides(&workspace, [&package], &set), []);
            let vars = vars(&workspace, &package, &set);
            let text = |name: &str| vars.value(name).unwrap().value.text();
            assert_eq!((text("width"), text("own")), (Some("5".into()), Some("y".into())));
            assert_eq!(vars.value("langs").unwrap().scalars.len(), 2, "a comma is a part of it");
        }
        let set = read("v.json", r#"{ "width": "wide" }"#).unwrap();
        assert_eq!(check_overrides(&workspace, [&package], &set).len(), 1);
        assert!(read("v.kdl", "a 1\nb {\n").unwrap_err().starts_with("line 2"));
        assert!(read("v.kdl", "a 1\nb\n").unwrap_err().contains("line 2: write `b value`"));
        assert!(read("v.json", "[1]").unwrap_err().contains("no JSON object"));
        assert!(read("v.json", r#"{"a": {"b": 1}}"#).unwrap_err().contains("`a` is neither"));
        assert!(read("v.kdl", "\"a b\" 1").unwrap_err().contains("`a b`"));
    }

    #[test]
    fn an_override_is_parsed_to_the_variables_type() {
        let (workspace, package) = world("");
        let set = overrides(None, &["fast=true", "langs=fr,it", "mode=b", "voice=12"]);
        assert_eq!(check_overrides(&workspace, [&package], &set), []);
        let vars = vars(&workspace, &package, &set);
        assert_eq!(vars.value("fast").unwrap().value, AttrValue::Bool(true));
        assert_eq!(vars.value("langs").unwrap().scalars.len(), 2);
        assert_eq!(vars.value("voice").unwrap().value, AttrValue::Text("12".into()));
    }

    #[test]
    fn overrides_that_do_not_fit_are_reported() {
        assert_eq!(
            problems("", None, &["widht=5"]),
            ["unknown-var: no variable named `widht`, which `--var widht=5` sets"]
        );
        assert_eq!(
            problems("", None, &["//q:width=5"]),
            ["unknown-package: no package `//q`, which `--var //q:width=5` is for"]
        );
        assert_eq!(problems("", None, &["//p:width=5"]).len(), 1);
        assert_eq!(problems("", Some("darft"), &[]), ["unknown-profile: no profile named `darft`"]);
        assert_eq!(
            problems("", None, &["mode=c"]),
            ["bad-override: `--var mode=c` does not fit: `mode` cannot be `c`"]
        );
        assert!(problems("", None, &["width=wide"])[0].starts_with("bad-override"));
        assert!(problems("vars { width \"x\" }", None, &[])[0].starts_with("wrong-type"));
    }
}
