//! A folder for one run, and the telling part of the logs in it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs, io, process};

use super::error::LaunchError;

/// A new folder below the system's folder for temporary files. Dropping it removes it.
pub(super) struct RunFolder(PathBuf);

impl RunFolder {
    pub(super) fn create() -> Result<Self, LaunchError> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        loop {
            let time = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| d.subsec_nanos());
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = format!("kafka-testing-{}-{count}-{time:08x}", process::id());
            let path = env::temp_dir().join(name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(LaunchError::io(format!("creating {}", path.display()))(e)),
            }
        }
    }

    /// Creates a folder inside.
    pub(super) fn inner(&self, name: &str) -> Result<PathBuf, LaunchError> {
        let path = self.0.join(name);
        fs::create_dir(&path).map_err(LaunchError::io(format!("creating {}", path.display())))?;
        Ok(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Removes the folder and all in it, if it is still there.
    pub(super) fn remove(&self) -> io::Result<()> {
        remove_all(&self.0)
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

/// Removes a folder and all in it; one that is not there is fine.
pub(super) fn remove_all(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Reads a log; what is not there or not UTF-8 is left out.
pub(super) fn read_log(path: &Path) -> String {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

/// The lines that tell what went wrong: from the first error on, or the last ones.
pub(super) fn telling_part(log: &str) -> String {
    const LINES: usize = 15;
    let lines: Vec<_> = log.lines().collect();
    let is_bad = |line: &&str| {
        ["ERROR", "FATAL", "Exception"]
            .iter()
            .any(|word| line.contains(word))
    };
    let start = lines
        .iter()
        .position(is_bad)
        .unwrap_or_else(|| lines.len().saturating_sub(LINES));
    lines[start..]
        .iter()
        .take(LINES)
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_first_error_or_the_end() {
        let mut log: String = (0..50).map(|i| format!("INFO line {i}\n")).collect();
        assert!(telling_part(&log).starts_with("INFO line 35\n"));
        log.insert_str(0, "ERROR no\n");
        assert!(telling_part(&log).starts_with("ERROR no\nINFO line 0\n"));
        assert_eq!(telling_part(""), "");
    }

    #[test]
    fn folder_goes_with_its_owner() {
        let folder = RunFolder::create().unwrap();
        let inner = folder.inner("a").unwrap();
        fs::write(inner.join("b"), "c").unwrap();
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }
}
