//! stub
use crate::problem::{Problem, ProblemBook};
use std::path::Path;
pub struct FilesHandle;
pub struct LoadedWorld {
    pub batches: Vec<federation::change::Batch>,
    pub problems: Vec<Problem>,
}
pub fn load(_dir: &Path) -> std::io::Result<LoadedWorld> {
    Ok(LoadedWorld { batches: vec![], problems: vec![] })
}
pub fn spawn(_dir: &Path, _feed: crate::feed::Feed, _p: ProblemBook) -> std::io::Result<FilesHandle> {
    Ok(FilesHandle)
}
pub fn load_with(_d: &Path, _a: &[std::path::PathBuf]) -> std::io::Result<LoadedWorld> {
    load(_d)
}
pub fn add_to(_o: &mut crate::hub::HubObjects, _a: &[std::path::PathBuf]) -> anyhow::Result<Vec<Problem>> {
    Ok(vec![])
}
