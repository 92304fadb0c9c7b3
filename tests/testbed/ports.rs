//! Loopback ports that no other test takes between choosing and binding.
//!
//! "Bind to port 0, close, hand the number to a child" loses a race sooner or
//! later when several tests, or several test processes, start servers at once.
//! Here a process owns whole blocks of ports through file locks, which the
//! kernel drops when the process ends, and hands out each port once.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::Mutex;

use programs::cache;

/// Below the kernel's default range for outgoing connections (32768 and up), so
/// that no client socket sits on one of ours.
const PORTS: Range<u16> = 18_000..32_000;
const BLOCK: u16 = 100;

struct Block {
    /// Held, not read: the lock lives as long as the file is open.
    _lock: File,
    left: Range<u16>,
}

static BLOCKS: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// A port that is free on 127.0.0.1 for TCP and UDP and that no other caller
/// gets while this process lives, so a server can be stopped and started again
/// on it.
pub fn free() -> u16 {
    let mut blocks = BLOCKS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    loop {
        if let Some(block) = blocks.last_mut()
            && let Some(port) = block.left.by_ref().find(|port| is_free(*port))
        {
            return port;
        }
        let next = claim_block();
        blocks.push(next);
    }
}

fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

fn claim_block() -> Block {
    let folder = cache::root().unwrap_or_else(std::env::temp_dir).join("testbed").join("ports");
    std::fs::create_dir_all(&folder).expect("make the folder of port locks");
    for start in PORTS.step_by(usize::from(BLOCK)) {
        let lock = File::options().create(true).append(true).open(folder.join(start.to_string()));
        let lock = lock.expect("open a lock of a block of ports");
        if lock.try_lock().is_ok() {
            return Block { _lock: lock, left: start..start + BLOCK };
        }
    }
    panic!("no free block of ports in {PORTS:?}: the locks are in {}", folder.display());
}
