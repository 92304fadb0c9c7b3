//! Where grpcio comes from: PyPI, once, into the cache. The hashes are pinned, because it is run.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use programs::cache;
use tokio::sync::OnceCell;

const VERSION: &str = "1.85.1";
/// CPython 3.10 to 3.14 on x86-64 and on 64-bit Arm, and what it needs besides.
const REQUIREMENTS: &str = "\
grpcio==1.85.1 \
 --hash=sha256:1f04e51dc65c82af420f6cd177ea76132a78c14dc7adc3044f549b419bc70487 \
 --hash=sha256:83aced2a1c05648cee0de34e531351118b14c58238f0a61b43559ac8851647a8 \
 --hash=sha256:a1a72d19c0ab84b4b73b6c47eeaade76d84b1973a51593ff1160a73df33d03d9 \
 --hash=sha256:de520b1555ae445cdc4f8f1cc7ccba12a19992bfafa7c292ebe7fe1fe5da6c53 \
 --hash=sha256:e0e6d5829b50a2ffcfcd2dbf08d02ac0d6919051a2e97c2ee27c99bc9916a245 \
 --hash=sha256:c5a914b3a3052d841766946ecd1c6ebdacc8bf166d89a42c83fda70ae8f53aeb \
 --hash=sha256:9885436e83eab92dd0d476642baf08a17c55ef2b1db430adcba3e89bb6938a5d \
 --hash=sha256:843aa281a48188621f50880496d35defed51298bcb66d5345d5f282fd3f87354 \
 --hash=sha256:0bde4264ca71aaf3bc56c587380c426b1c959d1db0ab0a3f632bc66515f9726f \
 --hash=sha256:421925365f9a665830eded01b8053033abbc2fbabc9bb4e9c59c3b5b12acbab9
typing-extensions==4.16.0 --hash=sha256:481caa481374e813c1b176ada14e97f1f67a4539ce9cfeb3f350d78d6370c2e8
";
const PLATFORM: &str = "import platform, sys; print(sys.implementation.cache_tag, platform.machine(), sep='-')";

/// A folder for `PYTHONPATH` that has grpcio. The first call may fetch 7 MB; panics, with what would help, if there is
/// no way to get it.
pub(super) async fn grpcio() -> PathBuf {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    let find = || async { tokio::task::spawn_blocking(find).await };
    let found = FOUND.get_or_try_init(find).await;
    found.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())).clone()
}

fn find() -> PathBuf {
    let platform = python(&["-c", PLATFORM]).unwrap_or_else(|reason| missing(&reason));
    let root = cache::root().expect("a cache folder: set ISTHMUS_CACHE or HOME").join("testbed");
    let root = root.join(format!("grpcio-{VERSION}"));
    let folder = root.join(platform.trim());
    if folder.is_dir() {
        return folder;
    }
    std::fs::create_dir_all(&root).unwrap_or_else(|error| panic!("make {}: {error}", root.display()));
    let lock = File::create(root.join("lock")).and_then(|file| file.lock().map(|()| file));
    let _lock = lock.unwrap_or_else(|error| panic!("lock {}: {error}", root.display()));
    if !folder.is_dir() {
        eprintln!("testbed: fetching grpcio {VERSION} from PyPI, once, into {}", folder.display());
        fetch(&root, &folder);
    }
    folder
}

/// Only a whole one ever has the final name.
fn fetch(root: &Path, folder: &Path) {
    let part = root.join("fetching");
    let _ = std::fs::remove_dir_all(&part);
    let requirements = root.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS)
        .unwrap_or_else(|error| panic!("write into {}: {error}", root.display()));
    let (part_text, requirements) = (part.to_string_lossy(), requirements.to_string_lossy());
    let mut args = "-m pip install --disable-pip-version-check --no-input --quiet --no-deps --only-binary=:all: \
                    --require-hashes --root-user-action=ignore"
        .split_whitespace()
        .collect::<Vec<_>>();
    args.extend(["--target", &part_text, "--requirement", &requirements]);
    python(&args).unwrap_or_else(|reason| missing(&reason));
    std::fs::rename(&part, folder).unwrap_or_else(|error| panic!("move to {}: {error}", folder.display()));
}

fn python(args: &[&str]) -> Result<String, String> {
    let output = Command::new("python3").args(args).output().map_err(|error| format!("python3: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("python3 ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}

fn missing(reason: &str) -> ! {
    panic!(
        "\n\nThese tests call and serve with grpcio {VERSION}, which needs CPython 3.10 to 3.14 with pip and a Python package \
         index: {reason}\n  Install Python:   apt-get install python3 python3-pip\n"
    )
}
