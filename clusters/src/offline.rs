//! A world judged without running it: the engine, fed once with the complete input.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use federation::change::{Batch, Epoch, LinkChange, MemberChanges};
use federation::model::{ClusterId, ClusterUid, Namespace};
use federation::report::LinkState;
use federation::{Authority, Awaits, Config, Deadlines, Engine};

use crate::client::hub::HubClient;
use crate::clock::now;
use crate::conditions::json::{self, ConditionJson, MemberJson};
use crate::conditions::known::Known;
use crate::conditions::{ADMITTED, IDENTITY_UNKNOWN};
use crate::problem::{Problem, ProblemBook, ProblemOrigin, Problems};
use crate::sources::folder;
use crate::sources::hub::HubObjects;

/// What came of it.
pub struct Offline {
    pub engine: Engine,
    /// Objects and files that are not used, in the order in which they were found.
    pub problems: Vec<Problem>,
    /// Objects with problems that are not among these.
    pub unlisted: usize,
    /// The same by origin, as pages and statuses have them.
    pub book: Problems,
    /// Set if there is nothing to judge, and why that is wrong.
    pub empty: Option<String>,
    /// Of a hub: what its members' statuses say.
    on_record: Vec<MemberJson>,
    /// Members of which the connection is assumed, see [`Offline::assume_reached`].
    assumed: BTreeSet<ClusterId>,
    /// What was passed over in files.
    pub passed_over: Vec<folder::PassedOver>,
}

/// Reads a folder, plus the objects of some more files as if they lay in it.
pub fn folder(path: &Path, add: &[PathBuf]) -> anyhow::Result<Offline> {
    let world = folder::load_with(path, add).with_context(|| format!("cannot read the world in {}", path.display()))?;
    let engine = judge(world.batches)?;
    let nothing = engine.reports().is_empty() && engine.topology().regions.is_empty() && world.problems.is_empty();
    let empty = nothing.then(|| {
        format!(
            "found no Region, MemberCluster or FederationPolicy in {}; expected the hub's objects in *.yaml files there, as \
             docs/world.md describes",
            path.display()
        )
    });
    let folder::LoadedWorld { problems, unlisted, book, passed_over, .. } = world;
    let assumed = BTreeSet::new();
    Ok(Offline { engine, problems, unlisted, book, empty, on_record: Vec::new(), assumed, passed_over })
}

/// Reads the hub's objects, plus those of some files as if they had been applied.
pub async fn hub(client: &HubClient, add: &[PathBuf]) -> anyhow::Result<Offline> {
    let mut objects = HubObjects::read(client).await?;
    let (mut problems, unlisted, passed_over) = folder::add_to(&mut objects, add)?;
    let (batches, broken) = objects.batches();
    problems.extend(broken);
    let book = book(&problems);
    let (engine, on_record) = (judge(batches)?, objects.views());
    let assumed = BTreeSet::new();
    Ok(Offline { engine, problems, unlisted, book, empty: None, on_record, assumed, passed_over })
}

impl Offline {
    /// All members, as pages and statuses show them. Of a hub's members, admission is judged now, and what cannot be known
    /// without asking the member is what its status says.
    pub fn members(&self) -> Vec<MemberJson> {
        let known = Known::new(&self.book, now());
        let judged =
            json::members(self.engine.reports().values(), &self.book, |report| MemberJson::new(report, &known));
        judged.into_iter().map(|member| self.as_recorded(member)).collect()
    }

    fn as_recorded(&self, judged: MemberJson) -> MemberJson {
        let Some(record) = self.on_record.iter().find(|record| record.id == judged.id) else { return judged };
        let fresh = judged.condition(ADMITTED).cloned();
        // The judgement of a member's endpoints needs the endpoints: where it is admitted, the record knows more. And that it
        // is some cluster of its own is assumed here.
        let keep = fresh.as_ref().is_some_and(|fresh| fresh.status == "True" && fresh.reason == ADMITTED);
        let knows_more = |record: &ConditionJson| record.status == "True" || record.reason == IDENTITY_UNKNOWN;
        let conditions = record.conditions.iter().map(|condition| match &fresh {
            Some(fresh) if condition.kind == ADMITTED && !(keep && knows_more(condition)) => fresh.clone(),
            _ => condition.clone(),
        });
        let conditions: Vec<_> = match record.conditions.is_empty() {
            true => fresh.into_iter().collect(),
            false => conditions.collect(),
        };
        let (pod_cidrs, service_cidrs) = (judged.pod_cidrs, judged.service_cidrs);
        MemberJson { pod_cidrs, service_cidrs, ..record.clone() }.with(judged.id, conditions)
    }

    /// Whether what its conditions say of its connection and its lists is known, and not assumed.
    pub fn is_known(&self, id: &str) -> bool {
        match self.on_record.iter().find(|record| record.id == id) {
            Some(record) => !record.conditions.is_empty(),
            None => !self.assumed.iter().any(|assumed| assumed.as_str() == id),
        }
    }

    /// Takes members that were never reached for clusters of their own, so that what they declare is judged: a check
    /// before onboarding has nothing else to go by.
    pub fn assume_reached(mut self) -> Self {
        let down = |link: &LinkState| !matches!(link, LinkState::Up { .. });
        let reports = self.engine.reports().values();
        self.assumed = reports.clone().filter(|report| down(&report.link)).map(|report| report.id.clone()).collect();
        let unknown: Vec<ClusterId> =
            reports.filter(|report| report.uid.is_none()).map(|report| report.id.clone()).collect();
        let up = |cluster: ClusterId| {
            let uid = ClusterUid(Arc::from(format!("unknown:{cluster}")));
            let changes = MemberChanges::Link(LinkChange::Up { uid, version: Arc::from("") });
            Batch::Member { cluster, epoch: ASSUMED, changes }
        };
        self.engine.apply(unknown.into_iter().map(up), now());
        self
    }
}

/// Later than any connection that was really tried.
const ASSUMED: Epoch = Epoch(u64::MAX);

/// Of the hub's objects.
fn book(problems: &[Problem]) -> Problems {
    let book = ProblemBook::default();
    for chunk in problems.chunk_by(|a, b| a.object == b.object) {
        if let Some(first) = chunk.first() {
            book.set(&ProblemOrigin::Hub, &first.object, chunk.to_vec());
        }
    }
    book.snapshot()
}

fn judge(batches: Vec<Batch>) -> anyhow::Result<Engine> {
    let own_namespace = Namespace::new(crate::api::SYSTEM_NAMESPACE)?;
    let (awaits, deadlines) = (Awaits::NotRefused, Deadlines::NONE);
    let mut engine = Engine::new(Config { authority: Authority::Own, own_namespace, awaits, deadlines, hub: None });
    engine.apply(batches, now());
    Ok(engine)
}
