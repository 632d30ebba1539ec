//! `template.kdl`: what `vwfb new` makes a package of, and the values that it asks for.
//!
//! [`fields`] says how they come into the files of the package.

pub mod fields;
mod headings;
mod lacking;

use std::collections::BTreeMap;

use self::fields::Fields;
pub use self::headings::Headings;
pub use self::lacking::lacking;
use crate::binding::scalar_text;
use crate::codes::{BAD_NODE, BAD_OVERRIDE, RESERVED_NAME, UNKNOWN_VAR};
use crate::diagnostic::{Checked, Diagnostic};
use crate::label::WsPath;
use crate::read::{self, Problems};
use crate::rule::{AttrType, Shape};
use crate::suggest::did_you_mean;
use crate::syntax::{Node, Scalar, nodes};
use crate::typed::{check_count, check_extension};
use crate::vars::{VarDef, VarOverride, add_vars, override_values, typed_values};

/// The file that makes a folder a package template.
pub const TEMPLATE_FILE: &str = "template.kdl";

/// The ending of the files with fields, which the files made of them lack.
pub const FILLED: &str = ".in";

/// The field that every template has: the package's path from the workspace's root.
pub const PACKAGE: &str = "package";

/// Another one: what a workspace that is made for the package is called.
pub const WORKSPACE: &str = "workspace";

/// What a `template.kdl` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageTemplate {
    /// What packages it makes, for people.
    pub doc: Option<String>,
    /// The values that it asks for, in order.
    pub params: Vec<VarDef>,
    /// What files that are given are divided into.
    pub headings: Vec<Headings>,
}

/// The package template that `text` declares, and what is wrong with it.
pub fn package_template(file: &WsPath, text: &str) -> Checked<PackageTemplate> {
    let Checked { value: nodes, problems } = nodes(file, text);
    let mut problems = Problems(problems);
    let mut template = PackageTemplate::default();
    for node in &nodes {
        match node.name.as_str() {
            "doc" => template.doc = doc(node, &mut problems),
            "params" => add_vars(node, file, &mut template.params, &mut problems),
            "headings" => template.headings.extend(Headings::read(node, &mut problems)),
            _ => read::unknown_child(
                TEMPLATE_FILE,
                node,
                &["doc", "params", "headings"],
                &mut problems,
            ),
        }
    }
    for headings in &template.headings {
        if template.param(&headings.param).is_none_or(|param| param.schema.ty != AttrType::File) {
            let message = format!("`{}` is no param that is a file", headings.param);
            problems.push(Diagnostic::error(BAD_NODE, message).at(&headings.anchor));
        }
    }
    let mut fields = Fields::default();
    for param in &template.params {
        for problem in fields.add(param, None) {
            problems.push(problem);
        }
        if [PACKAGE, WORKSPACE, "else", "end"].contains(&param.name.as_str()) {
            let message = format!("no param of a template can be called `{}`", param.name);
            let hint = format!("`@{}@` means something else; choose another name", param.name);
            problems.push(Diagnostic::error(RESERVED_NAME, message).at(&param.anchor).hint(hint));
        }
        if param.schema.ty == AttrType::Label {
            let message = "a template asks for no labels";
            problems.push(Diagnostic::error(BAD_NODE, message).at(&param.anchor));
        }
    }
    Checked { value: template, problems: problems.0 }
}

fn doc(node: &Node, problems: &mut Problems) -> Option<String> {
    read::only_props(node, &[], problems);
    read::no_children(node, problems);
    read::text_arg(node, "what the template makes", problems).map(str::to_owned)
}

/// Values by the names of params.
pub type Given = BTreeMap<String, Vec<Scalar>>;

impl PackageTemplate {
    /// The param of that name.
    pub fn param(&self, name: &str) -> Option<&VarDef> {
        self.params.iter().find(|param| param.name == name)
    }

    /// The params, none of which may be left out, that a blank text comes to.
    pub fn blank(&self, given: &Given) -> Vec<&VarDef> {
        let fields = Fields::new(self, given, &WsPath::root(), "");
        self.params.iter().filter(|param| fields.is_blank(param)).collect()
    }

    /// What `sets` give the params, the last one of each, and what is wrong with that.
    pub fn given(&self, sets: &[VarOverride]) -> Checked<Given> {
        let mut given = Checked::clean(Given::new());
        for set in sets {
            match self.values(set) {
                Ok((param, values)) => {
                    given.value.insert(param.name.clone(), values);
                }
                Err(problem) => given.problems.push(problem),
            }
        }
        given
    }

    fn values(&self, set: &VarOverride) -> Result<(&VarDef, Vec<Scalar>), Diagnostic> {
        let param = self.param(&set.name).filter(|_| set.package.is_none()).ok_or_else(|| {
            let names: Vec<&str> = self.params.iter().map(|param| param.name.as_str()).collect();
            let hint = did_you_mean(&set.name, names.iter().copied())
                .unwrap_or_else(|| format!("it has {}", read::list(&names)));
            let message = format!("the template has no param that `{}` sets", set.shown());
            Diagnostic::error(UNKNOWN_VAR, message).hint(hint)
        })?;
        let fits = override_values(param, set).and_then(|values| {
            if param.schema.ty.is_file() {
                check_count(&param.schema, values.len(), &param.anchor)?;
                values.iter().try_for_each(|value| check_file(param, &value.scalar))?;
            } else {
                typed_values(param, &values)?;
                values.iter().try_for_each(|value| check_text(param, &value.scalar))?;
            }
            if values.is_empty() && param.schema.required() {
                let message = format!("`{}` has at least one value", param.name);
                return Err(Diagnostic::error(BAD_OVERRIDE, message).at(&param.anchor));
            }
            Ok(values)
        });
        match fits {
            Ok(values) => Ok((param, values.into_iter().map(|value| value.scalar).collect())),
            Err(problem) => {
                let message = format!("`{}` does not fit: {}", set.shown(), problem.message);
                Err(Diagnostic::error(BAD_OVERRIDE, message).maybe_hint(problem.hint))
            }
        }
    }
}

/// Whether `scalar` is no blank text, unless `param` may be left out.
fn check_text(param: &VarDef, scalar: &Scalar) -> Result<(), Diagnostic> {
    match scalar {
        Scalar::Text(text) if text.trim().is_empty() && !param.schema.optional => {
            let message = format!("expected a text for `{}`, found a blank one", param.name);
            Err(Diagnostic::error(BAD_OVERRIDE, message).at(&param.anchor))
        }
        _ => Ok(()),
    }
}

/// Whether `scalar` may be the name of a file on disk for `param`; whether it is there is for others
/// to say.
fn check_file(param: &VarDef, scalar: &Scalar) -> Result<(), Diagnostic> {
    let fault = |message: String| Diagnostic::error(BAD_OVERRIDE, message).at(&param.anchor);
    let Scalar::Text(text) = scalar else {
        return Err(fault(format!("expected a path, found {}", scalar.described())));
    };
    let name = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if param.schema.ty != AttrType::File && matches!(name, "." | "..") {
        return Ok(());
    }
    let path = WsPath::root().join(name).map_err(|error| fault(error.to_string()))?;
    if text.is_empty() || (param.schema.ty == AttrType::File && path.is_root()) {
        return Err(fault(format!("`{text}` names no file")));
    }
    check_extension(&path, &param.schema, &param.anchor)
}

/// How a value of `param` is written on a command line, if it has one of `values`.
pub fn written(param: &VarDef, values: &[Scalar]) -> String {
    let texts: Vec<String> = values.iter().filter_map(scalar_text).collect();
    if param.schema.shape != Shape::List {
        return texts.concat();
    }
    let plain = |text: &str| {
        !text.is_empty()
            && text.trim() == text
            && !text.contains([',', '"', '\\'])
            && !text.contains(char::is_control)
    };
    let piece = |text: &String| match plain(text) {
        true => text.clone(),
        false => serde_json::Value::from(text.as_str()).to_string(),
    };
    format!("[{}]", texts.iter().map(piece).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "doc \"A film.\"
params {
    number type=\"int\" min=1
    concepts type=\"string\" list=#true count=2 doc=\"What it is about.\"
    picture type=\"file\" default=\"assets/picture.png\" { extensions \"png\" \"jpg\" }
    review type=\"bool\" default=#false
}";

    fn template() -> PackageTemplate {
        let checked = package_template(&WsPath::new("t/template.kdl").unwrap(), TEMPLATE);
        assert_eq!(checked.problems, []);
        checked.value
    }

    fn sets(texts: &[&str]) -> Vec<VarOverride> {
        texts.iter().map(|text| VarOverride::parse(text).unwrap()).collect()
    }

    #[test]
    fn values_are_read_by_the_types_of_the_params() {
        let set = sets(&["number=1", "number=17", "concepts=[\"a, b\", c]", "picture=/x/y.JPG"]);
        let given = template().given(&set);
        assert_eq!(given.problems, []);
        assert_eq!(given.value["number"], [Scalar::Int(17)]);
        let texts = |texts: &[&str]| -> Vec<Scalar> {
            texts.iter().map(|text| Scalar::Text((*text).into())).collect()
        };
        assert_eq!(given.value["concepts"], texts(&["a, b", "c"]));
        assert_eq!(given.value["picture"], texts(&["/x/y.JPG"]));
        let concepts = template().param("concepts").cloned().unwrap();
        assert_eq!(written(&concepts, &given.value["concepts"]), "[\"a, b\", c]");
    }

    #[test]
    fn everything_that_does_not_fit_is_told() {
        let set = sets(&[
            "number=0",
            "concepts=[a]",
            "concepts=[a, ]",
            "concepts=[]",
            "picture=x.gif",
            "revew=true",
            "//p:number=1",
        ]);
        let problems = template().given(&set).problems;
        let told: Vec<String> = problems
            .iter()
            .map(|it| format!("{} ({})", it.message, it.hint.as_deref().unwrap_or("")))
            .collect();
        assert_eq!(
            told,
            [
                "`--var number=0` does not fit: `number` is at least 1, not 0 ()",
                "`--var concepts=[a]` does not fit: `concepts` has 2 values, not 1 ()",
                "`--var concepts=[a, ]` does not fit: expected a text for `concepts`, found a blank one ()",
                "`--var concepts=[]` does not fit: `concepts` has 2 values, not 0 ()",
                "`--var picture=x.gif` does not fit: `picture` cannot be `x.gif` (it takes files \
                 that end in `.png`, `.jpg`)",
                "the template has no param that `--var revew=true` sets (did you mean `review`?)",
                "the template has no param that `--var //p:number=1` sets (it has `number`, \
                 `concepts`, `picture`, `review`)",
            ]
        );
    }

    #[test]
    fn a_template_has_a_doc_and_params() {
        let file = WsPath::new("t/template.kdl").unwrap();
        let text =
            "params { a type=\"string\" default=\"@b@\"; b type=\"string\" default=\"@a@\" }";
        assert_eq!(package_template(&file, text).problems.len(), 1);
        let text = "targets\nparams { package type=\"int\"; key type=\"secret\" }";
        let codes: Vec<&str> =
            package_template(&file, text).problems.iter().map(|it| it.code.as_str()).collect();
        assert_eq!(codes, ["unknown-node", "bad-node", "reserved-name"]);
    }
}
