//! Holds the certificate in use, and takes a new one only if it is good.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use clusters::problem::{ObjectName, Problem, ProblemBook, ProblemOrigin};
use regions::server::TlsSource;
use regions::stats::Counter;
use rustls::ServerConfig;
use tokio::sync::watch;

use super::material::{Material, Ready, Unusable};

/// The one writer of what new connections are offered.
pub struct Keeper {
    object: ObjectName,
    configs: watch::Sender<Option<Arc<ServerConfig>>>,
    in_use: Option<Material>,
    /// What is wrong with the one that was offered last.
    complaint: Option<Unusable>,
    problems: ProblemBook,
    status: Arc<Status>,
}

/// Its state, for pages and metrics.
#[derive(Debug, Default)]
pub struct Status {
    /// Zero: there is none.
    not_after_s: AtomicI64,
    /// Certificates taken into use, the first one included.
    pub taken: Counter,
    /// Certificates that could not be used.
    pub rejected: Counter,
}

impl Status {
    /// When the certificate in use ends, in seconds since 1970; `None` as long as there is none.
    pub fn not_after_s(&self) -> Option<i64> {
        Some(self.not_after_s.load(Relaxed)).filter(|seconds| *seconds != 0)
    }
}

impl Keeper {
    /// `object`: what messages call it.
    pub fn new(object: ObjectName, problems: ProblemBook) -> (Self, TlsSource) {
        let (configs, receiver) = watch::channel(None);
        let status = Arc::default();
        let keeper = Self { object, configs, in_use: None, complaint: None, problems, status };
        (keeper, TlsSource::new(receiver))
    }

    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status)
    }

    /// Looks at what is there now. The same may be offered any number of times.
    pub fn offer(&mut self, found: Result<Material, Unusable>) -> Result<(), Unusable> {
        let taken = found.and_then(|material| {
            // What is in use needs no second look; what was not valid yet may be by now.
            if self.in_use.as_ref() != Some(&material) {
                self.asks_as_before(&material)?;
                let ready = material.ready()?;
                self.take(material, ready);
            }
            Ok(())
        });
        self.tell(taken.as_ref().err());
        taken
    }

    /// A Secret that lost its CA, by a slip or by another issuer, must not let every client in.
    fn asks_as_before(&self, next: &Material) -> Result<(), Unusable> {
        let asked = self.in_use.as_ref().is_some_and(|before| before.client_ca.is_some());
        if !asked || next.client_ca.is_some() {
            return Ok(());
        }
        let expected = "the clients' CA, as before; to serve without one, restart";
        Err(Unusable { field: next.fields.client_ca, found: "nothing".to_owned(), expected })
    }

    fn take(&mut self, material: Material, Ready { config, not_after_s }: Ready) {
        let clients =
            if material.client_ca.is_some() { "must prove who they are" } else { "are not asked who they are" };
        tracing::info!(certificate = %self.object, not_after_s, clients, "new connections get this certificate");
        self.in_use = Some(material);
        self.configs.send_replace(Some(config));
        self.status.not_after_s.store(not_after_s, Relaxed);
        self.status.taken.inc();
    }

    /// Says what is wrong, once.
    fn tell(&mut self, complaint: Option<&Unusable>) {
        if self.complaint.as_ref() == complaint {
            return;
        }
        self.complaint = complaint.cloned();
        let problem = complaint.map(|Unusable { field, found, expected }| {
            self.status.rejected.inc();
            Problem::new(&self.object, *field, found, *expected)
        });
        if let Some(problem) = &problem {
            let then = if self.in_use.is_some() { "the one before stays" } else { "TLS clients are refused" };
            tracing::warn!(%problem, then, "the certificate cannot be used");
        }
        self.problems.set(&ProblemOrigin::Hub, &self.object, problem.into_iter().collect());
    }
}
