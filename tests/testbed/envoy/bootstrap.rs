//! The bootstrap file of one Envoy.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::EnvoySpec;

const XDS_CLUSTER: &str = "xds";
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

pub(super) fn bootstrap(spec: &EnvoySpec, admin: SocketAddr) -> Value {
    let token = spec.token.iter();
    let initial_metadata: Vec<Value> =
        token.map(|token| json!({"key": "authorization", "value": format!("Bearer {token}")})).collect();
    let mut clusters = vec![xds_cluster(&spec.xds)];
    clusters.extend(list(spec.static_clusters.as_deref()));
    let ads = json!({
        "ads": {},
        "resource_api_version": "V3",
        "initial_fetch_timeout": format!("{}s", spec.first_config_limit.as_secs_f64()),
    });
    json!({
        "node": {
            "id": spec.node_id,
            "cluster": spec.cluster,
            "locality": {"region": spec.region, "zone": spec.zone},
            "metadata": spec.metadata,
        },
        "admin": {"address": socket(admin)},
        "dynamic_resources": {
            "ads_config": {
                "api_type": if spec.delta { "DELTA_GRPC" } else { "GRPC" },
                "transport_api_version": "V3",
                "set_node_on_first_message_only": true,
                "grpc_services": [{
                    "envoy_grpc": {"cluster_name": XDS_CLUSTER},
                    "initial_metadata": initial_metadata,
                }],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {
            "listeners": list(spec.static_listeners.as_deref()),
            "clusters": clusters,
        },
    })
}

fn xds_cluster(servers: &[SocketAddr]) -> Value {
    let endpoints: Vec<Value> =
        servers.iter().map(|server| json!({"endpoint": {"address": socket(*server)}})).collect();
    json!({
        "name": XDS_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        // A control plane that vanished without a word is noticed in seconds.
        "typed_extension_protocol_options": {
            HTTP_OPTIONS: {
                "@type": format!("type.googleapis.com/{HTTP_OPTIONS}"),
                "explicit_http_config": {
                    "http2_protocol_options": {"connection_keepalive": {"interval": "5s", "timeout": "2s"}},
                },
            },
        },
        "load_assignment": {"cluster_name": XDS_CLUSTER, "endpoints": [{"lb_endpoints": endpoints}]},
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn list(yaml: Option<&str>) -> Vec<Value> {
    yaml.map(|yaml| serde_saphyr::from_str(yaml).expect("a YAML list of Envoy resources")).unwrap_or_default()
}
