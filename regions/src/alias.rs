//! Names that a client may use for a resource that has another name.
//!
//! There are more such names than could be kept, so what one refers to is found from the name itself: its *origin*
//! is the resource that is kept, and what is sent is the origin under the name that was asked for. A change of the origin
//! is a change of all its aliases.

mod rename;
pub mod xdstp;

use crate::resource::ResourceType;
use crate::translate::vhds;

pub use rename::{References, rename};

/// What a name is another name for. `None`: it is no alias.
pub fn origin(resource_type: ResourceType, name: &str) -> Option<String> {
    match resource_type {
        ResourceType::VirtualHost => vhds::full_name(name),
        ResourceType::Cluster | ResourceType::Assignment | ResourceType::Listener | ResourceType::Route => {
            xdstp::parse(resource_type, name).map(|found| found.name)
        }
        // Endpoints have such names and no others; scopes are followed as a whole.
        _ => None,
    }
}
