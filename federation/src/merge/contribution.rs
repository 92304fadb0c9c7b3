//! What one member contributes to a service.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::addresses::Rules;
use crate::explain::SelectedBy;
use crate::model::{ClusterId, Node, RankingRule, Time};
use crate::packed::{PackedService, PackedSlice};

/// One cluster's part in a service.
pub(crate) struct Contribution<'a> {
    pub cluster: &'a ClusterId,
    pub service: &'a PackedService,
    /// When it was exported: the `ServiceExport`'s creation, else the Service's own.
    pub exported: Time,
    pub slices: Vec<&'a PackedSlice>,
    /// Of the same cluster: the zones of endpoints that have none of their own.
    pub nodes: &'a BTreeMap<Arc<str>, Node>,
    pub rule: &'a Arc<RankingRule>,
    /// Why it takes part.
    pub by: SelectedBy,
    pub addresses: Rules<'a>,
}
