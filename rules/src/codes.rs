//! Every diagnostic code, once: what a diagnostic may carry and what `docs/errors/` must explain.

use std::fmt;

/// The stable name of a kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(&'static str);

impl Code {
    /// The name, kebab-case.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $title:literal;)*) => {
        $(#[doc = $title] pub const $name: Code = Code($code);)*

        /// Every code with its one-line title.
        pub const ALL: &[(Code, &str)] = &[$(($name, $title)),*];
    };
}

codes! {
    SYNTAX_ERROR = "syntax-error", "The text is not KDL 2.";
    KDL_V1 = "kdl-v1", "The text uses a KDL 1 spelling.";
    UNREADABLE_FILE = "unreadable-file", "A rule file cannot be read.";
    TOO_DEEP = "too-deep", "Braces are nested too deeply.";
    UNKNOWN_NODE = "unknown-node", "A node has no meaning where it stands.";
    UNKNOWN_PROPERTY = "unknown-property", "A node does not take this property.";
    BAD_NODE = "bad-node", "A node lacks an argument or has one too many.";
    UNKNOWN_ANNOTATION = "unknown-annotation", "A value has a type annotation with no meaning.";
    BAD_NAME = "bad-name", "A name has a character that names may not have.";
    RESERVED_NAME = "reserved-name", "A name has a meaning of its own.";
    BAD_PACKAGE_NAME = "bad-package-name", "A folder's name cannot be part of a label.";
    DUPLICATE_TARGET = "duplicate-target", "Two targets of a package have one name.";
    DUPLICATE_RULE = "duplicate-rule", "Two rules in sight have one name.";
    DUPLICATE_NAME = "duplicate-name", "Something is declared twice.";
    REPEATED_ATTRIBUTE = "repeated-attribute", "An attribute that is no list is given twice.";
    UNKNOWN_RULE = "unknown-rule", "A target names a rule that is not in sight.";
    UNKNOWN_ATTRIBUTE = "unknown-attribute", "A rule has no such attribute.";
    MISSING_ATTRIBUTE = "missing-attribute", "A required attribute is not given.";
    WRONG_TYPE = "wrong-type", "A value is not of its attribute's type.";
    WRONG_UNIT = "wrong-unit", "A duration, size or colour is not written as one.";
    OUT_OF_RANGE = "out-of-range", "A number is outside its attribute's range.";
    NOT_IN_ENUM = "not-in-enum", "A value is not one of those the attribute allows.";
    BAD_LABEL = "bad-label", "A label or reference is not written as one.";
    BAD_PATH = "bad-path", "A path leaves the workspace or is not written as one.";
    UNKNOWN_PACKAGE = "unknown-package", "A label names a package that does not exist.";
    UNKNOWN_LABEL = "unknown-label", "A label names a target that does not exist.";
    UNKNOWN_OUTPUT = "unknown-output", "A reference names an output the target does not have.";
    NOT_A_TREE = "not-a-tree", "A reference goes into an output that is no directory.";
    EMPTY_REFERENCE = "empty-reference", "A reference stands for no file where one is needed.";
    TOO_MANY_FILES = "too-many-files", "A reference stands for several files where one is needed.";
    WRONG_KIND = "wrong-kind", "A directory stands where a file is needed, or the reverse.";
    WRONG_MEDIA = "wrong-media", "A file is of another media kind than the attribute takes.";
    MISSING_FILE = "missing-file", "A file that a target names does not exist.";
    BAD_PLACEHOLDER = "bad-placeholder", "A placeholder is not written as one, or cannot stand where it is.";
    EMPTY_LIST = "empty-list", "Every element of a list is missing and left out.";
    OUTPUT_AS_SOURCE = "output-as-source", "A path points into vwfb's own folders.";
    BAD_GLOB = "bad-glob", "A glob pattern is not written as one.";
    EMPTY_GLOB = "empty-glob", "A glob matches no file.";
    BAD_INTERPOLATION = "bad-interpolation", "Braces in a text do not form an interpolation.";
    UNKNOWN_INTERPOLATION = "unknown-interpolation", "An interpolation names nothing in sight.";
    LIST_IN_TEXT = "list-in-text", "A list is interpolated where one value is needed.";
    FILE_IN_TEXT = "file-in-text", "A file is interpolated where plain text is needed.";
    QUOTED_INTERPOLATION = "quoted-interpolation", "A script interpolates where the shell would not read one word.";
    UNGUARDED_OPTIONAL = "unguarded-optional", "An argument uses an attribute that may be unset.";
    SECRET_MISUSE = "secret-misuse", "A secret is used where its value could be seen.";
    MISSING_RULE_FILE = "missing-rule-file", "A `use` names a rule file that does not exist.";
    UNKNOWN_VAR = "unknown-var", "A variable is not declared.";
    MISSING_PARAM = "missing-param", "A param without a default is given no value.";
    UNKNOWN_PROFILE = "unknown-profile", "A profile is not declared.";
    BAD_OVERRIDE = "bad-override", "A `--var` is not written as one or does not fit.";
    TOOL_NOT_ALLOWED = "tool-not-allowed", "A program is not in the workspace's list of tools.";
    UNKNOWN_SERVICE = "unknown-service", "A target asks a service that nothing declares.";
    UNKNOWN_PRELUDE = "unknown-prelude", "A rule names a prelude or attributes that are not in sight.";
    UNDECLARED_TOOL = "undeclared-tool", "A rule runs a program that it does not declare.";
    RESOURCE_TOO_LARGE = "resource-too-large", "A target asks for more than the workspace has.";
    INPUT_COLLISION = "input-collision", "Two inputs would have one path in the sandbox.";
    OUTPUT_OUTSIDE = "output-outside", "An output's path leaves its package's output folder.";
    OUTPUT_CONFLICT = "output-conflict", "Two outputs would have one path.";
    NO_ACTION = "no-action", "A rule or task does not say what to run.";
    TWO_ACTIONS = "two-actions", "A rule or task says twice what to run.";
    NO_OUTPUT = "no-output", "A rule or task declares no output.";
    BAD_ITEM = "bad-item", "The items of a fan-out cannot be read.";
    DUPLICATE_ITEM = "duplicate-item", "Two items of a fan-out have one name.";
    TOO_MANY_ITEMS = "too-many-items", "A fan-out has more items than it may.";
    CYCLE = "cycle", "Targets need one another in a circle.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_kebab_case_and_once() {
        for (index, (code, title)) in ALL.iter().enumerate() {
            assert!(code.as_str().chars().all(|c| c.is_ascii_lowercase() || c == '-' || c == '1'));
            assert!(title.ends_with('.'));
            assert!(ALL[..index].iter().all(|(other, _)| other != code), "{code} is there twice");
        }
    }
}
