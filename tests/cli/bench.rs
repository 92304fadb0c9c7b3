//! `isthmus bench` in miniature: that it measures what it reports, by counts; no time is asserted here.

use serde_json::Value;

use crate::harness::run;

const SERVICES: u64 = 50;
const CLIENTS: u64 = 5;
/// A tiny world, and changes that a busy machine can make in time.
const TINY: [&str; 8] =
    ["bench", "--json", "--services=50", "--endpoints=4", "--namespaces=3", "--clients=5", "--changes=5", "--for=2s"];

async fn bench(args: &[&str]) -> Value {
    let output = run(&[&TINY, args].concat()).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors} {}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

fn names(document: &Value) -> Vec<&str> {
    document["scenarios"].as_array().unwrap().iter().map(|outcome| outcome["scenario"].as_str().unwrap()).collect()
}

/// The figures of a scenario.
fn figures<'a>(document: &'a Value, scenario: &str) -> &'a Value {
    let mut all = document["scenarios"].as_array().unwrap().iter();
    let outcome = all.find(|outcome| outcome["scenario"] == scenario);
    let outcome = outcome.unwrap_or_else(|| panic!("no {scenario} in {document:#}"));
    assert_eq!(outcome["problems"], serde_json::json!([]), "{scenario}");
    &outcome["figures"]
}

/// A figure that must have been measured, whatever it is.
fn measured(figures: &Value, key: &str) {
    assert!(figures[key].as_f64().is_some_and(|value| value > 0.0), "{key} in {figures:#}");
}

#[tokio::test]
async fn the_cheap_scenarios_are_what_runs_unasked() {
    let document = bench(&[]).await;
    assert_eq!(names(&document), ["start", "cold", "change", "add", "resume", "floor"]);
    assert_eq!(document["profile"], "debug", "tests do not run what is meant to be measured");
    assert!(document["cores"].as_u64().is_some_and(|cores| cores > 0));
    assert!(document["cores_of_others"].as_f64().is_some_and(|cores| cores >= 0.0));
    assert_eq!((&document["world"]["services"], &document["world"]["clusters"]), (&SERVICES.into(), &3.into()));
    assert_eq!((&document["clients"]["variant"], &document["clients"]["subscribe"]), (&"delta".into(), &"all".into()));

    let start = figures(&document, "start");
    assert_eq!((&start["client_cds"], &start["client_eds"]), (&(SERVICES + 2).into(), &SERVICES.into()));
    assert_eq!(start["client_lds"], SERVICES + 1, "one for each virtual IP, and the one behind interception");
    for key in ["synced_ms", "first_complete_ms", "idle_bytes", "server_cpu_ms"] {
        measured(start, key);
    }

    let cold = figures(&document, "cold");
    assert_eq!(cold["clients"], CLIENTS);
    assert!(cold["resources_per_client"].as_u64() > Some(3 * SERVICES), "{cold:#}");
    assert_eq!(cold["received_bytes"], cold["server_sent_bytes"], "both ends count the same");
    for key in ["complete_max_ms", "server_cpu_ms", "after_bytes", "peak_bytes", "per_client_received_bytes"] {
        measured(cold, key);
    }

    let change = figures(&document, "change");
    assert_eq!((&change["changes"], &change["clients_per_change"]), (&5.into(), &5.0.into()));
    assert_eq!(change["messages_per_delivery"], 1.0, "one change, one message to each");
    assert_eq!(change["encoded_per_change"], 1.0, "encoded once for all clients");
    for key in ["first_p50_ms", "last_p99_ms", "server_cpu_per_change_ms", "per_delivery_bytes"] {
        measured(change, key);
    }

    measured(figures(&document, "add"), "last_max_ms");
    let resume = figures(&document, "resume");
    assert_eq!((&resume["clients"], &resume["resources_sent_again"]), (&CLIENTS.into(), &0.into()));

    let floor = figures(&document, "floor");
    assert_eq!((&floor["changes"], &floor["messages_per_delivery"]), (&5.into(), &1.0.into()));
    let (of_floor, of_change) =
        (floor["per_delivery_bytes"].as_f64().unwrap(), change["per_delivery_bytes"].as_f64().unwrap());
    assert!((of_floor - of_change).abs() < 40.0, "to compare them, they must be as large: {of_floor} and {of_change}");
}

#[tokio::test]
async fn a_crowd_that_went_through_a_lot_ends_where_fresh_clients_begin() {
    for args in [&["--classes=4"][..], &["--subscribe=7", "--tcp-percent=30"]] {
        let document =
            bench(&[&["--scenario=churn", "--scenario=soak", "--rate=40", "--stalled=2"], args].concat()).await;
        assert_eq!(names(&document), ["churn", "soak"]);
        let churn = figures(&document, "churn");
        assert!(churn["changes"].as_u64() > Some(10), "{churn:#}");
        assert_eq!(churn["stalled"], 2, "{churn:#}");
        let (first, last) = (&churn["first_changes"], &churn["last_changes"]);
        assert!(first.as_u64() > Some(0) && last.as_u64() > Some(0), "{churn:#}");
        let soak = figures(&document, "soak");
        for key in ["changes", "added", "reconnected", "told_to_reject", "resources_compared", "last_bytes"] {
            measured(soak, key);
        }
        assert_eq!((&soak["compared"], &soak["differences"]), (&CLIENTS.into(), &0.into()));
        for figures in [churn, soak] {
            assert_eq!(figures["violations"], 0, "{figures:#}");
            assert!(figures["invariants_compared"].as_u64() > Some(0), "{figures:#}");
        }
    }
}

#[tokio::test]
async fn clusters_on_demand_and_state_of_the_world_are_measured_too() {
    let document = bench(&["--subscribe=7", "--scenario=start", "--scenario=change", "--scenario=add"]).await;
    let start = figures(&document, "start");
    assert_eq!((&start["client_cds"], &start["client_eds"]), (&9.into(), &7.into()), "its own and the built-in ones");
    let change = figures(&document, "change");
    assert!(change["clients_per_change"].as_f64().is_some_and(|clients| (1.0..5.0).contains(&clients)), "{change:#}");
    assert_eq!(change["messages_per_delivery"], 1.0, "no other client gets a message");
    assert_eq!(figures(&document, "add")["rounds"], 5);

    let document = bench(&["--variant=sotw", "--scenario=cold", "--scenario=change", "--scenario=resume"]).await;
    assert_eq!(figures(&document, "cold")["clients"], CLIENTS);
    assert_eq!(figures(&document, "change")["clients_per_change"], 5.0);
    // It cannot say what it has.
    assert!(figures(&document, "resume")["resources_sent_again"].as_u64() >= Some(SERVICES * CLIENTS));
}

#[tokio::test]
async fn clients_that_write_what_grpc_go_writes_receive_the_same() {
    let args =
        ["--client=grpc", "--rate=40", "--scenario=cold", "--scenario=change", "--scenario=resume", "--scenario=soak"];
    let document = bench(&args).await;
    assert_eq!(document["clients"]["client"], "grpc");
    let cold = figures(&document, "cold");
    assert_eq!(cold["clients"], CLIENTS);
    assert_eq!(cold["received_bytes"], cold["server_sent_bytes"], "both ends count the same");
    assert_eq!(figures(&document, "change")["messages_per_delivery"], 1.0, "one change, one message to each");
    assert_eq!(figures(&document, "resume")["resources_sent_again"], 0);
    let soak = figures(&document, "soak");
    assert_eq!((&soak["compared"], &soak["differences"]), (&CLIENTS.into(), &0.into()));
}

#[tokio::test]
async fn people_get_a_table_that_says_what_it_is_worth() {
    let output = run(&["bench", "--services=10", "--clients=1", "--scenario=start", "--scenario=cold"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in
        ["SCENARIO", "server and clients shared", "10 services with 10 endpoints each", "This is a debug build"]
    {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let refused = run(&["bench", "--services=10", "--subscribe=11"]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--subscribe is 11; expected at most"));
}
