//! The thread itself, on a real file system with real events. Every wait is for something that must come, and bounded.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{Folder, MEMBER, docs, sent, service};
use crate::problem::{ProblemBook, ProblemOrigin};
use crate::sources::feed::{Batches, Feed};
use crate::sources::folder::{FilesHandle, RESCAN, spawn};

/// Longest wait for anything: far longer than it should take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

struct Live {
    folder: Folder,
    handle: FilesHandle,
    batches: Batches,
    problems: ProblemBook,
}

impl Live {
    /// Followed, and past the telling of what was there at the start.
    fn start(files: &[(&str, &str)]) -> Self {
        let folder = Folder::new(files);
        let (feed, batches) = Feed::new();
        let problems = ProblemBook::default();
        let handle = spawn(&folder.path(), feed, problems.clone()).unwrap();
        let mut live = Self { folder, handle, batches, problems };
        live.wait_for("eu-1.1 exports full []");
        live.wait_until(|live| live.handle.counters().scans >= 2);
        live
    }

    /// Receives until that line comes; returns all lines that came.
    fn wait_for(&mut self, line: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let end = Instant::now() + PATIENCE;
        while lines.last().is_none_or(|last| last != line) {
            assert!(Instant::now() < end, "{line:?} did not come, only {lines:?}");
            match self.batches.try_recv() {
                Ok(batch) => lines.push(self.folder.shown(sent(&batch))),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        lines
    }

    fn wait_until(&self, condition: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < end, "{:?}", self.problems.snapshot());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn problems(&self) -> Vec<String> {
        let book = self.problems.snapshot();
        book.values().flat_map(|page| page.problems()).map(|problem| self.folder.shown(problem)).collect()
    }
}

const WEB: &str = "clusters/eu-1/web.yaml";

fn started() -> Live {
    Live::start(&[("hub.yaml", MEMBER), (WEB, &service("web"))])
}

#[test]
fn changes_come_at_once() {
    let mut live = started();
    let mut fastest = PATIENCE;
    for port in 81..=100 {
        let text = service("web").replace("80", &port.to_string());
        let since = Instant::now();
        if port % 2 == 0 {
            live.folder.replace(WEB, &text);
        } else {
            live.folder.write(WEB, &text);
        }
        live.wait_for("eu-1.1 services put shop/web");
        fastest = fastest.min(since.elapsed());
    }
    // Noticed by events, and without a pause to see whether more comes; how fast exactly is a matter for benchmarks.
    assert!(fastest < crate::sources::folder::GRACE / 4, "{fastest:?}");
    assert!(live.handle.counters().scans < 5, "a change of a file is no reason to list the folder");
}

#[test]
fn whatever_people_do_with_files() {
    let mut live = started();
    live.folder.write("clusters/eu-1/api.yaml", service("api"));
    live.wait_for("eu-1.1 services put shop/api");
    live.folder.rename("clusters/eu-1/api.yaml", "clusters/eu-1/b.yaml");
    live.folder.write(WEB, docs(&[service("web"), service("more")]));
    live.wait_for("eu-1.1 services put shop/more");
    live.folder.remove("clusters/eu-1/b.yaml");
    let lines = live.wait_for("eu-1.1 services delete shop/api");
    assert_eq!(lines.len(), 1, "renaming was no news: {lines:?}");
    live.folder.write("us.yaml", MEMBER.replace("eu-1", "us-1"));
    live.wait_for("us-1.0 down: Unreachable: there is no folder w/clusters/us-1");
    live.folder.write("clusters/us-1/a.yaml", service("web"));
    live.wait_for("us-1.1 services full [shop/web]");
    live.folder.write("clusters/us-1/a.yaml", service("later"));
    live.wait_for("us-1.1 services delete shop/web, put shop/later");
    live.folder.remove_folder("clusters/us-1");
    live.wait_for("us-1.1 down: Unreachable: there is no folder w/clusters/us-1");
    live.folder.remove_folder("clusters");
    live.wait_for("eu-1.1 down: Unreachable: there is no folder w/clusters/eu-1");
    live.folder.write(WEB, service("web"));
    live.wait_for("eu-1.2 services full [shop/web]");
}

#[test]
fn links_that_are_switched_over() {
    // As Kubernetes mounts a ConfigMap: files are links into a folder that is itself a link, replaced at once.
    let live = started();
    let root = live.folder.path();
    live.folder.write("..one/zone.yaml", MEMBER.replace("eu-1", "one-1"));
    live.folder.write("..two/zone.yaml", MEMBER.replace("eu-1", "two-1"));
    std::os::unix::fs::symlink("..one", root.join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/zone.yaml", root.join("zone.yaml")).unwrap();
    let mut live = live;
    live.wait_for("hub members put one-1");
    std::os::unix::fs::symlink("..two", root.join("..tmp")).unwrap();
    std::fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
    live.wait_for("hub members delete one-1, put two-1");
}

#[test]
fn problems_stay_in_the_book_until_they_are_put_right() {
    let live = started();
    live.folder.write(WEB, service("web").replace("80", "0"));
    live.folder.write("x.yaml", "kind: [");
    live.wait_until(|live| live.problems().len() == 2);
    assert_eq!(
        live.problems(),
        [
            "w/x.yaml:1: File x.yaml: found unclosed bracket '['; expected valid YAML or JSON; what it held before stays",
            "w/clusters/eu-1/web.yaml:4: Service shop/web: spec.ports[0].port: found 0; expected a number from 1 to 65535; the object is not used; its last good state, if it has one, stays",
        ]
    );
    let origins: Vec<_> = live.problems.snapshot().into_keys().collect();
    assert_eq!(origins, [ProblemOrigin::Hub, ProblemOrigin::Member("eu-1".into())]);
    live.folder.write(WEB, service("web"));
    live.folder.remove("x.yaml");
    live.wait_until(|live| live.problems().is_empty());
}

#[test]
fn it_ends_when_it_is_stopped_or_when_the_feed_is_closed() {
    let live = started();
    let Live { folder, handle, batches, problems } = live;
    drop(batches);
    folder.write(WEB, service("other"));
    let end = Instant::now() + PATIENCE;
    while !handle.is_finished() {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(1));
    }
    let (feed, mut batches) = Feed::new();
    drop(spawn(&folder.path(), feed, problems).unwrap());
    // The feed closes when the thread has ended, and with it its sender.
    while batches.blocking_recv().is_some() {}
    let (feed, _batches) = Feed::new();
    assert!(spawn(Path::new("/nonexistent/world"), feed, ProblemBook::default()).is_err());
}

#[test]
fn a_lost_root_is_reported_and_found_again() {
    let mut live = started();
    let away = live.folder.dir.path().join("away");
    std::fs::rename(live.folder.path(), &away).unwrap();
    live.wait_for("eu-1.1 down: Unreachable: there is no folder w/clusters/eu-1");
    live.wait_until(|live| !live.problems().is_empty());
    assert_eq!(
        live.problems(),
        [
            "w:1: Folder w: found No such file or directory (os error 2); expected a folder that can be listed; what it held before stays"
        ]
    );
    std::fs::rename(&away, live.folder.path()).unwrap();
    // Nothing is left to watch, so only the regular look finds it.
    const { assert!(RESCAN.as_secs() < PATIENCE.as_secs()) };
    live.wait_for("eu-1.2 services full [shop/web]");
    live.wait_until(|live| live.problems().is_empty());
    live.folder.write(WEB, service("other"));
    live.wait_for("eu-1.2 services delete shop/web, put shop/other");
}
