//! What targets come down to: commands, inputs and outputs.

use std::time::Duration;

use crate::world::World;
use vwfb_rules::task::{Command, InputRef, Results, TaskDef};
use vwfb_rules::vars::{Overrides, VarOverride};

const RENDER: &str = r#"
rule "render" {
    attr "src" type="file" media="image"
    attr "width" type="int" default=1080 min=1
    attr "extra" type="file" list=#true optional=#true
    attr "fast" type="bool" default=#false
    attr "pause" type="duration" default="1500ms"
    out "png" path="{name}.png" media="image/png"
    out "log" path="{name}.log"
    run "cp" {
        args "--width={width}" "--pause={pause}"
        args "--fast" if="fast"
        args "--extra={extra}" if="extra"
        args "{src}" "{out.png}" "{out.log}" "{src.stem}"
    }
}
"#;

fn argv(task: &TaskDef) -> Vec<String> {
    match &task.command {
        Command::Process { program, args } => {
            std::iter::once(program).chain(args).cloned().collect()
        }
        Command::WriteFile { text, .. } => vec![text.clone()],
        Command::Decide(checkpoint) => vec![checkpoint.message.clone()],
    }
}

fn inputs(task: &TaskDef) -> Vec<String> {
    let shown = |from: &InputRef| match from {
        InputRef::Source(path) => path.to_string(),
        InputRef::Output { label, output, subpath } => match subpath {
            Some(subpath) => format!("{label}#{output}/{subpath}"),
            None => format!("{label}#{output}"),
        },
    };
    task.inputs.iter().map(|(role, from)| format!("{role} = {}", shown(from))).collect()
}

fn rendered(target: &str) -> TaskDef {
    World::task(&format!("{RENDER}\n{target}"))
}

#[test]
fn a_rule_gives_its_command_with_role_names() {
    let task = rendered("render \"x\" src=\"a.png\"");
    assert_eq!(
        argv(&task),
        ["cp", "--width=1080", "--pause=1.5", "in/src.png", "out/png.png", "out/log.log", "a"]
    );
    assert_eq!(inputs(&task), ["in/src.png = p/a.png"]);
    let paths: Vec<&str> = task.outputs.iter().map(|out| out.path.as_str()).collect();
    assert_eq!(paths, ["p/x.png", "p/x.log"]);
    assert_eq!((task.rule.as_str(), task.results), ("render", Results::Deterministic));
}

#[test]
fn conditional_arguments_are_there_when_their_attribute_is() {
    let task = rendered("render \"x\" { src \"a.png\"; fast; extra \"a.txt\" \"b.txt\" }");
    let args = argv(&task);
    assert_eq!(args[3..6], ["--fast", "--extra=in/extra/0001.txt", "--extra=in/extra/0002.txt"]);
}

#[test]
fn a_task_keeps_the_names_of_its_sources() {
    let task = World::task(
        r#"
        vars { words "it's" "b c" }
        task "t" {
            srcs "a.txt" (glob)"*.png"
            out "sub/t.txt"
            script "cat {srcs} > {out}; echo {vars.words} '{{}}'"
        }"#,
    );
    assert_eq!(argv(&task)[..3], ["sh", "-eu", "-c"]);
    assert_eq!(argv(&task)[3], r"cat in/a.txt in/a.png > out/sub/t.txt; echo 'it'\''s' 'b c' '{}'");
    assert_eq!(task.outputs[0].role, "out/sub/t.txt");
    assert_eq!(task.tools[0].name, "base");
}

#[test]
fn a_task_runs_a_program_without_a_shell() {
    let task = World::task(
        "task \"t\" {\n srcs \"a.txt\"\n out \"n.txt\"\n stdin \"{srcs}\"\n stdout \"{out}\"\n run \"wc\" \"-w\"\n exit-codes 0 1\n}",
    );
    assert_eq!(argv(&task), ["wc", "-w"]);
    assert_eq!(task.stdin.as_deref(), Some("in/a.txt"));
    assert_eq!(task.stdout.as_deref(), Some("out/n.txt"));
    assert!(task.success_codes.contains(&1));
}

#[test]
fn outputs_of_others_are_inputs_by_their_paths() {
    let world = World::new(&[
        (
            "p/BUILD.kdl",
            r#"
            task "two" { out "x.txt"; out "y.txt" name="why"; script "touch {out}" }
            task "tree" { out "pages" type="tree"; script "mkdir {out}" }
            filegroup "some" { srcs ":two" "a.txt" }
            alias "other" actual=":two"
            "#,
        ),
        ("p/a.txt", ""),
        (
            "q/BUILD.kdl",
            r#"
            task "t" { srcs "//p:some" "//p:tree#pages/1/2.png"; out "t"; script "ls {srcs} > {out}" }
            task "u" { srcs "//p:other#why"; out "u"; script "ls {srcs} > {out}" }
            "#,
        ),
    ]);
    world.clean();
    assert_eq!(
        inputs(&world.tasks["//q:t"]),
        [
            "in/p/a.txt = p/a.txt",
            "in/p/pages/1/2.png = //p:tree#pages/1/2.png",
            "in/p/x.txt = //p:two#x",
            "in/p/y.txt = //p:two#why",
        ]
    );
    assert_eq!(inputs(&world.tasks["//q:u"]), ["in/p/y.txt = //p:two#why"]);
}

#[test]
fn a_text_is_written_without_a_process() {
    let vars = vec![VarOverride::parse("who=you").unwrap()];
    let overrides = Overrides { vars, ..Overrides::default() };
    let build = "vars { who \"world\" }\nwrite_file \"greet\" text=\"Hello {vars.who}\\n\"";
    let world = World::with(&[("p/BUILD.kdl", build)], &overrides);
    world.clean();
    let task = &world.tasks["//p:greet"];
    assert_eq!(argv(task), ["Hello you\n"]);
    assert_eq!(task.outputs[0].path.as_str(), "p/greet.txt");
}

#[test]
fn every_target_takes_limits_tags_and_environment() {
    let task = rendered(
        "render \"x\" src=\"a.png\" retries=2 tags=\"slow\" {\n timeout \"90s\"\n resource \"gpu\" 1\n env { A \"{name}\"; B 2 }\n}",
    );
    assert_eq!(task.timeout, Some(Duration::from_secs(90)));
    assert_eq!((task.retries, task.resources["gpu"]), (2, 1));
    assert_eq!((task.env["A"].as_str(), task.env["B"].as_str()), ("x", "2"));
    assert!(task.tags.contains("slow"));
}

#[test]
fn a_secret_reaches_only_the_environment() {
    let rule = "rule \"r\" {\n attr \"key\" type=\"secret\"\n out \"o\" path=\"{name}\"\n network\n env { TOKEN \"{key}\" }\n run \"cat\"\n}\n";
    let task = World::task(&format!("{rule}r \"x\" key=\"API_TOKEN\""));
    assert_eq!(task.secrets["TOKEN"], "API_TOKEN");
    assert!(task.env.is_empty() && task.network);
    let var = format!("vars {{ k \"x\" }}\n{rule}r \"x\" key=\"{{vars.k}}\"");
    assert_eq!(
        World::problems_of(&var),
        ["secret-misuse: `key` is a secret's name and cannot be interpolated"]
    );
    let misuse = rule.replace("run \"cat\"", "run \"cat\" \"{key}\"");
    assert_eq!(
        World::problems_of(&misuse),
        ["secret-misuse: `{key}` is a secret and would be seen here"]
    );
}

#[test]
fn a_seeded_rule_has_a_seed() {
    let rule = "rule \"r\" {\n results \"seeded\"\n out \"o\" path=\"{name}\"\n run \"echo\" \"{seed}\"\n}\n";
    let task = World::task(&format!("{rule}r \"x\" seed=7"));
    assert_eq!((task.results, task.seed), (Results::Seeded, Some(7)));
    assert_eq!(argv(&task), ["echo", "7"]);
}

#[test]
fn a_target_switched_off_offers_nothing() {
    let world = World::new(&[(
        "p/BUILD.kdl",
        r#"
        vars { extra #false }
        task "a" when="{vars.extra}" { out "a"; script "touch {out}" }
        task "b" { out "b"; script "touch {out}" }
        task "c" { srcs ":a" ":b"; out "c"; script "cat {srcs} > {out}" }
        "#,
    )]);
    world.clean();
    assert_eq!(inputs(&world.tasks["//p:c"]), ["in/b = //p:b#b"]);
    assert!(!world.tasks.contains_key("//p:a"));
}

#[test]
fn groups_choose_among_outputs() {
    let world = World::new(&[(
        "p/BUILD.kdl",
        r#"
        rule "r" {
            out "a" path="{name}.a"
            out "b" path="{name}.b"
            out "c" path="{name}.c"
            group "default" "a" "b"
            group "rest" "c"
            run "touch" "{out}" "{out.rest}"
        }
        r "x"
        task "t" { srcs ":x"; out "t"; script "ls {srcs}" }
        task "u" { srcs ":x#rest" ":x#b"; out "u"; script "ls {srcs}" }
        "#,
    )]);
    world.clean();
    assert_eq!(argv(&world.tasks["//p:x"]), ["touch", "out/a.a", "out/b.b", "out/c.c"]);
    assert_eq!(inputs(&world.tasks["//p:t"]), ["in/x.a = //p:x#a", "in/x.b = //p:x#b"]);
    assert_eq!(inputs(&world.tasks["//p:u"]), ["in/x.b = //p:x#b", "in/x.c = //p:x#c"]);
}

#[test]
fn maps_are_pairs() {
    let rule = "rule \"r\" {\n attr \"defs\" type=\"string\" map=#true\n attr \"files\" type=\"file\" map=#true optional=#true\n out \"o\" path=\"{name}\"\n run \"echo\" \"-D{defs}\" \"{files}\"\n}\n";
    let task = World::task(&format!(
        "{rule}r \"x\" {{\n defs b=\"2\" {{ a \"1\" }}\n files one=\"a.txt\"\n}}"
    ));
    assert_eq!(argv(&task), ["echo", "-Da=1", "-Db=2", "one=in/files/one.txt"]);
    assert_eq!(inputs(&task), ["in/files/one.txt = p/a.txt"]);
}

#[test]
fn a_toolchain_of_the_workspace_stands_in_for_a_rules() {
    let rules = "toolchain \"conv\" { program \"conv\"; data \"/usr/share/conv\" }\nrule \"r\" {\n out \"o\" path=\"{name}\"\n tool \"conv\"\n run \"conv\" \"{out}\"\n}\n";
    let build = format!("{rules}r \"x\"");
    let allowed = "workspace \"w\" { tools { allow \"conv\" } }";
    let world = World::new(&[("WORKSPACE.kdl", allowed), ("p/BUILD.kdl", &build)]);
    world.clean();
    assert_eq!(world.tasks["//p:x"].tools[0].data, ["/usr/share/conv"]);
    let own = "workspace \"w\" { toolchain \"conv\" { program \"/opt/conv/bin/conv\" } }";
    let world = World::new(&[("WORKSPACE.kdl", own), ("p/BUILD.kdl", &build)]);
    world.clean();
    assert_eq!(world.tasks["//p:x"].tools[0].programs, ["/opt/conv/bin/conv"]);
}

#[test]
fn a_rule_may_keep_names() {
    let task = World::task(
        "rule \"r\" {\n attr \"src\" type=\"file\"\n keep-names\n out \"o\" path=\"d/{name}.x\"\n run \"cp\" \"{src}\" \"{out}\"\n}\nr \"y\" src=\"a.txt\"",
    );
    assert_eq!(argv(&task), ["cp", "in/a.txt", "out/d/y.x"]);
}

#[test]
fn renaming_a_target_keeps_its_command() {
    let one = rendered("render \"one\" src=\"a.png\"");
    let two = rendered("render \"two\" src=\"a.png\"");
    assert_eq!(one.command, two.command);
    assert_eq!(one.inputs, two.inputs);
    assert_eq!(one.outputs[0].role, two.outputs[0].role);
}

#[test]
fn the_first_example_is_right() {
    let world = World::new(&[
        ("WORKSPACE.kdl", include_str!("../../../examples/WORKSPACE.kdl")),
        ("hello/BUILD.kdl", include_str!("../../../examples/hello/BUILD.kdl")),
        ("hello/greeting.txt", ""),
        ("hello/parts/1.txt", ""),
    ]);
    world.clean();
    assert!(world.tasks.contains_key("//hello:letter"));
}
