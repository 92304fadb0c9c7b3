//! Requests of both variants, reduced to what matters.

use std::collections::HashMap;

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use envoy_types::pb::google::rpc::Status;

use super::Refusal;
use crate::resource::ResourceType;

/// A request for one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub resource_type: ResourceType,
    /// Of the response that this one answers; empty if none.
    pub nonce: String,
    /// Set if that response was rejected. Nothing else makes a NACK.
    pub error: Option<String>,
    pub ask: Ask,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// All names that are wanted; `returning`: the client has something of the type, with a version.
    Sotw { names: Vec<String>, returning: bool },
    /// What changed about the names that are wanted; `known`: name and version of what the client has from before.
    Delta { subscribe: Vec<String>, unsubscribe: Vec<String>, known: HashMap<String, String> },
}

impl Request {
    /// `Ok(None)`: a type that is not served here. The stream stays open for the others.
    pub fn sotw(request: DiscoveryRequest) -> Result<Option<Self>, Refusal> {
        let DiscoveryRequest { type_url, response_nonce, error_detail, resource_names, version_info, .. } = request;
        let ask = Ask::Sotw { names: resource_names, returning: !version_info.is_empty() };
        Self::new(&type_url, response_nonce, error_detail, ask)
    }

    /// See [`Request::sotw`].
    pub fn delta(request: DeltaDiscoveryRequest) -> Result<Option<Self>, Refusal> {
        let ask = Ask::Delta {
            subscribe: request.resource_names_subscribe,
            unsubscribe: request.resource_names_unsubscribe,
            known: request.initial_resource_versions,
        };
        Self::new(&request.type_url, request.response_nonce, request.error_detail, ask)
    }

    /// Whether it may be more than an answer. State of the world names everything again in each.
    pub(super) fn asks(&self) -> bool {
        match &self.ask {
            Ask::Sotw { .. } => true,
            Ask::Delta { subscribe, unsubscribe, known } => {
                !(subscribe.is_empty() && unsubscribe.is_empty() && known.is_empty())
            }
        }
    }

    fn new(type_url: &str, nonce: String, error: Option<Status>, ask: Ask) -> Result<Option<Self>, Refusal> {
        if type_url.is_empty() {
            return Err(Refusal::NoType);
        }
        let error = error.map(|status| status.message);
        Ok(ResourceType::from_url(type_url).map(|resource_type| Self { resource_type, nonce, error, ask }))
    }
}
