//! TLS: who is trusted, and that an answer which was cut off is none.

use super::client::Client;
use super::providers::{right_wav, speech, streamed_wav};
use super::server::{Reply, Server};
use super::speech::OPENAI;

/// A client that trusts the authority of the tests, as a machine trusts that of its company.
fn trusting(server: &Server) -> Client {
    let client = Client::new(server);
    client.write("ca.pem", include_bytes!("tls/ca.pem"));
    let path = client.path("ca.pem").display().to_string();
    client.variable("SSL_CERT_FILE", &path)
}

#[test]
fn whom_the_machine_trusts_is_trusted() {
    let server = Server::tls(speech);
    let client = trusting(&server);
    client.run(OPENAI).done();
    assert_eq!(client.read("out.wav"), right_wav());
}

#[test]
fn nobody_else_is_and_nothing_is_sent() {
    let server = Server::tls(speech);
    let client = Client::new(&server);
    let ran = client.run(OPENAI);
    ran.failed(1, &["unreachable", "certificate"]);
    assert_eq!((client.state(), server.log().len()), (None, 0));
}

#[test]
fn an_answer_that_is_cut_off_is_not_known() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: audio/wav\r\n\r\n".to_vec();
    let body = streamed_wav();
    // Without a length, only the end of TLS tells that all has come; it is not told here.
    for lost in [Reply::nothing(), Reply::Raw([head, body[..8000].to_vec()].concat())] {
        let server = Server::tls(move |_| lost.clone());
        let client = trusting(&server);
        client.run(OPENAI).failed(3, &["unknown-submission"]);
        assert_eq!(server.log().len(), 1);
    }
}

#[test]
fn a_service_that_says_nothing_under_tls_is_given_up() {
    let server = Server::tls(speech);
    server.hold_at("POST /audio/speech");
    let client = trusting(&server).env("IDLE", "0.1").env("DEADLINE", "0.7");
    let ran = client.run(OPENAI);
    ran.failed(3, &["unknown-submission", "the time was over"]);
    assert!((0.6..4.0).contains(&ran.took.as_secs_f64()), "{ran:?}");
}
