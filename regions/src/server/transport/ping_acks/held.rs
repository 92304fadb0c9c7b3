//! Acknowledgements that wait to be written.

/// A PING frame with the flag ACK (RFC 9113 §6.7): its header, and its length with the payload, in bytes.
const HEADER: [u8; 9] = [0, 0, 8, 6, 1, 0, 0, 0, 0];
const FRAME: usize = 17;
/// More are not held: a client that sends PINGs faster than it is answered has no use for fewer writes.
const MAX: usize = 4;

/// Whether these bytes are whole acknowledgements and nothing else, if a frame begins with them.
pub(super) fn are_acks(bytes: &[u8]) -> bool {
    let (frames, rest) = bytes.as_chunks::<FRAME>();
    rest.is_empty() && !frames.is_empty() && frames.iter().all(|frame| frame.starts_with(&HEADER))
}

#[derive(Debug, Default)]
pub(super) struct Held {
    frames: [[u8; FRAME]; MAX],
    /// What is still to be written, in bytes: from `start` to `end`.
    start: u8,
    end: u8,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.frames.as_flattened().get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    /// Takes these acknowledgements if there is room for them.
    pub(super) fn push(&mut self, acks: &[u8]) -> bool {
        let (start, end) = (usize::from(self.end), usize::from(self.end) + acks.len());
        let Some(room) = self.frames.as_flattened_mut().get_mut(start..end) else { return false };
        room.copy_from_slice(acks);
        self.end = u8::try_from(end).unwrap_or_default(); // at most MAX * FRAME
        true
    }

    /// So many bytes were written; returns how many of them were not held.
    pub(super) fn remove(&mut self, written: usize) -> usize {
        let of_these = written.min(self.bytes().len());
        self.start += u8::try_from(of_these).unwrap_or_default();
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        }
        written - of_these
    }
}
