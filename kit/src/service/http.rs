//! One HTTP exchange with a service: asked once, and told apart whether the service can have had it.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, RustlsConnector, TcpConnector};
use ureq::{Agent, BodyReader, http};

use super::failure::Failure;
use super::settings::Settings;
use super::watch::{Layers, Place, Watch};

/// The most that JSON or text may have.
pub(crate) const MOST_TEXT: u64 = 64 << 20;

/// The most that a film or a sound may have.
pub(crate) const MOST_FILE: u64 = 8 << 30;

/// How many redirects a download follows.
const REDIRECTS: u32 = 4;

/// A request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask {
    /// Where: behind the service's address, or a whole address.
    pub(crate) path: String,
    /// The media type and the bytes that are posted; nothing where something is only looked at.
    pub(crate) body: Option<(String, Vec<u8>)>,
    /// Further headers.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Whether the first byte of the answer may take as long as the whole call.
    pub(crate) patient: bool,
    /// Whether the service may send us elsewhere.
    pub(crate) follow: bool,
}

impl Ask {
    /// Looks at `path`.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// Posts JSON to `path`.
    pub(crate) fn json(path: impl Into<String>, body: &serde_json::Value) -> Self {
        let body = ("application/json".to_owned(), body.to_string().into_bytes());
        Self { path: path.into(), body: Some(body), patient: true, ..Self::default() }
    }

    /// The same with a header.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same with the secret as a bearer, if there is one.
    pub(crate) fn bearer(self, secret: Option<&str>) -> Self {
        match secret {
            Some(secret) => self.header("authorization", format!("Bearer {secret}")),
            None => self,
        }
    }
}

/// Why there is no whole answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The service cannot have had the whole request; whether another try may do better.
    Unsent(String, bool),
    /// The service may have had it, and the answer did not come whole.
    Lost(String),
    /// What came, or this machine, is at fault: no other try does better.
    Wrong(Failure),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Wrong(failure)
    }
}

/// An answer whose head has come.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The media type without parameters, in lower case.
    pub(crate) media: String,
    pub(crate) retry_after: Option<String>,
    pub(crate) location: Option<String>,
    body: BodyReader<'static>,
    watch: Watch,
    end: Instant,
}

impl Answer {
    /// Whether the service says that it did what it was asked.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Copies what follows to `out`, at most `most` bytes.
    pub(crate) fn copy(&mut self, out: &mut dyn Write, most: u64) -> Result<u64, Fault> {
        let mut buffer = vec![0; 64 << 10];
        let mut size = 0;
        loop {
            let count = match self.read(&mut buffer)? {
                0 => return Ok(size),
                count => count,
            };
            size += count as u64;
            if size > most {
                return Err(too_long(most).into());
            }
            out.write_all(&buffer[..count])
                .map_err(|error| Failure::local(format!("cannot keep the answer: {error}")))?;
        }
    }

    /// All of it, at most `MOST_TEXT`.
    pub(crate) fn bytes(&mut self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        self.copy(&mut bytes, MOST_TEXT)?;
        Ok(bytes)
    }

    /// The next bytes.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        loop {
            match self.body.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Lost(told_io(&error, self.end))),
                // An answer that says no length may also just break off.
                Ok(0) if self.watch.seen().broken => {
                    return Err(Fault::Lost("the connection broke off".to_owned()));
                }
                Ok(count) => return Ok(count),
            }
        }
    }
}

/// A client of one service.
pub(crate) struct Http {
    agent: Agent,
    watch: Watch,
    base: String,
    idle: Duration,
    end: Instant,
}

impl Http {
    /// A client that waits until `end` at most.
    pub(crate) fn new(settings: &Settings, end: Instant) -> Self {
        let watch = Watch::default();
        let layers = |place| Layers { watch: watch.clone(), place };
        let connector =
            ().chain(TcpConnector::default())
                .chain(layers(Place::BelowTls))
                .chain(RustlsConnector::default())
                .chain(layers(Place::AboveTls));
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .proxy(None)
            // It reads no compressed answers.
            .accept_encoding("identity")
            .user_agent(concat!("vwfb/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(&settings.url))
            .build();
        let agent = Agent::with_parts(config, connector, DefaultResolver::default());
        Self { agent, watch, base: settings.url.clone(), idle: settings.idle, end }
    }

    /// When the whole call is given up.
    pub(crate) fn end(&self) -> Instant {
        self.end
    }

    /// Sends `ask`, and waits for the head of the answer.
    pub(crate) fn send(&self, ask: &Ask) -> Result<Answer, Fault> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Fault::Unsent("there is no time left".to_owned(), true));
        }
        self.watch.begin(self.idle, ask.patient);
        let whole = ask.path.starts_with("http://") || ask.path.starts_with("https://");
        let url = if whole { ask.path.clone() } else { format!("{}{}", self.base, ask.path) };
        let mut head = http::Request::builder().uri(url).header("connection", "close");
        for (name, value) in &ask.headers {
            head = head.header(*name, value);
        }
        let came = match &ask.body {
            None => {
                let request = head.method("GET").body(()).map_err(|error| bad(&error))?;
                let config = self.agent.configure_request(request).timeout_global(Some(left));
                let redirects = if ask.follow { REDIRECTS } else { 0 };
                let config = config.timeout_connect(Some(self.idle)).max_redirects(redirects);
                self.agent.run(config.build())
            }
            Some((media, bytes)) => {
                let head = head.method("POST").header("content-type", media);
                let request = head.body(bytes.as_slice()).map_err(|error| bad(&error))?;
                let config = self.agent.configure_request(request).timeout_global(Some(left));
                let config = config.timeout_connect(Some(self.idle)).max_redirects(0);
                self.agent.run(config.build())
            }
        };
        match came {
            Ok(response) => Ok(self.answer(response)),
            Err(error) => Err(self.fault(&error)),
        }
    }

    fn answer(&self, response: http::Response<ureq::Body>) -> Answer {
        let (head, body) = response.into_parts();
        let text = |name: &str| {
            let value = head.headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let media = text("content-type").unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Answer {
            status: head.status.as_u16(),
            media,
            retry_after: text("retry-after"),
            location: text("location"),
            body: body.into_with_config().limit(u64::MAX).reader(),
            watch: self.watch.clone(),
            end: self.end,
        }
    }

    fn fault(&self, error: &ureq::Error) -> Fault {
        let why = told(error, self.end);
        if self.watch.seen().sent {
            return Fault::Lost(why);
        }
        let again = match error {
            ureq::Error::Io(error) => !matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::PermissionDenied
            ),
            ureq::Error::Timeout(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => {
                true
            }
            _ => false,
        };
        Fault::Unsent(why, again)
    }
}

/// How TLS trusts: as the machine does. A plain address reads no certificates.
fn tls(url: &str) -> TlsConfig {
    let roots = if url.starts_with("https://") {
        rustls_native_certs::load_native_certs().certs
    } else {
        Vec::new()
    };
    let roots = roots.iter().map(|root| Certificate::from_der(root).to_owned());
    TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

fn bad(error: &http::Error) -> Fault {
    Failure::new(format!("the request cannot be written: {error}")).into()
}

fn too_long(most: u64) -> Failure {
    Failure::new(format!("the answer is longer than {} MiB", most >> 20))
}

/// What went wrong, in words.
fn told(error: &ureq::Error, end: Instant) -> String {
    match error {
        ureq::Error::Timeout(_) if Instant::now() >= end => "the time was over".to_owned(),
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            "no connection came about in time".to_owned()
        }
        ureq::Error::Timeout(ureq::Timeout::PerRead) => "nothing came for too long".to_owned(),
        ureq::Error::Timeout(ureq::Timeout::PerWrite) => {
            "nothing could be sent for too long".to_owned()
        }
        ureq::Error::Timeout(_) => "it took too long".to_owned(),
        ureq::Error::Io(error) => told_io(error, end),
        error => error.to_string(),
    }
}

fn told_io(error: &io::Error, end: Instant) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
    match inner {
        Some(inner) => told(inner, end),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection ended before the answer was whole".to_owned()
        }
        None => error.to_string(),
    }
}
