//! Text that others wrote (objects, API servers, clients, files), made fit to be kept and shown: cut where it enters,
//! without the credentials of its sender, and with its invisible characters visible where people read it.

mod cut;
mod secrets;
mod visible;

pub use cut::{Bounded, cut, cut_name};
pub use secrets::Secrets;
pub use visible::{Visible, is_hidden, json, visible, yaml};
