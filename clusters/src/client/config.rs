//! How the hub is reached: a kubeconfig file of the operator's own, or what the process finds where it runs. Unlike
//! kubeconfigs from Secrets these are trusted, and may run plugins. Their content is not repeated all the same: parsers
//! quote the lines that they choke on, and those hold tokens.

use std::env;
use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError, LoadDataError};

/// Kubernetes sets it in every pod.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// From a file, by this context or its current one. The error names it, what is wrong, and what would be right.
pub async fn from_file(file: &Path, context: Option<&str>) -> Result<Config, String> {
    let mut kubeconfig = read(file).map_err(|why| format!("{}: {why}", file.display()))?;
    choose(&mut kubeconfig, context).map_err(|why| format!("{}: {why}", file.display()))?;
    let context = kubeconfig.current_context.clone().unwrap_or_default();
    no_proxy(&kubeconfig, &context).map_err(|why| format!("{}: {why}", file.display()))?;
    let known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    #[expect(clippy::disallowed_methods, reason = "chosen by the operator, so its plugins may run")]
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let config = config.map_err(|error| format!("{}: {}", file.display(), loading(&error, &context, &known)))?;
    directly(&config);
    Ok(config)
}

/// Makes this context the current one.
fn choose(kubeconfig: &mut Kubeconfig, context: Option<&str>) -> Result<(), String> {
    let Some(context) = context else { return Ok(()) };
    let known: Vec<&str> = kubeconfig.contexts.iter().map(|known| known.name.as_str()).collect();
    if !known.contains(&context) {
        return Err(format!("--context: found {context:?}; expected one of its contexts: {}", known.join(", ")));
    }
    kubeconfig.current_context = Some(context.to_owned());
    Ok(())
}

/// Several files, merged as kubectl merges them.
async fn merged(context: &str) -> Result<Config, String> {
    let unusable = |error| format!("$KUBECONFIG: {}", loading(&error, context, &[]));
    let mut kubeconfig = Kubeconfig::read().map_err(unusable)?;
    choose(&mut kubeconfig, Some(context)).map_err(|why| format!("$KUBECONFIG: {why}"))?;
    no_proxy(&kubeconfig, context).map_err(|why| format!("$KUBECONFIG: {why}"))?;
    #[expect(clippy::disallowed_methods, reason = "chosen by the operator, so its plugins may run")]
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let config = config.map_err(unusable)?;
    directly(&config);
    Ok(config)
}

/// From $KUBECONFIG or ~/.kube/config, by this context or the current one, else from the pod's service account.
pub async fn infer(context: Option<&str>) -> Result<Config, String> {
    match env::var_os("KUBECONFIG").filter(|paths| !paths.is_empty()) {
        Some(paths) => {
            let files: Vec<PathBuf> = env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()).collect();
            let of = |error| format!("$KUBECONFIG: {error}");
            match files.as_slice() {
                [file] => return from_file(file, context).await.map_err(of),
                // The library merges them; here they are read so that an error has its file.
                files => {
                    for file in files.iter().filter(|file| file.is_file()) {
                        read(file).map_err(|why| of(format!("{}: {why}", file.display())))?;
                    }
                    if let Some(context) = context {
                        return merged(context).await;
                    }
                }
            }
        }
        None => {
            let home = env::home_dir().map(|home| home.join(".kube/config"));
            if let Some(file) = home.filter(|file| file.is_file()) {
                return from_file(&file, context).await;
            }
        }
    }
    if let Some(context) = context {
        return Err(format!(
            "--context: found {context:?}, and no kubeconfig that could have it; pass --hub-kubeconfig FILE"
        ));
    }
    let config = match Config::infer().await {
        Ok(config) => config,
        Err(_) if env::var_os(IN_CLUSTER).is_some() => Config::incluster()
            .map_err(|error| format!("no hub cluster: the pod's service account cannot be used: {error}"))?,
        Err(_) => {
            let text = "no hub cluster: not running in a cluster and no kubeconfig found; pass --hub-kubeconfig FILE or \
                        --world DIR";
            return Err(text.to_owned());
        }
    };
    directly(&config);
    Ok(config)
}

/// Read once only: it may be a pipe.
fn read(file: &Path) -> Result<Kubeconfig, String> {
    Kubeconfig::read_from(file).map_err(|error| loading(&error, "", &[]))
}

/// What would be ignored is refused: requests would go another way than the kubeconfig says.
fn no_proxy(kubeconfig: &Kubeconfig, context: &str) -> Result<(), String> {
    let named = kubeconfig.contexts.iter().find(|known| known.name == context);
    let cluster = named.and_then(|known| known.context.as_ref()).map(|context| context.cluster.as_str());
    let cluster = kubeconfig.clusters.iter().find(|known| Some(known.name.as_str()) == cluster);
    let proxy = cluster.and_then(|known| known.cluster.as_ref()).and_then(|cluster| cluster.proxy_url.as_deref());
    match proxy {
        Some(proxy) if !proxy.is_empty() => Err(format!(
            "proxy-url of cluster {:?} is not supported: Isthmus calls API servers directly; give an address in `server` \
             that it can reach, and take proxy-url out",
            cluster.map(|known| known.name.as_str()).unwrap_or_default()
        )),
        _ => Ok(()),
    }
}

/// No proxy is used.
fn directly(config: &Config) {
    if config.proxy_url.is_some() {
        tracing::warn!(
            "a proxy is named by HTTPS_PROXY or the kubeconfig and is not used: Isthmus calls API servers directly"
        );
    }
}

/// The library's errors in terms of the file's fields.
fn loading(error: &KubeconfigError, context: &str, known: &[String]) -> String {
    use KubeconfigError as E;
    let contexts = || match known {
        [] => "it has no contexts".to_owned(),
        known => format!("it has {}", known.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")),
    };
    match error {
        E::CurrentContextNotSet => {
            format!("current-context is missing; expected the name of one of its contexts: {}", contexts())
        }
        E::LoadContext(_) if context.is_empty() => {
            format!("current-context is missing; expected the name of one of its contexts: {}", contexts())
        }
        E::LoadContext(name) => {
            format!("current-context is {name:?}; expected the name of one of its contexts: {}", contexts())
        }
        E::LoadClusterOfContext(name) => {
            format!("context {context:?}: found cluster {name:?}; expected the name of one of its clusters")
        }
        E::MissingClusterUrl => {
            format!("the cluster of context {context:?} has no `server`; expected the API server's URL")
        }
        E::ParseClusterUrl(why) => {
            format!("`server` of the cluster of context {context:?} is no URL ({why}); expected https://HOST:PORT")
        }
        E::ParseProxyUrl(why) => {
            format!("proxy-url or HTTPS_PROXY is no URL ({why}); proxies are not supported: take it out")
        }
        E::LoadCertificateAuthority(why) => format!("certificate-authority: {}", data(why)),
        E::LoadClientCertificate(why) => format!("client-certificate: {}", data(why)),
        E::LoadClientKey(why) => format!("client-key: {}", data(why)),
        E::ParseCertificates(_) => "certificate-authority-data: expected base64 of PEM certificates".to_owned(),
        E::ReadConfig(why, _) => format!("cannot be read: {why}"),
        E::Parse(why) => {
            let at = why.location();
            let at = at.map_or_else(String::new, |at| format!(" (line {}, column {})", at.line(), at.column()));
            format!(
                "cannot be read as a kubeconfig{at}; expected YAML with clusters, users, contexts and a current-context"
            )
        }
        _ => "it cannot be used as a kubeconfig".to_owned(),
    }
}

fn data(error: &LoadDataError) -> String {
    match error {
        LoadDataError::DecodeBase64(_) => "found something that is not base64; expected base64 of PEM".to_owned(),
        LoadDataError::ReadFile(why, path) => format!("cannot read {}: {why}", PathBuf::from(path).display()),
        LoadDataError::NoBase64DataOrFile => "found nothing; expected base64 of PEM, or a file".to_owned(),
    }
}

#[cfg(test)]
mod tests;
