//! What a client reports to have from an earlier stream.

/// Names with the versions that the client has. One text and a sorted list: a client that connects again names everything it
/// has, so this is as large as its request, and little larger.
#[derive(Clone, Debug, Default)]
pub struct Known {
    text: Box<str>,
    entries: Box<[Entry]>,
}

/// A name in the text.
#[derive(Clone, Copy, Debug)]
struct Entry {
    begin: u32,
    len: u32,
    /// `None`: the client did not report it, or it is none that Isthmus makes.
    version: Option<u64>,
}

impl Known {
    /// `names` is walked twice. Of several versions of a name the last one counts; nothing has an empty name.
    pub fn new<'a>(names: impl Iterator<Item = (&'a str, Option<u64>)> + Clone) -> Self {
        let names = names.filter(|(name, _)| !name.is_empty());
        let (count, len) = names.clone().fold((0, 0), |(count, len), (name, _)| (count + 1, len + name.len()));
        let (mut text, mut entries) = (String::with_capacity(len), Vec::with_capacity(count));
        for (name, version) in names {
            let (Ok(begin), Ok(len)) = (u32::try_from(text.len()), u32::try_from(name.len())) else { break };
            text.push_str(name);
            entries.push(Entry { begin, len, version });
        }
        entries.sort_unstable_by(|a, b| a.name(&text).cmp(b.name(&text)).then(b.begin.cmp(&a.begin)));
        entries.dedup_by(|later, kept| later.name(&text) == kept.name(&text));
        Self { text: text.into(), entries: entries.into() }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The version that the client has of this, as far as it is one that Isthmus makes.
    pub fn version(&self, name: &str) -> Option<u64> {
        self.find(name)?.version
    }

    /// In order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name(&self.text))
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, Option<u64>)> {
        self.entries.iter().map(|entry| (entry.name(&self.text), entry.version))
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.name(&self.text).cmp(name)).ok()?;
        self.entries.get(at)
    }
}

impl PartialEq for Known {
    fn eq(&self, other: &Self) -> bool {
        self.entries.len() == other.entries.len() && self.pairs().eq(other.pairs())
    }
}

impl Eq for Known {}

impl Entry {
    fn name(self, text: &str) -> &str {
        let begin = self.begin as usize;
        text.get(begin..begin + self.len as usize).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Against the tree of the standard library.
        #[test]
        fn it_is_a_sorted_map(pairs in prop::collection::vec(("[a-d]{0,2}", any::<Option<u64>>()), 0..20), other in "[a-d]{0,2}") {
            let ours = Known::new(pairs.iter().map(|(name, version)| (&**name, *version)));
            let pairs = pairs.iter().filter(|(name, _)| !name.is_empty());
            let tree: BTreeMap<&str, Option<u64>> = pairs.map(|(name, version)| (&**name, *version)).collect();
            prop_assert!(ours.names().eq(tree.keys().copied()));
            prop_assert_eq!((ours.len(), ours.is_empty()), (tree.len(), tree.is_empty()));
            for name in tree.keys().copied().chain([&*other]) {
                prop_assert_eq!(ours.contains(name), tree.contains_key(name));
                prop_assert_eq!(ours.version(name), tree.get(name).copied().flatten());
            }
        }
    }
}
