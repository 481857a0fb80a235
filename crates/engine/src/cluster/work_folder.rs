//! Where a process keeps its shuffle files: in a folder of its own below a common one, locked while the process lives.
//!
//! A process that is killed cannot remove its folder, which holds customers' rows. But its lock ends with it, so the
//! next process with the same common folder sees which folders nobody holds, and removes them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What the names of these folders start with.
const PREFIX: &str = "segmenta-work-";

/// A folder that is removed when the process ends.
#[derive(Debug)]
pub struct WorkFolder {
    folder: TempDir,
    /// Held until the folder is removed; `None` where the file system has no locks.
    _lock: Option<File>,
}

impl WorkFolder {
    /// Makes one below `parent` (the temporary folder, if none is given), and removes those that dead processes left there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn create(parent: Option<&Path>) -> io::Result<Self> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        fs::create_dir_all(&parent)?;
        // While one process makes its folder and has not locked it yet, no other may look for folders without a lock.
        let gate = File::open(&parent).ok().filter(|gate| gate.try_lock().is_ok());
        let folder = TempDir::with_prefix_in(PREFIX, &parent)?;
        let lock = File::open(folder.path()).ok().filter(|lock| lock.try_lock().is_ok());
        if gate.is_some() && lock.is_some() {
            left(&parent).filter(|left| left != folder.path()).for_each(|left| remove(&left));
        }
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The folders of this kind below `parent`.
fn left(parent: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    // Links are not followed.
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)).map(|entry| entry.path())
}

/// Removes a folder that no process holds.
fn remove(folder: &Path) {
    let is_nobodys = File::open(folder).is_ok_and(|lock| lock.try_lock().is_ok());
    if !is_nobodys {
        return;
    }
    match fs::remove_dir_all(folder) {
        Ok(()) => tracing::info!(folder = %folder.display(), "removed what a process that was killed had left"),
        // In a common folder that everybody shares, it may belong to another user.
        Err(error) => {
            tracing::debug!(%error, folder = %folder.display(), "a folder that nobody holds cannot be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dead_processes_left_is_removed_and_what_living_ones_hold_stays() {
        let parent = tempfile::tempdir().unwrap();
        let one = WorkFolder::create(Some(parent.path())).unwrap();
        fs::write(one.path().join("rows"), "of customers").unwrap();
        let dead = parent.path().join(format!("{PREFIX}dead"));
        fs::create_dir_all(dead.join("plan")).unwrap();
        fs::create_dir(parent.path().join("other")).unwrap();
        let two = WorkFolder::create(Some(parent.path())).unwrap();
        assert!(!dead.exists());
        assert!(one.path().join("rows").exists() && two.path().exists() && parent.path().join("other").exists());
        let gone = one.path().to_owned();
        drop(one);
        assert!(!gone.exists());
    }
}
