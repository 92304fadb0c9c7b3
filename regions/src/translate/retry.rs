//! Which requests Envoy repeats, and where: what bridges the time until Kubernetes has noticed that a backend is gone.

use std::time::Duration;

use envoy_types::pb::envoy::config::route::v3 as pb;
use envoy_types::pb::envoy::config::route::v3::retry_policy::{
    RetryBackOff, RetryHostPredicate, RetryPriority, retry_host_predicate, retry_priority,
};
use envoy_types::pb::envoy::extensions::retry::host::previous_hosts::v3::PreviousHostsPredicate;
use envoy_types::pb::envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig;

use super::proto::{any, duration, u32_value};

/// Only requests that no backend has begun to work on, so repeating them is safe for every method.
const RETRY_ON: &str = "connect-failure,refused-stream,reset-before-request";
/// Enough for two hosts in each of eight tiers. More than the nearest eight tiers, all dead and none of it noticed, is not
/// worth the time that it takes to try them.
const RETRIES: u32 = 15;
/// How often a retry may draw another host while it draws one that just failed.
const HOST_DRAWS: i64 = 5;
/// After this many failed attempts a retry counts the priorities it tried as empty: two dead hosts of the own zone are
/// enough to look further, without waiting for Kubernetes to notice that the zone is gone.
const PRIORITY_UPDATE: i32 = 2;
const BACK_OFF_BASE: Duration = Duration::from_millis(10);

/// The policy of every HTTP cluster.
pub(super) fn policy() -> pb::RetryPolicy {
    let other_hosts = RetryHostPredicate {
        // Envoy finds extensions by the type of their configuration; the names are as short as may be.
        name: "previous_hosts".to_owned(),
        config_type: Some(retry_host_predicate::ConfigType::TypedConfig(any(&PreviousHostsPredicate::default()))),
    };
    let other_priorities = RetryPriority {
        name: "previous_priorities".to_owned(),
        config_type: Some(retry_priority::ConfigType::TypedConfig(any(&PreviousPrioritiesConfig {
            update_frequency: PRIORITY_UPDATE,
        }))),
    };
    pb::RetryPolicy {
        retry_on: RETRY_ON.to_owned(),
        num_retries: u32_value(RETRIES),
        retry_host_predicate: vec![other_hosts],
        host_selection_retry_max_attempts: HOST_DRAWS,
        retry_priority: Some(other_priorities),
        retry_back_off: Some(RetryBackOff { base_interval: duration(BACK_OFF_BASE), ..RetryBackOff::default() }),
        ..pb::RetryPolicy::default()
    }
}
