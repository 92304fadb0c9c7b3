//! The CRDs as YAML, the way they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// All definitions as one YAML stream, ready for `kubectl apply -f -`.
pub fn render_crds() -> String {
    super::crds().iter().map(|crd| format!("---\n{}", render_crd(crd))).collect()
}

/// One definition as a YAML document. Deterministic: the same types give the same bytes.
pub fn render_crd(crd: &CustomResourceDefinition) -> String {
    // Neither step can fail for a value that our own types built; an empty document would be caught by the test
    // that compares the checked-in files.
    let mut value = serde_json::to_value(crd).unwrap_or_default();
    whole_numbers(&mut value);
    serde_saphyr::to_string(&value).unwrap_or_default()
}

/// The file in `manifests/crds/` that holds a definition.
pub fn file_name(crd: &CustomResourceDefinition) -> String {
    format!("{}.yaml", crd.spec.names.plural)
}

/// Bounds of schemas are floats in the Rust types; people write `maximum: 100`, not `100.0`.
fn whole_numbers(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Number(number) => {
            if let Ok(whole) = number.to_string().trim_end_matches(".0").parse::<i64>() {
                *number = whole.into();
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        _ => {}
    }
}
