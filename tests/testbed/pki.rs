//! Authorities and certificates for TLS between proxies and control planes.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// A certificate authority of its own.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    pub cert: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let made = KeyPair::generate().and_then(|key| CertifiedIssuer::self_signed(params, key));
        Self(made.expect("make a certificate authority"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// For this DNS name.
    pub fn sign(&self, name: &str) -> Identity {
        let make = || {
            let key = KeyPair::generate()?;
            let cert = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.0)?;
            Ok::<_, rcgen::Error>(Identity { cert: cert.pem(), key: key.serialize_pem() })
        };
        make().expect("sign a certificate")
    }
}
