use super::*;
use crate::Authority;
use crate::testing::{TestFederation, make};

/// `a` has shop/web, `b` needs its mirror.
fn engine() -> Engine {
    TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .member("b", "eu", "10.1.0.0/16", "10.97.0.0/16")
        .service_object("a", make::service("shop/web", "http:80", "10.96.0.1"))
        .endpoints("a", "shop/web", &["10.0.0.1"])
        .engine(make::at(1))
}

fn violations(engine: &Engine) -> Vec<(&'static str, usize)> {
    check(engine)
        .into_iter()
        .map(|check| (check.name, check.violations))
        .filter(|(_, violations)| *violations > 0)
        .collect()
}

#[test]
fn an_engine_whose_stages_follow_has_no_violation() {
    let engine = engine();
    assert_eq!(violations(&engine), []);
    assert!(check(&engine).iter().all(|check| check.compared > 0), "{:?}", check(&engine));
}

#[test]
fn nothing_is_checked_before_the_hubs_lists_are_complete() {
    assert_eq!(check(&Engine::new(TestFederation::config(Authority::Own))), []);
}

#[test]
fn a_stage_that_missed_something_is_found_and_named() {
    let mut missed = engine();
    missed.vips = VipTable::default();
    assert_eq!(violations(&missed), [("virtual IPs", 1)]);
    let mut missed = engine();
    missed.services = Services::default();
    assert_eq!(violations(&missed), [("merged services", 1), ("rankings", 1)]);
    let services = check(&missed).into_iter().next().unwrap();
    assert_eq!(services.examples, ["shop/web: missing in the engine"]);
}

#[test]
fn violations_are_counted_and_the_first_are_named() {
    let table = |value: usize| (0..100_usize).map(|key| (format!("{key:03}"), value)).collect();
    let found = compare("numbers", table(1), table(2));
    assert_eq!((found.compared, found.violations, found.examples.len()), (100, 100, MAX_EXAMPLES));
    assert_eq!(found.examples[0], "000: the engine has another value");
}
