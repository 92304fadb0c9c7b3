//! The product among real parts: the `isthmus` binary as a process, and federations of real clusters for it.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`Isthmus`] | a running `isthmus controller` or `isthmus region`, its admin pages and its log |
//! | [`Federation`] | a hub and its members with the rights that the product itself asks for, and no more |
//! | [`Witness`] | a proxy that only listens: what a region serves, and whether it was served anything new |
//! | [`Scene`] | what must not move: who wrote what when, to be compared with later |
//! | [`ads`] | a scripted client of xDS |
//! | [`innocents`] | clients beside an attack, and how long they wait |
//! | [`objects`] | Kubernetes objects as YAML, as a kubelet and its controllers would leave them |

#![allow(dead_code, unused_imports, reason = "a tool box: not every test uses every tool")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken harness is a failed test")]

pub mod ads;
mod conditions;
mod federation;
pub mod files;
mod innocents;
mod isthmus;
mod member;
pub mod objects;
pub mod recording;
mod scene;
pub mod slots;
mod witness;

pub use federation::Federation;
pub use innocents::{attack_scale, innocents};
pub use isthmus::{Isthmus, ServicePage, Source, manifests, run};
pub use member::Member;
pub use scene::{Scene, still};
pub use witness::Witness;

/// For whatever should happen soon on a busy machine.
pub const SOON: std::time::Duration = std::time::Duration::from_secs(40);
