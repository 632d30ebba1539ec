//! Failures of servers and of the way to them: each has its verdict, in bounded time, and nothing is
//! asked twice that may have been done.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::chat::ask;
use super::client::Client;
use super::films::PICTURE;
use super::providers::{Comfy, ollama_stream, right_wav, speech, streamed_wav};
use super::server::{Reply, Server};
use super::speech::{OPENAI, VOXCPM};
use super::transcription::HEAR;

fn sound() -> Reply {
    Reply::with(200, "audio/wav", streamed_wav())
}

fn busy(status: u16) -> Reply {
    Reply::json(status, &json!({"error": {"message": "come back later"}}))
}

#[test]
fn a_busy_service_is_asked_again_when_it_says() {
    for status in [429, 500, 503, 529] {
        let server = Server::in_order(vec![busy(status), busy(status), sound()]);
        let client = Client::new(&server);
        client.run(OPENAI).done();
        assert_eq!(server.log().len(), 3);
    }
    let server = Server::in_order(vec![busy(429).header("retry-after", "1"), sound()]);
    let ran = Client::new(&server).run(OPENAI);
    ran.done();
    assert!(ran.took >= Duration::from_secs(1), "{ran:?}");
}

#[test]
fn a_gateway_does_not_know_what_became_of_the_question() {
    for status in [408, 502, 504, 524] {
        let server = Server::in_order(vec![busy(status), sound()]);
        let client = Client::new(&server);
        client.run(OPENAI).failed(3, &["unknown-submission", "come back later"]);
        assert_eq!((client.state().as_deref(), server.log().len()), (Some("asked"), 1));
        let server = Server::in_order(vec![busy(status), sound()]);
        Client::new(&server).env("REPEAT", "1").run(OPENAI).done();
        assert_eq!(server.log().len(), 2);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a server names a date by its clock")]
fn a_busy_service_may_name_a_date() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // Whole seconds are cut off; two of them are more than one.
    let date = http_date(now + 2);
    let server = Server::in_order(vec![busy(503).header("retry-after", date), sound()]);
    let ran = Client::new(&server).run(OPENAI);
    ran.done();
    assert!(ran.took >= Duration::from_millis(900), "{ran:?}");
}

fn http_date(seconds: u64) -> String {
    let date = std::process::Command::new("date")
        .args(["-u", "-d", &format!("@{seconds}"), "+%a, %d %b %Y %H:%M:%S GMT"])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_wait_that_is_longer_than_there_is_time_is_not_begun() {
    let server = Server::in_order(vec![busy(429).header("retry-after", "3600")]);
    let client = Client::new(&server);
    let ran = client.run(OPENAI);
    ran.failed(1, &["too-late", "come back later", "3600"]);
    assert!(ran.took < Duration::from_secs(3), "{ran:?}");
    assert_eq!((client.state(), server.log().len()), (None, 1));
}

#[test]
fn a_service_that_fails_for_ever_is_given_up() {
    let server = Server::in_order(vec![busy(500)]);
    let client = Client::new(&server);
    client.run(OPENAI).failed(1, &["unavailable", "6 times", "500", "come back later"]);
    assert_eq!((client.state(), server.log().len()), (None, 6));
}

#[test]
fn a_service_that_starts_late_is_waited_for() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(400));
        Server::at(TcpListener::bind(address).unwrap(), speech)
    });
    let client = Client::of(&format!("http://{address}")).env("PACE", "0.3");
    client.run(OPENAI).done();
    assert_eq!(late.join().unwrap().log().len(), 1);

    let nobody = Client::of("http://127.0.0.1:1");
    nobody.run(OPENAI).failed(1, &["unavailable", "refused"]);
    assert_eq!(nobody.state(), None);
}

#[test]
fn a_request_that_was_cut_off_is_sent_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let words = json!([{"word": "Hi", "start": 0.0, "end": 1.0}]);
    let server = thread::spawn(move || {
        // More is sent than the system holds, so the client sees that it cannot have been read.
        let mut some = [0; 4096];
        std::io::Read::read_exact(&mut listener.accept().unwrap().0, &mut some).unwrap();
        Server::at(listener, move |_| Reply::json(200, &json!({"text": "Hi", "words": words})))
    });
    let client = Client::of(&format!("http://{address}"));
    client.write("voice.wav", vec![7; 16 << 20]);
    client.run(HEAR).done();
    assert_eq!(server.join().unwrap().log().len(), 1);
}

#[test]
fn an_answer_that_is_lost_is_not_asked_for_again() {
    let body = streamed_wav();
    let half = [Reply::head("audio/wav", body.len()), body[..8000].to_vec()].concat();
    let chunk = Reply::chunk("audio/wav", "RIFF");
    for lost in [
        Reply::nothing(),
        Reply::Raw(b"HTTP/1.1 200".to_vec()),
        Reply::Raw(half),
        Reply::Raw(chunk),
    ] {
        let server = Server::in_order(vec![lost.clone(), sound()]);
        let client = Client::new(&server);
        let words = ["unknown-submission: voice was asked at 20", "vwfb settle LABEL --again"];
        client.run(OPENAI).failed(3, &words);
        assert_eq!(client.state().as_deref(), Some("asked"), "{lost:?}");
        // Nor is it the next time.
        client.run(OPENAI).failed(3, &words);
        assert_eq!(server.log().len(), 1, "{lost:?}");

        let server = Server::in_order(vec![lost.clone(), sound()]);
        let client = Client::new(&server).env("REPEAT", "1");
        client.run(OPENAI).done();
        assert_eq!(server.log().len(), 2, "{lost:?}");
    }
}

#[test]
fn a_job_may_be_named_where_the_answer_was_lost() {
    let server = Server::new(|request| match request.line.as_str() {
        "GET /config" => Reply::json(200, &json!({"api_prefix": "/gradio_api"})),
        _ => Reply::nothing(),
    });
    let client = Client::new(&server);
    client.run(VOXCPM).failed(3, &["unknown-submission", "vwfb settle LABEL --job ID"]);
    assert_eq!(client.state().as_deref(), Some("asked"));
}

#[test]
fn comfyui_tells_what_became_of_a_lost_answer() {
    for old in [false, true] {
        let comfy = Comfy::new();
        comfy.lock().unwrap().old = old;
        let server = Server::new(move |request| {
            let reply = comfy.lock().unwrap().answer(request);
            if request.line == "POST /prompt" { Reply::nothing() } else { reply }
        });
        let client = Client::new(&server);
        client.run(PICTURE).done();
        assert_eq!(server.count("POST /prompt"), 1, "old {old}");
    }
}

#[test]
fn a_comfyui_that_drops_each_request_is_given_up() {
    let comfy = Comfy::new();
    let server = Server::new(move |request| match request.line.as_str() {
        "POST /prompt" => Reply::nothing(),
        _ => comfy.lock().unwrap().answer(request),
    });
    let client = Client::new(&server);
    client.run(PICTURE).failed(1, &["unreachable", "drops each request"]);
    assert_eq!((client.state(), server.count("POST /prompt")), (None, 6));
}

#[test]
fn looks_and_downloads_are_tried_again() {
    let comfy = Comfy::new();
    let mut seen = std::collections::BTreeMap::new();
    let server = Server::new(move |request| {
        let times = seen.entry(request.line.clone()).or_insert(0);
        *times += 1;
        match (request.line.as_str(), *times) {
            ("GET /queue", 1) => Reply::nothing(),
            ("GET /queue", 2) => busy(502),
            ("GET /view", 1) => {
                Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\x89PN".to_vec())
            }
            _ => comfy.lock().unwrap().answer(request),
        }
    });
    let client = Client::new(&server);
    client.run(PICTURE).done();
    assert_eq!((server.count("POST /prompt"), server.count("GET /view")), (1, 2));
}

#[test]
fn a_service_that_says_nothing_or_little_is_given_up() {
    let drip = |length: usize| {
        Reply::Drip(Reply::head("application/x-ndjson", length), Duration::from_millis(400))
    };
    // A byte now and then is too little where that is said, and too slow in any case.
    for (idle, deadline) in [("0.1", "10"), ("5", "1")] {
        let server = Server::in_order(vec![drip(100_000)]);
        let client = Client::new(&server).env("IDLE", idle).env("DEADLINE", deadline);
        let ran = client.run(&ask("ollama", "m"));
        ran.failed(3, &["unknown-submission"]);
        assert!(ran.took < Duration::from_secs(4), "{ran:?}");
    }
    // The first byte may take as long as the call.
    let server = Server::new(speech);
    server.hold_at("POST /audio/speech");
    let client = Client::new(&server).env("IDLE", "0.1").env("DEADLINE", "1");
    let ran = client.run(OPENAI);
    ran.failed(3, &["unknown-submission", "the time was over"]);
    assert!((0.9..4.0).contains(&ran.took.as_secs_f64()), "{ran:?}");
    // Asking again costs nothing, but there is no time for it.
    let server = Server::new(speech);
    server.hold_at("POST /audio/speech");
    let client = Client::new(&server).env("DEADLINE", "0.5").env("REPEAT", "1");
    client.run(OPENAI).failed(1, &["too-late"]);
    assert_eq!(client.state(), None);
}

#[test]
fn a_stream_that_never_ends_is_given_up() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec();
    let beats = b"event: heartbeat\ndata: null\n\n".repeat(100);
    for piece in [beats, b"data: and more".repeat(1000)] {
        let head = head.clone();
        let server = Server::new(move |request| match request.line.as_str() {
            "POST /call/generate" => Reply::json(200, &json!({"event_id": "e"})),
            "GET /call/generate/e" => Reply::Flood(head.clone(), piece.clone()),
            _ => Reply::json(404, &json!({})),
        });
        let client = Client::new(&server).env("DEADLINE", "1");
        let ran = client.run(VOXCPM);
        ran.failed(3, &["error: "]);
        assert!(ran.took < Duration::from_secs(5), "{ran:?}");
        assert_eq!(client.state().as_deref(), Some("running"));
    }
}

#[test]
fn a_result_that_is_not_given_out_is_not_forgotten() {
    for (status, code, state) in [(403, 3, Some("running")), (404, 1, None)] {
        let comfy = Comfy::new();
        let server = Server::new(move |request| match request.line.as_str() {
            "GET /view" => busy(status),
            _ => comfy.lock().unwrap().answer(request),
        });
        let client = Client::new(&server);
        client.run(PICTURE).failed(code, &[&status.to_string()]);
        assert_eq!(client.state().as_deref(), state);
    }
}

#[test]
fn an_answer_without_an_end_is_cut_off() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\n\r\n".to_vec();
    let line = format!("{}\n", ollama_stream().lines().next().unwrap());
    let server = Server::in_order(vec![Reply::Flood(head, line.repeat(1000).into_bytes())]);
    let client = Client::new(&server).env("DEADLINE", "60");
    client.run(&ask("ollama", "m")).failed(1, &["longer than 64 MiB"]);
    assert_eq!(client.state(), None);
}

#[test]
fn a_refusal_is_told_and_leaves_nothing_open() {
    let elsewhere =
        Reply::Whole(302, vec![("location", "http://127.0.0.1:1/x".into())], Vec::new());
    let key =
        json!({"error": {"message": "Incorrect API key provided: sk-very-secret-0123456789"}});
    let cases = [
        (Reply::json(401, &key), "Incorrect API key provided: [secret]", "key is refused"),
        (busy(400), "400: come back later", "come"),
        (Reply::json(404, &json!({"detail": "Not Found"})), "404: Not Found", "right address"),
        (busy(501), "501", "come"),
        (elsewhere, "302 `http://127.0.0.1:1/x`", "name that address"),
    ];
    for (reply, word, hint) in cases {
        let server = Server::in_order(vec![reply]);
        let client = Client::new(&server);
        client.run(OPENAI).failed(1, &[word, hint]);
        assert_eq!((client.state(), server.log().len()), (None, 1), "{word}");
    }
}

#[test]
fn a_download_may_be_elsewhere_and_our_key_does_not_go_there() {
    let other = Server::new(|_| Reply::with(200, "audio/wav", right_wav()));
    let place = format!("{}/sound.wav", other.url());
    let end = "event: complete\ndata: [{\"path\": \"/a.wav\"}]\n\n";
    let server = Server::new(move |request| match request.line.as_str() {
        "POST /call/generate" => Reply::json(200, &json!({"event_id": "e"})),
        "GET /call/generate/e" => Reply::with(200, "text/event-stream", end),
        "GET /file=/a.wav" => Reply::with(302, "text/plain", "").header("location", place.clone()),
        _ => Reply::json(404, &json!({})),
    });
    let client = Client::new(&server);
    client.run(VOXCPM).done();
    assert_eq!(client.read("out.wav"), right_wav());
    assert_eq!(other.log().len(), 1);
    assert_eq!(other.log()[0].header("authorization"), None);
}

#[test]
fn an_environment_that_lacks_something_is_told() {
    let server = Server::new(speech);
    let wrong = [("KEY", "abc"), ("URL", "file:///etc"), ("IDLE", "soon"), ("LEDGER", "nowhere")];
    for (name, value) in wrong {
        let client = Client::new(&server).env(name, value);
        client.run(OPENAI).failed(1, &["error: "]);
    }
    assert_eq!(server.log().len(), 0);
}
