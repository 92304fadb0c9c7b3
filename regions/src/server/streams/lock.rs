//! Locking values that a panic cannot leave half written.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values in the table are plain, and written whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
