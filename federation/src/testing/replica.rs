//! Somebody who knows nothing but the effects. If they are a complete and minimal feed of changes, it ends up with what
//! the engine shows, and was never told anything twice.

use std::collections::BTreeMap;
use std::fmt::Debug;

use super::Picture;
use crate::{Effects, MirrorAction};

/// What follows from all effects so far. (`synced` is not part of the effects and stays false.)
#[derive(Clone, Debug, Default)]
pub struct Replica {
    pub picture: Picture,
}

impl Replica {
    /// Takes one round's effects. `Err`: an effect repeats what was known, or names one thing twice.
    pub fn follow(&mut self, effects: &Effects) -> Result<(), String> {
        let Effects { services, vips, topology, mirrors, members, unknown, hub_notices } = effects;
        let picture = &mut self.picture;
        feed("service", &mut picture.merged, services.iter().map(|(k, v)| (k.clone(), v.as_deref().cloned())))?;
        let flat = vips.iter().map(|(id, key, value)| ((id.clone(), key.clone()), value.as_deref().cloned()));
        feed("vips", &mut picture.vips, flat)?;
        let flat = mirrors.iter().map(|(id, key, action)| {
            let action = Some(action.clone()).filter(|action| *action != MirrorAction::Leave);
            ((id.clone(), key.clone()), action)
        });
        feed("mirror", &mut picture.mirror_work, flat)?;
        feed("member", &mut picture.reports, members.iter().map(|(k, v)| (k.clone(), v.as_deref().cloned())))?;
        if let Some(unknown) = unknown {
            if **unknown == picture.unknown {
                return Err(format!("the unknown members were told again: {unknown:?}"));
            }
            picture.unknown.clone_from(unknown);
        }
        if let Some(notices) = hub_notices {
            if **notices == picture.hub_notices {
                return Err(format!("the hub's notices were told again: {notices:?}"));
            }
            picture.hub_notices.clone_from(notices);
        }
        if let Some(topology) = topology {
            if **topology == picture.topology {
                return Err(format!("topology was told again: {topology:?}"));
            }
            picture.topology = (**topology).clone();
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
        // In ascending order, so that equal input gives equal output, and nothing is told twice in one round.
        if last.as_ref().is_some_and(|last| *last >= key) {
            return Err(format!("{what} {key:?} comes after {last:?}"));
        }
        if table.get(&key) == value.as_ref() {
            return Err(format!("{what} {key:?} was told again: {value:?}"));
        }
        last = Some(key.clone());
        match value {
            Some(value) => table.insert(key, value),
            None => table.remove(&key),
        };
    }
    Ok(())
}
