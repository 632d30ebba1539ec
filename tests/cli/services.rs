//! What tasks are given to ask services, and what becomes of questions without an answer. The clients
//! here are scripts that write down what a client of the kit would.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::world::World;

/// A rule that asks a service, whose client does what `then` says.
fn world(then: &str) -> World {
    let then = then.replace('\n', "\n                ");
    let world = World::with(&format!(
        r##"
        rule "ask" {{
            attr "service" type="string" default="here"
            attr "question" type="string" default="why"
            out "answer" path="{{name}}.txt"
            results "sampled"
            service "{{service}}"
            script #"""
                ledger=$VWFB_SERVICE_LEDGER
                {then}
                """#
        }}
        ask "one"
        "##
    ));
    world.write(
        "WORKSPACE.kdl",
        "workspace \"w\" { services { here url=\"http://127.0.0.1:9/v1/\" secret=\"HERE_KEY\" idle=\"90s\"; nowhere } }",
    );
    world
}

const ANSWER: &str =
    r#"printf '%s %s %s' "$VWFB_SERVICE_URL" "$VWFB_SERVICE_SECRET" "$VWFB_SERVICE_IDLE" > {out}"#;

#[test]
fn a_task_is_told_where_its_service_is_and_its_key_is_not() {
    let world = world(ANSWER);
    let build = |key: &str, args: &[&str]| {
        let mut command = world.command(&[&["build", "//p:one"], args].concat());
        let ran = world.ended(command.env("HERE_KEY", key).output().unwrap());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (world.read("vwfb-out/p/one.txt"), ran.stderr)
    };
    assert_eq!(build("sk-1", &[]).0, "http://127.0.0.1:9/v1 sk-1 90");
    // Another address and another secret are no other question.
    let moved = world.read("WORKSPACE.kdl").replace(":9/", ":10/");
    world.write("WORKSPACE.kdl", &moved);
    let (text, said) = build("sk-2", &[]);
    assert_eq!(text, "http://127.0.0.1:9/v1 sk-1 90");
    assert!(!said.contains("ran 1"), "{said}");
    // Another version of it is.
    world.write("WORKSPACE.kdl", &moved.replace("idle", "version=\"2\" idle"));
    let (text, said) = build("sk-2", &[]);
    assert_eq!(text, "http://127.0.0.1:10/v1 sk-2 90");
    assert!(said.contains("ran 1"), "{said}");
}

#[test]
fn a_persons_own_file_goes_over_the_workspace() {
    let world = world(ANSWER);
    let own = world.root().with_file_name("home").join(".config/vwfb");
    fs::create_dir_all(own.join("secrets")).unwrap();
    fs::write(own.join("services.kdl"), "services { here url=\"http://gpu:1\" }").unwrap();
    let secret = own.join("secrets/HERE_KEY");
    fs::write(&secret, "sk-mine\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let _ran = world.ok(&["build", "//p:one"]);
    assert_eq!(world.read("vwfb-out/p/one.txt"), "http://gpu:1 sk-mine 90");
    fs::write(own.join("services.kdl"), "services { here url=\"gpu:1\" }").unwrap();
    let ran = world.run(&["build", "//p:one", "--var", "//p:unused=1"]);
    assert_ne!(ran.code, Some(0));
    fs::remove_file(world.path("vwfb-out/p/one.txt")).unwrap();
    world.write(
        "p/BUILD.kdl",
        &world.read("p/BUILD.kdl").replace("default=\"why\"", "default=\"how\""),
    );
    world.write(
        "p/BUILD.kdl",
        &world
            .read("p/BUILD.kdl")
            .replace("{service}\"\n", "{service}\"\n env { Q \"{question}\" }\n"),
    );
    let ran = world.run(&["build", "//p:one"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stderr.contains("services.kdl` cannot be used"), "{}", ran.stderr);
    assert!(ran.stderr.contains("a service's address begins with"), "{}", ran.stderr);
}

#[test]
fn what_is_missing_is_named() {
    let world = world(ANSWER);
    let ran = world.run(&["build", "//p:one"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the secret `HERE_KEY` is not set: export HERE_KEY"),
        "{}",
        ran.stderr
    );
    world.write(
        "p/BUILD.kdl",
        &world.read("p/BUILD.kdl").replace("default=\"here\"", "default=\"nowhere\""),
    );
    let ran = world.run(&["build", "//p:one"]);
    assert!(ran.stderr.contains("nothing says where the service `nowhere` is"), "{}", ran.stderr);
}

#[test]
fn a_log_shows_no_secret() {
    let world = world(r#"echo "key: $VWFB_SERVICE_SECRET, $VWFB_SERVICE_SECRET."; exit 1"#);
    let mut command = world.command(&["build", "//p:one"]);
    let ran = world.ended(command.env("HERE_KEY", "sk-verysecret").output().unwrap());
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("key: ***, ***."), "{}", ran.stderr);
    let mut command = world.command(&["build", "//p:one", "--keep-failed"]);
    let _kept = world.ended(command.env("HERE_KEY", "sk-verysecret").output().unwrap());
    for entry in walkdir::WalkDir::new(world.path(".vwfb")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("verysecret"), "{entry:?}");
        }
    }
    assert!(!ran.stderr.contains("verysecret"), "{}", ran.stderr);
    assert_eq!(world.ok(&["log", "//p:one"]).stdout, "key: ***, ***.\n");
}

#[test]
fn a_question_without_an_answer_is_asked_again_only_when_told_so() {
    // The first time it is asked and the answer is lost; then the client does not ask.
    let world = world(
        r#"if [ -e "$ledger/submission.json" ]; then
            open=$(cat "$ledger/submission.json")
            case $open in
            *running*) echo "$open" > {out}; exit 0 ;;
            esac
            echo 'error: unknown-submission' >&2; exit 3
        fi
        echo '{{"version":1,"protocol":"comfyui","state":"asked","job":null,"at":1700000000000}}' > "$ledger/submission.json"
        exit 3"#,
    );
    let build = || {
        let mut command = world.command(&["build", "//p:one"]);
        world.ended(command.env("HERE_KEY", "sk-1").output().unwrap())
    };
    assert_eq!(world.ok(&["settle"]).stdout, "");
    for _ in 0..2 {
        let ran = build();
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains("vwfb settle //p:one --again"), "{}", ran.stderr);
    }
    let listed = world.ok(&["settle"]).stdout;
    assert!(listed.contains("here  //p:one  whether it did the work is not known"), "{listed}");
    let json: serde_json::Value =
        serde_json::from_str(&world.ok(&["settle", "--json"]).stdout).unwrap();
    assert_eq!(json[0]["label"], "//p:one");
    assert_eq!(json[0]["state"], "asked");
    assert_eq!(json[0]["asked"], "2023-11-14T22:13:20Z");
    let wrong = world.run(&["settle", "//p:other", "--again"]);
    assert_eq!(wrong.code, Some(1), "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("no service was asked anything for `//p:other`"),
        "{}",
        wrong.stderr
    );

    let _again = world.ok(&["settle", "//p:one", "--again"]);
    assert_eq!(build().code, Some(1), "it asked again, and again nothing came");
    let _job = world.ok(&["settle", ":one", "-C", "p", "--job", "job-7"]);
    assert!(world.ok(&["settle"]).stdout.contains("job job-7, for which the next build waits"));
    let ran = build();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(world.read("vwfb-out/p/one.txt").contains("\"job\":\"job-7\""));
    // What has its result is settled.
    assert_eq!(world.ok(&["settle"]).stdout, "");
    assert_eq!(fs::read_dir(world.path(".vwfb/submissions")).unwrap().count(), 0);
}

/// Three questions, each expected to cost 0.04 and costing what `usage` comes to.
fn paid(budgets: &str, then: &str) -> World {
    let world = World::with(&format!(
        r##"
        rule "ask" {{
            attr "model" type="string" default="big"
            attr "words" type="int" default=4000
            out "answer" path="{{name}}.txt"
            results "sampled"
            service "here"
            estimate output-tokens="{{words}}" seconds=30
            env {{ MODEL "{{model}}" }}
            script "{then}"
        }}
        ask "one" {{ env {{ N 1 }} }}
        ask "two" {{ env {{ N 2 }} }}
        ask "three" {{ env {{ N 3 }} }}
        "##
    ));
    world.write(
        "WORKSPACE.kdl",
        &format!(
            "workspace \"w\" {{ services {{ here url=\"http://127.0.0.1:9\" {{ price model=\"big\" output=10 }} }}; {budgets} }}"
        ),
    );
    world
}

/// Says that it took a quarter of what was expected.
const CHEAP: &str =
    r#"echo '{{\"output_tokens\":1000}}' > $VWFB_SERVICE_LEDGER/usage.json; echo x > {out}"#;

#[test]
fn a_budget_is_reserved_before_it_is_spent_and_settled_after() {
    let world = paid("budgets { run 0.07 }", CHEAP);
    let plan = world.ok(&["plan", "//..."]);
    assert!(plan.stdout.contains("runs      //p:one (may cost 0.04)"), "{}", plan.stdout);
    assert!(plan.stderr.contains("to run: about 1 min 30 s, 0.12 of money"), "{}", plan.stderr);
    // Two at once would be 0.08, so one waits for the other; then each has cost 0.01.
    let ran = world.ok(&["build", "//..."]);
    assert!(ran.stderr.contains("ran 3"), "{}", ran.stderr);
    let saved = world.ok(&["plan", "//..."]);
    assert!(saved.stderr.contains("the store saves 0.03 of money"), "{}", saved.stderr);
}

#[test]
fn a_budget_that_is_reached_keeps_what_is_made_and_says_how_to_go_on() {
    let world = paid("budgets { day 0.05 }", "echo x > {out}");
    let ran = world.run(&["build", "//..."]);
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("it may cost 0.04, and of the 0.05 for a day 0.01 are left"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("raise it in `budgets` of WORKSPACE.kdl"), "{}", ran.stderr);
    assert!(ran.stderr.contains("ran 1, waiting 2"), "{}", ran.stderr);
    // A build's own budget does not go over that of the day; a larger one for the day does.
    assert_eq!(world.run(&["build", "//...", "--budget", "9"]).code, Some(5));
    let text = world.read("WORKSPACE.kdl");
    world.write("WORKSPACE.kdl", &text.replace("day 0.05", "day 0.50"));
    let ran = world.run(&["build", "//...", "--budget", "0.05"]);
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    assert!(ran.stderr.contains("of the 0.05 for a build 0.01 are left"), "{}", ran.stderr);
    assert!(world.ok(&["build", "//..."]).stderr.contains("ran 1"));
}

#[test]
fn what_failed_without_an_answer_costs_nothing() {
    let world = paid("budgets { day 0.05 }", "exit 1");
    for _ in 0..2 {
        assert_eq!(world.run(&["build", "//p:one"]).code, Some(1), "there is still money to try");
    }
    // What may have been done keeps its money until that is known.
    let asked = "echo '{{\\\"state\\\":\\\"asked\\\",\\\"at\\\":1}}' > $VWFB_SERVICE_LEDGER/submission.json; exit 3";
    let world = paid("budgets { day 0.05 }", asked);
    assert_eq!(world.run(&["build", "//p:one"]).code, Some(1));
    let ran = world.run(&["build", "//p:two"]);
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
}

#[test]
fn what_a_task_puts_into_its_ledger_leads_nowhere() {
    // Links out of it, pipes, and folders that are links: nothing is written through or waited for.
    let world = world(
        r#"ln -s "$PWD/../../../../victim" "$ledger/.submission.json" "$ledger/.task.json" 2>/dev/null || :
        mkfifo "$ledger/submission.json" "$ledger/usage.json"
        ln -s /dev/zero "$ledger/booked"
        ln -s / "$ledger/more"
        exit 3"#,
    );
    let victim = world.root().with_file_name("victim");
    fs::write(&victim, "mine").unwrap();
    for _ in 0..2 {
        let mut command = world.command(&["build", "//p:one"]);
        let ran = world.ended(command.env("HERE_KEY", "sk-1").output().unwrap());
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    }
    // What cannot be read may be open.
    assert!(world.ok(&["settle"]).stdout.contains("//p:one"));
    let _again = world.ok(&["settle", "//p:one", "--again"]);
    assert_eq!(world.ok(&["settle"]).stdout, "");
    assert_eq!(fs::read_to_string(victim).unwrap(), "mine");
}

#[test]
fn an_answer_of_no_use_costs_what_it_costs_once() {
    let world = paid(
        "budgets { day 0.05 }",
        "echo '{{\\\"output_tokens\\\":1000}}' > $VWFB_SERVICE_LEDGER/usage.json; exit 1",
    );
    world.write(
        "p/BUILD.kdl",
        &world.read("p/BUILD.kdl").replace("ask \"one\" {", "ask \"one\" retries=3 {"),
    );
    assert_eq!(world.run(&["build", "//p:one"]).code, Some(1));
    let spent = || {
        let path = world.path(".vwfb/spending.db");
        let db = rusqlite::Connection::open(path).unwrap();
        let sum = "SELECT count(*), total(cost) FROM spending WHERE cost IS NOT NULL";
        db.query_row(sum, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, f64>(1)?))).unwrap()
    };
    assert_eq!(spent(), (1, 10_000.0), "and it was not asked again by `retries`");
}

#[test]
fn what_is_to_be_read_counts_before_it_is_asked() {
    let world = World::with(
        r##"
        rule "say" {
            attr "text" type="file"
            out "answer" path="{name}.txt"
            results "sampled"
            service "here"
            estimate characters=1
            script #"echo '{{"characters":100}}' > $VWFB_SERVICE_LEDGER/usage.json; cat {text} > {out}"#
        }
        say "one" text="one.txt"
        say "two" text="two.txt"
        "##,
    );
    world.write(
        "WORKSPACE.kdl",
        "workspace \"w\" { services { here url=\"http://127.0.0.1:9\" { price characters=1000 } }; budgets { run 0.15 } }",
    );
    world.write("p/one.txt", &"a".repeat(100));
    world.write("p/two.txt", &"b".repeat(100));
    let ran = world.run(&["build", "//...", "-j", "2"]);
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    let told = "it may cost 0.10, and of the 0.15 for a build 0.05 are left";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
    assert!(ran.stderr.contains("ran 1, waiting 1"), "{}", ran.stderr);
}

#[test]
fn what_was_asked_is_waited_for_whatever_a_build_may_spend() {
    let asked = "echo '{{\\\"state\\\":\\\"answered\\\",\\\"at\\\":1}}' > $VWFB_SERVICE_LEDGER/submission.json; [ -e $VWFB_SERVICE_LEDGER/second ] || { touch $VWFB_SERVICE_LEDGER/second; exit 1; }; echo x > {out}";
    let world = paid("", &asked.replace("|| { ", "|| {{ ").replace("; }", "; }}"));
    assert_eq!(world.run(&["build", "//p:one"]).code, Some(1));
    let ran = world.run(&["build", "//p:one", "--budget", "0.01"]);
    assert_eq!(ran.code, Some(0), "its answer is here: {}", ran.stderr);
    assert_eq!(world.run(&["build", "//p:two", "--budget", "0.01"]).code, Some(5));
}
