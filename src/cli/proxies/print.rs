//! Proxies as tables.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;

use crate::admin::json::proxy::{Delivery, LoadState, ProxyDetail, ProxyJson, RefusedJson, ResourceState, TypeState};
use crate::terminal::{Format, Listing, gap, say, table, table_lines};

/// In the column of profiles, for a client that is refused.
const REFUSED: &str = "REFUSED";
/// Proxies named in one note.
const NAMED: usize = 5;
/// Resources shown one by one; the others are in `-o json`.
const SHOWN: usize = 20;

pub fn print_list(proxies: &[ProxyJson], format: Format) {
    if proxies.is_empty() {
        say("no proxies are connected; docs/proxies.md says how one connects");
        return;
    }
    let wide = format == Format::Wide;
    let replicas = proxies.iter().any(|proxy| proxy.admin.is_some());
    let kinds = kinds(proxies);
    let mut head = vec!["NODE", "CLUSTER", "REGION/ZONE", "VARIANT", "PROFILE"];
    let upper: Vec<String> = kinds.iter().map(|kind| kind.to_uppercase()).collect();
    head.extend(upper.iter().map(String::as_str));
    head.push("AGE");
    if wide {
        head.extend(["NAMESPACE", "PEER", "STREAMS", "VERSION"]);
    }
    if replicas {
        head.push("REPLICA");
    }
    let mut lines = table(&head);
    for proxy in proxies {
        let place = [&proxy.region, &proxy.zone].into_iter().flatten().cloned().collect::<Vec<_>>();
        let profile = if proxy.refused.is_some() { REFUSED.to_owned() } else { text(&proxy.profile) };
        let place = if place.is_empty() { "-".to_owned() } else { place.join("/") };
        let mut row = vec![named(proxy), cluster(proxy), place, text(&proxy.variant), profile];
        row.extend(kinds.iter().map(|kind| {
            let found = proxy.types.iter().find(|found| found.kind == *kind);
            found.map_or_else(|| "-".to_owned(), shown)
        }));
        row.push(proxy.since.as_deref().map_or_else(|| "-".to_owned(), age));
        if wide {
            row.extend([text(&proxy.namespace), text(&proxy.peer), proxy.streams.to_string(), text(&proxy.version)]);
        }
        if replicas {
            row.push(text(&proxy.admin));
        }
        lines.add_row(row);
    }
    paint(&lines);
    for (proxy, why) in proxies.iter().filter_map(|proxy| Some((proxy, proxy.no_member.as_ref()?))) {
        gap();
        say(format_args!("{} belongs to no admitted member, so nothing federated is sent to it: {why}", proxy.node));
    }
    for (proxy, refused) in proxies.iter().filter_map(|proxy| Some((proxy, proxy.refused.as_ref()?))) {
        gap();
        say(refused_line(proxy, refused));
    }
    notes(proxies);
    for proxy in proxies.iter().filter(|proxy| proxy.worst() == Some(Delivery::Rejected)) {
        for found in proxy.types.iter().filter(|found| found.state == Delivery::Rejected) {
            if let Some(error) = &found.last_error {
                gap();
                say(format_args!("{} rejects {}: {}", proxy.node, found.kind, error.message));
            }
        }
    }
}

/// The node id that a refused client sent.
fn named(proxy: &ProxyJson) -> String {
    if proxy.node.is_empty() { "(no node.id)".to_owned() } else { proxy.node.clone() }
}

fn refused_line(proxy: &ProxyJson, refused: &RefusedJson) -> String {
    let RefusedJson { message, count, last, .. } = refused;
    let times = if *count == 1 { "once".to_owned() } else { format!("{count} times") };
    let peer = proxy.peer.as_deref().unwrap_or("an unknown address");
    format!("{} at {peer} is refused ({times}, last {} ago): {message}", named(proxy), age(last))
}

/// What holds of several proxies is printed once.
fn notes(proxies: &[ProxyJson]) {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for proxy in proxies {
        for note in &proxy.notes {
            all.entry(note).or_default().push(&proxy.node);
        }
    }
    for (note, nodes) in all {
        let rest = nodes.len().saturating_sub(NAMED);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let shown = nodes.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        gap();
        say(format_args!("{shown}{rest}: note: {note}"));
    }
}

/// The cluster that a proxy says it is in.
fn cluster(proxy: &ProxyJson) -> String {
    let named = proxy.cluster.clone().unwrap_or_else(|| "-".to_owned());
    if proxy.no_member.is_some() { format!("{named} (no member)") } else { named }
}

/// The usual types always, the others where a proxy subscribes to them.
fn kinds(proxies: &[ProxyJson]) -> Vec<&'static str> {
    let asked = |kind: &str| proxies.iter().any(|proxy| proxy.types.iter().any(|found| found.kind == kind));
    let all = regions::resource::ResourceType::ALL.map(regions::resource::ResourceType::label);
    all.into_iter().filter(|kind| *kind != "leds" || asked(kind)).collect()
}

fn shown(found: &TypeState) -> String {
    match found.state {
        Delivery::Synced => "SYNCED".to_owned(),
        Delivery::NotSent => "NOT_SENT".to_owned(),
        Delivery::Stale => "STALE".to_owned(),
        Delivery::Rejected => {
            format!("REJECTED({})", found.last_error.as_ref().map_or(found.nacks, |error| error.count))
        }
    }
}

pub fn print_detail(detail: &ProxyDetail) {
    let ProxyDetail { proxy, resources, unanswered, loads } = detail;
    if let Some(refused) = &proxy.refused {
        say(refused_line(proxy, refused));
        return;
    }
    for (name, value) in facts(proxy) {
        say(format_args!("{:<13}{value}", format!("{name}:")));
    }
    gap();
    types(proxy, detail);
    if let Some(reason) = unanswered {
        gap();
        say(format_args!("what it has is not known: {reason}"));
    }
    print_unsynced(resources);
    for found in &proxy.types {
        if let Some(error) = &found.last_error {
            let state = if error.standing { "not settled" } else { "settled since" };
            let times = if error.count == 1 { "once".to_owned() } else { format!("{} times", error.count) };
            let (kind, ago) = (&found.kind, age(&error.at));
            gap();
            say(format_args!("{kind} was rejected {times}, last {ago} ago, {state}: {}", error.message));
        }
    }
    print_loads(loads);
}

fn text(text: &Option<String>) -> String {
    text.clone().unwrap_or_else(|| "-".to_owned())
}

fn facts(proxy: &ProxyJson) -> Vec<(&'static str, String)> {
    let place = [&proxy.region, &proxy.zone].into_iter().flatten().cloned().collect::<Vec<_>>();
    let connected = match (&proxy.since, proxy.connected) {
        (Some(since), true) => format!("for {}, from {}", age(since), text(&proxy.peer)),
        _ => "no; its last rejections are remembered".to_owned(),
    };
    let mut facts = vec![("Node", proxy.node.clone()), ("Connected", connected)];
    if proxy.connected {
        facts.extend([
            ("Cluster", cluster(proxy)),
            ("Region/zone", place.join("/")),
            ("Namespace", text(&proxy.namespace)),
            ("Protocol", text(&proxy.variant)),
            ("Profile", text(&proxy.profile)),
            ("Version", text(&proxy.version)),
        ]);
    }
    facts.extend(proxy.notes.iter().map(|note| ("Note", note.clone())));
    facts.extend(proxy.no_member.as_ref().map(|why| ("No member", why.clone())));
    facts.extend(proxy.admin.as_ref().map(|admin| ("Replica", admin.clone())));
    facts
}

fn print_unsynced(resources: &[ResourceState]) {
    let other: Vec<_> = resources.iter().filter(|resource| resource.state != "SYNCED").collect();
    if other.is_empty() {
        return;
    }
    let mut lines = table(&["TYPE", "RESOURCE", "STATE", "VERSION"]);
    for resource in other.iter().take(SHOWN) {
        lines.add_row([resource.kind.clone(), resource.name.clone(), resource.state.clone(), text(&resource.version)]);
    }
    gap();
    paint(&lines);
    more(other.len());
}

fn print_loads(loads: &[LoadState]) {
    if loads.is_empty() {
        return;
    }
    let mut lines = table(&["LOAD OF", "LOCALITY", "REQUESTS", "SUCCEEDED", "FAILED", "DROPPED", "OVER", "AGE"]);
    for load in loads.iter().take(SHOWN) {
        let counts = [load.issued, load.succeeded, load.failed, load.dropped].map(|count| count.to_string());
        let row = [load.cluster.clone(), load.locality.clone()].into_iter().chain(counts);
        lines.add_row(row.chain([format!("{}s", load.interval_seconds), age(&load.at)]));
    }
    gap();
    paint(&lines);
    more(loads.len());
}

fn types(proxy: &ProxyJson, detail: &ProxyDetail) {
    let mut states: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for resource in &detail.resources {
        *states.entry(&resource.kind).or_default().entry(&resource.state).or_default() += 1;
    }
    let mut lines =
        table(&["TYPE", "STATE", "ASKED FOR", "RESOURCES", "SENT", "ACKED", "VERSION", "ACKED VERSION", "PENDING"]);
    for found in &proxy.types {
        let asked = match (found.wildcard, found.names) {
            (true, 0) => "all".to_owned(),
            (true, names) => format!("all, {names} by name"),
            (false, names) => format!("{names} by name"),
        };
        let counts = states.get(&*found.kind).into_iter().flatten();
        let counts: Vec<String> = counts.map(|(state, count)| format!("{count} {state}")).collect();
        let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "-".to_owned());
        lines.add_row([
            found.kind.clone(),
            shown(found),
            asked,
            if counts.is_empty() { "-".to_owned() } else { counts.join(", ") },
            found.sent.to_string(),
            found.acks.to_string(),
            version(&found.version),
            version(&found.acked_version),
            found.pending_since.as_deref().map_or_else(|| "-".to_owned(), age),
        ]);
    }
    paint(&lines);
}

fn more(all: usize) {
    if all > SHOWN {
        say(format_args!("… and {} more; -o json has them all", all - SHOWN));
    }
}

/// Prints a table, with states in colour where that can be seen.
fn paint(lines: &Listing) {
    let colours = [
        ("REJECTED", AnsiColor::Red),
        (REFUSED, AnsiColor::Red),
        ("ERROR", AnsiColor::Red),
        ("STALE", AnsiColor::Yellow),
        ("NOT_SENT", AnsiColor::Yellow),
    ];
    for line in table_lines(lines) {
        let painted = colours.iter().fold(line, |line, (word, colour)| {
            let style = Style::new().fg_color(Some((*colour).into()));
            line.replace(word, &format!("{style}{word}{style:#}"))
        });
        anstream::println!("{painted}");
    }
}

/// Two units at most, as kubectl does it.
fn age(since: &str) -> String {
    let Ok(since) = since.parse::<Timestamp>() else { return "-".to_owned() };
    let seconds = Timestamp::now().duration_since(since).as_secs().max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600, seconds / 60);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m{}s", seconds % 60),
        3_600..86_400 => format!("{hours}h{}m", minutes % 60),
        _ => format!("{days}d{}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units_at_most() {
        let ago = |seconds: i64| {
            let now = Timestamp::now();
            age(&Timestamp::from_second(now.as_second() - seconds).expect("a time").to_string())
        };
        assert!(["5s", "6s"].contains(&&*ago(5)), "{}", ago(5));
        assert!(ago(3_700).starts_with("1h1m"), "{}", ago(3_700));
        assert_eq!(ago(2 * 86_400 + 3 * 3_600 + 60), "2d3h");
        assert_eq!(age("never"), "-");
    }
}
