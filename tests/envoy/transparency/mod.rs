//! What a sidecar changes of the traffic of its pod: the rows of docs/transparency.md, each with and without it.
//!
//! A scripted backend takes the place of the pod that is called. The same bytes go to it directly, through a sidecar and through
//! the plain port, and what it received and what came back is compared.

mod ends;
mod http2;
mod message;
mod rows;
mod script;
mod stage;
mod table;
mod tcp;
mod tiers;
mod uploads;
mod vanish;
