//! A reader that gets nothing but the effects. If they are a complete and minimal feed of changes, it has the same state as the
//! engine after each round, and nothing was published twice.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::Published;
use crate::{Effects, Phase};

/// What follows from all effects so far. (`synced` is not part of the effects and stays false.)
#[derive(Clone, Debug, Default)]
pub struct Replica {
    pub published: Published,
    /// The phase, and whether no deadline is left.
    pub phase: (Phase, bool),
}

impl Replica {
    /// Takes one round's effects. `Err`: an effect repeats what was known, or names one thing twice.
    pub fn follow(&mut self, effects: &Effects) -> Result<(), String> {
        let Effects {
            services,
            rankings,
            vips,
            topology,
            mirrors,
            members,
            unknown,
            hub_notices,
            knowledge,
            wake_at: _,
        } = effects;
        let published = &mut self.published;
        feed("service", &mut published.merged, services.iter().map(|(k, v)| (k.clone(), v.as_deref().cloned())))?;
        feed("ranking", &mut published.rankings, rankings.iter().map(|(k, v)| (k.clone(), v.as_deref().cloned())))?;
        let flat = vips.iter().map(|(id, key, value)| ((id.clone(), key.clone()), value.as_deref().cloned()));
        feed("vips", &mut published.vips, flat)?;
        let flat = mirrors
            .iter()
            .map(|(id, action)| ((id.clone(), action.key()), Some(action.clone()).filter(|action| !action.is_leave())));
        feed("mirror", &mut published.mirror_work, flat)?;
        feed("member", &mut published.reports, members.iter().map(|(k, v)| (k.clone(), v.as_deref().cloned())))?;
        if let Some(unknown) = unknown {
            if **unknown == published.unknown {
                return Err(format!("the unknown members were published again: {unknown:?}"));
            }
            published.unknown.clone_from(unknown);
        }
        if let Some(knowledge) = knowledge {
            let phase = (knowledge.phase, knowledge.waited);
            if phase == self.phase {
                return Err(format!("the phase was published again: {phase:?}"));
            }
            self.phase = phase;
        }
        if let Some(notices) = hub_notices {
            if **notices == published.hub_notices {
                return Err(format!("the hub's notices were published again: {notices:?}"));
            }
            published.hub_notices.clone_from(notices);
        }
        if let Some(topology) = topology {
            if **topology == published.topology {
                return Err(format!("topology was published again: {topology:?}"));
            }
            published.topology = (**topology).clone();
        }
        Ok(())
    }
}

fn feed<K: Ord + Clone + Debug, V: PartialEq + Debug>(
    what: &str,
    table: &mut BTreeMap<K, V>,
    changes: impl Iterator<Item = (K, Option<V>)>,
) -> Result<(), String> {
    let mut last: Option<K> = None;
    for (key, value) in changes {
        // In ascending order, so that equal input gives equal output, and nothing is published twice in one round.
        if last.as_ref().is_some_and(|last| *last >= key) {
            return Err(format!("{what} {key:?} comes after {last:?}"));
        }
        if table.get(&key) == value.as_ref() {
            return Err(format!("{what} {key:?} was published again: {value:?}"));
        }
        last = Some(key.clone());
        match value {
            Some(value) => table.insert(key, value),
            None => table.remove(&key),
        };
    }
    Ok(())
}
