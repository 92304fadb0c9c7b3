//! The bytes of one file: of a regular file only, so many at most, and in time. A link may lead to whatever the process may
//! open: a device or a FIFO that blocks, a file of `/proc` that has no end, a file system that is gone.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::parse::MAX_FILE_BYTES;

/// How long reading one file may take. A local file of the largest size takes a fraction of a second.
pub const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Reads that did not end in time and still hold a thread. While there are so many, no file is read.
pub const MAX_STUCK: usize = 4;
/// Read at a time, in bytes.
const CHUNK: usize = 1 << 20;

/// What a reading thread is given to do.
type Job = Box<dyn FnOnce() + Send>;

/// Reads on a thread that can be given up.
static READER: Reader = Reader { idle: Mutex::new(None), stuck: AtomicUsize::new(0) };

struct Reader {
    /// The thread that reads, when it is not busy.
    idle: Mutex<Option<Sender<Job>>>,
    stuck: AtomicUsize,
}

/// The kind of a file that must not be opened; `None` for a regular file or a folder.
pub(super) fn oddity(kind: FileType) -> Option<&'static str> {
    if kind.is_fifo() {
        Some("a FIFO")
    } else if kind.is_socket() {
        Some("a socket")
    } else if kind.is_char_device() || kind.is_block_device() {
        Some("a device")
    } else {
        None
    }
}

/// Reads a regular file, or one that a link leads to. Fails if it is another kind of file, has more than
/// [`MAX_FILE_BYTES`], or does not end within [`READ_TIMEOUT`].
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let path = path.to_owned();
    READER.within(READ_TIMEOUT, move || all(&path))
}

impl Reader {
    fn within(
        &'static self,
        limit: Duration,
        read: impl FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
    ) -> io::Result<Vec<u8>> {
        if self.stuck.load(Ordering::Relaxed) >= MAX_STUCK {
            return Err(io::Error::other(format!("{MAX_STUCK} other files that cannot be read to their end")));
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = idle.map_or_else(start, Ok)?;
        let (sender, answer) = channel();
        let job = move || {
            let _ = sender.send(read()); // who asked may have given up
        };
        let ended = || io::Error::other("a reader that has ended");
        thread.send(Box::new(job)).map_err(|_| ended())?;
        match answer.recv_timeout(limit) {
            Ok(result) => {
                *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
                result
            }
            Err(RecvTimeoutError::Disconnected) => Err(ended()),
            // The thread cannot be ended from outside. It ends by itself should the read ever return.
            Err(RecvTimeoutError::Timeout) => {
                self.stuck.fetch_add(1, Ordering::Relaxed);
                let waiting = move || {
                    let _ = answer.recv();
                    self.stuck.fetch_sub(1, Ordering::Relaxed);
                };
                std::thread::Builder::new().name("stuck file".into()).spawn(waiting)?;
                Err(late(limit))
            }
        }
    }
}

fn start() -> io::Result<Sender<Job>> {
    let (sender, jobs): (Sender<Job>, Receiver<Job>) = channel();
    std::thread::Builder::new().name("file reader".into()).spawn(move || jobs.into_iter().for_each(|job| job()))?;
    Ok(sender)
}

fn late(limit: Duration) -> io::Error {
    let text = format!("no end of it within {} s", limit.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, text)
}

fn all(path: &Path) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + READ_TIMEOUT;
    let mut file = open(path)?;
    let mut bytes = Vec::new();
    // Sizes mean nothing in `/proc`, and a file may have grown since it was measured.
    loop {
        let read = file.by_ref().take(CHUNK as u64).read_to_end(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::Error::other("a file that has nothing to read now and no end"),
            _ => error,
        })?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::other(format!("more than {MAX_FILE_BYTES} bytes")));
        }
        if read < CHUNK {
            return Ok(bytes);
        }
        if Instant::now() >= deadline {
            return Err(late(READ_TIMEOUT));
        }
    }
}

/// Opens without waiting for a writer at the other end of a FIFO, and checks the open file before anything is read: the path
/// may lead elsewhere since it was listed.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    if let Some(oddity) = oddity(path.metadata()?.file_type()) {
        return Err(io::Error::other(oddity)); // opening a device may do something already
    }
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let kind = file.metadata()?.file_type();
    match oddity(kind) {
        Some(oddity) => Err(io::Error::other(oddity)),
        None if !kind.is_file() => Err(io::Error::other("a folder")),
        None => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;

    use super::*;

    fn refused(path: &Path) -> String {
        read(path).expect_err("it is refused").to_string()
    }

    #[test]
    fn only_regular_files_are_read_and_nothing_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("good"), "text").unwrap();
        std::os::unix::fs::symlink(at("good"), at("link")).unwrap();
        assert_eq!((read(&at("good")).unwrap(), read(&at("link")).unwrap()), (b"text".to_vec(), b"text".to_vec()));

        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .unwrap();
        std::os::unix::fs::symlink(at("fifo"), at("to-fifo")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        let cases = [
            (at("fifo"), "a FIFO"),
            (at("to-fifo"), "a FIFO"),
            (at("socket"), "a socket"),
            (PathBuf::from("/dev/tty"), "a device"),
            (PathBuf::from("/dev/zero"), "a device"),
            (dir.path().to_owned(), "a folder"),
        ];
        let begun = Instant::now();
        for (path, found) in cases {
            assert_eq!(refused(&path), found, "{}", path.display());
        }
        assert!(begun.elapsed() < READ_TIMEOUT, "nothing of it was waited for");
    }

    #[test]
    fn files_whose_size_says_nothing_are_bounded_all_the_same() {
        assert!(std::fs::metadata("/proc/self/status").unwrap().len() == 0);
        assert!(read(Path::new("/proc/self/status")).unwrap().starts_with(b"Name:"));
        let dir = tempfile::tempdir().unwrap();
        let sparse = dir.path().join("sparse");
        File::create(&sparse).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert_eq!(refused(&sparse), format!("more than {MAX_FILE_BYTES} bytes"));
    }

    #[test]
    fn a_read_that_never_ends_is_given_up_and_many_of_them_stop_reading() {
        static OWN: Reader = Reader { idle: Mutex::new(None), stuck: AtomicUsize::new(0) };
        let limit = Duration::from_millis(20);
        let good = || OWN.within(READ_TIMEOUT, || Ok(b"text".to_vec()));
        let mut ends = Vec::new();
        for _ in 0..MAX_STUCK {
            assert_eq!(good().unwrap(), b"text", "others are read beside it");
            let (end, ended) = channel::<()>();
            let error = OWN.within(limit, move || {
                let _ = ended.recv();
                Ok(Vec::new())
            });
            assert_eq!(error.unwrap_err().kind(), io::ErrorKind::TimedOut);
            ends.push(end);
        }
        assert!(good().unwrap_err().to_string().starts_with("4 other files"));
        ends.pop();
        let begun = Instant::now();
        while good().is_err() {
            assert!(begun.elapsed() < READ_TIMEOUT, "one has ended");
            std::thread::sleep(limit);
        }
    }

    /// `/proc/kmsg` blocks where the process may open it, and is refused to it elsewhere.
    #[test]
    fn a_file_of_proc_that_blocks_is_given_up() {
        let begun = Instant::now();
        let _ = read(Path::new("/proc/kmsg"));
        assert!(begun.elapsed() < 2 * READ_TIMEOUT);
    }
}
