//! `ServiceExport` where only the version before the current one is served (MCS API before v0.3): the same object.

use std::borrow::Cow;

use federation::model::{Export, ServiceKey};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use crate::api::{MCS_VERSIONS, ServiceExport};
use crate::convert::{Convert, Converted};

#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct OldServiceExport(ServiceExport);

impl Resource for OldServiceExport {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        ServiceExport::kind(&())
    }
    fn group((): &()) -> Cow<'_, str> {
        ServiceExport::group(&())
    }
    fn version((): &()) -> Cow<'_, str> {
        let [_, old] = MCS_VERSIONS;
        old.into()
    }
    fn plural((): &()) -> Cow<'_, str> {
        ServiceExport::plural(&())
    }
    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

impl Convert for OldServiceExport {
    type Model = Export;

    fn convert(&self) -> Converted<Export> {
        self.0.convert()
    }
    fn key_of(meta: &ObjectMeta) -> Option<ServiceKey> {
        ServiceExport::key_of(meta)
    }
}
