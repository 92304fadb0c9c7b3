#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use federation::change::{Change, Delta};
use federation::model::Node;
use futures::stream;
use k8s_openapi::api::core::v1 as core;
use kube::core::Status;
use kube::runtime::watcher::{Error, Event};
use serde_json::json;
use std::sync::atomic::AtomicBool;
use tokio::sync::mpsc;

use super::*;
use crate::client::bounds::MemberBounds;
use crate::problem::{ProblemBook, ProblemOrigin, Problems};
use crate::tables::SeenMark;

type Nodes = Plain<core::Node>;

/// The length of each object.
const BYTES: usize = 100;

fn wire(name: &str, cidr: &str) -> Entry<Nodes> {
    entry(json!({"metadata": {"name": name}, "spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}))
}

fn entry(node: serde_json::Value) -> Entry<Nodes> {
    Entry::of(&serde_json::from_value::<core::Node>(node).unwrap(), BYTES)
}

fn intake(remember: bool) -> (Intake<Nodes>, ProblemBook) {
    let (intake, problems, _) = intake_of(&MemberBounds::default(), remember);
    (intake, problems)
}

fn intake_of(bounds: &MemberBounds, remember: bool) -> (Intake<Nodes>, ProblemBook, Quota) {
    let (problems, quota) = (ProblemBook::default(), Quota::new(bounds));
    (Intake::new(ProblemOrigin::Hub, problems.clone(), quota.clone(), remember), problems, quota)
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

fn list(intake: &mut Intake<Nodes>, nodes: impl IntoIterator<Item = Entry<Nodes>>) -> String {
    assert!(intake.event(Event::Init).is_none());
    for node in nodes {
        assert!(intake.event(Event::InitApply(node)).is_none(), "nothing of half a list is delivered");
    }
    show(intake.event(Event::InitDone))
}

fn rejected(problems: &ProblemBook) -> Vec<String> {
    let snapshot: Problems = problems.snapshot();
    snapshot.values().flat_map(|page| page.listed().keys()).map(|object| object.name.clone()).collect()
}

#[test]
fn a_list_is_delivered_whole_and_changes_one_by_one() {
    let (mut intake, _) = intake(false);
    assert_eq!(list(&mut intake, [wire("a", "10.0.0.0/24"), wire("b", "10.0.1.0/24")]), "full a b");
    assert_eq!(show(intake.drain()), "nothing");
    intake.event(Event::Apply(wire("c", "10.0.2.0/24")));
    intake.event(Event::Delete(wire("a", "10.0.0.0/24")));
    intake.event(Event::Delete(wire("never-sent", "10.0.0.0/24")));
    assert_eq!(show(intake.drain()), "+c -a");
    assert_eq!(list(&mut intake, [wire("b", "10.0.1.0/24")]), "full b");
}

#[test]
fn a_bad_object_is_rejected_alone_and_its_last_good_state_stays() {
    let (mut intake, problems) = intake(true);
    list(&mut intake, [wire("a", "10.0.0.0/24"), wire("b", "10.0.1.0/24")]);
    intake.event(Event::Apply(wire("a", "nonsense")));
    intake.event(Event::Apply(wire("b", "10.0.9.0/24")));
    assert_eq!(show(intake.drain()), "+b", "no word about the bad one");
    assert_eq!(rejected(&problems), ["a"]);
    assert_eq!(list(&mut intake, [wire("a", "nonsense"), wire("b", "10.0.9.0/24")]), "full b !a");
    assert_eq!(rejected(&problems), ["a"]);
    intake.event(Event::Apply(wire("a", "10.0.0.0/24")));
    assert_eq!(show(intake.drain()), "nothing", "back to what was delivered last");
    assert!(rejected(&problems).is_empty());
    intake.event(Event::Apply(wire("a", "worse")));
    intake.event(Event::Delete(wire("a", "worse")));
    assert_eq!(show(intake.drain()), "-a", "what is deleted is gone, bad or not");
    assert!(rejected(&problems).is_empty());
}

/// What can be used of an object is used, however often it changes, and what cannot is reported.
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
    let two = |one: &str, other: &str| entry(json!({"metadata": {"name": "a"}, "spec": {"podCIDRs": [one, other]}}));
    let (mut intake, problems) = intake(true);
    assert_eq!(list(&mut intake, [two("10.0.0.0/24", "nonsense")]), "full a");
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
    assert_eq!(list(&mut intake, [wire("a", "nonsense")]), "full !a");
    intake.event(Event::Delete(wire("a", "nonsense")));
    assert_eq!(show(intake.drain()), "-a");
}

#[test]
fn repetitions_are_dropped_only_where_asked() {
    for (remember, expected) in [(true, "nothing"), (false, "+a")] {
        let (mut intake, _) = intake(remember);
        list(&mut intake, [wire("a", "10.0.0.0/24")]);
        intake.event(Event::Apply(wire("a", "10.0.0.0/24")));
        assert_eq!(show(intake.drain()), expected);
        intake.event(Event::Apply(wire("a", "10.0.7.0/24")));
        assert_eq!(show(intake.drain()), "+a");
    }
}

#[test]
fn an_interrupted_list_is_forgotten() {
    let (mut intake, _) = intake(false);
    list(&mut intake, [wire("a", "10.0.0.0/24")]);
    intake.event(Event::Init);
    intake.event(Event::InitApply(wire("b", "10.0.0.0/24")));
    assert_eq!(show(intake.drain()), "nothing");
    assert_eq!(list(&mut intake, [wire("c", "10.0.0.0/24")]), "full c");
}

/// Collects what is delivered.
struct Sent(mpsc::UnboundedSender<String>);

impl Sink<Node> for Sent {
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
struct Notified(Arc<std::sync::Mutex<Vec<&'static str>>>);

impl Listener for Notified {
    fn trouble(&mut self, _: &str, trouble: Trouble) {
        let name = match trouble {
            Trouble::Broken(_) => "broken",
            Trouble::Refused(_) => "refused",
            Trouble::Unusable(_) => "unusable",
            Trouble::Stuck(_) => "stuck",
        };
        self.0.lock().unwrap().push(name);
    }

    fn unreadable(&self, plural: &str, error: &kube::Error) -> Option<Arc<str>> {
        if let Some(fault) = Fault::of(error) {
            return Some(fault.to_string().into());
        }
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
    how: Follow<Notified>,
    sink: Sent,
    sent: mpsc::UnboundedReceiver<String>,
    notified: Notified,
}

fn scene(optional: Option<Optional>) -> Scene {
    let notified = Notified::default();
    let (sender, sent) = mpsc::unbounded_channel();
    let how = Follow {
        origin: ProblemOrigin::Hub,
        problems: ProblemBook::default(),
        seen: SeenMark::default(),
        listener: notified.clone(),
        remember: false,
        relist: None,
        optional,
        share: Share::of(&MemberBounds::default()),
    };
    Scene { intake: intake(false).0, health: Health::new(), how, sink: Sent(sender), sent, notified }
}

impl Scene {
    /// Plays one watcher's events; true if a new watcher is asked for before it is silent for good.
    async fn play(&mut self, events: Vec<watcher::Result<Event<Entry<Nodes>>>>) -> bool {
        let stream = stream::iter(events).chain(stream::pending());
        let run = run(stream, &mut self.intake, &mut self.health, &mut self.how, &mut self.sink);
        tokio::time::timeout(Duration::from_secs(3600), run).await.is_ok_and(|ended| ended.is_ok())
    }

    fn sent(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.sent.try_recv().ok()).collect()
    }

    fn notified(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.notified.0.lock().unwrap())
    }
}

fn api_error(code: u16) -> kube::Error {
    kube::Error::Api(Box::new(Status { code, ..Status::default() }))
}

fn listed(name: &str) -> Vec<watcher::Result<Event<Entry<Nodes>>>> {
    vec![Ok(Event::Init), Ok(Event::InitApply(wire(name, "10.0.0.0/24"))), Ok(Event::InitDone)]
}

#[tokio::test(start_paused = true)]
async fn gone_at_the_start_of_a_watch_asks_for_a_new_list() {
    let mut scene = scene(None);
    let mut events = listed("a");
    events.push(Err(Error::WatchStartFailed(api_error(410))));
    assert!(scene.play(events).await, "the library's watcher would ask for the same version forever");
    assert_eq!(scene.sent(), ["full a"]);
    assert_eq!(scene.notified(), ["listed"], "it is no trouble");
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_goes_on_from_where_it_was() {
    let mut scene = scene(None);
    let mut events = listed("a");
    events.push(Err(Error::WatchFailed(kube::Error::Service("reset".into()))));
    events.push(Ok(Event::Apply(wire("b", "10.0.0.0/24"))));
    assert!(!scene.play(events).await, "no new list");
    assert_eq!(scene.sent(), ["full a", "+b"]);
    assert_eq!(scene.notified(), ["listed", "broken"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_stalls_is_given_up() {
    let mut scene = scene(None);
    assert!(scene.play(vec![Ok(Event::Init), Ok(Event::InitApply(wire("a", "10.0.0.0/24")))]).await);
    assert!(scene.sent().is_empty(), "half a list is not delivered");
    assert_eq!(scene.notified(), ["broken"]);
}

#[tokio::test(start_paused = true)]
async fn refusal_and_long_trouble_are_distinguished() {
    let mut scene = scene(None);
    assert!(scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(401)))]).await);
    assert_eq!(scene.notified(), ["refused"]);
    assert!(scene.sent().is_empty(), "a credential that is refused says nothing about one kind");
    let mut scene = self::scene(None);
    // Enough for the shortest waits that the spread allows to add up to the limit.
    for _ in 0..40 {
        scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(500)))]).await;
    }
    let notified = scene.notified();
    assert_eq!(notified.first(), Some(&"broken"));
    assert_eq!(notified.last(), Some(&"stuck"), "{notified:?}");
    assert_eq!(scene.sent().last().map(String::as_str), Some("unreadable: nodes 500"));
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_lost_is_reported_of_its_kind_and_ends_with_a_complete_list() {
    let mut scene = scene(None);
    let mut events = listed("a");
    events.push(Err(Error::WatchStartFailed(api_error(403))));
    assert!(scene.play(events).await, "what was missed meanwhile is found by a new list only");
    assert_eq!(scene.sent(), ["full a", "unreadable: nodes 403"]);
    scene.play(listed("b")).await;
    assert_eq!(scene.sent(), ["full b"]);
    assert_eq!(scene.notified(), ["listed", "refused", "listed"]);
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_there_is_empty() {
    for (code, is_served) in [(403, Some(false)), (404, None), (404, Some(true))] {
        let mut scene = scene(optional(&Arc::default(), is_served));
        for _ in 0..3 {
            assert!(scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(code)))]).await);
        }
        assert_eq!(scene.sent(), ["full"], "{code}: delivered once");
        assert_eq!(scene.notified(), ["listed"], "{code}: it is no trouble");
    }
}

/// The right to list a kind is missing from the start: it is not known whether there is any of it.
#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_listed_is_not_empty() {
    for is_served in [Some(true), None] {
        let mut scene = scene(optional(&Arc::default(), is_served));
        for _ in 0..3 {
            assert!(scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(403)))]).await);
        }
        assert_eq!(scene.sent(), ["unreadable: nodes 403"; 3], "{is_served:?}");
        scene.play(listed("a")).await;
        assert_eq!(scene.sent(), ["full a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_was_there_is_not_believed_to_be_gone_on_doubt() {
    let flag = Arc::new(AtomicBool::new(false));
    let mut scene = scene(optional(&flag, Some(false)));
    scene.play(listed("a")).await;
    assert_eq!(scene.sent(), ["full a"]);
    for _ in 0..10 {
        scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(403)))]).await;
    }
    assert_eq!(scene.sent(), ["unreadable: nodes 403"; 10], "not being allowed to look proves nothing");
    assert!(scene.notified().contains(&"refused"));
    // A new connection remembers.
    let mut scene = self::scene(optional(&flag, Some(false)));
    for _ in 0..2 {
        scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(404)))]).await;
    }
    assert!(scene.sent().is_empty(), "an API server that starts may not know its custom resources yet");
    scene.play(vec![Ok(Event::Init), Err(Error::InitialListFailed(api_error(404)))]).await;
    assert_eq!(scene.sent(), ["full"], "the definition was deleted, and its objects with it");
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
async fn a_kind_that_is_written_is_listed_again_although_its_watch_works() {
    let mut scene = scene(None);
    assert!(!scene.play(listed("a")).await, "others are not");
    scene.how.relist = Some(Duration::from_secs(900));
    let begun = Instant::now();
    assert!(scene.play(listed("a")).await);
    assert!((900..=1800).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    assert_eq!(scene.sent(), ["full a", "full a"]);
    assert_eq!(scene.notified(), ["listed", "listed"], "it is no trouble");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_reported_at_once_and_until_it_can() {
    for fault in [Fault::Html { what: "the list" }, Fault::CutShort { what: "the list", bytes: 7 }, Fault::NoVersion] {
        let mut scene = scene(None);
        for _ in 0..3 {
            let error = Error::InitialListFailed(fault.clone().into_kube());
            assert!(scene.play(vec![Ok(Event::Init), Err(error)]).await, "only a list ends it");
        }
        assert_eq!(scene.sent(), [(); 3].map(|()| format!("unreadable: {fault}")));
        assert_eq!(scene.notified(), ["unusable"; 3]);
        scene.play(listed("a")).await;
        assert_eq!(scene.sent(), ["full a"]);
    }
}

/// A server that answers a list and then sends nonsense, forever, is asked less and less often.
#[tokio::test(start_paused = true)]
async fn a_watch_that_cannot_be_read_does_not_list_without_pause() {
    let mut scene = scene(None);
    let begun = Instant::now();
    for _ in 0..20 {
        let mut events = listed("a");
        events.push(Err(Error::WatchFailed(Fault::Html { what: "a watch event" }.into_kube())));
        assert!(scene.play(events).await, "an event may have been lost");
    }
    assert!(begun.elapsed() > Duration::from_secs(30), "{:?}", begun.elapsed());
}

fn bounds(objects: usize, bytes: u64) -> MemberBounds {
    MemberBounds { objects, bytes, ..MemberBounds::default() }
}

fn node(number: usize) -> Entry<Nodes> {
    wire(&format!("n{number}"), "10.0.0.0/24")
}

#[test]
fn objects_without_end_are_excluded_and_let_in_when_others_go() {
    for bounds in [bounds(3, u64::MAX), bounds(1_000, 3 * BYTES as u64)] {
        let (mut intake, problems, quota) = intake_of(&bounds, false);
        assert_eq!(list(&mut intake, [node(1), node(2)]), "full n1 n2");
        for number in 3..1_000 {
            intake.event(Event::Apply(node(number)));
        }
        assert_eq!(show(intake.drain()), "+n3", "the first stay");
        assert_eq!((intake.excluded(), intake.may_let_in()), (996, false));
        let texts: Vec<String> =
            problems.snapshot().values().flat_map(|all| all.problems()).map(ToString::to_string).collect();
        assert_eq!(texts.len(), 1, "one text for all of them: {texts:?}");
        assert!(
            texts[0].starts_with("Node: found 512 beyond what is kept of a member; expected at most 3"),
            "{texts:?}"
        );
        assert!(texts[0].contains("--max-member-"), "{texts:?}");
        // A change of what is there is no new object.
        intake.event(Event::Apply(wire("n1", "10.0.7.0/24")));
        assert_eq!(show(intake.drain()), "+n1");
        intake.event(Event::Delete(node(1)));
        assert_eq!(show(intake.drain()), "-n1");
        assert!(intake.may_let_in());
        assert_eq!(list(&mut intake, (2..=5).map(node)), "full n2 n3 n4");
        assert_eq!(intake.excluded(), 1);
        assert_eq!(list(&mut intake, (2..=4).map(node)), "full n2 n3 n4");
        assert_eq!((intake.excluded(), rejected(&problems).len()), (0, 0));
        assert_eq!(quota.used().objects, 3);
        drop(intake);
        assert_eq!(quota.used(), quota::Weight::default(), "a connection that ends leaves room");
    }
}

#[test]
fn objects_that_were_taken_first_stay_although_a_list_names_others_before_them() {
    let (mut intake, _, _) = intake_of(&bounds(2, u64::MAX), false);
    list(&mut intake, [node(8), node(9)]);
    assert_eq!(list(&mut intake, [node(1), node(8), node(9)]), "full n8 n9");
    assert_eq!(list(&mut intake, [node(1), node(9)]), "full n9", "there is room only when it is known what went");
    assert_eq!(list(&mut intake, [node(1), node(9)]), "full n1 n9");
}

#[test]
fn a_list_without_end_is_given_up_and_nothing_of_it_is_used() {
    let (mut intake, _, quota) = intake_of(&bounds(10, u64::MAX), false);
    assert_eq!(list(&mut intake, [node(1), node(2)]), "full n1 n2");
    let before = quota.used();
    intake.event(Event::Init);
    let given_up = (3..1_000).find(|number| {
        intake.event(Event::InitApply(node(*number)));
        !intake.is_listing()
    });
    assert_eq!(given_up, Some(23), "after twice the bound");
    let over = intake.take_over().map(|over| over.to_string());
    assert!(
        over.as_ref()
            .is_some_and(|text| text.contains("more than 20 objects") && text.contains("--max-member-objects")),
        "{over:?}"
    );
    assert!(intake.event(Event::InitDone).is_none(), "nothing of it is used");
    assert_eq!(quota.used(), before);
    intake.event(Event::Delete(node(1)));
    assert_eq!(show(intake.drain()), "-n1", "the last good state stays");
}

#[test]
fn kinds_of_one_member_share_its_bound() {
    let (mut one, _, quota) = intake_of(&bounds(3, u64::MAX), false);
    let mut other = Intake::<Nodes>::new(ProblemOrigin::Hub, ProblemBook::default(), quota, false);
    assert_eq!(list(&mut one, [node(1), node(2)]), "full n1 n2");
    assert_eq!(list(&mut other, [node(1), node(2)]), "full n1");
    drop(one);
    assert_eq!(list(&mut other, [node(1), node(2)]), "full n1 n2");
}

#[test]
fn ports_and_endpoints_are_counted_as_well() {
    let quota = Quota::new(&bounds(100, u64::MAX));
    let taken =
        |weight: quota::Weight| quota.exchange(quota::Weight::default(), weight).map_err(|over| over.to_string());
    assert_eq!(taken(quota::Weight::of((399, 999), 1)), Ok(()));
    assert!(taken(quota::Weight::of((2, 0), 1)).is_err_and(|text| text.starts_with("at most 400 ports")));
    assert!(taken(quota::Weight::of((0, 2), 1)).is_err_and(|text| text.starts_with("at most 1000 endpoints")));
    assert_eq!(taken(quota::Weight::of((1, 1), 1)), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn what_was_excluded_is_let_in_by_a_new_list_once_there_is_room() {
    let mut scene = scene(None);
    scene.intake = intake_of(&bounds(1, u64::MAX), false).0;
    let mut events = listed("a");
    events.push(Ok(Event::Apply(wire("b", "10.0.0.0/24"))));
    assert!(!scene.play(events).await, "there is no room, so that a list would be for nothing");
    let begun = Instant::now();
    assert!(scene.play(vec![Ok(Event::Delete(wire("a", "10.0.0.0/24")))]).await);
    assert!(begun.elapsed() <= LET_IN_EVERY + Duration::from_secs(1), "{:?}", begun.elapsed());
    scene.play(listed("b")).await;
    assert_eq!(scene.sent(), ["full a", "-a", "full b"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_too_long_is_reported_and_not_asked_for_soon() {
    let mut scene = scene(None);
    scene.intake = intake_of(&bounds(1, u64::MAX), false).0;
    scene.play(listed("a")).await;
    let begun = Instant::now();
    let objects = ["a", "b", "c"].map(|name| Ok(Event::InitApply(wire(name, "10.0.0.0/24"))));
    assert!(scene.play([Ok(Event::Init)].into_iter().chain(objects).collect()).await);
    assert!(begun.elapsed() >= OVER_RECHECK, "{:?}", begun.elapsed());
    let sent = scene.sent();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent[1].starts_with("unreadable: the list has more than 2 objects and is not used"), "{sent:?}");
    assert_eq!(scene.notified(), ["listed", "unusable"]);
}

/// Objects that are rejected, and changes that are none, reach no sink that would slow them down.
#[tokio::test(start_paused = true)]
async fn events_without_end_that_change_nothing_are_read_slowly() {
    for cidr in ["nonsense", "10.0.0.0/24"] {
        let mut scene = scene(None);
        scene.intake = intake(true).0;
        scene.play(listed("a")).await;
        let begun = Instant::now();
        let count = 20 * MAX_EVENTS_PER_BATCH;
        let mut events: Vec<_> = (0..count).map(|_| Ok(Event::Apply(wire("a", cidr)))).collect();
        events.push(Err(Error::WatchStartFailed(api_error(410))));
        assert!(scene.play(events).await);
        assert_eq!(scene.sent(), ["full a"]);
        assert!(begun.elapsed() >= 20 * USELESS_PAUSE, "{cidr}: {:?}", begun.elapsed());
    }
}
