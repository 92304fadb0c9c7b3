//! Names that a client may use for a resource that is called otherwise.
//!
//! There are more such names than could be kept, so what stands behind one is found from the name itself: its *origin*
//! is the resource that is kept, and what is sent is the origin under the name that was asked for. A change of the origin
//! is a change of all its aliases.

use envoy_types::pb::envoy::config::route::v3::VirtualHost;

use crate::resource::{Resource, ResourceType};
use crate::translate::vhds;

/// What a name is another name for. `None`: it is no alias, so there is only what is called exactly so.
pub fn origin(resource_type: ResourceType, name: &str) -> Option<String> {
    match resource_type {
        ResourceType::VirtualHost => vhds::full_name(name),
        _ => None,
    }
}

/// The origin as the resource that was asked for.
pub fn rename(resource_type: ResourceType, origin: &Resource, name: &str) -> Option<Resource> {
    match resource_type {
        _ if origin.is_nothing() => Some(Resource::nothing(name)),
        ResourceType::VirtualHost => {
            let host = vhds::spelled(origin.message::<VirtualHost>()?, name)?;
            Some(Resource::encode(resource_type, name, &host))
        }
        _ => None,
    }
}
