//! What a piece of code allocates, counted by the allocator for each thread.

use tikv_jemalloc_ctl::thread;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What it returns, and the bytes it allocated on the way, given back or not: never less than it needed at a time.
pub(crate) fn allocated<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let total = || thread::allocatedp::read().expect("jemalloc counts").get();
    let before = total();
    let result = work();
    (result, usize::try_from(total() - before).unwrap_or(usize::MAX))
}
