//! `/metrics`: OpenMetrics text, made from the published state at each scrape. Labels come from closed sets:
//! member ids, and names in the code.

#[cfg(test)]
mod every;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use clusters::problem::Problems;
use federation::report::{LinkState, MemberReport, Verdict};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use regions::resource::ResourceType;
use regions::server::RefusalKind;
use regions::stats::{CatalogStats, ConnectionStats, LoadStats, TypeStats};

use super::connections::ConnectionCounts;
use super::sources::{Proxies, Sources};
use crate::process::engine::{Phase, Published};
use crate::process::{telemetry, tls};

#[cfg(test)]
pub(crate) use every::every_metric;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub async fn metrics(State(sources): State<Sources>) -> Response {
    let scrape = Scrape {
        published: Arc::clone(&sources.engine.published.borrow()),
        problems: sources.problems.snapshot(),
        connections: sources.connections,
        proxies: sources.proxies,
    };
    match scrape.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot encode metrics: {error}\n")).into_response(),
    }
}

struct Scrape {
    published: Arc<Published>,
    problems: Problems,
    connections: ConnectionCounts,
    proxies: Option<Proxies>,
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrape")
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let out = &mut encoder;
        let info = [(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1)];
        gauges(out, "build", "The running version; always 1", info)?;
        let knowledge = &self.published.knowledge;
        gauge(out, "serving", "1 when clients are served", u64::from(knowledge.serves()))?;
        let complete = u64::from(knowledge.phase == Phase::Complete);
        gauge(out, "synced", "1 when every member that has to be known was known since the start", complete)?;
        let unknown = self.published.members.values().filter(|report| report.missing).count();
        gauge(out, "unknown_members", "Members that have to be known and are not", unknown as u64)?;
        gauge(out, "services", "Merged services", self.published.services as u64)?;
        self.members(out)?;
        self.engine(out)?;
        let rejected =
            self.problems.iter().map(|(origin, page)| (vec![("origin", origin.to_string())], page.total() as u64));
        gauges(
            out,
            "rejected_objects",
            "Objects that are not used, or only in part, because something in them is wrong",
            rejected,
        )?;
        let suppressed = telemetry::suppressed();
        counter(
            out,
            "log_lines_suppressed",
            "Lines of the log left out because too many of their kind came",
            suppressed,
        )?;
        let (refused, made_room) = (self.connections.refused(), self.connections.made_room());
        counter(
            out,
            "admin_connections_refused",
            "Connections to the pages closed at once: all had a request",
            refused,
        )?;
        counter(
            out,
            "admin_connections_made_room",
            "Connections to the pages that had no request and were closed because another one came",
            made_room,
        )?;
        self.xds(out)
    }
}

impl Scrape {
    fn text(self) -> Result<String, std::fmt::Error> {
        let mut registry = Registry::with_prefix("isthmus");
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }

    fn members(&self, out: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let of = |value: fn(&MemberReport) -> u64| {
            let line = move |report: &Arc<MemberReport>| {
                let labels = vec![("cluster", report.id.to_string()), ("region", report.region.to_string())];
                (labels, value(report))
            };
            self.published.members.values().map(line)
        };
        let up = |report: &MemberReport| u64::from(matches!(report.link, LinkState::Up { .. }));
        let admitted = |report: &MemberReport| {
            u64::from(matches!(report.admission, Verdict::Admitted | Verdict::AdmittedWithDrift(_)))
        };
        gauges(out, "member_connected", "1 while the member's API server answers", of(up))?;
        gauges(out, "member_admitted", "1 while the member takes part", of(admitted))?;
        gauges(
            out,
            "member_services",
            "Federated services the member contributes to",
            of(|report| report.counts.services as u64),
        )?;
        gauges(
            out,
            "member_endpoints",
            "Endpoints the member contributes",
            of(|report| report.counts.endpoints as u64),
        )?;
        gauges(out, "member_mirrored", "Mirrored Services in the member", of(|report| report.counts.mirrored as u64))?;
        gauges(
            out,
            "member_mirrors_pending",
            "Mirror writes still to be done in the member",
            of(|report| report.mirrors_pending as u64),
        )
    }

    fn engine(&self, out: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let Published { stats, rounds, last_round, .. } = &*self.published;
        counter(out, "engine_rounds", "Rounds of the engine", *rounds)?;
        counter(out, "engine_batches", "Batches applied", stats.batches)?;
        counter(out, "engine_merges", "Services merged again", stats.merged)?;
        counter(
            out,
            "engine_merges_unchanged",
            "Merges that came out as before and went no further",
            stats.merged_unchanged,
        )?;
        counter(out, "engine_plans", "Mirrored objects planned again", stats.planned)?;
        counter(out, "engine_judgements", "Rounds in which membership was judged again", stats.judged)?;
        let gauge = ConstGauge::new(last_round.as_secs_f64());
        gauge.encode(out.encode_descriptor(
            "engine_last_round_seconds",
            "Time the last round took",
            None,
            MetricType::Gauge,
        )?)
    }

    fn xds(&self, out: &mut DescriptorEncoder<'_>) -> std::fmt::Result {
        let Some(Proxies { stats, certificate, .. }) = &self.proxies else { return Ok(()) };
        let CatalogStats { derived, encoded, unchanged, changed, published, classes, classes_refused, .. } =
            &stats.catalog;
        gauge(out, "xds_classes", "Classes of clients that are kept current", count(classes))?;
        counter(
            out,
            "xds_classes_refused",
            "Streams refused because too many classes are open",
            classes_refused.get(),
        )?;
        counter(out, "xds_derived", "Services derived again for a class of clients", derived.get())?;
        counter(out, "xds_encoded", "Resources encoded", encoded.get())?;
        counter(out, "xds_unchanged", "Encoded resources that had the bytes they had before", unchanged.get())?;
        counter(out, "xds_changed", "Encoded resources that changed", changed.get())?;
        counter(out, "xds_published", "Snapshots published", published.get())?;
        let open = [("delta", &stats.streams.open_delta), ("sotw", &stats.streams.open_sotw)];
        gauges(
            out,
            "xds_streams",
            "Open streams",
            open.map(|(variant, open)| (vec![("variant", variant.to_owned())], count(open))),
        )?;
        counter(out, "xds_accepted", "Streams accepted", stats.streams.accepted.get())?;
        let help = "Streams ended by the server, also because the process or an old connection ended";
        counter(out, "xds_refused", help, stats.streams.refused.get())?;
        let refused = RefusalKind::ALL
            .map(|kind| (vec![("reason", kind.label().to_owned())], stats.streams.refused_of(kind).get()));
        counters(out, "xds_streams_refused", "Streams refused because of what the client says or asks for", refused)?;
        let help = "Open streams of Envoys that are too old for all that they are sent";
        gauge(out, "xds_outdated_streams", help, count(&stats.streams.outdated))?;
        counter(out, "xds_sent_bytes", "Bytes of responses", stats.streams.sent_bytes.get())?;
        let by_type = |pick: fn(&TypeStats) -> &regions::stats::Counter| {
            let line =
                move |kind: ResourceType| (vec![("type", kind.label().to_owned())], pick(stats.streams.of(kind)).get());
            ResourceType::ALL.map(line)
        };
        counters(out, "xds_responses", "Responses sent", by_type(|stats| &stats.responses))?;
        counters(out, "xds_resources_sent", "Resources sent", by_type(|stats| &stats.resources_sent))?;
        counters(out, "xds_acks", "Responses that clients accepted", by_type(|stats| &stats.acks))?;
        counters(out, "xds_nacks", "Responses that clients rejected", by_type(|stats| &stats.nacks))?;
        let held = ResourceType::ALL
            .map(|kind| (vec![("type", kind.label().to_owned())], count(stats.catalog.resources_of(kind))));
        gauges(out, "xds_resources", "Resources held, over all classes", held)?;
        connections(out, &stats.connections)?;
        loads(out, &stats.loads)?;
        match certificate {
            Some(status) => certificates(out, status),
            None => Ok(()),
        }
    }
}

fn connections(out: &mut DescriptorEncoder<'_>, stats: &ConnectionStats) -> std::fmt::Result {
    let ConnectionStats {
        open,
        accepted,
        refused,
        handshakes_failed,
        aged,
        cut_off,
        displaced,
        places_passed_on,
        silent,
    } = stats;
    gauge(out, "xds_connections", "Open connections", count(open))?;
    counter(out, "xds_connections_accepted", "Connections accepted", accepted.get())?;
    counter(out, "xds_connections_refused", "Connections closed because too many were open", refused.get())?;
    counter(out, "xds_handshakes_failed", "TLS handshakes that failed", handshakes_failed.get())?;
    counter(out, "xds_connections_aged", "Connections ended in good order because of their age", aged.get())?;
    counter(
        out,
        "xds_connections_displaced",
        "Connections ended to make room for an address that has fewer",
        displaced.get(),
    )?;
    counter(
        out,
        "xds_places_passed_on",
        "Places for handshakes, new streams and long requests that were given on while their holders still worked",
        places_passed_on.get(),
    )?;
    counter(out, "xds_connections_cut_off", "Connections that were asked to end and did not in time", cut_off.get())?;
    counter(out, "xds_connections_silent", "Connections given up because the client did not answer", silent.get())
}

/// In sums only: clusters and localities are no closed sets. `isthmus proxy NODE` shows them.
fn loads(out: &mut DescriptorEncoder<'_>, stats: &LoadStats) -> std::fmt::Result {
    let LoadStats { open, reports, succeeded, failed, dropped } = stats;
    gauge(out, "xds_load_streams", "Proxies that report the load they see", count(open))?;
    counter(out, "xds_load_reports", "Load reports received", reports.get())?;
    let outcomes = [("succeeded", succeeded), ("failed", failed), ("dropped", dropped)];
    let lines = outcomes.map(|(outcome, requests)| (vec![("outcome", outcome.to_owned())], requests.get()));
    counters(out, "xds_load_requests", "Requests that proxies report, by how they ended", lines)
}

fn certificates(out: &mut DescriptorEncoder<'_>, status: &tls::Status) -> std::fmt::Result {
    let until = status.not_after_s().and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    let help = "When the certificate in use ends, in seconds since 1970; 0 while there is none";
    gauge(out, "tls_certificate_not_after_seconds", help, until)?;
    counter(out, "tls_certificates_taken", "Certificates taken into use", status.taken.get())?;
    counter(out, "tls_certificates_rejected", "Certificates that could not be used", status.rejected.get())
}

fn count(gauge: &regions::stats::Gauge) -> u64 {
    u64::try_from(gauge.get()).unwrap_or(0)
}

fn counters(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    lines: impl IntoIterator<Item = (Vec<(&'static str, String)>, u64)>,
) -> std::fmt::Result {
    let mut family = out.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in lines {
        ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn counter(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> std::fmt::Result {
    ConstCounter::new(value).encode(out.encode_descriptor(name, help, None, MetricType::Counter)?)
}

fn gauge(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> std::fmt::Result {
    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
    gauge.encode(out.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn gauges(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    lines: impl IntoIterator<Item = (Vec<(&'static str, String)>, u64)>,
) -> std::fmt::Result {
    let mut family = out.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in lines {
        let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        gauge.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
