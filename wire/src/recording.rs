//! Recordings: what sources reported, in order and with times.
//!
//! A recording begins with a [`Start`], which says how to make the engine that it is played into. Each [`Entry`] is one batch.
//! It ends with an [`End`]; without one, the process that recorded was killed, or the file was cut.

mod reader;
mod writer;

use std::sync::Arc;

use federation::change::Batch;
use federation::model::{Digest, Namespace, RegionId, Time};
use federation::{Authority, Awaits};

use crate::codec::{self, EncodeError, Field, enumeration, message};

pub use reader::{ReadError, Reader};
pub use writer::{WriteError, Writer};

/// How the engine is made, and where the recording is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    pub at: Time,
    /// Version of Isthmus.
    pub version: Arc<str>,
    pub origin: Origin,
    pub authority: Authority,
    pub awaits: Awaits,
    pub own_namespace: Namespace,
    /// The hub that mirrors carry; `None` in a process that writes none.
    pub hub: Option<Digest>,
    /// The region that the process served, if it did.
    pub region: Option<RegionId>,
}

/// Where the batches were from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// API servers.
    Hub,
    /// Files.
    Folder,
}

/// One batch, and when it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: Time,
    /// Whether the batch begins a round. Those that follow were applied together with it.
    pub begins_round: bool,
    pub batch: Batch,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub at: Time,
    pub reason: EndReason,
    /// Entries in the recording.
    pub entries: u64,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The process was asked to end, or the time was over.
    Stopped,
    /// The next entry would have exceeded the maximum size.
    Full,
    /// The next entry cannot be encoded.
    NotEncodable,
}

message!(Start {
    1 => at: Time,
    2 => version: Arc<str>,
    3 => origin: Origin,
    4 => authority: Authority,
    5 => awaits: Awaits,
    6 => own_namespace: Namespace,
    7 => hub: Option<Digest>,
    8 => region: Option<RegionId>,
});
enumeration!(Origin { 0 => Hub, 1 => Folder });
enumeration!(Authority { 0 => Own, 1 => Recorded });
enumeration!(Awaits { 0 => Admitted, 1 => NotRefused });

message!(Entry { 1 => at: Time, 2 => begins_round: bool, 3 => batch: Batch });

impl Entry {
    /// Encodes one without a copy of its batch, which may be large.
    fn to_bytes(at: Time, begins_round: bool, batch: &Batch) -> Result<Vec<u8>, EncodeError> {
        let mut to = codec::Writer::default();
        at.put(1, &mut to)?;
        begins_round.put(2, &mut to)?;
        batch.put(3, &mut to)?;
        Ok(to.into_bytes())
    }
}

message!(End { 1 => at: Time, 2 => reason: EndReason, 3 => entries: u64 });
enumeration!(EndReason { 0 => Stopped, 1 => Full, 2 => NotEncodable });
