//! A table with one value for each resource type.

use std::ops::{Index, IndexMut};

use super::ResourceType;

/// One value for each [`ResourceType`], found by the type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerType<T>([T; ResourceType::ALL.len()]);

impl<T> PerType<T> {
    /// Makes each value from its type.
    pub fn from_fn(make: impl FnMut(ResourceType) -> T) -> Self {
        Self(ResourceType::ALL.map(make))
    }

    /// In dependency order.
    pub fn iter(&self) -> impl Iterator<Item = (ResourceType, &T)> {
        ResourceType::ALL.into_iter().zip(&self.0)
    }

    /// In dependency order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ResourceType, &mut T)> {
        ResourceType::ALL.into_iter().zip(&mut self.0)
    }

    /// In dependency order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter()
    }

    /// In dependency order.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.0.iter_mut()
    }

    pub fn map<U>(self, change: impl FnMut(T) -> U) -> PerType<U> {
        PerType(self.0.map(change))
    }

    pub fn each_ref(&self) -> PerType<&T> {
        PerType(self.0.each_ref())
    }
}

impl<T> Index<ResourceType> for PerType<T> {
    type Output = T;

    fn index(&self, resource_type: ResourceType) -> &T {
        // Never out of range: there are as many values as types.
        &self.0[resource_type.index()]
    }
}

impl<T> IndexMut<ResourceType> for PerType<T> {
    fn index_mut(&mut self, resource_type: ResourceType) -> &mut T {
        &mut self.0[resource_type.index()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_a_value_of_its_own() {
        let mut table = PerType::from_fn(ResourceType::label);
        assert!(table.iter().all(|(t, label)| *label == t.label()));
        table[ResourceType::Route] = "changed";
        assert_eq!(table.values().filter(|label| **label == "changed").count(), 1);
        assert_eq!(table.map(str::len)[ResourceType::Route], 7);
    }
}
