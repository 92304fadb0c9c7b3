//! Child processes that never outlive the tests and whose last words are shown
//! when they fail.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, Mutex, mpsc};

use programs::tied::tied_to_us;

/// A running child. Dropping it kills it (SIGKILL) and waits for its end.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program`; its output is appended to `folder/<name>.log`. It runs
    /// in `folder`, in a process group of its own, so that Ctrl-C in a terminal
    /// reaches the tests, which then end it.
    pub fn spawn(name: &str, program: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let open = |log: &Path| -> io::Result<(File, File)> {
            let file = OpenOptions::new().create(true).append(true).open(log)?;
            Ok((file.try_clone()?, file))
        };
        let (stdout, stderr) = open(&log).unwrap_or_else(|error| panic!("open {}: {error}", log.display()));
        let mut command = tied_to_us(program);
        command.args(args).current_dir(folder).process_group(0);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let child = spawn_from_lasting_thread(command)
            .unwrap_or_else(|error| panic!("start {name} ({}): {error}", program.display()));
        Self { name: name.to_owned(), child, log }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and gone when this returns. Harmless on a process that has ended.
    pub fn kill(&mut self) {
        // Errors mean that it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGSTOP: connections stay open and are accepted by the kernel, but nothing
    /// answers any more.
    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT, the end of [`Process::freeze`].
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    /// SIGTERM: please end. See [`Process::ended`].
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Resident memory, in KiB; 0 if it has ended.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
    }

    /// CPU time it has used, all threads together.
    pub fn cpu(&self) -> std::time::Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten().flatten();
        let spent = tasks.filter_map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        std::time::Duration::from_nanos(spent.sum())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// All it wrote.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The last lines it wrote.
    pub fn log_tail(&self, lines: usize) -> String {
        let text = self.log();
        let all: Vec<&str> = text.lines().collect();
        format!("--- {}\n{}", self.log.display(), all[all.len().saturating_sub(lines)..].join("\n"))
    }

    /// Panics with its last words if it has ended; for use inside waits, where a
    /// dead process would otherwise only look slow.
    pub fn must_run(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended with {status}\n{}", self.name, self.log_tail(15));
        }
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.pid().to_string()]).status();
        assert!(status.as_ref().is_ok_and(ExitStatus::success), "kill {signal} {}: {status:?}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// The kernel sends the death signal when the *thread* that started the child
/// ends, and test threads and runtime workers end early. So one thread that
/// lives as long as the process starts them all.
fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    static ORDERS: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
        let (orders, incoming) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in incoming {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (answer, started) = mpsc::channel();
    let orders = ORDERS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    orders.send((command, answer)).map_err(io::Error::other)?;
    drop(orders);
    started.recv().map_err(io::Error::other)?
}
