//! What an error of the watcher asks for: go on, list again, or build a new watcher.

use kube::runtime::watcher;

use crate::client::answers::Fault;

/// What an error of the watcher asks for.
#[derive(Debug)]
pub(super) enum After {
    /// The version of the last event is gone, and the watcher would ask for it forever.
    Relist,
    /// 403 or 404.
    Absent(kube::Error),
    /// The watcher goes on from where it was.
    Resume(kube::Error),
    /// An event may have been lost.
    Rebuild(kube::Error),
}

pub(super) fn after(error: watcher::Error) -> After {
    match error {
        watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410 => After::Relist,
        watcher::Error::InitialListFailed(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => {
            After::Absent(kube::Error::Api(status))
        }
        // After an error event the watcher goes on as if nothing was missed, unless the code is 410: then it lists again.
        watcher::Error::WatchError(status) if status.code == 410 => After::Resume(kube::Error::Api(status)),
        watcher::Error::WatchError(status) => After::Rebuild(kube::Error::Api(status)),
        // An event that cannot be read was skipped.
        watcher::Error::WatchFailed(error) if Fault::of(&error).is_some() => After::Rebuild(error),
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => After::Resume(error),
        watcher::Error::NoResourceVersion => After::Rebuild(Fault::NoVersion.into_kube()),
    }
}
