//! Commands of workflows: what becomes of them does what they did.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::import::{build_of, import};
use crate::world::World;

#[test]
fn chains_of_commands_are_a_fan_out_that_builds() {
    let world = World::empty();
    let mut steps = String::from("vars: { last: z }\nsteps:\n");
    for name in ["one", "two", "three"] {
        steps.push_str(&format!(
            "- {{ id: write-{name}, kind: write_file, path: raw/{name}.txt, content: \"b {name}\\na {name}\\n{{{{ last }}}}\\n\" }}\n\
             - {{ id: sort-{name}, kind: run_command, program: sort, args: [-r, -o, sorted/{name}.txt, raw/{name}.txt], depends_on: [write-{name}] }}\n\
             - {{ id: head-{name}, kind: run_command, program: head, args: [--lines=2, sorted/{name}.txt], capture_path: 'top/{name}.txt', depends_on: [sort-{name}] }}\n"
        ));
    }
    steps.push_str(
        "- { id: whole, kind: run_command, program: cat, args: [top/one.txt, top/two.txt, top/three.txt], capture_path: whole.txt, depends_on: [head-one, head-two, head-three] }\n\
         - { id: first, kind: run_command, program: cp, args: [sorted/two.txt, first.txt], resume_output: first.txt, depends_on: [sort-two] }\n",
    );
    let build = build_of(&world, &steps);
    let fold = "each \"heads\" over=\"heads.json\" as=\"item\" key=\"id\" {\n    \
                write_file \"text\"";
    assert!(build.contains(fold), "{build}");
    for text in [
        "run \"sort\" \"-r\" \"-o\" \"{out}\" \"{srcs}\"",
        "run \"head\" \"--lines=2\" \"{srcs}\"",
        "srcs \":heads\"",
        "run \"cat\" \"in/heads/one/head.txt\" \"in/heads/two/head.txt\" \"in/heads/three/head.txt\"",
        "srcs \":heads[two].sort\"",
    ] {
        assert!(build.contains(text), "no {text} in {build}");
    }
    let _built = world.ok(&["build", "//w:whole", "//w:first"]);
    let whole = "z\nb one\nz\nb two\nz\nb three\n";
    assert_eq!(world.read("vwfb-out/w/whole.txt"), whole);
    assert_eq!(world.read("vwfb-out/w/first.txt"), "z\nb two\na two\n");
    let _built = world.ok(&["build", "//w:whole", "--var", "last=y"]);
    assert_eq!(world.read("vwfb-out/w/whole.txt"), whole.replace('z', "y"));
}

/// A workflow with commands of many forms, and the script that one of them starts.
fn many(world: &World) -> String {
    world.write("copy.sh", "#!/bin/sh\ncat \"$1\" > \"$2\"\n");
    fs::set_permissions(world.path("copy.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    world.write("in.txt", "in\n");
    world.write("data/x.csv", "1,2\n");
    let allowed = "workspace \"test\" {\n    tools { allow \"//copy.sh\" \"bash\" \"curl\" }\n}\n";
    world.write("WORKSPACE.kdl", allowed);
    r#"
vars: { who: "it's {me}" }
steps:
- { id: copy, kind: run_command, program: ./copy.sh, args: [in.txt, out/copy.txt], resume_output: out/copy.txt }
- { id: script, kind: write_file, path: run.sh, content: "echo its me > $2\n" }
- { id: scripted, kind: run_command, program: ./run.sh, args: [-o, made.txt], depends_on: [script] }
- id: shell
  kind: run_command
  program: bash
  args: [-c, "cat in.txt made.txt > all.txt; echo ${HOME:-none} >> all.txt"]
  depends_on: [scripted]
  resume_output: all.txt
- { id: asked, kind: llm_generate, user_prompt_path: all.txt, output_path: answer.txt, provider: mock, mock_response: hi }
- { id: fetched, kind: run_command, program: curl, args: [-o, page.html, "https://example.com/x.html"] }
- { id: said, kind: run_command, program: echo, args: ["{{ who }} {x}", a=b, in], capture_path: log/said.txt }
- { id: listed, kind: run_command, program: ls, args: [data, --color=never, other/no.bin], capture_path: log/list.txt }
- { id: unclear, kind: run_command, program: sh, args: [-c, "cp in.txt two.txt"] }
- { id: inside, kind: run_command, program: sort, args: [../data/x.csv], cwd: out, capture_path: sorted.csv }
"#
    .to_owned()
}

#[test]
fn commands_of_many_forms_become_tasks() {
    let world = World::empty();
    let steps = many(&world);
    let build = build_of(&world, &steps);
    for text in [
        "toolchain \"copy-sh\" {\n    program \"//copy.sh\"\n}",
        "tool \"copy-sh\"\n    run \"env\" \"copy.sh\" \"{srcs}\" \"{out}\"",
        "run \"sh\" \"in/run.sh\" \"-o\" \"{out}\"",
        "tool \"bash\"\n    run \"env\" \"bash\" \"-c\" \"cat in/in.txt in/made.txt > {out}; echo ${{HOME:-none}} >> {out}\"",
        "llm \"asked\" engine=\"replay\" prompt=\":shell\" answers=\"answers.json\" answer=\"asked\"",
        "run \"curl\" \"-o\" \"{out}\" \"https://example.com/x.html\"",
        "run \"echo\" \"{vars.who} {{x}}\" \"a=b\" \"in\"",
        "srcs \"//data\"",
        "run \"ls\" \"{srcs}\" \"--color=never\" \"other/no.bin\"",
        "// `unclear` (line 19) is not carried over, as nothing says which files it writes: sh -c 'cp in.txt",
        "srcs \"//data/x.csv\"\n    out \"sorted.csv\"",
    ] {
        assert!(build.contains(text), "no {text} in {build}");
    }
    let _built = world.ok(&["build", "//w:copy", "//w:shell", "//w:said", "//w:inside"]);
    assert_eq!(world.read("vwfb-out/w/out/copy.txt"), "in\n");
    let all = world.read("vwfb-out/w/all.txt");
    assert!(all.starts_with("in\nits me\n"), "{all}");
    assert_eq!(world.read("vwfb-out/w/log/said.txt"), "it's {me} {x} a=b in\n");
}

#[test]
fn what_is_not_clear_of_a_command_is_told() {
    let world = World::empty();
    let steps = many(&world);
    let made = import(&world, &format!("version: 1\nname: w\n{steps}"), &[]).exits(0);
    let made = made.says("w.yaml:18: `other/no.bin` is neither there nor written by a step");
    let made = made.says("w.yaml:20: `cwd` is left out");
    let made = made.says("w.yaml:8: a script that the workflow writes is run by `sh`");
    let _told = made.says("warning: w.yaml:19: a command is not carried over");
}

#[test]
fn a_list_of_clips_that_is_joined_is_a_concat() {
    let world = World::empty();
    let build = build_of(
        &world,
        r#"
steps:
- { id: a, kind: text_to_video, prompt: a, output_path: work/a.mp4, seed: 1 }
- { id: b, kind: text_to_video, prompt: b, output_path: work/b b.mp4, seed: 1 }
- id: list
  kind: write_file
  path: work/list.txt
  content: |
    file 'a.mp4'
    file 'b b.mp4'
    file '/elsewhere/c.mp4'
    # the end
- { id: all, kind: run_command, program: ffmpeg, args: [-y, -f, concat, -safe, '0', -i, work/list.txt, -c, copy, all.mp4], depends_on: [a, b, list] }
"#,
    );
    assert!(
        build.contains(
            "concat \"all-steps\" {\n    clips \":a-scaled\" \":b-scaled\" \":c-scaled\"\n}"
        ),
        "{build}"
    );
    assert!(build.contains("clip \"assets/c.mp4\" placeholder="), "{build}");
    assert!(!build.contains("list") && !world.path("w/texts").exists(), "{build}");
}
