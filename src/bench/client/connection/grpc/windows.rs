//! Windows (RFC 9113 §5.2) as grpc-go keeps them (`internal/transport/flowcontrol.go`). All sizes are bytes.

use super::frames::STREAM;

/// Every window's size when a connection begins.
pub const INITIAL: u32 = 65_535;

/// What may be received on the connection. Updated when a quarter of it was used.
#[derive(Debug)]
pub struct ConnectionWindow {
    limit: u32,
    used: u32,
}

impl Default for ConnectionWindow {
    fn default() -> Self {
        Self { limit: INITIAL, used: 0 }
    }
}

impl ConnectionWindow {
    /// The increment of the window update that is to be sent; 0 for none.
    pub fn received(&mut self, bytes: u32) -> u32 {
        self.used += bytes;
        if self.used < self.limit / 4 { 0 } else { self.reset() }
    }

    /// The increment that gives back all that was used.
    pub fn reset(&mut self) -> u32 {
        std::mem::take(&mut self.used)
    }

    /// The increment by which it grows.
    pub fn set_limit(&mut self, limit: u32) -> u32 {
        let more = limit.saturating_sub(self.limit);
        self.limit = limit;
        more
    }
}

/// What may be received on the stream. A message that does not fit gets a window of its own.
#[derive(Debug)]
pub struct StreamWindow {
    limit: u32,
    used: u32,
    /// What is left of the window that a large message was given.
    extra: u32,
    /// The message that is being received was looked at.
    looked: bool,
}

impl Default for StreamWindow {
    fn default() -> Self {
        Self { limit: INITIAL, used: 0, extra: 0, looked: false }
    }
}

impl StreamWindow {
    /// The increment of the window update that is to be sent; 0 for none.
    pub fn received(&mut self, bytes: u32) -> u32 {
        let from_extra = bytes.min(self.extra);
        self.extra -= from_extra;
        self.used += bytes - from_extra;
        if self.used < self.limit / 4 { 0 } else { std::mem::take(&mut self.used) }
    }

    /// The first message that is not whole yet and how long it is: the increment that lets the server send it to its end.
    pub fn expects(&mut self, message: Option<u32>) -> u32 {
        let Some(length) = message else {
            self.looked = false;
            return 0;
        };
        if std::mem::replace(&mut self.looked, true) || length <= self.limit - self.used {
            return 0;
        }
        self.extra = length;
        length
    }

    /// The SETTINGS frame that tells the server grows the window; no update is due.
    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }
}

/// What may be sent. The stream's may be negative after SETTINGS (RFC 9113 §6.9.2).
#[derive(Debug)]
pub struct SendWindows {
    connection: i64,
    stream: i64,
    initial: u32,
}

impl Default for SendWindows {
    fn default() -> Self {
        Self { connection: i64::from(INITIAL), stream: i64::from(INITIAL), initial: INITIAL }
    }
}

impl SendWindows {
    /// As much of so many bytes as may be sent now; it counts as sent.
    pub fn take(&mut self, bytes: usize) -> usize {
        let allowed = self.connection.min(self.stream).max(0);
        let taken = i64::try_from(bytes).unwrap_or(i64::MAX).min(allowed);
        self.connection -= taken;
        self.stream -= taken;
        usize::try_from(taken).unwrap_or_default()
    }

    pub fn add(&mut self, stream: u32, increment: u32) {
        match stream {
            0 => self.connection += i64::from(increment),
            STREAM => self.stream += i64::from(increment),
            _ => {}
        }
    }

    pub fn set_initial(&mut self, initial: u32) {
        self.stream += i64::from(initial) - i64::from(self.initial);
        self.initial = initial;
    }
}

#[cfg(test)]
mod tests;
