//! Names and patterns at their bounds.

use crate::model::{ClusterId, MAX_LABEL_LEN, NameError, NamespacePattern, Network, ServiceKey, Zone};

#[test]
fn labels_have_63_bytes_at_most() {
    let longest = "a".repeat(MAX_LABEL_LEN);
    let too_long = "a".repeat(MAX_LABEL_LEN + 1);
    assert_eq!(ClusterId::new(&longest).map(|id| id.to_string()), Ok(longest.clone()));
    let error = Err(NameError::TooLong { found: 64, max: 63 });
    assert_eq!(ClusterId::new(&too_long), error);
    assert_eq!(ServiceKey::new("shop", &too_long), Err(NameError::TooLong { found: 64, max: 63 }));
    assert_eq!(ServiceKey::new(&too_long, "web"), Err(NameError::TooLong { found: 64, max: 63 }));
    assert!(ServiceKey::new(&longest, &longest).is_ok());
}

#[test]
fn labels_are_lower_case_rfc_1123() {
    for bad in ["-a", "a-", "A", "a.b", "a_b", "ä", "a b", "-"] {
        assert!(matches!(ClusterId::new(bad), Err(NameError::NotALabel { .. })), "{bad:?}");
    }
    assert_eq!(ClusterId::new(""), Err(NameError::Empty));
    for good in ["a", "0", "a-b", "a--b", "1a"] {
        assert!(ClusterId::new(good).is_ok(), "{good:?}");
    }
}

#[test]
fn places_are_any_label_value() {
    let long = "z".repeat(64);
    assert_eq!(Zone::new(&long), Err(NameError::TooLong { found: 64, max: 63 }));
    assert_eq!(Zone::new(""), Err(NameError::Empty));
    assert!(Zone::new("eu-west-1A.x_y").is_ok() && Network::new(&long[1..]).is_ok());
}

#[test]
fn patterns_are_names_or_prefixes() {
    let matches = |pattern: &str, namespace: &str| {
        NamespacePattern::new(pattern).unwrap_or_else(|error| panic!("{pattern:?} {error}")).matches(namespace)
    };
    assert!(matches("shop", "shop") && !matches("shop", "shop-a") && !matches("shop", "sho"));
    assert!(matches("shop*", "shop") && matches("shop*", "shop-a") && !matches("shop*", "my-shop"));
    assert!(matches("shop-*", "shop-a") && !matches("shop-*", "shop"));
    assert!(matches("*", "anything"));

    let long = "a".repeat(63);
    assert!(matches(&long, &long) && matches(&format!("{long}*"), &long));
    for bad in ["", "**", "a*b", "*a", "Shop", "a.b", "a b", &"a".repeat(64), &format!("{}*", "a".repeat(64))] {
        let error = NamespacePattern::new(bad);
        assert!(error.is_err_and(|error| error.found == *bad), "{bad:?}");
    }
}
