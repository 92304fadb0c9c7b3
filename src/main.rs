//! The program: the allocator, then the command line.

use std::process::ExitCode;

/// A control plane lives for weeks and is hit by storms: a thousand streams that each need a few hundred kilobytes for a
/// moment. glibc's allocator keeps what such a moment took; this one gives it back (`.cargo/config.toml` says how soon).
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    isthmus::cli::run()
}
