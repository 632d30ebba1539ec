//! Rules that are another one for each value of an attribute, and the services that they ask.

use crate::world::World;
use vwfb_rules::task::{Command, Results};

const RULES: &str = r#"
rule "speak" version=2 {
    attr "engine" type="enum" default="local" { values "local" "remote" "other" }
    attr "text" type="string"
    out "wav" path="{name}.wav"
    timeout "1m"
    case "engine" "local" {
        attr "pitch" type="int" default=45
        tool "espeak-ng"
        run "espeak-ng" { args "-p" "{pitch}" "{text}" }
    }
    case "engine" "remote" "other" {
        attr "model" type="string"
        attr "service" type="string" default="openai"
        version 7
        timeout "9m"
        results "sampled"
        service "{service}"
        tool "client"
        run "vwfb-kit" { args "{engine}" "{model}" "{text}" "{out.wav}" }
    }
}
toolchain "client" { program "vwfb-kit"; version "1" }
"#;

fn world(build: &str) -> World {
    let allowed = "workspace \"w\" { tools { allow \"espeak-ng\" \"vwfb-kit\" }; services { groq url=\"http://127.0.0.1:9\" version=\"3\" } }";
    World::new(&[("WORKSPACE.kdl", allowed), ("p/BUILD.kdl", &format!("{RULES}\n{build}"))])
}

#[test]
fn a_rule_is_what_its_case_says() {
    let world = world(
        "speak \"a\" text=\"x\"\nspeak \"b\" text=\"x\" engine=\"remote\" model=\"m\"\nspeak \"c\" text=\"x\" model=\"m\" { engine \"other\"; service \"groq\" }",
    );
    world.clean();
    let [a, b, c] = ["//p:a", "//p:b", "//p:c"].map(|label| &world.tasks[label]);
    let args = |task: &vwfb_rules::task::TaskDef| match &task.command {
        Command::Process { program, args } => format!("{program} {}", args.join(" ")),
        other => panic!("{other:?}"),
    };
    assert_eq!(args(a), "espeak-ng -p 45 x");
    assert_eq!((a.rule_version, a.network, a.results), (2, false, Results::Deterministic));
    assert_eq!(a.service, None);
    assert_eq!(args(b), "vwfb-kit remote m x out/wav.wav");
    assert_eq!((b.rule_version, b.network, b.results), (7, true, Results::Sampled));
    assert_eq!((a.timeout.unwrap().as_secs(), b.timeout.unwrap().as_secs()), (60, 540));
    assert_eq!(b.service.as_ref().unwrap().identity(), "openai");
    assert_eq!(c.service.as_ref().unwrap().identity(), "groq 3");
    assert_eq!(b.tools[0].version.as_deref(), Some("1"));
    assert_eq!(a.tools[0].version, None);
}

#[test]
fn an_attribute_of_another_case_is_told_as_such() {
    let world =
        world("speak \"a\" text=\"x\" model=\"m\"\nspeak \"b\" text=\"x\" engine=\"remote\"");
    assert_eq!(
        world.problems(),
        [
            "unknown-attribute: `speak` with engine=\"local\" has no attribute `model`",
            "missing-attribute: `speak` needs `model`",
        ]
    );
    assert_eq!(world.hints()[0], "it is one with engine=\"remote\", or with engine=\"other\"");
}

#[test]
fn a_value_that_there_is_not_is_told_once() {
    let world = world("speak \"a\" text=\"x\" engine=\"loca\"");
    assert_eq!(world.problems(), ["not-in-enum: `engine` cannot be `loca`"]);
}

#[test]
fn a_service_that_nobody_declares_is_told() {
    let world = world("speak \"a\" text=\"x\" engine=\"remote\" model=\"m\" service=\"opnai\"");
    assert_eq!(world.problems(), ["unknown-service: no service named `opnai`"]);
    assert_eq!(world.hints(), ["did you mean `openai`?"]);
}

#[test]
fn what_is_wrong_with_cases_is_found_where_it_stands() {
    let rule = |cases: &str| {
        World::problems_of(&format!(
            "rule \"r\" {{ attr \"engine\" type=\"enum\" default=\"a\" {{ values \"a\" \"b\" }}\n attr \"n\" type=\"int\" default=1\n out \"o\" path=\"o\"\n {cases} }}"
        ))
    };
    let a = "case \"engine\" \"a\" { script \"true > {out}\" }";
    assert_eq!(rule(a), ["no-action: the rule does not say what to run"]);
    assert_eq!(
        rule(&format!(
            "{a}; case \"engine\" \"c\" {{ script \"true > {{out}}\" }}; script \"cp x {{out}}\""
        )),
        ["not-in-enum: `engine` cannot be `c`"]
    );
    assert_eq!(
        rule("case \"engine\" \"a\" \"b\" { script \"true > {ot}\" }"),
        ["unknown-interpolation: `{ot}` names nothing here"],
        "once, although it is in two cases"
    );
    assert_eq!(
        rule("case \"n\" \"1\" {}"),
        ["wrong-type: `n` is no `enum` with one value for every target"]
    );
    assert_eq!(
        rule("case \"engin\" \"a\" {}"),
        ["unknown-attribute: `r` has no attribute `engin`"]
    );
    assert_eq!(
        rule("case \"engine\" {}"),
        ["bad-node: `case` needs an attribute and the values that it is for"]
    );
    assert_eq!(
        rule(&format!("{a}; case \"engine\" \"a\" \"b\" {{ script \"true > {{out}}\" }}")),
        ["duplicate-name: `a` has two cases"]
    );
}
