//! A set of resource types.

use crate::resource::ResourceType;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TypeSet(u32);

const _: () = assert!(ResourceType::ALL.len() <= u32::BITS as usize);

impl TypeSet {
    pub(super) fn add(&mut self, resource_type: ResourceType) {
        self.0 |= 1 << resource_type.index();
    }

    pub(super) fn has(self, resource_type: ResourceType) -> bool {
        self.0 & 1 << resource_type.index() != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<ResourceType> for TypeSet {
    fn from_iter<I: IntoIterator<Item = ResourceType>>(types: I) -> Self {
        let mut set = Self::default();
        types.into_iter().for_each(|t| set.add(t));
        set
    }
}
