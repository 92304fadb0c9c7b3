//! All that is wrong in a folder, put together from its files, its objects and itself.

use std::collections::BTreeMap;
use std::path::Path;

use super::FolderState;
use crate::problem::{ObjectName, Place, Problem};
use crate::sources::folder::excerpt::{Excerpt, Room};
use crate::sources::folder::layout::CLUSTERS;
use crate::sources::folder::origin::Origin;

impl FolderState {
    /// All that is wrong now, by whose objects it concerns, in the order of the files; `folder` is what is wrong with the
    /// folder itself. The first ones, where there are many.
    pub(in crate::sources::folder) fn problems(&self, folder: &Excerpt) -> BTreeMap<Origin, Excerpt> {
        let mut problems: BTreeMap<Origin, Excerpt> = BTreeMap::new();
        // The files of a folder that is gone are remembered, but no user can put them right.
        let gone = |origin: &Origin| matches!(origin, Origin::Member(id) if !self.folders.contains_key(id));
        for file in self.files.values().filter(|file| !gone(&file.origin)) {
            let excerpt = problems.entry(file.origin.clone()).or_default();
            excerpt.problems.extend(file.broken.iter().cloned());
            excerpt.problems.extend(file.excerpt.problems.iter().cloned());
            excerpt.unlisted += file.excerpt.unlisted;
        }
        for (origin, table) in self.tables.iter().filter(|(origin, _)| !gone(origin)) {
            let doubles = table.double_problems(|entry| self.root.join(&entry.file));
            problems.entry(origin.clone()).or_default().problems.extend(doubles);
        }
        let hub = problems.entry(Origin::Hub).or_default();
        if let Some(found) = self.waiting() {
            let object = ObjectName::new("Folder", None, &self.root.display().to_string());
            let expected = "files that say who the members are; until then nothing is served";
            let problem = Problem::new(&object, "", found, expected).at(Place { file: self.root.clone(), line: 1 });
            hub.problems.push(problem);
        }
        let members = self.members();
        for id in self.folders.keys().filter(|id| !members.contains(id)) {
            let folder = Path::new(CLUSTERS).join(id.as_str());
            let object = ObjectName::new("Folder", None, &folder.display().to_string());
            // What is wrong with that object is reported where it is.
            if self
                .tables
                .get(&Origin::Hub)
                .is_some_and(|table| table.is_rejected(&ObjectName::new("MemberCluster", None, id.as_str())))
            {
                continue;
            }
            let found = format!("no MemberCluster named \"{id}\"");
            let problem = Problem::new(&object, "", found, "one among the hub's files; until then this is not used");
            let place = Place { file: self.root.join(folder), line: 1 };
            hub.problems.push(problem.at(place));
        }
        for excerpt in problems.values_mut() {
            excerpt.problems.sort_by(|a, b| (&a.place, a).cmp(&(&b.place, b)));
        }
        let hub = problems.entry(Origin::Hub).or_default();
        hub.problems.extend(folder.problems.iter().cloned());
        hub.unlisted += folder.unlisted;
        for excerpt in problems.values_mut() {
            let all = std::mem::take(&mut excerpt.problems);
            excerpt.add(all, &mut Room::of_one_origin());
        }
        problems.retain(|_, excerpt| !excerpt.is_empty());
        problems
    }
}
