//! The certificate of a region's control plane as a Secret in the hub: it may come late, change, and go.

use std::time::Duration;

use base64::Engine as _;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::DeleteParams;

use crate::harness::{Federation, Isthmus, SOON, Source, objects};
use crate::testbed::pki::{Authority, Identity};
use crate::testbed::{Envoy, EnvoySpec, eventually, http, ports};

const SECRET: &str = "isthmus-region-eu-tls";
const NAME: &str = "isthmus-region-eu.isthmus-system";
const LIVE_LIMIT: Duration = Duration::from_secs(60);
const FOR_EVER: Duration = Duration::from_secs(3_600);
const PAGE_LIMIT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_in_a_secret_is_awaited_followed_and_outlived() {
    let federation = Federation::start(&[]).await;
    federation.hub.apply(&objects::region("eu", &[])).await;
    let at = format!("127.0.0.1:{}", ports::free());
    let flags = [format!("--tls-secret={SECRET}"), format!("--xds-tls={at}")];
    let hub = federation.hub_kubeconfig("isthmus-region");
    let mut region = Isthmus::region_with("eu", Source::Hub(&hub), &flags);
    reported(&region, "metadata.name").await;
    let ready = http::get(region.admin(), "localhost", "/readyz", PAGE_LIMIT).await.unwrap();
    assert_eq!(ready.status, 503);
    assert!(ready.body.starts_with("waiting for a certificate"), "{}", ready.body);

    let (first, second, clients) = (Authority::new("first"), Authority::new("second"), Authority::new("clients"));
    federation.hub.apply(&secret(&first.sign(NAME), Some(&clients))).await;
    region.wait_ready().await;
    let proxy = clients.sign("proxy");
    let envoy = async |octet: u8, trusts: &Authority| {
        let spec = EnvoySpec::new("proxy", "eu", "eu-a", at.parse().unwrap());
        let spec = spec.metadata("LISTEN", format!("127.15.0.{octet}"));
        let spec = spec.tls(NAME, &trusts.pem(), Some((&proxy.cert, &proxy.key)));
        Envoy::start(EnvoySpec { first_config_limit: FOR_EVER, ..spec }).await
    };
    envoy(1, &first).await.wait_live(LIVE_LIMIT).await;

    federation.hub.apply(&secret(&second.sign(NAME), Some(&clients))).await;
    let mut late = envoy(2, &second).await;
    late.wait_live(LIVE_LIMIT).await;

    // Neither of these admits a client that was refused before, nor refuses one that was admitted.
    let secrets: Api<Secret> = Api::namespaced(federation.hub.client(), "isthmus-system");
    secrets.delete(SECRET, &DeleteParams::default()).await.unwrap();
    reported(&region, "metadata.name").await;
    late.restart().await;
    late.wait_live(LIVE_LIMIT).await;
    federation.hub.apply(&secret(&second.sign(NAME), None)).await;
    reported(&region, "data[ca.crt]").await;
    late.restart().await;
    late.wait_live(LIVE_LIMIT).await;

    assert_eq!(region.metrics().await["isthmus_tls_certificates_taken_total"], 2.0);
    assert_eq!(region.stop().await, Some(0));
}

/// As cert-manager writes it.
fn secret(identity: &Identity, clients: Option<&Authority>) -> String {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let client_ca = clients.map(|authority| format!(", ca.crt: {}", encode(&authority.pem()))).unwrap_or_default();
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {SECRET}, namespace: isthmus-system}}\n\
         type: kubernetes.io/tls\ndata: {{tls.crt: {}, tls.key: {}{client_ca}}}\n",
        encode(&identity.cert),
        encode(&identity.key)
    )
}

/// Waits until the certificate's problem is this field.
async fn reported(region: &Isthmus, field: &str) {
    eventually(&format!("{field} is reported"), SOON, async || {
        let page = http::get(region.admin(), "localhost", "/debug/problems", PAGE_LIMIT).await?.body;
        if page.contains("TLS Secret") && page.contains(field) { Ok(()) } else { Err(page) }
    })
    .await;
}
