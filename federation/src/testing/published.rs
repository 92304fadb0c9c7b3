//! Everything that an engine publishes, as plain sorted values that can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};

use crate::desired::{Action, Key};
use crate::model::{ClusterId, Merged, RankingRule, ServiceKey};
use crate::references::HubNotice;
use crate::report::MemberReport;
use crate::{Engine, Topology, Vips};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    pub merged: BTreeMap<ServiceKey, Merged>,
    pub rankings: BTreeMap<ServiceKey, RankingRule>,
    pub topology: Topology,
    pub vips: BTreeMap<(ClusterId, ServiceKey), Vips>,
    /// Without `Leave`, which is the same as no work.
    pub mirror_work: BTreeMap<(ClusterId, Key), Action>,
    /// Verdicts, counts, links: everything that is reported about a member.
    pub reports: BTreeMap<ClusterId, MemberReport>,
    pub synced: bool,
    pub unknown: BTreeSet<ClusterId>,
    pub hub_notices: Vec<HubNotice>,
}

impl Published {
    /// What an engine returns to its callers.
    pub fn of(engine: &Engine) -> Self {
        let work = engine
            .mirror_work()
            .iter()
            .flat_map(|(id, work)| work.iter().map(move |(key, action)| ((id.clone(), key.clone()), action.clone())));
        let vips = engine
            .vips()
            .iter()
            .flat_map(|(id, table)| table.iter().map(move |(key, vips)| ((id.clone(), key.clone()), (**vips).clone())));
        Self {
            merged: engine.merged().iter().map(|(key, merged)| (key.clone(), (**merged).clone())).collect(),
            rankings: engine.rankings().iter().map(|(key, rule)| (key.clone(), (**rule).clone())).collect(),
            topology: (**engine.topology()).clone(),
            vips: vips.collect(),
            mirror_work: work.collect(),
            reports: engine.reports().iter().map(|(id, report)| (id.clone(), (**report).clone())).collect(),
            synced: engine.synced(),
            unknown: (**engine.unknown()).clone(),
            hub_notices: (**engine.hub_notices()).clone(),
        }
    }

    /// Where another state differs from this one, as text; `None` if nowhere.
    pub fn difference(&self, found: &Self) -> Option<String> {
        let Self { merged, rankings, topology, vips, mirror_work, reports, synced, unknown, hub_notices } = self;
        let mut text = String::new();
        differing("merged", merged, &found.merged, &mut text);
        differing("ranking", rankings, &found.rankings, &mut text);
        differing("topology region", &topology.regions, &found.topology.regions, &mut text);
        differing("topology member", &topology.members, &found.topology.members, &mut text);
        differing("vips", vips, &found.vips, &mut text);
        differing("mirror work", mirror_work, &found.mirror_work, &mut text);
        differing("report", reports, &found.reports, &mut text);
        if *synced != found.synced {
            let _ = writeln!(text, "synced: expected {synced}, found {}", found.synced);
        }
        if *unknown != found.unknown {
            let _ = writeln!(text, "unknown: expected {unknown:?}, found {:?}", found.unknown);
        }
        if *hub_notices != found.hub_notices {
            let _ = writeln!(text, "hub notices: expected {hub_notices:?}, found {:?}", found.hub_notices);
        }
        (!text.is_empty()).then_some(text)
    }
}

fn differing<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    expected: &BTreeMap<K, V>,
    found: &BTreeMap<K, V>,
    text: &mut String,
) {
    let more = found.keys().filter(|key| !expected.contains_key(key));
    for key in expected.keys().chain(more) {
        let (want, have) = (expected.get(key), found.get(key));
        if want != have {
            let _ = writeln!(text, "{what} {key:?}:\n  expected {want:?}\n  found    {have:?}");
        }
    }
}
