//! Memory that decoding one payload may take.

use std::cell::Cell;

/// What is left. Shared by the readers of all messages of one payload.
#[derive(Debug)]
pub struct Budget {
    all: usize,
    left: Cell<usize>,
}

impl Budget {
    pub fn new(bytes: usize) -> Self {
        Self { all: bytes, left: Cell::new(bytes) }
    }

    /// Takes these bytes, or says that they are not left.
    pub fn take(&self, bytes: usize) -> Result<(), usize> {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(self.all),
        }
    }

    /// Gives back what was taken and is free again.
    pub fn give_back(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_add(bytes).min(self.all));
    }
}
