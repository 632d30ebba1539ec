//! `vwfb doctor`: what targets need of the machine and of services, and what to type for the rest.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{Ran, World};

/// Answers requests: given its path and its key, a status and a body.
type Script = fn(&str, &str) -> (u16, Value);

/// The address of a server that answers as `script` says until the test ends.
fn server(script: Script) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || answer(&stream.unwrap(), script));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: &TcpStream, script: Script) {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
    let key = head.iter().find_map(|line| line.split_once(": Bearer ")).map_or("", |(_, key)| key);
    let (status, body) = script(path, key);
    let body = body.to_string();
    let length = body.len();
    let kind = "content-type: application/json\r\nconnection: close";
    let _gone = write!(
        stream,
        "HTTP/1.1 {status} Said\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
}

fn ollama(path: &str, _key: &str) -> (u16, Value) {
    match path {
        "/api/version" => (200, json!({"version": "0.12.3"})),
        "/api/tags" => (200, json!({"models": [{"name": "llava:7b"}, {"name": "qwen:14b"}]})),
        _ => (404, json!({})),
    }
}

/// The target `:one` asks `service`, and the workspace says `services` of where that is.
fn asks(service: &str, services: &str) -> World {
    let world = World::with(&format!(
        r#"
        rule "ask" {{
            attr "model" type="string" default=""
            out "answer" path="{{name}}.txt"
            results "sampled"
            service "{service}"
            tool "vwfb-kit"
            run "vwfb-kit" "chat" "--protocol" "openai" "--model" "{{model}}" "--out" "{{out}}"
        }}
        ask "one" model="qwen:14b"
        "#
    ));
    let tools = r#"tools { allow "vwfb-kit" }"#;
    world.write(
        "WORKSPACE.kdl",
        &format!("workspace \"w\" {{ {tools}; services {{ {services} }} }}"),
    );
    world
}

/// The target `:one` uses the toolchain `gen` of these parts, which the workspace declares.
fn uses(parts: &str) -> World {
    let world = World::with(r#"task "one" { out "one.txt"; tool "gen"; script "gen > {out}" }"#);
    world.write("WORKSPACE.kdl", &format!("workspace \"w\" {{ toolchain \"gen\" {{ {parts} }} }}"));
    world
}

fn script(world: &World, path: &str, text: &str) {
    world.write(path, text);
    fs::set_permissions(world.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

/// The doctor's answer, and what is in its list `of` under that name.
fn told(world: &World, (of, name): (&str, &str)) -> (Value, Value) {
    let answer: Value = serde_json::from_str(&world.run(&["doctor", "--json"]).stdout).unwrap();
    let found = answer[of].as_array().unwrap().iter().find(|it| it["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no `{name}` in {answer:#}")).clone();
    (answer, found)
}

#[test]
fn what_is_there_is_told_with_its_version_and_who_needs_it() {
    let world = World::new();
    let ran = world.ok(&["doctor"]);
    assert!(ran.stderr.contains("1 tool: all there"), "{}", ran.stderr);
    let ran = ran.prints("tools\n  ok       base  cat (GNU coreutils)").prints("sandbox  ");
    let _ran = ran.prints("for 3 targets, as //p:alone\n");
    let _ran = world.ok(&["doctor", "//p:copy"]).prints("for 2 targets, as //p:copy\n");
    let _ran = world.run(&["doctor", "//p:none"]).exits(3).says("there is no target `//p:none`");
}

#[test]
fn what_is_missing_is_told_with_what_to_type() {
    let data = "/usr/share/pocketsphinx/model/en-us/no-such-file";
    let own = "/no-such-folder/model.bin";
    let world = uses(&format!(
        "program \"/usr/local/bin/flite\"; program \"no-such-program\"; data {data:?}; data {own:?}"
    ));
    let ran = world.run(&["doctor"]).exits(4);
    let ran = ran.prints("  missing  gen ").prints("no program `/usr/local/bin/flite`\n");
    let ran = ran.prints("no program `no-such-program` in `/usr/local/bin:/usr/bin:/bin`\n");
    let ran = ran.prints(&format!("no file or folder `{data}`\n"));
    let ran = ran.prints(&format!("no file or folder `{own}`\n"));
    let ran = ran.prints("-> sudo apt install flite pocketsphinx-en-us\n");
    let ran = ran.prints("toolchain \"no-such-program\" { program \"/path/to/no-such-program\" }");
    let ran = ran.says("2 tools: 1 missing\n");
    let _ran = ran.says("in Debian: sudo apt install flite pocketsphinx-en-us\n");
    // What is in none of Debian's packages is told how to make.
    let world = uses(
        "program \"whisper-cli-1\"; program \"/opt/no/whisper-cli\"; data \"/no/ggml-base.bin\"",
    );
    let ran = world.run(&["doctor"]).exits(4);
    let ran = ran.prints("-> git clone https://github.com/ggml-org/whisper.cpp");
    let ran = ran.prints("-> curl -L --create-dirs -o /no/ggml-base.bin https://huggingface.co/");
    assert!(!ran.stderr.contains("apt"), "{}", ran.stderr);
}

#[test]
fn a_program_on_the_own_path_alone_is_to_be_declared() {
    let world = uses("program \"my-gen\"");
    script(&world, "bin/my-gen", "#!/bin/sh\n");
    let path = format!("/usr/bin:{}", world.path("bin").display());
    let ran = world.ended(world.command(&["doctor"]).env("PATH", path).output().unwrap()).exits(4);
    let _ran =
        ran.prints("-> toolchain \"my-gen\" { program \"[root]/bin/my-gen\" } in WORKSPACE.kdl");
}

#[test]
fn what_a_program_lacks_is_told_in_words() {
    let world = uses("program \"//gen.sh\"");
    let _ran = world.run(&["doctor"]).exits(4).prints("-> write [root]/gen.sh, and chmod +x");
    world.write("gen.sh", "#!/bin/sh\n");
    let _ran = world.run(&["doctor"]).exits(4).prints("-> chmod +x [root]/gen.sh\n");
    script(&world, "gen.sh", "#!/no-such-folder/shell\n");
    let ran = world.run(&["doctor"]).exits(4).prints("  broken   gen ");
    let _ran = ran.prints("needs `/no-such-folder/shell`, which is not installed");
    script(&world, "gen.sh", "#!/bin/sh\n");
    let _ran = world.ok(&["doctor"]);
}

#[test]
fn a_tool_that_the_workspace_does_not_allow_is_told_with_the_line_to_add() {
    let world =
        World::with(r#"task "one" { out "one.txt"; tool "grep"; script "grep a > {out}" }"#);
    let ran = world.run(&["doctor"]).exits(4).says("error[tool-not-allowed]");
    let ran = ran.prints("  refused  grep   ").prints("the workspace does not allow `grep`");
    assert!(!ran.stdout.contains("GNU grep"), "what is not allowed is not started");
    let _ran = ran.prints("-> tools { allow \"grep\" } in WORKSPACE.kdl\n");
    world.write("WORKSPACE.kdl", "workspace \"w\" { tools { allow \"grep\" } }");
    let _ran = world.ok(&["doctor"]).prints("  ok       grep  grep (");
    // Other errors are told, and what their targets need all the same.
    let world =
        World::with(r#"task "one" { srcs "none"; out "one.txt"; script "cat {srcs} > {out}" }"#);
    let _ran =
        world.run(&["doctor"]).exits(3).says("error[missing-file]").prints("  ok       base");
}

#[test]
fn no_version_is_waited_for_and_no_work_is_begun() {
    let world = World::empty();
    let slow = world.path("slow").display().to_string();
    let world2 = uses(&format!("program {slow:?}; program \"//work.sh\""));
    script(&world, "slow", "#!/bin/sh\nexec sleep 60\n");
    script(&world2, "work.sh", "#!/bin/sh\necho 1.0; touch \"${0%/*}/begun\"\n");
    let begun = Instant::now();
    let (answer, tool) = told(&world2, ("tools", "gen"));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(
        (&answer["ok"], &tool["state"], &tool["version"]),
        (&json!(true), &json!("ok"), &Value::Null)
    );
    let work = world2.path("work.sh").display().to_string();
    let by_path = world2.read("WORKSPACE.kdl").replace("//work.sh", &work);
    world2.write("WORKSPACE.kdl", &by_path);
    let _ran = world2.ok(&["doctor"]).prints("  ok       gen ");
    assert!(!world2.path("begun").exists());
    script(
        &world,
        "slow",
        "#!/bin/sh\necho no digit; echo \"Gen 1.$#\"; read -r line && echo 2\n:\n",
    );
    assert_eq!(told(&world2, ("tools", "gen")).1["version"], "Gen 1.1");
    script(&world, "slow", "#!/bin/sh\necho Gen 1; exit 1\n");
    assert_eq!(told(&world2, ("tools", "gen")).1["version"], Value::Null);
}

#[test]
fn what_a_fan_out_will_need_is_told_before_it_expands() {
    let world = World::with(
        r#"
        task "items" { out "items" type="tree"; script "mkdir {out}; echo a > {out}/a.txt" }
        each "parts" over=":items" as="item" {
            task "one" { srcs "{item}"; out "one.txt"; tool "grep"; script "grep a {srcs} > {out}" }
        }
        "#,
    );
    world.write("WORKSPACE.kdl", "workspace \"w\" { tools { allow \"grep\" } }");
    let ran = world.ok(&["doctor"]).prints("  ok       grep ").prints("for //p:parts\n");
    let _ran = ran.prints("//p:parts expands after //p:items: what its targets need is above\n");
    let _built = world.ok(&["build", "//..."]);
    let ran = world.ok(&["doctor"]).prints("grep (GNU grep) ").prints("for //p:parts[a].one\n");
    assert!(!ran.stdout.contains("expands"), "{}", ran.stdout);
}

#[test]
fn a_service_is_up_and_has_the_model_or_not() {
    let url = server(ollama);
    let world = asks("ollama", &format!("ollama url={url:?}"));
    let ran =
        world.ok(&["doctor"]).prints(&format!("  ok       ollama  0.12.3  {url}  for //p:one\n"));
    assert!(ran.stderr.contains("1 tool, 1 service: all there"), "{}", ran.stderr);
    let text = world.read("p/BUILD.kdl").replace("qwen:14b", "qwen");
    world.write("p/BUILD.kdl", &text);
    let ran = world.run(&["doctor"]).exits(4).prints("  missing  ollama  0.12.3");
    let ran = ran.prints("it has no model `qwen`\n").says("1 tool, 1 service: 1 missing");
    let _ran = ran.prints(&format!("-> OLLAMA_HOST={url} ollama pull qwen\n"));
    // One that lists none may have it.
    let url = server(|_, _| (200, json!({"version": "1", "models": []})));
    let _ran = asks("ollama", &format!("ollama url={url:?}")).ok(&["doctor"]);
}

#[test]
fn a_service_is_where_its_person_says() {
    let world = asks("ollama", "ollama url=\"http://127.0.0.1:1\"");
    let own = world.root().with_file_name("home").join(".config/vwfb");
    fs::create_dir_all(&own).unwrap();
    let url = server(ollama);
    fs::write(own.join("services.kdl"), format!("services {{ ollama url={url:?} }}")).unwrap();
    let _ran = world.ok(&["doctor"]).prints(&url);
    fs::write(own.join("services.kdl"), "services {").unwrap();
    let _ran = world.run(&["doctor"]).exits(4).prints("  broken   ollama").prints("cannot be used");
}

#[test]
fn a_service_that_is_down_is_told_with_what_starts_it() {
    // Nobody listens where somebody did just now.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let down = |service: &str| -> Ran {
        let world = asks(service, &format!("{service} url=\"http://127.0.0.1:{port}\""));
        let ran = world.run(&["doctor"]).exits(4).prints(&format!("  down     {service} "));
        let point = format!(
            "-> services {{ {service} url=\"http://...\" }} in WORKSPACE.kdl or ~/.config/vwfb/services.kdl"
        );
        ran.says("1 service: 1 down").prints("refused").prints(&point)
    };
    let _ran = down("ollama").prints(&format!("-> OLLAMA_HOST=127.0.0.1:{port} ollama serve\n"));
    let _ran = down("comfyui").prints(&format!("-> python main.py --port {port} in "));
    let _ran = down("voxcpm").prints("-> python app.py in ");
    let _ran = down("groq").prints("-> start it on 127.0.0.1");
}

#[test]
fn a_key_is_refused_or_missing_and_never_shown() {
    let url = server(|path, key| match (path, key) {
        ("/models", "sk-right-0123456789") => (200, json!({"data": [{"id": "qwen:14b"}]})),
        _ => (401, json!({"error": "no"})),
    });
    // How it is spoken to is in the arguments of its task.
    let world = asks("here", &format!("here url={url:?} secret=\"HERE_KEY\""));
    let with = |key: &str| {
        let ran = world.ended(world.command(&["doctor"]).env("HERE_KEY", key).output().unwrap());
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("sk-"), "{}", ran.stdout);
        ran
    };
    let _ran = with("sk-right-0123456789").exits(0).prints("  ok       here ");
    let ran = with("sk-wrong-0123456789").exits(4).prints("  refused  here ");
    let ran = ran.prints("the key is refused\n").prints("-> export HERE_KEY=... with one that");
    let _ran = ran.says("1 service: 1 refused");
    let ran = world.run(&["doctor"]).exits(4).prints("  missing  here ");
    let _ran = ran.prints("`HERE_KEY` is not set").prints("-> export HERE_KEY=...\n");
    world.write(
        "WORKSPACE.kdl",
        "workspace \"w\" { tools { allow \"vwfb-kit\" }; services { here } }",
    );
    let ran = world.run(&["doctor"]).exits(4).prints("nothing says where it is\n");
    let _ran = ran.prints("-> services { here url=\"http://...\" }");
}

#[test]
fn a_secret_of_a_task_is_there_or_not() {
    let world = World::with(
        r#"
        rule "ask" {
            attr "key" type="secret"
            out "answer" path="{name}.txt"
            env { KEY "{key}" }
            script "echo > {out}"
        }
        ask "one" key="ONE_KEY"
        "#,
    );
    let ran = world.run(&["doctor"]).exits(4).prints("secrets\n  missing  ONE_KEY  for //p:one\n");
    let _ran = ran.prints("-> export ONE_KEY=...\n").says("1 tool, 1 secret: 1 missing");
    let mut command = world.command(&["doctor"]);
    let ran = world.ended(command.env("ONE_KEY", "sk-1").output().unwrap()).exits(0);
    let ran = ran.prints("  ok       ONE_KEY  for //p:one\n");
    assert!(!ran.stdout.contains("sk-1"), "{}", ran.stdout);
}

#[test]
fn services_that_say_nothing_keep_nobody_waiting() {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let silent = listeners.each_ref().map(|it| format!("http://{}", it.local_addr().unwrap()));
    let speaks = server(|_, _| (200, json!({"version": "5.49.1"})));
    let ask = |name: &str| {
        let out = r#"out "o" path="{name}.txt"; script "echo > {out}""#;
        format!(
            "rule {name:?} {{ {out}; results \"sampled\"; service {name:?} }}\n{name} \"x-{name}\"\n"
        )
    };
    let world = World::with(&["ollama", "comfyui", "voxcpm"].map(ask).concat());
    let [one, two] = &silent;
    let services = format!("ollama url={one:?}; comfyui url={two:?}; voxcpm url={speaks:?}");
    world.write("WORKSPACE.kdl", &format!("workspace \"w\" {{ services {{ {services} }} }}"));
    let begun = Instant::now();
    let ran = world.run(&["doctor"]).exits(4).says("3 services: 2 down\n");
    let _ran = ran.prints("  ok       voxcpm   5.49.1");
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}

#[test]
fn every_field_of_its_answer_is_documented() {
    let url = server(ollama);
    let world = asks("ollama", &format!("ollama url={url:?} secret=\"HERE_KEY\""));
    let text = world.read("p/BUILD.kdl")
        + r#"
        rule "keyed" { attr "key" type="secret"; out "o" path="{name}"; env { KEY "{key}" }; script "echo > {out}" }
        keyed "two" key="TWO_KEY"
        task "items" { out "items" type="tree"; script "mkdir {out}" }
        each "parts" over=":items" as="item" { task "one" { srcs "{item}"; out "one.txt"; script "cat {srcs} > {out}" } }
        "#;
    world.write("p/BUILD.kdl", &text);
    let output = world.command(&["doctor", "--json"]).env("HERE_KEY", "sk-1").output().unwrap();
    let answer: Value = serde_json::from_str(&world.ended(output).exits(4).stdout).unwrap();
    let service = &answer["services"][0];
    assert_eq!(service["secret"], json!({"name": "HERE_KEY", "found": true}));
    assert_eq!(service["models"], json!([{"name": "qwen:14b", "found": true}]));
    assert_eq!((&service["protocol"], &service["version"]), (&json!("ollama"), &json!("0.12.3")));
    assert_eq!(answer["secrets"][0]["fix"], json!(["export TWO_KEY=..."]));
    let later = json!([{"label": "//p:parts", "after": "//p:items", "known": true}]);
    assert_eq!(answer["unexpanded"], later);
    assert_eq!((&answer["ok"], &answer["install"]), (&json!(false), &Value::Null));
    let page = include_str!("../../docs/reference/json.md");
    let section = page.split("\n## ").find(|it| it.starts_with("`vwfb doctor")).unwrap();
    let mut names = BTreeSet::new();
    fields(&answer, &mut names);
    assert!(names.len() > 20, "{names:?}");
    let missing: Vec<&String> =
        names.iter().filter(|name| !section.contains(&format!("`{name}`"))).collect();
    assert_eq!(missing, Vec::<&String>::new());
}

/// The names of all fields in `value`.
fn fields(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            names.extend(object.keys().cloned());
            object.values().for_each(|value| fields(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| fields(value, names)),
        _ => {}
    }
}

#[test]
fn where_there_is_no_workspace_it_is_about_the_library() {
    let world = World::empty();
    fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    let ran = world.run(&["doctor"]).prints("tools of the built-in library\n").prints("  ffmpeg ");
    let ran = ran.prints("  vwfb-kit      vwfb-kit 0.").prints("sandbox  ");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let names: Vec<&str> =
        lines.iter().filter_map(|line| line.get(11..)?.split(' ').next()).collect();
    let tools: BTreeSet<&&str> = names.iter().filter(|name| !name.is_empty()).collect();
    assert_eq!(names.iter().filter(|name| **name == "ffmpeg").count(), 1, "{tools:?}");
    assert!(!world.store().exists(), "nothing is opened");
    let _ran = world.run(&["doctor", "//..."]).exits(3);
}

/// The script and the doctor read one table, so that what one installs the other tells to install.
#[test]
fn the_script_installs_what_the_table_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let temp = tempfile::tempdir().unwrap();
    for name in ["bash", "dirname", "env", "mktemp", "rm"] {
        symlink(Path::new("/usr/bin").join(name), temp.path().join(name)).unwrap();
    }
    for (name, text) in [("apt-get", "echo \"$@\" > $SAID"), ("sudo", "exec \"$@\"")] {
        let path = temp.path().join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let installed = |argument: &str| -> BTreeSet<String> {
        let said = temp.path().join("said");
        let mut command = Command::new("/usr/bin/bash");
        command
            .arg(root.join("scripts/install-packages"))
            .args([argument].iter().filter(|it| !it.is_empty()));
        command.env_clear().env("PATH", temp.path()).env("SAID", &said);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = fs::read_to_string(said).unwrap();
        said.split_whitespace()
            .skip_while(|word| *word != "--no-install-recommends")
            .skip(1)
            .map(str::to_owned)
            .collect()
    };
    let table = fs::read_to_string(root.join("scripts/packages")).unwrap();
    let lines = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split_whitespace().collect()).collect();
    let known = ["first", "library", "bench", "-"];
    assert!(rows.iter().all(|row| row.len() == 3 && known.contains(&row[0])), "{rows:?}");
    let listed = |sets: &[&str]| -> BTreeSet<String> {
        let rows = rows.iter().filter(|row| sets.contains(&row[0]));
        // Files may be there on this machine.
        rows.filter(|row| !Path::new(row[2]).exists()).map(|row| row[1].to_owned()).collect()
    };
    assert_eq!(installed(""), listed(&["first"]));
    assert_eq!(installed("library"), listed(&["first", "library"]));
    assert_eq!(installed("bench"), listed(&["first", "library", "bench"]));
}
