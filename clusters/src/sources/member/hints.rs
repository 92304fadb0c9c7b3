//! Hints quote text of objects and are shown in statuses: they must not quote the credential.

use std::borrow::Cow;
use std::sync::Arc;

use federation::change::{Change, Delta, MemberChanges};

use crate::foreign::Secrets;

/// The same changes with hints in which no credential is quoted.
pub(super) fn scrubbed(mut changes: MemberChanges, secrets: &Secrets) -> MemberChanges {
    match &mut changes {
        MemberChanges::Services(delta) => each(delta, |service| scrub(&mut service.hint, secrets)),
        MemberChanges::Namespaces(delta) => each(delta, |namespace| scrub(&mut namespace.hint, secrets)),
        _ => {}
    }
    changes
}

fn each<T: federation::change::Object>(delta: &mut Delta<T>, change: impl FnMut(&mut T)) {
    match delta {
        Delta::Full { objects, .. } => objects.iter_mut().for_each(change),
        Delta::Partial(changes) => {
            let put = changes.iter_mut().filter_map(|change| match change {
                Change::Put(object) => Some(object),
                Change::Delete(_) => None,
            });
            put.for_each(change);
        }
    }
}

fn scrub(hint: &mut Option<Arc<str>>, secrets: &Secrets) {
    if let Some(text) = hint
        && let Cow::Owned(scrubbed) = secrets.scrub(text)
    {
        *hint = Some(Arc::from(scrubbed));
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Namespace, Service};

    use super::*;
    use crate::convert::Convert as _;

    const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ";

    #[test]
    fn a_mark_that_is_the_credential_is_not_quoted() {
        let meta = format!(r#"{{"name":"web","namespace":"shop","labels":{{"isthmus.dev/federate":"{TOKEN}"}}}}"#);
        let service = format!(r#"{{"metadata":{meta},"spec":{{"clusterIP":"10.0.0.1","ports":[{{"port":80}}]}}}}"#);
        let service: Service = serde_json::from_str(&service).unwrap();
        let namespace: Namespace = serde_json::from_str(&format!(r#"{{"metadata":{meta}}}"#)).unwrap();
        let (service, namespace) = (service.convert().unwrap().object, namespace.convert().unwrap().object);
        let hint = service.as_ref().and_then(|service| service.hint.clone()).unwrap();
        assert!(hint.contains(TOKEN), "{hint}");
        let secrets = Secrets::new([TOKEN.as_bytes()]);
        for changes in [
            MemberChanges::Services(Delta::full(service.clone().into_iter().collect())),
            MemberChanges::Services(Delta::Partial(service.into_iter().map(Change::Put).collect())),
            MemberChanges::Namespaces(Delta::full(namespace.into_iter().collect())),
        ] {
            let text = format!("{:?}", scrubbed(changes, &secrets));
            assert!(text.contains("is \\\"[redacted]\\\""), "{text}");
        }
    }
}
