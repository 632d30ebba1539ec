//! Services through the rules of the library: a workspace, `vwfb build`, and servers that count.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::providers::{Comfy, Gradio, film, ollama, picture, right_wav, speech};
use super::server::{Reply, Request, Server};

/// A workspace whose services are all at one address.
struct Studio {
    folder: TempDir,
}

impl Studio {
    fn new(server: &Server, build: &str) -> Self {
        let studio = Self { folder: tempfile::tempdir().unwrap() };
        let url = server.url();
        let all = ["openai", "anthropic", "ollama", "voxcpm", "comfyui"];
        let all: String = all
            .iter()
            .map(|name| format!("{name} url=\"{url}\" idle=\"5s\" deadline=\"20s\"\n"))
            .collect();
        studio.write(
            "WORKSPACE.kdl",
            &format!(
                "workspace \"w\" {{\n services {{\n{all} }}\n tools {{ allow \"rev\" }}\n toolchain \"whisper-cli\" {{ program \"//tools/whisper-cli\" }}\n}}\n"
            ),
        );
        let uses = "use \"@std/ai\"\nuse \"@std/audio\"\n";
        studio.write("p/BUILD.kdl", &format!("{uses}{build}\n"));
        studio.write("p/text.txt", "Hello there.\n");
        fs::write(studio.path("p/voice.wav"), right_wav()).unwrap();
        studio.program("tools/whisper-cli", WHISPER);
        studio
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("ws").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    fn program(&self, path: &str, text: &str) {
        self.write(path, text);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Writes a picture that can be looked at.
    fn draw(&self, path: &str) {
        let drawn = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", "testsrc=s=64x36", "-frames:v", "1"])
            .arg(self.path(path))
            .status();
        assert!(drawn.unwrap().success());
    }

    fn out(&self, path: &str) -> Vec<u8> {
        fs::read(self.path("vwfb-out/p").join(path)).unwrap()
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.out(path)).unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vwfb"));
        command
            .args(args)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .env("VWFB_STORE", self.folder.path().join("store"))
            .env("OPENAI_API_KEY", "sk-openai")
            .env("ANTHROPIC_API_KEY", "sk-anthropic");
        command
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (status.code(), text)
    }

    /// Starts a build of `label` and kills it with SIGKILL where the server holds.
    fn kill_at(&self, server: &Server, (step, label): (&str, &str)) {
        server.hold_at(step);
        let mut command = self.command(&["build", label]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        server.wait_until_held();
        child.kill().unwrap();
        child.wait().unwrap();
        server.release();
    }
}

/// What whisper.cpp writes for `Hello there.`, by a program that looks at what it is given.
const WHISPER: &str = r#"#!/bin/sh
set -eu
while [ $# -gt 0 ]; do
    case $1 in
    -m) [ "$(cat "$2")" = model ] ; shift ;;
    -f) [ "$(head -c 4 "$2")" = RIFF ] ; shift ;;
    -of) out=$2; shift ;;
    esac
    shift
done
cat > "$out.json" <<'END'
{"result": {"language": "en"}, "transcription": [{"timestamps": {"from": "00:00:00,000", "to": "00:00:01,000"},
 "offsets": {"from": 0, "to": 1000}, "text": " Hello there.", "tokens": [
 {"text": "[_BEG_]", "offsets": {"from": 0, "to": 0}},
 {"text": " Hel", "offsets": {"from": 100, "to": 300}}, {"text": "lo", "offsets": {"from": 300, "to": 400}},
 {"text": " there", "offsets": {"from": 500, "to": 900}}, {"text": ".", "offsets": {"from": 900, "to": 950}},
 {"text": "[_TT_50]", "offsets": {"from": 1000, "to": 1000}}]}]}
END
"#;

/// Every service, each as it is.
fn everything() -> impl FnMut(&Request) -> Reply + Send + 'static {
    let (comfy, gradio) = (Comfy::new(), Gradio::new());
    move |request: &Request| {
        let path = request.line.split_once(' ').unwrap().1.to_owned();
        match path.as_str() {
            "/audio/speech" => speech(request),
            "/audio/transcriptions" => Reply::json(
                200,
                &json!({"language": "english", "duration": 1.0, "text": "Hello where.",
                    "words": [{"word": "Hello", "start": 0.0, "end": 0.4}, {"word": "where", "start": 0.5, "end": 1.0}]}),
            ),
            "/chat/completions" => Reply::json(
                200,
                &json!({"model": "gpt-x", "choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 8, "completion_tokens": 2}}),
            ),
            "/v1/messages" => Reply::json(
                200,
                &json!({"model": "claude-x", "stop_reason": "end_turn", "content": [{"type": "text", "text": "No."}],
                    "usage": {"input_tokens": 8, "output_tokens": 2}}),
            ),
            path if path.starts_with("/api/") => ollama(request),
            path if path.starts_with("/gradio_api") || path == "/config" => {
                gradio.lock().unwrap().answer(request)
            }
            _ => {
                let mut comfy = comfy.lock().unwrap();
                if request.line == "POST /prompt" {
                    comfy.films = request.text().contains("VHS_VideoCombine");
                }
                comfy.answer(request)
            }
        }
    }
}

#[test]
fn every_engine_makes_what_its_rule_says_once() {
    let server = Server::new(everything());
    let studio = Studio::new(
        &server,
        r##"
        tts "openai" text="text.txt" engine="openai" instructions="calm"
        tts "voxcpm" text="text.txt" engine="voxcpm" reference-audio="voice.wav" reference-text="What is said."
        tts "own" text="text.txt" engine="command" {
            command "sh" "-c" "cp in/text.txt tmp/x; cp tmp/x \"$2\"" "own"
            tools "sh"
        }
        llm "gpt" prompt="text.txt" engine="openai" model="gpt-x"
        llm "claude" prompt="text.txt" engine="anthropic" model="claude-x" system="Be brief."
        llm "llava" prompt="text.txt" engine="ollama" model="llava:7b" lines="Because.*"
        llm "rev" prompt="text.txt" engine="command" { command "rev"; tools "rev" }
        tts_verify "checked" audio="voice.wav" text="text.txt" engine="openai" most-errors=0.6
        tts_verify "whispered" audio="voice.wav" text="text.txt" engine="whisper-cli" model="model.bin"
        transcribe "heard" audio="voice.wav" engine="openai"
        transcribe "subtitles" audio="voice.wav" engine="whisper-cli" model="model.bin" format="srt"
        text_to_image "picture" prompt="a fox" engine="comfyui" seed=3
        llm_audit "audit" assets="wide.png" engine="ollama" model="llava:7b"
        "##,
    );
    studio.write("p/model.bin", "model\n");
    studio.draw("p/wide.png");
    let (code, said) = studio.run(&["build", "//p"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("ran 13"), "{said}");
    assert_eq!(studio.out("openai.wav"), right_wav());
    assert_eq!(studio.out("voxcpm.wav"), right_wav());
    assert_eq!(studio.out("own.wav"), b"Hello there.\n");
    let texts = ["gpt.txt", "claude.txt", "llava.txt", "rev.txt"].map(|name| studio.out(name));
    assert_eq!(
        texts.map(|text| String::from_utf8(text).unwrap()),
        ["Yes.\n", "No.\n", "Because it is.\n", ".ereht olleH\n"]
    );
    let checked = studio.json("checked.json");
    assert_eq!((&checked["wer"], &checked["aligned"]), (&json!(0.5), &json!(true)));
    assert_eq!(checked["differences"][0]["heard"], "where");
    let whispered = studio.json("whispered.json");
    assert_eq!((&whispered["wer"], &whispered["aligned"]), (&json!(0), &json!(true)));
    assert_eq!(whispered["words"][0], json!({"word": "Hello", "start": 0.1, "end": 0.4}));
    assert!(whispered["silences"].is_array());
    assert_eq!(studio.json("heard.json")["text"], "Hello where.");
    let subtitles = String::from_utf8(studio.out("subtitles.srt")).unwrap();
    assert!(subtitles.contains("Hello there."), "{subtitles}");
    assert_eq!(studio.out("picture.png"), picture());
    let audit = studio.json("audit.json");
    let finding = audit["findings"][0]["feedback"].as_str().unwrap();
    assert!(finding.starts_with("Because it is.; luma "), "{audit}");
    let asked = server.log().len();
    let secret = "sk-openai";
    let speech = server.log().into_iter().find(|it| it.line == "POST /audio/speech").unwrap();
    assert_eq!(speech.header("authorization"), Some(format!("Bearer {secret}").as_str()));
    assert_eq!(speech.json()["instructions"], "calm");

    // Nothing is asked again; and the secret is nowhere.
    let (_, said) = studio.run(&["build", "//p"]);
    assert!(said.contains("unchanged 13"), "{said}");
    assert_eq!(server.log().len(), asked);
    for entry in walkdir::WalkDir::new(studio.folder.path()) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            assert!(!bytes.windows(secret.len()).any(|it| it == secret.as_bytes()), "{entry:?}");
        }
    }
}

#[test]
fn films_come_from_comfyui() {
    let server = Server::new(everything());
    let studio = Studio::new(
        &server,
        r#"
        text_to_image "picture" prompt="a fox" engine="comfyui" width=1920 height=1080
        image_to_video "moved" image=":picture" engine="comfyui" motion=200
        text_to_video "film" prompt="a fox runs" engine="comfyui" length=49 orientation="portrait"
        "#,
    );
    let (code, said) = studio.run(&["build", "//p", "-j", "1"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(studio.out("moved.mp4"), film());
    assert_eq!(studio.out("film.mp4"), film());
    let graphs: Vec<Value> =
        server.log().iter().filter(|it| it.line == "POST /prompt").map(Request::json).collect();
    let graphs: Vec<String> = graphs.iter().map(ToString::to_string).collect();
    assert_eq!(graphs.len(), 3);
    assert!(graphs.iter().any(|it| it.contains("\"motion_bucket_id\":200")), "{graphs:?}");
    assert!(
        graphs.iter().any(|it| it.contains("\"width\":480") && it.contains("\"height\":832")),
        "{graphs:?}"
    );
    // Another take has another seed, and is asked for.
    let (code, said) = studio.run(&["redo", "//p:film"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(server.count("POST /prompt"), 4);
}

/// A picture of ComfyUI's: submitted, waited for, fetched.
const PICTURE: &str = "text_to_image \"picture\" prompt=\"a fox\" engine=\"comfyui\"";

#[test]
fn vwfb_killed_at_any_step_asks_for_nothing_twice() {
    for step in ["POST /prompt", "GET /history/", "GET /view"] {
        let server = Server::new(everything());
        let studio = Studio::new(&server, PICTURE);
        studio.kill_at(&server, (step, "//p:picture"));
        let (code, said) = studio.run(&["build", "//p:picture"]);
        assert_eq!(code, Some(0), "{step}: {said}");
        assert_eq!(server.count("POST /prompt"), 1, "{step}");
        assert_eq!(studio.out("picture.png"), picture());
        let (_, said) = studio.run(&["settle"]);
        assert!(said.contains("every question to a service is answered"), "{said}");
    }
}

#[test]
fn speech_that_may_have_been_paid_is_not_asked_for_again() {
    let server = Server::new(everything());
    let studio = Studio::new(&server, "tts \"a\" text=\"text.txt\" engine=\"openai\"");
    studio.kill_at(&server, ("POST /audio/speech", "//p:a"));
    let (code, said) = studio.run(&["build", "//p:a"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("unknown-submission") && said.contains("vwfb settle //p:a --again"),
        "{said}"
    );
    assert_eq!(server.count("POST /audio/speech"), 1);
    assert_eq!(studio.run(&["settle", "//p:a", "--again"]).0, Some(0));
    let (code, said) = studio.run(&["build", "//p:a"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(server.count("POST /audio/speech"), 2);
}

#[test]
fn another_kit_makes_nothing_again() {
    let server = Server::new(everything());
    let studio = Studio::new(&server, "tts \"a\" text=\"text.txt\" engine=\"openai\"");
    // The programs side by side in a folder of their own, as another version would be.
    let own = studio.folder.path().join("bin");
    fs::create_dir(&own).unwrap();
    for program in [env!("CARGO_BIN_EXE_vwfb"), env!("CARGO_BIN_EXE_vwfb-kit")] {
        let name = std::path::Path::new(program).file_name().unwrap();
        fs::copy(program, own.join(name)).unwrap();
    }
    let build = || {
        let mut command = Command::new(own.join("vwfb"));
        let like = studio.command(&[]);
        command.args(["build", "//p:a"]).current_dir(studio.path("")).env_clear();
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(build().contains("ran 1"));
    let mut bytes = fs::read(own.join("vwfb-kit")).unwrap();
    bytes.push(0);
    fs::write(own.join("vwfb-kit"), bytes).unwrap();
    assert!(!build().contains("ran"), "its version is the same");
    assert_eq!(server.count("POST /audio/speech"), 1);
}

#[test]
fn an_answer_of_no_use_is_not_asked_for_again_by_retries() {
    let server = Server::in_order(vec![Reply::json(200, &json!({"choices": []}))]);
    let studio = Studio::new(
        &server,
        "llm \"a\" prompt=\"text.txt\" engine=\"openai\" model=\"m\" retries=3",
    );
    let (code, said) = studio.run(&["build", "//p:a"]);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(server.log().len(), 1);
    // Nothing is open, and no job is offered where there are none.
    assert!(studio.run(&["settle"]).1.contains("every question to a service is answered"));
}
