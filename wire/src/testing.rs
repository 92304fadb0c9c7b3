//! Arbitrary batches, for property tests here and in other crates: every variant, every field, and values that no source
//! reports but that the model allows.

mod hub;
mod member;
mod values;

use federation::change::{Batch, Change, Delta, Epoch, HubChanges, MemberChanges, Object};
use proptest::collection::vec;
use proptest::prelude::*;

use values::{cluster, key, name, namespace, text};

/// Any batch.
pub fn batch() -> impl Strategy<Value = Batch> {
    prop_oneof![
        1 => hub_changes().prop_map(Batch::Hub),
        3 => (cluster(), any::<u64>(), member_changes())
            .prop_map(|(cluster, epoch, changes)| Batch::Member { cluster, epoch: Epoch(epoch), changes }),
    ]
}

fn hub_changes() -> impl Strategy<Value = HubChanges> {
    prop_oneof![
        delta(hub::region(), values::region()).prop_map(HubChanges::Regions),
        delta(hub::member(), cluster()).prop_map(HubChanges::Members),
        delta(hub::policy(), name()).prop_map(HubChanges::Policies),
    ]
}

fn member_changes() -> impl Strategy<Value = MemberChanges> {
    prop_oneof![
        member::link().prop_map(MemberChanges::Link),
        delta(member::namespace_object(), namespace()).prop_map(MemberChanges::Namespaces),
        delta(member::service(), key()).prop_map(MemberChanges::Services),
        delta(member::slice(), values::slice_key()).prop_map(MemberChanges::Slices),
        delta(member::node(), name()).prop_map(MemberChanges::Nodes),
        delta(member::service_cidr(), name()).prop_map(MemberChanges::ServiceCidrs),
        delta(member::export(), key()).prop_map(MemberChanges::Exports),
        (member::kind(), text(), any::<bool>()).prop_map(|(kind, message, partly)| MemberChanges::Unreadable {
            kind,
            message,
            partly
        }),
    ]
}

fn delta<T: Object + Clone + std::fmt::Debug + 'static>(
    object: impl Strategy<Value = T> + Clone + 'static,
    key: impl Strategy<Value = T::Key> + Clone + 'static,
) -> BoxedStrategy<Delta<T>> {
    let change = prop_oneof![
        2 => object.clone().prop_map(Change::Put),
        1 => key.clone().prop_map(Change::Delete),
    ];
    prop_oneof![
        (vec(object, 0..4), vec(key, 0..3)).prop_map(|(objects, rejected)| Delta::Full { objects, rejected }),
        vec(change, 0..4).prop_map(Delta::Partial),
    ]
    .boxed()
}
