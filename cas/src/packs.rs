//! The pack files of one store: the one that this process appends to, and those it reads.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::digest::Digest;
use crate::error::{AtPath, IoError};
use crate::index::{Index, IndexError, Outlive, Rows};
use crate::layout::Layout;
use crate::pack::{self, Frame, Kind, PackId, Slot};
use crate::profile::{Counter, count};

/// A pack this long, in bytes, is not appended to any more.
const FULL: u64 = 64 << 20;
/// How many packs are held open for reading.
const OPEN: usize = 64;

/// The packs as one process uses them.
pub(crate) struct Packs {
    layout: Layout,
    readers: Mutex<HashMap<PackId, Arc<File>>>,
    writer: Mutex<Option<Writer>>,
    /// Packs that were written to since the last sync, and whether their names are durable.
    unsynced: Mutex<Vec<Unsynced>>,
}

/// The pack that is appended to. Its file is locked, so that no other process does, nor removes
/// it.
struct Writer {
    id: PackId,
    file: Arc<File>,
    end: u64,
    is_new: bool,
}

struct Unsynced {
    id: PackId,
    file: Arc<File>,
    is_new: bool,
}

/// What is where a frame should be.
pub(crate) enum Found {
    /// Its bytes.
    Whole(Vec<u8>),
    /// Something else.
    Other,
    /// No pack.
    Nothing,
}

impl Packs {
    pub(crate) fn new(layout: Layout) -> Self {
        let (readers, writer, unsynced) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { layout, readers, writer, unsynced }
    }

    /// Appends a frame and returns where it is; it outlives the process at once, and a power cut
    /// from the next `sync` on.
    pub(crate) fn append(
        &self,
        index: &Index,
        kind: Kind,
        digest: Digest,
        bytes: &[u8],
    ) -> Result<Slot, IndexError> {
        let frame = Frame::of(kind, digest, bytes);
        let (slot, unsynced) = self.reserve(index, frame.span())?;
        let whole = [&frame.head()[..], bytes].concat();
        let path = self.layout.pack(slot.pack);
        unsynced.file.write_all_at(&whole, slot.offset).at("write", &path)?;
        let mut all = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        match all.iter_mut().find(|other| other.id == unsynced.id) {
            Some(other) => other.is_new |= unsynced.is_new,
            None => all.push(unsynced),
        }
        Ok(slot)
    }

    /// Sets room aside in the pack that is appended to. What fails to be written there stays a
    /// hole, which readers skip.
    fn reserve(&self, index: &Index, span: u64) -> Result<(Slot, Unsynced), IndexError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.as_ref().is_none_or(|writer| writer.end >= FULL) {
            *writer = Some(self.open_writer(index)?);
        }
        let writer = writer.as_mut().expect("it was just opened");
        let slot = Slot { pack: writer.id, offset: writer.end };
        writer.end += span;
        let is_new = std::mem::take(&mut writer.is_new);
        Ok((slot, Unsynced { id: writer.id, file: Arc::clone(&writer.file), is_new }))
    }

    /// Goes on with a pack that was closed cleanly, or begins one.
    fn open_writer(&self, index: &Index) -> Result<Writer, IndexError> {
        index.write(Outlive::Process, |rows| {
            for (id, end) in rows.closed_packs(FULL)? {
                if let Some(file) = self.take_up(id, end)? {
                    rows.open_pack(id)?;
                    return Ok(Writer { id, file: Arc::new(file), end, is_new: false });
                }
            }
            let (id, file) = self.begin_pack(rows)?;
            Ok(Writer { id, file: Arc::new(file), end: 0, is_new: true })
        })
    }

    /// Makes a pack file under the next number that is free. A number may be taken although the
    /// index does not know of it: who began that pack was killed before its row was committed. The
    /// row it is given now has the next unclean opening look into it.
    fn begin_pack(&self, rows: &Rows<'_>) -> Result<(PackId, File), IndexError> {
        loop {
            let id = rows.add_pack()?;
            let path = self.layout.pack(id);
            let file = match File::options().read(true).write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                made => made.at("create", &path)?,
            };
            count(Counter::FilesStored, 1);
            file.lock().at("lock", &path)?;
            return Ok((id, file));
        }
    }

    /// Locks a pack if nobody has it locked and it ends where its last writer said.
    fn take_up(&self, id: PackId, end: u64) -> Result<Option<File>, IoError> {
        let path = self.layout.pack(id);
        let file = match File::options().read(true).write(true).open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.at("open", &path)?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).at("lock", &path),
        }
        let length = file.metadata().at("stat", &path)?.len();
        Ok((length == end).then_some(file))
    }

    /// Ends appending: the next who appends may go on with the pack. Nothing may be appending.
    pub(crate) fn close(&self, rows: &Rows<'_>) -> Result<(), IndexError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.take() {
            rows.close_pack(writer.id, writer.end)?;
        }
        Ok(())
    }

    /// Makes all that was appended so far outlive a power cut.
    pub(crate) fn sync(&self) -> Result<(), IoError> {
        let mut unsynced = self.unsynced.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *unsynced);
        drop(unsynced);
        let synced = self.sync_each(&all);
        if synced.is_err() {
            self.unsynced.lock().unwrap_or_else(PoisonError::into_inner).extend(all);
        }
        synced
    }

    fn sync_each(&self, all: &[Unsynced]) -> Result<(), IoError> {
        for pack in all {
            pack.file.sync_data().at("sync", &self.layout.pack(pack.id))?;
        }
        if all.iter().any(|pack| pack.is_new) {
            let folder = self.layout.packs();
            File::open(&folder).and_then(|folder| folder.sync_all()).at("sync", &folder)?;
        }
        Ok(())
    }

    /// Reads a frame.
    pub(crate) fn read(&self, slot: Slot, wanted: &Frame) -> Result<Found, IoError> {
        let path = self.layout.pack(slot.pack);
        let pack = match self.reader(slot.pack) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            opened => opened.at("open", &path)?,
        };
        let bytes = pack::read(&pack, slot.offset, wanted).at("read", &path)?;
        Ok(bytes.map_or(Found::Other, Found::Whole))
    }

    fn reader(&self, id: PackId) -> io::Result<Arc<File>> {
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pack) = readers.get(&id) {
            return Ok(Arc::clone(pack));
        }
        let pack = Arc::new(File::open(self.layout.pack(id))?);
        if readers.len() >= OPEN {
            readers.clear();
        }
        readers.insert(id, Arc::clone(&pack));
        Ok(pack)
    }

    /// Forgets open packs, some of which may be gone.
    pub(crate) fn close_readers(&self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Takes the record of a result back, so that no rebuild takes it up again.
    pub(crate) fn kill(&self, slot: Slot, record: &Frame) -> Result<(), IoError> {
        let path = self.layout.pack(slot.pack);
        if !matches!(self.read(slot, record)?, Found::Whole(_)) {
            return Ok(());
        }
        let dead = Frame { kind: Kind::Dead, ..*record };
        let write = || {
            let pack = File::options().write(true).open(&path)?;
            pack.write_all_at(&dead.head(), slot.offset)
        };
        match write() {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done.at("write", &path),
        }
    }
}

/// Locks a pack against writers if it has none; `None` too if it is gone.
pub(crate) fn lock_unused(layout: &Layout, id: PackId) -> Result<Option<File>, IoError> {
    let path = layout.pack(id);
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.at("open", &path)?,
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error).at("lock", &path),
    }
}

/// The numbers of all pack files.
pub(crate) fn all(layout: &Layout) -> Result<Vec<PackId>, IoError> {
    let folder = layout.packs();
    let mut ids = Vec::new();
    for entry in fs::read_dir(&folder).at("list", &folder)? {
        let entry = entry.at("list", &folder)?;
        // To read a folder fails, and says where; to read a pipe might never end.
        let is_read = entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_dir());
        let id = entry.file_name().to_str().and_then(number);
        ids.extend(id.filter(|_| is_read).map(PackId));
    }
    ids.sort();
    Ok(ids)
}

/// The number of a pack file, as it is written here and nowhere near where numbers end.
fn number(name: &str) -> Option<i64> {
    let number: i64 = name.parse().ok()?;
    ((1..1 << 40).contains(&number) && number.to_string() == name).then_some(number)
}
