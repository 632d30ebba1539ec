//! A small HTTP/1.1 server: a script says what it answers, and how it fails; it counts what it is asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// What came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// As in `POST /prompt`, without what follows a question mark.
    pub(crate) line: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What goes back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A whole answer: its status, its headers and its body.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// These bytes, and then the connection is closed.
    Raw(Vec<u8>),
    /// These bytes, then those, with a stop between them if the server holds here.
    Halves(Vec<u8>, Vec<u8>),
    /// These bytes at once, and then one byte each so often, without an end.
    Drip(Vec<u8>, Duration),
    /// These bytes at once, and then those over and over, as fast as they go.
    Flood(Vec<u8>, Vec<u8>),
}

impl Reply {
    pub(crate) fn with(status: u16, media: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::Whole(status, vec![("content-type", media.to_owned())], body.into())
    }

    pub(crate) fn json(status: u16, value: &Value) -> Self {
        Self::with(status, "application/json", value.to_string())
    }

    /// The connection is closed without an answer.
    pub(crate) fn nothing() -> Self {
        Self::Raw(Vec::new())
    }

    /// The same with a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Whole(_, headers, _) = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    /// The head of an answer of which `length` bytes are to come.
    pub(crate) fn head(media: &str, length: usize) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n")
            .into()
    }

    /// The head of an answer in chunks, and a chunk.
    pub(crate) fn chunk(media: &str, chunk: &str) -> Vec<u8> {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n",
            chunk.len()
        )
        .into()
    }
}

/// Says what is answered.
pub(crate) type Script = Box<dyn FnMut(&Request) -> Reply + Send>;

/// At which request to hold, whether it does, and whether it may go on.
#[derive(Debug, Default)]
struct Hold {
    at: Option<String>,
    held: bool,
    free: bool,
}

/// A connection, plain or not.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

struct Shared {
    tls: Option<Arc<ServerConfig>>,
    script: Mutex<Script>,
    log: Mutex<Vec<Request>>,
    hold: Mutex<Hold>,
    changed: Condvar,
    closed: Mutex<bool>,
}

/// The server; it ends with the test.
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Server {
    pub(crate) fn new(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    /// One that is spoken to by TLS; its certificate is signed by `tls/ca.pem`.
    pub(crate) fn tls(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let certificate = CertificateDer::from_pem_slice(include_bytes!("tls/server.pem"));
        let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key"));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.unwrap()], key.unwrap())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::with(listener, Some(Arc::new(config)), script)
    }

    pub(crate) fn at(
        listener: TcpListener,
        script: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        Self::with(listener, None, script)
    }

    fn with(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        script: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            tls,
            script: Mutex::new(Box::new(script)),
            log: Mutex::default(),
            hold: Mutex::default(),
            changed: Condvar::new(),
            closed: Mutex::new(false),
        });
        let server = Self { address, shared: shared.clone() };
        thread::spawn(move || {
            for stream in listener.incoming() {
                if *shared.closed.lock().unwrap() {
                    return;
                }
                let shared = shared.clone();
                thread::spawn(move || {
                    if let Ok(stream) = stream {
                        let _ = shared.serve(stream);
                    }
                });
            }
        });
        server
    }

    /// Answers in this order, and then with the last one.
    pub(crate) fn in_order(replies: Vec<Reply>) -> Self {
        let mut at = 0;
        Self::new(move |_| {
            at += 1;
            replies[(at - 1).min(replies.len() - 1)].clone()
        })
    }

    pub(crate) fn url(&self) -> String {
        match self.shared.tls {
            Some(_) => format!("https://localhost:{}", self.address.port()),
            None => format!("http://{}", self.address),
        }
    }

    /// All that came whole.
    pub(crate) fn log(&self) -> Vec<Request> {
        self.shared.log.lock().unwrap().clone()
    }

    /// How often that was asked, as in `POST /prompt`.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.log().iter().filter(|request| request.line == line).count()
    }

    /// Holds at the next request whose line begins with `at`, before it answers.
    pub(crate) fn hold_at(&self, at: &str) {
        *self.shared.hold.lock().unwrap() =
            Hold { at: Some(at.to_owned()), held: false, free: false };
    }

    /// Waits until it holds.
    pub(crate) fn wait_until_held(&self) {
        let hold = self.shared.hold.lock().unwrap();
        let waited = self.shared.changed.wait_timeout_while(hold, LONG, |hold| !hold.held);
        assert!(!waited.unwrap().1.timed_out(), "nobody came to where the server holds");
    }

    /// Lets it go on.
    pub(crate) fn release(&self) {
        self.shared.hold.lock().unwrap().free = true;
        self.shared.changed.notify_all();
    }
}

const LONG: Duration = Duration::from_secs(20);

impl Drop for Server {
    fn drop(&mut self) {
        *self.shared.closed.lock().unwrap() = true;
        self.release();
        // The thread that accepts is woken, and ends.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(LONG))?;
        stream.set_write_timeout(Some(LONG))?;
        let mut stream: Box<dyn Stream> = match &self.tls {
            Some(config) => {
                let connection = ServerConnection::new(config.clone()).unwrap();
                Box::new(StreamOwned::new(connection, stream))
            }
            None => Box::new(stream),
        };
        let Some(request) = read(&mut stream)? else { return Ok(()) };
        // The script counts what came whole, whether or not anybody waits for the answer.
        let reply = {
            let mut script = self.script.lock().unwrap();
            self.log.lock().unwrap().push(request.clone());
            script(&request)
        };
        let halves = matches!(reply, Reply::Halves(..));
        if !halves {
            self.hold(&request.line);
        }
        match reply {
            Reply::Whole(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} Said\r\n");
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
                stream.write_all(head.as_bytes())?;
                stream.write_all(&body)
            }
            Reply::Raw(bytes) => stream.write_all(&bytes),
            Reply::Halves(first, second) => {
                stream.write_all(&first)?;
                self.hold(&request.line);
                stream.write_all(&second)
            }
            Reply::Drip(head, every) => {
                stream.write_all(&head)?;
                let end = Instant::now() + LONG;
                while Instant::now() < end && !*self.closed.lock().unwrap() {
                    stream.write_all(b"a")?;
                    thread::sleep(every);
                }
                Ok(())
            }
            Reply::Flood(head, piece) => {
                stream.write_all(&head)?;
                while !*self.closed.lock().unwrap() {
                    stream.write_all(&piece)?;
                }
                Ok(())
            }
        }
    }

    fn hold(&self, line: &str) {
        let mut hold = self.hold.lock().unwrap();
        if !hold.at.as_deref().is_some_and(|at| line.starts_with(at)) || hold.held {
            return;
        }
        hold.held = true;
        self.changed.notify_all();
        let _ = self.changed.wait_timeout_while(hold, LONG, |hold| !hold.free);
    }
}

fn read(stream: &mut dyn Stream) -> std::io::Result<Option<Request>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Some(Request { line: format!("{method} {path}"), query: query.to_owned(), headers, body }))
}
