//! Whole-system tests.

mod testbed;
