#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use federation::change::Change;
use federation::model::Node;
use futures::stream;
use k8s_openapi::api::core::v1 as core;
use kube::core::Status;
use kube::runtime::watcher::{Error, Event};
use serde_json::json;
use tokio::sync::mpsc;

use super::*;
use crate::problem::Problems;

type Nodes = Plain<core::Node>;

fn wire(name: &str, cidr: &str) -> core::Node {
    serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"podCIDR": cidr, "podCIDRs": [cidr]}})).unwrap()
}

fn intake(remember: bool) -> (Intake<Nodes>, ProblemBook) {
    let problems = ProblemBook::default();
    (Intake::new(ProblemOrigin::Hub, problems.clone(), remember), problems)
}

/// A delta in one line: `full a b !c` or `+a -b`.
fn show(delta: Option<Delta<Node>>) -> String {
    match delta {
        None => "nothing".to_owned(),
        Some(Delta::Full { objects, rejected }) => {
            let objects = objects.iter().map(|node| format!(" {}", node.name));
            let rejected = rejected.iter().map(|name| format!(" !{name}"));
            format!("full{}", objects.chain(rejected).collect::<String>())
        }
        Some(Delta::Partial(changes)) => {
            let one = |change: &Change<Node>| match change {
                Change::Put(node) => format!("+{}", node.name),
                Change::Delete(name) => format!("-{name}"),
            };
            changes.iter().map(one).collect::<Vec<_>>().join(" ")
        }
    }
}

fn list(intake: &mut Intake<Nodes>, nodes: &[core::Node]) -> String {
    assert!(intake.event(Event::Init).is_none());
    for node in nodes {
        assert!(intake.event(Event::InitApply(node.clone())).is_none(), "nobody hears of half a list");
    }
    show(intake.event(Event::InitDone))
}

fn rejected(problems: &ProblemBook) -> Vec<String> {
    let snapshot: Problems = problems.snapshot();
    snapshot.values().flat_map(|page| page.listed().keys()).map(|object| object.name.clone()).collect()
}

#[test]
fn a_list_is_told_whole_and_changes_one_by_one() {
    let (mut intake, _) = intake(false);
    assert_eq!(list(&mut intake, &[wire("a", "10.0.0.0/24"), wire("b", "10.0.1.0/24")]), "full a b");
    assert_eq!(show(intake.drain()), "nothing");
    intake.event(Event::Apply(wire("c", "10.0.2.0/24")));
    intake.event(Event::Delete(wire("a", "10.0.0.0/24")));
    intake.event(Event::Delete(wire("never-told", "10.0.0.0/24")));
    assert_eq!(show(intake.drain()), "+c -a");
    assert_eq!(list(&mut intake, &[wire("b", "10.0.1.0/24")]), "full b");
}

#[test]
fn a_bad_object_is_rejected_alone_and_its_last_good_state_stays() {
    let (mut intake, problems) = intake(true);
    list(&mut intake, &[wire("a", "10.0.0.0/24"), wire("b", "10.0.1.0/24")]);
    intake.event(Event::Apply(wire("a", "nonsense")));
    intake.event(Event::Apply(wire("b", "10.0.9.0/24")));
    assert_eq!(show(intake.drain()), "+b", "no word about the bad one");
    assert_eq!(rejected(&problems), ["a"]);
    assert_eq!(list(&mut intake, &[wire("a", "nonsense"), wire("b", "10.0.9.0/24")]), "full b !a");
    assert_eq!(rejected(&problems), ["a"]);
    intake.event(Event::Apply(wire("a", "10.0.0.0/24")));
    assert_eq!(show(intake.drain()), "nothing", "back to what was told last");
    assert!(rejected(&problems).is_empty());
    intake.event(Event::Apply(wire("a", "worse")));
    intake.event(Event::Delete(wire("a", "worse")));
    assert_eq!(show(intake.drain()), "-a", "what is deleted is gone, bad or not");
    assert!(rejected(&problems).is_empty());
}

/// What can be used of an object is used, however often it changes, and what cannot is told.
/// A list of objects with long names. Each event holds one of them.
#[test]
fn long_names_are_counted_and_take_no_memory() {
    const MANY: usize = 300;
    let (mut intake, problems) = intake(false);
    let long = |i: usize| format!("{}{i}", "n".repeat(64 << 10));
    intake.event(Event::Init);
    intake.event(Event::InitApply(wire("good", "10.0.0.0/24")));
    for i in 0..MANY {
        intake.event(Event::InitApply(wire(&long(i), "10.0.0.0/24")));
    }
    assert_eq!(show(intake.event(Event::InitDone)), "full good");
    let page = |problems: &ProblemBook| problems.snapshot()[&ProblemOrigin::Hub].clone();
    let (listed, total) = (page(&problems).listed().len(), page(&problems).total());
    assert!(total == MANY && listed <= crate::problem::MAX_OBJECTS_PER_ORIGIN, "{listed} of {total}");
    let bytes: usize = page(&problems).problems().map(crate::problem::Problem::weight).sum();
    assert!(bytes <= crate::problem::MAX_BYTES_PER_ORIGIN, "{bytes}");
    // One by one, and taken back.
    intake.event(Event::Apply(wire(&long(MANY), "10.0.0.0/24")));
    assert_eq!(page(&problems).total(), MANY + 1);
    intake.event(Event::Delete(wire(&long(0), "10.0.0.0/24")));
    intake.event(Event::Delete(wire(&long(MANY), "10.0.0.0/24")));
    assert_eq!(page(&problems).total(), MANY - 1);
}

#[test]
fn an_object_with_a_bad_part_is_followed() {
    let two = |one: &str, other: &str| -> core::Node {
        serde_json::from_value(json!({"metadata": {"name": "a"}, "spec": {"podCIDRs": [one, other]}})).unwrap()
    };
    let (mut intake, problems) = intake(true);
    assert_eq!(list(&mut intake, &[two("10.0.0.0/24", "nonsense")]), "full a");
    assert_eq!(rejected(&problems), ["a"]);
    intake.event(Event::Apply(two("10.0.1.0/24", "nonsense")));
    assert_eq!(show(intake.drain()), "+a", "a change of the good part");
    assert_eq!(rejected(&problems), ["a"]);
    intake.event(Event::Apply(two("10.0.1.0/24", "other nonsense")));
    assert_eq!(show(intake.drain()), "nothing", "a change of the bad part");
    intake.event(Event::Apply(two("10.0.1.0/24", "fd00::/64")));
    assert_eq!(show(intake.drain()), "+a");
    assert!(rejected(&problems).is_empty());
    intake.event(Event::Apply(two("nonsense", "nonsense")));
    assert_eq!(show(intake.drain()), "nothing", "nothing of it can be used: its last good state stays");
}

/// The engine may hold a good state from an earlier connection that this one never saw.
#[test]
fn what_was_rejected_from_the_start_can_still_be_deleted() {
    let (mut intake, _) = intake(true);
    assert_eq!(list(&mut intake, &[wire("a", "nonsense")]), "full !a");
    intake.event(Event::Delete(wire("a", "nonsense")));
    assert_eq!(show(intake.drain()), "-a");
}

#[test]
fn repetitions_are_dropped_only_where_asked() {
    for (remember, expected) in [(true, "nothing"), (false, "+a")] {
        let (mut intake, _) = intake(remember);
        list(&mut intake, &[wire("a", "10.0.0.0/24")]);
        intake.event(Event::Apply(wire("a", "10.0.0.0/24")));
        assert_eq!(show(intake.drain()), expected);
        intake.event(Event::Apply(wire("a", "10.0.7.0/24")));
        assert_eq!(show(intake.drain()), "+a");
    }
}

#[test]
fn an_interrupted_list_is_forgotten() {
    let (mut intake, _) = intake(false);
    list(&mut intake, &[wire("a", "10.0.0.0/24")]);
    intake.event(Event::Init);
    intake.event(Event::InitApply(wire("b", "10.0.0.0/24")));
    assert_eq!(show(intake.drain()), "nothing");
    assert_eq!(list(&mut intake, &[wire("c", "10.0.0.0/24")]), "full c");
}

/// Collects what is told.
struct Told(mpsc::UnboundedSender<String>);

impl Sink<Node> for Told {
    async fn take(&mut self, delta: Delta<Node>) -> Result<(), FeedClosed> {
        self.0.send(show(Some(delta))).map_err(|_| FeedClosed)
    }

    async fn unreadable(&mut self, message: Arc<str>) -> Result<(), FeedClosed> {
        self.0.send(format!("unreadable: {message}")).map_err(|_| FeedClosed)
    }
}

fn optional(was_there: &Arc<AtomicBool>, is_served: Option<bool>) -> Option<Optional> {
    let is_served: IsServed = Arc::new(move || Box::pin(std::future::ready(is_served)));
    Some(Optional { was_there: was_there.clone(), is_served })
}

#[derive(Clone, Default)]
struct Heard(Arc<std::sync::Mutex<Vec<&'static str>>>);

impl Listener for Heard {
    fn trouble(&mut self, _: &str, trouble: Trouble) {
        let name = match trouble {
            Trouble::Broken(_) => "broken",
            Trouble::Refused(_) => "refused",
            Trouble::Stuck(_) => "stuck",
        };
        self.0.lock().unwrap().push(name);
    }

    fn unreadable(&self, plural: &str, error: &kube::Error) -> Option<Arc<str>> {
        let kube::Error::Api(status) = error else { return None };
        (status.code != 401).then(|| format!("{plural} {}", status.code).into())
    }

    fn listed(&mut self, _: &str) {
        self.0.lock().unwrap().push("listed");
    }
}

struct Scene {
    intake: Intake<Nodes>,
    health: Health,
    how: Follow<Heard>,
    sink: Told,
    told: mpsc::UnboundedReceiver<String>,
    heard: Heard,
}

fn scene(optional: Option<Optional>) -> Scene {
    let heard = Heard::default();
    let (sender, told) = mpsc::unbounded_channel();
    let how = Follow {
        origin: ProblemOrigin::Hub,
        problems: ProblemBook::default(),
        seen: SeenMark::default(),
        listener: heard.clone(),
        remember: false,
        relist: None,
        optional,
    };
    Scene { intake: intake(false).0, health: Health::new(), how, sink: Told(sender), told, heard }
}

impl Scene {
    /// Plays one watcher's events; true if a new watcher is asked for before it is silent for good.
    async fn play(&mut self, events: Vec<watcher::Result<Event<core::Node>>>) -> bool {
        let stream = stream::iter(events).chain(stream::pending());
        let run = run(stream, &mut self.intake, &mut self.health, &mut self.how, &mut self.sink);
        tokio::time::timeout(Duration::from_secs(3600), run).await.is_ok_and(|ended| ended.is_ok())
    }

    fn told(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.told.try_recv().ok()).collect()
    }

    fn heard(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.heard.0.lock().unwrap())
    }
}

fn api_error(code: u16) -> kube::Error {
    kube::Error::Api(Box::new(Status { code, ..Status::default() }))
}

fn listed(name: &str) -> Vec<watcher::Result<Event<core::Node>>> {
    vec![Ok(Event::Init), Ok(Event::InitApply(wire(name, "10.0.0.0/24"))), Ok(Event::InitDone)]
}

#[tokio::test(start_paused = true)]
async fn gone_at_the_start_of_a_watch_asks_for_a_new_list() {
    let mut scene = scene(None);
    let mut events = listed("a");
    events.push(Err(Error::WatchStartFailed(api_error(410))));
    assert!(scene.play(events).await, "the library's watcher would ask for the same version for ever");
    assert_eq!(scene.told(), ["full a"]);
    assert_eq!(scene.heard(), ["listed"], "it is nobody's trouble");
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_goes_on_from_where_it_was() {
    let mut scene = scene(None);
    let mut events = listed("a");
    events.push(Err(Error::WatchFailed(kube::Error::Service("reset".into()))));
    events.push(Ok(Event::Apply(wire("b", "10.0.0.0/24"))));
    assert!(!scene.play(events).await, "no new list");
    assert_eq!(scene.told(), ["full a", "+b"]);
    assert_eq!(scene.heard(), ["listed", "broken"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_stalls_is_given_up() {
    let mut scene = scene(None);
    assert!(scene.play(vec![Ok(Event::Init), Ok(Event::InitApply(wire("a", "10.0.0.0/24")))]).await);
    assert!(scene.told().is_empty(), "half a list is not told");
    assert_eq!(scene.heard(), ["broken"]);
}

#[tokio::test(start_paused = true)]
async fn refusal_and_long_trouble_are_told_apart() {
    let mut scene = scene(None);
    assert!(scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(401)))]).await);
    assert_eq!(scene.heard(), ["refused"]);
    assert!(scene.told().is_empty(), "a credential that is refused says nothing about one kind");
    let mut scene = self::scene(None);
    // Enough for the shortest waits that the spread allows to add up to the limit.
    for _ in 0..40 {
        scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(500)))]).await;
    }
    let heard = scene.heard();
    assert_eq!(heard.first(), Some(&"broken"));
    assert_eq!(heard.last(), Some(&"stuck"), "{heard:?}");
    assert_eq!(scene.told().last().map(String::as_str), Some("unreadable: nodes 500"));
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_lost_is_told_of_its_kind_and_ends_with_a_complete_list() {
    let mut scene = scene(None);
    let mut events = listed("a");
    events.push(Err(Error::WatchStartFailed(api_error(403))));
    assert!(scene.play(events).await, "what was missed meanwhile is found by a new list only");
    assert_eq!(scene.told(), ["full a", "unreadable: nodes 403"]);
    scene.play(listed("b")).await;
    assert_eq!(scene.told(), ["full b"]);
    assert_eq!(scene.heard(), ["listed", "refused", "listed"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_there_is_empty() {
    for (code, is_served) in [(403, Some(false)), (404, None), (404, Some(true))] {
        let mut scene = scene(optional(&Arc::default(), is_served));
        for _ in 0..3 {
            assert!(scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(code)))]).await);
        }
        assert_eq!(scene.told(), ["full"], "{code}: told once");
        assert_eq!(scene.heard(), ["listed"], "{code}: it is no trouble");
    }
}

/// The right to list a kind is missing from the start: nobody can tell whether there is any of it.
#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_listed_is_not_empty() {
    for is_served in [Some(true), None] {
        let mut scene = scene(optional(&Arc::default(), is_served));
        for _ in 0..3 {
            assert!(scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(403)))]).await);
        }
        assert_eq!(scene.told(), ["unreadable: nodes 403"; 3], "{is_served:?}");
        scene.play(listed("a")).await;
        assert_eq!(scene.told(), ["full a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_was_there_is_not_believed_to_be_gone_on_doubt() {
    let flag = Arc::new(AtomicBool::new(false));
    let mut scene = scene(optional(&flag, Some(false)));
    scene.play(listed("a")).await;
    assert_eq!(scene.told(), ["full a"]);
    for _ in 0..10 {
        scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(403)))]).await;
    }
    assert_eq!(scene.told(), ["unreadable: nodes 403"; 10], "not being allowed to look proves nothing");
    assert!(scene.heard().contains(&"refused"));
    // A new connection remembers.
    let mut scene = self::scene(optional(&flag, Some(false)));
    for _ in 0..2 {
        scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(404)))]).await;
    }
    assert!(scene.told().is_empty(), "an API server that starts may not know its custom resources yet");
    scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(404)))]).await;
    assert_eq!(scene.told(), ["full"], "the definition was deleted, and its objects with it");
}

#[test]
fn a_loopback_endpoint_of_another_machine_is_rejected_alone() {
    let slice = |ip: &str| {
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "web-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
            "endpoints": [{"addresses": ["10.8.0.1"]}, {"addresses": [ip]}],
        });
        RemoteSlices::read(&serde_json::from_value(slice).unwrap())
    };
    let endpoints = |ip: &str| slice(ip).unwrap().object.unwrap().endpoints.len();
    assert_eq!((endpoints("10.8.0.2"), endpoints("127.0.0.1")), (2, 1));
    assert_eq!(
        slice("127.0.0.1").unwrap().problems.first().map(ToString::to_string).as_deref(),
        Some(
            "EndpointSlice shop/web-1: endpoints[1].addresses[0]: found 127.0.0.1; expected an address that other hosts can \
             reach: not a loopback address; the endpoint is not used"
        )
    );
}

/// What an event once got wrong is put right at the latest by the next list.
#[tokio::test(start_paused = true)]
async fn a_kind_that_is_written_is_listed_again_although_its_watch_is_fine() {
    let mut scene = scene(None);
    assert!(!scene.play(listed("a")).await, "others are not");
    scene.how.relist = Some(Duration::from_secs(900));
    let begun = Instant::now();
    assert!(scene.play(listed("a")).await);
    assert!((900..=1800).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert_eq!(scene.told(), ["full a", "full a"]);
    assert_eq!(scene.heard(), ["listed", "listed"], "it is no trouble");
}
