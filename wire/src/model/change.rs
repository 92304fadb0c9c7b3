//! Batches.

use std::sync::Arc;

use federation::change::{Batch, Delta, Epoch, HubChanges, LinkChange, MemberChanges};
use federation::model::{ClusterId, Export, NamespaceObject, Node, Service, ServiceCidr, Slice};
use prost::encoding::WireType;

use super::link::Unreadable;
use crate::codec::{DecodeError, EncodeError, Field, Reader, Reason, Value, Writer};

const HUB: u32 = 1;
const MEMBER: u32 = 2;

impl Value for Batch {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Hub(changes) => changes.put_always(HUB, to).map_err(|error| error.within("hub")),
            Self::Member { cluster, epoch, changes } => {
                to.key(MEMBER, WireType::LengthDelimited);
                to.sized(|to| put_member(cluster, *epoch, changes, to)).map_err(|error| error.within("member"))
            }
        }
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        let mut found = None;
        while let Some((tag, wire_type)) = from.key()? {
            match tag {
                HUB => {
                    let changes = HubChanges::take_one(wire_type, from).map_err(|error| error.within("hub"))?;
                    found = Some(Self::Hub(changes));
                }
                MEMBER => {
                    let member = FromMember::take_one(wire_type, from).map_err(|error| error.within("member"))?;
                    let FromMember { cluster, epoch, changes } = member;
                    found = Some(Self::Member { cluster, epoch, changes });
                }
                _ => from.skip(wire_type)?,
            }
        }
        found.ok_or_else(|| start.error(Reason::NoneOf("hub (1), member (2)")))
    }
}

const REGIONS: u32 = 1;
const MEMBERS: u32 = 2;
const POLICIES: u32 = 3;

impl Value for HubChanges {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Regions(delta) => delta.put_always(REGIONS, to).map_err(|error| error.within("regions")),
            Self::Members(delta) => delta.put_always(MEMBERS, to).map_err(|error| error.within("members")),
            Self::Policies(delta) => delta.put_always(POLICIES, to).map_err(|error| error.within("policies")),
        }
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        let mut found = None;
        while let Some((tag, wire_type)) = from.key()? {
            found = Some(match tag {
                REGIONS => one(wire_type, from, "regions").map(Self::Regions)?,
                MEMBERS => one(wire_type, from, "members").map(Self::Members)?,
                POLICIES => one(wire_type, from, "policies").map(Self::Policies)?,
                _ => {
                    from.skip(wire_type)?;
                    continue;
                }
            });
        }
        found.ok_or_else(|| start.error(Reason::NoneOf("regions (1), members (2), policies (3)")))
    }
}

/// The fields of [`Batch::Member`].
struct FromMember {
    cluster: ClusterId,
    epoch: Epoch,
    changes: MemberChanges,
}

const CLUSTER: u32 = 1;
const EPOCH: u32 = 2;
const LINK: u32 = 3;
const NAMESPACES: u32 = 4;
const SERVICES: u32 = 5;
const SLICES: u32 = 6;
const NODES: u32 = 7;
const SERVICE_CIDRS: u32 = 8;
const EXPORTS: u32 = 9;
const UNREADABLE: u32 = 10;

fn put_member(cluster: &ClusterId, epoch: Epoch, changes: &MemberChanges, to: &mut Writer) -> Result<(), EncodeError> {
    let Epoch(epoch) = epoch;
    cluster.put(CLUSTER, to)?;
    epoch.put(EPOCH, to)?;
    let (name, put) = match changes {
        MemberChanges::Link(link) => ("link", link.put_always(LINK, to)),
        MemberChanges::Namespaces(delta) => ("namespaces", delta.put_always(NAMESPACES, to)),
        MemberChanges::Services(delta) => ("services", delta.put_always(SERVICES, to)),
        MemberChanges::Slices(delta) => ("slices", delta.put_always(SLICES, to)),
        MemberChanges::Nodes(delta) => ("nodes", delta.put_always(NODES, to)),
        MemberChanges::ServiceCidrs(delta) => ("service_cidrs", delta.put_always(SERVICE_CIDRS, to)),
        MemberChanges::Exports(delta) => ("exports", delta.put_always(EXPORTS, to)),
        MemberChanges::Unreadable { kind, message, partly } => {
            let unreadable = Unreadable { kind: *kind, message: Arc::clone(message), partly: *partly };
            ("unreadable", unreadable.put_always(UNREADABLE, to))
        }
    };
    put.map_err(|error| error.within(name))
}

impl Value for FromMember {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        let Self { cluster, epoch, changes } = self;
        put_member(cluster, *epoch, changes, to)
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        let (mut cluster, mut epoch, mut changes) = (None, None, None);
        while let Some((tag, wire_type)) = from.key()? {
            match tag {
                CLUSTER => <ClusterId as Field>::take(&mut cluster, wire_type, from)
                    .map_err(|error| error.within("cluster"))?,
                EPOCH => <u64 as Field>::take(&mut epoch, wire_type, from)?,
                _ => changes = take_changes(tag, wire_type, from)?.or(changes),
            }
        }
        let cluster = <ClusterId as Field>::finish(cluster, from).map_err(|error| error.within("cluster"))?;
        let epoch = Epoch(<u64 as Field>::finish(epoch, from)?);
        let changes = changes.ok_or_else(|| {
            start.error(Reason::NoneOf(
                "link (3), namespaces (4), services (5), slices (6), nodes (7), service CIDRs (8), exports (9), unreadable (10)",
            ))
        })?;
        Ok(Self { cluster, epoch, changes })
    }
}

/// `None`: nothing that this version knows.
fn take_changes(tag: u32, wire_type: WireType, from: &mut Reader<'_>) -> Result<Option<MemberChanges>, DecodeError> {
    Ok(Some(match tag {
        LINK => one::<LinkChange>(wire_type, from, "link").map(MemberChanges::Link)?,
        NAMESPACES => one::<Delta<NamespaceObject>>(wire_type, from, "namespaces").map(MemberChanges::Namespaces)?,
        SERVICES => one::<Delta<Service>>(wire_type, from, "services").map(MemberChanges::Services)?,
        SLICES => one::<Delta<Slice>>(wire_type, from, "slices").map(MemberChanges::Slices)?,
        NODES => one::<Delta<Node>>(wire_type, from, "nodes").map(MemberChanges::Nodes)?,
        SERVICE_CIDRS => {
            one::<Delta<ServiceCidr>>(wire_type, from, "service_cidrs").map(MemberChanges::ServiceCidrs)?
        }
        EXPORTS => one::<Delta<Export>>(wire_type, from, "exports").map(MemberChanges::Exports)?,
        UNREADABLE => {
            let Unreadable { kind, message, partly } = one(wire_type, from, "unreadable")?;
            MemberChanges::Unreadable { kind, message, partly }
        }
        _ => {
            from.skip(wire_type)?;
            return Ok(None);
        }
    }))
}

fn one<T: Value>(wire_type: WireType, from: &mut Reader<'_>, name: &'static str) -> Result<T, DecodeError> {
    T::take_one(wire_type, from).map_err(|error| error.within(name))
}
