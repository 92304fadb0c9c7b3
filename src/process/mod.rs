//! How a running process is put together: the wiring ([`plane`]), the engine's thread ([`engine`]), certificates and logs.
//! It knows no flags.

pub mod descriptors;
pub mod engine;
pub mod plane;
pub mod telemetry;
pub mod tls;
