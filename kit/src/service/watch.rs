//! Watches an exchange on the wire: whether the request has been written whole, and how long nothing
//! came.
//!
//! ureq tells that an exchange failed, but not whether the server can have had the whole request by
//! then. Two layers around its transports do: one below TLS, where bytes are waited for, and one above.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, Transport, time,
};
use ureq::{Error, Timeout};

/// What is known of the exchange that goes on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// How long to wait for a byte.
    pub(crate) idle: Duration,
    /// Whether the first byte of the answer may take longer than that.
    pub(crate) patient: bool,
    /// Whether the request has been written whole.
    pub(crate) sent: bool,
    /// Whether the answer has begun.
    pub(crate) heard: bool,
    /// Whether the connection broke, rather than ended.
    pub(crate) broken: bool,
}

/// The exchange that goes on, as all layers see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch(Arc<Mutex<Seen>>);

impl Watch {
    /// Begins with another exchange.
    pub(crate) fn begin(&self, idle: Duration, patient: bool) {
        self.note(|seen| *seen = Seen { idle, patient, ..Seen::default() });
    }

    pub(crate) fn seen(&self) -> Seen {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Where a layer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the socket.
    BelowTls,
    /// At the plain bytes of HTTP.
    AboveTls,
}

/// Puts a layer around each connection.
#[derive(Debug)]
pub(crate) struct Layers {
    pub(crate) watch: Watch,
    pub(crate) place: Place,
}

impl<In: Transport> Connector<In> for Layers {
    type Out = Layer<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let watch = self.watch.clone();
        Ok(chained.map(|inner| Layer { inner, watch, place: self.place }))
    }
}

/// A connection with a layer around it.
#[derive(Debug)]
pub(crate) struct Layer<T> {
    inner: T,
    watch: Watch,
    place: Place,
}

impl<T> Layer<T> {
    /// A wait of at most as long as nothing may come.
    fn capped(&self, mut timeout: NextTimeout, reason: Timeout) -> NextTimeout {
        let seen = self.watch.seen();
        let first = reason == Timeout::PerRead && seen.sent && !seen.heard;
        if self.place == Place::BelowTls && !(seen.patient && first) && *timeout.after > seen.idle {
            timeout.after = time::Duration::Exact(seen.idle);
            timeout.reason = reason;
        }
        timeout
    }
}

impl<T: Transport> Transport for Layer<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = self.capped(timeout, Timeout::PerWrite);
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let above = self.place == Place::AboveTls;
        if above {
            // Only when all of the request is written is an answer waited for.
            self.watch.note(|seen| seen.sent = true);
        }
        let timeout = self.capped(timeout, Timeout::PerRead);
        let came = self.inner.await_input(timeout);
        if above {
            match &came {
                Ok(true) => self.watch.note(|seen| seen.heard = true),
                Ok(false) => {}
                Err(_) => self.watch.note(|seen| seen.broken = true),
            }
        }
        came
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
