//! What the rule language says about mistakes.

use crate::world::World;

fn one(build: &str) -> String {
    let problems = World::problems_of(build);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.into_iter().next().expect("there is one")
}

fn hint(build: &str) -> String {
    let world = World::new(&[("p/BUILD.kdl", build), ("p/a.txt", ""), ("p/a.png", "")]);
    world.hints().into_iter().next().expect("there is a problem")
}

const RULE: &str = r##"
rule "r" {
    attr "src" type="file" media="image" optional=#true
    attr "one" type="artifact" optional=#true
    attr "dir" type="tree" optional=#true
    attr "width" type="int" default=10 min=1 max=100
    attr "mode" type="enum" default="fast" { values "fast" "slow" }
    attr "pause" type="duration" default="1s"
    attr "size" type="size" default="1MiB"
    attr "color" type="color" default="#000000"
    attr "data" type="json" default="{{}}"
    attr "sure" type="bool" default=#true
    out "o" path="{name}.out"
    run "cat"
}
"##;

fn of(target: &str) -> String {
    one(&format!("{RULE}{target}"))
}

#[test]
fn values_must_fit_their_types() {
    assert_eq!(
        of("r \"x\" width=\"5\""),
        "wrong-type: expected a whole number for `width`, found the text `5`"
    );
    assert_eq!(
        of("r \"x\" width=2.5"),
        "wrong-type: expected a whole number for `width`, found the number `2.5`"
    );
    assert_eq!(of("r \"x\" width=101"), "out-of-range: `width` is at most 100, not 101");
    assert_eq!(of("r \"x\" mode=\"fsat\""), "not-in-enum: `mode` cannot be `fsat`");
    assert_eq!(of("r \"x\" pause=5"), "wrong-unit: expected a duration, found the number `5`");
    assert_eq!(of("r \"x\" size=\"5M\""), "wrong-unit: expected a size, found the text `5M`");
    assert_eq!(of("r \"x\" color=\"red\""), "wrong-unit: expected a colour, found the text `red`");
    assert_eq!(
        of("r \"x\" sure=\"true\""),
        "wrong-type: expected `#true` or `#false` for `sure`, found the text `true`"
    );
    assert!(of("r \"x\" data=\"[1,\"").starts_with("wrong-unit: this is not JSON"));
    assert_eq!(of("r \"x\" { width 1 2 }"), "bad-node: `width` takes one value, not 2");
    assert_eq!(hint(&format!("{RULE}r \"x\" mode=\"fsat\"")), "did you mean `fast`?");
}

#[test]
fn names_that_mean_nothing_are_suggested() {
    assert_eq!(one("taks \"x\""), "unknown-rule: no rule named `taks`");
    assert_eq!(hint("taks \"x\""), "did you mean `task`?");
    assert_eq!(hint("tts \"x\""), "add `use \"@std/audio\"` at the top");
    assert_eq!(of("r \"x\" widht=5"), "unknown-attribute: `r` has no attribute `widht`");
    assert_eq!(hint(&format!("{RULE}r \"x\" widht=5")), "did you mean `width`?");
    assert_eq!(of("r \"x\" one=\":y\""), "unknown-label: no target `:y`");
    assert_eq!(of("r \"x\" one=\"//q:y\""), "unknown-package: no package `//q`");
    assert_eq!(of("r \"x\" after=\":y\""), "unknown-label: no target `:y`");
    assert_eq!(of("r \"x\" width=\"{vars.w}\""), "unknown-var: no variable named `w`");
    assert_eq!(
        of("r \"yes\"\nr \"x\" one=\":yes#oo\""),
        "unknown-output: `//p:yes` has no output `oo`"
    );
}

#[test]
fn files_must_be_there_and_fit() {
    assert_eq!(of("r \"x\" src=\"a.pgn\""), "missing-file: no file `p/a.pgn`");
    assert_eq!(hint(&format!("{RULE}r \"x\" src=\"a.pgn\"")), "did you mean `a.png`?");
    assert_eq!(hint(&format!("{RULE}r \"x\" src=\"pics/a.png\"")), "there is no folder `pics`");
    assert_eq!(hint(&format!("{RULE}r \"y\"\nr \"x\" one=\"y\"")), "did you mean the target `:y`?");
    assert_eq!(
        of("r \"x\" src=\"a.txt\""),
        "wrong-media: `src` takes image, and `p/a.txt` is text/plain"
    );
    assert_eq!(
        of("r \"x\" dir=\"a.txt\""),
        "wrong-kind: `p/a.txt` is a file, and a directory is needed"
    );
    assert_eq!(of("r \"x\" src=\"//p\""), "wrong-kind: `p` is a directory, and a file is needed");
    assert_eq!(of("r \"x\" src=\"../../x\""), "bad-path: `../../x` leaves the workspace");
    assert_eq!(of("r \"x\" src=\"/etc/x\""), "bad-path: `/etc/x` is an absolute path");
    assert_eq!(
        of("r \"x\" src=\"//vwfb-out/p/x\""),
        "output-as-source: `vwfb-out/p/x` is in a folder of vwfb's own"
    );
    assert_eq!(of("r \"x\" one=(glob)\"*.zip\""), "empty-glob: `*.zip` matches no file");
    assert_eq!(
        of("r \"x\" one=(glob)\"a.*\""),
        "too-many-files: `a.*` stands for 2 files, and `one` takes one"
    );
    assert_eq!(of("r \"y\"\nr \"x\" one=\":y#o/z\""), "not-a-tree: `o` of `//p:y` is a file");
    assert_eq!(of("r \"x\" one=(glab)\"*\""), "unknown-annotation: `(glab)` means nothing here");
    assert_eq!(
        one(
            "task \"x\" {\n srcs (glob)\"*.zip\" allow-empty=#true\n out \"a/../../../b\"\n script \"touch {out}\"\n}"
        ),
        "output-outside: `a/../../../b` is no path below the package's output folder"
    );
}

#[test]
fn an_attribute_is_given_once() {
    assert_eq!(of("r \"x\" width=1 width=2"), "repeated-attribute: `width` is given twice");
    assert_eq!(of("r \"x\" width=1 { width 2 }"), "repeated-attribute: `width` is given twice");
    assert_eq!(
        one(
            "rule \"q\" {\n attr \"a\" type=\"int\"\n out \"o\" path=\"o\"\n run \"cat\"\n}\nq \"x\""
        ),
        "missing-attribute: `q` needs `a`"
    );
}

#[test]
fn one_place_has_one_output() {
    let task = |name: &str, out: &str| {
        format!("task \"{name}\" {{ out \"{out}\"; script \"touch {{out}}\" }}\n")
    };
    assert_eq!(
        one(&(task("a", "x") + &task("b", "x"))),
        "output-conflict: `//p:a` and `//p:b` both make `p/x`"
    );
    assert_eq!(
        one(&(task("a", "x") + &task("b", "x/y"))),
        "output-conflict: `p/x/y` of `//p:b` lies inside `p/x` of `//p:a`"
    );
    assert_eq!(World::problems_of(&(task("a", "x") + &task("b", "x.y"))), [""; 0]);
}

#[test]
fn programs_must_be_declared_and_allowed() {
    let sox = "task \"x\" { out \"o\"; run \"sox\" \"{out}\" }";
    assert_eq!(one(sox), "tool-not-allowed: the workspace does not allow the tool `sox`");
    assert_eq!(hint(sox), "add `tools { allow \"sox\" }` to WORKSPACE.kdl");
    let allowed = "workspace \"w\" { tools { allow \"sox\" } }";
    let world = World::new(&[("WORKSPACE.kdl", allowed), ("p/BUILD.kdl", sox)]);
    world.clean();
    assert_eq!(world.tasks["//p:x"].tools[0].programs, ["sox"]);
    assert_eq!(
        one("rule \"q\" {\n out \"o\" path=\"o\"\n run \"sox\"\n}"),
        "undeclared-tool: `q` runs `sox` and does not declare it"
    );
}

#[test]
fn a_target_may_name_tools_of_its_rule_and_needs_leave_for_them() {
    let rule = |tool: &str| {
        format!(
            "rule \"q\" {{\n attr \"tools\" type=\"string\" list=#true optional=#true\n \
             attr \"n\" type=\"int\" default=1\n out \"o\" path=\"o\"\n tool \"{tool}\"\n \
             script \"touch {{out}}\"\n}}\n"
        )
    };
    let build = rule("{tools}")
        + "q \"x\" {\n tools \"sox\" \"cat\" \"py\"\n}\ntoolchain \"py\" { program \"python3\" }";
    assert_eq!(
        World::problems_of(&build),
        [
            "tool-not-allowed: the workspace does not allow the tool `sox`",
            "tool-not-allowed: the workspace does not allow `python3` of the toolchain `py`",
        ]
    );
    let allowed = "workspace \"w\" { tools { allow \"sox\" \"python3\" } }";
    let world = World::new(&[("WORKSPACE.kdl", allowed), ("p/BUILD.kdl", &build)]);
    world.clean();
    let names: Vec<_> = world.tasks["//p:x"].tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["sox", "base", "py"]);
    assert_eq!(one(&rule("{tool}")), "unknown-attribute: `q` has no attribute `tool`");
    assert_eq!(hint(&rule("{tool}")), "did you mean `tools`?");
    assert_eq!(one(&rule("{n}")), "wrong-type: `n` holds no names");
}

#[test]
fn scripts_are_safe_or_refused() {
    let task = |script: &str| {
        one(&format!("task \"x\" {{\n srcs \"a.txt\"\n out \"o\"\n script #\"{script}\"#\n}}"))
    };
    assert_eq!(
        task("cat \"{srcs}\""),
        "quoted-interpolation: `{srcs}` stands within the shell's quotes"
    );
    assert_eq!(task("cat --x={srcs}"), "list-in-text: the list `{srcs}` is glued to another word");
    assert_eq!(task("awk { print }"), "bad-interpolation: `{ print }` is no interpolation");
    assert_eq!(task("cat {nothing}"), "unknown-interpolation: `{nothing}` names nothing here");
    assert_eq!(
        task("cat # {srcs}"),
        "quoted-interpolation: `{srcs}` stands within a comment of the script"
    );
}

#[test]
fn a_task_says_what_it_runs_and_makes() {
    assert_eq!(one("task \"x\" { out \"o\" }"), "no-action: the task does not say what to run");
    assert_eq!(one("task \"x\" { script \"ls\" }"), "no-output: the task declares no output");
    assert_eq!(
        one("task \"x\" { out \"o\"; script \"ls\"; run \"ls\" }"),
        "two-actions: there is a `run` or `script` already"
    );
    assert_eq!(
        one("task \"x\" { out \"o\"; scrpt \"ls\"; script \"ls\" }"),
        "unknown-attribute: `task` has no attribute `scrpt`"
    );
}

#[test]
fn inputs_of_one_task_have_places_of_their_own() {
    assert_eq!(
        one(
            "task \"m\" { out \"a.txt\"; script \"touch {out}\" }\ntask \"x\" { srcs \"a.txt\" \":m\"; out \"o\"; script \"cat {srcs}\" }"
        ),
        "input-collision: two inputs would both be `in/a.txt`"
    );
}

#[test]
fn rules_are_checked_where_they_are_written() {
    let rule = |body: &str| {
        one(&format!(
            "rule \"q\" {{\n attr \"a\" type=\"string\" optional=#true\n out \"o\" path=\"{{name}}\"\n {body}\n}}"
        ))
    };
    assert_eq!(
        rule("run \"cat\" \"{a}\""),
        "unguarded-optional: `a` may be unset, and then this argument has no value"
    );
    assert_eq!(rule("run \"cat\" \"{b}\""), "unknown-interpolation: `{b}` names nothing here");
    assert_eq!(
        rule("run \"cat\" \"{vars.b}\""),
        "unknown-interpolation: `{vars.b}` names nothing here"
    );
    assert_eq!(rule("run \"cat\" \"{out.p}\""), "unknown-output: `{out.p}` names no output");
    assert_eq!(
        rule("run \"cat\"\n results \"random\""),
        "not-in-enum: `results` cannot be `random`"
    );
    assert_eq!(
        rule("run \"cat\"\n attr \"after\" type=\"int\" default=1"),
        "reserved-name: `after` cannot be the name of a rule's attribute"
    );
    assert_eq!(
        rule("run \"cat\"\n attr \"b\" type=\"integer\""),
        "wrong-type: `integer` is no type"
    );
    assert_eq!(
        rule("run \"cat\"\n attr \"b\" type=\"int\" default=\"x\""),
        "wrong-type: expected a whole number for `b`, found the text `x`"
    );
}

#[test]
fn rules_come_from_files_in_sight() {
    let rule = "rule \"q\" {\n out \"o\" path=\"o\"\n run \"cat\"\n}\n";
    let world = World::new(&[("p/BUILD.kdl", "use \"//lib/r.kdl\"\nq \"x\""), ("lib/r.kdl", rule)]);
    world.clean();
    let world = World::new(&[("p/BUILD.kdl", "use \"//lib/s.kdl\"\n"), ("lib/r.kdl", rule)]);
    assert_eq!(world.problems(), ["missing-rule-file: no rule file `//lib/s.kdl`"]);
    assert_eq!(world.hints(), ["did you mean `//lib/r.kdl`?"]);
    let text = format!("use \"//lib/r.kdl\"\n{rule}");
    let world = World::new(&[("p/BUILD.kdl", &text), ("lib/r.kdl", rule)]);
    assert_eq!(world.problems(), ["duplicate-rule: rule `q` is defined twice"]);
}

#[test]
fn an_error_is_not_repeated_by_those_who_need_the_target() {
    assert_eq!(
        of("r \"bad\" width=0\nr \"x\" one=\":bad\"\nalias \"y\" actual=\":bad\""),
        "out-of-range: `width` is at least 1, not 0"
    );
}

#[test]
fn resources_must_be_there() {
    let world = World::new(&[
        ("WORKSPACE.kdl", "workspace \"w\" { resources { gpu 1 } }"),
        ("p/BUILD.kdl", "task \"x\" { out \"o\"; resource \"gpu\" 2; script \"touch {out}\" }"),
    ]);
    assert_eq!(world.problems(), ["resource-too-large: 2 of `gpu` are asked for, and there is 1"]);
}

#[test]
fn both_places_are_shown_where_a_rule_is_involved() {
    let world = World::new(&[
        ("p/BUILD.kdl", "use \"@std/image\"\nsvg_render \"x\" src=\"a.svg\" width=0\n"),
        ("p/a.svg", ""),
    ]);
    let text = world.rendered();
    assert!(text.contains("p/BUILD.kdl:2:") && text.contains("@std/image:"), "{text}");
}
