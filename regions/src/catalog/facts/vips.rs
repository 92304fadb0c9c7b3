//! The VIPs of one member.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use federation::Vips;
use federation::few::Few;
use federation::model::ServiceKey;

/// A VIP belongs to one service at a time, but while it moves from one to another both may claim it for a moment: the first
/// by key has it, so that every replica decides alike.
#[derive(Default)]
pub(super) struct MemberVips {
    by_service: BTreeMap<ServiceKey, Arc<Vips>>,
    claims: BTreeMap<IpAddr, Few<ServiceKey>>,
}

impl MemberVips {
    pub(super) fn of(&self, key: &ServiceKey) -> Option<&Arc<Vips>> {
        self.by_service.get(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_service.is_empty()
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.by_service.keys()
    }

    /// What the member knows of a service, and which of its VIPs no other service has.
    pub(super) fn owned(&self, key: &ServiceKey) -> Option<(&Vips, Vec<IpAddr>)> {
        let vips = self.by_service.get(key)?;
        let owns = |ip: &&IpAddr| self.claims.get(*ip).and_then(Few::first) == Some(key);
        Some((vips, vips.ips.iter().filter(owns).copied().collect()))
    }

    /// The member reports these VIPs of a service, or that there are none any more. Notes the services whose VIPs changed.
    pub(super) fn set(&mut self, key: &ServiceKey, vips: Option<Arc<Vips>>, changed: &mut BTreeSet<ServiceKey>) {
        changed.insert(key.clone());
        let new = vips.clone();
        let old = match vips {
            Some(vips) => self.by_service.insert(key.clone(), vips),
            None => self.by_service.remove(key),
        };
        for ip in old.iter().flat_map(|vips| &vips.ips) {
            if let Some(claims) = self.claims.get_mut(ip) {
                claims.remove(key);
                changed.extend(claims.first().cloned());
                if claims.is_empty() {
                    self.claims.remove(ip);
                }
            }
        }
        for ip in new.iter().flat_map(|vips| &vips.ips) {
            let claims = self.claims.entry(*ip).or_default();
            changed.extend(claims.first().cloned());
            claims.insert(key.clone());
        }
    }
}
