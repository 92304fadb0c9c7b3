//! Moves, rounds, and the recorder that converts them to batches.

use std::collections::BTreeMap;
use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;

use super::hub::{self, MemberSpec, PolicySpec, RegionSpec, uid_text};
use super::objects::{self, CidrSpec, ExportSpec, NamespaceSpec, NodeSpec, ServiceSpec, SliceSpec};
use super::{CLUSTERS, DeltaSpec, NAMESPACES, REGIONS, SERVICES, delta, of, sometimes};
use crate::change::{Batch, Delta, Epoch, HubChanges, LinkChange, LinkFailure, MemberChanges, MemberKind};
use crate::testing::{Oracle, make};

/// What is reported together and judged once.
pub(in crate::tests) type Round = Vec<Move>;

#[derive(Clone)]
pub(in crate::tests) enum Move {
    Regions(DeltaSpec<RegionSpec>),
    Members(DeltaSpec<MemberSpec>),
    Policies(DeltaSpec<PolicySpec>),
    /// The hub writes the admission that holds into a member's status, and its watch reports that.
    PutOnRecord(&'static str),
    Up {
        cluster: &'static str,
        uid: &'static str,
        again: bool,
    },
    Down {
        cluster: &'static str,
        new_try: bool,
    },
    Reported {
        cluster: &'static str,
        by_old_connection: bool,
        what: What,
    },
    /// A new connection and everything on it, at once.
    Listed {
        cluster: &'static str,
        uid: &'static str,
        contents: Contents,
    },
}

#[derive(Clone)]
pub(in crate::tests) enum What {
    Namespaces(DeltaSpec<NamespaceSpec>),
    Services(DeltaSpec<ServiceSpec>),
    Slices(DeltaSpec<SliceSpec>),
    Nodes(DeltaSpec<NodeSpec>),
    ServiceCidrs(DeltaSpec<CidrSpec>),
    Exports(DeltaSpec<ExportSpec>),
    /// The kind, and whether only a part of it was ever reported.
    Unreadable(MemberKind, bool),
}

/// One list of each kind.
#[derive(Clone)]
pub(in crate::tests) struct Contents(pub Vec<What>);

/// Knows which connection each member is on.
#[derive(Default)]
pub(in crate::tests) struct Recorder {
    epochs: BTreeMap<&'static str, u64>,
}

impl Recorder {
    /// The batches of one move. The oracle is asked what should be on record.
    pub fn batches(&mut self, step: &Move, oracle: &Oracle) -> Vec<Batch> {
        match step {
            Move::Regions(spec) => vec![Batch::Hub(HubChanges::Regions(spec.delta("")))],
            Move::Members(spec) => vec![Batch::Hub(HubChanges::Members(spec.delta("")))],
            Move::Policies(spec) => vec![Batch::Hub(HubChanges::Policies(spec.delta("")))],
            Move::PutOnRecord(id) => {
                let member = oracle.on_record(&make::cluster(id));
                member.map(|member| Batch::Hub(HubChanges::Members(Delta::put(member)))).into_iter().collect()
            }
            Move::Up { cluster, uid, again } => vec![self.up(cluster, uid, !again)],
            Move::Down { cluster, new_try } => {
                let epoch = self.epoch(cluster, *new_try);
                let down = LinkChange::Down { reason: LinkFailure::Unreachable, message: "no answer".into() };
                vec![batch(cluster, epoch, MemberChanges::Link(down))]
            }
            Move::Reported { cluster, by_old_connection, what } => {
                let epoch = self.epoch(cluster, false).saturating_sub(u64::from(*by_old_connection));
                vec![batch(cluster, epoch, what.changes(cluster))]
            }
            Move::Listed { cluster, uid, contents } => {
                let up = self.up(cluster, uid, true);
                let epoch = self.epoch(cluster, false);
                let lists = contents.0.iter().map(|what| batch(cluster, epoch, what.changes(cluster)));
                std::iter::once(up).chain(lists).collect()
            }
        }
    }

    fn up(&mut self, cluster: &'static str, uid: &str, new: bool) -> Batch {
        let uid = make::uid(&uid_text(uid, cluster));
        let epoch = self.epoch(cluster, new);
        batch(cluster, epoch, MemberChanges::Link(LinkChange::Up { uid, version: "v1.36.0".into() }))
    }

    fn epoch(&mut self, cluster: &'static str, new: bool) -> u64 {
        let epoch = self.epochs.entry(cluster).or_insert(1);
        *epoch += u64::from(new);
        *epoch
    }
}

fn batch(cluster: &str, epoch: u64, changes: MemberChanges) -> Batch {
    Batch::Member { cluster: make::cluster(cluster), epoch: Epoch(epoch), changes }
}

impl What {
    fn changes(&self, cluster: &str) -> MemberChanges {
        match self {
            Self::Namespaces(spec) => MemberChanges::Namespaces(spec.delta(cluster)),
            Self::Services(spec) => MemberChanges::Services(spec.delta(cluster)),
            Self::Slices(spec) => MemberChanges::Slices(spec.delta(cluster)),
            Self::Nodes(spec) => MemberChanges::Nodes(spec.delta(cluster)),
            Self::ServiceCidrs(spec) => MemberChanges::ServiceCidrs(spec.delta(cluster)),
            Self::Exports(spec) => MemberChanges::Exports(spec.delta(cluster)),
            Self::Unreadable(kind, partly) => {
                MemberChanges::Unreadable { kind: *kind, message: "forbidden".into(), partly: *partly }
            }
        }
    }
}

impl What {
    fn is_none_at_all(&self) -> bool {
        match self {
            Self::Namespaces(spec) => spec.is_none_at_all(),
            Self::Services(spec) => spec.is_none_at_all(),
            Self::Slices(spec) => spec.is_none_at_all(),
            Self::Nodes(spec) => spec.is_none_at_all(),
            Self::ServiceCidrs(spec) => spec.is_none_at_all(),
            Self::Exports(spec) => spec.is_none_at_all(),
            Self::Unreadable(..) => false,
        }
    }
}

fn what() -> impl Strategy<Value = What> + Clone {
    prop_oneof![
        2 => delta(objects::namespace(), &NAMESPACES).prop_map(What::Namespaces),
        4 => delta(objects::service(), &SERVICES).prop_map(What::Services),
        4 => delta(objects::slice(), objects::SLICE_KEYS).prop_map(What::Slices),
        1 => delta(objects::node(), objects::NODE_KEYS).prop_map(What::Nodes),
        1 => delta(objects::service_cidr(), objects::NODE_KEYS).prop_map(What::ServiceCidrs),
        2 => delta(objects::export(), &SERVICES).prop_map(What::Exports),
        1 => (of(&[
            MemberKind::Namespaces,
            MemberKind::Services,
            MemberKind::Slices,
            MemberKind::Exports,
            MemberKind::Nodes,
            MemberKind::ServiceCidrs,
        ]), any::<bool>()).prop_map(|(kind, partly)| What::Unreadable(kind, partly)),
    ]
}

/// Complete lists of all kinds, in any order.
pub(in crate::tests) fn contents() -> impl Strategy<Value = Contents> + Clone {
    fn all<T>(all: Vec<T>) -> DeltaSpec<T> {
        DeltaSpec::All { all, rejected: Vec::new() }
    }
    let lists = (
        vec(objects::namespace(), 0..4).prop_map(|list| What::Namespaces(all(list))),
        vec(objects::service(), 0..6).prop_map(|list| What::Services(all(list))),
        vec(objects::slice(), 0..5).prop_map(|list| What::Slices(all(list))),
        vec(objects::node(), 0..3).prop_map(|list| What::Nodes(all(list))),
        vec(objects::service_cidr(), 0..3).prop_map(|list| What::ServiceCidrs(all(list))),
        vec(objects::export(), 0..3).prop_map(|list| What::Exports(all(list))),
    );
    lists.prop_map(|(a, b, c, d, e, f)| vec![a, b, c, d, e, f]).prop_shuffle().prop_map(Contents)
}

fn any_move() -> impl Strategy<Value = Move> {
    let cluster = || of(objects::CLUSTER_KEYS);
    let uid = of(&["own", "own", "own", "own", "own", "own", "own", "uid-x"]);
    prop_oneof![
        1 => delta(hub::region(), &REGIONS).prop_map(Move::Regions),
        4 => delta(hub::member(), &CLUSTERS).prop_map(Move::Members),
        2 => delta(hub::policy(), &hub::POLICIES).prop_map(Move::Policies),
        2 => cluster().prop_map(Move::PutOnRecord),
        1 => (cluster(), uid.clone(), sometimes(20))
            .prop_map(|(cluster, uid, again)| Move::Up { cluster, uid, again }),
        2 => (cluster(), sometimes(30)).prop_map(|(cluster, new_try)| Move::Down { cluster, new_try }),
        14 => (cluster(), sometimes(8), what())
            .prop_map(|(cluster, by_old_connection, what)| Move::Reported { cluster, by_old_connection, what }),
        3 => (cluster(), uid, contents())
            .prop_map(|(cluster, uid, contents)| Move::Listed { cluster, uid, contents }),
    ]
}

/// The hub's lists, and a first list of every cluster; mostly of members that can be admitted.
fn start() -> impl Strategy<Value = Vec<Move>> {
    let member = |id| prop_oneof![4 => hub::good_member(id).boxed(), 3 => hub::member_called(Just(id)).boxed()];
    let members = (member("a1"), member("a2"), member("b1"), member("c1"))
        .prop_map(|(a, b, c, d)| Move::Members(DeltaSpec::All { all: vec![a, b, c, d], rejected: Vec::new() }));
    let regions = hub::all_regions().prop_map(|all| Move::Regions(DeltaSpec::All { all, rejected: Vec::new() }));
    let policies = hub::some_policies().prop_map(|all| Move::Policies(DeltaSpec::All { all, rejected: Vec::new() }));
    let uid = || of(&["own", "own", "own", "own", "own", "own", "own", "own", "own", "uid-x"]);
    let listed = |cluster| (uid(), contents()).prop_map(move |(uid, contents)| Move::Listed { cluster, uid, contents });
    (regions, policies, members, listed("a1"), listed("a2"), listed("b1"), listed("c1"))
        .prop_map(|(a, b, c, d, e, f, g)| vec![a, b, c, d, e, f, g])
}

/// What the hub reports first (all members are on record), and then what each source reports, in its own order: the hub, and
/// every member on its connections.
pub(in crate::tests) fn arrivals() -> impl Strategy<Value = (Vec<Move>, Vec<Vec<Move>>)> {
    let member = hub::recorded_member;
    let members = (member("a1"), member("a2"), member("b1"), member("c1"))
        .prop_map(|(a, b, c, d)| Move::Members(DeltaSpec::All { all: vec![a, b, c, d], rejected: Vec::new() }));
    let regions = hub::all_regions().prop_map(|all| Move::Regions(DeltaSpec::All { all, rejected: Vec::new() }));
    let policies = hub::some_policies().prop_map(|all| Move::Policies(DeltaSpec::All { all, rejected: Vec::new() }));
    let from_hub = prop_oneof![
        delta(hub::region(), &REGIONS).prop_map(Move::Regions),
        delta(hub::policy(), &hub::POLICIES).prop_map(Move::Policies),
    ];
    let from = |cluster: &'static str| {
        let listed = contents().prop_map(move |contents| Move::Listed { cluster, uid: "own", contents });
        let after = prop_oneof![
            1 => sometimes(30).prop_map(move |new_try| Move::Down { cluster, new_try }),
            1 => listed.clone(),
            6 => what().prop_map(move |what| Move::Reported { cluster, by_old_connection: false, what }),
        ];
        (listed, vec(after, 0..6)).prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect::<Vec<Move>>())
    };
    let start = (regions, policies, members).prop_map(|(a, b, c)| vec![a, b, c]);
    let sources = (vec(from_hub, 0..4), from("a1"), from("a2"), from("b1"), from("c1"));
    (start, sources.prop_map(|(hub, a, b, c, d)| vec![hub, a, b, c, d]))
}

/// A history: mostly a proper start, then anything.
pub(in crate::tests) fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let tail = vec(vec(any_move(), 1..4), 0..8);
    let from_nothing = vec(vec(any_move(), 1..4), 1..12);
    let one_by_one = |moves: Vec<Move>| moves.into_iter().map(|step| vec![step]).collect::<Vec<Round>>();
    let start = (start(), any::<bool>())
        .prop_map(move |(moves, at_once)| if at_once { vec![moves] } else { one_by_one(moves) });
    prop_oneof![
        6 => (start, tail).prop_map(|(start, tail)| [start, tail].concat()),
        1 => from_nothing,
    ]
}

impl fmt::Debug for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Regions(spec) => write!(f, "hub: {spec:?}"),
            Self::Members(spec) => write!(f, "hub: {spec:?}"),
            Self::Policies(spec) => write!(f, "hub: {spec:?}"),
            Self::PutOnRecord(cluster) => write!(f, "hub: {cluster}'s admission is put on record"),
            Self::Up { cluster, uid, again } => write!(f, "{cluster}: up as {uid}, again={again}"),
            Self::Down { cluster, new_try } => write!(f, "{cluster}: down, new_try={new_try}"),
            Self::Reported { cluster, by_old_connection, what } => {
                let by = if *by_old_connection { " (by the old connection)" } else { "" };
                write!(f, "{cluster}{by}: {what:?}")
            }
            Self::Listed { cluster, uid, contents } => {
                write!(f, "{cluster}: up as {uid}, lists of all kinds: {contents:?}")
            }
        }
    }
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespaces(spec) => write!(f, "namespaces {spec:?}"),
            Self::Services(spec) => write!(f, "services {spec:?}"),
            Self::Slices(spec) => write!(f, "slices {spec:?}"),
            Self::Nodes(spec) => write!(f, "nodes {spec:?}"),
            Self::ServiceCidrs(spec) => write!(f, "service cidrs {spec:?}"),
            Self::Exports(spec) => write!(f, "exports {spec:?}"),
            Self::Unreadable(kind, partly) => {
                write!(f, "{} cannot be read{}", kind.plural(), if *partly { " wholly" } else { "" })
            }
        }
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().filter(|what| !what.is_none_at_all())).finish()
    }
}
