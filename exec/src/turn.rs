//! How many processes run at once. A worker prepares a task and takes in its outputs while others
//! run theirs; only its process waits for a turn.
//!
//! A turn is a byte in a named pipe, as in GNU make's jobserver, so that it goes from one launcher
//! to the next without waking vwfb.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::epoll;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

/// So many processes run at once; shared by all workers of a build.
#[derive(Debug)]
pub struct Turns {
    path: PathBuf,
    /// Kept open: what is in a pipe that nobody has open is gone.
    pipe: File,
}

impl Turns {
    /// Lets `most` processes run at once, or as many as the system lets a pipe hold: 4096 at
    /// least, 65536 as a rule. The pipe is in `folder` while this lives.
    ///
    /// # Errors
    /// If it cannot be made there.
    pub fn new(folder: &Path, most: usize) -> io::Result<Arc<Self>> {
        fs::create_dir_all(folder)?;
        let path = made_in(folder)?;
        let pipe = open(&path)?;
        let turns = Self { path, pipe };
        let _as_many_as_fit = (&turns.pipe).write(&vec![0; most])?;
        Ok(Arc::new(turns))
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        // What stays is swept with the scratch folder.
        let _ = fs::remove_file(&self.path);
    }
}

fn made_in(folder: &Path) -> io::Result<PathBuf> {
    for number in 0_u64.. {
        let path = folder.join(format!("turns-{number}"));
        match rustix::fs::mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR) {
            Ok(()) => return Ok(path),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("some number is free")
}

/// Both ends at once, so that opening waits for nobody.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
}

/// Where one worker's processes wait for their turns.
#[derive(Debug, Clone)]
pub struct Waiter {
    turns: Arc<Turns>,
    waited: Arc<Mutex<Duration>>,
}

impl Waiter {
    /// Waits among all that share `turns`.
    pub fn of(turns: &Arc<Turns>) -> Self {
        Self { turns: Arc::clone(turns), waited: Arc::default() }
    }

    /// How long its processes have waited since this was last asked.
    pub fn waited(&self) -> Duration {
        std::mem::take(&mut self.waited.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The pipe.
    pub(crate) fn pipe(&self) -> &Path {
        &self.turns.path
    }

    /// Takes note that a process waited.
    pub(crate) fn has_waited(&self, time: Duration) {
        *self.waited.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }

    /// Gives back what a launcher may have held that somebody killed. If it held none, one process
    /// more than may runs from now on; without this, perhaps none would.
    pub(crate) fn replace(&self) {
        let _full = (&self.turns.pipe).write(&[0]);
    }
}

/// Where a launcher waits for its turns, and for requests meanwhile.
#[derive(Debug)]
pub(crate) struct Queue {
    path: PathBuf,
    pipe: Arc<File>,
    either: OwnedFd,
}

/// What [`Queue::wait`] was ended by.
const TURN: u64 = 0;
const REQUEST: u64 = 1;

impl Queue {
    /// Will wait at `path`, and at `requests`.
    pub(crate) fn open(path: &Path, requests: impl AsFd) -> io::Result<Self> {
        use epoll::{CreateFlags, EventData, EventFlags};
        let pipe = open(path)?;
        let either = epoll::create(CreateFlags::CLOEXEC)?;
        // A turn wakes one of those who wait, and not all.
        let one = EventFlags::IN | EventFlags::EXCLUSIVE;
        epoll::add(&either, &pipe, EventData::new_u64(TURN), one)?;
        epoll::add(&either, requests, EventData::new_u64(REQUEST), EventFlags::IN)?;
        Ok(Self { path: path.to_owned(), pipe: Arc::new(pipe), either })
    }

    /// Where it waits.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The right to run a process, if one is free.
    pub(crate) fn take(&self) -> io::Result<Option<Turn>> {
        match (&*self.pipe).read(&mut [0]) {
            Ok(1) => Ok(Some(Turn(Arc::clone(&self.pipe)))),
            Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Waits until there may be a turn, or a request; whether there is a request.
    pub(crate) fn wait(&self) -> io::Result<bool> {
        let mut events = Vec::with_capacity(2);
        let waited = epoll::wait(&self.either, rustix::buffer::spare_capacity(&mut events), None);
        match waited {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(events.iter().any(|event| event.data.u64() == REQUEST))
    }

    /// Stops waiting. The turn that woke this one may be another's.
    pub(crate) fn leave(&self) {
        let _given_back = self.take();
    }
}

/// The right to run one process.
#[derive(Debug)]
#[must_use = "dropping it ends the turn"]
pub(crate) struct Turn(Arc<File>);

impl Drop for Turn {
    fn drop(&mut self) {
        // There is room for what came out of it.
        let _ = (&*self.0).write(&[0]);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn turns(most: usize) -> (tempfile::TempDir, Arc<Turns>) {
        let temp = tempfile::tempdir().unwrap();
        let turns = Turns::new(temp.path(), most).unwrap();
        (temp, turns)
    }

    /// A queue at `turns`, and its requests.
    fn queue(turns: &Turns) -> (Queue, (io::PipeReader, io::PipeWriter)) {
        let requests = io::pipe().unwrap();
        (Queue::open(&turns.path, &requests.0).unwrap(), requests)
    }

    fn turn(queue: &Queue) -> Turn {
        loop {
            match queue.take().unwrap() {
                Some(turn) => return turn,
                None => assert!(!queue.wait().unwrap()),
            }
        }
    }

    #[test]
    fn no_more_have_a_turn_than_may_and_each_gets_one() {
        let (_temp, turns) = turns(2);
        let (running, ran) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| {
                    let (queue, _requests) = queue(&turns);
                    for _ in 0..50 {
                        let turn = turn(&queue);
                        assert!(running.fetch_add(1, Ordering::SeqCst) < 2);
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        drop(turn);
                        ran.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(ran.into_inner(), 250);
        let (queue, _requests) = queue(&turns);
        let left = [0; 3].map(|_| queue.take().unwrap());
        assert_eq!(left.map(|turn| turn.is_some()), [true, true, false]);
    }

    #[test]
    fn a_request_ends_the_wait_and_leaving_passes_the_turn_on() {
        let (_temp, turns) = turns(1);
        let ((first, (_requests, mut to_first)), (second, _to_second)) =
            (queue(&turns), queue(&turns));
        let held = turn(&first);
        assert!(second.take().unwrap().is_none());
        to_first.write_all(b"x").unwrap();
        assert!(first.wait().unwrap());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(turn(&second)));
            drop(held);
            first.leave();
            waiting.join().unwrap();
        });
        assert!(first.take().unwrap().is_some());
    }

    #[test]
    fn what_a_killed_launcher_held_is_replaced() {
        let (_temp, turns) = turns(1);
        let (queue, _requests) = queue(&turns);
        std::mem::forget(turn(&queue));
        assert!(queue.take().unwrap().is_none());
        Waiter::of(&turns).replace();
        assert!(queue.take().unwrap().is_some());
    }

    #[test]
    fn only_waiting_counts_as_waited() {
        let (_temp, turns) = turns(1);
        let waiter = Waiter::of(&turns);
        assert_eq!(waiter.waited(), Duration::ZERO);
        waiter.clone().has_waited(Duration::from_millis(3));
        assert_eq!(waiter.waited(), Duration::from_millis(3));
        assert_eq!(waiter.waited(), Duration::ZERO);
    }

    #[test]
    fn two_builds_of_a_process_have_turns_of_their_own_and_leave_nothing() {
        let (temp, first) = turns(1);
        let second = Turns::new(temp.path(), 1).unwrap();
        let ((of_first, _s), (of_second, _t)) = (queue(&first), queue(&second));
        let _held = (turn(&of_first), turn(&of_second));
        drop((first, second));
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }
}
