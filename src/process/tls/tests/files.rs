//! Time is paused: the files are looked at as often as the test waits for something.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// Of the paused clock.
const LONG: Duration = Duration::from_secs(600);

/// A folder as a kubelet mounts a Secret: files are links into `..data`, which is a link to a folder of one version.
struct Mount {
    folder: TempDir,
    version: u32,
}

impl Mount {
    fn new(first: &[(&str, &str)]) -> Self {
        let mut mount = Self { folder: tempfile::tempdir().unwrap(), version: 0 };
        mount.swap(first);
        for (name, _) in first {
            symlink(Path::new("..data").join(name), mount.path(name)).unwrap();
        }
        mount
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn swap(&mut self, content: &[(&str, &str)]) {
        self.version += 1;
        let version = format!("..version-{}", self.version);
        std::fs::create_dir(self.path(&version)).unwrap();
        for (name, text) in content {
            std::fs::write(self.path(&version).join(name), text).unwrap();
        }
        symlink(&version, self.path("..data_tmp")).unwrap();
        std::fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
    }

    fn origin(&self) -> Origin {
        let client_ca = Some(self.path("ca.crt"));
        Origin::Files { cert: self.path("tls.crt"), key: self.path("tls.key"), client_ca }
    }
}

fn content<'a>(pair: &'a Pair, client_ca: &'a str) -> [(&'a str, &'a str); 3] {
    [("tls.crt", &pair.cert), ("tls.key", &pair.key), ("ca.crt", client_ca)]
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(LONG, wait).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test(start_paused = true)]
async fn a_mounted_secret_that_is_swapped_is_noticed() {
    install();
    let (servers, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let (first_ca, other_ca) = (clients.pem(), others.pem());
    let mut mount = Mount::new(&content(&servers.sign(), &first_ca));
    let book = ProblemBook::default();
    let Tls { source, status, follow } = Tls::start(mount.origin(), None, book.clone()).await.unwrap();
    tokio::spawn(follow);
    assert_eq!(welcomes(source.newest().unwrap(), &servers, Some(&clients.sign())), Ok(()));

    let next = Authority::new();
    mount.swap(&content(&next.sign(), &other_ca));
    until("the new one is taken", || status.taken.get() == 2).await;
    assert_eq!(welcomes(source.newest().unwrap(), &next, Some(&others.sign())), Ok(()));
    assert!(welcomes(source.newest().unwrap(), &next, Some(&clients.sign())).is_err(), "its CA is taken with it");

    let broken = [("tls.crt", "-----BEGIN CERTIFICATE-----"), ("tls.key", ""), ("ca.crt", "")];
    mount.swap(&broken);
    until("the broken one is refused", || status.rejected.get() == 1).await;
    assert_eq!(problems(&book).len(), 1);
    assert_eq!(welcomes(source.newest().unwrap(), &next, Some(&others.sign())), Ok(()), "the old one stays");

    std::fs::remove_file(mount.path("tls.crt")).unwrap();
    until("a missing file is reported", || status.rejected.get() == 2).await;
    assert!(problems(&book)[0].contains("No such file"), "{:?}", problems(&book));
    assert_eq!(welcomes(source.newest().unwrap(), &next, Some(&others.sign())), Ok(()));

    // Written in place, one after the other, as people do.
    let last = servers.sign();
    std::fs::write(mount.path("tls.crt"), &last.cert).unwrap();
    until("half of it is refused", || status.rejected.get() == 3).await;
    for (name, text) in content(&last, &first_ca) {
        std::fs::write(mount.path(name), text).unwrap();
    }
    until("all of it is taken", || status.taken.get() == 3).await;
    assert_eq!(welcomes(source.newest().unwrap(), &servers, Some(&clients.sign())), Ok(()));
    assert_eq!(problems(&book), [] as [&str; 0]);
}

#[tokio::test]
async fn files_have_to_be_right_from_the_start() {
    install();
    let authority = Authority::new();
    let (pair, other, ca) = (authority.sign(), authority.sign(), authority.pem());
    let mixed = Pair { cert: pair.cert.clone(), key: other.key };
    let mount = Mount::new(&content(&mixed, &ca));
    let start = async |origin| Tls::start(origin, None, ProblemBook::default()).await.map(|_| ());
    let error = start(mount.origin()).await.unwrap_err().to_string();
    assert!(error.starts_with("--tls-key: found a key that does not belong"), "{error}");

    let missing = Origin::Files { cert: "/nonexistent/tls.crt".into(), key: mount.path("tls.key"), client_ca: None };
    let error = start(missing).await.unwrap_err().to_string();
    assert!(error.starts_with("--tls-cert: found /nonexistent/tls.crt: No such file"), "{error}");

    std::fs::write(mount.path("ca.crt"), vec![b'x'; MAX_BYTES + 1]).unwrap();
    let error = start(mount.origin()).await.unwrap_err().to_string();
    assert!(error.starts_with("--tls-client-ca: found") && error.contains("more than that"), "{error}");

    let error = start(Origin::Secret("tls".to_owned())).await.unwrap_err().to_string();
    assert!(error.contains("no hub cluster"), "{error}");
}
