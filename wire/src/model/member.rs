//! Members, as the hub describes them.

use federation::model::{Admission, ClusterId, ClusterUid, Member, NamespacePattern, Network, RegionId, Time, Traffic};
use ipnet::IpNet;

use crate::codec::{enumeration, message};

message!(Member {
    1 => id: ClusterId,
    2 => region: RegionId,
    3 => network: Network,
    4 => pods: Option<Vec<IpNet>>,
    5 => services: Option<Vec<IpNet>>,
    6 => exports: Option<Vec<NamespacePattern>>,
    7 => traffic: Traffic,
    8 => weight: Option<u32>,
    9 => created: Time,
    10 => generation: i64,
    11 => recorded: Option<Admission>,
});

message!(Admission { 1 => at: Time, 2 => uid: ClusterUid, 3 => pods: Vec<IpNet>, 4 => services: Vec<IpNet> });

enumeration!(Traffic { 0 => Active, 1 => Drained });
