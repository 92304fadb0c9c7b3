//! EndpointSlices as YAML, as the endpoint controller would leave them in all the states a pod goes through.

/// A pod, as far as an EndpointSlice knows it.
#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub ip: String,
    pub zone: &'static str,
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    /// The slice says nothing, which counts as ready (API reference of `EndpointConditions`).
    Unsaid,
    NotReady,
    /// Terminating, and still serving.
    Terminating,
    /// Terminating, and serving no more.
    Ended,
}

impl Pod {
    pub(super) fn new(ip: impl Into<String>, zone: &'static str, state: State) -> Self {
        Self { ip: ip.into(), zone, state }
    }
}

/// A slice of `service` in the namespace `shop`; `ports` in YAML flow style, without the brackets.
pub(super) fn slice(name: &str, service: &str, ports: &str, pods: &[Pod]) -> String {
    let pods: Vec<String> = pods.iter().map(endpoint).collect();
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}, namespace: shop, labels: {{kubernetes.io/service-name: {service}}}}}\n\
         addressType: IPv4\nports: [{ports}]\nendpoints: [{}]\n",
        pods.join(", ")
    )
}

fn endpoint(Pod { ip, zone, state }: &Pod) -> String {
    let conditions = match state {
        State::Ready => "{ready: true, serving: true, terminating: false}",
        State::Unsaid => "{}",
        State::NotReady => "{ready: false, serving: false, terminating: false}",
        State::Terminating => "{ready: false, serving: true, terminating: true}",
        State::Ended => "{ready: false, serving: false, terminating: true}",
    };
    format!("{{addresses: ['{ip}'], zone: {zone}, conditions: {conditions}}}")
}
