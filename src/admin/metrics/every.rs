//! All that a process can show, for the documentation's tests: each family with a line, so that its labels are seen.

use std::sync::Arc;

use clusters::problem::{ObjectName, Problem, ProblemBook, ProblemOrigin};
use regions::server::{Loads, Streams};

use super::{ConnectionCounts, Proxies, Published, Scrape};

const WORLD: &str = "apiVersion: isthmus.dev/v1alpha1\nkind: Region\nmetadata: {name: eu}\nspec: {}\n---\n\
    apiVersion: isthmus.dev/v1alpha1\nkind: MemberCluster\nmetadata: {name: eu-1}\nspec: {region: eu}\n";

pub(crate) fn every_metric() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("hub.yaml"), WORLD).expect("written");
    let world = clusters::offline::folder(folder.path(), &[]).expect("a world");
    let reports = world.engine.reports().iter();
    let members = reports.map(|(id, report)| (id.clone(), report.clone())).collect();
    let problems = ProblemBook::default();
    let object = ObjectName::new("Region", None, "x");
    problems.set(&ProblemOrigin::Hub, &object, vec![Problem::new(&object, "spec", "x", "y")]);
    let proxies = Proxies {
        streams: Streams::default(),
        loads: Loads::default(),
        stats: Arc::default(),
        certificate: Some(Arc::default()),
    };
    let scrape = Scrape {
        published: Arc::new(Published { members: Arc::new(members), ..Published::default() }),
        problems: problems.snapshot(),
        connections: ConnectionCounts::default(),
        proxies: Some(proxies),
    };
    scrape.text().expect("text")
}
