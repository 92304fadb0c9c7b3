//! What the log and the pages show of a stream: that its client is refused, is an old Envoy, or is in no admitted member.

use tonic::{Code, Status};
use tracing::{debug, warn};

use super::Stream;
use super::old::Old;
use crate::class::Client;
use crate::refusal_kind::RefusalKind;

impl Stream {
    /// Notes a refused client for the log, `isthmus proxy` and a metric: the client itself may not show the reason.
    pub(super) fn note_refusal(&self, status: &Status) {
        let Some(kind) = self.refused.or_else(|| refusal_kind(status.code())) else { return };
        let streams = &self.shared.stats.streams;
        streams.refused_of(kind).inc();
        // It is accepted at once when it connects again.
        if kind != RefusalKind::Behind {
            let address = self.peer.address.ip().to_canonical();
            let (reason, error) = (kind.label(), status.message());
            self.shared.streams.refuse(&self.node, address, kind, error);
            warn!(node = self.node, peer = %self.peer.address, reason, error, "client refused");
        }
    }

    /// Logs once that an Envoy is old, and counts it.
    pub(super) fn note_version(&mut self, client: &Client) {
        let (Some(lacks), Some(version)) = (client.lacks(), client.version) else { return };
        self.old = Some(Old::new(self.shared.stats.clone()));
        if self.shared.streams.is_news(version, self.peer.address.ip().to_canonical()) {
            warn!(node = self.node, peer = %self.peer.address, "{lacks}");
        }
    }

    /// Logs once, and again when it changes, that the client is in no admitted member.
    pub(super) fn note_outside(&mut self, outside: bool) {
        if self.outside == Some(outside) {
            return;
        }
        if outside {
            warn!(
                node = self.node,
                cluster = self.entry.cluster().as_deref().unwrap_or_default(),
                "the proxy belongs to no admitted member, so nothing federated is sent to it: check CLUSTER_ID in its node \
                 metadata, and the MemberCluster of that name"
            );
        } else if self.outside.is_some() {
            debug!(node = self.node, "the proxy's member is admitted now");
        }
        self.outside = Some(outside);
    }
}

/// Why a stream was ended, by its status; `None`: not because of the client.
fn refusal_kind(code: Code) -> Option<RefusalKind> {
    Some(match code {
        Code::InvalidArgument | Code::Unimplemented | Code::OutOfRange => RefusalKind::Request,
        Code::ResourceExhausted => RefusalKind::Bounds,
        Code::DeadlineExceeded => RefusalKind::Silent,
        Code::Aborted => RefusalKind::Behind,
        Code::Ok | Code::Unavailable | Code::Cancelled => return None,
        _ => RefusalKind::Other,
    })
}
