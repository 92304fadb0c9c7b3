//! Child processes end when they should, and are reported when they end too early.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::testbed::process::Process;

const LIMIT: Duration = Duration::from_secs(10);
/// Given to the process that [`holder`] is run in.
const FOLDER_VAR: &str = "ISTHMUS_TESTBED_HOLDER";

fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn wait_for<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(Instant::now() < end, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn sleeper(folder: &Path) -> Process {
    Process::spawn("sleeper", Path::new("sleep"), ["60"], folder)
}

#[test]
fn a_child_ends_with_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let child = sleeper(folder.path());
    let pid = child.pid();
    assert!(exists(pid));
    drop(child);
    assert!(!exists(pid));
}

#[test]
fn a_child_that_ends_too_early_is_reported_with_its_last_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Process::spawn("early", Path::new("sh"), ["-c", "echo no luck >&2; exit 3"], folder.path());
    wait_for("the end", || child.ended());
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| child.must_run()));
    let panic = outcome.expect_err("it has ended");
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("exit status: 3") && message.contains("no luck"), "{message}");
}

/// Tests are killed by impatient people and by CI; what they started must go too,
/// but not when merely the thread that started it ends.
#[test]
fn a_child_ends_when_its_owner_is_killed() {
    assert!(programs::tied::can_tie(), "setpriv of util-linux 2.33 or newer is needed");
    let folder = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let folder_arg = format!("{FOLDER_VAR}={}", folder.path().display());
    let test = concat!(module_path!(), "::holder").split_once("::").unwrap().1;
    let args = [&folder_arg, &*own.to_string_lossy(), "--exact", test, "--ignored"];
    let mut holder = Process::spawn("holder", Path::new("env"), args, folder.path());
    let pid_file = folder.path().join("pid");
    let pid = wait_for("the child's pid", || std::fs::read_to_string(&pid_file).ok()?.parse::<u32>().ok());
    assert!(exists(pid), "it outlived its thread");
    holder.kill();
    wait_for("the child's end", || (!exists(pid)).then_some(()));
}

#[test]
#[ignore = "the process that the test above kills"]
fn holder() {
    let Some(folder) = std::env::var_os(FOLDER_VAR) else { return };
    let folder = Path::new(&folder);
    let thread_folder = folder.to_owned();
    let child = std::thread::spawn(move || sleeper(&thread_folder)).join().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    // Renamed into place, so that half a number is never read.
    std::fs::write(folder.join("pid.part"), child.pid().to_string()).unwrap();
    std::fs::rename(folder.join("pid.part"), folder.join("pid")).unwrap();
    std::thread::sleep(Duration::from_secs(60));
}
