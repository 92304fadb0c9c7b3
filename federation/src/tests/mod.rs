//! What the engine promises, checked from outside.

mod property;
mod random;
