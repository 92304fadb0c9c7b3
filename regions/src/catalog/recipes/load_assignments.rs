//! Load assignments: the endpoints of all members, nearest first.

use federation::model::{Protocol, ServiceKey};
use federation::ranking::{Assignment, ClientClass};

use super::KeyedRecipe;
use crate::catalog::facts::{Changes, Facts};
use crate::resource::{Resource, ResourceType};
use crate::translate::{endpoint, grpc, leds, names};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct LoadAssignments {
    pub(in crate::catalog) client: ClientClass,
    pub(in crate::catalog) encoding: Encoding,
}

/// How load assignments are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) enum Encoding {
    Envoy,
    /// For an Envoy that fetches endpoints one by one.
    Leds,
    Grpc,
}

impl KeyedRecipe for LoadAssignments {
    const TYPE: ResourceType = ResourceType::Assignment;
    type Key = ServiceKey;

    fn keys<'a>(&self, facts: &'a Facts) -> Vec<&'a ServiceKey> {
        facts.services.keys().collect()
    }

    /// The topology ranks the endpoints of every service.
    fn touched<'a>(&self, changes: &'a Changes, facts: &'a Facts) -> Vec<&'a ServiceKey> {
        if changes.topology { facts.services.keys().collect() } else { changes.services.iter().collect() }
    }

    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        let Some(merged) = facts.services.get(key) else { return Vec::new() };
        let tcp = merged.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
        tcp.map(|port| {
            let assignment =
                federation::ranking::assign(&self.client, merged, port, facts.ranking(key), &facts.topology);
            self.encoding.encode(key, port.port, &assignment)
        })
        .collect()
    }
}

impl Encoding {
    fn encode(self, key: &ServiceKey, port: u16, assignment: &Assignment<'_>) -> Resource {
        let name = names::outbound(port, key);
        match self {
            Self::Envoy => endpoint::load_assignment(&name, assignment),
            Self::Leds => leds::load_assignment(key, port, assignment),
            Self::Grpc => grpc::load_assignment(&name, assignment),
        }
    }
}
