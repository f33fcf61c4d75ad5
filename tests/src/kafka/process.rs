//! A program that cannot outlive this process: it runs below a tiny supervisor that waits on a pipe.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

/// A program under supervision. Dropping it kills the program and removes its folder.
pub(super) struct Process {
    supervisor: Child,
    /// The pipe that the supervisor waits on; `None` once it has been told to end.
    leash: Option<ChildStdin>,
    pid: u32,
    death: Arc<Death>,
}

impl Process {
    /// Starts `words` (a program and its arguments) with both outputs appended to the file `output`.
    ///
    /// `folder`, if given, goes when the process is dropped or this process dies. It must lie in a folder of our own,
    /// which goes with it once empty.
    pub(super) fn spawn(
        words: &[String],
        output: &Path,
        folder: Option<&Path>,
        directory: &Path,
    ) -> io::Result<Self> {
        let mut supervisor = Command::new("sh")
            .args(["-c", include_str!("supervisor.sh"), "supervisor"])
            .arg(output)
            .arg(folder.unwrap_or_else(|| Path::new("")))
            .args(words)
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A group of its own: what the terminal sends to the tests (Ctrl-C) must not end the supervisor first.
            .process_group(0)
            .spawn()?;
        let leash = supervisor.stdin.take();
        let stdout = supervisor.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut status = BufReader::new(stdout);
        let mut line = String::new();
        status.read_line(&mut line)?;
        let pid = line.trim().parse().map_err(|_| {
            io::Error::other(format!(
                "the supervisor answered {line:?} instead of a process id"
            ))
        })?;
        let death = Arc::new(Death::default());
        let watched = Arc::clone(&death);
        thread::Builder::new()
            .name(format!("watch-{pid}"))
            .spawn(move || {
                // Nothing is ever written here: end of file, or any error, means that the program is dead.
                let _ = status.read(&mut [0]);
                watched.happened();
            })?;
        Ok(Self {
            supervisor,
            leash,
            pid,
            death,
        })
    }

    /// Kills the program, keeps its folder, and returns the exit code, if it had ended by itself with one.
    pub(super) fn kill(mut self) -> Option<i32> {
        let word: &[u8] = if self.death.has_happened() {
            b"gone\n"
        } else {
            b"kill\n"
        };
        self.say(word);
        self.reap()
    }

    /// Lets go of the program without waiting for its end; dropping waits.
    pub(super) fn release(&mut self) {
        if self.death.has_happened() {
            self.say(b"gone\n");
        }
        self.leash = None;
    }

    /// Sends a signal by its name without SIG.
    pub(super) fn signal(&self, name: &str) -> io::Result<()> {
        // The shell's own `kill`: the program of that name is not installed everywhere.
        let status = Command::new("sh")
            .args([
                "-c",
                "kill -s \"$1\" \"$2\"",
                "kill",
                name,
                &self.pid.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if status.success() {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// Stops the program (SIGSTOP) and waits until each of its threads has stopped.
    pub(super) fn freeze(&self) -> io::Result<()> {
        self.signal("STOP")?;
        // The signal is sent before a thread that runs on another core has noticed it.
        let end = Instant::now() + FREEZE_LIMIT;
        while !has_stopped(self.pid) && !self.death.wait(Duration::from_millis(1)) {
            if Instant::now() > end {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The event of the program's death, which can be waited for.
    pub(super) fn death(&self) -> Arc<Death> {
        Arc::clone(&self.death)
    }

    fn say(&mut self, word: &[u8]) {
        if let Some(mut leash) = self.leash.take() {
            // A supervisor that is gone already has nothing left to do.
            let _ = leash.write_all(word);
        }
    }

    fn reap(&mut self) -> Option<i32> {
        // The shell reports a program that a signal ended as 128 and the signal's number.
        self.supervisor
            .wait()
            .ok()?
            .code()
            .filter(|code| *code < 128)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.release();
        self.reap();
    }
}

/// Runs `words` to their end and returns the exit code; `None` if it took longer than `limit` or a signal ended it.
pub(super) fn run(
    words: &[String],
    output: &Path,
    directory: &Path,
    limit: Duration,
) -> io::Result<Option<i32>> {
    let process = Process::spawn(words, output, None, directory)?;
    let ended = process.death().wait(limit);
    let code = process.kill();
    Ok(code.filter(|_| ended))
}

const FREEZE_LIMIT: Duration = Duration::from_secs(10);

/// Whether every thread of a process is in the state "stopped", which only Linux tells; elsewhere we believe it.
fn has_stopped(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return true;
    };
    threads.flatten().all(|thread| {
        // The state follows the name, which is in brackets and may hold anything. A thread can end as we look.
        fs::read_to_string(thread.path().join("stat")).map_or(true, |stat| {
            stat.rsplit(')')
                .next()
                .is_some_and(|rest| rest.starts_with(" T"))
        })
    })
}

/// An event that happens once: the death of a program.
#[derive(Default)]
pub(super) struct Death {
    happened: Mutex<bool>,
    bell: Condvar,
}

impl Death {
    pub(super) fn has_happened(&self) -> bool {
        *self.happened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has happened, at most for `limit`, and tells whether it has.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut happened = self.happened.lock().unwrap_or_else(PoisonError::into_inner);
        while !*happened {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            happened = self
                .bell
                .wait_timeout(happened, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        *happened
    }

    fn happened(&self) {
        *self.happened.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::{RunFolder, read_log};
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn death_is_an_event_and_tells_the_code() {
        let run = RunFolder::create().unwrap();
        let log = run.path().join("log");
        let process = Process::spawn(
            &shell("echo out; echo err >&2; exit 7"),
            &log,
            None,
            run.path(),
        )
        .unwrap();
        assert!(process.death().wait(LONG));
        assert_eq!(process.kill(), Some(7));
        assert_eq!(read_log(&log), "out\nerr\n");
    }

    #[test]
    fn a_kill_keeps_the_folder_and_a_drop_takes_it() {
        let run = RunFolder::create().unwrap();
        let home = run.inner("home").unwrap();
        let spawn = || {
            Process::spawn(
                &shell("exec sleep 60"),
                &home.join("log"),
                Some(&home),
                &home,
            )
            .unwrap()
        };
        let process = spawn();
        assert!(!process.death().has_happened());
        assert_eq!(process.kill(), None);
        assert!(home.exists());
        let process = spawn();
        let death = process.death();
        drop(process);
        assert!(death.wait(LONG));
        assert!(!run.path().exists());
    }

    #[test]
    fn a_signal_reaches_the_program() {
        let run = RunFolder::create().unwrap();
        let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done";
        let log = run.path().join("log");
        let process = Process::spawn(&shell(script), &log, None, run.path()).unwrap();
        while read_log(&log).is_empty() {
            assert!(!process.death().wait(Duration::from_millis(10)));
        }
        process.signal("TERM").unwrap();
        assert!(process.death().wait(LONG));
        assert_eq!(process.kill(), Some(3));
    }

    #[test]
    fn a_frozen_program_does_nothing() {
        let run = RunFolder::create().unwrap();
        let log = run.path().join("log");
        let process =
            Process::spawn(&shell("while :; do echo x; done"), &log, None, run.path()).unwrap();
        process.freeze().unwrap();
        let written = read_log(&log).len();
        assert!(!process.death().wait(Duration::from_millis(50)));
        assert_eq!(read_log(&log).len(), written);
        process.signal("CONT").unwrap();
        while read_log(&log).len() == written {
            assert!(!process.death().wait(Duration::from_millis(1)));
        }
    }

    #[test]
    fn a_run_ends_at_its_limit() {
        let run_folder = RunFolder::create().unwrap();
        let log = run_folder.path().join("log");
        let code =
            |script: &str, limit| run(&shell(script), &log, run_folder.path(), limit).unwrap();
        assert_eq!(code("exit 0", LONG), Some(0));
        assert_eq!(code("exec sleep 60", Duration::from_millis(50)), None);
    }
}
