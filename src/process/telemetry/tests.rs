use std::io;

use clusters::foreign::is_hidden;

use super::capture::logged;
use super::*;

#[test]
fn libraries_talk_only_when_asked_by_name() {
    assert_eq!(with_quiet_libraries("trace"), "kube_client=error,kube_runtime=error,trace");
    assert_eq!(with_quiet_libraries("kube_client=debug"), "kube_runtime=error,kube_client=debug");
}

const FORGED: &str = "no\n2026-11-30T21:00:02Z  WARN all is well\u{1b}[2J\u{9b}31m\u{202e}\u{2028}\u{200b}";

fn talk_of(text: &str) {
    let error = io::Error::other(text.to_owned());
    tracing::warn!(node = text, %error, "rejected: {text}");
    tracing::warn!(error = &error as &dyn std::error::Error, kind = ?text, "twice");
    let span = tracing::info_span!("inside", text);
    span.in_scope(|| tracing::info!("there"));
}

#[test]
fn no_text_forges_a_line_or_hides_in_one() {
    for format in [LogFormat::Human, LogFormat::Json] {
        let log = logged(format, || talk_of(FORGED));
        assert_eq!(log.lines().count(), 3, "{log}");
        assert!(!log.chars().any(|c| is_hidden(c) && c != '\n'), "{format:?}: {log:?}");
        for line in log.lines() {
            let stamp = if format == LogFormat::Json { "{\"timestamp\":\"2" } else { "2" };
            assert!(line.starts_with(stamp), "{line}");
        }
    }
    let log = logged(LogFormat::Human, || tracing::warn!(node = "web-1", count = 3, "rejected"));
    assert!(log.ends_with("  WARN rejected node=\"web-1\" count=3\n"), "{log}");
}

#[test]
fn a_line_of_a_megabyte_is_cut_for_people() {
    let log = logged(LogFormat::Human, || talk_of(&"x".repeat(1 << 20)));
    assert!(log.len() < 8 * format::MAX_VALUE_LEN, "{}", log.len());
    assert!(log.contains("bytes)"), "and says so");
}

#[test]
fn what_was_left_out_is_counted_in_the_next_line() {
    let before = suppressed();
    for format in [LogFormat::Human, LogFormat::Json] {
        let log = logged(format, || {
            for i in 0..500 {
                tracing::warn!(peer = %format_args!("10.0.0.1:{i}"), "flood");
                tracing::debug!(peer = "10.0.0.1", "asked for");
            }
            tracing::warn!(peer = "10.0.0.2", "another");
        });
        assert_eq!(log.matches("flood").count(), BURST as usize, "{log}");
        assert_eq!(log.matches("asked for").count(), 500, "debug lines are asked for");
        assert_eq!(log.matches("another").count(), 1);
    }
    assert!(suppressed() - before >= 2 * (500 - u64::from(BURST)));
}

#[test]
fn peers_are_counted_by_address_and_without_one_by_name() {
    let count = |talk: &dyn Fn(u32)| {
        let log = logged(LogFormat::Human, || (0..4 * BURST).for_each(talk));
        log.lines().count()
    };
    let (one, all) = (BURST as usize, 4 * BURST as usize);
    assert_eq!(count(&|i| tracing::warn!(peer = %format_args!("[fd00::1]:{i}"), node = i, "line")), one);
    assert_eq!(count(&|i| tracing::warn!(address = %format_args!("10.0.0.{i}:80"), node = "a", "line")), all);
    assert_eq!(count(&|i| tracing::warn!(node = %i, "line")), all);
    assert_eq!(count(&|i| tracing::warn!(cluster = "eu-1", count = i, "line")), one);
    assert_eq!(count(&|_| tracing::warn!("line")), one, "a line about no peer");
}
