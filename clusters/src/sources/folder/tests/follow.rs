//! What is believed when, with the time in our hands: real files, but no thread and no waiting.

use std::time::{Duration, Instant};

use super::{Folder, MEMBER, REGION, docs, sent, service, slice};
use crate::sources::folder::follow::Follower;
use crate::sources::folder::hints::Hints;
use crate::sources::folder::timing::GRACE;
use crate::sources::folder::timing::MAX_SETTLE;

pub(super) struct Scene {
    pub(super) folder: Folder,
    follower: Follower,
    now: Instant,
}

const WEB: &str = "clusters/eu-1/web.yaml";

impl Scene {
    /// A started world: one member with one service.
    pub(super) fn new() -> Self {
        Self::of(&[("hub.yaml", MEMBER), (WEB, &service("web"))])
    }

    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self::over(Folder::new(files))
    }

    pub(super) fn over(folder: Folder) -> Self {
        let follower = Follower::new(&folder.path());
        let mut scene = Self { folder, follower, now: Instant::now() };
        assert!(!scene.scan().is_empty(), "the start tells something");
        scene
    }

    pub(super) fn step(&mut self, hints: &Hints) -> Vec<String> {
        let (batches, result) = self.follower.step(hints, self.now);
        result.unwrap();
        batches.iter().map(|batch| self.folder.shown(sent(batch))).collect()
    }

    pub(super) fn ready(&mut self, files: &[&str]) -> Vec<String> {
        self.step(&Hints { ready: files.iter().map(Into::into).collect(), ..Hints::default() })
    }

    pub(super) fn writing(&mut self, file: &str) -> Vec<String> {
        self.step(&Hints { writing: [file.into()].into(), ..Hints::default() })
    }

    pub(super) fn scan(&mut self) -> Vec<String> {
        self.step(&Hints { all: true, ..Hints::default() })
    }

    /// Lets time pass, and steps as often as is asked for on the way.
    pub(super) fn after(&mut self, time: Duration) -> Vec<String> {
        let end = self.now + time;
        let mut sent = Vec::new();
        for _ in 0..100 {
            let Some(wake_at) = self.follower.wake_at().filter(|at| *at <= end) else { break };
            self.now = self.now.max(wake_at);
            sent.extend(self.step(&Hints::default()));
        }
        assert!(self.follower.wake_at().is_none_or(|at| at > end), "it must come to rest");
        self.now = end;
        sent
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.follower
            .problems()
            .into_values()
            .flat_map(|excerpt| excerpt.problems)
            .map(|problem| self.folder.shown(problem))
            .collect()
    }
}

pub(super) const NOTHING: [&str; 0] = [];

#[test]
fn a_change_is_sent_as_a_difference() {
    let mut scene = Scene::new();
    scene.folder.replace(WEB, &docs(&[service("web").replace("80", "81"), service("api"), slice("web-1", "10.8.0.1")]));
    assert_eq!(scene.ready(&[WEB]), ["eu-1.1 services put shop/api, put shop/web", "eu-1.1 slices put shop/web-1"]);
    scene.folder.replace(WEB, &docs(&[service("api"), slice("web-1", "10.8.0.1")]));
    assert_eq!(scene.ready(&[WEB]), ["eu-1.1 services delete shop/web"]);
    scene.folder.replace(WEB, &format!("# the same\n{}", docs(&[service("api"), slice("web-1", "10.8.0.1")])));
    assert_eq!(scene.ready(&[WEB]), NOTHING);
    scene.folder.replace("hub.yaml", &docs(&[MEMBER.into(), REGION.into()]));
    assert_eq!(scene.ready(&["hub.yaml"]), ["hub regions put eu"]);
}

#[test]
fn only_what_changed_is_read() {
    let mut scene = Scene::new();
    for n in 0..50 {
        scene.folder.write(&format!("clusters/eu-1/s{n}.yaml"), service(&format!("s{n}")));
    }
    scene.scan();
    scene.after(GRACE);
    let before = scene.follower.counters();
    scene.folder.replace(WEB, &service("web").replace("80", "81"));
    assert_eq!(scene.ready(&[WEB]), ["eu-1.1 services put shop/web"]);
    let after = scene.follower.counters();
    assert_eq!((after.scans, after.reads, after.parses), (before.scans, before.reads + 1, before.parses + 1));
    // Written again, but the same: read once, and not understood again.
    scene.folder.replace(WEB, &service("web").replace("80", "81"));
    assert_eq!(scene.ready(&[WEB]), NOTHING);
    assert_eq!(scene.follower.counters().parses, after.parses);
}

#[test]
fn a_file_that_is_being_written_is_left_alone() {
    let mut scene = Scene::new();
    let whole = docs(&[service("web"), service("api")]);
    // The first half is a good file of its own, and would look as if something was deleted.
    scene.folder.write(WEB, service("api"));
    assert_eq!(scene.writing(WEB), NOTHING);
    scene.folder.write(WEB, &whole);
    assert_eq!(scene.ready(&[WEB]), ["eu-1.1 services put shop/api"]);
    // A writer that never says that it has finished is believed after a while.
    scene.folder.write(WEB, service("api"));
    assert_eq!(scene.writing(WEB), NOTHING);
    assert_eq!(scene.after(GRACE / 2), NOTHING);
    assert_eq!(scene.writing(WEB), NOTHING);
    assert_eq!(scene.after(GRACE / 2), NOTHING);
    assert_eq!(scene.after(GRACE / 2), ["eu-1.1 services delete shop/web"]);
}

#[test]
fn changes_without_an_event_are_found_once_they_are_quiet() {
    let mut scene = Scene::new();
    scene.folder.write(WEB, service("api"));
    assert_eq!(scene.scan(), NOTHING);
    scene.after(GRACE / 2);
    scene.folder.write(WEB, docs(&[service("web"), service("api")]));
    assert_eq!(scene.after(GRACE / 2), NOTHING, "it changed again meanwhile");
    assert_eq!(scene.after(GRACE), ["eu-1.1 services put shop/api"]);
}

#[test]
fn an_emptied_file_may_be_filled_again() {
    let mut scene = Scene::new();
    scene.folder.write(WEB, "");
    assert_eq!(scene.ready(&[WEB]), NOTHING);
    scene.folder.write(WEB, service("web"));
    assert_eq!(scene.ready(&[WEB]), NOTHING);
    assert_eq!(scene.after(GRACE * 2), NOTHING);
    scene.folder.write(WEB, "# nothing left\n");
    assert_eq!(scene.ready(&[WEB]), NOTHING);
    assert_eq!(scene.after(GRACE / 2), NOTHING);
    assert_eq!(scene.after(GRACE), ["eu-1.1 services delete shop/web"]);
}

#[test]
fn a_broken_file_keeps_what_it_held_and_others_are_served() {
    let mut scene = Scene::new();
    scene.folder.write(WEB, "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: web\n");
    scene.folder.write("clusters/eu-1/api.yaml", service("api"));
    assert_eq!(scene.ready(&[WEB, "clusters/eu-1/api.yaml"]), ["eu-1.1 services put shop/api"]);
    assert_eq!(
        scene.problems(),
        [
            "w/clusters/eu-1/web.yaml:3: File clusters/eu-1/web.yaml: found unclosed bracket '{'; expected valid YAML or JSON; what it held before stays"
        ]
    );
    assert_eq!(scene.after(GRACE * 10), NOTHING, "however long");
    scene.folder.write(WEB, service("web").replace("80", "81"));
    assert_eq!(scene.ready(&[WEB]), ["eu-1.1 services put shop/web"]);
    assert_eq!(scene.problems(), NOTHING);
}

#[test]
fn a_rejected_object_keeps_its_last_good_state() {
    let mut scene = Scene::new();
    let both = |port: &str| docs(&[service("web").replace("80", port), service("api")]);
    scene.folder.write(WEB, both("80"));
    scene.ready(&[WEB]);
    scene.folder.write(WEB, both("0"));
    assert_eq!(scene.ready(&[WEB]), NOTHING);
    assert_eq!(scene.problems().len(), 1);
    scene.folder.write(WEB, both("82"));
    assert_eq!(scene.ready(&[WEB]), ["eu-1.1 services put shop/web"]);
    assert_eq!(scene.problems(), NOTHING);
}

#[test]
fn nothing_is_gone_from_a_file_with_something_unclear() {
    let mut scene = Scene::of(&[("hub.yaml", MEMBER), (WEB, &docs(&[service("web"), service("api")]))]);
    for unclear in [service("web").replace("Service", "Servic"), service("web").replace("name: web", "nam: web")] {
        scene.folder.write(WEB, docs(&[unclear, service("api").replace("80", "90")]));
        let port = scene.ready(&[WEB]);
        assert!(!port.iter().any(|text| text.contains("delete")), "{port:?}");
        assert_eq!(scene.problems().len(), 1);
    }
    // A kind that we do not know is nothing unclear.
    scene.folder.write(WEB, docs(&["apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n".into(), service("api")]));
    let sent = scene.ready(&[WEB]);
    assert_eq!(sent, ["eu-1.1 services delete shop/web, put shop/api"]);
}

#[test]
fn a_file_that_is_gone_takes_its_objects_along_after_a_while() {
    let mut scene = Scene::new();
    scene.folder.write("clusters/eu-1/api.yaml", service("api"));
    scene.ready(&["clusters/eu-1/api.yaml"]);
    scene.folder.remove(WEB);
    assert_eq!(scene.ready(&[WEB]), NOTHING);
    assert_eq!(scene.after(GRACE), ["eu-1.1 services delete shop/web"]);
}

#[test]
fn editors_that_write_a_new_file_lose_nothing() {
    let mut scene = Scene::new();
    scene.folder.rename(WEB, "clusters/eu-1/web.yaml~");
    assert_eq!(scene.ready(&[WEB]), NOTHING);
    scene.folder.write(WEB, service("web").replace("80", "81"));
    assert_eq!(scene.writing(WEB), NOTHING);
    assert_eq!(scene.ready(&[WEB]), ["eu-1.1 services put shop/web"]);
    assert_eq!(scene.after(GRACE * 2), NOTHING);
}

#[test]
fn a_renamed_file_is_no_news() {
    let mut scene = Scene::new();
    let other = "clusters/eu-1/zzz.yaml";
    scene.folder.rename(WEB, other);
    assert_eq!(scene.ready(&[WEB, other]), NOTHING);
    assert_eq!(scene.problems(), NOTHING, "the old name is no duplicate");
    assert_eq!(scene.after(GRACE * 2), NOTHING);
    scene.folder.write(other, service("web").replace("80", "81"));
    assert_eq!(scene.ready(&[other]), ["eu-1.1 services put shop/web"]);
}

#[test]
fn the_second_copy_takes_over_when_the_first_is_gone() {
    let mut scene = Scene::new();
    let second = "clusters/eu-1/zzz.yaml";
    scene.folder.write(second, service("web").replace("80", "81"));
    assert_eq!(scene.ready(&[second]), NOTHING);
    assert_eq!(scene.problems().len(), 1);
    scene.folder.remove(WEB);
    assert_eq!(scene.ready(&[WEB]), ["eu-1.1 services put shop/web"]);
    assert_eq!(scene.problems(), NOTHING);
    assert_eq!(scene.after(GRACE * 2), NOTHING);
}

#[test]
fn a_lost_folder_is_a_lost_way_not_lost_objects() {
    let mut scene = Scene::new();
    scene.folder.remove_folder("clusters/eu-1");
    // Its files are seen to go first.
    assert_eq!(scene.ready(&[WEB]), NOTHING);
    assert_eq!(scene.scan(), ["eu-1.1 down: Unreachable: there is no folder w/clusters/eu-1"]);
    assert_eq!(scene.after(GRACE * 10), NOTHING);
    // It comes back in pieces; what is missing in the end is gone.
    scene.folder.write("clusters/eu-1/api.yaml", service("api"));
    assert_eq!(scene.scan(), NOTHING);
    scene.after(GRACE / 2);
    scene.folder.write("clusters/eu-1/more.yaml", service("more"));
    assert_eq!(scene.scan(), NOTHING);
    let sent = scene.after(GRACE * 2);
    assert_eq!(
        sent[..3],
        [
            "eu-1.2 up as folder:eu-1 (folder)",
            "eu-1.2 namespaces full []",
            "eu-1.2 services full [shop/api, shop/more]"
        ]
    );
    assert_eq!(sent.len(), 7);
}

#[test]
fn a_folder_that_never_rests_is_taken_as_it_is() {
    let mut scene = Scene::of(&[("hub.yaml", MEMBER)]);
    let mut sent = Vec::new();
    let steps = MAX_SETTLE.as_millis() / (GRACE / 2).as_millis();
    for n in 0..=steps {
        assert_eq!(sent, NOTHING, "{n}");
        scene.folder.write(WEB, service(&format!("web{n}")));
        sent.extend(scene.scan());
        sent.extend(scene.after(GRACE / 2));
    }
    assert_eq!(sent[0], "eu-1.1 up as folder:eu-1 (folder)");
}

#[test]
fn a_lost_world_loses_nothing() {
    let mut scene = Scene::new();
    std::fs::rename(scene.folder.path(), scene.folder.dir.path().join("away")).unwrap();
    scene.ready(&[WEB, "hub.yaml"]);
    let (batches, result) = scene.follower.step(&Hints { all: true, ..Hints::default() }, scene.now);
    assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::NotFound);
    let sent: Vec<_> = batches.iter().map(|batch| scene.folder.shown(sent(batch))).collect();
    assert_eq!(sent, ["eu-1.1 down: Unreachable: there is no folder w/clusters/eu-1"]);
    assert_eq!(scene.after(GRACE * 10), NOTHING);
    std::fs::rename(scene.folder.dir.path().join("away"), scene.folder.path()).unwrap();
    assert_eq!(scene.scan(), NOTHING);
    let sent = scene.after(GRACE * 2);
    assert_eq!(
        sent[..3],
        ["eu-1.2 up as folder:eu-1 (folder)", "eu-1.2 namespaces full []", "eu-1.2 services full [shop/web]"]
    );
}

#[test]
fn members_come_and_go() {
    let mut scene = Scene::new();
    scene.folder.write("clusters/us-1/a.yaml", service("web"));
    assert_eq!(scene.scan(), NOTHING);
    assert_eq!(scene.after(GRACE * 2), NOTHING, "no member, no word");
    assert_eq!(scene.problems().len(), 1);
    scene.folder.write("us.yaml", MEMBER.replace("eu-1", "us-1"));
    let sent = scene.ready(&["us.yaml"]);
    assert_eq!(sent[..2], ["hub members put us-1", "us-1.1 up as folder:us-1 (folder)"]);
    assert_eq!(sent.len(), 8);
    assert_eq!(scene.problems(), NOTHING);
    scene.folder.remove("us.yaml");
    scene.ready(&["us.yaml"]);
    assert_eq!(scene.after(GRACE), ["hub members delete us-1"]);
    scene.folder.write("us.yaml", MEMBER.replace("eu-1", "us-1"));
    assert_eq!(scene.ready(&["us.yaml"])[1], "us-1.2 up as folder:us-1 (folder)", "a new connection");
}

#[test]
fn identity_comes_from_kube_system_and_stays_until_another_is_found() {
    let system = |uid: &str| format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: kube-system, uid: {uid}}}\n");
    let mut scene = Scene::of(&[("hub.yaml", MEMBER), ("clusters/eu-1/ns.yaml", &system("u-1"))]);
    scene.folder.remove("clusters/eu-1/ns.yaml");
    scene.ready(&["clusters/eu-1/ns.yaml"]);
    assert_eq!(scene.after(GRACE), ["eu-1.1 namespaces delete kube-system"]);
    scene.folder.write("clusters/eu-1/ns.yaml", system("u-2"));
    let sent = scene.ready(&["clusters/eu-1/ns.yaml"]);
    assert_eq!(sent[..2], ["eu-1.2 up as u-2 (folder)", "eu-1.2 namespaces full [kube-system]"]);
}

#[test]
fn an_object_that_turns_out_to_be_none_of_ours_is_gone() {
    let file = "clusters/eu-1/s.yaml";
    let mut scene = Scene::of(&[("hub.yaml", MEMBER), (file, &slice("web-1", "10.8.0.1"))]);
    let ours =
        slice("web-1", "10.8.0.1").replace("labels: {", "labels: {endpointslice.kubernetes.io/managed-by: isthmus, ");
    scene.folder.write(file, ours);
    assert_eq!(scene.ready(&[file]), ["eu-1.1 slices delete shop/web-1"]);
}

/// An empty folder, one whose hub file is cut off, one that holds a cluster and no hub: none says who belongs.
#[test]
fn a_folder_that_is_about_to_be_filled_is_no_federation_without_members() {
    let web = service("web");
    let starts: [&[(&str, &str)]; 4] = [
        &[("notes.txt", "")],
        &[("hub.yaml", "kind: [")],
        &[(WEB, &web)],
        &[("a.yaml", REGION), ("hub.yaml", "kind: [")],
    ];
    for files in starts {
        let folder = Folder::new(files);
        let follower = Follower::new(&folder.path());
        let mut scene = Scene { folder, follower, now: Instant::now() };
        assert_eq!(scene.scan(), [""; 0], "{files:?}");
        let problems: Vec<String> = scene
            .follower
            .problems()
            .into_values()
            .flat_map(|excerpt| excerpt.problems)
            .map(|p| p.to_string())
            .collect();
        assert!(problems.iter().any(|problem| problem.contains("until then nothing is served")), "{problems:?}");
        scene.folder.replace("hub.yaml", MEMBER);
        let sent = scene.ready(&["hub.yaml"]);
        assert!(sent.contains(&"hub members full [eu-1]".to_owned()), "{files:?}: {sent:?}");
        // From then on what is gone is gone.
        scene.folder.remove("hub.yaml");
        let gone = [scene.scan(), scene.after(2 * GRACE)].concat();
        assert!(gone.contains(&"hub members delete eu-1".to_owned()), "{files:?}: {gone:?}");
    }
}
