use std::path::PathBuf;
use std::time::Duration;

use super::*;

const REGENERATE: &str = "regenerate with: UPDATE_MANIFESTS=1 cargo test -p clusters --lib api::tests";

/// What is installed is what the code understands.
#[test]
fn manifests() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../manifests/crds");
    for crd in crds() {
        let path = dir.join(file_name(&crd));
        let wanted = render_crd(&crd);
        if std::env::var_os("UPDATE_MANIFESTS").is_some() {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(&path, &wanted).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == wanted, "{} is not what the types say; {REGENERATE}", path.display());
    }
}

#[test]
fn names_are_those_of_the_surface() {
    let named: Vec<_> = crds()
        .into_iter()
        .map(|crd| {
            let names = crd.spec.names;
            (crd.spec.group, names.kind, names.plural, names.short_names.unwrap(), names.categories.unwrap())
        })
        .collect();
    let expected = [("Region", "regions", "rg"), ("MemberCluster", "memberclusters", "mc")]
        .into_iter()
        .chain([("FederationPolicy", "federationpolicies", "fp")])
        .map(|(kind, plural, short)| {
            (GROUP.into(), kind.into(), plural.into(), vec![short.into()], vec!["isthmus".to_owned()])
        })
        .collect::<Vec<(String, String, String, Vec<String>, Vec<String>)>>();
    assert_eq!(named, expected);
    for crd in crds() {
        assert_eq!(crd.spec.scope, "Cluster");
        assert_eq!(crd.spec.versions[0].name, VERSION);
        assert_eq!(format!("{GROUP}/{VERSION}"), API_VERSION);
    }
}

#[test]
fn every_list_and_string_of_a_spec_is_bounded() {
    fn walk(path: &str, schema: &serde_json::Value, unbounded: &mut Vec<String>) {
        let has = |key: &str| schema.get(key).is_some();
        match schema["type"].as_str() {
            Some("string") if !has("maxLength") && !has("enum") && !has("format") => unbounded.push(path.into()),
            Some("array") if !has("maxItems") => unbounded.push(path.into()),
            _ => {}
        }
        for (name, child) in schema["properties"].as_object().into_iter().flatten() {
            walk(&format!("{path}.{name}"), child, unbounded);
        }
        for key in ["items", "additionalProperties"] {
            if has(key) {
                walk(&format!("{path}.{key}"), &schema[key], unbounded);
            }
        }
    }
    let mut unbounded = Vec::new();
    for crd in crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        for part in ["spec", "status"] {
            walk(part, &schema["openAPIV3Schema"]["properties"][part], &mut unbounded);
        }
    }
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn printed_columns_of_members() {
    let columns = MemberCluster::crd().spec.versions.remove(0).additional_printer_columns.unwrap();
    let named = |wide: bool| {
        let columns = columns.iter().filter(move |column| column.priority.is_some_and(|priority| priority > 0) == wide);
        columns.map(|column| column.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(named(false), ["REGION", "READY", "REASON", "SERVICES", "ENDPOINTS", "SEEN", "AGE"]);
    assert_eq!(named(true), ["NETWORK", "TRAFFIC", "WEIGHT", "VERSION"], "with -o wide");
}

#[test]
fn durations() {
    let cases = [
        ("30s", Ok(Duration::from_secs(30))),
        ("5m", Ok(Duration::from_secs(300))),
        ("1h30m", Ok(Duration::from_secs(5_400))),
        ("1m500ms", Ok(Duration::from_millis(60_500))),
        ("0s", Ok(Duration::ZERO)),
        ("8784h", Ok(MAX_DURATION)),
        ("8785h", Err(DurationError::TooLong)),
        ("99999999999999999999s", Err(DurationError::TooLong)),
        ("18446744073709551615h", Err(DurationError::TooLong)),
        ("", Err(DurationError::Form)),
        ("30", Err(DurationError::Form)),
        ("s", Err(DurationError::Form)),
        ("1m1h", Err(DurationError::Form)),
        ("1m1m", Err(DurationError::Form)),
        ("1.5s", Err(DurationError::Form)),
        ("-1s", Err(DurationError::Form)),
        ("1 s", Err(DurationError::Form)),
        ("never", Err(DurationError::Form)),
        ("1d", Err(DurationError::Form)),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse(), expected.map(Period::After), "{text:?}");
    }
    assert_eq!("Never".parse(), Ok(Period::Never));
    for text in ["30s", "1h30m", "1m500ms", "0s", "Never"] {
        assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
    }
}

#[test]
fn fields_without_effect_are_named() {
    assert_eq!(not_in_effect(&FederationPolicySpec::default()), Vec::<&str>::new());
    let quiet = FederationPolicySpec {
        mirror: Some(Mirror { endpoint_slices: Some(false), prune_namespaces: Some(false) }),
        safety: Some(Safety { withdraw_after: Some("Never".into()), ..Safety::default() }),
        ..FederationPolicySpec::default()
    };
    assert_eq!(not_in_effect(&quiet), Vec::<&str>::new());
    let loud = FederationPolicySpec {
        mirror: Some(Mirror { endpoint_slices: Some(true), prune_namespaces: Some(true) }),
        failover: Some(Failover { min_healthy_percent: Some(70), ..Failover::default() }),
        safety: Some(Safety {
            demote_after: Some("30s".into()),
            withdraw_after: Some("1h".into()),
            max_loss_percent: Some(50),
            loss_window: Some("60s".into()),
        }),
        ..FederationPolicySpec::default()
    };
    let expected = [
        "spec.mirror.endpointSlices",
        "spec.mirror.pruneNamespaces",
        "spec.failover.minHealthyPercent",
        "spec.safety.demoteAfter",
        "spec.safety.withdrawAfter",
        "spec.safety.maxLossPercent",
        "spec.safety.lossWindow",
    ];
    assert_eq!(not_in_effect(&loud), expected);
}
