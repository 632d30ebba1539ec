//! The functions of the query language and how they are called.

use vwfb_rules::nearest;

/// A function's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Deps,
    Rdeps,
    AllPaths,
    SomePath,
    Kind,
    Attr,
    Filter,
    Outputs,
    Inputs,
}

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    Set,
    Text,
    /// A number that may be left out.
    Depth,
}

/// How a function is called.
pub(super) struct Signature {
    pub(super) name: &'static str,
    pub(super) function: Function,
    pub(super) parameters: &'static [Parameter],
    pub(super) usage: &'static str,
}

const SIGNATURES: &[Signature] = {
    use Parameter::{Depth, Set, Text};
    const fn signature(
        name: &'static str,
        function: Function,
        parameters: &'static [Parameter],
        usage: &'static str,
    ) -> Signature {
        Signature { name, function, parameters, usage }
    }
    &[
        signature("deps", Function::Deps, &[Set, Depth], "deps(x[, depth])"),
        signature("rdeps", Function::Rdeps, &[Set, Set, Depth], "rdeps(universe, x[, depth])"),
        signature("allpaths", Function::AllPaths, &[Set, Set], "allpaths(from, to)"),
        signature("somepath", Function::SomePath, &[Set, Set], "somepath(from, to)"),
        signature("kind", Function::Kind, &[Text, Set], "kind(regex, x)"),
        signature("attr", Function::Attr, &[Text, Text, Set], "attr(name, regex, x)"),
        signature("filter", Function::Filter, &[Text, Set], "filter(regex, x)"),
        signature("outputs", Function::Outputs, &[Set], "outputs(x)"),
        signature("inputs", Function::Inputs, &[Set], "inputs(x)"),
    ]
};

impl Signature {
    /// The function called `name`.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        SIGNATURES.iter().find(|signature| signature.name == name)
    }

    /// How many arguments it cannot do without.
    pub(super) fn needed(&self) -> usize {
        self.parameters.iter().filter(|parameter| **parameter != Parameter::Depth).count()
    }
}

/// What to write instead of `name`, which is no function.
pub(super) fn hint(name: &str) -> String {
    let names = SIGNATURES.iter().map(|signature| signature.name);
    match nearest(name, names.clone()).and_then(Signature::named) {
        Some(Signature { name, usage, .. }) => {
            format!("did you mean `{name}`, called as `{usage}`?")
        }
        None => format!("the functions are {}", names.collect::<Vec<_>>().join(", ")),
    }
}
