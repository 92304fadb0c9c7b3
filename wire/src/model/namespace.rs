//! Namespaces and exports.

use std::sync::Arc;

use federation::model::{Export, HelmRelease, Labels, Namespace, NamespaceObject, ServiceKey, Time};

use crate::codec::message;

message!(NamespaceObject {
    1 => name: Namespace,
    2 => uid: Arc<str>,
    3 => resource_version: Arc<str>,
    4 => labels: Labels,
    5 => terminating: bool,
    6 => hint: Option<Arc<str>>,
    7 => helm: Option<Arc<HelmRelease>>,
});

message!(HelmRelease { 1 => name: Arc<str>, 2 => namespace: Arc<str> });

message!(Export { 1 => key: ServiceKey, 2 => created: Time });
