//! Removing what others referred to, once nothing does any more.

use std::sync::Arc;

use super::TypeState;
use crate::session::{Response, Variant};
use crate::snapshot::Snapshot;

impl TypeState {
    /// Whether something is gone that the client still has.
    pub(in crate::session) fn retains(&self) -> bool {
        !self.retained.is_empty() || self.doubt.leaves()
    }

    /// Removes what was retained. To be called when nothing refers to it any more.
    pub(in crate::session) fn release(&mut self, target: &Snapshot, nonce: &mut u64) -> Option<Response> {
        if !self.retains() || self.exchange.is_waiting() {
            return None;
        }
        let is_gone =
            |name: &Arc<str>| target.kept(self.resource_type, name).is_none() && !self.retained.contains_key(name);
        let leaving: Vec<Arc<str>> = self.doubt.take_leaving().into_iter().filter(is_gone).collect();
        let retained = std::mem::take(&mut self.retained).into_keys();
        let gone = retained.chain(leaving).filter(|name| self.subscription.wants(name, true)).collect::<Vec<_>>();
        let response = match self.variant {
            _ if gone.is_empty() => None,
            Variant::Delta => {
                // Where nothing may be missing, a placeholder replaces it.
                let (mut there, mut removed) = (Vec::new(), Vec::new());
                for name in gone {
                    match target.find(self.resource_type, &name) {
                        Some(placeholder) => there.push(placeholder),
                        None => removed.push(name),
                    }
                }
                Some(self.response(target, there, removed))
            }
            Variant::Sotw if self.is_full_state() => self.full(target, false),
            Variant::Sotw => None,
        };
        response.map(|response| self.emit(response, false, nonce))
    }
}
