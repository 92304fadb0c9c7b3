//! The keys and certificates of one throw-away cluster.

use std::net::IpAddr;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

/// All PEM. Validity is rcgen's default, which outlasts every test: nothing here
/// survives the cluster it was made for.
pub struct ClusterCerts {
    pub ca: String,
    pub serving_cert: String,
    pub serving_key: String,
    /// Signs service-account tokens.
    pub account_key: String,
    pub account_public_key: String,
}

/// A CA of its own for each cluster, as in life: a client that mixes up two
/// clusters fails the TLS handshake instead of reading the wrong one.
pub fn make(cluster: &str, addresses: &[IpAddr]) -> Result<ClusterCerts, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, format!("{cluster} CA"));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

    let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    let mut params = CertificateParams::new(names.map(str::to_owned))?;
    params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
    params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let serving = params.signed_by(&key, &ca)?;

    let account = KeyPair::generate()?;
    Ok(ClusterCerts {
        ca: ca.pem(),
        serving_cert: serving.pem(),
        serving_key: key.serialize_pem(),
        account_key: account.serialize_pem(),
        account_public_key: account.public_key_pem(),
    })
}
