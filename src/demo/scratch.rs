//! Where one run keeps its files: a folder of its own that is removed at the end, or the one that `--keep` names.

use std::path::{Path, PathBuf};

use super::error::DemoError;

/// Names tried for a new temporary folder.
const ATTEMPTS: u32 = 64;

#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    keep: bool,
}

impl Scratch {
    pub fn new(keep: Option<&Path>) -> Result<Self, DemoError> {
        match keep {
            Some(path) => Self::kept(path),
            None => Self::temporary(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn kept(path: &Path) -> Result<Self, DemoError> {
        let io = |action| move |source| DemoError::Io { action, path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(io("make the folder"))?;
        if std::fs::read_dir(path).map_err(io("read the folder"))?.next().is_some() {
            return Err(DemoError::KeepNotEmpty { path: path.to_owned() });
        }
        let path = path.canonicalize().map_err(io("find the folder"))?;
        Ok(Self { path, keep: true })
    }

    fn temporary() -> Result<Self, DemoError> {
        let base = std::env::temp_dir();
        let mut last = std::io::Error::other("no free name");
        for attempt in 0..ATTEMPTS {
            let path = base.join(format!("isthmus-demo-{}-{attempt}", std::process::id()));
            // Fails if the name is taken, by any process: no folder of another one is ever used, or removed later.
            match private_folder(&path) {
                Ok(()) => return Ok(Self { path, keep: false }),
                Err(error) => last = error,
            }
        }
        Err(DemoError::Io { action: "make a folder in", path: base, source: last })
    }
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.keep {
            // No caller is left that could handle it; the system clears its temporary folder in the end.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_goes_and_a_kept_one_stays() -> Result<(), DemoError> {
        let scratch = Scratch::new(None)?;
        let gone = scratch.path().to_owned();
        let kept = gone.join("kept");
        assert!(gone.is_dir());
        let keeper = Scratch::new(Some(&kept))?;
        drop(keeper);
        assert!(kept.is_dir());
        drop(scratch);
        assert!(!gone.exists());
        Ok(())
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused() -> Result<(), DemoError> {
        let scratch = Scratch::new(None)?;
        let _ = std::fs::write(scratch.path().join("mine.txt"), "mine");
        assert!(matches!(Scratch::new(Some(scratch.path())), Err(DemoError::KeepNotEmpty { .. })));
        assert!(scratch.path().join("mine.txt").exists());
        Ok(())
    }
}
