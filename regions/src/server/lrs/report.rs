//! Load reports, read from their bytes: what is kept of them, and nothing else. Decoded as a whole, a report may take fifty times its
//! bytes.

use std::time::Duration;

use bytes::Buf;
use envoy_types::pb::envoy::service::load_stats::v3::LoadStatsResponse;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::locality::{LocalityLoad, MAX_LOCALITIES};
use crate::class::{cut, read_node};
use crate::wire::{Malformed, Value, fields};

/// Largest report, in bytes: ten thousand clusters with three localities each.
pub const MAX_REPORT_LEN: usize = 4 << 20;
/// Clusters that are read of one report; the rest of it is skipped.
pub const MAX_CLUSTERS_READ: usize = 10_000;
/// Localities that are read of one report, over all clusters.
pub const MAX_LOCALITIES_READ: usize = 30_000;
/// Longest name that is kept, in bytes.
const MAX_NAME_LEN: usize = 253;

/// A `LoadStatsRequest`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// `node.id`, where there is a node.
    pub(super) node: Option<String>,
    pub(super) clusters: Vec<ClusterReport>,
}

/// A `ClusterStats`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClusterReport {
    /// Of the cluster's load assignment, if the report has it.
    pub(super) name: String,
    pub(super) dropped: u64,
    pub(super) interval: Duration,
    /// At most [`MAX_LOCALITIES`].
    pub(super) localities: Vec<LocalityLoad>,
}

impl Report {
    pub(super) fn read(message: &[u8]) -> Result<Self, Malformed> {
        let mut report = Self::default();
        let clusters = fields(message).filter(|field| matches!(field, Ok((2, _)))).count();
        report.clusters.reserve_exact(clusters.min(MAX_CLUSTERS_READ));
        let mut localities_left = MAX_LOCALITIES_READ;
        for field in fields(message) {
            match field? {
                (1, value) => report.node = Some(read_node(value.bytes()?)?.id),
                (2, value) if report.clusters.len() < MAX_CLUSTERS_READ => {
                    report.clusters.push(cluster(value.bytes()?, &mut localities_left)?);
                }
                _ => {}
            }
        }
        Ok(report)
    }
}

fn cluster(message: &[u8], localities_left: &mut usize) -> Result<ClusterReport, Malformed> {
    let mut cluster = ClusterReport::default();
    let mut service = "";
    let localities = fields(message).filter(|field| matches!(field, Ok((2, _)))).count();
    let taken = localities.min(MAX_LOCALITIES).min(*localities_left);
    *localities_left -= taken;
    cluster.localities.reserve_exact(taken);
    for field in fields(message) {
        match field? {
            (1, value) => cluster.name = cut(value.text()?, MAX_NAME_LEN),
            (2, value) if cluster.localities.len() < taken => cluster.localities.push(locality(value.bytes()?)?),
            (3, Value::Number(dropped)) => cluster.dropped = dropped,
            (4, value) => cluster.interval = duration(value.bytes()?)?,
            (6, value) => service = value.text()?,
            _ => {}
        }
    }
    if !service.is_empty() {
        cluster.name = cut(service, MAX_NAME_LEN);
    }
    Ok(cluster)
}

fn locality(message: &[u8]) -> Result<LocalityLoad, Malformed> {
    let mut load = LocalityLoad::default();
    for field in fields(message) {
        match field? {
            (1, value) => {
                for field in fields(value.bytes()?) {
                    match field? {
                        (1, value) => load.region = cut(value.text()?, MAX_NAME_LEN),
                        (2, value) => load.zone = cut(value.text()?, MAX_NAME_LEN),
                        (3, value) => load.sub_zone = cut(value.text()?, MAX_NAME_LEN),
                        _ => {}
                    }
                }
            }
            (2, Value::Number(count)) => load.succeeded = count,
            (3, Value::Number(count)) => load.in_progress = count,
            (4, Value::Number(count)) => load.failed = count,
            (6, Value::Number(priority)) => load.priority = u32::try_from(priority).unwrap_or(u32::MAX),
            (8, Value::Number(count)) => load.issued = count,
            _ => {}
        }
    }
    Ok(load)
}

/// A `google.protobuf.Duration`; zero if it is negative or too long to be one.
fn duration(message: &[u8]) -> Result<Duration, Malformed> {
    let (mut seconds, mut nanos) = (0, 0);
    for field in fields(message) {
        match field? {
            (1, Value::Number(found)) => seconds = found,
            (2, Value::Number(found)) => nanos = found,
            _ => {}
        }
    }
    // Negative numbers are large ones here.
    let sum = |seconds: i64, nanos: i32| {
        Duration::from_secs(u64::try_from(seconds).ok()?).checked_add(Duration::from_nanos(u64::try_from(nanos).ok()?))
    };
    let (seconds, nanos) = (i64::try_from(seconds).unwrap_or(-1), i32::try_from(nanos).unwrap_or(-1));
    Ok(sum(seconds, nanos).unwrap_or_default())
}

/// Reads [`Report`]s, and writes what prost encodes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ReportCodec;

impl Codec for ReportCodec {
    type Encode = LoadStatsResponse;
    type Decode = Report;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for ReportCodec {
    type Item = LoadStatsResponse;
    type Error = Status;

    fn encode(&mut self, response: LoadStatsResponse, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        prost::Message::encode(&response, buffer).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for ReportCodec {
    type Item = Report;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Report>, Status> {
        let message = buffer.copy_to_bytes(buffer.remaining());
        let read = Report::read(&message);
        read.map(Some).map_err(|error| Status::invalid_argument(format!("a request is not a load report: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::testing::memory::allocated;

    fn repeated(number: u8, content: &[u8], times: usize) -> Vec<u8> {
        let mut one = vec![(number << 3) | 2];
        prost::encode_length_delimiter(content.len(), &mut one).expect("room");
        one.extend_from_slice(content);
        one.repeat(times)
    }

    #[test]
    fn no_report_costs_more_than_sixteen_times_its_bytes() {
        const TIMES: usize = 300_000;
        let cluster = |content: Vec<u8>| repeated(2, &content, 1);
        let worst = [
            ("clusters", repeated(2, b"", TIMES)),
            ("clusters with a locality", repeated(2, &repeated(2, b"", 1), TIMES)),
            ("clusters with sixteen localities", repeated(2, &repeated(2, b"", 16), TIMES / 16)),
            ("localities", cluster(repeated(2, b"", TIMES))),
            ("endpoints", cluster(repeated(2, &repeated(7, b"", TIMES), 1))),
            ("metrics", cluster(repeated(2, &repeated(5, b"", TIMES), 1))),
            ("drops", cluster(repeated(5, b"", TIMES))),
            ("extensions of a node", repeated(1, &repeated(9, b"", TIMES), 1)),
        ];
        for (name, message) in worst {
            let (read, most) = allocated(|| Report::read(&message));
            assert!(read.is_ok(), "{name}: {read:?}");
            let allowed = 16 * message.len() + (5 << 20);
            assert!(most <= allowed, "{name}: {} bytes cost {most}, expected at most {allowed}", message.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_bytes_are_more_than_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Report::read(&bytes);
        }

        #[test]
        fn durations_are_read_as_prost_reads_them(seconds: i64, nanos: i32) {
            let message = envoy_types::pb::google::protobuf::Duration { seconds, nanos }.encode_to_vec();
            let expected = match (u64::try_from(seconds), u64::try_from(nanos)) {
                (Ok(seconds), Ok(nanos)) => Duration::from_secs(seconds).checked_add(Duration::from_nanos(nanos)),
                _ => None,
            };
            prop_assert_eq!(duration(&message), Ok(expected.unwrap_or_default()));
        }
    }
}
