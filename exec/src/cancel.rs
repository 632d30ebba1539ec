//! A request to stop that a worker can wait for together with its launcher's reply.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

/// A request to stop one task or several; clones are the same request.
///
/// It is a kernel event counter that is only ever written, so it stays readable for everyone who
/// polls it once it is cancelled.
#[derive(Debug, Clone)]
pub struct CancelToken(Arc<OwnedFd>);

impl CancelToken {
    /// A request that nobody has made yet.
    pub fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(fd)))
    }

    /// Makes the request; making it again changes nothing.
    pub fn cancel(&self) {
        // The write can only fail when the counter is full, and then it is cancelled already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Waits until this request or `other` is made.
    pub fn wait_with(&self, other: &Self) {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN), PollFd::new(&other.0, PollFlags::IN)];
        // Only a signal to this thread can end it early.
        while poll(&mut fds, None).is_err() {}
    }

    /// Whether the request was made.
    pub fn is_cancelled(&self) -> bool {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for CancelToken {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_sees_the_request_and_keeps_seeing_it() {
        let token = CancelToken::new().unwrap();
        let clone = token.clone();
        assert!(!clone.is_cancelled());
        token.cancel();
        token.cancel();
        assert!(clone.is_cancelled() && clone.is_cancelled());
        CancelToken::new().unwrap().wait_with(&clone);
    }
}
