//! The bootstrap file of one Envoy.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::{EnvoySpec, EnvoyTls};

const XDS_CLUSTER: &str = "xds";
const TLS: &str = "envoy.extensions.transport_sockets.tls.v3";
const HTTP_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// What it refers to is written into `folder`.
pub(super) fn bootstrap(spec: &EnvoySpec, admin: SocketAddr, folder: &Path) -> Value {
    let token = spec.token.iter();
    let initial_metadata: Vec<Value> =
        token.map(|token| json!({"key": "authorization", "value": format!("Bearer {token}")})).collect();
    let mut clusters = vec![xds_cluster(&spec.xds, spec.tls.as_ref(), folder)];
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

fn xds_cluster(servers: &[SocketAddr], tls: Option<&EnvoyTls>, folder: &Path) -> Value {
    let endpoints: Vec<Value> =
        servers.iter().map(|server| json!({"endpoint": {"address": socket(*server)}})).collect();
    let mut cluster = json!({
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
    });
    if let Some(tls) = tls {
        cluster["transport_socket"] = transport_socket(tls, folder);
    }
    cluster
}

/// As docs/tls.md shows it: files named by a file of secrets, so that Envoy follows them.
fn transport_socket(tls: &EnvoyTls, folder: &Path) -> Value {
    let write = |name: &str, content: &str| {
        let file = folder.join(name);
        std::fs::write(&file, content).unwrap_or_else(|error| panic!("write {}: {error}", file.display()));
        json!({"filename": file})
    };
    let secret = |name: &str, kind: &str, content: Value| {
        let secret = json!({"@type": format!("type.googleapis.com/{TLS}.Secret"), "name": name, kind: content});
        let file = write(&format!("{name}.json"), &json!({"resources": [secret]}).to_string());
        let path = json!({"path": file["filename"], "watched_directory": {"path": folder}});
        json!({"name": name, "sds_config": {"path_config_source": path, "resource_api_version": "V3"}})
    };
    let watched = json!({"path": folder});
    let names = [json!({"san_type": "DNS", "matcher": {"exact": tls.server_name}})];
    let trusts = json!({
        "trusted_ca": write("ca.crt", &tls.trusts),
        "watched_directory": watched,
        "match_typed_subject_alt_names": names,
    });
    let mut context = json!({
        "alpn_protocols": ["h2"],
        "validation_context_sds_secret_config": secret("control-plane", "validation_context", trusts),
    });
    if let Some((cert, key)) = &tls.identity {
        let own = json!({
            "certificate_chain": write("tls.crt", cert),
            "private_key": write("tls.key", key),
            "watched_directory": watched,
        });
        context["tls_certificate_sds_secret_configs"] = json!([secret("own", "tls_certificate", own)]);
    }
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": format!("type.googleapis.com/{TLS}.UpstreamTlsContext"),
            "sni": tls.server_name,
            "common_tls_context": context,
        },
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn list(yaml: Option<&str>) -> Vec<Value> {
    yaml.map(|yaml| serde_saphyr::from_str(yaml).expect("a YAML list of Envoy resources")).unwrap_or_default()
}
